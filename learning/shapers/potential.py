"""Shaping by potentials: F = discount·Φ(s′) − Φ(s), which keeps the optimal policy (Ng et al. 1999).

The batch's discount is γⁿ and 0 where the episode ended, so Φ counts as 0 at the end of the horizon and
steps of any length telescope: over an episode the discounted F sum to −Φ(s₀), whatever was done.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stepwatt.formulation.records import SettingsRecord

from ..memory.transitions import Batch
from ..networks.parallel_runs import RunMLP
from ..options import Amount, Count, Rate, Size, Steps
from .denoiser import ScheduleName
from .estimators import MeanRegression, ReturnDiffusion, Statistic, estimator_parts
from .factory import ShaperKind
from .parts import Generators, Part, RunningMoments, Stored, per_transition


class PotentialRegressionSettings(SettingsRecord):
    """Settings of `potential_regression`."""

    weight: Amount = 1.0
    """Factor on the potential."""
    hidden: Size = 64
    """Units in each of the two hidden layers."""
    learning_rate: Rate = 1e-3
    """Step size of Adam."""
    train_every: Count = 8
    """Updates of the agent per training step of the potential."""
    refresh_every: Count = 200
    """Updates of the agent after which the frozen potential is renewed."""


class DiffusionPotentialSettings(PotentialRegressionSettings):
    """Settings of `diffusion_potential`."""

    steps: Steps = 5
    """W, the diffusion steps of a chain."""
    schedule: ScheduleName = "cosine"
    """Noise schedule: ``vp`` or ``cosine``."""
    samples: Size = 4
    """K, the samples per state of which the statistic is taken; outer quantiles want more (16)."""
    statistic: Statistic = "mean"
    """What of the distribution becomes the potential: ``mean`` or a quantile (``q10`` … ``q90``)."""
    distilled_states: Size = 32
    """States per training step on which the statistic is taken and handed to the distilled potential."""


class EarnedPotentialSettings(SettingsRecord):
    """Settings of `earned`."""

    weight: Amount = 1.0
    """Factor on the potential."""


class BookedPotentialSettings(EarnedPotentialSettings):
    """Settings of `booked`."""


class DynamicProgramSettings(EarnedPotentialSettings):
    """Settings of `dynamic_program`."""


class SolverPotentialSettings(EarnedPotentialSettings):
    """Settings of `solver_potential`."""

    duals: bool = True
    """Whether states are told apart by dual prices; False (a control) leaves what the day still earns."""


class FrozenPotential(nn.Module):
    """A copy of a learned potential that only `renew` changes: Φ(s) and Φ(s′) must come from one function.

    Zero until the first renewal, and for a run that has not seen a finished episode by then.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: RunMLP, runs: int, device: torch.device | str):
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.register_buffer("mean", torch.zeros(runs, 1, device=device))
        self.register_buffer("std", torch.zeros(runs, 1, device=device))

    @torch.no_grad()
    def renew(self, net: RunMLP, moments: RunningMoments) -> None:
        """Take over weights and scale."""
        for mine, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            mine.copy_(theirs)
        self.mean.copy_(moments.mean)
        self.std.copy_(moments.std)

    @torch.no_grad()
    def forward(self, obs: Tensor) -> Tensor:
        """Φ (S,B) in units of reward, of observations (S,B,O)."""
        out: Tensor = self.net(obs)
        return self.mean + self.std * out.squeeze(-1)


