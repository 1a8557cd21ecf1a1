"""What runs over seeds and instances say of a policy: estimates with 95 % intervals.

Scores are matrices (S,N): run (seed) s on instance n. Runs and instances are both samples, and all scores
of a run share its luck, those of an instance its difficulty; whoever counts the S·N numbers as independent
is far too sure. So whole rows and whole columns are resampled (two-way, the "pigeonhole" bootstrap of Owen
2007), policies are compared on the same instances, and the interquartile mean stands for the typical run
(Agarwal et al. 2021, arXiv 2108.13264).

Intervals are percentiles of the bootstrap where there are :data:`PERCENTILE_FROM` seeds and instances or
more. With fewer they would be too narrow (ten normal runs: 90 % instead of 95 %), so the standard error is
that of the two-way jackknife (sum over the axes, which counts their interaction twice) and the quantile
Student's, with degrees of freedom after Satterthwaite. An axis of length one is taken as given, not as a
sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from stepwatt.formulation import InputError

Floats = NDArray[np.float64]
#: Weights of the levels of each axis, (R,levels) each, to R values (R,) or (R,X) of an estimate.
_Estimate = Callable[[Sequence[Floats]], Floats]

#: Share of intervals that are to cover what they estimate.
LEVEL = 0.95
#: Levels of every sampled axis from which on the bootstrap's percentiles are used.
PERCENTILE_FROM = 20
RESAMPLES = 5_000
#: Numbers held at a time (32 MB).
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; ``low`` and ``high`` are NaN where nothing was sampled twice."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Profile:
    """Share of runs with gap ≤ ``x``, with pointwise 95 % bands; all (X,)."""

    x: Floats
    share: Floats
    low: Floats
    high: Floats


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean without the lowest and the highest quarter (rounded down) of all numbers.

    Args:
        scores: (S,N), runs × instances.

    Raises:
        InputError: no matrix, an empty one, or a number that is not finite.
    """
    return float(_iqms(_matrix(scores, "scores"))([np.ones((1, n)) for n in np.shape(scores)])[0])


def iqm_interval(
    scores: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES
) -> Interval:
    """Interquartile mean of (S,N) scores with its two-way interval.

    Raises:
        InputError: no matrix, an empty one, or a number that is not finite.
    """
    found = _matrix(scores, "scores")
    return _interval(_iqms(found), found.shape, rng, resamples)


def mean_interval(
    scores: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES
) -> Interval:
    """Mean of (S,N) scores with its two-way interval.

    Raises:
        InputError: no matrix, an empty one, or a number that is not finite.
    """
    found = _matrix(scores, "scores")

    def means(weights: Sequence[Floats]) -> Floats:
        of_runs, of_instances = weights
        sums: Floats = ((of_runs @ found) * of_instances).sum(axis=1)
        return sums / found.size

    return _interval(means, found.shape, rng, resamples)


def stratified_interval(
    scores: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES
) -> Interval:
    """Interquartile mean with the stratified percentile interval of Agarwal et al. 2021 (as in rliable).

    Runs are drawn for each instance by itself and the instances are given: for runs trained on one instance
    each, and for numbers to hold beside published ones. One run tested on all instances has the same luck on
    each, so there this interval is too narrow; with few seeds it is in any case.

    Raises:
        InputError: no matrix, an empty one, or a number that is not finite.
    """
    found = _matrix(scores, "scores")
    runs, instances = found.shape
    generator = np.random.default_rng(rng)
    flat = np.sort(found, axis=None)
    run_of, instance_of = np.unravel_index(np.argsort(found, axis=None), found.shape)
    parts = []
    for count in _chunks(resamples, found.size):
        drawn = _counts(generator, runs, count * instances).reshape(count, instances, runs)
        parts.append(_trimmed(flat, drawn[:, instance_of, run_of]))
    if runs == 1:
        return Interval(iqm(found), math.nan, math.nan)
    low, high = _percentiles(np.concatenate(parts))
    return Interval(iqm(found), float(low), float(high))


def difference_interval(
    scores: ArrayLike, reference: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES
) -> Interval:
    """Interquartile mean of ``scores`` (S,N) less that of ``reference`` (S',N), paired by instance.

    Seeds of the two policies are drawn apart, instances together: what makes a day hard is hard for both.

    Raises:
        InputError: no matrices, not the same number of instances, or a number that is not finite.
    """
    ours, theirs = _pair(scores, reference)
    our_iqms, their_iqms = _iqms(ours), _iqms(theirs)

    def differences(weights: Sequence[Floats]) -> Floats:
        of_ours, of_theirs, of_instances = weights
        return our_iqms([of_ours, of_instances]) - their_iqms([of_theirs, of_instances])

    return _interval(differences, (len(ours), *theirs.shape), rng, resamples)


