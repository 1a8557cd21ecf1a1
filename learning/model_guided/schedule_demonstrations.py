"""Demonstrations from solved instances: what the ``direct`` codec would have had to say.

Observations come from the schedule's own trajectory through the plant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.plant.engine import Engine
from stepwatt.formulation.plant.schedule_replay import request_of

from ..codecs import DirectCodec
from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, World, pool_for
from .cloning import Demonstrations


@dataclass(frozen=True)
class Trajectories:
    """Observations (N,T,O) of schedules played through the plant, and direct actions (N,T,A) behind them."""

    obs: Tensor
    act: Tensor


def demonstrations_of(
    instances: Sequence[Instance],
    plans: Sequence[Schedule],
    task: TaskSettings,
    *,
    histories: Sequence[Instance | None] | None = None,
    forecasts: int = 1,
) -> Demonstrations:
    """Observations and direct actions of the plans; every day is seen under so many draws of its forecast."""
    engine = torch_engine(torch.float64)
    found = []
    for number in range(forecasts):
        seed = number * len(instances)
        pool = pool_for(task, instances, engine, histories=histories, seed=seed)
        found.append(demonstrate(pool, plans, engine, task))
    return Demonstrations(
        torch.cat([played.obs.flatten(0, 1) for played in found]),
        torch.cat([played.act.flatten(0, 1) for played in found]),
    )


def demonstrate(
    pool: Pool, plans: Sequence[Schedule], engine: Engine, task: TaskSettings | None = None
) -> Trajectories:
    """Play the plan of every instance of the pool, and say it in direct actions."""
    world = World(pool, engine, TaskSettings() if task is None else task)
    problem, codec = pool.problem, DirectCodec(pool.problem.shape)
    seen, said = [], []
    while not world.over:
        t, state = world.t, world.state
        request = request_of(problem, plans, t, engine)
        seen.append(world.observation())
        said.append(codec.encode(engine, problem, t, state, request, world.carry_out(request)))
    return Trajectories(torch.stack(seen, 1).float(), torch.stack(said, 1).float())
