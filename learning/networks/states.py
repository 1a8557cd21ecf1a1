"""Storing and restoring an agent made of networks, optimizers and generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn


def state_of(
    parts: Mapping[str, nn.Module | torch.optim.Optimizer], rngs: Sequence[torch.Generator]
) -> dict[str, Any]:
    """The states of all parts by name, and of the generators under ``rngs``."""
    return {
        **{name: part.state_dict() for name, part in parts.items()},
        "rngs": [rng.get_state() for rng in rngs],
    }


def restore(
    parts: Mapping[str, nn.Module | torch.optim.Optimizer],
    rngs: Sequence[torch.Generator],
    state: Mapping[str, Any],
) -> None:
    """Put back what ``state_of`` took."""
    for name, part in parts.items():
        part.load_state_dict(state[name])
    for rng, saved in zip(rngs, state["rngs"], strict=True):
        rng.set_state(saved.cpu())
