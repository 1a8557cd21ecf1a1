"""Refining a policy by the gradient of utility through the plant.

The plant's formulas are piecewise linear in what the direct codec asks for, so the utility of a whole day can
be differentiated with respect to the policy that played it (backpropagation through time). Where the codec
picks the nearest clock, and where a request is cut, the gradient is that of the piece the action lies in.
This needs the model; it is no reinforcement learning, and it starts from a policy that already does roughly
the right thing, such as a cloned one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stepwatt.formulation import InputError

from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, World
from ..networks.descent import descend
from ..networks.parallel_runs import generators
from ..networks.policy import Policy

#: Longest gradient of a run, of utility in units of a typical day's revenue.
LONGEST_GRADIENT = 0.1


def refine(
    policy: Policy,
    pools: Sequence[Pool],
    task: TaskSettings,
    seeds: Sequence[int],
    *,
    updates: int,
    days: int = 32,
    rate: float = 5e-4,
) -> Tensor:
    """Follow the gradient of the mean utility of days in place; (updates,S) USD a day before each step.

    The pools hold the same instances under different draws of their forecasts and take turns. Run s draws its
    days from ``seeds[s]``; runs do not influence each other. The step falls to 0 along a half cosine.

    Raises:
        InputError: a codec whose answers have no gradient.
    """
    if task.codec != "direct":
        raise InputError(field="task.codec", value=task.codec, expected="direct, to be refined")
    engine, rngs = torch_engine(), generators(seeds)
    optimizer = torch.optim.Adam(policy.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(updates, 1))
    typical = pools[0].problem.money_scale.mean() * pools[0].problem.shape.n_slots
    earned = []
    for update in range(updates):
        pool = pools[update % len(pools)]
        drawn = torch.cat([torch.randint(len(pool), (days,), generator=rng) for rng in rngs])
        world = World(pool.take(drawn, engine), engine, task)
        while not world.over:
            seen = world.observation().reshape(len(rngs), days, -1)
            world.step(policy(seen).flatten(0, 1))
        utility = world.earned.reshape(len(rngs), days).mean(1)
        descend(optimizer, -utility / typical, LONGEST_GRADIENT)
        schedule.step()
        earned.append(utility.detach())
    return torch.stack(earned) if earned else torch.empty(0, len(rngs))
