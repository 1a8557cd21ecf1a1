"""The reward shapers by name."""

from __future__ import annotations

from typing import Any

from stepwatt.formulation.registry import Registry

from .additive import diffusion, regression
from .controls import constant, none, placebo
from .factory import ShaperKind
from .potential import (
    booked,
    diffusion_potential,
    dynamic_program,
    earned,
    potential_regression,
    solver_potential,
)
from .reward_agents import jemas, reward_agent
from .success import success_rate
from .taught import taught_potential

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
        "earned": earned,
        "booked": booked,
        "dynamic-program": dynamic_program,
        "solver-potential": solver_potential,
        "taught-potential": taught_potential,
        "success-rate": success_rate,
    },
)
