"""What several shapers need: states that continue exactly, running moments, masked losses, annealing."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..memory.transitions import Batch
from ..networks.parallel_runs import generators
from ..networks.states import count, restore, restore_generators


class Part(Protocol):
    """Anything with a state of its own: a module, an optimiser, the generators below."""

    def state_dict(self) -> dict[str, Any]:
        """Its state."""
        ...

    def load_state_dict(self, state_dict: Any) -> Any:
        """Take that state."""
        ...


class Generators(list[torch.Generator]):
    """The generators of S runs, with a state.

    They are derived from the runs' seeds but differ from generators seeded with those directly: a shaper
    must not draw the very numbers that its agent draws.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu"):
        mixed = [int(np.random.SeedSequence([seed, 0x5A]).generate_state(1)[0]) for seed in seeds]
        super().__init__(generators(mixed, device))

    def state_dict(self) -> dict[str, Any]:
        """The state of every generator."""
        return {str(i): rng.get_state() for i, rng in enumerate(self)}

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Draw on from where that state was taken."""
        restore_generators(self, [state_dict[str(i)] for i in range(len(self))], "shaper.rngs")


def pack(parts: Mapping[str, Part], updates: int) -> dict[str, Any]:
    """A copy of the parts' states that later training does not change; plain enough for ``weights_only``."""
    return {"updates": updates, **{name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}}


def unpack(parts: Mapping[str, Part], state: Mapping[str, Any]) -> int:
    """Give the parts the states of `pack` and return the number of updates; raises on a missing part."""
    for name, part in parts.items():
        restore(part, copy.deepcopy(state[name]), name)
    return count(state["updates"], "shaper.updates")


class Stored(ABC):
    """A shaper whose state is that of its parts and a count of updates."""

    _updates = 0

    @abstractmethod
    def _parts(self) -> Mapping[str, Part]:
        """Its parts by the names that they are stored under."""

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that is needed to go on exactly here."""
        return pack(self._parts(), self._updates)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self._updates = unpack(self._parts(), state)


class RunningMoments(nn.Module):
    """Mean and standard deviation of what each run has seen, recent batches weighing more; 0 before any.

    The first hundred batches count alike, then each new one enters with 1 %.
    """

    batches: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, runs: int, device: torch.device | str = "cpu"):
        super().__init__()
        for name in ("batches", "mean", "square"):
            self.register_buffer(name, torch.zeros(runs, 1, device=device))

    @property
    def std(self) -> Tensor:
        """(S,1) standard deviation."""
        return (self.square - self.mean.square()).clamp(min=0).sqrt()

    def see(self, values: Tensor) -> None:
        """Take in (S,B) values, nan ones apart; a run with none stays as it is."""
        finite = values.isfinite()
        count = finite.sum(1, keepdim=True)
        some = (count > 0).to(values.dtype)
        known = values.where(finite, torch.zeros_like(values))
        self.batches += some
        rate = some * (1 / self.batches.clamp(min=1)).clamp(min=0.01)
        self.mean.lerp_(known.sum(1, keepdim=True) / count.clamp(min=1), rate)
        self.square.lerp_(known.square().sum(1, keepdim=True) / count.clamp(min=1), rate)

    def standardise(self, values: Tensor) -> Tensor:
        """(S,B) values in standard deviations from the mean; nan stays nan."""
        return (values - self.mean) / self.std.clamp(min=1e-6)


def masked_loss(errors: Tensor, known: Tensor) -> Tensor:
    """The sum over runs of each run's mean error over its known samples; a run without any gives 0.

    ``errors`` (S,B) must be finite everywhere: a nan would survive its mask in the gradient.
    """
    return ((errors * known).sum(1) / known.sum(1).clamp(min=1)).sum()


def annealed(weight: float, updates: int, until: int | None) -> float:
    """The weight, falling in a straight line to 0 at ``until`` updates; constant where ``until`` is None."""
    return weight if until is None else weight * max(0.0, 1 - updates / until)


def per_transition(signal: Tensor, batch: Batch) -> Tensor:
    """The signal (S,B) as a shaper returns it; raises ``ValueError`` for any other shape.

    Broadcasting hid the published slips (paper.md §3.3): a batch constant instead of a signal.
    """
    if signal.shape != batch.reward.shape:
        raise ValueError(
            f"a shaping signal of shape {tuple(signal.shape)} for rewards of {tuple(batch.reward.shape)}"
        )
    return signal.detach()
