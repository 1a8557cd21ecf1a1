"""The agents by name: their settings, how they are built, and what they learn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from stepwatt.formulation.records import SettingsRecord
from stepwatt.formulation.registry import Registry

from .ddpg import DDPGSettings
from .ppo import PPO, PPOSettings
from .sac import SAC, SACSettings
from .td3 import TD3, TD3Settings

LearnsFrom = Literal["replay", "rollouts"]


class AgentKind(NamedTuple):
    """``build(settings, obs_size, act_size, seeds, device)`` makes the agent of ``settings``.

    One that learns from ``replay`` is an :class:`.protocol.OffPolicyAgent`, one that learns from ``rollouts``
    an :class:`.protocol.OnPolicyAgent`. One that plays any number of sites takes ``parts``, as
    :class:`..networks.policy.Policy` does.
    """

    settings: type[SettingsRecord]
    build: Callable[..., Any]
    learns_from: LearnsFrom = "replay"
    by_site: bool = False


AGENTS: Registry[AgentKind] = Registry(
    "algo",
    {
        "sac": AgentKind(SACSettings, SAC, by_site=True),
        "td3": AgentKind(TD3Settings, TD3, by_site=True),
        "ddpg": AgentKind(DDPGSettings, TD3, by_site=True),
        "ppo": AgentKind(PPOSettings, PPO, "rollouts", by_site=True),
    },
)
