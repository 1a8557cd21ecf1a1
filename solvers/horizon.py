"""Long horizons in pieces: overlapping windows for the schedule, priced blocks for the bound.

*Schedule*: each window is solved with a look-ahead beyond the slots it commits, rounded to whole jobs, and
hands its state over. *Bound*: the rows that tie a block to the one before it (queues, storage, rooms,
commitment) are dropped and priced at the duals the windows found there; what is left is one relaxation per
block, and the sum of their optima bounds the whole, whatever the prices (Lagrangian duality). The bound of
each block is computed from its duals alone (:mod:`.certificate`), so it does not trust HiGHS either.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.matrices import LinearProblem, linear_problem

from .certificate import safe_bound
from .highs import HighsSession, SolverError, scaling_of
from .prices import labelled_prices
from .relaxation import Relaxation, price_arrays, priced_by_rows
from .result import Result, Seconds, Status, relative_gap
from .search import Search
from .settings import Settings, silent
from .windows import first_slots, fresh_state, joined, next_state, window

Floats = NDArray[np.float64]

#: Columns beyond which one relaxation is solved in pieces.
LARGEST_PROBLEM = 250_000
#: Columns that a block should have.
_BLOCK_COLUMNS = 120_000
#: Hours a window looks beyond the slots it commits.
_OVERLAP_HOURS = 12.0
#: Gap and seconds (at least) for the whole jobs of a window.
_WINDOW_GAP, _WINDOW_SECONDS = 2e-4, 5.0
#: Gap and seconds (at least) for the whole jobs of a window.
_WINDOW_GAP, _WINDOW_SECONDS = 2e-4, 5.0

_CARRIED = ("waiting_balance", "state_of_charge", "room_heat", "generator_starting")


def blocks_of(a: InstanceArrays, columns_per_slot: float) -> list[tuple[int, int]]:
    """(first, stop) of blocks of near equal length, whole days where a day fits."""
    day = max(1, round(24 / a.slot_hours))
    length = max(1, int(_BLOCK_COLUMNS / columns_per_slot))
    length = length // day * day if length >= day else length
    count = max(1, -(-a.n_slots // length))
    edges = np.linspace(0, a.n_slots, count + 1).round().astype(int)
    if length >= day:
        edges = np.unique(np.append(np.arange(count) * length, a.n_slots))
    return list(itertools.pairwise(int(edge) for edge in edges))


def solve_long(inst: Instance, a: InstanceArrays, settings: Settings, method: str) -> Result:
    """The oracle for horizons too long for one relaxation."""
    begun = time.perf_counter()
    sample = linear_problem(window(a, 0, min(a.n_slots, 4), fresh_state(a)))
    blocks = blocks_of(a, len(sample.cost) / min(a.n_slots, 4))
    schedule, boundaries, prices = _committed(a, blocks, settings)
    evaluation = evaluate(a, schedule)
    bound = _priced_bound(a, blocks, boundaries, schedule, settings)
    total = time.perf_counter() - begun
    closed = evaluation.feasible and relative_gap(bound, evaluation.utility) <= settings.gap
    return Result(
        inst,
        method,
        Status.OPTIMAL if closed else Status.FEASIBLE,
        Seconds(0.0, total, total),
        schedule=schedule,
        evaluation=evaluation,
        bound=bound,
        prices=labelled_prices(inst, a, **prices),
    )


def _committed(
    a: InstanceArrays, blocks: Sequence[tuple[int, int]], settings: Settings
) -> tuple[Schedule, list[dict[str, Floats]], dict[str, Floats]]:
    """The windows one after the other: schedule, prices at the start of each block but the first, prices."""
    overlap = max(int(a.deadline.max(initial=0)), round(_OVERLAP_HOURS / a.slot_hours))
    state = fresh_state(a)
    session: HighsSession | None = None
    parts: list[Schedule] = []
    boundaries: list[dict[str, Floats]] = []
    prices: list[dict[str, Floats]] = []
    for number, (first, stop) in enumerate(blocks):
        settings.progress(0.6 * number / len(blocks), f"window {number + 1} of {len(blocks)}")
        begun = time.perf_counter()
        length = min(stop + overlap, a.n_slots) - first
        seen = window(a, first, length, state)
        session = _session_for(session, seen)
        problem = linear_problem(seen, like=session.problem)
        outcome = session.solve(interruptible=True)
        if outcome.x is None or outcome.row_dual is None or outcome.bound is None:
            raise SolverError(f"the window of slots {first} to {first + length - 1} has no solution")
        if stop < a.n_slots:
            ahead = stop - first
            boundaries.append({name: outcome.row_dual[problem.rows[name].ids[:, ahead]] for name in _CARRIED})
        of_window = price_arrays(seen, problem, outcome.row_dual)
        prices.append({name: values[..., : stop - first] for name, values in of_window.items()})
        relaxed = Relaxation(problem, session, outcome, outcome.bound, 0.0)
        limit = max(_WINDOW_SECONDS, 2 * (time.perf_counter() - begun))
        search = Search(
            seen,
            problem,
            replace(settings, progress=silent, gap=max(settings.gap, _WINDOW_GAP)),
            time.perf_counter() + limit,
            outcome.bound,
        )
        search.run(relaxed)
        if search.schedule is None:
            raise SolverError(f"no schedule was found for slots {first} to {first + length - 1}")
        committed = first_slots(search.schedule, stop - first)
        own = window(a, first, stop - first, state)
        state = next_state(own, evaluate(own, committed))
        parts.append(committed)
    joined_prices = {name: np.concatenate([part[name] for part in prices], axis=-1) for name in prices[0]}
    return joined(parts), boundaries, joined_prices


def _session_for(session: HighsSession | None, a: InstanceArrays) -> HighsSession:
    """A session that holds the problem of the arrays, the given one changed in place where lengths agree."""
    if session is not None and session.problem.columns["import_mw"].ids.shape[1] == a.n_slots:
        session.refresh(priced_by_rows(linear_problem(a, like=session.problem)))
        return session
    problem = linear_problem(a)
    return HighsSession(priced_by_rows(problem), relaxed=True, scaling=scaling_of(problem))


def _priced_bound(
    a: InstanceArrays,
    blocks: Sequence[tuple[int, int]],
    boundaries: Sequence[dict[str, Floats]],
    schedule: Schedule,
    settings: Settings,
) -> float:
    """Sum of the blocks' own bounds, the rows between them priced."""
    total = 0.0
    session: HighsSession | None = None
    charges = _peak_shares(a, blocks, schedule)
    for number, (first, stop) in enumerate(blocks):
        settings.progress(0.6 + 0.4 * number / len(blocks), f"bound {number + 1} of {len(blocks)}")
        alone = _block_arrays(a, first, stop, charges[number])
        before = boundaries[number - 1] if number else None
        after = boundaries[number] if stop < a.n_slots else None
        like = session.problem if session is not None else None
        fits = like is not None and like.columns["import_mw"].ids.shape[1] == stop - first
        problem, constant = _priced(linear_problem(alone, like=like if fits else None), alone, before, after)
        if session is not None and fits:
            session.refresh(problem)
        else:
            session = HighsSession(problem, relaxed=True)
        outcome = session.solve(interruptible=True)
        if outcome.row_dual is None:
            raise SolverError(f"the block of slots {first} to {stop - 1} has no bound")
        total += safe_bound(problem, outcome.row_dual) + constant
    return total


