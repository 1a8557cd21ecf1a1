"""Self-adaptive success-rate shaping: how often did states like this go well? (SASR, arXiv 2408.03029)"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stepwatt.formulation.records import Positive, SettingsRecord, Share

from ..memory.transitions import Batch
from ..networks.parallel_runs import normal, uniform
from ..options import Amount, Size
from .factory import ShaperKind
from .parts import Generators, Part, Stored, per_transition


class SuccessRateSettings(SettingsRecord):
    """Settings of `success_rate`."""

    weight: Amount = 0.3
    """What the rate ∈ [0,1] is multiplied with, in units of reward."""
    sampled: bool = True
    """Whether the rate is drawn from its Beta distribution (exploring where little is known) or its mean."""
    retention: Share = 0.1
    """Share of the observed steps that is remembered; the smaller, the longer the Beta stays wide."""
    bandwidth: Positive = 0.2
    """Width h of the kernel, as a root mean square distance per coordinate of the observation."""
    features: Size = 1000
    """Random Fourier features; the error of a count falls with their square root."""


class SuccessRate(Stored):
    """Adds a draw (or the mean) of Beta(N_S(s)+1, N_F(s)+1).

    N_S and N_F count the remembered steps near s that met and missed their service goal, weighed by a
    Gaussian kernel exp(−|s−s′|²/(2h²O)), which is approximated by random Fourier features z(s)·z(s′) (Rahimi
    and Recht 2007). Then two sums of features hold all that is remembered. Counts below 0, which only the
    approximation yields, count as 0. The episode's success of SASR is the step's own here, since every slot
    has its goal; distances are taken per coordinate, since in high dimension no two states would be near.
    """

    preserves_optimum = False

    def __init__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: SuccessRateSettings,
        device: torch.device | str = "cpu",
    ):
        self._settings, self.unit = settings, 1.0
        self._rngs = Generators(seeds, device)
        scale = 1 / (settings.bandwidth * math.sqrt(obs_size))
        runs, features = len(seeds), settings.features
        # Buffers of one module, so that they lie in the state.
        self._memory = nn.Module()
        self._memory.register_buffer("waves", scale * normal((obs_size, features), self._rngs))
        self._memory.register_buffer("phases", 2 * math.pi * uniform((1, features), self._rngs))
        self._memory.register_buffer("successes", torch.zeros(runs, features, 1, device=device))
        self._memory.register_buffer("failures", torch.zeros(runs, features, 1, device=device))

    def observe(self, batch: Batch) -> None:
        """Remember a share of the fresh steps as successes and failures."""
        kept = (uniform(batch.reward.shape[1:], self._rngs) < self._settings.retention).to(batch.obs.dtype)
        features = self._features(batch.obs).mT
        self._memory.get_buffer("successes").add_(features @ (kept * batch.success)[..., None])
        self._memory.get_buffer("failures").add_(features @ (kept * (1 - batch.success))[..., None])

    def update(self, batch: Batch) -> dict[str, float]:
        """Nothing to train."""
        return {}

    def counts(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """N_S and N_F, both (S,B), of observations (S,B,O)."""
        features = self._features(obs)
        successes = features @ self._memory.get_buffer("successes")
        failures = features @ self._memory.get_buffer("failures")
        return successes.squeeze(-1).clamp(min=0), failures.squeeze(-1).clamp(min=0)

    @torch.no_grad()
    def shape(self, batch: Batch) -> Tensor:
        """(S,B) the weighted success rate at ``batch.obs``."""
        successes, failures = self.counts(batch.obs)
        if self._settings.sampled:
            good, bad = _gamma(successes + 1, self._rngs), _gamma(failures + 1, self._rngs)
            rate = good / (good + bad)
        else:
            rate = (successes + 1) / (successes + failures + 2)
        return per_transition(self._settings.weight * self.unit * rate, batch)

    def _features(self, obs: Tensor) -> Tensor:
        waves, phases = self._memory.get_buffer("waves"), self._memory.get_buffer("phases")
        return math.sqrt(2 / self._settings.features) * torch.baddbmm(phases, obs, waves).cos()

    def _parts(self) -> dict[str, Part]:
        return {"rngs": self._rngs, "memory": self._memory}


def _gamma(shapes: Tensor, rngs: Sequence[torch.Generator]) -> Tensor:
    """(S,B) draws of Gamma(shape, 1), run s from its own generator; torch offers no public door with one."""
    return torch.stack([torch._standard_gamma(n, generator=rng) for n, rng in zip(shapes, rngs, strict=True)])


success_rate = ShaperKind(SuccessRateSettings, SuccessRate)
"""Beta success-rate shaping."""
