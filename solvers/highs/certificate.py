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

_EPSILON = float(np.finfo(float).eps)


def safe_bound(p: LinearProblem, row_dual: Floats) -> float:
    """An upper bound (USD) on the maximum of ``p``, integers dropped, valid for any ``row_dual``.

    Multipliers that would charge an infinite side are clipped to zero; rounding of the sums is bounded and
    added. Multipliers too large to compute with give +inf.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        bound = _lagrangian(p, row_dual)
    return bound if np.isfinite(bound) else np.inf


def _lagrangian(p: LinearProblem, row_dual: Floats) -> float:
    y = np.where(np.isfinite(row_dual), row_dual, 0.0)
    y = np.where((y > 0) & ~np.isfinite(p.row_upper), 0.0, y)
    y = np.where((y < 0) & ~np.isfinite(p.row_lower), 0.0, y)
    side = np.where(y > 0, p.row_upper, p.row_lower)
    from_rows = np.where(y == 0, 0.0, y * np.where(y == 0, 0.0, side))
    reduced = p.cost - p.matrix.T @ y
    largest = np.maximum(np.abs(p.lower), np.abs(p.upper))
    # each reduced cost sums as many products as its column has entries
    entries = np.diff(p.matrix.indptr) + 2
    size = np.abs(p.cost) + abs(p.matrix).T @ np.abs(y)
    from_columns = np.maximum(reduced * p.lower, reduced * p.upper)
    rounding = float((entries * _EPSILON * size * largest).sum())
    # numpy sums in pairs above blocks of 128 numbers
    depth = 32 + np.log2(len(from_rows) + len(from_columns) + 1)
    total = float(np.abs(from_rows).sum() + np.abs(from_columns).sum()) + abs(p.offset)
    rounding += float(depth) * _EPSILON * total
    return float(from_rows.sum() + from_columns.sum()) + float(p.offset) + rounding
