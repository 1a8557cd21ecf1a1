"""Demonstrations from solved instances: what the ``direct`` codec would have had to say.

Observations come from the schedule's own trajectory through the plant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stepwatt.formulation import Schedule

from .codecs import DirectCodec
from .engines import Engine
from .environment import Pool
from .observation import observe
from .plant import advance, first_state
from .replayed import request_of


@dataclass(frozen=True)
class Trajectories:
    """Observations (N,T,O) of schedules played through the plant, and direct actions (N,T,A) behind them."""

    obs: Tensor
    act: Tensor


def demonstrate(pool: Pool, plans: Sequence[Schedule], engine: Engine) -> Trajectories:
    """Play the plan of every instance of the pool, and say it in direct actions."""
    problem, state = pool.problem, first_state(pool.problem)
    codec = DirectCodec(problem.shape)
    seen, said = [], []
    for t in range(problem.shape.n_slots):
        request = request_of(problem, plans, t, engine)
        seen.append(observe(engine, problem, t, state, pool.outlook[t]))
        after, outcome = advance(engine, problem, t, state, request, integral=False)
        said.append(codec.encode(engine, problem, t, state, request, outcome))
        state = after
    return Trajectories(torch.stack(seen, 1).float(), torch.stack(said, 1).float())
