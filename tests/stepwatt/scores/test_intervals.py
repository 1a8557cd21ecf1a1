"""Statistics over seeds and instances: numbers by hand, invariances, intervals that cover what they say."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import t as student
from scipy.stats import trim_mean

from stepwatt.formulation import InputError
from stepwatt.scores.intervals import (
    Interval,
    area_under_curve,
    difference_interval,
    iqm,
    iqm_interval,
    mean_interval,
    median_interval,
    performance_profile,
    probability_of_improvement,
    steps_to_threshold,
    stratified_interval,
)

Floats = NDArray[np.float64]
INTERVALS = [iqm_interval, mean_interval, stratified_interval]

scores = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(-1000, 1000).map(lambda n: n / 8))
)


def ends(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


# ---------------------------------------------------------------- numbers by hand


def test_iqm_leaves_out_the_lowest_and_highest_quarter() -> None:
    assert iqm([[0.0, 100.0, 2.0, 4.0]]) == 3.0
    assert iqm([[1.0], [2.0], [9.0]]) == 4.0, "a quarter of three is none"
    assert iqm([[5.0]]) == 5.0


def test_iqm_is_the_trimmed_mean_of_all_numbers() -> None:
    found = np.random.default_rng(7).lognormal(size=(10, 23))
    assert iqm(found) == pytest.approx(trim_mean(found, 0.25, axis=None), rel=1e-12)


def test_iqm_of_frozen_numbers() -> None:
    found = np.sin(np.arange(60.0)).reshape(10, 6)
    assert iqm(found) == pytest.approx(0.05308203748478488, rel=1e-12)


def test_interval_of_few_runs_on_one_instance_is_students() -> None:
    runs = np.array([1.0, 2.0, 4.0, 9.0, 3.0])
    half = student.ppf(0.975, 4) * runs.std(ddof=1) / math.sqrt(5)
    mean = runs.mean()
    assert ends(mean_interval(runs[:, None], 0)) == pytest.approx((mean, mean - half, mean + half))


def test_one_run_on_one_instance_has_no_interval() -> None:
    for interval in INTERVALS:
        estimate, low, high = ends(interval([[2.5]], 0))
        assert estimate == 2.5
        assert math.isnan(low)
        assert math.isnan(high)


def test_equal_scores_leave_nothing_open() -> None:
    for shape in ((3, 4), (25, 30)):
        for interval in INTERVALS:
            assert ends(interval(np.full(shape, 0.5), 0)) == pytest.approx((0.5, 0.5, 0.5))


def test_improvement_counts_pairs_of_runs_and_halves_ties() -> None:
    ours, reference = [[1.0, 5.0], [3.0, 5.0]], [[2.0, 5.0], [4.0, 6.0]]
    # first instance: 1<2, 1<4, 3<4, not 3<2; second: two ties, two wins
    assert probability_of_improvement(ours, reference, 0).estimate == pytest.approx((3 + 3) / 8)


def test_winning_every_time_is_no_proof_where_times_are_few() -> None:
    won = probability_of_improvement(np.zeros((10, 3)), np.ones((1, 3)), 0)
    assert ends(won) == pytest.approx((1.0, 0.025 ** (1 / 3), 1.0))
    lost = probability_of_improvement(np.ones((4, 1)), np.zeros((8, 1)), 0)
    assert ends(lost) == pytest.approx((0.0, 0.0, 1 - 0.025 ** (1 / 4)))


def test_profile_counts_runs_at_or_below() -> None:
    found = performance_profile([[0.1, 0.2], [0.3, 0.4]], [0.0, 0.1, 0.25, 1.0], 0)
    assert list(found.share) == [0.0, 0.25, 0.5, 1.0]
    assert (found.low <= found.share).all()
    assert (found.share <= found.high).all()


def test_difference_is_that_of_the_means_shown() -> None:
    rng = np.random.default_rng(3)
    ours, reference = rng.normal(size=(4, 9)), rng.normal(size=(6, 9))
    found = difference_interval(ours, reference, 0)
    assert found.estimate == pytest.approx(iqm(ours) - iqm(reference))


def test_pairing_by_instance_removes_what_makes_days_hard() -> None:
    rng = np.random.default_rng(4)
    days = 10 * rng.normal(size=(1, 40))
    ours, reference = days + rng.normal(size=(5, 40)), days + rng.normal(size=(5, 40)) + 2
    paired = difference_interval(ours, reference, 0)
    alone = iqm_interval(ours, 0)
    assert paired.high < 0
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)


def test_area_is_the_mean_height() -> None:
    assert list(area_under_curve([0, 1, 3], [[0.0, 2.0, 2.0], [1.0, 1.0, 1.0]])) == pytest.approx(
        [5 / 3, 1.0]
    )


def test_threshold_is_met_between_points_at_the_start_or_never() -> None:
    curves = [[0.0, 1.0, 3.0], [5.0, 0.0, 0.0], [0.0, 0.0, 1.9], [2.0, 2.0, 2.0]]
    assert list(steps_to_threshold([0, 10, 20], curves, 2.0)) == [15.0, 0.0, math.inf, 0.0]


def test_median_counts_runs_that_never_arrive() -> None:
    found = median_interval([3.0, 1.0, math.inf, 2.0, 5.0, 4.0, 6.0, 7.0, 8.0, math.inf])
    # ten values: the second and the ninth cover 97.9 %
    assert ends(found) == (5.5, 2.0, math.inf)
    assert ends(median_interval([1.0, 2.0, 3.0, 4.0, 5.0])) == (3.0, -math.inf, math.inf)
    assert ends(median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])) == (3.5, 1.0, 6.0)


# ---------------------------------------------------------------- invariances


@given(scores, st.integers(0, 10**6))
def test_order_of_seeds_and_instances_does_not_matter(found: Floats, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = rng.permuted(np.arange(found.shape[0])), rng.permuted(np.arange(found.shape[1]))
    assert iqm(found[np.ix_(*mixed)]) == pytest.approx(iqm(found), abs=1e-9)
    ours, other = iqm_interval(found, 0), iqm_interval(found[np.ix_(*mixed)], 0)
    assert ends(other) == pytest.approx(ends(ours), abs=1e-9, nan_ok=True)


@given(scores, st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale_carry_over(found: Floats, shift: float, scale: float) -> None:
    ours, other = iqm_interval(found, 0), iqm_interval(shift + scale * found, 0)
    expected = [shift + scale * value for value in ends(ours)]
    assert ends(other) == pytest.approx(expected, rel=1e-9, abs=1e-7 * scale, nan_ok=True)


@given(scores)
def test_iqm_lies_between_the_quartiles_extremes_and_inside_its_interval(found: Floats) -> None:
    interval = iqm_interval(found, 0)
    assert found.min() - 1e-9 <= interval.estimate <= found.max() + 1e-9
    assert found.size == 1 or interval.low - 1e-9 <= interval.estimate <= interval.high + 1e-9


@given(scores)
def test_a_policy_is_as_good_as_itself(found: Floats) -> None:
    assert probability_of_improvement(found, found, 0).estimate == pytest.approx(0.5)
    assert difference_interval(found, found, 0).estimate == 0.0


@given(scores)
def test_improvement_one_way_is_none_the_other_way(found: Floats) -> None:
    other = found[::-1] + np.linspace(-3, 3, found.shape[1])
    forth = probability_of_improvement(found, other, 0).estimate
    back = probability_of_improvement(other, found, 0).estimate
    assert forth + back == pytest.approx(1.0)


@given(scores)
def test_profile_rises_from_none_to_all(found: Floats) -> None:
    profile = performance_profile(found, np.linspace(-200, 200, 17), 0)
    assert (np.diff(profile.share) >= -1e-12).all()
    assert (profile.share[0], profile.share[-1]) == pytest.approx((0.0, 1.0))


def test_the_same_seed_gives_the_same_interval() -> None:
    found = np.random.default_rng(0).normal(size=(20, 20))
    assert iqm_interval(found, 5) == iqm_interval(found, 5)
    assert iqm_interval(found, 5) == iqm_interval(found, np.random.default_rng(5))
    assert iqm_interval(found, 5) != iqm_interval(found, 6)


# ---------------------------------------------------------------- coverage


def normal(seeds: int, instances: int, rng: np.random.Generator) -> Floats:
    """Lucky seeds and hard instances, around zero."""
    luck, hardness = 0.5 * rng.normal(size=(seeds, 1)), 2 * rng.normal(size=(1, instances))
    return luck + hardness + rng.normal(size=(seeds, instances))


@pytest.mark.parametrize("interval", [iqm_interval, mean_interval])
@pytest.mark.parametrize(("seeds", "instances"), [(3, 40), (5, 100), (10, 100), (10, 8), (20, 30)])
def test_intervals_cover_what_they_say(interval: Callable[..., Interval], seeds: int, instances: int) -> None:
    rng = np.random.default_rng(1)
    found = [interval(normal(seeds, instances, rng), rng, resamples=300) for _ in range(300)]
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    # three standard errors of 300 trials are 3.8 %
    assert 0.912 <= covered <= 0.988


def test_treating_runs_of_a_policy_as_independent_would_not_cover() -> None:
    """Why the stratified interval is not the one in tables."""
    rng = np.random.default_rng(2)
    found = [stratified_interval(normal(10, 50, rng), rng, resamples=200) for _ in range(100)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) < 0.6


def test_stratified_interval_covers_where_instances_are_given_and_runs_are_apart() -> None:
    rng = np.random.default_rng(3)
    hardness = np.linspace(-1, 1, 8)
    found = [stratified_interval(hardness + rng.normal(size=(20, 8)), rng, resamples=300) for _ in range(200)]
    assert 0.88 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.99


def test_difference_and_improvement_cover_at_ten_seeds() -> None:
    rng = np.random.default_rng(5)
    differences, chances = [], []
    for _ in range(200):
        days = 2 * rng.normal(size=(1, 30))
        ours = days + 0.5 * rng.normal(size=(10, 1)) + rng.normal(size=(10, 30))
        reference = days + 0.5 * rng.normal(size=(10, 1)) + rng.normal(size=(10, 30))
        differences.append(difference_interval(ours, reference, rng))
        chances.append(probability_of_improvement(ours, reference, rng))
    assert 0.90 <= np.mean([one.low <= 0 <= one.high for one in differences]) <= 1.0
    assert 0.90 <= np.mean([one.low <= 0.5 <= one.high for one in chances]) <= 1.0


# ---------------------------------------------------------------- bad input, imports


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: iqm([1.0, 2.0]), "scores"),
        (lambda: iqm(np.zeros((0, 3))), "scores"),
        (lambda: iqm_interval([[1.0, math.nan]], 0), "scores[0, 1]"),
        (lambda: difference_interval([[1.0, 2.0]], [[1.0]], 0), "reference"),
        (lambda: area_under_curve([0, 0], [[1.0, 2.0]]), "steps"),
        (lambda: steps_to_threshold([0, 1, 2], [[1.0, 2.0]], 1.0), "steps"),
        (lambda: median_interval([]), "values"),
    ],
)
def test_bad_scores_are_named(call: Callable[[], Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_statistics_need_no_torch() -> None:
    code = "import sys, stepwatt.scores.intervals; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
