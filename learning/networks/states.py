"""Storing and restoring an agent made of networks, optimizers, tensors and generators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stepwatt.formulation import InputError

from .policy import Policy


def check_like(values: Any, model: Tensor, name: str) -> None:
    """Make sure that stored values can stand in for a tensor: native code trusts sizes and types.

    Raises:
        InputError: no tensor, another shape or another type.
    """
    if not isinstance(values, Tensor):
        raise InputError(field=name, value=type(values).__name__, expected="a tensor")
    if values.shape != model.shape or values.dtype != model.dtype:
        told, wanted = (f"{str(t.dtype)[6:]} {tuple(t.shape)}" for t in (values, model))
        raise InputError(field=name, value=told, expected=wanted)


def count(value: Any, name: str) -> int:
    """A stored count.

    Raises:
        InputError: no whole number, or one below 0.
    """
    if type(value) is not int or value < 0:
        raise InputError(field=name, value=value, expected="a whole number of at least 0")
    return value


def restore(part: Any, state: Any, name: str) -> None:
    """Give a network or optimizer a stored state, if it fits.

    Raises:
        InputError: missing or wrong parts; nothing has been run on them then.
    """
    if isinstance(part, nn.Module):
        own = part.state_dict()
        if not isinstance(state, Mapping) or set(state) != set(own):
            raise InputError(field=name, value=type(state).__name__, expected=f"the tensors {', '.join(own)}")
        for key, model in own.items():
            check_like(state[key], model, f"{name}.{key}")
    part.load_state_dict(state)
    if isinstance(part, torch.optim.Optimizer):
        weights = [weight for group in part.param_groups for weight in group["params"]]
        for number, weight in enumerate(weights):
            for key, values in part.state.get(weight, {}).items():
                if key != "step":
                    check_like(values, weight, f"{name}.{number}.{key}")


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
            restore(part, state[name], name)
        for rng, saved in zip(self.rngs, state["rngs"], strict=True):
            rng.set_state(saved.cpu())
        for name, tensor in self._attributes(Tensor):
            check_like(state[name], tensor, name)
            tensor.copy_(state[name])
        self.updates = state["updates"]

    def _attributes(self, *kinds: type) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kinds)]
