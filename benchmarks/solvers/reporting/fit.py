"""How time and memory grow with size: the exponent of a power law, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class PowerLaw:
    """y = factor · x^exponent; ``low`` and ``high`` are the 95 % confidence interval of the exponent."""

    exponent: float
    low: float
    high: float
    factor: float

    def __str__(self) -> str:
        if not np.isfinite(self.low):
            return f"{self.exponent:.2f} (two sizes, no interval)"
        return f"{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"


def power_law(x: Sequence[float], y: Sequence[float]) -> PowerLaw | None:
    """Least squares on logarithms; None with fewer than two different sizes."""
    if len(set(x)) < 2:
        return None
    u, v = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    spread = ((u - u.mean()) ** 2).sum()
    exponent = float(((u - u.mean()) * v).sum() / spread)
    level = float(v.mean() - exponent * u.mean())
    freedom, width = len(u) - 2, float("inf")
    if freedom > 0:
        rest = v - level - exponent * u
        error = float(np.sqrt((rest**2).sum() / freedom / spread))
        width = float(stats.t.ppf(0.975, freedom)) * error
    return PowerLaw(exponent, exponent - width, exponent + width, float(np.exp(level)))
