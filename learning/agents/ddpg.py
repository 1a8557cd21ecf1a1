"""Deterministic policy gradient (Lillicrap et al. 2015, arXiv 1509.02971): TD3 without what TD3 added."""

from __future__ import annotations

from dataclasses import dataclass

from ..options import option
from .td3 import TD3Settings


@dataclass(frozen=True)
class DDPGSettings(TD3Settings):
    """TD3's settings with one critic, no delay of the policy and no noise on targets."""

    critics: int = option(1, low=1, high=2)
    """Action values per run; of two, targets use the smaller."""
    policy_delay: int = option(1, low=1)
    """Critic updates per update of the policy."""
    target_noise: float = option(0.0, low=0)
    """Standard deviation of the noise on the next action in a target."""
