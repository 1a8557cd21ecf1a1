"""Rewards told as better or worse than usual at that time of the episode.

A critic that starts at 0 takes thousands of updates to reach values of, say, 45, and until then the climb
drowns what tells actions apart. Less a running mean, rewards ask for values around 0 from the beginning
(Naik et al. 2024, arXiv 2405.09999). Episodes here are of one length whatever is done, so what depends on the
slot alone changes no policy's rank. A mean of every slot takes away the course of the day, too, and what
potentials take back at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..networks.states import check_like, count
from .transitions import Batch


class Centring:
    """The running mean of each run's rewards by slot, shaped ones included: of all samples so far, then
    of about the last ``memory`` of them, weighted exponentially."""

    def __init__(self, runs: int, device: torch.device, memory: int = 2_000):
        self.memory = memory
        self.mean, self.seen = (torch.zeros(runs, 0, device=device) for _ in range(2))

    def __call__(self, batch: Batch) -> Batch:
        """The batch with rewards less the mean of their slot."""
        slot = batch.slot.long()
        self._reach(int(slot.max()) + 1)
        total, number = (torch.zeros_like(self.mean) for _ in range(2))
        total.scatter_add_(1, slot, batch.reward)
        number.scatter_add_(1, slot, torch.ones_like(batch.reward))
        self.seen = (self.seen + number).clamp(max=self.memory)
        share = number / self.seen.clamp(min=1.0)
        self.mean = torch.lerp(self.mean, total / number.clamp(min=1.0), share.clamp(max=1.0))
        return batch.with_reward(batch.reward - self.mean.gather(1, slot))

    def _reach(self, slots: int) -> None:
        """Room for so many slots."""
        missing = slots - self.mean.shape[1]
        if missing > 0:
            room = self.mean.new_zeros(len(self.mean), missing)
            self.mean, self.seen = torch.cat((self.mean, room), 1), torch.cat((self.seen, room), 1)

    def state_dict(self) -> dict[str, Any]:
        """Means and how many samples they are of."""
        return {"mean": self.mean, "seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self._reach(count(state["mean"].shape[-1], "learner.centring.mean"))
        for name in ("mean", "seen"):
            check_like(state[name], getattr(self, name), f"learner.centring.{name}")
            setattr(self, name, state[name])
