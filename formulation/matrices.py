"""The mixed-integer linear model of model.md as sparse matrices, written down straight from the arrays.

The same columns and rows, under the same names, as the Pyomo model (:mod:`.pyomo_model`), which is the
readable statement; a test proves that both are one matrix problem. Deadlines are stated by bounded waiting
variables (one per origin, class and slot) instead of cumulative rows: equivalent, and far sparser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .arrays import InstanceArrays
from .schedule import SITE_FLOWS, Schedule

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Labels = Callable[[], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Block:
    """Columns or rows of one name: ``ids`` has shape (members, slots) or (members,)."""

    name: str
    ids: Ints
    labels: Labels

    def names(self) -> list[str]:
        """One name per id, for example ``import_mw[a,3]``."""
        labels = self.labels()
        if self.ids.ndim == 1:
            return [f"{self.name}[{_joined(label)}]" for label in labels]
        return [f"{self.name}[{_joined((*label, t))}]" for label in labels for t in range(self.ids.shape[1])]


def _joined(parts: tuple[Any, ...]) -> str:
    return ",".join(str(part) for part in parts)


@dataclass(frozen=True)
class LinearProblem:
    """maximise cost·x + offset, row_lower ≤ A x ≤ row_upper, lower ≤ x ≤ upper, some x integer.

    ``columns`` and ``rows`` map names to blocks of indices. Members of a block: see :class:`Members`.
    """

    matrix: csc_array
    cost: Floats
    offset: float
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    integer: Bools
    columns: dict[str, Block]
    rows: dict[str, Block]
    members: Members
    varying: Ints  # positions in matrix.data of the entries that differ from slot to slot (PUE and COP)

    def ids(self, *names: str) -> Ints:
        """The columns of some blocks, one after the other."""
        return np.concatenate([self.columns[name].ids.ravel() for name in names])

    def column_names(self) -> list[str]:
        """One name per column."""
        return [name for block in self.columns.values() for name in block.names()]

    def row_names(self) -> list[str]:
        """One name per row."""
        return [name for block in self.rows.values() for name in block.names()]

    def schedule(self, a: InstanceArrays, x: Floats) -> Schedule:
        """The decisions in a solution vector; solver noise below zero is cut off."""
        n, k, t = len(a.sites), len(a.classes), a.n_slots
        at = self.members
        transfers = np.zeros((n, n, k, t))
        transfers[at.origin, at.target, at.moved_class] = x[self.columns["transfers"].ids]
        flows = {}
        for flow in SITE_FLOWS:
            values = np.zeros((n, t))
            values[at.of_flow(flow)] = x[self.columns[flow].ids]
            flows[flow] = np.maximum(values, 0.0)
        runs = np.maximum(x[self.columns["runs"].ids], 0.0)
        return Schedule(transfers=np.maximum(transfers, 0.0), runs=runs, **flows)

    def vector(self, a: InstanceArrays, s: Schedule) -> Floats:
        """The solution vector of a schedule's own decisions, zero elsewhere (for warm starts and tests)."""
        at = self.members
        x = np.zeros(len(self.cost))
        x[self.columns["transfers"].ids] = s.transfers[at.origin, at.target, at.moved_class]
        x[self.columns["runs"].ids] = s.runs
        for flow in SITE_FLOWS:
            x[self.columns[flow].ids] = getattr(s, flow)[at.of_flow(flow)]
        return x


@dataclass(frozen=True)
class Members:
    """Which origins, sites and classes the first axis of each block runs over."""

    origin: Ints  # of transfers
    target: Ints
    moved_class: Ints
    queue_origin: Ints  # of waiting and lost: every origin and class
    queue_class: Ints
    batteries: Ints
    generators: Ints
    rooms: Ints
    peaks: Ints  # sites with a demand charge
    links: tuple[Ints, Ints]
    all_sites: Ints

    def of_flow(self, flow: str) -> Ints:
        """The sites that a site flow exists at."""
        subset = {
            "charge_mw": self.batteries,
            "discharge_mw": self.batteries,
            "generator_mw": self.generators,
            "cooling_mw": self.rooms,
        }
        return subset.get(flow, self.all_sites)


def members_of(a: InstanceArrays) -> Members:
    """The sets of the model (model.md, "Sets and data")."""
    n, k = len(a.sites), len(a.classes)
    queue = np.ones((n, k), dtype=bool)
    served = a.served()
    origin, target, moved = np.nonzero(a.transfer_allowed[:, :, None] & served[None, :, :])
    limited = np.isfinite(a.link_gb_per_hour)
    return Members(
        origin=origin,
        target=target,
        moved_class=moved,
        queue_origin=np.nonzero(queue)[0],
        queue_class=np.nonzero(queue)[1],
        batteries=np.flatnonzero(a.battery),
        generators=np.flatnonzero(a.generator),
        rooms=np.flatnonzero(a.thermal),
        peaks=np.flatnonzero(a.demand_charge > 0),
        links=(np.nonzero(limited)[0], np.nonzero(limited)[1]),
        all_sites=np.arange(n),
    )


