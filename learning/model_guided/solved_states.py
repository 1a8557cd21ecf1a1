"""States of random play with what the solver says they are still worth, for models of the value to go."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, World
from ..networks.parallel_runs import generators, normal, uniform


@dataclass(frozen=True)
class SolvedStates:
    """Observations (D,O) of states with the utility (D,) still to come from there, in units of reward."""

    obs: Tensor
    value: Tensor


def solved_states(pool: Pool, task: TaskSettings, seed: int, passes: int) -> SolvedStates:
    """The states of ``passes`` random plays of every instance of the pool, which must have potentials.

    An episode's actions are one random centre and noise around it, each of a drawn size, so that batteries
    fill and empty and queues grow, which noise around 0 alone would not do.
    """
    engine = torch_engine()
    world, (rng,) = World(pool, engine, task), generators([seed])
    unit = task.reward_scale / pool.problem.money_scale
    seen, worth = [], []
    for _ in range(passes):
        world.begin(pool)
        shape = (len(pool), world.act_size)
        size = uniform((len(pool), 2), [rng])[0]
        centre = (2 * uniform(shape, [rng])[0] - 1) * size[:, :1]
        while not world.over:
            if pool.potential is None:
                raise ValueError("values to go are learned from instances with potentials")
            seen.append(world.observation().float())
            worth.append((pool.potential.value(engine, world.t, world.state) * unit).float())
            world.step((centre + size[:, 1:] * normal(shape, [rng])[0]).clamp(-1, 1))
    return SolvedStates(torch.cat(seen), torch.cat(worth))
