"""Concave envelopes of quality curves: the tightest concave bound from above that a cone solver can state.

A curve is clipped to [0, 1] and may be convex somewhere (a sigmoid, a table, or a formula cut off at 0). Its
concave envelope on [low, high] is stated in one of two ways, both exact or above it, never below:

* the curve's own formula, where that is concave on the whole range, with the cap q ≤ 1 as a cut;
* cuts q ≤ a + b·s, the upper hull of a table (exact), or else the chord that leaves from the lower end and
  tangents beyond the point where it touches, dense enough to be within ``tolerance`` of the envelope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..instance.curves import Curve, Exponential, Logarithmic, Piecewise, Power, Sigmoid, Tabulated

Floats = NDArray[np.float64]

#: Every computed cut is lifted by this much quality, so that rounding cannot put it below the curve.
LIFT = 1e-12

#: A curve that rises by less than this over the range is bounded by its highest value.
FLAT = 1e-9

#: A formula that rises by less is stated by tangents: divided by so small a span, a cone is badly scaled.
SMALL_RISE = 1e-2

SmoothConcave = Exponential | Power | Logarithmic


@dataclass(frozen=True)
class Envelope:
    """The smaller of ``formula`` (if any) and all cuts ``intercepts + slopes·s``, for low ≤ s ≤ high."""

    low: float
    high: float
    formula: SmoothConcave | None
    intercepts: Floats
    slopes: Floats

    def __call__(self, steps: ArrayLike) -> Floats:
        """The bound on quality at the given (real) step counts; any shape."""
        s = np.asarray(steps, dtype=float)
        bounds = self.intercepts + self.slopes * s[..., None]
        lowest: Floats = bounds.min(axis=-1, initial=np.inf)
        return lowest if self.formula is None else np.minimum(lowest, self.formula.raw(s))

    @property
    def affine(self) -> bool:
        """Whether one cut says it all."""
        return self.formula is None and len(self.slopes) == 1


def concave_envelope(curve: Curve, low: float, high: float, tolerance: float = 1e-4) -> Envelope:
    """A concave function that is nowhere below the clipped curve on [low, high], 0 < low ≤ high.

    It exceeds the exact concave envelope by no more than ``tolerance``, by less where the curve hardly rises.
    """
    if not 0 < low <= high:
        raise ValueError(f"steps from {low} to {high}: expected 0 < low ≤ high")
    if isinstance(curve, Piecewise | Tabulated):
        return _hull(curve, low, high)
    first, last = curve(np.array([low, high]))
    rise = float(last - first)
    if rise < FLAT:
        return _cuts(low, high, [(low, float(last), 0.0)])
    raw_low, raw_high = curve.raw(np.array([low, high]))
    if isinstance(curve, Exponential | Power | Logarithmic) and raw_low >= 0 and rise >= SMALL_RISE:
        cap = [(low, 1.0, 0.0)] if raw_high > 1 else []
        return _cuts(low, high, cap, formula=curve)
    return _chord_and_tangents(curve, low, high, tolerance * min(1.0, rise / SMALL_RISE))


def _cuts(
    low: float, high: float, lines: list[tuple[float, float, float]], formula: SmoothConcave | None = None
) -> Envelope:
    """Cuts through the points (s, q) with the slopes b of ``lines`` = [(s, q, b)…]."""
    at, value, slope = np.array(lines, dtype=float).reshape(-1, 3).T
    return Envelope(low, high, formula, value - slope * at + LIFT, slope)


def _hull(curve: Piecewise | Tabulated, low: float, high: float) -> Envelope:
    """The upper hull of a clipped table. It bends at its points, at the ends, and where it reaches 1."""
    table = np.array(curve.steps)
    bends = [low, *table[(table > low) & (table < high)], high]
    for (s0, q0), (s1, q1) in _segments(curve, bends):
        if (q0 - 1) * (q1 - 1) < 0:
            bends.append(s0 + (1 - q0) / (q1 - q0) * (s1 - s0))
    at = np.unique(bends)
    upper: list[tuple[float, float]] = []
    for s, q in zip(at, curve(at), strict=True):
        while len(upper) > 1 and _slope(upper[-2], upper[-1]) <= _slope(upper[-2], (s, q)):
            upper.pop()
        upper.append((float(s), float(q)))
    if len(upper) == 1:
        return _cuts(low, high, [(*upper[0], 0.0)])
    return _cuts(low, high, [(*p, _slope(p, q)) for p, q in pairwise(upper)])


def _segments(
    curve: Piecewise | Tabulated, bends: list[float]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    points = list(zip(bends, curve.raw(np.array(bends)).tolist(), strict=True))
    return list(pairwise(points))


def _slope(p: tuple[float, float], q: tuple[float, float]) -> float:
    return (q[1] - p[1]) / (q[0] - p[0])


def _derivative(curve: SmoothConcave | Sigmoid, s: float) -> float:
    """dq/ds of the formula, per step."""
    match curve:
        case Exponential():
            return float(curve.span * curve.rate * np.exp(-curve.rate * s))
        case Power():
            return float(curve.span * curve.rate * s ** (-curve.rate - 1))
        case Logarithmic():
            return curve.gain / s
        case Sigmoid():
            z = np.tanh(0.5 * curve.rate * (s - curve.midpoint))
            return float(0.25 * curve.span * curve.rate * (1 - z * z))


def _chord_and_tangents(
    curve: SmoothConcave | Sigmoid, low: float, high: float, tolerance: float
) -> Envelope:
    """Chord from the lower end to the point where it touches, tangents from there to the end or the cap at 1.

    The formula is increasing and concave from ``bend`` on (a sigmoid beyond its midpoint). Below the touching
    point s* the clipped curve lies under the chord, the steepest of all chords from the lower end:
    raw(s*) − q(low) = raw'(s*)·(s* − low), found by bisection.
    """

    def raw(s: float) -> float:
        return float(curve.raw(np.array(s)))

    def slope(s: float) -> float:
        return _derivative(curve, s)

    start = float(curve(low))
    bend = min(max(low, curve.midpoint), high) if isinstance(curve, Sigmoid) else low
    end, lines = high, []
    if raw(high) > 1:
        end = _root(lambda s: raw(s) - 1, low, high)
        lines.append((low, 1.0, 0.0))
    if bend == low and raw(low) >= 0:
        return _cuts(low, high, lines + _tangents(raw, slope, low, end, tolerance))
    touch = _root(lambda s: raw(s) - start - slope(s) * (s - low), min(bend, end), end)
    lines.append((low, start, (raw(touch) - start) / (touch - low)))
    # the tangent where the chord touches is the chord
    return _cuts(low, high, lines + _tangents(raw, slope, touch, end, tolerance)[1:])


def _tangents(
    raw: Callable[[float], float],
    slope: Callable[[float], float],
    start: float,
    end: float,
    tolerance: float,
) -> list[tuple[float, float, float]]:
    """Tangents of a concave formula from start to end, each as far from the last as ``tolerance`` allows.

    Two tangents are farthest from the formula where they cross.
    """

    def too_far_from(s0: float) -> Callable[[float], float]:
        q0, b0 = raw(s0), slope(s0)

        def excess(s1: float) -> float:
            q1, b1 = raw(s1), slope(s1)
            if b0 <= b1:
                return 0.0
            crossing = min(max((q1 - b1 * s1 - q0 + b0 * s0) / (b0 - b1), s0), s1)
            return q0 + b0 * (crossing - s0) - raw(crossing) - tolerance

        return excess

    points = [start]
    while points[-1] < end:
        points.append(_root(too_far_from(points[-1]), points[-1], end))
    return [(s, raw(s), slope(s)) for s in points]


def _root(increasing: Callable[[float], float], low: float, high: float) -> float:
    """Where a function turns positive between low and high; high where it never does."""
    if increasing(high) <= 0:
        return high
    while low < (middle := 0.5 * (low + high)) < high:
        if increasing(middle) > 0:
            high = middle
        else:
            low = middle
    return high
