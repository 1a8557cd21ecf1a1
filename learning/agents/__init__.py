"""The agents by name: their settings and how they are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..options import Options
from .protocol import Agent, OffPolicyAgent
from .sac import SAC, SACSettings


class AgentKind(NamedTuple):
    """``build(settings, obs_size, act_size, seeds, device)`` makes the agent of ``settings``."""

    settings: type[Options]
    build: Callable[..., Any]


AGENTS: dict[str, AgentKind] = {"sac": AgentKind(SACSettings, SAC)}

__all__ = ["AGENTS", "Agent", "AgentKind", "OffPolicyAgent"]
