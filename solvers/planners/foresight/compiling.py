"""Whether this machine has the code that foresight runs, and making it with a word."""

from __future__ import annotations

from collections.abc import Callable

from stepwatt.solvers.planners.foresight.dynamic_programs import STORED, WARMED
from stepwatt.solvers.response.interior_point.compiled import METHODS, register_of
from stepwatt.solvers.response.native import Native, warm_up


def functions(general: bool = False, batch: int = 1) -> list[Native]:
    """What plans and responses of so many instances side by side run; ``general``: also those of instances
    with limited links, or with options of their own."""
    methods = [
        method
        for (kind, rare, register), method in METHODS.items()
        if rare <= general and register == register_of(batch, kind)
    ]
    return [*methods, STORED, WARMED]


def ready(general: bool = False, batch: int = 1) -> bool:
    """Whether they run at once."""
    return all(function.ready() for function in functions(general, batch))


def warm(progress: Callable[[str], object], general: bool = False, batch: int = 1) -> None:
    """Make it so; ``progress`` is told "compiling (first use on this machine)" if that takes seconds."""
    warm_up(functions(general, batch), progress)
