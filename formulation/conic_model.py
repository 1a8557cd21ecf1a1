"""The conic relaxation of model.md in CVXPY: fluid jobs that run with any real number of steps.

Per group g (site, class, model, clock) with allowed steps from s_min to s_max, and per slot:

* ``jobs`` N and ``extra`` X = (S − s_min·N)/(s_max − s_min) ≤ N for S total steps, so that GPU-seconds,
  energy and revenue are affine in (N, X);
* total quality Q ≤ N·q̂(S/N), the perspective of the concave envelope q̂ of the curve (:mod:`.envelope`): an
  exponential cone, a power cone or cuts. The quality floor Q ≥ floor·N holds at both ends of the range, so it
  holds for the concave q̂ in between.

The rest is the model with its integers dropped, where charging and discharging share the battery's power.
Every schedule is feasible here with at least its own utility, so the optimum is an upper bound.

Jobs, power, GPUs and money are divided by powers of two taken from the data (:class:`.conic_groups.Units`),
so that the solver sees numbers near 1. What leaves this file is in natural units again.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .arrays import InstanceArrays
from .conic_bound import safe_bound
from .conic_groups import Units, groups_of, power_of_two
from .curves import Exponential, Logarithmic, Power
from .envelope import Envelope, SmoothConcave
from .instance import Instance
from .matrices import Members, members_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class ConicSolverError(RuntimeError):
    """The conic solver found no optimum; the message says what it reported."""


@dataclass(frozen=True)
class ConicSolution:
    """An upper bound on the utility, and the prices and flows of the relaxation.

    ``value`` is the safe bound (USD), see :func:`.conic_bound.safe_bound`; ``objective`` what the solver's
    point earns. ``status`` is "optimal", or "inaccurate" where the solver stopped just short of its
    tolerances: the bound is as safe, but less tight. ``duals`` maps constraint names to arrays: what one more
    unit of the resource is worth in USD, per MWh, job, GPU-second, GB or °C (docs/model.md), NaN where no
    constraint was needed. ``flows`` maps columns to arrays in MW, MWh, °C, GPUs, jobs. ``seconds`` has
    "build" and "solve".
    """

    value: float
    objective: float
    status: str
    duals: dict[str, Floats]
    flows: dict[str, Floats]
    seconds: dict[str, float]
    iterations: int


@dataclass(frozen=True)
class _Row:
    """A named constraint: ``kept`` marks the entries that exist, ``unit`` what its 1 stands for."""

    constraint: Any
    kept: Bools
    unit: float


class ConicModel:
    """The relaxation of one instance as a CVXPY ``problem``, with named ``columns``, ``rows`` and ``terms``.

    ``columns`` are CVXPY expressions in scaled units, ``rows`` named constraints, ``terms`` the scaled money
    terms of the objective under the names of ``Evaluation.breakdown``.
    """

    def __init__(self, inst: Instance) -> None:
        started = time.perf_counter()
        self.a = a = inst.arrays()
        self.groups = groups_of(inst, a)
        self.units = Units.of(a, self.groups)
        self.columns: dict[str, Any] = {}
        self.column_units: dict[str, float] = {}
        self.rows: dict[str, _Row] = {}
        self.terms: dict[str, Any] = {}
        self._limits: dict[int, Floats] = {}
        self.job_limit = np.zeros(0)
        self.unnamed: list[Any] = []  # signs and quality
        at = members_of(a)
        _jobs(self, at)
        _quality(self)
        _power(self, at)
        _battery(self)
        _generator(self)
        _cooling(self)
        _balance(self)
        income = self.terms["revenue"] + self.terms["export"]
        costs = sum(term for name, term in self.terms.items() if name not in ("revenue", "export"))
        constraints = [row.constraint for row in self.rows.values()] + self.unnamed
        self.problem = cp.Problem(cp.Maximize(income - costs), constraints)
        self.build_seconds = time.perf_counter() - started

    def column(
        self,
        name: str,
        upper: Floats,
        unit: float,
        *,
        limit: str | None = None,
        per: float | None = None,
        implied: Any = np.inf,
    ) -> Any:
        """Variables from 0 to ``upper`` (natural units); the upper bound is stated if ``limit`` names it, with
        its dual in USD per ``unit`` or ``per``. Entries that can only be 0 are left out: a cone solver needs
        room between the bounds. ``implied`` is a bound that follows from the rows; it tightens the safe bound.
        """
        free = upper > 0
        size = int(free.sum())
        if size:
            variable = cp.Variable(size, name=name)
            self.unnamed.append(variable >= 0)
            self._limits[variable.id] = np.minimum(upper, implied)[free] / unit
            place = (np.flatnonzero(free.ravel()), np.arange(size))
            scatter = csr_array((np.ones(size), place), shape=(upper.size, size))
            whole = cp.reshape(scatter @ variable, upper.shape, order="C")
        else:
            whole = cp.Constant(np.zeros(upper.shape))
        self.columns[name], self.column_units[name] = whole, unit
        if limit:
            self.at_most(limit, whole - upper / unit, free, per or unit)
        return whole

    def at_most(self, name: str, excess: Any, kept: Bools, unit: float) -> None:
        """excess ≤ 0; its dual is the worth of one more unit allowed."""
        self._row(name, excess, kept, unit, equality=False)

    def equal(self, name: str, excess: Any, kept: Bools, unit: float) -> None:
        """excess = 0; its dual is the worth of one more unit in excess."""
        self._row(name, excess, kept, unit, equality=True)

    def _row(self, name: str, excess: Any, kept: Bools, unit: float, equality: bool) -> None:
        if kept.any():
            chosen = pick(excess, kept)
            self.rows[name] = _Row(chosen == 0 if equality else chosen <= 0, kept, unit)

    def solve(self, **settings: Any) -> ConicSolution:
        """Solve with Clarabel (tolerances 1e-8); ``settings`` are Clarabel's.

        Raises:
            ConicSolverError: no optimum was found, for example because a room cannot be kept below max_c.
        """
        started = time.perf_counter()
        data, chain, inverse = self.problem.get_problem_data(cp.CLARABEL, solver_opts=settings)
        raw = chain.solve_via_data(self.problem, data, warm_start=False, verbose=False, solver_opts=settings)
        if str(raw.status) not in ("Solved", "AlmostSolved"):
            raise ConicSolverError(f"the conic relaxation was not solved: the solver reports {raw.status}")
        with warnings.catch_warnings():
            # an inaccurate solution is reported as status
            warnings.simplefilter("ignore", UserWarning)
            self.problem.unpack_results(raw, chain, inverse)
        upper = np.zeros(len(data["c"]))
        for variable, column in data["param_prob"].var_id_to_col.items():
            limit = self._limits[variable]
            upper[column : column + len(limit)] = limit
        bound = -self.units.money * safe_bound(data, np.array(raw.z), upper)
        return ConicSolution(
            value=bound,
            objective=float(self.problem.value) * self.units.money,
            status={"Solved": "optimal", "AlmostSolved": "inaccurate"}[str(raw.status)],
            duals={name: self._dual(row) for name, row in self.rows.items()},
            flows={name: self.column_units[name] * c.value for name, c in self.columns.items()},
            seconds={"build": self.build_seconds, "solve": time.perf_counter() - started},
            iterations=int(raw.iterations),
        )

    def _dual(self, row: _Row) -> Floats:
        dual = np.full(row.kept.shape, np.nan)
        dual[row.kept] = np.asarray(row.constraint.dual_value) * self.units.money / row.unit
        return dual


def conic_model(inst: Instance) -> ConicModel:
    """The conic relaxation of an instance."""
    return ConicModel(inst)


def pick(expression: Any, kept: Bools) -> Any:
    """The kept entries of a matrix expression, in row order."""
    flat = cp.reshape(expression, (kept.size,), order="C")
    index = np.flatnonzero(kept.ravel())
    place = (np.arange(len(index)), index)
    return csr_array((np.ones(len(index)), place), shape=(len(index), kept.size)) @ flat


def _times(rows: Ints, n_rows: int, weights: Any, expression: Any) -> Any:
    """Σ of weighted rows of a (members, slots) expression, collected into ``n_rows``."""
    n, slots = expression.shape
    if n == 0:
        return cp.Constant(np.zeros((n_rows, slots)))
    entries = np.broadcast_to(np.asarray(weights, dtype=float), (n,))
    return csr_array((entries, (rows, np.arange(n))), shape=(n_rows, n)) @ expression


def _total(weights: Floats, expression: Any) -> Any:
    """Σ weights·expression; weights (members,) or (members, slots)."""
    if 0 in expression.shape:
        return cp.Constant(0.0)
    return cp.sum(cp.multiply(weights if weights.ndim == 2 else weights[:, None], expression))


def _before(expression: Any, start: Floats) -> Any:
    """The value one slot earlier, ``start`` (members,) before the first."""
    if expression.shape[1] == 1:
        return cp.Constant(start[:, None])
    return cp.hstack([start[:, None], expression[:, :-1]])


def _jobs(m: ConicModel, at: Members) -> None:
    """FIFO queues, jobs and steps of groups, GPU time, links: as in :mod:`.pyomo_model`."""
    a, g, u = m.a, m.groups, m.units
    n, k = len(a.sites), len(a.classes)
    limit = a.waiting_limit()
    present = np.concatenate([np.zeros((n, k, 1)), limit[:, :, :-1]], axis=2) + a.arrivals
    most = (a.gpus * a.seconds_per_gpu)[g.site]
    fits = np.divide(most, g.seconds_low, out=np.full(len(g), np.inf), where=g.seconds_low > 0)
    m.job_limit = np.minimum(present.sum(axis=0)[g.job_class], fits[:, None])
    wide = np.array([envelope.high > envelope.low for envelope in g.envelopes], dtype=bool)[:, None]
    gpus = np.broadcast_to(a.gpus[:, None].astype(float), (n, a.n_slots))
    here = present.reshape(n * k, -1)

    transfers = m.column("transfers", present[at.origin, at.moved_class], u.jobs)
    lost = m.column("lost", here, u.jobs)
    waiting = m.column("waiting", limit.reshape(n * k, -1), u.jobs, limit="waiting_limit")
    jobs = m.column("jobs", m.job_limit, u.jobs)
    extra = m.column("extra", np.where(wide, m.job_limit, 0.0), u.jobs)
    gpus_on = m.column("gpus_on", gpus, u.gpus, limit="gpu_count")
    m.at_most("steps", extra - jobs, wide & (m.job_limit > 0), u.jobs)

    sent = _times(at.origin * k + at.moved_class, n * k, 1.0, transfers)
    left = waiting + lost + sent - _before(waiting, np.zeros(n * k))
    m.equal("waiting_balance", left - a.arrivals.reshape(n * k, -1) / u.jobs, here > 0, u.jobs)

    run = _times(g.site * k + g.job_class, n * k, 1.0, jobs)
    received = _times(at.target * k + at.moved_class, n * k, 1.0, transfers)
    m.equal(
        "assignment",
        run - received,
        a.served().reshape(-1, 1) & (np.tile(present.sum(axis=0), (n, 1)) > 0),
        u.jobs,
    )

    scale = u.jobs / u.seconds
    used = _times(g.site, n, g.seconds_low * scale, jobs) + _times(g.site, n, g.seconds_rise * scale, extra)
    given = cp.multiply((a.seconds_per_gpu * u.gpus / u.seconds)[:, None], gpus_on)
    m.at_most("gpu_time", used - given, gpus > 0, u.seconds)

    gigabytes = a.payload_gb[at.moved_class] * u.jobs
    unit = power_of_two(gigabytes)
    load = _times(at.origin * n + at.target, n * n, gigabytes / unit, transfers)
    capacity = (a.link_gb_per_hour * a.slot_hours).reshape(-1, 1)
    used_links = np.zeros((n * n, a.n_slots), dtype=bool)
    np.logical_or.at(
        used_links, at.origin * n + at.target, present[at.origin, at.moved_class] * gigabytes[:, None] > 0
    )
    limited = np.isfinite(capacity)
    m.at_most("link", load - np.where(limited, capacity, 0.0) / unit, limited & used_links, unit)

    money = u.jobs / u.money
    m.terms["revenue"] = _total(g.revenue_low * money, jobs) + _total(g.revenue_rise * money, extra)
    m.terms["transfer"] = _total(a.transfer_cost[at.origin, at.target] * gigabytes / u.money, transfers)
    m.terms["miss_penalty"] = _total(np.tile(a.miss_penalty, n) * money, lost)


def _quality(m: ConicModel) -> None:
    """Q ≤ N·q̂(S/N), with N + r·X = S/s_min, r = s_max/s_min − 1, and for the curve's formula or its cuts

    exponential  Q ≤ c·N − σ·N·exp(−ρ·X/N),    σ = span·exp(−rate·s_min), ρ = rate·(s_max − s_min)
    power        Q ≤ c·N − σ·N·(1 + r·X/N)^(−rate),   σ = span·s_min^(−rate)
    logarithmic  Q ≤ o·N + gain·N·ln(1 + r·X/N),      o = offset + gain·ln(s_min)
    cuts         Q ≤ (a + b·s_min)·N + b·(s_max − s_min)·X
    """
    g, u = m.groups, m.units
    jobs, extra, possible = m.columns["jobs"], m.columns["extra"], m.job_limit > 0
    priced = g.quality_price > 0
    affine = np.array([envelope.affine for envelope in g.envelopes], dtype=bool)
    curved = priced & ~affine
    above = m.column("quality_above_floor", np.where(curved[:, None], m.job_limit, 0.0), u.jobs)
    # one cut says it all: it holds with equality
    cuts = [(e, n, i) for n, e in enumerate(g.envelopes) for i in range(len(e.slopes)) if priced[n]]
    group = np.array([n for _, n, _ in cuts], dtype=np.int64)
    at_low = np.array([e.intercepts[i] + e.slopes[i] * e.low for e, _, i in cuts])
    rise = np.array([e.slopes[i] * (e.high - e.low) for e, _, i in cuts])
    single = affine[group]
    by_low, by_rise = np.where(curved, g.quality_floor, 0.0), np.zeros(len(g))
    by_low[group[single]], by_rise[group[single]] = at_low[single], rise[single]
    everything = np.arange(len(g))
    quality = _times(everything, len(g), by_low, jobs) + _times(everything, len(g), by_rise, extra) + above
    m.columns["quality"], m.column_units["quality"] = quality, u.jobs
    m.terms["revenue"] += _total(g.quality_price * u.jobs / u.money, quality)

    several = np.flatnonzero(~single)
    rows = group[several]
    if len(rows):
        bound = cp.multiply(at_low[several, None], jobs[rows]) + cp.multiply(rise[several, None], extra[rows])
        m.unnamed.append(pick(quality[rows] - bound, possible[rows]) <= 0)
    for n in np.flatnonzero(curved & possible.any(axis=1)):
        formula = g.envelopes[n].formula
        if formula is not None:
            m.unnamed.append(
                _cone(formula, g.envelopes[n], *(pick(x[[n]], possible[[n]]) for x in (jobs, extra, quality)))
            )


def _cone(formula: SmoothConcave, range_: Envelope, jobs: Any, extra: Any, quality: Any) -> Any:
    """Q ≤ N·q(S/N) for one group, entry by entry; see :func:`_quality`."""
    low, high = range_.low, range_.high
    steps = jobs + (high / low - 1) * extra
    match formula:
        case Exponential(ceiling=ceiling, span=span, rate=rate):
            fall = (ceiling * jobs - quality) / (span * np.exp(-rate * low))
            return cp.ExpCone(-rate * (high - low) * extra, jobs, fall)
        case Power(ceiling=ceiling, span=span, rate=rate):
            fall = (ceiling * jobs - quality) / (span * low**-rate)
            return cp.PowCone3D(fall, steps, jobs, 1 / (1 + rate))
        case Logarithmic(offset=offset, gain=gain):
            return cp.ExpCone((quality - (offset + gain * np.log(low)) * jobs) / gain, jobs, steps)


def _power(m: ConicModel, at: Members) -> None:
    """IT power, grid and renewables, peak import: ``it_power`` and ``_grid`` of :mod:`.pyomo_model`."""
    a, g, u = m.a, m.groups, m.units
    n, money = len(a.sites), u.mwh / u.money
    top = np.zeros((n, a.n_slots))
    np.add.at(top, g.site, (g.energy_low + g.energy_rise)[:, None] * m.job_limit / a.slot_hours)
    top += (a.gpu_idle_mw * a.gpus)[:, None]
    it_mw = m.column("it_mw", top, u.mw)
    whole = np.ones((n, a.n_slots))
    taken = a.export_limit_mw + a.battery_power_mw + a.cooling_max_mw
    use: dict[str, Any] = {"per": u.mwh, "implied": a.pue * top + taken[:, None]}
    imported = m.column("import_mw", a.import_limit_mw[:, None] * whole, u.mw, limit="import_limit", **use)
    exported = m.column(
        "export_mw", a.export_limit_mw[:, None] * whole, u.mw, limit="export_limit", per=u.mwh
    )
    m.column("renewable_mw", a.renewable_mw, u.mw, limit="renewable_limit", **use)
    scale = u.jobs / u.mwh
    busy = _times(g.site, n, g.energy_low * scale, m.columns["jobs"])
    busy += _times(g.site, n, g.energy_rise * scale, m.columns["extra"])
    idle = cp.multiply((a.gpu_idle_mw * u.gpus / u.mw)[:, None], m.columns["gpus_on"])
    m.equal("it_power", busy + idle - it_mw, top > 0, u.mwh)

    so_far = a.state.peak_mw[at.peaks]
    higher = np.maximum(a.import_limit_mw[at.peaks] - so_far, 0.0)
    m.terms["import"] = _total(a.import_price * money, imported)
    m.terms["export"] = _total(a.export_price * money, exported)
    m.terms["carbon"] = _total(a.carbon_price / 1000 * a.carbon_kg_per_mwh * money, imported)
    if len(at.peaks):
        above = m.column("peak_above_so_far_mw", higher[:, None], u.mw)
        excess = imported[at.peaks] - above @ np.ones((1, a.n_slots)) - so_far[:, None] / u.mw
        m.at_most("peak", excess, (higher[:, None] > 0) & (whole[at.peaks] > 0), u.mw)
        m.terms["demand"] = _total(a.demand_charge[at.peaks] * u.mw / u.money, above)


def _storage(a: InstanceArrays) -> Ints:
    return np.flatnonzero(a.battery & (a.battery_power_mw > 0))


def _engines(a: InstanceArrays) -> Ints:
    return np.flatnonzero(a.generator & (a.generator_max_mw > 0))


def _battery(m: ConicModel) -> None:
    """Energy content above its minimum; c/P + d/P ≤ 1, the relaxation of one direction per slot."""
    a, u = m.a, m.units
    j = _storage(a)
    if not len(j):
        return
    whole = np.ones((len(j), a.n_slots))
    power = a.battery_power_mw[j, None] * whole
    room = (a.energy_max_mwh - a.energy_min_mwh)[j, None] * whole
    charge = m.column("charge_mw", power, u.mw)
    discharge = m.column("discharge_mw", power, u.mw)
    content = m.column("energy_above_minimum_mwh", room, u.mwh, limit="energy_limit")
    gap = np.maximum(a.energy_reference_mwh - a.energy_min_mwh, 0.0)[j, None]
    missing = m.column("energy_missing_mwh", gap, u.mwh)
    start = (a.state.energy_mwh - a.energy_min_mwh)[j] / u.mwh
    stored = cp.multiply(a.charge_efficiency[j, None] * whole, charge)
    drawn = cp.multiply(1 / a.discharge_efficiency[j, None] * whole, discharge)
    m.equal("state_of_charge", content - _before(content, start) - stored + drawn, whole > 0, u.mwh)
    m.at_most("battery_power", charge + discharge - power / u.mw, whole > 0, u.mwh)
    m.at_most("terminal_energy", gap / u.mwh - missing - content[:, -1:], gap > 0, u.mwh)
    m.terms["wear"] = _total(a.wear_cost[j] * u.mwh / u.money, discharge)
    m.terms["terminal"] = _total(a.terminal_price[j] * u.mwh / u.money, missing)


def _generator(m: ConicModel) -> None:
    """min·on ≤ p ≤ max·on, start ≥ on − on before, with on and start between 0 and 1."""
    a, u = m.a, m.units
    j = _engines(a)
    if not len(j):
        return
    whole = np.ones((len(j), a.n_slots))
    power = m.column("generator_mw", a.generator_max_mw[j, None] * whole, u.mw)
    on = m.column("generator_on", whole, 1.0, limit="generator_on_limit")
    start = m.column("generator_start", whole, 1.0)
    highest, lowest = (v[j, None] / u.mw * whole for v in (a.generator_max_mw, a.generator_min_mw))
    m.at_most("generator_maximum", power - cp.multiply(highest, on), whole > 0, u.mwh)
    m.at_most("generator_minimum", cp.multiply(lowest, on) - power, lowest > 0, u.mwh)
    was_on = a.state.generator_on[j].astype(float)
    m.at_most("generator_starting", on - _before(on, was_on) - start, whole > 0, 1.0)
    per_mwh = a.carbon_price / 1000 * a.generator_carbon[j]
    m.terms["fuel"] = _total(a.fuel_cost[j] * u.mwh / u.money, power)
    m.terms["fuel"] += _total(a.no_load_cost[j] * a.slot_hours / u.money, on)
    m.terms["carbon"] += _total(per_mwh * u.mwh / u.money, power)
    m.terms["startup"] = _total(a.startup_cost[j] / u.money, start)


def _cooling(m: ConicModel) -> None:
    """Room temperature above its minimum; duals in USD per °C of heat taken away."""
    a, u = m.a, m.units
    j = np.flatnonzero(a.thermal)
    if not len(j):
        return
    whole = np.ones((len(j), a.n_slots))
    per_mw = (a.slot_hours / a.heat_capacity[j])[:, None] * whole
    leak = per_mw * a.leak_mw_per_c[j, None]
    cooling = m.column(
        "cooling_mw", a.cooling_max_mw[j, None] * whole, u.mw, limit="cooling_limit", per=u.mwh
    )
    warmth = m.column("above_min_c", (a.max_c - a.min_c)[j, None] * whole, 1.0, limit="temperature_limit")
    top = np.maximum(a.max_c - a.temperature_reference_c, 0.0)[j, None]
    leftover = m.column("heat_leftover_c", top, 1.0)
    before = _before(warmth, (a.state.temperature_c - a.min_c)[j])
    heat = cp.multiply(per_mw * u.mw, m.columns["it_mw"][j] - cp.multiply(a.cop[j], cooling))
    free = cp.multiply(1 - leak, before) + heat + leak * (a.outside_c[j] - a.min_c[j, None])
    m.at_most("room_heat", free - warmth, whole > 0, 1.0)
    above = warmth[:, -1:] - (a.temperature_reference_c - a.min_c)[j, None] - leftover
    m.at_most("terminal_heat", above, np.ones((len(j), 1), dtype=bool), 1.0)
    charged = _total(a.terminal_heat_price[j] / u.money, leftover)
    m.terms["terminal"] = m.terms.get("terminal", 0.0) + charged


def _balance(m: ConicModel) -> None:
    """import + renewable + discharge + generator = pue·it + cooling + charge + export; dual in USD/MWh."""
    a, c = m.a, m.columns
    n = len(a.sites)
    use = cp.multiply(a.pue, c["it_mw"]) + c["export_mw"]
    supply = c["import_mw"] + c["renewable_mw"]
    if "charge_mw" in c:
        use += _times(_storage(a), n, 1.0, c["charge_mw"])
        supply += _times(_storage(a), n, 1.0, c["discharge_mw"])
    if "generator_mw" in c:
        supply += _times(_engines(a), n, 1.0, c["generator_mw"])
    if "cooling_mw" in c:
        use += _times(np.flatnonzero(a.thermal), n, 1.0, c["cooling_mw"])
    m.equal("power_balance", use - supply, np.ones((n, a.n_slots), dtype=bool), m.units.mwh)
