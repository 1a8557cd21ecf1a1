"""Days played by trade: in every slot the providers agree on jobs, and the plant does what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState, first_state
from stepwatt.formulation.plant.step import advance

from ..response import SlotPrices
from .exchange import GAP, ROUNDS, exchange
from .private import private, private_state

Numbers = NDArray[Any]


class Speaker(Protocol):
    """Whoever says what the providers' leavings are worth."""

    def say(self, own: Problem, t: int, state: PlantState, asked: Numbers) -> tuple[SlotPrices, Numbers]:
        """Prices (n·N) for the own problems in slot t, and the prices (N,J,K) of jobs to begin trading with;
        ``asked`` (N,J,K) are those of the slot before, 0 in the first."""
        ...


@dataclass(frozen=True)
class Played:
    """``utility`` (N,) USD of the days; by slot (T,N) ``gap``, the certificate that the trade has against the
    joint response, ``rounds`` of questions and answers, and ``numbers`` a provider sent and received."""

    schedules: list[Schedule]
    utility: Numbers
    gap: Numbers
    rounds: NDArray[np.int64]
    numbers: NDArray[np.int64]


def play(
    instances: Sequence[Instance], speaker: Speaker, *, rounds: int = ROUNDS, gap: float = GAP
) -> Played:
    """Play the days with what is said of them (fluid jobs): a :class:`.rehearsal.Rehearsal` of these days, or
    :class:`policies.provider_networks.Networks`. ``rounds`` and ``gap`` as in :func:`.exchange.exchange`."""
    arrays = [inst.arrays() for inst in instances]
    problem = stack(arrays, numpy_engine())
    own, n, engine = private(problem), problem.shape.sites, numpy_engine()
    state, earned = first_state(problem), np.zeros(len(problem))
    asked = np.zeros((len(problem), n, problem.shape.classes))
    requests, outcomes, trades = [], [], []
    for t in range(problem.shape.n_slots):
        mine = private_state(state, n)
        said, opening = speaker.say(own, t, mine, asked)
        trade = exchange(own, t, mine, said, opening, rounds=rounds, gap=gap)
        asked = trade.prices
        state, outcome = advance(engine, problem, t, state, trade.request, integral=False)
        earned = earned + outcome.utility
        requests.append(trade.request)
        outcomes.append(outcome)
        trades.append(trade)
    return Played(
        schedules=schedules(arrays, problem, requests, outcomes),
        utility=earned,
        gap=np.stack([trade.gap for trade in trades]),
        rounds=np.stack([trade.rounds for trade in trades]),
        numbers=np.stack([trade.numbers for trade in trades]),
    )
