"""The one protocol of reward shapers (docs/learning.md, "Shapers")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..memory.transitions import Batch


class Shaper(Protocol):
    """Adds to the raw rewards of a sampled batch; the replay never holds a shaped reward.

    ``preserves_optimum`` says whether the optimal policy provably stays the same.
    """

    preserves_optimum: bool

    def observe(self, batch: Batch) -> None:
        """Take note of fresh transitions (B = environments per run), once per environment step."""
        ...

    def update(self, batch: Batch) -> dict[str, float]:
        """One training step of the shaper's own networks; metrics for the log, possibly empty."""
        ...

    def shape(self, batch: Batch) -> Tensor:
        """(S,B) what is added to ``batch.reward``, without gradient."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here, generators included."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        ...


@runtime_checkable
class InUnits(Protocol):
    """A shaper that adds amounts: they are told in units of reward, whatever the reward is scaled by.

    ``unit`` is the factor that the task puts on its rewards (``reward_scale``).
    """

    unit: float
