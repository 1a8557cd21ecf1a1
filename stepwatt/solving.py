"""``solve`` and ``solve_many`` as people call them: long work tells how far it is, where a person waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from stepwatt import solvers

from .console import Waited, told_progress

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds after which a solve is long.
PATIENCE = 2.0


def _waited_for(title: str, work: Callable[P, R], *, long: bool = False) -> Callable[P, R]:
    """``work`` that tells its progress; at once if it is known to be ``long``."""

    @wraps(work)
    def waited(*arguments: P.args, **named: P.kwargs) -> R:
        given = cast(Waited, named.get("progress"))
        with told_progress(title, given, after=0.0 if long else PATIENCE) as told:
            named["progress"] = told
            return work(*arguments, **named)

    return waited


solve = _waited_for("solve", solvers.solve)

if TYPE_CHECKING:  # with its overloads
    from stepwatt.solvers import solve_many as solve_many
else:
    solve_many = _waited_for("solve-many", solvers.solve_many, long=True)
