"""A bound that does not trust the solver: any multipliers give one, if it is computed honestly.

For maximise c·x with row_lower ≤ Ax ≤ row_upper and a finite box for x, every y bounds the maximum by
Σ max(y·row sides) + Σ max over the box of (c − Aᵀy)·x (Lagrangian weak duality; Neumaier and Shcherbina 2004
for the treatment of rounding). Wrong or noisy duals only make it looser.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import LinearProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EPSILON = float(np.finfo(float).eps)


def safe_bound(p: LinearProblem, row_dual: Floats) -> float:
    """An upper bound (USD) on the maximum of ``p``, integers dropped, valid for any ``row_dual``.

    Multipliers that would charge an infinite side are clipped to zero; rounding of the sums is bounded and
    added. Multipliers too large to compute with give +inf.
    """
    return DualBound(p, row_dual).value


class DualBound:
    """The bound of :func:`safe_bound` (``value``), and that with other bounds on a few columns."""

    def __init__(self, p: LinearProblem, row_dual: Floats) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            self._sum_up(p, row_dual)

    def within(self, columns: Ints, lower: Floats, upper: Floats) -> float:
        """The bound where these columns, each named once, have these bounds: work for no others."""
        with np.errstate(over="ignore", invalid="ignore"):
            new = np.maximum(self._reduced[columns] * lower, self._reduced[columns] * upper)
            old = self._from_columns[columns]
            change = float((new - old).sum())
            rounding = float((self._slack[columns] * np.maximum(np.abs(lower), np.abs(upper))).sum())
            size = self._size + float(np.abs(new).sum() + np.abs(old).sum())
            # two more sums, and that of both
            rounding += (4 + 2 * len(columns)) * _EPSILON * size
            bound = self.value + change + rounding
        return bound if np.isfinite(bound) else np.inf

    def _sum_up(self, p: LinearProblem, row_dual: Floats) -> None:
        y = np.where(np.isfinite(row_dual), row_dual, 0.0)
        y = np.where((y > 0) & ~np.isfinite(p.row_upper), 0.0, y)
        y = np.where((y < 0) & ~np.isfinite(p.row_lower), 0.0, y)
        side = np.where(y > 0, p.row_upper, p.row_lower)
        from_rows = np.where(y == 0, 0.0, y * np.where(y == 0, 0.0, side))
        self._reduced = p.cost - p.matrix.T @ y
        largest = np.maximum(np.abs(p.lower), np.abs(p.upper))
        # each reduced cost sums as many products as its column has entries
        entries = np.diff(p.matrix.indptr) + 2
        self._slack = entries * _EPSILON * (np.abs(p.cost) + abs(p.matrix).T @ np.abs(y))
        self._from_columns = np.maximum(self._reduced * p.lower, self._reduced * p.upper)
        rounding = float((self._slack * largest).sum())
        # numpy sums in pairs above blocks of 128 numbers
        depth = 32 + np.log2(len(from_rows) + len(self._from_columns) + 1)
        self._size = float(np.abs(from_rows).sum() + np.abs(self._from_columns).sum()) + abs(p.offset)
        rounding += float(depth) * _EPSILON * self._size
        bound = float(from_rows.sum() + self._from_columns.sum()) + float(p.offset) + rounding
        self.value = bound if np.isfinite(bound) else np.inf
