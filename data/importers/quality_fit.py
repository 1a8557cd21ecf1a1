"""Fit the parametric quality curves of model.md to measured points, by least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from stepwatt.formulation import InputError
from stepwatt.formulation.arguments import reals

Floats = NDArray[np.float64]


#: A curve is fitted only where the points see at least this part of its rise. On the far tail of a sigmoid,
#: floor and span cancel in floating point and anything fits.
_LEAST_PART = 0.02
#: The loss of a curve that is not to be taken, above that of any other.
_NO_FIT = 1e300


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


def fit_quality(steps: ArrayLike, quality: ArrayLike) -> list[Fit]:
    """Exponential, power, logarithmic and sigmoid fits, the smallest RMSE first.

    Kinds with more parameters than there are points are left out.

    Raises:
        InputError: fewer than two different step counts, step counts below 1, or numbers that are not finite.
    """
    s, q = reals(steps, "steps").ravel(), reals(quality, "quality").ravel()
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


def _loss(shapes: Floats, q: Floats) -> Floats:
    """(…) what the best line through each shape (…,S) misses of q (S,), squared."""
    centred, above = shapes - shapes.mean(-1, keepdims=True), q - q.mean()
    spread = (centred**2).sum(-1)
    gain = np.maximum(centred @ above, 0.0) / np.where(spread > 0, spread, 1.0)
    missed = ((above - gain[..., None] * centred) ** 2).sum(-1)
    found: Floats = np.where(np.ptp(shapes, -1) < _LEAST_PART, _NO_FIT, missed)
    return found


def _best(shape: Callable[..., Floats], q: Floats, *ranges: tuple[float, float, int]) -> Floats:
    """The parameters of the best shape, (…) each to (…,S), where the loss is smooth and has several valleys;
    ranges are (lowest, highest, points tried)."""
    axes = [np.linspace(low, high, n) for low, high, n in ranges]
    grid = np.array(np.meshgrid(*axes, indexing="ij")).reshape(len(axes), -1)
    begin = grid[:, np.argmin(_loss(shape(*grid), q))]
    low, high, count = np.array(ranges).T
    # from a simplex that spans a cell of the grid
    steps = (high - low) / (count - 1)
    simplex = np.vstack([begin, begin + np.diag(np.where(begin + steps > high, -steps, steps))])
    fine = {"initial_simplex": simplex, "xatol": 1e-12, "fatol": np.inf, "maxiter": 2_000}
    found = optimize.minimize(
        lambda x: float(_loss(shape(*x), q)),
        begin,
        method="Nelder-Mead",
        bounds=optimize.Bounds(low, high),
        options=fine,
    )
    return np.asarray(found.x)


def _exponential(s: Floats, q: Floats) -> Fit:
    # flatter than 1e-3 over the range is a straight line, steeper than 20 a single step
    def shape(log_rate: ArrayLike) -> Floats:
        curve: Floats = -np.exp(-np.exp(log_rate)[..., None] * (s - s.min()))
        return curve

    [found] = _best(shape, q, (math.log(1e-3 / np.ptp(s)), math.log(20.0), 241))
    rate = math.exp(found)
    fit = _fit("exponential", q, shape(found), ("ceiling", "span"), rate=rate)
    fit.parameters["span"] *= math.exp(rate * float(s.min()))
    return fit


def _power(s: Floats, q: Floats) -> Fit:
    def shape(log_rate: ArrayLike) -> Floats:
        curve: Floats = -((s / s.min()) ** -np.exp(log_rate)[..., None])
        return curve

    [found] = _best(shape, q, (math.log(1e-3), math.log(20.0), 241))
    rate = math.exp(found)
    fit = _fit("power", q, shape(found), ("ceiling", "span"), rate=rate)
    fit.parameters["span"] *= float(s.min()) ** rate
    return fit


def _logarithmic(s: Floats, q: Floats) -> Fit:
    return _fit("logarithmic", q, np.log(s), ("offset", "gain"))


def _sigmoid(s: Floats, q: Floats) -> Fit:
    def shape(log_rate: ArrayLike, midpoint: ArrayLike) -> Floats:
        late = s - np.asarray(midpoint)[..., None]
        curve: Floats = 0.5 * (1.0 + np.tanh(0.5 * np.exp(log_rate)[..., None] * late))
        return curve

    reach = float(np.ptp(s))
    log_rate, midpoint = _best(
        shape,
        q,
        (math.log(1e-2 / reach), math.log(100.0), 51),
        (float(s.min()) - 1.1 * reach, float(s.max()) + 0.1 * reach, 133),
    )
    rate = math.exp(log_rate)
    return _fit("sigmoid", q, shape(log_rate, midpoint), ("floor", "span"), rate=rate, midpoint=midpoint)


_KINDS: tuple[tuple[Callable[[Floats, Floats], Fit], int], ...] = (
    (_exponential, 3),
    (_power, 3),
    (_logarithmic, 2),
    (_sigmoid, 4),
)
