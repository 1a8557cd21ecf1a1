"""Foresight made anew during the day: from the state of the moment, with what has been seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import stepwatt as sw
from stepwatt.learning.engines import torch_engine
from stepwatt.learning.environment import SchedulingEnv, TaskSettings, World, make_pool
from stepwatt.learning.problem import stack
from stepwatt.learning.renewal import known, persistence_of, state_before
from stepwatt.solvers.windows import window

ENGINE = torch_engine(torch.float64)
TASK = TaskSettings(codec="priced", reward="dense", foresight=True)


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    """Twelve hours, with jobs that wait up to three of them."""
    return sw.scenario("jemas", start="2018-05-27", n_slots=12, slot_minutes=60, integral_jobs=False)


def played(day: sw.Instance, task: TaskSettings) -> World:
    world = World(make_pool([day], task.information, ENGINE, foresight=True, seed=7), ENGINE, task)
    while not world.over:
        world.step(torch.zeros(1, world.act_size, dtype=torch.float64))
    return world


def test_the_rest_of_a_horizon_is_that_of_the_whole_one(day: sw.Instance) -> None:
    """What waits, at which age, is what the problem of the whole horizon lets wait."""
    a = day.arrays()
    problem = stack([a], ENGINE)
    world = World(make_pool([day], "day-ahead", ENGINE, foresight=True, seed=7), ENGINE, TASK)
    waited = 0.0
    for t in range(a.n_slots - 1):
        rest = stack([window(a, t, a.n_slots - t, state_before(a, t, world.state, 0))], ENGINE)
        torch.testing.assert_close(rest.first_waiting, world.state.waiting, rtol=1e-9, atol=1e-6)
        assert bool((rest.recent <= problem.recent[t:] + 1e-6).all())
        torch.testing.assert_close(rest.arrivals, problem.arrivals[t:])
        waited += float(world.state.waiting.sum())
        # everything waits that may
        held = problem.recent[t][..., 0]
        world.state, world.t = replace(world.state, waiting=held), t + 1
    assert waited > 0


def test_without_errors_nothing_is_expected_anew(day: sw.Instance) -> None:
    a = day.arrays()
    again = known(a, a, 4, persistence=0.8)
    np.testing.assert_allclose(again.arrivals, a.arrivals, rtol=1e-12)
    np.testing.assert_allclose(again.renewable_mw, a.renewable_mw, rtol=1e-12)


def test_an_error_that_is_seen_fades_from_hour_to_hour(day: sw.Instance) -> None:
    a, t = day.arrays(), 4
    thought = replace(a, arrivals=1.2 * a.arrivals, renewable_mw=a.renewable_mw + 0.01)
    found = known(a, thought, t, persistence=0.8)
    np.testing.assert_array_equal(found.arrivals[..., : t + 1], a.arrivals[..., : t + 1])
    lasting = 0.8 ** np.arange(1, a.n_slots - t)
    np.testing.assert_allclose(
        found.arrivals[..., t + 1 :], thought.arrivals[..., t + 1 :] / (1 + 0.2 * lasting), rtol=1e-12
    )
    np.testing.assert_allclose(
        found.renewable_mw[:, t + 1 :], a.renewable_mw[:, t + 1 :] + 0.01 * (1 - lasting), rtol=1e-9
    )
    unlasting = known(a, thought, t, persistence=0.0)
    np.testing.assert_array_equal(unlasting.arrivals[..., t + 1 :], thought.arrivals[..., t + 1 :])


def test_only_forecasts_with_known_errors_are_corrected() -> None:
    assert persistence_of("day-ahead") == 0.8
    assert persistence_of("persistence") == persistence_of("perfect") == 0.0


def test_a_day_planned_again_is_played_on_from_where_it_is(day: sw.Instance) -> None:
    best = sw.solve(day, "lp").bound
    assert best is not None
    perfect = replace(TASK, information="perfect")
    for task in (perfect, replace(perfect, renewal=3)):
        assert 0.995 * best <= float(played(day, task).earned) <= best * (1 + 1e-6)
    once, again = (played(day, replace(TASK, renewal=n)) for n in (0, 3))
    assert (once.planned, again.planned) == (0, 9)
    assert float(once.earned) != float(again.earned)
    assert float(again.earned) <= best * (1 + 1e-6)


def test_environments_that_planned_again_go_on_exactly(day: sw.Instance) -> None:
    task = replace(TASK, renewal=3)
    pool = make_pool([day], "day-ahead", torch_engine(), foresight=True, seed=7)

    def made() -> SchedulingEnv:
        env = SchedulingEnv(pool, task, runs=1, envs_per_run=2, seeds=[3])
        env.reset()
        return env

    first, second = made(), made()
    action = torch.zeros(2, first.act_size)
    for _ in range(5):
        first.step(action)
    second.load_state_dict(first.state_dict())
    assert second.world.planned == 3
    for _ in range(4):
        one, two = first.step(action), second.step(action)
        assert torch.equal(one.obs, two.obs)
        assert torch.equal(one.reward, two.reward)


def test_renewal_wants_foresight() -> None:
    with pytest.raises(sw.InputError, match="renewal"):
        TaskSettings(codec="priced", renewal=4)
    with pytest.raises(sw.InputError, match="renewal"):
        replace(TASK, renewal=-1)
