"""Policies refined by the gradient of utility through the plant."""

from __future__ import annotations

import pytest

import stepwatt as sw
from stepwatt.formulation import InputError, Instance

torch = pytest.importorskip("torch")

from stepwatt.learning.environment.task import TaskSettings  # noqa: E402
from stepwatt.learning.environment.torch_engine import torch_engine  # noqa: E402
from stepwatt.learning.environment.world import Pool, World, make_pool  # noqa: E402
from stepwatt.learning.model_guided.gradient import refine  # noqa: E402
from stepwatt.learning.networks.parallel_runs import generators  # noqa: E402
from stepwatt.learning.networks.policy import Policy  # noqa: E402

DENSE = TaskSettings(reward="dense")


@pytest.fixture(scope="module")
def days() -> list[Instance]:
    return [
        sw.scenario("jemas", start=f"2018-06-{day}", n_slots=8, slot_minutes=60, integral_jobs=False)
        for day in (11, 12, 13)
    ]


def pools_of(days: list[Instance], count: int = 2) -> list[Pool]:
    return [make_pool(days, "day-ahead", torch_engine(), seed=100 * n) for n in range(count)]


def untrained(pool: Pool, seeds: list[int]) -> Policy:
    world = World(pool, torch_engine(), DENSE)
    return Policy(world.obs_size, world.act_size, (16,), generators(seeds), last_gain=0.5)


def test_the_gradient_of_a_day_is_what_small_changes_of_the_actions_do(days: list[Instance]) -> None:
    """Through all slots: energy that was stored, rooms that were cooled and jobs that wait come later."""
    engine = torch_engine(torch.float64)
    world = World(make_pool(days, "day-ahead", engine), engine, DENSE)
    rng = torch.Generator().manual_seed(3)
    shape = (days[0].n_slots, len(days), world.act_size)
    act = (torch.rand(shape, generator=rng, dtype=torch.float64) * 1.6 - 0.8).requires_grad_()
    aside = torch.randn(shape, generator=rng, dtype=torch.float64)

    def earned(actions: torch.Tensor) -> torch.Tensor:
        world.begin(world.pool)
        for action in actions:
            world.step(action)
        return world.earned.sum()

    earned(act).backward()
    assert act.grad is not None
    # the first slot alone moves later slots, too
    assert float(act.grad[0].abs().sum()) > 0
    for part in (slice(None), slice(0, 1)):
        way = torch.zeros_like(aside)
        way[part] = aside[part]
        with torch.no_grad():
            by_steps = (earned(act + 1e-7 * way) - earned(act - 1e-7 * way)) / 2e-7
        assert float((act.grad * way).sum()) == pytest.approx(float(by_steps), rel=1e-3)


def test_refining_earns_more(days: list[Instance]) -> None:
    pools = pools_of(days)
    policy = untrained(pools[0], [0, 1])
    earned = refine(policy, pools, DENSE, [0, 1], updates=30, days=3, rate=3e-3)
    assert earned.shape == (30, 2)
    assert (earned[-5:].mean(0) > earned[:5].mean(0) * 1.02).all()


def test_runs_refine_alone_as_in_company(days: list[Instance]) -> None:
    pools = pools_of(days)
    together, alone = untrained(pools[0], [4, 7]), untrained(pools[0], [7])
    refine(together, pools, DENSE, [4, 7], updates=3, days=2)
    refine(alone, pools, DENSE, [7], updates=3, days=2)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name][1:], value, rtol=1e-4, atol=1e-6)


def test_prices_cannot_be_refined(days: list[Instance]) -> None:
    pools = pools_of(days)
    with pytest.raises(InputError, match=r"task\.codec"):
        refine(untrained(pools[0], [0]), pools, TaskSettings(codec="priced"), [0], updates=1)
