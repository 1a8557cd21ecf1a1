"""What policies that are being trained are worth, on instances that they are not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stepwatt.formulation import Instance

from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, World, pool_for
from ..networks.policy import Policy


class Judge:
    """Runs the deterministic policies of S runs on N instances, side by side."""

    def __init__(
        self,
        instances: Sequence[Instance],
        task: TaskSettings,
        runs: int,
        histories: Sequence[Instance] | None = None,
    ):
        engine = torch_engine()
        pool = pool_for(task, instances, engine, histories=histories)
        self.runs, self.days = runs, len(pool)
        self.pool: Pool = pool.take(torch.arange(self.days).repeat(runs), engine)
        self.world = World(self.pool, engine, task)

    @torch.no_grad()
    def by_day(self, policy: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """(S,N) utility (USD), share of jobs missed, share of slots that met their goal."""
        world, shape = self.world, (self.runs, self.days)
        world.begin(self.pool)
        lost = arrived = paid = torch.zeros(self.runs * self.days)
        while not world.over:
            action = policy(world.observation().reshape(*shape, -1)).flatten(0, 1)
            arrived = arrived + world.drawn.problem.arrivals[world.t].sum((-1, -2))
            _, success, outcome = world.step(action)
            lost, paid = lost + outcome.lost.sum((-1, -2)), paid + success.float()
        return {
            "utility": world.earned.reshape(shape),
            "miss_rate": (lost / arrived.clamp(min=1e-9)).reshape(shape),
            "paid_share": (paid / self.pool.problem.shape.n_slots).reshape(shape),
        }

    def __call__(self, policy: Policy) -> dict[str, Tensor]:
        """(S,) means over the instances."""
        return {name: values.mean(1) for name, values in self.by_day(policy).items()}
