"""What a provider proposes: its best trade at the prices, held near the trade it is asked for.

The quadratic term that holds it makes the answer move a little when prices move a little, where the plain
linear problem would jump from nothing to everything. Solved by Clarabel's interior-point method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import clarabel  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.conic.ways import WAYS

from ..highs.scaling import scaling_of
from ..interface.errors import SolverError
from .provider import Asp

Floats = NDArray[np.float64]

_TOLERANCE = 1e-6
_SOLVED = ("Solved", "AlmostSolved")
#: A limit so many times what its row can come to is none; beside it Clarabel calls boxed problems unbounded.
_NEVER = 1000.0
_JOBS = ("transfers", "runs", "lost", "waiting", "sent", "hosted")
_JOB_ROWS = ("waiting_balance", "assignment")


def _settings(way: Mapping[str, Any]) -> Any:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_rel = settings.tol_gap_abs = settings.tol_feas = _TOLERANCE
    for name, value in way.items():
        setattr(settings, name, value)
    return settings


def _largest(matrix: Any, least: Floats, most: Floats) -> Floats:
    """(R,) what the rows can come to at most in the box, in size."""
    found: Floats = np.abs(matrix.maximum(0) @ most + matrix.minimum(0) @ least)
    return found


class Proposer:
    """The quadratic problem of one provider, written down once.

    Args:
        asp: the provider.
    """

    def __init__(self, asp: Asp) -> None:
        from scipy.sparse import diags_array, eye_array, vstack

        self._asp = asp
        p = asp.problem
        scale = scaling_of(p)
        self._column, row = scale.column.copy(), scale.row.copy()
        largest = float(p.upper[p.columns["runs"].ids].max(initial=1.0))
        jobs = float(2.0 ** np.round(np.log2(max(largest / 8, 1.0))))
        for name in _JOBS:
            self._column[p.columns[name].ids] = jobs
        for name in _JOB_ROWS:
            row[p.rows[name].ids] = 1 / jobs
        self._money = scale.objective
        matrix = (diags_array(row) @ p.matrix @ diags_array(self._column)).tocsr()
        lower, upper = p.row_lower * row, p.row_upper * row
        equal = lower == upper
        above, below = ~equal & np.isfinite(upper), ~equal & np.isfinite(lower)
        box = eye_array(len(p.cost), format="csr")
        least, most = p.lower / self._column, p.upper / self._column
        above &= upper <= _NEVER * _largest(matrix, least, most)
        below &= -lower <= _NEVER * _largest(-matrix, least, most)
        # a box without inside would leave an interior-point method no inside either
        fixed = least == most
        parts = [matrix[equal], box[fixed], matrix[above], -matrix[below], box[~fixed], -box[~fixed]]
        sides = [upper[equal], most[fixed], upper[above], -lower[below], most[~fixed], -least[~fixed]]
        self._matrix, self._sides = vstack(parts).tocsc(), np.concatenate(sides)
        settled = int(equal.sum()) + int(fixed.sum())
        self._cones = [clarabel.ZeroConeT(settled), clarabel.NonnegativeConeT(len(self._sides) - settled)]
        traded = np.zeros(len(p.cost))
        traded[p.ids("sent", "hosted")] = 1.0
        self._curvature = diags_array(traded * self._column**2 * self._money).tocsc()

    def propose(self, prices: Floats, asked: Floats, stiffness: float) -> Floats:
        """(J,K,T) net jobs that are best at the prices when straying from ``asked`` costs something:

        half the ``stiffness`` (USD per job²) times the square of the jobs astray, good by good.

        Raises:
            SolverError: Clarabel found no answer.
        """
        asp = self._asp
        cost = asp.priced(prices).cost.copy()
        columns = asp.problem.columns
        cost[columns["sent"].ids] += stiffness * asked[asp.host, asp.sent_class]
        cost[columns["hosted"].ids] -= stiffness * asked[asp.place, asp.hosted_class]
        linear = -cost * self._column * self._money
        for way in WAYS:
            answer = clarabel.DefaultSolver(
                stiffness * self._curvature, linear, self._matrix, self._sides, self._cones, _settings(way)
            ).solve()
            # some trade is always possible, and every column is boxed: all other ends say nothing
            if str(answer.status) in _SOLVED:
                break
        else:
            raise SolverError(f"provider {asp.place} has no proposal: Clarabel ends with {answer.status}")
        x = np.array(answer.x) * self._column
        return asp.net(np.clip(x, asp.problem.lower, asp.problem.upper))
