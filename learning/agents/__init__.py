"""Agents: what learns, one algorithm per file."""

from .protocol import Agent, OffPolicyAgent, OnPolicyAgent
from .registry import AGENTS, AgentKind, LearnsFrom

__all__ = ["AGENTS", "Agent", "AgentKind", "LearnsFrom", "OffPolicyAgent", "OnPolicyAgent"]
