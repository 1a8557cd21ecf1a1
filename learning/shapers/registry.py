"""The reward shapers by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from stepwatt.formulation.registry import Registry

from .additive import diffusion, regression
from .controls import constant, none, placebo
from .potential import diffusion_potential, potential_regression, solver_potential
from .protocol import Shaper
from .reward_agents import jemas, reward_agent
from .success import success_rate


class ShaperFactory(Protocol):
    """Makes a shaper for the S = ``len(seeds)`` runs of the given seeds.

    ``settings`` are fields of the settings class beside the function, and an unknown one raises.
    """

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


SHAPERS: Registry[ShaperFactory] = Registry(
    "shaper",
    {
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
    },
)
