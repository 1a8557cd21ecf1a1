"""Whether this machine has the code that foresight runs, and making it with a word."""

from __future__ import annotations

from collections.abc import Callable

from stepwatt.solvers.planners.foresight.dynamic_programs import STORED, WARMED
from stepwatt.solvers.response.interior_point.compiled import METHODS
from stepwatt.solvers.response.native import Native, warm_up

FUNCTIONS: dict[bool, tuple[Native, ...]] = {
    general: (*(method for (_, rare), method in METHODS.items() if rare <= general), STORED, WARMED)
    for general in (False, True)
}


def ready(general: bool = False) -> bool:
    """Whether plans and responses run at once; ``general``: also those of instances with limited links, or
    side by side with options of their own."""
    return all(function.ready() for function in FUNCTIONS[general])


def warm(progress: Callable[[str], object], general: bool = False) -> None:
    """Make it so; ``progress`` is told "compiling (first use on this machine)" if that takes seconds."""
    warm_up(FUNCTIONS[general], progress)
