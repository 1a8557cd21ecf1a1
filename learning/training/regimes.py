"""The paper's regimes, by name: tasks whose rewards are hard to get, as settings of a plan.

What fails without shaping in arXiv 2605.02965 does not fail where the codec repairs what is said and every
slot is paid by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Settings of the task in each. R1 pays a slot if nothing at all failed in it, R2 the day if every slot met
#: its goal; both say steps without repair. R4 is R2 with repair, R5 pays the day at its end, come
#: what may.
TASKS: Mapping[str, Mapping[str, Any]] = {
    "R1": {"codec": "raw", "reward": "sparse", "threshold": 0.0},
    "R2": {"codec": "raw", "reward": "joint"},
    "R4": {"codec": "direct", "reward": "joint"},
    "R5": {"codec": "direct", "reward": "episode"},
}
#: Where learners also begin uninformed.
UNINFORMED = ("R1", "R2")
_SPREAD = ("sac", "ppo")


def beginning(regime: str, algo: str) -> dict[str, Any]:
    """Settings of the training: in some regimes a start that knows nothing, the last layer of the actor at
    gain 1, a standard deviation of 1 where actions are drawn, uniform actions before the first update."""
    if regime not in UNINFORMED:
        return {}
    agent = {"last_gain": 1.0} | ({"initial_std": 1.0} if algo in _SPREAD else {})
    return {"agent": agent, "warmup_actions": "uniform"}
