"""Days played by trade: in every slot the providers agree on jobs, and the plant does what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stepwatt.formulation import Instance, Schedule

from ..engines import torch_engine
from ..export import schedules
from ..plant import advance, first_state
from ..problem import stack
from .exchange import GAP, ROUNDS, exchange
from .foresight import Rehearsal
from .private import private, private_state


@dataclass(frozen=True)
class Played:
    """``utility`` (N,) USD of the days; by slot (T,N) ``gap``, the certificate that the trade has against the
    joint response, ``rounds`` of questions and answers, and ``numbers`` a provider sent and received."""

    schedules: list[Schedule]
    utility: Tensor
    gap: Tensor
    rounds: Tensor
    numbers: Tensor


@torch.no_grad()
def play(
    instances: Sequence[Instance], rehearsed: Rehearsal, *, rounds: int = ROUNDS, gap: float = GAP
) -> Played:
    """Play the days with what was foreseen for them (fluid jobs); ``rounds`` and ``gap`` as in
    :func:`.exchange.exchange`."""
    engine = torch_engine(torch.float64)
    arrays = [inst.arrays() for inst in instances]
    problem = stack(arrays, engine)
    own, n = private(problem), problem.shape.sites
    state, earned = first_state(problem), torch.zeros(len(problem), dtype=torch.float64)
    requests, outcomes, trades = [], [], []
    for t in range(problem.shape.n_slots):
        mine = private_state(state, n)
        said = rehearsed.foresight.prices(own, t, mine)
        trade = exchange(own, t, mine, said, rehearsed.opening[t], rounds=rounds, gap=gap)
        state, outcome = advance(engine, problem, t, state, trade.request, integral=False)
        earned = earned + outcome.utility
        requests.append(trade.request)
        outcomes.append(outcome)
        trades.append(trade)
    return Played(
        schedules=schedules(arrays, problem, requests, outcomes),
        utility=earned,
        gap=torch.stack([trade.gap for trade in trades]),
        rounds=torch.stack([trade.rounds for trade in trades]),
        numbers=torch.stack([trade.numbers for trade in trades]),
    )
