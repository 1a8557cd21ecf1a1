"""Deterministic policy gradient (Lillicrap et al. 2015, arXiv 1509.02971): TD3 without what TD3 added."""

from __future__ import annotations

from typing import Literal

from ..options import Count, Deviation
from .td3 import TD3Settings


class DDPGSettings(TD3Settings):
    """TD3's settings with one critic, no delay of the policy and no noise on targets."""

    critics: Literal[1, 2] = 1
    """Action values per run; of two, targets use the smaller."""
    policy_delay: Count = 1
    """Critic updates per update of the policy."""
    target_noise: Deviation = 0.0
    """Standard deviation of the noise on the next action in a target."""
