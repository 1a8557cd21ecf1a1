"""The agents by name: their settings and how they are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..options import Options
from .ddpg import DDPGSettings
from .ppo import PPO, PPOSettings
from .protocol import Agent, OffPolicyAgent
from .sac import SAC, SACSettings
from .td3 import TD3, TD3Settings


class AgentKind(NamedTuple):
    """``build(settings, obs_size, act_size, seeds, device)`` makes the agent of ``settings``."""

    settings: type[Options]
    build: Callable[..., Any]


AGENTS: dict[str, AgentKind] = {
    "sac": AgentKind(SACSettings, SAC),
    "td3": AgentKind(TD3Settings, TD3),
    "ddpg": AgentKind(DDPGSettings, TD3),
    "ppo": AgentKind(PPOSettings, PPO),
}

__all__ = ["AGENTS", "Agent", "AgentKind", "OffPolicyAgent"]
