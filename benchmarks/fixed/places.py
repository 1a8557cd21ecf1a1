"""What has no name in the public interface, by the modules that it has been in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: The newest first.
PLACES = (
    "stepwatt.solvers.trading",
    "stepwatt.learning.policies.provider_networks",
    "stepwatt.learning.trading",
    "stepwatt.learning.environment.gym_env",
    "stepwatt.learning.gym_env",
)


def named(name: str) -> Any:
    """What is called so in the first place that has it.

    Raises:
        LookupError: none has it.
    """
    for place in PLACES:
        try:
            module = import_module(place)
        except ModuleNotFoundError as missing:
            if not place.startswith(str(missing.name)):
                raise
            continue
        if hasattr(module, name):
            return getattr(module, name)
    raise LookupError(f"{name} is in none of {', '.join(PLACES)}")