def _block_arrays(a: InstanceArrays, first: int, stop: int, demand_charge: Floats) -> InstanceArrays:
    """A block with its share of the demand charge; only the last one meets the end-of-horizon rule."""
    state = fresh_state(a)
    depth = state.backlog.shape[2]
    if first:
        # what waits at the start is priced, so any job that may still wait has to be possible
        come = a.arrivals[:, :, max(0, first - depth) : first][:, :, ::-1]
        state.backlog[:, :, : come.shape[2]] = come
    alone = replace(window(a, first, stop - first, state), demand_charge=demand_charge)
    if stop < a.n_slots:
        alone = replace(alone, terminal_price=np.zeros_like(a.terminal_price))
    return alone


def _priced(
    p: LinearProblem,
    a: InstanceArrays,
    before: dict[str, Floats] | None,
    after: dict[str, Floats] | None,
) -> tuple[LinearProblem, float]:
    """The block with its first coupling rows dropped and priced, and what the next block's rows add to it."""
    at, cost, constant = p.members, p.cost.copy(), 0.0
    row_lower, row_upper = p.row_lower.copy(), p.row_upper.copy()
    leak = (a.slot_hours / a.heat_capacity * a.leak_mw_per_c)[at.rooms]
    if before is not None:
        signed = _signed(before)
        for name in _CARRIED:
            ids = p.rows[name].ids[:, 0]
            cost -= p.matrix[ids].T @ signed[name]
            row_lower[ids], row_upper[ids] = -np.inf, np.inf
        come = a.arrivals[at.queue_origin, at.queue_class, 0]
        constant += float(signed["waiting_balance"] @ come)
        constant += float(signed["room_heat"] @ (leak * a.outside_c[at.rooms, 0]))
    if after is not None:
        signed = _signed(after)
        cost[p.columns["waiting"].ids[:, -1]] += signed["waiting_balance"]
        cost[p.columns["energy_mwh"].ids[:, -1]] += signed["state_of_charge"]
        cost[p.columns["temperature_c"].ids[:, -1]] += (1 - leak) * signed["room_heat"]
        cost[p.columns["generator_on"].ids[:, -1]] += signed["generator_starting"]
    return replace(p, cost=cost, row_lower=row_lower, row_upper=row_upper), constant


def _signed(prices: dict[str, Floats]) -> dict[str, Floats]:
    """Prices that a dropped row may have: heat rows are lower limits, start rows upper limits."""
    return prices | {
        "room_heat": np.minimum(prices["room_heat"], 0.0),
        "generator_starting": np.maximum(prices["generator_starting"], 0.0),
    }


def _peak_shares(a: InstanceArrays, blocks: Sequence[tuple[int, int]], schedule: Schedule) -> list[Floats]:
    """The demand charge split over blocks (any split bounds): to those that reach the schedule's peak."""
    shares = np.zeros((len(blocks), len(a.sites)))
    imports = schedule.import_mw
    for number, (first, stop) in enumerate(blocks):
        shares[number] = imports[:, first:stop].max(axis=1) >= (1 - 1e-6) * imports.max(axis=1)
    return list(shares / np.maximum(shares.sum(axis=0), 1.0) * a.demand_charge)
