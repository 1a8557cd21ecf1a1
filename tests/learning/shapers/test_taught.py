"""What a taught potential says of states, and what it does to a training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch

import stepwatt as sw
from stepwatt.learning.environment.potential_cuts import least_of
from stepwatt.learning.environment.solver_potential import potential_of
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import make_pool
from stepwatt.learning.model_guided.solved_states import solved_states
from stepwatt.learning.shapers import SHAPERS
from stepwatt.learning.shapers.taught import TaughtPotential, taught_potential
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.preparation import prepare

QUICK = {"updates": 600, "hidden": 32, "batch_size": 128, "learning_rate": 3e-3, "samples": 16}
MODELS = ("diffusion", "regression", "quantiles")


@cache
def taught(model: str) -> tuple[TaughtPotential, torch.Tensor]:
    """Values of 20 + 5·s₀, give or take 3·|s₁| at the toss of a coin; two runs."""
    rng = torch.Generator().manual_seed(0)
    obs = torch.randn(4_000, 3, generator=rng)
    coin = torch.randn(4_000, generator=rng).sign()
    shaper = taught_potential(3, 2, (1, 2), QUICK | {"model": model})
    shaper.teach(obs, 20 + 5 * obs[:, 0] + 3 * obs[:, 1].abs() * coin)
    return shaper, obs[:300]


@pytest.mark.parametrize("model", MODELS)
def test_the_mean_is_learned_whatever_scatters_around_it(model: str) -> None:
    shaper, obs = taught(model)
    mean = shaper.potential(obs.expand(2, -1, -1), torch.zeros(2, 300))
    error = (mean - (20 + 5 * obs[:, 0])).square().mean(1).sqrt()
    assert (error < 0.25 * 5).all()


@pytest.mark.parametrize("model", ["diffusion", "quantiles"])
def test_the_spread_tells_where_the_value_is_uncertain(model: str) -> None:
    shaper, obs = taught(model)
    spread = shaper.net(obs.expand(2, -1, -1))[..., 1]
    for run in spread:
        assert float(torch.corrcoef(torch.stack([run, obs[:, 1].abs()]))[0, 1]) > 0.7


def test_caution_takes_spreads_off_and_what_is_owed_counts_in_full() -> None:
    fit, obs = taught("diffusion")
    shaper = taught_potential(3, 2, (1, 2), QUICK | {"caution": 0.5, "weight": 2.0})
    shaper.load_state_dict(fit.state_dict())
    mean, spread = shaper.net(obs.expand(2, -1, -1)).unbind(-1)
    found = shaper.potential(obs.expand(2, -1, -1), torch.full((2, 300), 7.0))
    torch.testing.assert_close(found, 2.0 * (mean - 0.5 * spread + 7.0))


def test_solved_states_are_told_what_the_solver_says_of_them() -> None:
    """Of the first slot, that is the day's optimum, whatever is played later."""
    days = [sw.scenario("jemas", n_slots=6, slot_minutes=60, start=f"2018-06-{d}") for d in (12, 13)]
    days = [day.replace({"integral_jobs": False}) for day in days]
    solved = [sw.solve(day, "lp") for day in days]
    plan = read_plan(None, ["task.reward_scale=10.0"])
    engine = torch_engine()
    pool = make_pool(days, "day-ahead", engine, potential=potential_of(solved))
    states = solved_states(pool, plan.task, seed=3, passes=2)
    assert states.obs.shape[0] == len(states.value) == 2 * 2 * 6
    unit = 10.0 / pool.problem.money_scale.numpy()
    utility = np.array([result.utility for result in solved])
    np.testing.assert_allclose(states.value[:2].numpy(), utility * unit, rtol=1e-4)


def test_a_training_is_taught_before_it_begins_and_sees_no_foresight() -> None:
    """The environment itself then knows what is owed alone; a training that goes on is not taught again."""
    day = sw.scenario("jemas", n_slots=6, slot_minutes=60, integral_jobs=False)
    words = ["shaper=taught-potential", "shaping.updates=30", "envs_per_run=1", "agent.hidden=[8]"]
    plan = read_plan(None, [*words, "task.reward=joint"])
    potential = potential_of([sw.solve(day, "lp")])
    made = prepare(plan, [day], potential=potential)
    assert made.env.world.drawn.potential is None
    assert made.warm_seconds > 0
    assert isinstance(made.shaper, TaughtPotential)
    assert float(made.shaper.net.scale) > 0
    again = prepare(plan, [day], potential=potential, warm=False)
    assert isinstance(again.shaper, TaughtPotential)
    assert float(again.shaper.net.scale) == 0
    again.shaper.load_state_dict(made.shaper.state_dict())
    obs = torch.randn(1, 5, made.env.obs_size)
    assert torch.equal(again.shaper.net(obs), made.shaper.net(obs))


def test_busier_days_are_taught_and_no_other_potential_asks_for_them() -> None:
    words = ["shaper=taught-potential", "shaping.loads=[1.2,2.0]", "shaping.updates=5", "envs_per_run=1"]
    plan = read_plan(None, [*words, "agent.hidden=[8]"])
    day = sw.scenario("jemas", n_slots=4, slot_minutes=60, integral_jobs=False)
    solved, asked = [sw.solve(day, "lp")], []

    def solve_too(others: Sequence[sw.Instance]) -> list[sw.Result]:
        asked.extend(others)
        return [sw.solve(other, "lp") for other in others]

    cuts = least_of(solved, SHAPERS["taught-potential"].read(plan.training.shaping).loads, solve_too)
    jobs = day.arrays().arrivals
    for other, load in zip(asked, (1.2, 2.0), strict=True):
        np.testing.assert_allclose(other.arrays().arrivals, load * jobs)
    made = prepare(plan, [day], potential=cuts)
    assert isinstance(made.shaper, TaughtPotential)
    assert float(made.shaper.net.scale) > 0
    with pytest.raises(sw.InputError, match=r"shaping.loads\[0\] = 0.5"):
        read_plan(None, ["shaper=taught-potential", "shaping.loads=[0.5]"])
    with pytest.raises(sw.InputError, match=r"shaping.loads = .*: expected one of the fields weight, duals"):
        read_plan(None, ["shaper=solver-potential", "shaping.loads=[1.2]"])
