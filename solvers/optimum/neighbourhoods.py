"""Better schedules and bounds slot by slot, where whole jobs and GPUs are coarse.

*Primal*: free the columns of a few neighbouring slots, hold the rest of the incumbent, solve that small MIP.
*Dual*: price the rows that couple slots (queues, storage, rooms, commitment, peak) at the relaxation's duals;
what is left falls apart into one small MIP per slot, and the sum of their bounds bounds the whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import Block, LinearProblem

from ..highs.scaling import Scaling, scaling_of
from ..highs.session import HighsSession
from ..interface.deadline import Deadline
from ..planners.branching import branched

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Less time than this is not worth beginning the MIP of a slot.
_LEAST_SECONDS = 0.05
#: Linear models that the GPUs of a slot may take.
_NODES = 60


def columns_of_slots(p: LinearProblem, first: int, stop: int) -> Ints:
    """All columns of slots first .. stop−1, and those that belong to no slot."""
    parts = [
        block.ids if block.ids.ndim == 1 else block.ids[:, first:stop].ravel() for block in p.columns.values()
    ]
    return np.sort(np.concatenate(parts))


def improve(p: LinearProblem, x: Floats, free: Ints, *, gap_usd: float, time_limit: float | None) -> Floats:
    """The best point that differs from ``x`` in the ``free`` columns only; ``x`` itself if none is better."""
    sub, scaling = _restricted(p, x, free)
    session = HighsSession(sub, relaxed=False, scaling=scaling)
    session.start_from(x[free])
    outcome = session.solve(time_limit=time_limit, gap=0.0, gap_usd=gap_usd)
    if outcome.x is None:
        return x
    better = x.copy()
    better[free] = np.where(sub.integer, np.round(outcome.x), outcome.x)
    return better if p.cost @ better > p.cost @ x else x


def _restricted(p: LinearProblem, x: Floats, free: Ints) -> tuple[LinearProblem, Scaling]:
    whole = scaling_of(p)
    part = p.matrix[:, free]
    rows = np.unique(part.indices)
    held = x.copy()
    held[free] = 0.0
    used = (p.matrix @ held)[rows]
    sub = replace(
        p,
        matrix=part[rows].tocsc(),
        cost=p.cost[free],
        offset=float(p.offset + p.cost @ held),
        lower=p.lower[free],
        upper=p.upper[free],
        row_lower=p.row_lower[rows] - used,
        row_upper=p.row_upper[rows] - used,
        integer=p.integer[free],
    )
    return sub, Scaling(whole.column[free], whole.row[rows], whole.objective)


def windows_of(n_slots: int, length: int) -> Iterator[tuple[int, int]]:
    """Overlapping windows that cover the horizon; each starts half a length after the last."""
    step = max(1, length // 2)
    for first in range(0, max(1, n_slots - length + step), step):
        yield first, min(first + length, n_slots)


class PricedSlots:
    """The relaxation fallen apart into slots: rows that tie them dropped, at prices."""

    def __init__(self, p: LinearProblem, row_dual: Floats) -> None:
        self._p = p
        column_slot, row_slot = (
            _slots_of(blocks, size) for blocks, size in ((p.columns, len(p.cost)), (p.rows, len(p.row_lower)))
        )
        # an entry ties slots together where its column may move at all
        columns = np.repeat(np.arange(len(p.cost)), np.diff(p.matrix.indptr))
        rows = p.matrix.indices
        foreign = column_slot[columns] != row_slot[rows]
        coupling = np.zeros(len(p.row_lower), dtype=bool)
        coupling[rows[foreign & (p.lower < p.upper)[columns]]] = True
        self._held = np.bincount(
            rows[foreign], p.matrix.data[foreign] * p.lower[columns[foreign]], len(p.row_lower)
        )
        y = np.where(coupling, row_dual, 0.0)
        y = np.where((y > 0) & ~np.isfinite(p.row_upper), 0.0, y)
        y = np.where((y < 0) & ~np.isfinite(p.row_lower), 0.0, y)
        side = np.where(y > 0, p.row_upper, p.row_lower)
        self._cost = p.cost - p.matrix.T @ y
        free = column_slot < 0
        best = np.maximum(self._cost * p.lower, self._cost * p.upper)
        #: What the dropped rows and the columns of no slot add to the sum of the slots, USD.
        self.constant = p.offset + float((y[y != 0] * side[y != 0]).sum()) + float(best[free].sum())
        self._columns = _by_slot(column_slot)
        self._row_slot = np.where(coupling, -1, row_slot)
        self._scaling = scaling_of(p)

    def __len__(self) -> int:
        return len(self._columns)

    def slot(self, t: int) -> tuple[LinearProblem, Scaling, Ints]:
        """The problem of a slot alone, how to scale it, and which columns it has."""
        p, ids = self._p, self._columns[t]
        part = p.matrix[:, ids]
        rows = np.unique(part.indices[self._row_slot[part.indices] == t])
        problem = replace(
            p,
            matrix=part[rows].tocsc(),
            cost=self._cost[ids],
            offset=0.0,
            lower=p.lower[ids],
            upper=p.upper[ids],
            row_lower=p.row_lower[rows] - self._held[rows],
            row_upper=p.row_upper[rows] - self._held[rows],
            integer=p.integer[ids],
        )
        scaling = Scaling(self._scaling.column[ids], self._scaling.row[rows], self._scaling.objective)
        return problem, scaling, ids


def slotwise_bound(slots: PricedSlots, *, gap_usd: float, deadline: Deadline) -> float:
    """An upper bound (USD) on the whole-number maximum, at most that of the relaxation up to rounding.

    Slots that the time does not suffice for count with their bound so far, or with that of their relaxation.
    """
    total = slots.constant
    for t in range(len(slots)):
        problem, scaling, _ = slots.slot(t)
        left = deadline.left(1 / (len(slots) - t))
        # HiGHS looks at the clock only after the root of a MIP, which takes longer than this
        late = left is not None and left < _LEAST_SECONDS
        left = None if late else left
        session = HighsSession(problem, relaxed=late, scaling=scaling)
        outcome = session.solve(time_limit=left, gap=0.0, gap_usd=gap_usd / len(slots))
        if outcome.bound is None:
            return np.inf
        total += outcome.bound
    return total


def whole_by_slot(
    slots: PricedSlots, whole: Ints, x: Floats, *, gap_usd: float, deadline: Deadline
) -> tuple[float, Floats]:
    """A bound with the columns ``whole`` whole (jobs stay fluid), and ``x`` with their values there.

    Where the time does not suffice there is no bound, and ``x`` is rounded in the slots that are left.
    """
    must = np.zeros(len(x), dtype=bool)
    must[whole] = True
    total, chosen = slots.constant, np.where(must, np.round(x), x)
    session: HighsSession | None = None
    for t in range(len(slots)):
        if deadline.passed:
            return np.inf, chosen
        problem, scaling, ids = slots.slot(t)
        if session is None or not session.takes(problem):
            session = HighsSession(problem, relaxed=True, scaling=scaling)
        session.refresh(problem)
        held = np.flatnonzero(must[ids])
        bound, found = branched(session, held, gap_usd=gap_usd / len(slots), nodes=_NODES)
        total += bound
        if found is not None and found.x is not None:
            chosen[ids[held]] = np.round(found.x[held])
    return total, chosen


def _slots_of(blocks: dict[str, Block], size: int) -> Ints:
    """The slot of each column or row, −1 where it has none."""
    slot = np.full(size, -1)
    for block in blocks.values():
        if block.ids.ndim == 2:
            slot[block.ids] = np.arange(block.ids.shape[1])
    return slot


def _by_slot(column_slot: Ints) -> list[Ints]:
    order = np.argsort(column_slot, kind="stable")
    edges = np.searchsorted(column_slot[order], np.arange(column_slot.max(initial=-1) + 2))
    return [order[first:stop] for first, stop in itertools.pairwise(edges)]
