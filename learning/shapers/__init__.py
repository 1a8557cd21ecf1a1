"""Reward shapers: what is added to the raw rewards of a sampled batch.

``SHAPERS`` maps a name to a function ``(obs_size, act_size, seeds, settings, device="cpu")`` that makes the
shaper for S = ``len(seeds)`` runs; ``settings`` are fields of the settings class beside that function, and an
unknown one raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from .additive import diffusion, regression
from .controls import constant, none, placebo
from .potential import diffusion_potential, potential_regression, solver_potential
from .protocol import Shaper
from .reward_agents import jemas, reward_agent
from .success import success_rate


class ShaperFactory(Protocol):
    """Makes a shaper for the runs of the given seeds."""

    def __call__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: Mapping[str, Any],
        device: torch.device | str = "cpu",
    ) -> Shaper:
        """The shaper."""
        ...


SHAPERS: dict[str, ShaperFactory] = {
    "none": none,
    "constant": constant,
    "placebo": placebo,
    "regression": regression,
    "potential-regression": potential_regression,
    "reward-agent": reward_agent,
    "jemas": jemas,
    "diffusion": diffusion,
    "diffusion-potential": diffusion_potential,
    "solver-potential": solver_potential,
    "success-rate": success_rate,
}

__all__ = ["SHAPERS", "Shaper", "ShaperFactory"]
