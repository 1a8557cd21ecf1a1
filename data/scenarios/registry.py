"""Scenarios by name: functions that build instances."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.registry import Registry

from .jemas import jemas
from .volatile import volatile

SCENARIOS: Registry[Callable[..., Instance]] = Registry("scenario", {"jemas": jemas, "volatile": volatile})
"""Each takes keyword parameters; the command line gives what stands on it, and start, zones, n_slots,
slot_minutes and seed to those that have no default for them."""


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


def needs(name: str, parameter: str) -> bool:
    """Whether the scenario ``name`` takes a parameter of that name and has no default for it."""
    known = inspect.signature(SCENARIOS[name]).parameters
    if parameter not in known:
        return takes(name, parameter)
    return known[parameter].default is inspect.Parameter.empty


def summary(name: str) -> str:
    """What the scenario is, in a line: the first of its docstring."""
    return (inspect.getdoc(SCENARIOS[name]) or "").partition("\n")[0]


def takes(name: str, parameter: str) -> bool:
    """Whether the scenario ``name`` has a parameter of that name, or takes any."""
    known = inspect.signature(SCENARIOS[name]).parameters
    return parameter in known or any(one.kind is one.VAR_KEYWORD for one in known.values())
