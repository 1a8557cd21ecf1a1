"""Long horizons in pieces: overlapping windows for the schedule, priced blocks for the bound.

Each window is solved with a look-ahead beyond the slots it commits, rounded to whole jobs, and hands its
state over. The bound (:mod:`.priced_blocks`) starts from the prices that the windows found at block edges.

Every edge costs a little of both, so where the gap asked for is not reached, longer blocks are tried.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import first_slots, fresh_state, joined, next_state, window

from ..common.relaxation import Relaxation, price_arrays, solve_priced_by_rows
from ..common.sizes import columns_per_slot
from ..highs.session import HighsSession, Termination
from ..interface.deadline import Deadline
from ..interface.dual_prices import labelled_prices
from ..interface.errors import SolverError
from ..interface.result import Result, Seconds, Status
from ..interface.settings import Settings, silent
from ..planners.going_on import gone_on
from .coarse import in_coarse
from .pieces import Pieces, better
from .priced_blocks import PricedBlocks, tie_prices
from .search import Search

Floats = NDArray[np.float64]

#: Columns that blocks should have, and hours that windows look beyond the slots they commit: short blocks are
#: quick (simplex time grows faster than size), long ones have fewer edges.
_LADDER = ((40_000, 18.0), (200_000, 36.0), (400_000, 36.0))
#: Gap that short blocks reach (a year at one hour with ten sites: 5e-4); below it they are not tried.
_QUICK_GAP = 4e-4
#: Columns that a block may have to span a whole day.
_DAY_COLUMNS = 250_000
#: Columns up to which a window may look beyond its block as far as it wants.
_WINDOW_COLUMNS = 450_000
#: Share of the time for blocks, where nothing else is there.
_BLOCKS_SHARE = 0.7
#: Share of the gap asked for that whole jobs may use up in a window, and the seconds they may take at least.
_WINDOW_SHARE, _WINDOW_SECONDS = 0.3, 5.0


def blocks_of(a: InstanceArrays, columns_per_slot: float, columns: float) -> list[tuple[int, int]]:
    """(first, stop) of blocks of equal length and about so many columns, whole days where a day fits."""
    day = max(1, round(24 / a.slot_hours))
    length = max(1, int(columns / columns_per_slot))
    if length >= day:
        length = length // day * day
    elif day * columns_per_slot <= _DAY_COLUMNS:
        length = day
    else:
        length = max(1, int(max(columns, _DAY_COLUMNS) / columns_per_slot))
    edges = [*range(0, a.n_slots, length), a.n_slots]
    return list(itertools.pairwise(edges))


def solve_long(inst: Instance, a: InstanceArrays, settings: Settings, method: str) -> Result:
    """The oracle for horizons too long for one relaxation.

    What is too wide for blocks of a day, and what the time does not suffice for in blocks, is planned in
    fewer, longer slots (:mod:`.coarse`). Status ``feasible`` with a message: the longest blocks did not reach
    the gap asked for.
    """
    begun, deadline, message = time.perf_counter(), settings.deadline(), ""
    size = columns_per_slot(a)
    best = in_coarse(a, size, settings, deadline) if is_wide(a, size) else None
    if best is None or not (_closed(best, settings) or deadline.passed):
        # what has nothing yet keeps some time for a plan in blocks of slots
        share = deadline.part(1.0 if best is not None else _BLOCKS_SHARE)
        best = _in_growing_blocks(a, size, settings, share, best)
    if best is None:
        best = in_coarse(a, size, settings, deadline)
    if best is None:
        schedule = gone_on(a, 0, fresh_state(a), None)
        best = Pieces(schedule, evaluate(a, schedule), None, None)
        message = "jobs run where they arrive, with the shortest options: there was time for nothing else"
    total = time.perf_counter() - begun
    if _closed(best, settings):
        status = Status.OPTIMAL
    elif deadline.passed:
        status = Status.TIME_LIMIT
    else:
        reached = "no bound" if best.bound is None else f"a gap of {best.gap:.1e}"
        status, message = Status.FEASIBLE, f"the longest blocks reach {reached}, not {settings.gap:g}"
    return Result(
        inst,
        method,
        status,
        Seconds(0.0, total, total),
        schedule=best.schedule,
        evaluation=best.evaluation,
        bound=best.bound,
        prices=None if best.prices is None else labelled_prices(inst, a, **best.prices),
        message=message,
    )


def _closed(found: Pieces, settings: Settings) -> bool:
    return found.evaluation.feasible and found.gap <= settings.gap


def is_wide(a: InstanceArrays, columns_per_slot: float) -> bool:
    """Whether blocks of slots cannot span a day."""
    return min(a.n_slots, max(1, round(24 / a.slot_hours))) * columns_per_slot > _DAY_COLUMNS


def _in_growing_blocks(
    a: InstanceArrays, size: float, settings: Settings, deadline: Deadline, best: Pieces | None
) -> Pieces | None:
    """The better of what there is and what blocks lead to, longer ones until the gap is reached."""
    rungs = [rung for rung in _LADDER if rung[0] >= (_LADDER[1][0] if settings.gap < _QUICK_GAP else 0)]
    before = None
    for columns, overlap_hours in rungs:
        blocks = blocks_of(a, size, columns)
        if blocks == before:
            continue
        before, found = blocks, _in_blocks(a, blocks, overlap_hours, size, settings, deadline)
        if found is None:
            break
        best = found if best is None else better(best, found)
        if _closed(best, settings) or deadline.passed:
            break
    return best


def _in_blocks(
    a: InstanceArrays,
    blocks: Sequence[tuple[int, int]],
    overlap_hours: float,
    columns_per_slot: float,
    settings: Settings,
    deadline: Deadline,
) -> Pieces | None:
    """What blocks lead to; None if the time is over before there is a whole schedule."""
    longest = blocks[0][1] - blocks[0][0]
    wanted = max(int(a.deadline.max(initial=0)), round(overlap_hours / a.slot_hours))
    overlap = min(wanted, max(longest, int(_WINDOW_COLUMNS / columns_per_slot) - longest))
    committed = _committed(a, blocks, overlap, settings, deadline)
    if committed is None:
        return None
    schedule, boundaries, prices = committed
    evaluation = evaluate(a, schedule)
    priced = PricedBlocks(a, blocks, boundaries, schedule)
    return Pieces(schedule, evaluation, priced.bound(evaluation.utility, settings, deadline), prices)


def _committed(
    a: InstanceArrays,
    blocks: Sequence[tuple[int, int]],
    overlap: int,
    settings: Settings,
    deadline: Deadline,
) -> tuple[Schedule, list[list[Floats]], dict[str, Floats]] | None:
    """The windows one after the other: schedule, prices at the edges from both sides, and over slots; None if
    the time is over before the last of them."""
    state = fresh_state(a)
    session: HighsSession | None = None
    parts: list[Schedule] = []
    boundaries: list[list[Floats]] = []
    prices: list[dict[str, Floats]] = []
    stored_value = np.median(a.import_price, axis=1)
    for number, (first, stop) in enumerate(blocks):
        settings.progress(0.6 * number / len(blocks), f"window {number + 1} of {len(blocks)}")
        begun = time.perf_counter()
        length = min(stop + overlap, a.n_slots) - first
        seen = _open_ended(window(a, first, length, state), stored_value)
        session = _session_for(session, seen)
        problem = session.problem
        outcome = solve_priced_by_rows(session, deadline)
        if outcome.termination is Termination.TIME_LIMIT:
            return None
        if outcome.x is None or outcome.row_dual is None or outcome.bound is None:
            raise SolverError(f"the window of slots {first} to {first + length - 1} has no solution")
        if number:
            boundaries[-1].append(tie_prices(problem, outcome.row_dual, 0))
        if stop < a.n_slots:
            boundaries.append([tie_prices(problem, outcome.row_dual, stop - first)])
        of_window = price_arrays(seen, problem, outcome.row_dual)
        stored_value = of_window["stored_energy"].mean(axis=1)
        prices.append({name: values[..., : stop - first] for name, values in of_window.items()})
        relaxed = Relaxation(problem, session, outcome, outcome.bound, 0.0)
        share = max(_WINDOW_SECONDS, 2 * (time.perf_counter() - begun))
        search = _searched(seen, relaxed, share, settings, deadline)
        if search.schedule is None and deadline.passed:
            return None
        if search.schedule is None:
            raise SolverError(f"no schedule was found for slots {first} to {first + length - 1}")
        committed = first_slots(search.schedule, stop - first)
        own = window(a, first, stop - first, state)
        state = next_state(own, evaluate(own, committed))
        parts.append(committed)
    joined_prices = {name: np.concatenate([part[name] for part in prices], axis=-1) for name in prices[0]}
    return joined(parts), boundaries, joined_prices


def _searched(
    a: InstanceArrays, relaxed: Relaxation, seconds: float, settings: Settings, end: Deadline
) -> Search:
    """Whole jobs of a window: in so many seconds, or in as many as a schedule takes before the end."""
    window_settings = replace(settings, progress=silent, gap=_WINDOW_SHARE * settings.gap)
    assert relaxed.bound is not None
    while True:
        deadline = Deadline(end.within(seconds), settings.clock)
        search = Search(a, relaxed.problem, window_settings, deadline, relaxed.bound)
        why = search.run(relaxed)
        found = search.schedule is not None or why is Termination.INFEASIBLE
        if found or not deadline.passed or end.passed:
            return search
        seconds *= 4


def _open_ended(a: InstanceArrays, stored_value: Floats) -> InstanceArrays:
    """A window in mid-horizon: what its end lacks is charged at what energy was worth lately.

    The price of the end of the horizon, its highest import price, would make every window refill for nothing.
    """
    return a if a.closes else replace(a, terminal_price=np.maximum(stored_value, 0.0))


def _session_for(session: HighsSession | None, a: InstanceArrays) -> HighsSession:
    """A session that holds the problem of the arrays, the given one changed in place where lengths agree."""
    if session is not None and session.problem.columns["import_mw"].ids.shape[1] == a.n_slots:
        session.refresh(linear_problem(a, like=session.problem))
        return session
    return HighsSession(linear_problem(a), relaxed=True)
