"""The parts of the conic relaxation, one function each; what they state is in :mod:`.model`."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..instance.arrays import InstanceArrays
from ..instance.curves import Exponential, Logarithmic, Power
from ..milp.linear_problem import members_of
from .builder import Builder, before, pick, times, total
from .envelope import SmoothConcave
from .groups import power_of_two

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def add_jobs(b: Builder) -> None:
    """FIFO queues, jobs and steps of groups, GPU time, links: as in :mod:`..milp.pyomo_model`."""
    a, g, u, at = b.a, b.groups, b.units, members_of(b.a)
    n, k = len(a.sites), len(a.classes)
    present, gigabytes = b.present, a.payload_gb[at.moved_class]
    wide = np.array([envelope.high > envelope.low for envelope in g.envelopes], dtype=bool)[:, None]
    gpus = np.broadcast_to(a.gpus[:, None].astype(float), (n, a.n_slots))
    here = present.reshape(n * k, -1)
    can_run = np.zeros((n * k, a.n_slots), dtype=bool)
    np.logical_or.at(can_run, g.site * k + g.job_class, b.job_limit > 0)
    capacity = a.link_gb_per_hour[at.origin, at.target] * a.slot_hours
    fits = np.divide(capacity, gigabytes, out=np.full(len(capacity), np.inf), where=gigabytes > 0)
    movable = np.minimum(present[at.origin, at.moved_class], fits[:, None])
    movable = movable * can_run[at.target * k + at.moved_class]

    transfers = b.column("transfers", movable, u.jobs)
    lost = b.column("lost", here, u.jobs)
    waiting = b.column("waiting", a.waiting_limit().reshape(n * k, -1), u.jobs, limit="waiting_limit")
    jobs = b.column("jobs", b.job_limit, u.jobs)
    extra = b.column("extra", np.where(wide, b.job_limit, 0.0), u.jobs)
    gpus_on = b.column("gpus_on", gpus, u.gpus, limit="gpu_count")
    b.at_most("steps", extra - jobs, wide & (b.job_limit > 0), u.jobs)

    sent = times(at.origin * k + at.moved_class, n * k, 1.0, transfers)
    left = waiting + lost + sent - before(waiting, a.state.backlog.sum(axis=2).ravel() / u.jobs)
    b.equal("waiting_balance", left - a.arrivals.reshape(n * k, -1) / u.jobs, here > 0, u.jobs)

    run = times(g.site * k + g.job_class, n * k, 1.0, jobs)
    received = times(at.target * k + at.moved_class, n * k, 1.0, transfers)
    b.equal("assignment", run - received, can_run, u.jobs)

    scale = u.jobs / u.seconds
    used = times(g.site, n, g.seconds_low * scale, jobs) + times(g.site, n, g.seconds_rise * scale, extra)
    given = cp.multiply((a.seconds_per_gpu * u.gpus / u.seconds)[:, None], gpus_on)
    b.at_most("gpu_time", used - given, gpus > 0, u.seconds)

    unit = power_of_two(gigabytes * u.jobs)
    way = at.origin * n + at.target
    load = times(way, n * n, gigabytes * u.jobs / unit, transfers)
    most = np.where(np.isfinite(a.link_gb_per_hour), a.link_gb_per_hour * a.slot_hours, 0.0).reshape(-1, 1)
    limited = np.zeros((n * n, a.n_slots), dtype=bool)
    np.logical_or.at(limited, way, (movable * gigabytes[:, None] > 0) & np.isfinite(capacity)[:, None])
    b.at_most("link", load - most / unit, limited, unit)

    money = u.jobs / u.money
    b.terms["revenue"] = total(g.revenue_low * money, jobs) + total(g.revenue_rise * money, extra)
    b.terms["transfer"] = total(a.transfer_cost[at.origin, at.target] * gigabytes * money, transfers)
    b.terms["miss_penalty"] = total(np.tile(a.miss_penalty, n) * money, lost)


def add_quality(b: Builder) -> None:
    """Q ≤ N·q̂(S/N), with N + r·X = S/s_min, r = s_max/s_min − 1, and for the curve's formula or its cuts

    exponential  Q ≤ c·N − σ·N·exp(−ρ·X/N),    σ = span·exp(−rate·s_min), ρ = rate·(s_max − s_min)
    power        Q ≤ c·N − σ·N·exp(−rate·L/N),  L ≤ N·ln(1 + r·X/N),  σ = span·s_min^(−rate)
    logarithmic  Q ≤ o·N + gain·N·ln(1 + r·X/N),      o = offset + gain·ln(s_min)
    cuts         Q ≤ (a + b·s_min)·N + b·(s_max − s_min)·X
    """
    g, u = b.groups, b.units
    jobs, extra, possible = b.columns["jobs"], b.columns["extra"], b.job_limit > 0
    priced = g.quality_price > 0
    affine = np.array([envelope.affine for envelope in g.envelopes], dtype=bool)
    curved = priced & ~affine
    above = b.column("quality_above_floor", np.where(curved[:, None], b.job_limit, 0.0), u.jobs)
    # one cut says it all: it holds with equality
    cuts = [(e, n, i) for n, e in enumerate(g.envelopes) for i in range(len(e.slopes)) if priced[n]]
    group = np.array([n for _, n, _ in cuts], dtype=np.int64)
    at_low = np.array([e.intercepts[i] + e.slopes[i] * e.low for e, _, i in cuts])
    rise = np.array([e.slopes[i] * (e.high - e.low) for e, _, i in cuts])
    single = affine[group]
    by_low, by_rise = np.where(curved, g.quality_floor, 0.0), np.zeros(len(g))
    by_low[group[single]], by_rise[group[single]] = at_low[single], rise[single]
    everything = np.arange(len(g))
    quality = times(everything, len(g), by_low, jobs) + times(everything, len(g), by_rise, extra) + above
    b.columns["quality"], b.column_units["quality"] = quality, u.jobs
    b.terms["revenue"] += total(g.quality_price * u.jobs / u.money, quality)

    several = np.flatnonzero(~single)
    rows = group[several]
    if possible[rows].any():
        bound = cp.multiply(at_low[several, None], jobs[rows]) + cp.multiply(rise[several, None], extra[rows])
        b.unnamed.append(pick(quality[rows] - bound, possible[rows]) <= 0)
    # the power curve as two exponential cones: the solver stalls on power cones now and then
    logs = [np.log(e.high / e.low) if isinstance(e.formula, Power) else 0.0 for e in g.envelopes]
    log_steps = b.column("log_steps", b.job_limit * (curved * np.array(logs))[:, None], u.jobs)
    for n in np.flatnonzero(curved & possible.any(axis=1)):
        envelope = g.envelopes[n]
        if envelope.formula is not None:
            parts = (pick(x[[n]], possible[[n]]) for x in (jobs, extra, quality, log_steps))
            b.unnamed += _cones(envelope.formula, envelope.low, envelope.high, *parts)


def _cones(
    formula: SmoothConcave, low: float, high: float, jobs: Any, extra: Any, quality: Any, logs: Any
) -> list[Any]:
    """Q ≤ N·q(S/N) for one group, entry by entry; see :func:`add_quality`."""
    steps = jobs + (high / low - 1) * extra
    match formula:
        case Exponential(ceiling=ceiling, span=span, rate=rate):
            fall = (ceiling * jobs - quality) / (span * np.exp(-rate * low))
            return [cp.ExpCone(-rate * (high - low) * extra, jobs, fall)]
        case Power(ceiling=ceiling, span=span, rate=rate):
            fall = (ceiling * jobs - quality) / (span * low**-rate)
            return [cp.ExpCone(logs, jobs, steps), cp.ExpCone(-rate * logs, jobs, fall)]
        case Logarithmic(offset=offset, gain=gain):
            return [cp.ExpCone((quality - (offset + gain * np.log(low)) * jobs) / gain, jobs, steps)]


def add_power(b: Builder) -> None:
    """IT power, grid and renewables, peak import: ``it_power`` and ``_grid`` of :mod:`..milp.pyomo_model`."""
    a, g, u, at = b.a, b.groups, b.units, members_of(b.a)
    n, money = len(a.sites), u.mwh / u.money
    top = np.zeros((n, a.n_slots))
    np.add.at(top, g.site, (g.energy_low + g.energy_rise)[:, None] * b.job_limit / a.slot_hours)
    top += (a.gpu_idle_mw * a.gpus)[:, None]
    it_mw = b.column("it_mw", top, u.mw)
    whole = np.ones((n, a.n_slots))
    taken = a.export_limit_mw + a.battery_power_mw + a.cooling_max_mw
    use: dict[str, Any] = {"per": u.mwh, "implied": a.pue * top + taken[:, None]}
    imported = b.column("import_mw", a.import_limit_mw[:, None] * whole, u.mw, limit="import_limit", **use)
    exported = b.column(
        "export_mw", a.export_limit_mw[:, None] * whole, u.mw, limit="export_limit", per=u.mwh
    )
    b.column("renewable_mw", a.renewable_mw, u.mw, limit="renewable_limit", **use)
    scale = u.jobs / u.mwh
    busy = times(g.site, n, g.energy_low * scale, b.columns["jobs"])
    busy += times(g.site, n, g.energy_rise * scale, b.columns["extra"])
    idle = cp.multiply((a.gpu_idle_mw * u.gpus / u.mw)[:, None], b.columns["gpus_on"])
    b.equal("it_power", busy + idle - it_mw, top > 0, u.mwh)

    so_far = a.state.peak_mw[at.peaks]
    higher = np.maximum(a.import_limit_mw[at.peaks] - so_far, 0.0)
    b.terms["import"] = total(a.import_price * money, imported)
    b.terms["export"] = total(a.export_price * money, exported)
    b.terms["carbon"] = total(a.carbon_price / 1000 * a.carbon_kg_per_mwh * money, imported)
    if len(at.peaks):
        above = b.column("peak_above_so_far_mw", higher[:, None], u.mw)
        ends = ~np.roll(a.meter_goes_on[at.peaks], -1, axis=1)
        ends[:, -1] = True
        means = imported[at.peaks]
        if len(at.meters):
            means = cp.vstack([imported[[j]] @ _means(a, j) for j in at.peaks])
        begun = np.where(a.meter_goes_on[at.peaks].cumprod(axis=1), a.state.metered_mw[at.peaks, None], 0.0)
        excess = means + (begun - so_far[:, None]) / u.mw - above @ np.ones((1, a.n_slots))
        b.at_most("peak", excess, (higher[:, None] > 0) & ends, u.mw)
        b.terms["demand"] = total(a.demand_charge[at.peaks] * u.mw / u.money, above)
    if len(at.feeds_in):
        j, both = at.feeds_in, ~a.either_way[at.feeds_in]
        most_in, most_out = (limit[j, None] * whole[j] for limit in (a.import_limit_mw, a.export_limit_mw))
        importing = b.column("importing", whole[j] * ~both, 1.0)
        b.at_most("import_mode", imported[j] - cp.multiply(most_in / u.mw, importing), ~both, u.mwh)
        b.at_most("export_mode", exported[j] - cp.multiply(most_out / u.mw, 1 - importing), ~both, u.mwh)


def _means(a: InstanceArrays, j: int) -> Any:
    """(T,T) column t: what each slot adds to the mean of the metering interval of slot t, up to it."""
    number = np.cumsum(~a.meter_goes_on[j])
    same = (number[:, None] == number[None, :]) & (np.arange(a.n_slots)[:, None] <= np.arange(a.n_slots))
    return csr_array(same * a.meter_share[j][:, None])


def _storage(a: InstanceArrays) -> Ints:
    return np.flatnonzero(a.battery & (a.battery_power_mw > 0))


def _engines(a: InstanceArrays) -> Ints:
    return np.flatnonzero(a.generator & (a.generator_max_mw > 0))


def add_battery(b: Builder) -> None:
    """Energy content above its minimum; c/P + d/P ≤ 1, the relaxation of one direction per slot."""
    a, u = b.a, b.units
    j = _storage(a)
    if not len(j):
        return
    whole = np.ones((len(j), a.n_slots))
    power = a.battery_power_mw[j, None] * whole
    room = (a.energy_max_mwh - a.energy_min_mwh)[j, None] * whole
    charge = b.column("charge_mw", power, u.mw)
    discharge = b.column("discharge_mw", power, u.mw)
    content = b.column("energy_above_minimum_mwh", room, u.mwh, limit="energy_limit")
    gap = np.maximum(a.energy_reference_mwh - a.energy_min_mwh, 0.0)[j, None]
    missing = b.column("energy_missing_mwh", gap, u.mwh)
    start = (a.state.energy_mwh - a.energy_min_mwh)[j] / u.mwh
    stored = cp.multiply(a.charge_efficiency[j, None] * whole, charge)
    drawn = cp.multiply(1 / a.discharge_efficiency[j, None] * whole, discharge)
    b.equal("state_of_charge", content - before(content, start) - stored + drawn, whole > 0, u.mwh)
    b.at_most("battery_power", charge + discharge - power / u.mw, whole > 0, u.mwh)
    b.at_most("terminal_energy", gap / u.mwh - missing - content[:, -1:], gap > 0, u.mwh)
    b.terms["wear"] = total(a.wear_cost[j] * u.mwh / u.money, discharge)
    b.terms["terminal"] = total(a.terminal_price[j] * u.mwh / u.money, missing)


def add_generator(b: Builder) -> None:
    """min·on ≤ p ≤ max·on, start ≥ on − on before, with on and start between 0 and 1."""
    a, u = b.a, b.units
    j = _engines(a)
    if not len(j):
        return
    whole = np.ones((len(j), a.n_slots))
    power = b.column("generator_mw", a.generator_max_mw[j, None] * whole, u.mw)
    on = b.column("generator_on", whole, 1.0, limit="generator_on_limit")
    start = b.column("generator_start", whole, 1.0)
    highest, lowest = (v[j, None] / u.mw * whole for v in (a.generator_max_mw, a.generator_min_mw))
    b.at_most("generator_maximum", power - cp.multiply(highest, on), whole > 0, u.mwh)
    b.at_most("generator_minimum", cp.multiply(lowest, on) - power, lowest > 0, u.mwh)
    was_on = a.state.generator_on[j].astype(float)
    b.at_most("generator_starting", on - before(on, was_on) - start, whole > 0, 1.0)
    per_mwh = a.carbon_price / 1000 * a.generator_carbon[j]
    b.terms["fuel"] = total(a.fuel_cost[j] * u.mwh / u.money, power)
    b.terms["fuel"] += total(a.no_load_cost[j] * a.slot_hours / u.money, on)
    b.terms["carbon"] += total(per_mwh * u.mwh / u.money, power)
    b.terms["startup"] = total(a.startup_cost[j] / u.money, start)


def add_cooling(b: Builder) -> None:
    """Room temperature above its minimum; duals in USD per °C of heat taken away."""
    a, u = b.a, b.units
    j = np.flatnonzero(a.thermal)
    if not len(j):
        return
    whole = np.ones((len(j), a.n_slots))
    per_mw = (a.slot_hours / a.heat_capacity[j])[:, None] * whole
    leak = per_mw * a.leak_mw_per_c[j, None]
    cooling = b.column(
        "cooling_mw", a.cooling_max_mw[j, None] * whole, u.mw, limit="cooling_limit", per=u.mwh
    )
    warmth = b.column("above_min_c", (a.max_c - a.min_c)[j, None] * whole, 1.0, limit="temperature_limit")
    top = np.maximum(a.max_c - a.temperature_reference_c, 0.0)[j, None]
    leftover = b.column("heat_leftover_c", top, 1.0)
    earlier = before(warmth, (a.state.temperature_c - a.min_c)[j])
    heat = cp.multiply(per_mw * u.mw, b.columns["it_mw"][j] - cp.multiply(a.cop[j], cooling))
    free = cp.multiply(1 - leak, earlier) + heat + leak * (a.outside_c[j] - a.min_c[j, None])
    b.at_most("room_heat", free - warmth, whole > 0, 1.0)
    above = warmth[:, -1:] - (a.temperature_reference_c - a.min_c)[j, None] - leftover
    b.at_most("terminal_heat", above, np.ones((len(j), 1), dtype=bool), 1.0)
    charged = total(a.terminal_heat_price[j] / u.money, leftover)
    b.terms["terminal"] = b.terms.get("terminal", 0.0) + charged


def add_balance(b: Builder) -> None:
    """import + renewable + discharge + generator = pue·it + cooling + charge + export; dual in USD/MWh."""
    a, c = b.a, b.columns
    n = len(a.sites)
    use = cp.multiply(a.pue, c["it_mw"]) + c["export_mw"]
    supply = c["import_mw"] + c["renewable_mw"]
    if "charge_mw" in c:
        use += times(_storage(a), n, 1.0, c["charge_mw"])
        supply += times(_storage(a), n, 1.0, c["discharge_mw"])
    if "generator_mw" in c:
        supply += times(_engines(a), n, 1.0, c["generator_mw"])
    if "cooling_mw" in c:
        use += times(np.flatnonzero(a.thermal), n, 1.0, c["cooling_mw"])
    b.equal("power_balance", use - supply, np.ones((n, a.n_slots), dtype=bool), b.units.mwh)
