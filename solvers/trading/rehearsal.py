"""What each provider foresees by itself: its own plan of the day, given what jobs will cost elsewhere.

The day's prices of jobs come from rehearsals: the forecast day is played by trade, slot by slot, everybody
with what it foresees so far; the prices found are published, and all plan again. The first plan knows no
trade. Nothing leaves a provider but what the trade itself says (docs/distributed.md), of its forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.learning.environment.torch_engine import torch_engine

from ..planners.foresight.foresight import TOLERANCE, Foresight, around, block_size, coarser, expectations
from ..response import SlotPrices
from ..response.day import DayPlan, plan_day
from .exchange import ROUGH, announced, exchange
from .private import own_place, private, private_state

#: Rehearsals of the day.
REHEARSALS = 2


@dataclass(frozen=True)
class Rehearsal:
    """``foresight`` of all own problems (n·N); ``opening`` (T,N,J,K) USD, prices of the last rehearsal;
    ``rounds`` (N,) of questions and answers in all."""

    foresight: Foresight
    opening: Tensor
    rounds: Tensor

    def say(self, own: Problem, t: int, state: PlantState, asked: Tensor) -> tuple[SlotPrices, Tensor]:
        """Prices (n·N) of the leavings of slot t, and those of jobs that were rehearsed."""
        return self.foresight.prices(own, t, state), self.opening[t]


@torch.no_grad()
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
    engine = torch_engine(torch.float64)
    problem = stack([coarser(a, size) for a in expected], engine)
    own = private(problem)
    plan = _alone(own)
    opening = torch.zeros(
        problem.shape.n_slots, len(problem), problem.shape.sites, problem.shape.classes
    ).double()
    rounds = torch.zeros(len(problem), dtype=torch.long)
    for _ in range(rehearsals):
        ahead = around(own, plan, problem.shape.n_slots, 1)
        opening, orders, asked = _played(engine, problem, own, ahead, opening)
        rounds = rounds + asked
        plan = planned(own, opening, orders)
    after = (torch.arange(slots) // size).clamp(max=len(opening) - 1)
    return Rehearsal(around(own, plan, slots, size), opening[after], rounds)


def _alone(own: Problem) -> DayPlan:
    n = own.shape.sites
    at = torch.nn.functional.one_hot(own_place(n, len(own) // n), n).to(own.gpus)
    return plan_day(replace(own, open=own.open * at[:, None, None, :]), TOLERANCE)


def planned(own: Problem, prices: Tensor, orders: Tensor) -> DayPlan:
    """Own plans at prices (T,N,J,K) of jobs elsewhere, and orders (T,n·N,I,K) that may come."""
    n = own.shape.sites
    at = torch.nn.functional.one_hot(own_place(n, len(own) // n), n).to(own.gpus)
    away = at[:, :, None, None] * (1 - at[:, None, None, :])
    comes = (1 - at[:, :, None, None]) * at[:, None, None, :]
    known = prices.repeat(1, n, 1, 1).transpose(2, 3)[:, :, None]
    moving = own.moving_cost + (comes - away) * known
    return plan_day(replace(own, arrivals=own.arrivals + orders), TOLERANCE, moving)


def _played(
    engine: Engine, problem: Problem, own: Problem, ahead: Foresight, opening: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One rehearsal: prices (T,N,J,K), others' orders (T,n·N,I,K), rounds (N,)."""
    n = problem.shape.sites
    at = torch.nn.functional.one_hot(own_place(n, len(problem)), n).to(own.gpus)
    state: PlantState = first_state(problem)
    prices: list[Tensor] = []
    orders: list[Tensor] = []
    rounds = torch.zeros(len(problem), dtype=torch.long)
    for t in range(problem.shape.n_slots):
        mine = private_state(state, n)
        said = ahead.prices(own, t, mine)
        # in the first rehearsal, the prices of the slot before are the only ones there are
        first = prices[-1] if prices else torch.zeros_like(opening[0])
        trade = exchange(own, t, mine, said, opening[t] if bool(opening.any()) else first, gap=ROUGH)
        prices.append(trade.prices)
        orders.append(announced(own, t, mine).repeat(n, 1, 1) * (1 - at[..., None]))
        rounds = rounds + trade.rounds
        state, _ = advance(engine, problem, t, state, trade.request, integral=False)
    return torch.stack(prices), torch.stack(orders), rounds