class LearnedPotential(Stored):
    """Potential-based shaping with a potential learned from the returns-to-go of replayed states.

    Without a diffusion model the potential is regressed on the returns. With one, the model learns their
    distribution and a network of the same size is regressed on its K-sample statistic (distillation), since
    sampling it at every update would cost more than the agent; the batch is small, its noise common to all
    states and fresh at every training step.
    """

    preserves_optimum = True

    def __init__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: PotentialRegressionSettings,
        device: torch.device | str = "cpu",
    ):
        self._settings = settings
        self._updates = 0
        self._rngs = Generators(seeds, device)
        self.moments = RunningMoments(len(seeds), device)
        hidden, rate = settings.hidden, settings.learning_rate
        self.learner = MeanRegression(obs_size, hidden, rate, self._rngs)
        self.frozen = FrozenPotential(self.learner.net, len(seeds), device)
        self.diffusion: ReturnDiffusion | None = None
        if isinstance(settings, DiffusionPotentialSettings):
            self.diffusion = ReturnDiffusion(
                obs_size,
                hidden,
                rate,
                self._rngs,
                steps=settings.steps,
                schedule=settings.schedule,
                samples=settings.samples,
                statistic=settings.statistic,
            )
            self._distilled = settings.distilled_states

    def observe(self, batch: Batch) -> None:
        """Nothing to note: learning is from replayed batches."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Every ``train_every`` calls one training step, every ``refresh_every`` a renewal of Φ."""
        self._updates += 1
        metrics: dict[str, float] = {}
        if self._updates % self._settings.train_every == 0:
            self.moments.see(batch.returns)
            target = self.moments.standardise(batch.returns)
            if self.diffusion is None:
                metrics["potential_loss"] = float(self.learner.fit(batch.obs, target))
            else:
                metrics["denoising_loss"] = float(self.diffusion.fit(batch.obs, target))
                states = batch.obs[:, : self._distilled]
                distilled = self.learner.fit(states, self.diffusion.predict(states))
                metrics["potential_loss"] = float(distilled)
        if self._updates % self._settings.refresh_every == 0:
            self.frozen.renew(self.learner.net, self.moments)
        return metrics

    def potential(self, obs: Tensor) -> Tensor:
        """Φ (S,B) of observations (S,B,O), in units of reward, weighted, from the frozen copy."""
        value: Tensor = self.frozen(obs)
        return self._settings.weight * value

    def shape(self, batch: Batch) -> Tensor:
        """F = discount·Φ(s′) − Φ(s), (S,B)."""
        after, before = self.potential(batch.next_obs), self.potential(batch.obs)
        return per_transition(batch.discount * after - before, batch)

    def _parts(self) -> dict[str, Part]:
        parts: dict[str, Part] = {"rngs": self._rngs, "moments": self.moments, "frozen": self.frozen}
        parts |= estimator_parts("learner", self.learner)
        return parts if self.diffusion is None else parts | estimator_parts("diffusion", self.diffusion)


def ahead(batch: Batch, before: Tensor, after: Tensor) -> Tensor:
    """(S,B) Φ(s′) − Φ(s), undiscounted, with Φ = 0 where the episode ended.

    Potentials of the optimisation model are of whole days, and so is what is owed: discounted by a learner's
    γ, (1 − γ)·Φ would be charged in every slot, many times what the slot is about. With Φ near the optimal
    value the learner's own horizon may be short instead (Cheng et al. 2021, arXiv 2106.02757): what is far
    ahead it takes from Φ. For γ = 1 the optimum is kept, otherwise as far as Φ is right.
    """
    return per_transition(after * (batch.discount > 0) - before, batch)


class SolverPotential:
    """Shaping with the potential of the environment: the optimisation model's or that of stored energy at the
    end's prices, where instances have one, and what has been earned and not yet been paid."""

    preserves_optimum = False

    def __init__(self, weight: float):
        self._weight = weight

    def observe(self, batch: Batch) -> None:
        """Nothing to note."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Nothing to learn."""
        return {}

    def shape(self, batch: Batch) -> Tensor:
        """Φ(s′) − Φ(s), (S,B), Φ as it lies in the batch."""
        return ahead(batch, self._weight * batch.potential, self._weight * batch.next_potential)

    def state_dict(self) -> dict[str, Any]:
        """Empty: nothing is learned."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


potential_regression = ShaperKind(PotentialRegressionSettings, LearnedPotential)
"""Potential by regression."""

diffusion_potential = ShaperKind(DiffusionPotentialSettings, LearnedPotential)
"""Potential by diffusion."""

solver_potential = ShaperKind(
    SolverPotentialSettings, lambda o, a, seeds, settings, d: SolverPotential(settings.weight)
)
"""Potential of the optimisation model."""

earned = ShaperKind(
    EarnedPotentialSettings, lambda o, a, seeds, settings, d: SolverPotential(settings.weight)
)
"""What has been earned and not yet been paid alone, as potential: the control of the others."""

booked = ShaperKind(
    BookedPotentialSettings, lambda o, a, seeds, settings, d: SolverPotential(settings.weight)
)
"""The same, and energy missing from batteries at the price charged for it at the end (``terminal_price``)."""

dynamic_program = ShaperKind(
    DynamicProgramSettings, lambda o, a, seeds, settings, d: SolverPotential(settings.weight)
)
"""The same, and stored energy at its expected value (stochastic dynamic program of the days' prices)."""
