"""A small conditional diffusion model of S runs side by side, predicting the clean value (x0) at every step.

Ho et al., arXiv 2006.11239 (posterior, simple loss), in x0-parametrisation: with few steps it stays bounded
where noise prediction divides by √ᾱ_T ≈ 0.08 (reference/paper.md §3.3 and §6.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.parallel_runs import RunLinear, RunMLP, normal, uniform

ScheduleName = Literal["vp", "cosine"]

_TIME_FEATURES = 16


@dataclass(frozen=True)
class Schedule:
    """The noise of W diffusion steps; entry t-1 of every tuple belongs to step t = 1 … W.

    ``kept`` is ᾱ_t, the share of the clean value's variance left after step t. The reverse step from t to
    t-1 is ``to_clean``·x̂0 + ``to_noisy``·x_t + ``spread``·ε (DDPM posterior, arXiv 2006.11239 eq. 7).
    """

    kept: tuple[float, ...]
    to_clean: tuple[float, ...]
    to_noisy: tuple[float, ...]
    spread: tuple[float, ...]

    @property
    def steps(self) -> int:
        """W, the number of diffusion steps."""
        return len(self.kept)


def make_schedule(name: ScheduleName, steps: int) -> Schedule:
    """Variance-preserving (paper.md §3.2: β from 0.1 to 10) or cosine (arXiv 2102.09672) noise of W steps.

    Few steps of ``vp`` keep much noise at the last one (ᾱ_1 = 0.80 for W = 5, cosine 0.89), which narrows the
    distribution that is sampled. Raises ``ValueError`` for a step number below 1 or an unknown name.
    """
    if steps < 1:
        raise ValueError(f"a diffusion needs at least one step, not {steps}")
    if name == "vp":
        rates = [1 - math.exp(-0.1 / steps - 0.5 * 9.9 * (2 * t - 1) / steps**2) for t in range(1, steps + 1)]
    elif name == "cosine":
        levels = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)]
        rates = [min(1 - after / before, 0.999) for before, after in pairwise(levels)]
    else:
        raise ValueError(f"unknown noise schedule {name!r}: vp or cosine")
    kept = [1.0]
    for rate in rates:
        kept.append(kept[-1] * (1 - rate))
    columns = []
    for rate, (before, after) in zip(rates, pairwise(kept), strict=True):
        gone = 1 - after
        columns.append(
            (
                after,
                math.sqrt(before) * rate / gone,
                math.sqrt(1 - rate) * (1 - before) / gone,
                math.sqrt(rate * (1 - before) / gone),
            )
        )
    return Schedule(*zip(*columns, strict=True))


class Denoiser(nn.Module):
    """Predicts the clean latent (S,B,M) from a noisy one, the step and a condition (S,B,C).

    Two hidden layers of ``hidden`` units. What depends on the condition and on the step enters the first
    layer as a sum, so both are computed once for a whole chain. ``condition`` = 0 makes it unconditional.
    ``bounded`` squashes the clean latent into ±1 by tanh: clipping there would stop the gradient.
    """

    angles: Tensor
    kept: Tensor

    def __init__(
        self,
        latent: int,
        condition: int,
        hidden: int,
        schedule: Schedule,
        rngs: Sequence[torch.Generator],
        *,
        bounded: bool = False,
    ):
        super().__init__()
        self.latent, self.hidden, self.runs = latent, hidden, len(rngs)
        self.schedule, self.bounded = schedule, bounded
        self.condition = RunMLP([condition, hidden, hidden], rngs, activation=F.silu) if condition else None
        self.time = RunMLP([_TIME_FEATURES, 32, hidden], rngs, activation=F.silu)
        self.enter = RunLinear(latent, hidden, rngs)
        self.middle = RunLinear(hidden, hidden, rngs)
        self.leave = RunLinear(hidden, latent, rngs)
        device = rngs[0].device
        half = _TIME_FEATURES // 2
        steps = torch.arange(1, schedule.steps + 1, device=device)[:, None] / schedule.steps
        angle = math.pi * steps * 2.0 ** torch.arange(half, device=device)[None, :] / 4
        features = torch.cat([angle.sin(), angle.cos()], dim=-1)
        self.register_buffer("angles", features.repeat(self.runs, 1, 1), persistent=False)
        self.register_buffer("kept", torch.tensor(schedule.kept, device=device), persistent=False)

    def encode(self, condition: Tensor) -> Tensor:
        """(S,B,C) → (S,B,hidden), what the condition adds to the first layer; zeros if unconditional."""
        if self.condition is None:
            return condition.new_zeros(*condition.shape[:2], self.hidden)
        encoded: Tensor = self.condition(condition)
        return encoded

    def clean(self, noisy: Tensor, context: Tensor) -> Tensor:
        """x̂0 (S,B,M) from x_t (S,B,M) and the sum of encoded condition and step (S,B,hidden)."""
        first = F.silu(self.enter(noisy) + context)
        out: Tensor = self.leave(F.silu(self.middle(first)))
        return out.tanh() if self.bounded else out

    def noise(self, samples: int, rngs: Sequence[torch.Generator]) -> Tensor:
        """(S,W,samples,M) standard normal numbers: the start of a chain and its W-1 kicks."""
        return normal((self.schedule.steps, samples, self.latent), rngs)

    def chain(self, encoded: Tensor, noise: Tensor) -> Tensor:
        """Samples (S,B,M) by the whole reverse chain; differentiable in weights and ``encoded`` (S,B,hidden).

        ``noise`` (S,W,B,M) from `noise`: equal noise gives equal samples for equal conditions.
        """
        schedule = self.schedule
        times: Tensor = self.time(self.angles)
        value = noise[:, 0]
        for t in range(schedule.steps, 1, -1):
            clean = self.clean(value, encoded + times[:, t - 1 : t])
            value = schedule.to_clean[t - 1] * clean + schedule.to_noisy[t - 1] * value
            value = value + schedule.spread[t - 1] * noise[:, schedule.steps - t + 1]
        return self.clean(value, encoded + times[:, :1])

    def loss(self, target: Tensor, condition: Tensor, rngs: Sequence[torch.Generator]) -> Tensor:
        """(S,B) squared error of x̂0 at one random step per sample (arXiv 2006.11239, Algorithm 1).

        ``target`` is the clean latent (S,B,M).
        """
        samples = target.shape[1]
        steps = self.schedule.steps
        chosen = (uniform((samples,), rngs) * steps).long().clamp(max=steps - 1)
        kept = self.kept[chosen][..., None]
        noisy = kept.sqrt() * target + (1 - kept).sqrt() * normal((samples, self.latent), rngs)
        # A product with unit vectors rather than indexing: the gradient of indexing is slow on CPUs.
        times = F.one_hot(chosen, steps).to(target.dtype) @ self.time(self.angles)
        return (self.clean(noisy, self.encode(condition) + times) - target).square().mean(-1)
