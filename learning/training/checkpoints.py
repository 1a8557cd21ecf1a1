"""A training's whole state in one file that is either complete or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from stepwatt.formulation import InputError
from stepwatt.formulation.files import replacing, told_as_unwritable

SCHEMA = "stepwatt.training/2"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the file; whoever reads finds the old one or the new one.

    Raises:
        InputError: the place cannot be written, or not all of it.
    """
    with replacing(path) as (partial,), told_as_unwritable(path), partial.open("wb") as file:
        try:
            torch.save({"schema": SCHEMA, **state}, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch hides a full disk behind an error of its own
                raise error.__context__ from error
            raise


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state of ``save_checkpoint``; only tensors and plain values are read, never code.

    Raises InputError where the file is missing or is not a checkpoint of this kind.
    """
    if not path.is_file():
        raise InputError(field="(file)", value=str(path), expected="a checkpoint to resume from")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as why:
        reason = (str(why).splitlines() or [type(why).__name__])[0]
        raise InputError(
            field="(file)", value=reason, expected="a readable checkpoint", file=str(path)
        ) from why
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise InputError(field="schema", value=None, expected=SCHEMA, file=str(path))
    return state
