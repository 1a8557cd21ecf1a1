"""``solve`` as people call it: one that is long tells how far it is, where a person waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from stepwatt import solvers

from .console import Waited, told_progress

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds after which a solve is long.
PATIENCE = 2.0


def _waited_for(work: Callable[P, R]) -> Callable[P, R]:
    @wraps(work)
    def waited(*arguments: P.args, **named: P.kwargs) -> R:
        given = cast(Waited, named.get("progress"))
        with told_progress("solve", given, after=PATIENCE) as told:
            named["progress"] = told
            return work(*arguments, **named)

    return waited


solve = _waited_for(solvers.solve)
