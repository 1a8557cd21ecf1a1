"""Amounts are in units of reward whatever it is scaled by, and potentials count what is owed."""

from __future__ import annotations

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.rewards import owed
from stepwatt.learning.environment.solver_potential import potential_of
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.shapers.protocol import InUnits
from stepwatt.learning.training.plan import read_plan
from stepwatt.learning.training.preparation import prepare


@pytest.mark.parametrize("shaper", ["constant", "success-rate", "jemas"])
def test_amounts_scale_with_the_reward(shaper: str) -> None:
    day = sw.scenario("jemas", n_slots=6, slot_minutes=60, integral_jobs=False)
    words = [f"shaper={shaper}", "task.reward_scale=10.0", "envs_per_run=1", "agent.hidden=[8]"]
    made = prepare(read_plan(None, words), [day]).shaper
    assert isinstance(made, InUnits)
    assert made.unit == 10.0


def test_what_an_episode_has_earned_is_owed_until_its_end() -> None:
    so_far = np.array([3.0, -1.0])
    np.testing.assert_array_equal(owed("episode", so_far), so_far)
    for paid_at_once in ("dense", "sparse"):
        np.testing.assert_array_equal(owed(paid_at_once, so_far), [0.0, 0.0])


def test_the_solvers_potential_counts_what_is_owed() -> None:
    """Of the same state, the episode's potential is higher by what has been earned, in units of reward."""
    day = sw.scenario("jemas", n_slots=4, slot_minutes=60, integral_jobs=False)
    engine, potential = numpy_engine(), potential_of([sw.solve(day, "lp")])
    worlds = []
    for reward in ("sparse", "episode"):
        task = TaskSettings(reward=reward, reward_scale=10.0, information="none")
        pool = make_pool([day], task.information, engine, potential=potential)
        world = World(pool, engine, task)
        world.begin(pool)
        world.step(np.zeros((1, world.act_size)))
        worlds.append(world)
    sparse, episode = worlds
    earned = 10.0 * episode.earned / episode.drawn.problem.money_scale
    assert abs(float(earned[0])) > 1e-3
    np.testing.assert_allclose(episode.potential() - sparse.potential(), earned, rtol=1e-9)
