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
    jobs = load * rng.uniform(0.6, 1.4, (blocks, sites, classes))
    moving = rng.uniform(0.0, 0.3, (sites, sites, classes)) * (1 - np.eye(sites))[..., None]
    return {
        "net": net,
        "time": time,
        "jobs": jobs,
        "weight": weight / weight.mean(),
        "moving": moving,
        "lost": rng.uniform(0.0, 0.5, classes),
    }


def earned(
    block: int, net: Floats, time: Floats, jobs: Floats, weight: Floats, moving: Floats, lost: Floats
) -> float:
    """The most that the block earns, by HiGHS."""
    origins, sites, classes = moving.shape
    # instead of being lost, a job of an origin and class earns so much with an option of a site
    gain = net[block][None] - moving[..., None] + lost[:, None]
    origin, site, kind, _ = np.indices(gain.shape).reshape(4, -1)
    taken = np.broadcast_to(time, gain.shape).ravel()
    whose = origin * classes + kind
    rows = np.concatenate(
        [
            taken * (site == np.arange(sites)[:, None]),
            (whose == np.arange(origins * classes)[:, None]).astype(float),
        ]
    )
    worth = np.broadcast_to((gain * weight[:, None]), gain.shape).ravel()
    left = np.concatenate([np.ones(sites), jobs[block].ravel()])
    most = -float(linprog(-np.where(np.isfinite(worth), worth, -1.0), A_ub=rows, b_ub=left).fun)
    return most - float((jobs[block] * weight * lost).sum())


def dual(block: int, found: TimeAhead, jobs: Floats, weight: Floats) -> float:
    """What the prices say the block earns at most (weak duality)."""
    return float(found.price[block].sum() + (jobs[block] * weight * found.earned[block]).sum())


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.7, 1.0, 1.5, 3.0]))
def test_prices_prove_nearly_what_the_block_can_earn(seed: int, load: float) -> None:
    given_ = drawn(seed, load)
    found = gpu_time_ahead(**given_)
    for block in range(3):
        most = earned(block, **given_)
        # measured from where every job is lost
        nothing = -float((given_["jobs"][block] * given_["weight"] * given_["lost"]).sum())
        proven = dual(block, found, given_["jobs"], given_["weight"])
        assert (most - nothing) * (1 - 1e-7) <= proven - nothing <= 1.02 * (most - nothing)


@given(st.integers(0, 10_000))
def test_time_that_is_left_over_is_worth_nothing_and_jobs_earn_their_best(seed: int) -> None:
    given_ = drawn(seed, 0.01)
    found = gpu_time_ahead(**given_)
    assert (found.price == 0.0).all()
    offered = given_["net"].max(-1)[:, None] - given_["moving"]
    np.testing.assert_allclose(found.earned, offered.max(2))


@given(st.integers(0, 10_000), st.data())
def test_prices_move_with_the_sites(seed: int, data: st.DataObject) -> None:
    given_ = drawn(seed, 1.2)
    order = data.draw(st.permutations(range(len(given_["time"]))))
    moved = given_ | {
        "net": given_["net"][:, order],
        "time": given_["time"][order],
        "jobs": given_["jobs"][:, order],
        "moving": given_["moving"][order][:, order],
    }
    plain, other = gpu_time_ahead(**given_), gpu_time_ahead(**moved)
    np.testing.assert_allclose(other.price, plain.price[:, order], atol=1e-6)
    np.testing.assert_allclose(other.earned, plain.earned[:, order], atol=1e-6)


def test_where_time_is_short_a_job_is_worth_less_than_nothing_but_never_less_than_its_loss() -> None:
    given_ = drawn(4, 20.0)
    found = gpu_time_ahead(**given_)
    assert found.earned.min() < 0.0
    assert (found.earned >= -given_["lost"] - 1e-12).all()


def test_a_job_that_costs_more_to_move_than_it_earns_elsewhere_waits_for_its_own_site() -> None:
    """The busy site's time is dear, and dearer than the idle site's by no more than moving costs."""
    steps = np.array([0.5, 1.0])
    given_ = {
        "net": np.tile(1 - np.exp(-2 * steps), (1, 2, 1, 1)),
        "time": np.tile(steps, (2, 1, 1)),
        "jobs": np.array([[[3.0], [0.1]]]),
        "weight": np.ones(1),
        "lost": np.zeros(1),
    }
    apart = {cost: cost * (1 - np.eye(2))[..., None] for cost in (0.0, 0.1, 10.0)}
    free, dear, never = (gpu_time_ahead(**given_, moving=apart[cost]) for cost in (0.0, 0.1, 10.0))
    np.testing.assert_allclose(free.price[0, 0], free.price[0, 1], atol=1e-3)
    assert dear.price[0, 0] > dear.price[0, 1] > 0.0
    assert never.price[0, 1] == 0.0
    np.testing.assert_allclose(never.earned[0, 1, 0], given_["net"].max())


def test_twice_the_fleet_for_twice_the_jobs_costs_the_same() -> None:
    given_ = drawn(1, 1.2)
    doubled = given_ | {
        "net": given_["net"].repeat(2, axis=1),
        "time": given_["time"].repeat(2, axis=0),
        "jobs": given_["jobs"].repeat(2, axis=1),
        "moving": given_["moving"].repeat(2, axis=0).repeat(2, axis=1),
    }
    plain, twice = gpu_time_ahead(**given_), gpu_time_ahead(**doubled)
    np.testing.assert_allclose(twice.earned[:, ::2], plain.earned, atol=0.02)


def test_an_option_that_is_none_and_a_class_worth_nothing_change_no_price() -> None:
    given_ = drawn(2, 1.2)
    given_["net"][..., -1] = -np.inf
    without = given_ | {"net": given_["net"][..., :-1], "time": given_["time"][..., :-1]}
    found, fewer = gpu_time_ahead(**given_), gpu_time_ahead(**without)
    np.testing.assert_allclose(found.price, fewer.price, atol=1e-9)
    given_["weight"] = np.append(given_["weight"], 0.0)
    given_["jobs"] = np.append(given_["jobs"], np.full((*given_["jobs"].shape[:2], 1), 5.0), axis=2)
    for name, axis in (("net", 2), ("time", 1), ("moving", 2), ("lost", 0)):
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
