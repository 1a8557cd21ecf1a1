"""Fit the parametric quality curves of model.md to measured points, by least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stepwatt.formulation import InputError

Floats = NDArray[np.float64]


#: A curve is fitted only where the points see at least this part of its rise. On the far tail of a sigmoid,
#: floor and span cancel in floating point and anything fits.
_LEAST_PART = 0.02


@dataclass(frozen=True)
class Fit:
    """A fitted curve: ``quality`` is ready for an instance file; errors are of the unclipped curve."""

    kind: str
    parameters: dict[str, float]
    rmse: float
    r2: float

    @property
    def quality(self) -> dict[str, Any]:
        """The JSON of the curve."""
        return {"kind": self.kind, **self.parameters}


def fit_curves(steps: ArrayLike, quality: ArrayLike) -> list[Fit]:
    """Exponential, power, logarithmic and sigmoid fits, the smallest RMSE first.

    Kinds with more parameters than there are points are left out.

    Raises:
        InputError: fewer than two different step counts, step counts below 1, or numbers that are not finite.
    """
    s, q = np.asarray(steps, dtype=float).ravel(), np.asarray(quality, dtype=float).ravel()
    if len(s) != len(q):
        raise InputError(field="quality", value=f"{len(q)} numbers", expected=f"{len(s)}, one per step count")
    for name, values in (("steps", s), ("quality", q)):
        if not np.isfinite(values).all():
            raise InputError(
                field=name, value=float(values[~np.isfinite(values)][0]), expected="a finite number"
            )
    if len(s) and s.min() < 1:
        raise InputError(field="steps", value=float(s.min()), expected="at least 1")
    if len(np.unique(s)) < 2:
        raise InputError(
            field="steps", value=sorted(set(s.tolist())), expected="at least two different step counts"
        )
    fits = [fit(s, q) for fit, size in _KINDS if len(np.unique(s)) >= size]
    return sorted(fits, key=lambda fit: fit.rmse)


def _fit(kind: str, q: Floats, shape: Floats, names: tuple[str, str], **shown: float) -> Fit:
    """q ≈ level + gain·shape with gain ≥ 0, the linear part of every kind."""
    level, gain = _line(shape, q)
    error = q - level - gain * shape
    spread = float(((q - q.mean()) ** 2).sum())
    r2 = 1.0 - float((error**2).sum()) / spread if spread > 0 else 1.0
    parameters = {names[0]: level, names[1]: gain, **shown}
    return Fit(kind, {name: float(value) for name, value in parameters.items()}, _rms(error), r2)


def _line(shape: Floats, q: Floats) -> tuple[float, float]:
    centred = shape - shape.mean()
    spread = float(centred @ centred)
    gain = max(float(centred @ (q - q.mean())) / spread, 0.0) if spread > 0 else 0.0
    return float(q.mean() - gain * shape.mean()), gain


def _rms(error: Floats) -> float:
    return math.sqrt(float((error**2).mean()))


def _loss(shape: Floats, q: Floats) -> float:
    if np.ptp(shape) < _LEAST_PART:
        return math.inf
    level, gain = _line(shape, q)
    return float(((q - level - gain * shape) ** 2).sum())


def _best(loss: Callable[[float], float], lowest: float, highest: float, count: int = 241) -> float:
    """The minimiser of a smooth function of a positive number: a logarithmic grid, then golden section."""
    grid = np.linspace(math.log(lowest), math.log(highest), count)
    values = [loss(math.exp(x)) for x in grid]
    k = int(np.argmin(values))
    a, b = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(50):
        left, right = b - ratio * (b - a), a + ratio * (b - a)
        if loss(math.exp(left)) < loss(math.exp(right)):
            b = right
        else:
            a = left
    return math.exp((a + b) / 2)


def _exponential(s: Floats, q: Floats) -> Fit:
    # flatter than 1e-3 over the range is a straight line, steeper than 20 a single step
    reach = float(np.ptp(s))
    rate = _best(lambda r: _loss(-np.exp(-r * (s - s.min())), q), 1e-3 / reach, 20.0)
    found = _fit("exponential", q, -np.exp(-rate * (s - s.min())), ("ceiling", "span"), rate=rate)
    found.parameters["span"] *= math.exp(rate * float(s.min()))
    return found


def _power(s: Floats, q: Floats) -> Fit:
    rate = _best(lambda r: _loss(-((s / s.min()) ** -r), q), 1e-3, 20.0)
    found = _fit("power", q, -((s / s.min()) ** -rate), ("ceiling", "span"), rate=rate)
    found.parameters["span"] *= float(s.min()) ** rate
    return found


def _logarithmic(s: Floats, q: Floats) -> Fit:
    return _fit("logarithmic", q, np.log(s), ("offset", "gain"))


def _sigmoid(s: Floats, q: Floats) -> Fit:
    def shape(rate: float, midpoint: float) -> Floats:
        return 0.5 * (1.0 + np.tanh(0.5 * rate * (s - midpoint)))

    reach = float(np.ptp(s))
    best = (math.inf, 1.0, float(s.mean()))
    for middle in np.linspace(s.min() - reach, s.max(), 121):
        rate = _best(lambda r, m=middle: _loss(shape(r, m), q), 1e-2 / reach, 20.0, 41)  # type: ignore[misc]
        best = min(best, (_loss(shape(rate, middle), q), rate, float(middle)))
    width = 2 * reach / 120
    for _ in range(60):  # the valley is narrow: shrink the window around the best midpoint
        for middle in (best[2] - width, best[2] + width):
            rate = _best(lambda r, m=middle: _loss(shape(r, m), q), best[1] / 2, best[1] * 2, 11)  # type: ignore[misc]
            best = min(best, (_loss(shape(rate, middle), q), rate, float(middle)))
        width *= 0.75
    _, rate, middle = best
    return _fit("sigmoid", q, shape(rate, middle), ("floor", "span"), rate=rate, midpoint=middle)


_KINDS: tuple[tuple[Callable[[Floats, Floats], Fit], int], ...] = (
    (_exponential, 3),
    (_power, 3),
    (_logarithmic, 2),
    (_sigmoid, 4),
)
