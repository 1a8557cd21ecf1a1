"""Rewards that are paid later, and the codec that repairs nothing: where rewards are hard to get."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.play import plan
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.model_guided.schedule_demonstrations import demonstrations_of
from stepwatt.learning.policies.observed import ObservationPolicy
from stepwatt.learning.training.plan import read_plan

SLOTS = 6


def played(reward: str, actions: np.ndarray, codec: str = "direct", threshold: float = 0.02) -> tuple:
    """Rewards (T,B), success (T,B), utilities (T,B) and the world at the end; one day per row of actions."""
    day = sw.scenario("jemas", n_slots=SLOTS, slot_minutes=60, integral_jobs=False)
    engine = numpy_engine()
    task = TaskSettings(reward=reward, codec=codec, information="none", threshold=threshold)
    world = World(make_pool([day] * len(actions), "none", engine), engine, task)
    steps = [world.step(np.tile(actions[:, None], world.act_size)) for _ in range(SLOTS)]
    rewards, success, outcomes = zip(*steps, strict=True)
    return np.array(rewards), np.array(success), np.array([one.utility for one in outcomes]), world


ACTIONS = np.array([-1.0, 0.0, 1.0])


@pytest.mark.parametrize("codec", ["direct", "raw"])
def test_joint_pay_is_the_days_utility_if_every_slot_met_its_goal_and_else_nothing(codec: str) -> None:
    rewards, success, utility, world = played("joint", ACTIONS, codec)
    assert (rewards[:-1] == 0).all()
    expected = utility.sum(0) / world.drawn.problem.money_scale * success.all(0)
    np.testing.assert_allclose(rewards[-1], expected, rtol=1e-9)
    assert success.all(0).any() == (codec == "direct")
    assert not success.all(0).all()


def test_what_is_unpaid_is_seen_and_whether_it_can_still_be_paid() -> None:
    _, success, utility, world = played("joint", ACTIONS)
    unpaid, alive = world.observation()[:, -2:].T
    scale = world.drawn.problem.money_scale * SLOTS
    np.testing.assert_allclose(unpaid, utility.sum(0) / scale, rtol=1e-9)
    np.testing.assert_array_equal(alive, success.all(0))
    plain = played("sparse", ACTIONS)[3]
    assert plain.obs_size == world.obs_size - 2


@pytest.mark.parametrize("reward", ["episode", "joint"])
def test_what_is_owed_is_seen_alike_in_training_and_in_play(reward: str) -> None:
    """A policy that does too much and fails: owed and lost pay are observed by whatever way it is played."""
    day = sw.scenario("jemas", n_slots=SLOTS, slot_minutes=60, integral_jobs=False)
    task = TaskSettings(reward=reward, codec="raw", information="none")
    seen: dict[str, list[np.ndarray]] = {"training": [], "planner": [], "own policy": []}
    engine = numpy_engine()
    world = World(make_pool([day], "none", engine), engine, task)
    while not world.over:
        seen["training"].append(world.observation()[0])
        world.step(np.ones((1, world.act_size)))

    def in_a_batch(obs: np.ndarray) -> np.ndarray:
        seen["planner"].append(obs[0])
        return np.ones((1, world.act_size))

    def alone(obs: Any) -> np.ndarray:
        seen["own policy"].append(obs.vector)
        return np.ones(world.act_size)

    plan([day], in_a_batch, task)
    ObservationPolicy(alone, task).schedule(day)
    for way in ("planner", "own policy"):
        np.testing.assert_allclose(seen[way], seen["training"], rtol=1e-12, err_msg=way)
    unpaid, alive = np.array(seen["training"])[:, -2:].T
    assert (unpaid[1:] != 0).all()
    assert alive[0] == 1
    assert alive[-1] == 0


def test_a_clone_sees_what_is_owed() -> None:
    day = sw.scenario("jemas", n_slots=SLOTS, slot_minutes=60, integral_jobs=False)
    task = TaskSettings(reward="joint", information="none")
    taught = demonstrations_of([day], [sw.solve(day, "greedy").schedule], task)
    unpaid, alive = taught.obs[:, -2:].T
    assert (unpaid.diff() > 0).all()
    assert (alive == 1).all()


def test_the_raw_codec_takes_no_steps_back_where_a_site_is_full() -> None:
    """All jobs at the most steps: repaired, every one is done with fewer; said so, the plant cuts jobs."""
    failed = {}
    for codec in ("direct", "raw"):
        world = played("dense", np.array([0.0]), codec)[3]
        world.begin(world.pool)
        action = np.zeros((1, world.act_size))
        action[:, world.codec.slices[2]] = 1.0
        for _ in range(SLOTS):
            world.step(action)
        failed[codec] = float(world.failed[0])
    assert failed["direct"] < 0.02 < failed["raw"]


def test_where_there_is_room_the_two_codecs_say_the_same() -> None:
    least = np.array([-1.0])
    np.testing.assert_allclose(played("dense", least)[2], played("dense", least, "raw")[2], rtol=1e-12)


@pytest.mark.parametrize(("minutes", "gamma"), [(5, np.exp(-1 / 24)), (30, np.exp(-1 / 4))])
def test_the_horizon_is_in_hours_whatever_a_slot_is_long(minutes: int, gamma: float) -> None:
    plan = read_plan(None, ["horizon_hours=2", f"family.slot_minutes={minutes}"])
    assert plan.training.gamma == pytest.approx(gamma)


def test_who_books_what_is_missing_looks_less_far_ahead_by_itself() -> None:
    hours = [
        read_plan(None, words).training.horizon_hours
        for words in ([], ["shaper=none"], ["horizon_hours=1"], ["shaper=earned", "horizon_hours=2"])
    ]
    assert hours == [0.072, 1.0, 1.0, 2.0]


def test_a_discount_that_is_said_is_taken_and_not_both() -> None:
    assert read_plan(None, ["gamma=0.9"]).training.gamma == 0.9
    with pytest.raises(sw.InputError, match=r"training\.horizon_hours = 2: expected no gamma"):
        read_plan(None, ["gamma=0.9", "horizon_hours=2"])
