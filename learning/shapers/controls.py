"""The controls without which no shaper's effect means anything: nothing, a constant, matched noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.records import SettingsRecord

from ..memory.transitions import Batch
from ..networks.parallel_runs import normal
from ..options import Amount, Weight
from .factory import ShaperKind
from .parts import Generators, pack, per_transition, unpack
from .potential import DiffusionPotentialSettings, LearnedPotential


class ConstantSettings(SettingsRecord):
    """Settings of `constant`."""

    value: Amount = 0.1
    """What every transition gets, in units of reward."""


class PlaceboSettings(DiffusionPotentialSettings):
    """Settings of `placebo`: those of the diffusion potential that sets the scale, and one more."""

    scale: Weight | None = None
    """Standard deviation of the noise in units of reward; None takes the diffusion potential's own."""


class ConstantShaper:
    """Adds the same number to every transition (0: no shaping).

    A constant prefers no action, yet shifts all values by value/(1-γ): optimism by itself. Where actions
    decide how long an episode lasts it changes the optimum.
    """

    def __init__(self, value: float):
        self.value, self.unit = value, 1.0
        self.preserves_optimum = value == 0.0

    def observe(self, batch: Batch) -> None:
        """Nothing to note."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Nothing to learn."""
        return {}

    def shape(self, batch: Batch) -> Tensor:
        """(S,B) filled with the value."""
        return torch.full_like(batch.reward, self.value * self.unit)

    def state_dict(self) -> dict[str, Any]:
        """Empty: the value is a setting."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


class PlaceboShaper:
    """Fresh zero-mean Gaussian noise that knows nothing of the transition (RRP, arXiv 2506.08737).

    Its standard deviation is, per run, that of the signal which a diffusion potential trained alongside gives
    on the very same batch: equal scale at every moment, and equal computing time. The optimum is kept, since
    it depends on expected rewards only.
    """

    preserves_optimum = True

    def __init__(self, seeds: Sequence[int], potential: LearnedPotential | None, scale: float, device: Any):
        self.potential, self.scale, self.unit = potential, scale, 1.0
        self._rngs = Generators([seed + 1_000_003 for seed in seeds], device)

    def observe(self, batch: Batch) -> None:
        """Nothing to note."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Train the potential whose scale the noise takes."""
        return {} if self.potential is None else self.potential.update(batch)

    def shape(self, batch: Batch) -> Tensor:
        """(S,B) fresh noise at every call."""
        noise = normal(batch.reward.shape[1:], self._rngs)
        if self.potential is None:
            return per_transition(self.scale * self.unit * noise, batch)
        return per_transition(self.potential.shape(batch).std(1, correction=0, keepdim=True) * noise, batch)

    def state_dict(self) -> dict[str, Any]:
        """Generators and the potential."""
        inner = {} if self.potential is None else self.potential.state_dict()
        return {**pack({"rngs": self._rngs}, 0), "potential": inner}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly there."""
        unpack({"rngs": self._rngs}, state)
        if self.potential is not None:
            self.potential.load_state_dict(state["potential"])


def _placebo(
    obs_size: int,
    act_size: int,
    seeds: Sequence[int],
    settings: PlaceboSettings,
    device: torch.device | str,
) -> PlaceboShaper:
    if settings.scale is not None:
        return PlaceboShaper(seeds, None, settings.scale, device)
    return PlaceboShaper(seeds, LearnedPotential(obs_size, act_size, seeds, settings, device), 0.0, device)


none = ShaperKind(SettingsRecord, lambda o, a, seeds, settings, d: ConstantShaper(0.0))
"""The raw reward alone; takes no settings."""

constant = ShaperKind(ConstantSettings, lambda o, a, seeds, settings, d: ConstantShaper(settings.value))
"""The same addition for every transition."""

placebo = ShaperKind(PlaceboSettings, _placebo)
"""Zero-mean noise of the size of the diffusion potential's signal."""
