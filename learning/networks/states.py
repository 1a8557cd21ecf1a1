"""Storing and restoring an agent made of networks, optimizers, tensors and generators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    if not isinstance(values, Tensor) or values.layout != torch.strided or values.is_meta:
        raise InputError(field=name, value=type(values).__name__, expected="a tensor of numbers")
    if values.shape != model.shape or values.dtype != model.dtype:
        told, wanted = (f"{str(t.dtype)[6:]} {tuple(t.shape)}" for t in (values, model))
        raise InputError(field=name, value=told, expected=wanted)


def count(value: Any, name: str, most: int | None = None, least: int = 0) -> int:
    """A stored count.

    Raises:
        InputError: no whole number, or one below ``least`` or above ``most``.
    """
    if type(value) is not int or value < least or (most is not None and value > most):
        limit = f"a whole number of at least {least}" + ("" if most is None else f" and at most {most}")
        raise InputError(field=name, value=value, expected=limit)
    return value


def amount(value: Any, name: str) -> float:
    """A stored amount, e.g. of seconds.

    Raises:
        InputError: no finite number of at least 0.
    """
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise InputError(field=name, value=value, expected="a finite number of at least 0")
    return float(value)


def restore_generators(rngs: Sequence[torch.Generator], states: Any, name: str) -> None:
    """Have the generators draw on from where their states were taken.

    Raises:
        InputError: not a state of such a generator for each of them.
    """
    if not isinstance(states, list) or len(states) != len(rngs):
        raise InputError(field=name, value=type(states).__name__, expected=f"a list of {len(rngs)} states")
    for number, (rng, state) in enumerate(zip(rngs, states, strict=True)):
        check_like(state, rng.get_state(), f"{name}[{number}]")
        rng.set_state(state.cpu())


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
    if isinstance(part, torch.optim.Optimizer):
        _check_optimizer(part, state, name)
    part.load_state_dict(state)


def _check_optimizer(part: torch.optim.Optimizer, state: Any, name: str) -> None:
    """Adam's settings are those of the training, its moments are like the weights: fused steps trust both."""
    own = part.state_dict()["param_groups"]
    groups = state["param_groups"]
    fits = isinstance(groups, list) and len(groups) == len(own)
    if not fits or any({**mine, **group} != mine for mine, group in zip(own, groups, strict=True)):
        raise InputError(field=f"{name}.param_groups", value=groups, expected=f"{own} as it was set")
    weights = [weight for group in part.param_groups for weight in group["params"]]
    moments: Mapping[int, Mapping[str, Any]] = state["state"]
    if not set(moments) <= set(range(len(weights))):
        expected = f"the moments of {len(weights)} weights"
        raise InputError(field=f"{name}.state", value=sorted(map(str, moments)), expected=expected)
    for number, entry in moments.items():
        if set(entry) != {"step", "exp_avg", "exp_avg_sq"}:
            expected = "step, exp_avg, exp_avg_sq"
            raise InputError(field=f"{name}.{number}", value=sorted(map(str, entry)), expected=expected)
        for key, values in entry.items():
            like = torch.tensor(0.0) if key == "step" else weights[number]
            check_like(values, like, f"{name}.{number}.{key}")
            if values.stride() != like.stride():
                told, wanted = values.stride(), f"strides {like.stride()}"
                raise InputError(field=f"{name}.{number}.{key}", value=told, expected=wanted)
        if not 0 <= float(entry["step"]) < math.inf:
            raise InputError(field=f"{name}.{number}.step", value=float(entry["step"]), expected="a count")


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
        restore_generators(self.rngs, state["rngs"], "agent.rngs")
        for name, tensor in self._attributes(Tensor):
            check_like(state[name], tensor, name)
            tensor.copy_(state[name])
        self.updates = count(state["updates"], "agent.updates")

    def _attributes(self, *kinds: type) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kinds)]