def probability_of_improvement(
    gaps: ArrayLike, reference: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES
) -> Interval:
    """How often a run of the policy has the lower gap than a run of the reference on the same instance.

    Mean over all pairs of runs and all instances; a tie counts half. Where the same policy wins every time
    nothing is spread, and the interval is that of as many successes as the shortest sampled axis is long
    (Clopper and Pearson 1934).

    Args:
        gaps: (S,N), less is better.
        reference: (S',N) on the same instances.
        rng: generator or seed of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        InputError: no matrices, not the same number of instances, or a number that is not finite.
    """
    ours, theirs = _pair(gaps, reference)
    won = (ours[:, None, :] < theirs[None, :, :]) + 0.5 * (ours[:, None, :] == theirs[None, :, :])
    pairs = won.reshape(-1, ours.shape[1]).T

    def shares(weights: Sequence[Floats]) -> Floats:
        of_ours, of_theirs, of_instances = weights
        by_pair = (of_instances @ pairs).reshape(-1, len(ours), len(theirs))
        sums: Floats = np.einsum("ra,rab,rb->r", of_ours, by_pair, of_theirs, optimize=True) / won.size
        return sums

    levels = (len(ours), *theirs.shape)
    found = _interval(shares, levels, rng, resamples)
    low, high = _share(found.low), _share(found.high)
    fewest = min((n for n in levels if n > 1), default=0)
    if fewest and won.min() == won.max() != 0.5:
        reach = ((1 - LEVEL) / 2) ** (1 / fewest)
        low, high = (reach, 1.0) if won.min() == 1.0 else (0.0, 1.0 - reach)
    return Interval(found.estimate, low, high)


def performance_profile(
    gaps: ArrayLike, x: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES
) -> Profile:
    """Share of runs with gap ≤ x, for every x.

    Args:
        gaps: (S,N), less is better.
        x: (X,) gaps at which to look.
        rng: generator or seed of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        InputError: no matrix, an empty one, or a number that is not finite.
    """
    found = _matrix(gaps, "gaps")
    at = np.asarray(x, dtype=float)
    runs, instances = found.shape
    reached = (found[:, :, None] <= at).astype(float)

    def shares(weights: Sequence[Floats]) -> Floats:
        of_runs, of_instances = weights
        parts = []
        start = 0
        for count in _chunks(len(of_runs), instances * len(at)):
            rows = slice(start, start + count)
            by_instance = (of_runs[rows] @ reached.reshape(runs, -1)).reshape(count, instances, len(at))
            parts.append(np.einsum("rnx,rn->rx", by_instance, of_instances[rows]))
            start += count
        return np.concatenate(parts) / found.size

    point, low, high = _ends(shares, found.shape, rng, resamples)
    return Profile(at, point, np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0))


def area_under_curve(steps: ArrayLike, values: ArrayLike) -> Floats:
    """Mean height (S,) of learning curves: the area by trapezoids over the range of steps.

    Args:
        steps: (K,) rising: environment steps, gradient updates or seconds.
        values: (S,K), one curve per seed.

    Raises:
        InputError: shapes that do not fit, steps that do not rise, or a number that is not finite.
    """
    at, curves = _curves(steps, values)
    areas: Floats = np.trapezoid(curves, at, axis=1) / (at[-1] - at[0])
    return areas


def steps_to_threshold(steps: ArrayLike, values: ArrayLike, threshold: float) -> Floats:
    """Where each curve first reaches the threshold (S,), on straight lines between its points; inf if never.

    Arguments and errors as for :func:`area_under_curve`; curves rise as learning goes on.
    """
    at, curves = _curves(steps, values)
    reached = curves >= threshold
    after = reached.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(curves))
    low, high = curves[rows, before], curves[rows, after]
    rise = np.where(after > before, high - low, 1.0)
    part = np.where(after > before, (threshold - low) / np.where(rise > 0, rise, 1.0), 0.0)
    crossing = at[before] + part * (at[after] - at[before])
    return np.where(reached.any(axis=1), crossing, np.inf)


def median_interval(values: ArrayLike) -> Interval:
    """Median of (S,) values, infinite ones included, with the interval between order statistics.

    It covers at least 95 % whatever the distribution (the sign test turned round), so that runs that never
    reach a threshold need no guess. Fewer than six values cannot bound a median: the ends are infinite.

    Raises:
        InputError: no values, or one that is not a number.
    """
    found = np.sort(np.asarray(values, dtype=float))
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise InputError(field="values", value=values, expected="a row of numbers")
    count = len(found)
    below = np.cumsum([math.comb(count, k) for k in range(count + 1)]) / 2**count
    rank = int(np.searchsorted(below, (1 - LEVEL) / 2, side="right"))
    low, high = (found[rank - 1], found[count - rank]) if rank else (-math.inf, math.inf)
    return Interval(float(np.median(found)), float(low), float(high))


