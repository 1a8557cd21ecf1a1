"""A mixed-integer linear problem whose columns and rows come in named blocks, and the builder of one.

Blocks carry the names of the Pyomo model's variables and constraints; their second axis, if any, is slots.
"""

from __future__ import annotations

from collections.abc import Callable
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


class Builder:
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
