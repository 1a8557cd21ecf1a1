"""What each provider foresees by itself: its own plan of the day, given what jobs will cost elsewhere.

The day's prices of jobs come from rehearsals: the forecast day is played by trade, slot by slot, everybody
with what it foresees so far; the prices found are published, and all plan again. The first plan knows no
trade. Nothing leaves a provider but what the trade itself says (docs/distributed.md), of its forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState, first_state
from stepwatt.formulation.plant.step import advance

from ..common.blocks import coarser
from ..planners.foresight.foresight import TOLERANCE, Foresight, around, block_size, expectations
from ..response import SlotPrices
from ..response.day import DayPlan, plan_day
from .exchange import ROUGH, announced, exchange
from .private import own_place, private, private_state

Numbers = NDArray[Any]

#: Rehearsals of the day.
REHEARSALS = 2


@dataclass(frozen=True)
class Rehearsal:
    """``foresight`` of all own problems (n·N); ``opening`` (T,N,J,K) USD, prices of the last rehearsal;
    ``rounds`` (N,) of questions and answers in all."""

    foresight: Foresight
    opening: Numbers
    rounds: NDArray[np.int64]

    def say(self, own: Problem, t: int, state: PlantState, asked: Numbers) -> tuple[SlotPrices, Numbers]:
        """Prices (n·N) of the leavings of slot t, and those of jobs that were rehearsed."""
        return self.foresight.prices(own, t, state), self.opening[t]


def rehearse(
    instances: Sequence[Instance],
    information: str,
    *,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
    rehearsals: int = REHEARSALS,
) -> Rehearsal:
    """Everybody's foresight at the beginning of every instance; forecasts as :func:`.foresee`."""
    expected = expectations(instances, information, histories=histories, seed=seed)
    slots = expected[0].n_slots
    size = block_size(slots, expected[0].slot_hours)
    problem = stack([coarser(a, size) for a in expected], numpy_engine())
    own = private(problem)
    plan = _alone(own)
    opening = np.zeros((problem.shape.n_slots, len(problem), problem.shape.sites, problem.shape.classes))
    rounds = np.zeros(len(problem), np.int64)
    for _ in range(rehearsals):
        ahead = around(own, plan, problem.shape.n_slots, 1)
        opening, orders, asked = _played(problem, own, ahead, opening)
        rounds = rounds + asked
        plan = planned(own, opening, orders)
    after = np.minimum(np.arange(slots) // size, len(opening) - 1)
    return Rehearsal(around(own, plan, slots, size), opening[after], rounds)


def _alone(own: Problem) -> DayPlan:
    n = own.shape.sites
    at = own_place(n, len(own) // n)
    return plan_day(replace(own, open=own.open * at[:, None, None, :]), TOLERANCE)


def planned(own: Problem, prices: Numbers, orders: Numbers) -> DayPlan:
    """Own plans at prices (T,N,J,K) of jobs elsewhere, and orders (T,n·N,I,K) that may come."""
    n = own.shape.sites
    at = own_place(n, len(own) // n)
    away = at[:, :, None, None] * (1 - at[:, None, None, :])
    comes = (1 - at[:, :, None, None]) * at[:, None, None, :]
    known = np.tile(prices, (1, n, 1, 1)).swapaxes(2, 3)[:, :, None]
    moving = own.moving_cost + (comes - away) * known
    return plan_day(replace(own, arrivals=own.arrivals + orders), TOLERANCE, moving)


def _played(
    problem: Problem, own: Problem, ahead: Foresight, opening: Numbers
) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """One rehearsal: prices (T,N,J,K), others' orders (T,n·N,I,K), rounds (N,)."""
    n, engine = problem.shape.sites, numpy_engine()
    at = own_place(n, len(problem))
    state: PlantState = first_state(problem)
    prices: list[Numbers] = []
    orders: list[Numbers] = []
    rounds = np.zeros(len(problem), np.int64)
    for t in range(problem.shape.n_slots):
        mine = private_state(state, n)
        said = ahead.prices(own, t, mine)
        # in the first rehearsal, the prices of the slot before are the only ones there are
        first = prices[-1] if prices else np.zeros_like(opening[0])
        trade = exchange(own, t, mine, said, opening[t] if opening.any() else first, gap=ROUGH)
        prices.append(trade.prices)
        orders.append(np.tile(announced(own, t, mine), (n, 1, 1)) * (1 - at[..., None]))
        rounds = rounds + trade.rounds
        state, _ = advance(engine, problem, t, state, trade.request, integral=False)
    return np.stack(prices), np.stack(orders), rounds