class _Builder:
    """Collects columns, rows and entries; indices are handed out as arrays."""

    def __init__(self, n_slots: int, like: LinearProblem | None) -> None:
        self.n_slots = n_slots
        self._like = like
        self.columns: dict[str, Block] = {}
        self.rows: dict[str, Block] = {}
        self._column_data: list[tuple[Floats, Floats, Floats, Bools]] = []
        self._row_data: list[tuple[Floats, Floats]] = []
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self._varying: list[tuple[Ints, Ints, Floats]] = []
        self._n_columns = self._n_rows = 0

    def add_columns(
        self,
        name: str,
        labels: Labels,
        count: int,
        *,
        upper: Any,
        lower: Any = 0.0,
        cost: Any = 0.0,
        integer: bool = False,
        per_slot: bool = True,
    ) -> Ints:
        shape = (count, self.n_slots) if per_slot else (count,)
        size = count * self.n_slots if per_slot else count
        ids = np.arange(self._n_columns, self._n_columns + size).reshape(shape)
        self._n_columns += size
        self.columns[name] = Block(name, ids, labels)
        spread = [np.broadcast_to(np.asarray(v, dtype=float), shape).ravel() for v in (lower, upper, cost)]
        self._column_data.append((spread[0], spread[1], spread[2], np.full(size, integer)))
        return ids

    def add_rows(
        self,
        name: str,
        labels: Labels,
        count: int,
        *,
        lower: Any = -np.inf,
        upper: Any = np.inf,
        per_slot: bool = True,
    ) -> Ints:
        shape = (count, self.n_slots) if per_slot else (count,)
        size = count * self.n_slots if per_slot else count
        ids = np.arange(self._n_rows, self._n_rows + size).reshape(shape)
        self._n_rows += size
        self.rows[name] = Block(name, ids, labels)
        self._row_data.append(
            (
                np.broadcast_to(np.asarray(lower, dtype=float), shape).ravel(),
                np.broadcast_to(np.asarray(upper, dtype=float), shape).ravel(),
            )
        )
        return ids

    def put(self, rows: Ints, columns: Ints, values: Any, *, varying: bool = False) -> None:
        """Entries at (rows, columns), all of one shape after broadcasting.

        ``varying`` entries differ from slot to slot; the others are the same in every window of a horizon.
        """
        if self._like is not None and not varying:
            return
        r, c, v = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=float))
        (self._varying if varying else self._entries).append((r.ravel(), c.ravel(), v.ravel()))

    def _matrix(self) -> tuple[csc_array, Ints]:
        from scipy.sparse import coo_array

        parts = self._varying or [(np.empty(0, dtype=np.int64),) * 2 + (np.empty(0),)]
        v_rows, v_columns, v_values = (np.concatenate(part) for part in zip(*parts, strict=True))
        if self._like is not None:
            matrix = self._like.matrix.copy()
            matrix.data[self._like.varying] = v_values
            return matrix, self._like.varying
        rows, columns, values = (
            np.concatenate([*part, varying])
            for part, varying in zip(
                zip(*self._entries, strict=True), (v_rows, v_columns, v_values), strict=True
            )
        )
        keep = values != 0
        shape = (self._n_rows, self._n_columns)
        matrix = coo_array((values[keep], (rows[keep], columns[keep])), shape=shape).tocsc()
        matrix.sort_indices()
        # entries of a column lie by row, so (column, row) pairs are sorted
        key = np.repeat(np.arange(shape[1]), np.diff(matrix.indptr)) * shape[0] + matrix.indices
        return matrix, np.searchsorted(key, v_columns * shape[0] + v_rows)

    def problem(self, members: Members, offset: float) -> LinearProblem:
        matrix, varying = self._matrix()
        lower, upper, cost, integer = (np.concatenate(part) for part in zip(*self._column_data, strict=True))
        row_lower, row_upper = (np.concatenate(part) for part in zip(*self._row_data, strict=True))
        return LinearProblem(
            matrix=matrix,
            cost=cost,
            offset=offset,
            lower=lower,
            upper=upper,
            row_lower=row_lower,
            row_upper=row_upper,
            integer=integer,
            columns=self.columns,
            rows=self.rows,
            members=members,
            varying=varying,
        )


def linear_problem(a: InstanceArrays, like: LinearProblem | None = None) -> LinearProblem:
    """The matrices of the model, every column with finite bounds.

    ``like``: the problem of another window of the same horizon and length, whose structure is reused.
    """
    at = members_of(a)
    b = _Builder(a.n_slots, like)
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


def _jobs(b: _Builder, a: InstanceArrays, at: Members) -> tuple[Ints, Ints]:
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


def _it_power(b: _Builder, a: InstanceArrays, runs: Ints, gpus_on: Ints) -> Ints:
    o, sites = a.options, _labels(a.sites, np.arange(len(a.sites)))
    it_mw = b.add_columns("it_mw", sites, len(a.sites), upper=a.most_it_mw[:, None])
    rows = b.add_rows("it_power", sites, len(a.sites), lower=0.0, upper=0.0)
    b.put(rows, it_mw, 1.0)
    b.put(rows[o.site], runs, -(o.energy_mwh / a.slot_hours)[:, None])
    b.put(rows, gpus_on, -a.gpu_idle_mw[:, None])
    return it_mw


def _grid(b: _Builder, a: InstanceArrays, at: Members) -> dict[str, Ints]:
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
    rows = b.add_rows("peak", peaks, len(at.peaks), upper=0.0)
    b.put(rows, flows["import_mw"][at.peaks], 1.0)
    b.put(rows, peak[:, None], -1.0)
    return flows


def _battery(b: _Builder, a: InstanceArrays, at: Members) -> tuple[Ints, Ints]:
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


def _generator(b: _Builder, a: InstanceArrays, at: Members) -> Ints:
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


def _cooling(b: _Builder, a: InstanceArrays, at: Members, it_mw: Ints) -> Ints:
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
