"""Agents reach a known optimum: one day of one site, whose linear program says all there is to earn."""

from __future__ import annotations

import pytest

import stepwatt as sw
from stepwatt.learning.environment.solver_potential import potential_of
from stepwatt.learning.training.judge import Judge
from stepwatt.learning.training.loop import train_agent
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.preparation import prepare

PPO = ["algo=ppo", "envs_per_run=64", "agent.hidden=[64,64]", "agent.rollout_slots=12"]
PPO += ["agent.minibatches=4", "agent.actor_rate=4e-3", "agent.longest_gradient=5", "env_steps=36000"]


@pytest.fixture(scope="module")
def solved() -> sw.Result:
    """Six hours of one site with battery and cooled rooms, fluid: the optimum is exact."""
    start = "2018-06-12T14:00:00Z"
    day = sw.scenario("jemas", start=start, zones=["DE"], n_slots=6, slot_minutes=60, integral_jobs=False)
    return sw.solve(day, "lp")


def reached(solved: sw.Result, *words: str) -> float:
    """Share of the optimum that the last policy earns."""
    plan = read_plan(None, [*PPO, "task.reward=dense", "task.information=perfect", *words])
    made = prepare(plan, [solved.instance], potential=potential_of([solved]))
    judge = Judge([solved.instance], plan.task, 1)
    train_agent(made.env, plan.training, agent=made.agent, shaper=made.shaper)
    return float(judge(made.agent.policy())["utility"]) / solved.bound


def test_shaped_by_the_solver_an_agent_reaches_the_optimum(solved: sw.Result) -> None:
    assert reached(solved, "shaper=solver-potential", "horizon_hours=1") > 0.995


def test_a_short_horizon_alone_sells_what_is_stored(solved: sw.Result) -> None:
    """The control: without a value of what is left at the end, an hour's horizon empties the battery."""
    assert reached(solved, "shaper=none", "horizon_hours=1", "env_steps=27000") < 0.98


def test_charging_missing_energy_when_it_goes_brings_most_of_it_back(solved: sw.Result) -> None:
    """No solver is needed for that, and no look ahead: the price at the end of the day is known."""
    assert reached(solved, "shaper=booked", "env_steps=27000") > 0.985
