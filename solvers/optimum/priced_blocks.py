"""A bound for long horizons: blocks solved alone, the rows between them dropped and priced.

The rows that tie a block to the one before (queues, storage, rooms, commitment) are priced, and what is
carried over is anything that may be; what is left is one relaxation per block, and the sum of their optima
bounds the whole, whatever the prices (Lagrangian duality). The bound of each block is computed from its
duals alone (:mod:`.certificate`). The prices are improved until the bound is close enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state, window

from ..highs.certificate import safe_bound
from ..highs.session import HighsSession
from ..interface.deadline import Deadline
from ..interface.errors import SolverError
from ..interface.result import relative_gap
from ..interface.settings import Settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Rows that tie a slot to the one before, in the order of the price vectors.
_TIES = ("waiting_balance", "state_of_charge", "room_heat", "generator_starting")
#: Prices tried at most, and in a row without a lower bound.
_ROUNDS, _PATIENCE = 40, 4


def tie_prices(p: LinearProblem, row_dual: Floats, slot: int) -> Floats:
    """Duals of the rows that tie a slot of the problem to the slot before."""
    return row_dual[_tie_rows(p, slot)]


def _tie_rows(p: LinearProblem, slot: int) -> Ints:
    return np.concatenate([p.rows[name].ids[:, slot] for name in _TIES])


@dataclass(frozen=True)
class _Cut:
    """What a block answered at some prices: its bound, and how that moves with the prices on both sides."""

    before: Floats | None
    after: Floats | None
    bound: float
    taken_over: Floats
    handed_over: Floats


@dataclass
class _Block:
    """A block, its answers so far, and the basis of the last one."""

    arrays: InstanceArrays
    cuts: list[_Cut]
    basis: Any = None


class PricedBlocks:
    """The dual problem over the prices at block edges, solved by a bundle method with a trust region.

    Args:
        a: the instance.
        blocks: (first, stop) of each block.
        seen: per inner edge, the prices that the windows on its two sides found there.
        schedule: a good schedule, which tells where the demand charge is paid.
    """

    def __init__(
        self,
        a: InstanceArrays,
        blocks: Sequence[tuple[int, int]],
        seen: Sequence[Sequence[Floats]],
        schedule: Schedule,
    ) -> None:
        charges = _peak_shares(a, blocks, schedule)
        self._blocks = [
            _Block(_block_arrays(a, first, stop, charge), [])
            for (first, stop), charge in zip(blocks, charges, strict=True)
        ]
        self._seen = seen
        self._session: HighsSession | None = None
        self._like: LinearProblem | None = None

    def bound(self, utility: float, settings: Settings, deadline: Deadline | None = None) -> float:
        """The lowest bound found (USD) in a few rounds, or the first one within the gap of ``utility``.

        ``deadline``: when to stop trying other prices.
        """
        prices = np.array([both[0] for both in self._seen])
        best = self._evaluate(prices, settings, 0)
        if not len(prices):
            return best
        other = np.array([both[-1] for both in self._seen])
        typical = np.abs(prices).mean(axis=0)
        reach = np.abs(other - prices) + 0.1 * np.abs(prices) + 0.01 * typical + 1e-12
        share, failed = 1.0, 0
        for turn in range(1, _ROUNDS):
            over = failed == _PATIENCE or (deadline is not None and deadline.passed)
            if over or relative_gap(best, utility) <= 0.9 * settings.gap:
                break
            trial, hoped = self._master(prices, share * reach)
            if best - hoped <= 1e-3 * max(abs(best - utility), 1e-9):
                break
            bound = self._evaluate(trial, settings, turn)
            if bound < best:
                best, prices, share, failed = bound, trial, min(4.0, 1.5 * share), 0
            else:
                share, failed = 0.5 * share, failed + 1
        return best

    def _evaluate(self, prices: Floats, settings: Settings, turn: int) -> float:
        """The bound at some prices; a block that has met its prices before is not asked again."""
        total = 0.0
        for number, block in enumerate(self._blocks):
            settings.progress(0.6 + 0.4 * turn / _ROUNDS, f"bound {number + 1} of {len(self._blocks)}")
            before = prices[number - 1] if number else None
            after = prices[number] if number < len(prices) else None
            cut = next(
                (cut for cut in block.cuts if _same(cut.before, before) and _same(cut.after, after)), None
            )
            if cut is None:
                cut = self._answer(block, before, after)
                block.cuts.append(cut)
            total += cut.bound
        return total

    def _master(self, centre: Floats, reach: Floats) -> tuple[Floats, float]:
        """The prices within reach at which the answers so far promise the lowest bound, and that promise."""
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        edges, width = centre.shape
        rows, columns, values, sides = [], [], [], []
        count = 0
        for number, block in enumerate(self._blocks):
            for cut in block.cuts:
                side = -cut.bound
                for edge, price, slope in (
                    (number - 1, cut.before, -cut.taken_over),
                    (number, cut.after, cut.handed_over),
                ):
                    if price is None:
                        continue
                    # the bound is convex in the prices: bound(p) >= cut.bound + slope·(p - price)
                    side += float(slope @ price)
                    rows.append(np.full(width, count))
                    columns.append(edge * width + np.arange(width))
                    values.append(slope)
                rows.append(np.array([count]))
                columns.append(np.array([edges * width + number]))
                values.append(np.array([-1.0]))
                sides.append(side)
                count += 1
        size = edges * width + len(self._blocks)
        scale = np.concatenate([np.maximum(reach, 1e-12).ravel(), np.ones(len(self._blocks))])
        entries = np.concatenate(values) * scale[np.concatenate(columns)]
        matrix = coo_array((entries, (np.concatenate(rows), np.concatenate(columns))), shape=(count, size))
        objective = np.concatenate([np.zeros(edges * width), np.ones(len(self._blocks))])
        box = [(c / s - 1, c / s + 1) for c, s in zip(centre.ravel(), scale, strict=False)]
        box += [(None, None)] * len(self._blocks)
        answer = linprog(objective, A_ub=matrix.tocsr(), b_ub=np.array(sides), bounds=box, method="highs")
        if answer.x is None:
            return centre, np.inf
        return (answer.x * scale)[: edges * width].reshape(edges, width), float(answer.fun)

    def weak(self, number: int, prices: Floats, duals: Callable[[int, LinearProblem], Floats]) -> float:
        """A bound (USD) of a block at prices of its edges, from any ``duals`` of the rows of its problem."""
        before, after = self._edges(number, prices)
        priced, constant = self._priced(self._blocks[number].arrays, before, after)[:2]
        row_dual = duals(number, priced)
        if before is not None:
            row_dual[_tie_rows(priced, 0)] -= _price_of(priced, self._blocks[number].arrays, before)
        return safe_bound(priced, row_dual) + constant

    def strong(self, number: int, prices: Floats) -> float:
        """The bound (USD) of a block at prices of its edges."""
        return self._answer(self._blocks[number], *self._edges(number, prices)).bound

    def _edges(self, number: int, prices: Floats) -> tuple[Floats | None, Floats | None]:
        return prices[number - 1] if number else None, prices[number] if number < len(prices) else None

    def _priced(
        self, a: InstanceArrays, before: Floats | None, after: Floats | None
    ) -> tuple[LinearProblem, float, Floats]:
        """A block's problem with its ties priced, what to add to it, and what its ties hold besides."""
        if self._like is None or self._like.columns["import_mw"].ids.shape[1] != a.n_slots:
            self._like = linear_problem(a)
        p = linear_problem(a, like=self._like)
        rows, start = _tie_rows(p, 0), _start_constant(p, a)
        carried, weight = _carried_columns(p, a)
        cost, constant = p.cost.copy(), 0.0
        row_lower, row_upper = p.row_lower.copy(), p.row_upper.copy()
        if before is not None:
            least, most = _carried_in(p, a)
            price = _price_of(p, a, before)
            cost -= p.matrix[rows].T @ price
            heat = np.isin(rows, p.rows["room_heat"].ids[:, 0])
            starting = np.isin(rows, p.rows["generator_starting"].ids[:, 0])
            row_lower[rows] = np.where(starting, -np.inf, start + least)
            row_upper[rows] = np.where(heat, np.inf, start + most)
            constant = float(price @ start)
        if after is not None:
            cost[carried] += weight * _signed(p, after)
        return replace(p, cost=cost, row_lower=row_lower, row_upper=row_upper), constant, start

    def _answer(self, block: _Block, before: Floats | None, after: Floats | None) -> _Cut:
        priced, constant, start = self._priced(block.arrays, before, after)
        if self._session is not None and self._session.takes(priced):
            self._session.refresh(priced)
        else:
            self._session = HighsSession(priced, relaxed=True)
        if block.basis is not None:
            self._session.set_basis(block.basis)
        outcome = self._session.solve(interruptible=True)
        if outcome.row_dual is None or outcome.x is None:
            raise SolverError("a block of the horizon has no bound")
        block.basis = self._session.basis()
        rows = _tie_rows(priced, 0)
        carried, weight = _carried_columns(priced, block.arrays)
        return _Cut(
            before=before,
            after=after,
            bound=safe_bound(priced, outcome.row_dual) + constant,
            taken_over=priced.matrix[rows] @ outcome.x - start,
            handed_over=weight * outcome.x[carried],
        )


