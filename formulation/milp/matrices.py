"""The mixed-integer linear model of model.md as sparse matrices, written down straight from the arrays.

The same columns and rows, under the same names, as the Pyomo model (:mod:`.pyomo_model`), which is the
readable statement; a test proves that both are one matrix problem. Deadlines are stated by bounded waiting
variables (one per origin, class and slot) instead of cumulative rows: equivalent, and far sparser.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from .builder import Builder
from .linear_problem import Labels, LinearProblem, Members, members_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def linear_problem(a: InstanceArrays, like: LinearProblem | None = None) -> LinearProblem:
    """The matrices of the model, every column with finite bounds.

    ``like``: the problem of another window of the same horizon and length, whose structure is reused.
    """
    at = members_of(a) if like is None else like.members
    b = Builder(a.n_slots, like)
    runs, gpus_on = _jobs(b, a, at)
    it_mw = _it_power(b, a, runs, gpus_on)
    flows = _grid(b, a, at)
    charge, discharge = _battery(b, a, at)
    generator_mw = _generator(b, a, at)
    cooling_mw = _cooling(b, a, at, it_mw)
    balance = b.add_rows("power_balance", _labels(a.sites, at.all_sites), len(a.sites), lower=0, upper=0)
    b.put(balance, flows["import_mw"], 1.0)
    b.put(balance, flows["renewable_mw"], 1.0)
    b.put(balance, flows["export_mw"], -1.0)
    b.put(balance, it_mw, -a.pue, varying=True)
    b.put(balance[at.batteries], discharge, 1.0)
    b.put(balance[at.batteries], charge, -1.0)
    b.put(balance[at.generators], generator_mw, 1.0)
    b.put(balance[at.rooms], cooling_mw, -1.0)
    return b.problem(at, offset=float(a.demand_charge @ a.state.peak_mw))


def _labels(names: Sequence[str], *members: Ints) -> Labels:
    return lambda: [tuple(names[i] for i in entry) for entry in zip(*members, strict=True)]


def _job_labels(a: InstanceArrays, sites: Sequence[Ints], classes: Ints) -> Labels:
    return lambda: [
        (*(a.sites[i] for i in entry[:-1]), a.classes[entry[-1]])
        for entry in zip(*sites, classes, strict=True)
    ]


def _option_labels(a: InstanceArrays) -> list[tuple[Any, ...]]:
    o = a.options
    return [
        (a.sites[j], a.classes[k], a.models[m], int(s), a.clocks[j][f])
        for j, k, m, s, f in zip(o.site, o.job_class, o.model, o.steps, o.clock, strict=True)
    ]


def _jobs(b: Builder, a: InstanceArrays, at: Members) -> tuple[Ints, Ints]:
    """Transfers, runs, queues, GPU time and links."""
    o, n = a.options, len(a.sites)
    limit = a.waiting_limit()
    before = np.concatenate([a.state.backlog.sum(axis=2)[:, :, None], limit[:, :, :-1]], axis=2)
    present = before + a.arrivals  # jobs that can be there in the slot at all
    queue_limit = present[at.queue_origin, at.queue_class]
    payload = a.payload_gb[at.moved_class]
    transfers = b.add_columns(
        "transfers",
        _job_labels(a, (at.origin, at.target), at.moved_class),
        len(at.origin),
        upper=present[at.origin, at.moved_class],
        cost=-(a.transfer_cost[at.origin, at.target] * payload)[:, None],
        integer=a.integral_jobs,
    )
    most = a.gpus[o.site] * a.seconds_per_gpu[o.site]
    fits = np.divide(most, o.seconds, out=np.full(len(o), np.inf), where=o.seconds > 0)
    coming = present.sum(axis=0)[o.job_class]
    runs = b.add_columns(
        "runs",
        lambda: _option_labels(a),
        len(o),
        upper=np.minimum(coming, fits[:, None]),
        cost=o.revenue[:, None],
        integer=a.integral_jobs,
    )
    queue_labels = _job_labels(a, (at.queue_origin,), at.queue_class)
    lost = b.add_columns(
        "lost",
        queue_labels,
        len(at.queue_origin),
        upper=queue_limit,
        cost=-a.miss_penalty[at.queue_class][:, None],
        integer=a.integral_jobs,
    )
    waiting = b.add_columns(
        "waiting",
        queue_labels,
        len(at.queue_origin),
        upper=limit[at.queue_origin, at.queue_class],
    )
    gpus_on = b.add_columns(
        "gpus_on", _labels(a.sites, at.all_sites), n, upper=a.gpus[:, None], integer=a.integral_jobs
    )

    coming_in = a.arrivals[at.queue_origin, at.queue_class].copy()
    coming_in[:, 0] += a.state.backlog.sum(axis=2)[at.queue_origin, at.queue_class]
    rows = b.add_rows("waiting_balance", queue_labels, len(at.queue_origin), lower=coming_in, upper=coming_in)
    number = np.zeros((n, len(a.classes)), dtype=np.int64)
    number[at.queue_origin, at.queue_class] = np.arange(len(at.queue_origin))
    b.put(rows, waiting, 1.0)
    b.put(rows[:, 1:], waiting[:, :-1], -1.0)
    b.put(rows, lost, 1.0)
    b.put(rows[number[at.origin, at.moved_class]], transfers, 1.0)

    served = a.served()
    at_site, of_class = np.nonzero(served)
    number[at_site, of_class] = np.arange(len(at_site))
    rows = b.add_rows("assignment", _job_labels(a, (at_site,), of_class), len(at_site), lower=0.0, upper=0.0)
    b.put(rows[number[o.site, o.job_class]], runs, 1.0)
    b.put(rows[number[at.target, at.moved_class]], transfers, -1.0)

    rows = b.add_rows("gpu_time", _labels(a.sites, at.all_sites), n, upper=0.0)
    b.put(rows[o.site], runs, o.seconds[:, None])
    b.put(rows, gpus_on, -a.seconds_per_gpu[:, None])

    origins, targets = at.links
    capacity = (a.link_gb_per_hour[at.links] * a.slot_hours)[:, None]
    rows = b.add_rows("link", _labels(a.sites, origins, targets), len(origins), upper=capacity)
    link_number = np.full((n, n), -1)
    link_number[at.links] = np.arange(len(origins))
    linked = link_number[at.origin, at.target]
    used = linked >= 0
    b.put(rows[linked[used]], transfers[used], payload[used][:, None])
    return runs, gpus_on


def _it_power(b: Builder, a: InstanceArrays, runs: Ints, gpus_on: Ints) -> Ints:
    o, sites = a.options, _labels(a.sites, np.arange(len(a.sites)))
    it_mw = b.add_columns("it_mw", sites, len(a.sites), upper=a.most_it_mw[:, None])
    rows = b.add_rows("it_power", sites, len(a.sites), lower=0.0, upper=0.0)
    b.put(rows, it_mw, 1.0)
    b.put(rows[o.site], runs, -(o.energy_mwh / a.slot_hours)[:, None])
    b.put(rows, gpus_on, -a.gpu_idle_mw[:, None])
    return it_mw


def _grid(b: Builder, a: InstanceArrays, at: Members) -> dict[str, Ints]:
    n, dt, sites = len(a.sites), a.slot_hours, _labels(a.sites, at.all_sites)
    flows = {
        "import_mw": b.add_columns(
            "import_mw", sites, n, upper=a.import_limit_mw[:, None], cost=-a.import_cost * dt
        ),
        "export_mw": b.add_columns(
            "export_mw", sites, n, upper=a.export_limit_mw[:, None], cost=a.export_price * dt
        ),
        "renewable_mw": b.add_columns("renewable_mw", sites, n, upper=a.renewable_mw),
    }
    peaks = _labels(a.sites, at.peaks)
    peak = b.add_columns(
        "peak_mw",
        peaks,
        len(at.peaks),
        lower=a.state.peak_mw[at.peaks],
        upper=np.maximum(a.state.peak_mw, a.import_limit_mw)[at.peaks],
        cost=-a.demand_charge[at.peaks],
        per_slot=False,
    )
    metered = _metering(b, a, at, flows["import_mw"])
    rows = b.add_rows("peak", peaks, len(at.peaks), upper=0.0)
    averaged = np.isin(at.peaks, at.meters)
    b.put(rows[~averaged], flows["import_mw"][at.peaks[~averaged]], 1.0)
    b.put(rows[averaged], metered, 1.0)
    b.put(rows, peak[:, None], -1.0)
    _either_way(b, a, at, flows)
    return flows


def _metering(b: Builder, a: InstanceArrays, at: Members, import_mw: Ints) -> Ints:
    """What the slots of a metering interval have added to its mean by each of them."""
    j = at.meters
    sites, n = _labels(a.sites, j), len(j)
    metered = b.add_columns("metered_mw", sites, n, upper=a.import_limit_mw[j][:, None])
    goes_on = a.meter_goes_on[j].astype(float)
    before = np.zeros((n, a.n_slots))
    before[:, 0] = goes_on[:, 0] * a.state.metered_mw[j]
    rows = b.add_rows("metering", sites, n, lower=before, upper=before)
    b.put(rows, metered, 1.0)
    b.put(rows[:, 1:], metered[:, :-1], -goes_on[:, 1:], varying=True)
    b.put(rows, import_mw[j], -a.meter_share[j], varying=True)
    return metered


def _either_way(b: Builder, a: InstanceArrays, at: Members, flows: dict[str, Ints]) -> None:
    """Import or export, not both, in the slots where export pays more than import costs."""
    j = at.feeds_in
    sites, n = _labels(a.sites, j), len(j)
    importing = b.add_columns("importing", sites, n, upper=1.0, integer=True)
    most_in, most_out = a.import_limit_mw[j][:, None], a.export_limit_mw[j][:, None]
    both = ~a.either_way[j]
    rows = b.add_rows("import_mode", sites, n, upper=np.where(both, most_in, 0.0))
    b.put(rows, flows["import_mw"][j], 1.0)
    b.put(rows, importing, -most_in)
    rows = b.add_rows("export_mode", sites, n, upper=np.where(both, 2 * most_out, most_out))
    b.put(rows, flows["export_mw"][j], 1.0)
    b.put(rows, importing, most_out)


def _battery(b: Builder, a: InstanceArrays, at: Members) -> tuple[Ints, Ints]:
    j, dt = at.batteries, a.slot_hours
    sites, n = _labels(a.sites, j), len(at.batteries)
    power = a.battery_power_mw[j][:, None]
    charge = b.add_columns("charge_mw", sites, n, upper=power)
    discharge = b.add_columns("discharge_mw", sites, n, upper=power, cost=-a.wear_cost[j][:, None] * dt)
    charging = b.add_columns("charging", sites, n, upper=1.0, integer=True)
    energy = b.add_columns(
        "energy_mwh", sites, n, lower=a.energy_min_mwh[j][:, None], upper=a.energy_max_mwh[j][:, None]
    )
    missing = b.add_columns(
        "energy_missing_mwh",
        sites,
        n,
        upper=np.maximum(a.energy_reference_mwh - a.energy_min_mwh, 0.0)[j],
        cost=-a.terminal_price[j],
        per_slot=False,
    )
    start = np.zeros((n, a.n_slots))
    start[:, 0] = a.state.energy_mwh[j]
    rows = b.add_rows("state_of_charge", sites, n, lower=start, upper=start)
    b.put(rows, energy, 1.0)
    b.put(rows[:, 1:], energy[:, :-1], -1.0)
    b.put(rows, charge, -dt * a.charge_efficiency[j][:, None])
    b.put(rows, discharge, dt / a.discharge_efficiency[j][:, None])
    rows = b.add_rows("charge_mode", sites, n, upper=0.0)
    b.put(rows, charge, 1.0)
    b.put(rows, charging, -power)
    rows = b.add_rows("discharge_mode", sites, n, upper=power)
    b.put(rows, discharge, 1.0)
    b.put(rows, charging, power)
    rows = b.add_rows("terminal_energy", sites, n, lower=a.energy_reference_mwh[j], per_slot=False)
    b.put(rows, missing, 1.0)
    b.put(rows, energy[:, -1], 1.0)
    return charge, discharge


def _generator(b: Builder, a: InstanceArrays, at: Members) -> Ints:
    j, dt = at.generators, a.slot_hours
    sites, n = _labels(a.sites, j), len(at.generators)
    most = a.generator_max_mw[j][:, None]
    power = b.add_columns("generator_mw", sites, n, upper=most, cost=-a.generator_cost[j][:, None] * dt)
    on = b.add_columns(
        "generator_on", sites, n, upper=1.0, cost=-a.no_load_cost[j][:, None] * dt, integer=True
    )
    start = b.add_columns("generator_start", sites, n, upper=1.0, cost=-a.startup_cost[j][:, None])
    rows = b.add_rows("generator_maximum", sites, n, upper=0.0)
    b.put(rows, power, 1.0)
    b.put(rows, on, -most)
    rows = b.add_rows("generator_minimum", sites, n, lower=0.0)
    b.put(rows, power, 1.0)
    b.put(rows, on, -a.generator_min_mw[j][:, None])
    was_on = np.zeros((n, a.n_slots))
    was_on[:, 0] = a.state.generator_on[j]
    rows = b.add_rows("generator_starting", sites, n, upper=was_on)
    b.put(rows, on, 1.0)
    b.put(rows[:, 1:], on[:, :-1], -1.0)
    b.put(rows, start, -1.0)
    return power


def _cooling(b: Builder, a: InstanceArrays, at: Members, it_mw: Ints) -> Ints:
    j = at.rooms
    sites, n = _labels(a.sites, j), len(at.rooms)
    per_mw = (a.slot_hours / a.heat_capacity[j])[:, None]
    leak = per_mw * a.leak_mw_per_c[j][:, None]
    cooling = b.add_columns("cooling_mw", sites, n, upper=a.cooling_max_mw[j][:, None])
    temperature = b.add_columns(
        "temperature_c", sites, n, lower=a.min_c[j][:, None], upper=a.max_c[j][:, None]
    )
    leftover = b.add_columns(
        "heat_leftover_c",
        sites,
        n,
        upper=np.maximum(a.max_c - a.temperature_reference_c, 0.0)[j],
        cost=-a.terminal_heat_price[j],
        per_slot=False,
    )
    inflow = leak * a.outside_c[j]
    inflow[:, 0] += (1 - leak[:, 0]) * a.state.temperature_c[j]
    rows = b.add_rows("room_heat", sites, n, lower=inflow)
    b.put(rows, temperature, 1.0)
    b.put(rows[:, 1:], temperature[:, :-1], leak - 1)
    b.put(rows, it_mw[j], -per_mw)
    b.put(rows, cooling, per_mw * a.cop[j], varying=True)
    rows = b.add_rows("terminal_heat", sites, n, lower=-a.temperature_reference_c[j], per_slot=False)
    b.put(rows, leftover, 1.0)
    b.put(rows, temperature[:, -1], -1.0)
    return cooling
