"""Providers that reach the optimum by trading jobs, each with its own data only."""

from .coordination import ROUNDS, Distribution, distribute, distributed, joint_schedule, transfer_cost

__all__ = ["ROUNDS", "Distribution", "distribute", "distributed", "joint_schedule", "transfer_cost"]
