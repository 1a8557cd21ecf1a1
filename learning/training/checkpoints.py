"""A training's whole state in one file that is either complete or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from stepwatt.formulation import InputError

SCHEMA = "stepwatt.training/1"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write under a temporary name, then rename: whoever reads finds the old file or the new one."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        torch.save({"schema": SCHEMA, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state of ``save_checkpoint``; only tensors and plain values are read, never code.

    Raises InputError where the file is missing or is not a checkpoint of this kind.
    """
    if not path.is_file():
        raise InputError(field="(file)", value=str(path), expected="a checkpoint to resume from")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as why:
        raise InputError(
            field="(file)", value=str(why).splitlines()[0], expected="a readable checkpoint", file=str(path)
        ) from why
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise InputError(field="schema", value=None, expected=SCHEMA, file=str(path))
    return state
