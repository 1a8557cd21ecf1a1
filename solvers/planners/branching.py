"""Branch and bound on a hot linear model, where few columns must be whole.

HiGHS begins every MIP anew, tens of milliseconds even for a slot whose linear model takes one from the last
basis. Where only GPUs and modes have to be whole, rounding them one by one takes a handful of those.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..highs.session import HighsSession, Outcome
from ..interface.deadline import Deadline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WHOLE = 1e-6


def branched(
    session: HighsSession,
    whole: Ints | Callable[[Floats], Ints],
    *,
    nodes: int,
    gap: float = 0.0,
    gap_usd: float = 0.0,
    deadline: Deadline | None = None,
) -> tuple[float, Outcome | None]:
    """Bound (USD) and best point with whole values in some columns, None where none was found.

    Depth first, the nearer side of the most fractional column first.

    Args:
        session: the relaxation; left as it was.
        whole: the columns that must be whole, or which of them must be at a point.
        nodes: linear models solved at most.
        gap: points better by less are not looked for; a share of the money that moves in the relaxation.
        gap_usd: the same in USD.
        deadline: when to stop; the first linear model is solved in any case.
    """
    problem = session.problem
    best: Outcome | None = None
    value, left = -np.inf, -np.inf
    stack: list[tuple[float, Floats, Floats]] = [(np.inf, problem.lower, problem.upper)]
    for node in range(nodes):
        if not stack or (node and deadline is not None and deadline.passed):
            break
        promised, lower, upper = stack.pop()
        if promised <= value + gap_usd:
            left = max(left, promised)
            continue
        _show(session, lower, upper)
        outcome = session.solve()
        if outcome.x is None or outcome.objective is None:
            continue
        if node == 0:
            gap_usd += gap * float(np.abs(problem.cost * outcome.x).sum())
        if outcome.objective <= value + gap_usd:
            left = max(left, outcome.objective)
            continue
        ids = whole(outcome.x) if callable(whole) else whole
        distance = np.abs(outcome.x[ids] - np.round(outcome.x[ids]))
        if distance.max(initial=0.0) <= _WHOLE:
            best, value = outcome, outcome.objective
            continue
        column = ids[np.argmax(distance)]
        below, above = upper.copy(), lower.copy()
        below[column], above[column] = np.floor(outcome.x[column]), np.ceil(outcome.x[column])
        sides = [(outcome.objective, lower, below), (outcome.objective, above, upper)]
        if outcome.x[column] - below[column] < 0.5:
            sides.reverse()
        stack += sides
    _show(session, problem.lower, problem.upper)
    return max([value, left, *(promised for promised, _, _ in stack)]), best


def _show(session: HighsSession, lower: Floats, upper: Floats) -> None:
    now = session.problem
    changed = np.flatnonzero((lower != now.lower) | (upper != now.upper))
    session.change_bounds(changed, lower[changed], upper[changed])
