"""Whether this machine has the code that foresight runs, and making it with a word."""

from __future__ import annotations

from collections.abc import Callable

from stepwatt.solvers.planners.foresight.dynamic_programs import STORED, WARMED
from stepwatt.solvers.response.interior_point.compiled import METHODS
from stepwatt.solvers.response.native import Native, warm_up

FUNCTIONS: tuple[Native, ...] = (*METHODS.values(), STORED, WARMED)


def ready() -> bool:
    """Whether the first plan and the first response run at once."""
    return all(function.ready() for function in FUNCTIONS)


def warm(progress: Callable[[str], object]) -> None:
    """Make it ready; ``progress`` is told "compiling (first use on this machine)" if that takes seconds."""
    warm_up(FUNCTIONS, progress)
