"""Scenarios by name: functions that build instances."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.registry import Registry

from .jemas import jemas

SCENARIOS: Registry[Callable[..., Instance]] = Registry("scenario", {"jemas": jemas})
"""Each takes keyword parameters; the command line gives start, zones, n_slots, slot_minutes, seed and series
to those that take them, training start, zones, n_slots, slot_minutes and integral_jobs to all."""


def scenario(name: str = "jemas", /, **parameters: Any) -> Instance:
    """The scenario ``name`` with the parameters its function documents, e.g. ``start`` and ``seed``.

    Raises:
        InputError: no such scenario, or a parameter that it does not take or refuses.
    """
    build = SCENARIOS[name]
    for parameter, value in parameters.items():
        if not takes(name, parameter):
            known = ", ".join(inspect.signature(build).parameters)
            raise InputError(field=parameter, value=value, expected=f"a parameter of {name}: {known}")
    return build(**parameters)


def takes(name: str, parameter: str) -> bool:
    """Whether the scenario ``name`` has a parameter of that name, or takes any."""
    known = inspect.signature(SCENARIOS[name]).parameters
    return parameter in known or any(one.kind is one.VAR_KEYWORD for one in known.values())
