"""Additive shaping by what (s,a) is expected to bring: by regression, or by diffusion.

Such a signal biases the optimum (paper.md §6.1), so its weight falls to 0 (PIES, arXiv 2011.01297).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from stepwatt.formulation.records import SettingsRecord

from ..memory.transitions import Batch
from ..options import Amount, Count, Rate, Size, Steps
from .denoiser import ScheduleName
from .estimators import MeanRegression, ReturnDiffusion, Statistic, estimator_parts
from .factory import ShaperKind
from .parts import Generators, Part, RunningMoments, Stored, annealed, per_transition


class RegressionSettings(SettingsRecord):
    """Settings of `regression`."""

    weight: Amount = 0.4
    """η at the start, in standard deviations of the raw reward (0.4: paper.md §2.3)."""
    anneal_updates: Count | None = 20_000
    """Updates of the agent until the weight reaches 0; None keeps it (and the bias)."""
    target: Literal["return", "reward"] = "return"
    """What is predicted: the return-to-go or the reward of the transition."""
    hidden: Size = 64
    """Units in each of the two hidden layers."""
    learning_rate: Rate = 1e-3
    """Step size of Adam."""
    train_every: Count = 8
    """Updates of the agent per training step of the model."""


class DiffusionSettings(RegressionSettings):
    """Settings of `diffusion`."""

    steps: Steps = 5
    """W, the diffusion steps of a chain."""
    schedule: ScheduleName = "cosine"
    """Noise schedule: ``vp`` or ``cosine``."""
    samples: Size = 4
    """K, the samples per transition of which the statistic is taken."""
    statistic: Statistic = "mean"
    """What of the distribution becomes the signal: ``mean`` or a quantile (``q10`` … ``q90``)."""


class AdditiveShaper(Stored):
    """r^S = η·σ·z(s,a), with z the standardised prediction and σ the running deviation of the raw reward.

    Hence a weight of 1 gives a signal about as large as the reward itself, whatever its unit. Both are 0
    until the first finished episode.
    """

    preserves_optimum = False

    def __init__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: RegressionSettings,
        device: torch.device | str = "cpu",
    ):
        self._settings = settings
        self._updates = 0
        self._rngs = Generators(seeds, device)
        self.targets = RunningMoments(len(seeds), device)
        self.rewards = RunningMoments(len(seeds), device)
        condition, hidden, rate = obs_size + act_size, settings.hidden, settings.learning_rate
        self.estimator: MeanRegression | ReturnDiffusion
        if isinstance(settings, DiffusionSettings):
            self.estimator = ReturnDiffusion(
                condition,
                hidden,
                rate,
                self._rngs,
                steps=settings.steps,
                schedule=settings.schedule,
                samples=settings.samples,
                statistic=settings.statistic,
            )
        else:
            self.estimator = MeanRegression(condition, hidden, rate, self._rngs)

    def observe(self, batch: Batch) -> None:
        """Nothing to note: learning is from replayed batches."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Every ``train_every`` calls one training step; the weight falls with every call."""
        self._updates += 1
        if self._updates % self._settings.train_every:
            return {}
        target = batch.returns if self._settings.target == "return" else batch.reward
        self.targets.see(target)
        self.rewards.see(batch.reward)
        loss = self.estimator.fit(_condition(batch), self.targets.standardise(target))
        return {"loss": float(loss), "weight": self._weight()}

    def shape(self, batch: Batch) -> Tensor:
        """(S,B) the weighted prediction of each transition."""
        seen = (self.targets.batches > 0).to(batch.reward.dtype)
        scale = self._weight() * seen * self.rewards.std
        return per_transition(scale * self.estimator.predict(_condition(batch)), batch)

    def _weight(self) -> float:
        return annealed(self._settings.weight, self._updates, self._settings.anneal_updates)

    def _parts(self) -> dict[str, Part]:
        parts: dict[str, Part] = {"rngs": self._rngs, "targets": self.targets, "rewards": self.rewards}
        return parts | estimator_parts("estimator", self.estimator)


def _condition(batch: Batch) -> Tensor:
    return torch.cat([batch.obs, batch.act], dim=-1)


regression = ShaperKind(RegressionSettings, AdditiveShaper)
"""Additive prediction by a plain network, the paper's "DNN shaping"."""

diffusion = ShaperKind(DiffusionSettings, AdditiveShaper)
"""Additive prediction by a diffusion model with its real loss."""
