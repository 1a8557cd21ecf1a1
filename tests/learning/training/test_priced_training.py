"""Training with prices: demonstrations, a warm start from them, and corrections of foreseen prices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stepwatt.data import scenario
from stepwatt.formulation import Instance
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.model_guided.evolution import (
    Corrected,
    EvolutionSettings,
    correction_basis,
    evolve,
    linear_policy,
    utility,
)
from stepwatt.learning.model_guided.price_demonstrations import imitate, joined
from stepwatt.learning.networks.parallel_runs import generators
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.policies.trained import load_policy
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.run import run_plan
from stepwatt.solvers.planners.foresight.foresight import foresee

ENGINE = torch_engine(torch.float64)
TASK = TaskSettings(codec="priced", reward="dense")
SMALL = [
    "family.every=120",
    "family.slot_minutes=60",
    "task.codec='priced'",
    "task.reward='dense'",
    "warm_start.kind='clone'",
    "warm_start.updates=20",
    "shaper='none'",
    "agent.hidden=[8]",
    "envs_per_run=2",
    "env_steps=48",
    "warmup_steps=24",
    "replay_steps=1000",
    "seeds=[0]",
]


@pytest.fixture(scope="module")
def days() -> list[Instance]:
    return [
        scenario("jemas", start=f"2018-01-{day}", n_slots=12, slot_minutes=60, integral_jobs=False)
        for day in (16, 17)
    ]


@pytest.mark.parametrize("foresight", [False, True])
def test_demonstrated_prices_earn_what_their_teacher_does(days: list[Instance], foresight: bool) -> None:
    task = TaskSettings(codec="priced", reward="dense", foresight=foresight)
    pool = make_pool(days, "day-ahead", ENGINE, foresight=foresight)
    taught = foresee(days, "perfect")
    shown = imitate(pool, task, taught, ENGINE)
    world = World(pool, ENGINE, task)
    assert shown.obs.shape == (24, world.obs_size)
    for said in shown.act.split(len(days)):
        world.step(said.double())
    knowing = TaskSettings(codec="priced", information="perfect", reward="dense", foresight=True)
    teacher = World(make_pool(days, "perfect", ENGINE, foresight=True), ENGINE, knowing)
    saying_nothing = World(pool, ENGINE, task)
    for other in (teacher, saying_nothing):
        while not other.over:
            other.step(torch.zeros(len(days), other.act_size).double())
    # policies say prices in fewer segments than their teacher
    missed, nothing = ((one.earned - teacher.earned).abs().sum() for one in (world, saying_nothing))
    assert missed <= 0.02 * nothing
    torch.testing.assert_close(world.earned, teacher.earned, rtol=5e-4, atol=0.0)


def test_a_pupil_is_told_what_to_say_where_it_goes_itself(days: list[Instance]) -> None:
    pool = make_pool(days, "day-ahead", ENGINE)
    taught = foresee(days, "perfect")
    along = imitate(pool, TASK, taught, ENGINE)
    astray = imitate(pool, TASK, taught, ENGINE, lambda seen: torch.ones(len(seen), along.act.shape[-1]))
    torch.testing.assert_close(astray.obs[:2], along.obs[:2])
    assert not torch.allclose(astray.obs[-2:], along.obs[-2:])
    both = joined([along, astray])
    assert len(both.obs) == len(both.act) == 48


def test_only_the_priced_codec_is_shown_prices(days: list[Instance]) -> None:
    pool = make_pool(days, "day-ahead", ENGINE)
    with pytest.raises(ValueError, match="priced"):
        imitate(pool, TaskSettings(), foresee(days, "perfect"), ENGINE)


@pytest.mark.parametrize("foresight", ["false", "true"])
def test_a_plan_with_prices_trains_and_its_policy_can_be_loaded(tmp_path: Path, foresight: str) -> None:
    plan = read_plan(None, [*SMALL, f"task.foresight={foresight}"])
    [made] = run_plan(plan, tmp_path)
    again = load_policy(tmp_path)
    assert again.task == plan.task
    assert again.network.description == made.network.description
    schedule = again.schedule(plan.family.instances("validation")[0], None)
    assert schedule.runs.sum() > 0


def test_corrections_are_found_alike_from_one_seed_and_begin_with_none(days: list[Instance]) -> None:
    task = TaskSettings(codec="priced", reward="dense", foresight=True)
    pool = make_pool(days, "day-ahead", ENGINE, foresight=True)
    settings = EvolutionSettings(generations=1, directions=1, days=1, validate_every=1)
    first, again = (evolve(pool, pool, task, settings, seed=3) for _ in range(2))
    assert [generation for generation, _ in first.looks] == [0, 1]
    assert first.looks == again.looks
    basis = correction_basis(World(pool, ENGINE, task))
    nothing = linear_policy(basis, torch.zeros(1, len(basis), dtype=torch.float64))
    assert first.looks[0][1] == pytest.approx(float(utility(pool, task, nothing).mean()))


def test_a_network_can_be_corrected_beginning_with_what_it_says(days: list[Instance]) -> None:
    pool = make_pool(days, "day-ahead", ENGINE)
    world = World(pool, ENGINE, TASK)
    start = Policy(world.obs_size, world.act_size, (8,), generators([0]), last_gain=1.0)
    fixed = [one.clone() for one in start.parameters()]
    settings = EvolutionSettings(generations=1, directions=1, days=1, validate_every=1)
    found = evolve(pool, pool, TASK, settings, seed=3, start=start)
    assert found.looks[0][1] == pytest.approx(float(utility(pool, TASK, start.double()).mean()))
    assert found.looks[1][1] != found.looks[0][1]
    kept = Corrected(start, found.policy.double())
    best = max(score for _, score in found.looks)
    assert float(utility(pool, TASK, kept).mean()) == pytest.approx(best, rel=1e-6)
    torch.testing.assert_close([one.float() for one in start.parameters()], fixed)


def test_corrections_are_of_the_prices_that_a_network_says(days: list[Instance]) -> None:
    world = World(make_pool(days, "day-ahead", ENGINE), ENGINE, TASK)
    start = Policy(world.obs_size, world.act_size, (8,), generators([0])).double()
    basis = correction_basis(world)
    obs = world.observation()
    for number, part in enumerate(basis):
        one = torch.zeros(1, len(basis), dtype=torch.float64)
        one[0, number] = 0.01
        seen = torch.cat([obs, start(obs), torch.ones(len(obs), 1, dtype=torch.float64)], -1)
        expected = start(obs) + torch.tanh(0.01 * seen @ part)
        corrected = Corrected(start, linear_policy(basis, one))
        torch.testing.assert_close(corrected(obs), expected.clamp(-1, 1))
        torch.testing.assert_close(corrected(obs[None])[0], corrected(obs))


@pytest.mark.parametrize("foresight", [False, True])
def test_evolution_corrects_one_thing(days: list[Instance], foresight: bool) -> None:
    task = TaskSettings(codec="priced", reward="dense", foresight=foresight)
    pool = make_pool(days, "day-ahead", ENGINE, foresight=foresight)
    world = World(pool, ENGINE, task)
    start = Policy(world.obs_size, world.act_size, (8,), generators([0])) if foresight else None
    with pytest.raises(ValueError, match="foresight, or of a policy"):
        evolve(pool, pool, task, EvolutionSettings(generations=0), seed=0, start=start)