def _same(one: Floats | None, other: Floats | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def _start_constant(p: LinearProblem, a: InstanceArrays) -> Floats:
    """What the tie rows of the first slot hold besides the slot before: arrivals, and heat from outside."""
    at = p.members
    leak = a.slot_hours / a.heat_capacity[at.rooms] * a.leak_mw_per_c[at.rooms]
    return np.concatenate(
        [
            a.arrivals[at.queue_origin, at.queue_class, 0],
            np.zeros(len(at.batteries)),
            leak * a.outside_c[at.rooms, 0],
            np.zeros(len(at.generators)),
        ]
    )


def _carried_in(p: LinearProblem, a: InstanceArrays) -> tuple[Floats, Floats]:
    """What the slot before may put into the tie rows of the first slot, at least and at most."""
    at, waiting = p.members, a.state.backlog.sum(axis=2)
    weight = 1 - a.slot_hours / a.heat_capacity[at.rooms] * a.leak_mw_per_c[at.rooms]
    warm = np.sort([weight * a.min_c[at.rooms], weight * a.max_c[at.rooms]], axis=0)
    queued, engines = waiting[at.queue_origin, at.queue_class], len(at.generators)
    least = (np.zeros(len(queued)), a.energy_min_mwh[at.batteries], warm[0], np.zeros(engines))
    most = (queued, a.energy_max_mwh[at.batteries], warm[1], np.ones(engines))
    return np.concatenate(least), np.concatenate(most)


def _price_of(p: LinearProblem, a: InstanceArrays, before: Floats) -> Floats:
    """The price of the tie rows of the first slot: none where nothing can be carried over."""
    least, most = _carried_in(p, a)
    return np.where(least < most, _signed(p, before), 0.0)


def _carried_columns(p: LinearProblem, a: InstanceArrays) -> tuple[Ints, Floats]:
    """Columns of the last slot that the next slot's tie rows hold, and with what weight."""
    at = p.members
    leak = a.slot_hours / a.heat_capacity[at.rooms] * a.leak_mw_per_c[at.rooms]
    names = ("waiting", "energy_mwh", "temperature_c", "generator_on")
    ids = np.concatenate([p.columns[name].ids[:, -1] for name in names])
    ones = [np.ones(len(p.columns[name].ids)) for name in names]
    ones[2] = 1 - leak
    return ids, np.concatenate(ones)


def _signed(p: LinearProblem, price: Floats) -> Floats:
    """Prices that a dropped row may have: heat rows are lower limits, start rows upper limits."""
    queues, batteries, rooms = (len(p.rows[name].ids) for name in _TIES[:3])
    heat = slice(queues + batteries, queues + batteries + rooms)
    signed = price.copy()
    signed[heat] = np.minimum(price[heat], 0.0)
    signed[heat.stop :] = np.maximum(price[heat.stop :], 0.0)
    return signed


def _block_arrays(a: InstanceArrays, first: int, stop: int, demand_charge: Floats) -> InstanceArrays:
    """A block with its share of the demand charge; only the last one meets the end-of-horizon rule."""
    state = fresh_state(a)
    depth = state.backlog.shape[2]
    if first:
        # what waits at the start is priced, so any job that may still wait has to be possible
        before = np.concatenate([a.arrivals[:, :, :first][:, :, ::-1], state.backlog], axis=2)[:, :, :depth]
        state.backlog[:] = np.where(np.arange(depth) < a.deadline[:, None], before, 0.0)
    alone = replace(window(a, first, stop - first, state), demand_charge=demand_charge)
    if stop < a.n_slots:
        alone = replace(alone, terminal_price=np.zeros_like(a.terminal_price))
    return alone


def _peak_shares(a: InstanceArrays, blocks: Sequence[tuple[int, int]], schedule: Schedule) -> list[Floats]:
    """The demand charge split over blocks (any split bounds): to those that reach the schedule's peak."""
    # a trace for every block keeps the columns of all blocks the same
    shares = np.full((len(blocks), len(a.sites)), 1e-9)
    imports = schedule.import_mw
    for number, (first, stop) in enumerate(blocks):
        shares[number] += imports[:, first:stop].max(axis=1) >= (1 - 1e-6) * imports.max(axis=1)
    return list(shares / shares.sum(axis=0) * a.demand_charge)
