"""The reward shapers by name."""

from __future__ import annotations

from typing import Any

from stepwatt.formulation.registry import Registry

from .additive import diffusion, regression
from .controls import constant, none, placebo
from .factory import ShaperKind
from .potential import diffusion_potential, potential_regression, solver_potential
from .reward_agents import jemas, reward_agent
from .success import success_rate

SHAPERS: Registry[ShaperKind[Any, Any]] = Registry(
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