def _iqms(scores: Floats) -> _Estimate:
    """Interquartile means under weights of runs and instances that sum to S and N."""
    flat = np.sort(scores, axis=None)
    run_of, instance_of = np.unravel_index(np.argsort(scores, axis=None), scores.shape)

    def iqms(weights: Sequence[Floats]) -> Floats:
        of_runs, of_instances = weights
        parts = []
        start = 0
        for count in _chunks(len(of_runs), scores.size):
            rows = slice(start, start + count)
            parts.append(_trimmed(flat, of_runs[rows][:, run_of] * of_instances[rows][:, instance_of]))
            start += count
        return np.concatenate(parts)

    return iqms


def _trimmed(ascending: Floats, weights: Floats) -> Floats:
    """Mean of (M,) sorted numbers under (R,M) weights that sum to M, without a quarter at each end."""
    total = len(ascending)
    cut = total // 4
    upto = np.clip(np.cumsum(weights, axis=1), cut, total - cut)
    kept = np.diff(upto, axis=1, prepend=cut)
    means: Floats = kept @ ascending / (total - 2 * cut)
    return means


def _interval(
    estimate: _Estimate, levels: Sequence[int], rng: np.random.Generator | int, resamples: int
) -> Interval:
    point, low, high = _ends(estimate, levels, rng, resamples)
    return Interval(float(point), float(low), float(high))


def _ends(
    estimate: _Estimate, levels: Sequence[int], rng: np.random.Generator | int, resamples: int
) -> tuple[Floats, Floats, Floats]:
    """Estimate, low and high end; ``levels`` are the lengths of the axes that are weighted."""
    point = estimate([np.ones((1, n)) for n in levels])[0]
    sampled = [n for n in levels if n > 1]
    if not sampled:
        return point, np.full_like(point, np.nan), np.full_like(point, np.nan)
    if min(sampled) >= PERCENTILE_FROM:
        generator = np.random.default_rng(rng)
        low, high = _percentiles(estimate([_counts(generator, n, resamples) for n in levels]))
        return point, low, high
    half = _student_half_width(estimate, levels)
    return point, point - half, point + half


def _student_half_width(estimate: _Estimate, levels: Sequence[int]) -> Floats:
    """Half an interval from the jackknife over each axis in turn."""
    variance: Floats | float = 0.0
    by_freedom: Floats | float = 0.0
    for axis, count in enumerate(levels):
        if count == 1:
            continue
        weights = [np.ones((count, n)) for n in levels]
        weights[axis] = (1 - np.eye(count)) * count / (count - 1)
        left_out = estimate(weights)
        spread = (count - 1) / count * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
        variance = variance + spread
        by_freedom = by_freedom + spread**2 / (count - 1)
    total, parts = np.asarray(variance), np.asarray(by_freedom)
    # without any spread the width is zero whatever the freedom
    freedom = np.where(parts > 0, total**2 / np.where(parts > 0, parts, 1.0), 1.0)
    half: Floats = stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(total)
    return half


def _percentiles(draws: Floats) -> tuple[Floats, Floats]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _counts(rng: np.random.Generator, levels: int, resamples: int) -> Floats:
    """(R,levels): how often each level is drawn when as many are drawn with replacement."""
    drawn = rng.integers(levels, size=(resamples, levels)) + levels * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * levels)
    return counts.reshape(resamples, levels).astype(float)


def _chunks(rows: int, width: int) -> list[int]:
    """Row counts that add up to ``rows``, few enough at a time for memory."""
    most = max(1, _AT_ONCE // width)
    return [min(most, rows - start) for start in range(0, rows, most)]


def _share(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))


def _matrix(scores: ArrayLike, name: str) -> Floats:
    found = np.asarray(scores, dtype=float)
    if found.ndim != 2 or not found.size:
        expected = "a matrix, runs x instances"
        raise InputError(field=name, value=f"shape {found.shape}", expected=expected)
    if not np.isfinite(found).all():
        bad = tuple(int(place) for place in np.argwhere(~np.isfinite(found))[0])
        raise InputError(field=f"{name}{list(bad)}", value=float(found[bad]), expected="a finite number")
    return found


def _pair(scores: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    ours, theirs = _matrix(scores, "scores"), _matrix(reference, "reference")
    if ours.shape[1] != theirs.shape[1]:
        expected = f"{ours.shape[1]}, the same instances for both"
        raise InputError(field="reference", value=f"{theirs.shape[1]} instances", expected=expected)
    return ours, theirs


def _curves(steps: ArrayLike, values: ArrayLike) -> tuple[Floats, Floats]:
    at, curves = np.asarray(steps, dtype=float), _matrix(values, "values")
    if at.shape != curves.shape[1:] or len(at) < 2 or not (np.diff(at) > 0).all():
        expected = f"{curves.shape[1]} rising numbers, two or more"
        raise InputError(field="steps", value=steps, expected=expected)
    return at, curves
