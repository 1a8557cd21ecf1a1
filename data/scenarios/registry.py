"""Scenarios by name: a plain registry of functions that build instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepwatt.formulation import InputError, Instance

from .jemas import jemas

SCENARIOS: dict[str, Callable[..., Instance]] = {"jemas": jemas}
"""Add a function of keyword parameters here to add a scenario."""


def scenario(name: str = "jemas", /, **parameters: Any) -> Instance:
    """The scenario ``name`` with the parameters its function documents, e.g. ``start`` and ``seed``."""
    if name not in SCENARIOS:
        raise InputError(field="scenario", value=name, expected="one of " + ", ".join(SCENARIOS))
    return SCENARIOS[name](**parameters)
