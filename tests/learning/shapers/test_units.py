"""Amounts are in units of reward whatever it is scaled by, and potentials count what is owed."""

from __future__ import annotations

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.rewards import owed
from stepwatt.learning.environment.solver_potential import booked, potential_of
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


def test_missing_energy_is_charged_when_it_goes_and_no_more_energy_is_paid_for() -> None:
    day = sw.scenario("jemas", n_slots=4, slot_minutes=60, integral_jobs=False)
    engine, arrays = numpy_engine(), day.arrays()
    pool = make_pool([day], "none", engine, potential=booked([day]))
    world = World(pool, engine, TaskSettings(information="none", reward="dense"))
    world.begin(pool)
    rng = np.random.default_rng(3)
    seen = []
    while not world.over:
        missing = np.maximum(arrays.energy_reference_mwh - world.state.energy[0], 0.0)
        told = float(world.potential()[0] * pool.problem.money_scale[0])
        assert told == pytest.approx(-float(arrays.terminal_price @ missing), abs=1e-9)
        seen.append(told)
        world.step(rng.uniform(-1, 1, (1, world.act_size)))
    assert seen[0] == 0.0
    assert min(seen) < 0.0
    assert float(world.potential()[0]) == 0.0
