"""Behaviour cloning: a supervised warm start from demonstrated actions, e.g. of oracle schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..networks.descent import descend
from ..networks.parallel_runs import generators
from ..networks.policy import Policy, cloning_loss


@dataclass(frozen=True)
class Demonstrations:
    """Observations (D,O) with the actions (D,A) to take there, of all runs; or (S,D,O), (S,D,A) of each run.

    Raises ValueError where the two do not fit together.
    """

    obs: Tensor
    act: Tensor

    def __post_init__(self) -> None:
        if (
            self.obs.dim() not in (2, 3)
            or self.obs.shape[:-1] != self.act.shape[:-1]
            or self.obs.shape[-2] == 0
        ):
            raise ValueError(f"demonstrations of {tuple(self.obs.shape)} and {tuple(self.act.shape)}")

    def sample(self, size: int, rngs: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """(S,size,O) and (S,size,A), drawn with replacement by each run's own generator."""
        picks = torch.stack(
            [torch.randint(self.obs.shape[-2], (size,), generator=rng, device=rng.device) for rng in rngs]
        )
        if self.obs.dim() == 2:
            return self.obs[picks], self.act[picks]
        runs = torch.arange(len(rngs), device=picks.device)[:, None]
        return self.obs[runs, picks], self.act[runs, picks]


def clone(
    policy: Policy,
    demonstrations: Demonstrations,
    seeds: Sequence[int],
    *,
    updates: int = 2_000,
    batch_size: int = 256,
    rate: float = 1e-3,
) -> Tensor:
    """Fit the policy of S runs to demonstrations in place; returns the losses (updates,S) before each step.

    Run s draws its batches from ``seeds[s]``. The step falls to 0 along a half cosine.
    """
    rngs = generators(seeds, demonstrations.obs.device)
    optimizer = torch.optim.Adam(policy.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    losses = []
    for _ in range(updates):
        loss = cloning_loss(policy, *demonstrations.sample(batch_size, rngs))
        descend(optimizer, loss)
        schedule.step()
        losses.append(loss.detach())
    return torch.stack(losses)
