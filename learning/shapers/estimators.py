"""What the future holds, learned from returns: its mean by regression, its distribution by diffusion.

Both work on standardised targets (S,B), where nan marks an unknown one, given a condition (S,B,C).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..networks.parallel_runs import RunMLP
from .denoiser import Denoiser, ScheduleName, make_schedule
from .parts import masked_loss

Statistic = Literal["mean", "q10", "q25", "median", "q75", "q90"]

_QUANTILES: Mapping[str, float] = {"q10": 0.1, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9}


class _Adam(torch.optim.Adam):
    """Adam whose step on a loss is one call; per-weight, so that runs stay apart (no clipping of norms)."""

    def descend(self, loss: Tensor) -> None:
        """One step against the gradient of the loss."""
        self.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.step()


def adam(modules: Sequence[nn.Module], rate: float) -> _Adam:
    """Fused Adam over the modules' weights."""
    return _Adam([weight for module in modules for weight in module.parameters()], lr=rate, fused=True)


class MeanRegression(nn.Module):
    """The conditional mean, by a network of two hidden layers and squared error."""

    def __init__(self, condition: int, hidden: int, rate: float, rngs: Sequence[torch.Generator]):
        super().__init__()
        self.net = RunMLP([condition, hidden, hidden, 1], rngs)
        self.optimiser = adam([self.net], rate)

    def fit(self, condition: Tensor, target: Tensor) -> Tensor:
        """One step on (S,B,C) conditions and (S,B) targets; returns the mean loss of the runs."""
        known = target.isfinite()
        out: Tensor = self.net(condition)
        errors = (out.squeeze(-1) - target.nan_to_num(0.0, 0.0, 0.0)).square()
        loss = masked_loss(errors, known)
        self.optimiser.descend(loss)
        return loss.detach() / condition.shape[0]

    @torch.no_grad()
    def predict(self, condition: Tensor) -> Tensor:
        """(S,B) predicted means."""
        out: Tensor = self.net(condition)
        return out.squeeze(-1)


class ReturnDiffusion(nn.Module):
    """The conditional distribution, by a denoising diffusion model and its real denoising loss.

    A prediction is a statistic of ``samples`` samples drawn with common random numbers: every condition of a
    batch gets the same noise, so that predictions differ by their conditions only. The noise is drawn anew
    at every fit and kept in between.
    """

    kept_noise: Tensor

    def __init__(
        self,
        condition: int,
        hidden: int,
        rate: float,
        rngs: Sequence[torch.Generator],
        *,
        steps: int,
        schedule: ScheduleName,
        samples: int,
        statistic: Statistic,
    ):
        super().__init__()
        if statistic != "mean" and statistic not in _QUANTILES:
            raise ValueError(f"unknown statistic {statistic!r}: mean, {', '.join(_QUANTILES)}")
        self.denoiser = Denoiser(1, condition, hidden, make_schedule(schedule, steps), rngs)
        self.optimiser = adam([self.denoiser], rate)
        self.samples, self.statistic, self.rngs = samples, statistic, rngs
        self.register_buffer("kept_noise", self.denoiser.noise(samples, rngs))

    def fit(self, condition: Tensor, target: Tensor) -> Tensor:
        """One denoising step on (S,B,C) conditions and (S,B) targets; returns the mean loss of the runs."""
        known = target.isfinite()
        clean = target.nan_to_num(0.0, 0.0, 0.0)[..., None]
        loss = masked_loss(self.denoiser.loss(clean, condition, self.rngs), known)
        self.optimiser.descend(loss)
        self.kept_noise = self.denoiser.noise(self.samples, self.rngs)
        return loss.detach() / condition.shape[0]

    @torch.no_grad()
    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """(S,B,K) samples from noise (S,W,K,1) that all conditions share."""
        runs, batch, _ = condition.shape
        steps, draws = noise.shape[1:3]
        encoded = self.denoiser.encode(condition)[:, :, None].expand(-1, -1, draws, -1)
        shared = noise[:, :, None].expand(-1, -1, batch, -1, -1).reshape(runs, steps, batch * draws, 1)
        flat = self.denoiser.chain(encoded.reshape(runs, batch * draws, -1), shared)
        return flat.reshape(runs, batch, draws)

    @torch.no_grad()
    def predict(self, condition: Tensor) -> Tensor:
        """(S,B) the chosen statistic of the samples."""
        drawn = self.sample(condition, self.kept_noise)
        if self.statistic == "mean":
            return drawn.mean(-1)
        return drawn.quantile(_QUANTILES[self.statistic], dim=-1)


def estimator_parts(name: str, estimator: MeanRegression | ReturnDiffusion) -> dict[str, Any]:
    """The stateful parts of an estimator, named for a checkpoint."""
    return {name: estimator, f"{name}_optimiser": estimator.optimiser}
