"""Bounds that hold whatever the accuracy of a cone solver: weak duality with its residuals charged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def safe_bound(data: dict[str, Any], z: Floats, upper: Floats) -> float:
    """A lower bound on min c·x, A x + s = b, s ∈ K, 0 ≤ x ≤ upper, whatever the accuracy of the duals z.

    For z in the dual cone, c·x = (c + Aᵀz)·x − b·z + s·z ≥ Σ min(0, (c + Aᵀz)·upper) − b·z: what the dual
    equations miss is charged at the bounds of the variables. z is first moved into the dual cone, and what
    floating-point sums of this length can lose is subtracted.
    """
    matrix, b, c = data["A"].tocsr(), data["b"], data["c"]
    z = _into_dual_cone(z.copy(), data["dims"])
    residual = c + matrix.T @ z
    longest = int(np.diff(matrix.tocsc().indptr).max(initial=0)) + 2
    size = upper @ (np.abs(c) + np.abs(matrix).T @ np.abs(z))
    rounding = np.finfo(float).eps * (longest * size + len(b) * float(np.abs(b) @ np.abs(z)))
    return float(np.minimum(residual * upper, 0.0).sum() - b @ z - rounding)


def _into_dual_cone(z: Floats, dims: Any) -> Floats:
    """The dual vector, changed as little as rounding asks for to lie in the dual cone.

    Dual of {y·exp(x/y) ≤ z}: u < 0, −u·exp(v/u − 1) ≤ w.
    """
    start = dims.zero + dims.nonneg
    if len(z) != start + 3 * dims.exp:
        raise ValueError("expected zero, nonnegative and exponential cones only")
    z[dims.zero : start] = np.maximum(z[dims.zero : start], 0.0)
    u, v, w = z[start:].reshape(-1, 3).T
    u[:] = np.minimum(u, -1e-300)
    with np.errstate(over="ignore"):
        w[:] = np.maximum(w, -u * np.exp(v / u - 1) * (1 + 1e-12))
    return z
