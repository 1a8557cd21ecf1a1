"""What GPU time is worth in a block: the dual prices of its linear program, whatever there is in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

from stepwatt.learning.environment.gpu_time_ahead import TimeAhead, gpu_time_ahead

Floats = NDArray[np.float64]


def drawn(seed: int, load: float, blocks: int = 3) -> dict[str, Any]:
    """Blocks of some sites and classes; longer options earn more, load 1 about fills the fleet."""
    rng = np.random.default_rng(seed)
    sites, classes, options = rng.integers(1, 5), rng.integers(1, 4), 8
    steps = np.linspace(0.3, 2.0, options)
    time = steps * rng.uniform(0.5, 1.5, (sites, classes, 1)) / classes
    net = rng.uniform(0.6, 1.0, (blocks, sites, classes, 1)) * (1 - np.exp(-2 * steps))
    weight = rng.uniform(0.5, 1.5, classes)
    jobs = load * sites * rng.uniform(0.6, 1.4, (blocks, classes))
    return {"net": net, "time": time, "jobs": jobs, "weight": weight / weight.mean()}


def earned(block: int, net: Floats, time: Floats, jobs: Floats, weight: Floats) -> float:
    """The most that the block earns, by HiGHS."""
    sites, classes, _ = time.shape
    place = np.indices(time.shape).reshape(3, -1)
    rows = np.concatenate(
        [time.ravel() * (place[0] == np.arange(sites)[:, None]), place[1] == np.arange(classes)[:, None]]
    )
    gain = (net[block] * weight[:, None]).ravel()
    left = np.concatenate([np.ones(sites), jobs[block]])
    return -float(linprog(-np.where(np.isfinite(gain), gain, -1.0), A_ub=rows, b_ub=left).fun)


def dual(block: int, found: TimeAhead, jobs: Floats, weight: Floats) -> float:
    """What the prices say the block earns at most (weak duality)."""
    return float(found.price[block].sum() + (jobs[block] * weight * found.earned[block]).sum())


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.7, 1.0, 1.5, 3.0]))
def test_prices_prove_nearly_what_the_block_can_earn(seed: int, load: float) -> None:
    given_ = drawn(seed, load)
    found = gpu_time_ahead(**given_)
    for block in range(3):
        most = earned(block, **given_)
        assert most * (1 - 1e-7) <= dual(block, found, given_["jobs"], given_["weight"]) <= 1.03 * most


@given(st.integers(0, 10_000))
def test_time_that_is_left_over_is_worth_nothing_and_jobs_earn_their_best(seed: int) -> None:
    given_ = drawn(seed, 0.01)
    found = gpu_time_ahead(**given_)
    assert (found.price == 0.0).all()
    np.testing.assert_allclose(found.earned, given_["net"].max((1, 3)))


@given(st.integers(0, 10_000), st.data())
def test_prices_move_with_the_sites(seed: int, data: st.DataObject) -> None:
    given_ = drawn(seed, 1.2)
    order = data.draw(st.permutations(range(len(given_["time"]))))
    moved = given_ | {"net": given_["net"][:, order], "time": given_["time"][order]}
    plain, other = gpu_time_ahead(**given_), gpu_time_ahead(**moved)
    np.testing.assert_allclose(other.price, plain.price[:, order], atol=1e-6)
    np.testing.assert_allclose(other.earned, plain.earned, atol=1e-6)


def test_twice_the_fleet_for_twice_the_jobs_costs_the_same() -> None:
    given_ = drawn(1, 1.2)
    doubled = given_ | {
        "net": given_["net"].repeat(2, axis=1),
        "time": given_["time"].repeat(2, axis=0),
        "jobs": 2 * given_["jobs"],
    }
    plain, twice = gpu_time_ahead(**given_), gpu_time_ahead(**doubled)
    np.testing.assert_allclose(twice.earned, plain.earned, atol=0.02)


def test_an_option_that_is_none_and_a_class_worth_nothing_change_no_price() -> None:
    given_ = drawn(2, 1.2)
    given_["net"][..., -1] = -np.inf
    without = given_ | {"net": given_["net"][..., :-1], "time": given_["time"][..., :-1]}
    found, fewer = gpu_time_ahead(**given_), gpu_time_ahead(**without)
    np.testing.assert_allclose(found.price, fewer.price, atol=1e-9)
    given_["weight"] = np.append(given_["weight"], 0.0)
    given_["jobs"] = np.append(given_["jobs"], np.full((3, 1), 5.0), axis=1)
    for name, axis in (("net", 2), ("time", 1)):
        given_[name] = np.append(given_[name], given_[name].take([0], axis), axis=axis)
    idle = gpu_time_ahead(**given_)
    assert np.isfinite(idle.earned).all()
    np.testing.assert_allclose(idle.price, found.price, atol=1e-6)


@pytest.mark.parametrize("time", [0.0, 1e9])
def test_a_site_that_cannot_run_anything_and_one_that_needs_no_time_are_finite(time: float) -> None:
    given_ = drawn(3, 1.0)
    given_["time"][0] = time
    found = gpu_time_ahead(**given_)
    assert np.isfinite(found.price).all()
    assert np.isfinite(found.earned).all()
