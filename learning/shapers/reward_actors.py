"""The actors of the reward agent: (s,a) → mean and log-deviation of a tanh-Gaussian reward."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.parallel_runs import RunLinear, RunMLP, normal
from .denoiser import Denoiser, make_schedule

_LOG_STD = (-5.0, 2.0)


class GaussianActor(nn.Module):
    """A plain network of two hidden layers (ReLara's actor without residual blocks)."""

    def __init__(self, condition: int, hidden: int, rngs: Sequence[torch.Generator]):
        super().__init__()
        self.net = RunMLP([condition, hidden, hidden, 2], rngs)

    def forward(self, condition: Tensor, rngs: Sequence[torch.Generator] | None) -> Tensor:
        """(S,B,2) heads for (S,B,C) conditions; the generators are not needed here."""
        out: Tensor = self.net(condition)
        return out

    def renew_noise(self, rngs: Sequence[torch.Generator]) -> None:
        """It has none."""


class DiffusionActor(nn.Module):
    """A reverse chain of W steps in a latent of size M, conditioned on (s,a), then two linear heads.

    The latent is bounded by tanh (not clipped: paper.md §3.3, slip 4). Without conditioning the heads are
    mere functions of the chain's noise.
    """

    kept_noise: Tensor

    def __init__(
        self,
        condition: int,
        hidden: int,
        latent: int,
        steps: int,
        conditioned: bool,
        rngs: Sequence[torch.Generator],
    ):
        super().__init__()
        self.conditioned = conditioned
        schedule = make_schedule("vp", steps)
        size = condition if conditioned else 0
        self.denoiser = Denoiser(latent, size, hidden, schedule, rngs, bounded=True)
        self.heads = RunLinear(latent, 2, rngs)
        self.register_buffer("kept_noise", self.denoiser.noise(1, rngs))

    def forward(self, condition: Tensor, rngs: Sequence[torch.Generator] | None) -> Tensor:
        """(S,B,2) heads for (S,B,C) conditions.

        With generators every sample gets noise of its own, without them all share the kept noise.
        """
        batch = condition.shape[1]
        encoded = self.denoiser.encode(condition)
        if rngs is None:
            noise = self.kept_noise.expand(-1, -1, batch, -1)
        else:
            noise = self.denoiser.noise(batch, rngs)
        heads: Tensor = self.heads(self.denoiser.chain(encoded, noise))
        return heads

    def renew_noise(self, rngs: Sequence[torch.Generator]) -> None:
        """Draw the common noise anew."""
        self.kept_noise = self.denoiser.noise(1, rngs)


def draw_reward(heads: Tensor, rngs: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """A reward in (-1,1) and its log-density, both (S,B), from heads (S,B,2), differentiable in them.

    The log-deviation is squashed into [-5, 2]; the correction for tanh is 2(log 2 − x − softplus(−2x)).
    """
    mean, raw = heads.unbind(-1)
    low, high = _LOG_STD
    log_std = low + 0.5 * (high - low) * (raw.tanh() + 1)
    noise = normal(mean.shape[1:], rngs)
    value = mean + log_std.exp() * noise
    density = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
    return value.tanh(), density - 2 * (math.log(2.0) - value - F.softplus(-2 * value))


def mean_reward(heads: Tensor) -> Tensor:
    """The reward (S,B) in (-1,1) that the actor would give without noise."""
    return heads[..., 0].tanh()
