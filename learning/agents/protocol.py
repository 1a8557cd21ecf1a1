"""What the training loop needs of an agent of S runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from ..memory.rollout import Rollout
from ..memory.transitions import Batch
from ..networks.policy import Policy


class Agent(Protocol):
    """Acts, hands out its policy, and can be stored; how it is updated is its learner's business."""

    def act(self, obs: Tensor, deterministic: bool = False) -> Tensor:
        """(S,N,O) → (S,N,A) in [-1,1]; with exploration unless ``deterministic``."""
        ...

    def policy(self, run: int | None = None) -> Policy:
        """The deterministic policy: the trained one of all runs, or a copy of one run's (S = 1)."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        ...


class OffPolicyAgent(Agent, Protocol):
    """Learns from single transitions, whoever made them."""

    def update(self, batch: Batch, demonstrations: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """One update from a batch whose reward is final; metrics (S,)."""
        ...


class RolloutSettings(Protocol):
    """What the loop must know of the settings of an agent that learns from rollouts."""

    @property
    def rollout_slots(self) -> int:
        """Steps of each environment between two rounds of updates."""
        ...

    @property
    def epochs(self) -> int:
        """Passes over a rollout."""
        ...

    @property
    def minibatches(self) -> int:
        """Updates per pass."""
        ...


class OnPolicyAgent(Agent, Protocol):
    """Learns from what it has just done, in whole rollouts."""

    @property
    def settings(self) -> RolloutSettings:
        """Its settings."""
        ...

    def update(
        self, rollout: Rollout, demonstrations: tuple[Tensor, Tensor] | None = None
    ) -> list[dict[str, Tensor]]:
        """All passes over a rollout whose rewards are final; metrics (S,) of every update."""
        ...
