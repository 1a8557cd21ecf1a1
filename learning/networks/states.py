"""Storing and restoring an agent made of networks, optimizers, tensors and generators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .policy import Policy


class StoredAgent:
    """An agent whose state lies in its attributes: networks, optimizers, tensors, ``rngs`` and ``updates``.

    Checkpoints name each by its attribute, so that renaming one makes a new format.
    """

    actor: Policy
    rngs: list[torch.Generator]
    updates: int

    def policy(self, run: int | None = None) -> Policy:
        """The deterministic policy: the trained one of all runs, or a copy of one run's (S = 1)."""
        return self.actor if run is None else self.actor.one_run(run)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here."""
        parts = {name: part.state_dict() for name, part in self._attributes(nn.Module, torch.optim.Optimizer)}
        tensors = {name: tensor.detach() for name, tensor in self._attributes(Tensor)}
        return {**parts, "rngs": [rng.get_state() for rng in self.rngs], **tensors, "updates": self.updates}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        for name, part in self._attributes(nn.Module, torch.optim.Optimizer):
            part.load_state_dict(state[name])
        for rng, saved in zip(self.rngs, state["rngs"], strict=True):
            rng.set_state(saved.cpu())
        for name, tensor in self._attributes(Tensor):
            tensor.copy_(state[name])
        self.updates = state["updates"]

    def _attributes(self, *kinds: type) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kinds)]
