"""Better schedules and bounds slot by slot, where whole jobs and GPUs are coarse.

*Primal*: free the columns of a few neighbouring slots, hold the rest of the incumbent, solve that small MIP.
*Dual*: price the rows that couple slots (queues, storage, rooms, commitment, peak) at the relaxation's duals;
what is left falls apart into one small MIP per slot, and the sum of their bounds bounds the whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..highs.scaling import Scaling, scaling_of
from ..highs.session import HighsSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Rows with columns of more than one slot.
COUPLING = {
    "waiting_balance",
    "state_of_charge",
    "room_heat",
    "generator_starting",
    "peak",
    "terminal_energy",
    "terminal_heat",
}

#: Less time than this is not worth beginning the MIP of a slot.
_LEAST_SECONDS = 0.05


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


def slotwise_bound(
    p: LinearProblem, row_dual: Floats, n_slots: int, *, gap_usd: float, deadline: float | None
) -> float:
    """An upper bound (USD) on the whole-number maximum, at most that of the relaxation up to rounding.

    Slots that the time does not suffice for count with their bound so far, or with that of their relaxation.
    """
    coupling = np.zeros(len(p.row_lower), dtype=bool)
    for name in COUPLING & p.rows.keys():
        coupling[p.rows[name].ids] = True
    y = np.where(coupling, row_dual, 0.0)
    y = np.where((y > 0) & ~np.isfinite(p.row_upper), 0.0, y)
    y = np.where((y < 0) & ~np.isfinite(p.row_lower), 0.0, y)
    side = np.where(y > 0, p.row_upper, p.row_lower)
    total = p.offset + float((y[y != 0] * side[y != 0]).sum())
    cost = p.cost - p.matrix.T @ y
    for block in p.columns.values():
        if block.ids.ndim == 1:
            ids = block.ids
            total += float(np.maximum(cost[ids] * p.lower[ids], cost[ids] * p.upper[ids]).sum())
    local = p.matrix[~coupling]
    lower, upper = p.row_lower[~coupling], p.row_upper[~coupling]
    whole = scaling_of(p)
    row_scale = whole.row[~coupling]
    for t in range(n_slots):
        ids = np.sort(
            np.concatenate([block.ids[:, t] for block in p.columns.values() if block.ids.ndim == 2])
        )
        part = local[:, ids]
        rows = np.unique(part.indices)
        sub = replace(
            p,
            matrix=part[rows].tocsc(),
            cost=cost[ids],
            offset=0.0,
            lower=p.lower[ids],
            upper=p.upper[ids],
            row_lower=lower[rows],
            row_upper=upper[rows],
            integer=p.integer[ids],
        )
        left = None if deadline is None else (deadline - time.perf_counter()) / (n_slots - t)
        # HiGHS looks at the clock only after the root of a MIP, which takes longer than this
        late = left is not None and left < _LEAST_SECONDS
        left = None if late else left
        scaling = Scaling(whole.column[ids], row_scale[rows], whole.objective)
        session = HighsSession(sub, relaxed=late, scaling=scaling)
        outcome = session.solve(time_limit=left, gap=0.0, gap_usd=gap_usd / n_slots)
        if outcome.bound is None:
            return np.inf
        total += outcome.bound
    return total
