"""Foresight made anew during the day: from the state of the moment, with what has been seen."""

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import stepwatt as sw
from stepwatt.formulation.instance.arrays import State
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import first_state
from stepwatt.formulation.schedule.windows import window
from stepwatt.learning.environment.batched import SchedulingEnv
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.solvers.common.blocks import coarser
from stepwatt.solvers.planners.forecasts import make_forecast
from stepwatt.solvers.planners.foresight import foresight
from stepwatt.solvers.planners.foresight.expected import Expected, expected_of, planning_problem
from stepwatt.solvers.planners.foresight.renewal import Beliefs, beginning, persistence_of
from stepwatt.solvers.response.day import DayPlan, day_rows, plan_day

ENGINE = numpy_engine()
TASK = TaskSettings(codec="priced", reward="dense", foresight=True)


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    """Twelve hours, with jobs that wait up to three of them."""
    return sw.scenario("jemas", start="2018-05-27", n_slots=12, slot_minutes=60, integral_jobs=False)


def played(day: sw.Instance, task: TaskSettings) -> World:
    world = World(make_pool([day], task.information, ENGINE, foresight=True, seed=7), ENGINE, task)
    while not world.over:
        world.step(np.zeros((1, world.act_size)))
    return world


def test_the_rest_of_a_horizon_is_that_of_the_whole_one(day: sw.Instance) -> None:
    """What waits, at which age, is what the problem of the whole horizon lets wait."""
    problem = stack([day.arrays()], ENGINE)
    world = World(make_pool([day], "perfect", ENGINE, foresight=True, seed=7), ENGINE, TASK)
    beliefs, waited = world.drawn.beliefs, 0.0
    assert beliefs is not None
    for t in range(problem.shape.n_slots - 1):
        rest = planning_problem(problem, beliefs.coming(problem, t, world.state), world.state, 1)
        np.testing.assert_allclose(rest.first_waiting, world.state.waiting, rtol=1e-9, atol=1e-6)
        assert (rest.recent[..., 0] <= problem.recent[t:, ..., 0] + 1e-6).all()
        np.testing.assert_allclose(rest.arrivals, problem.arrivals[t:])
        np.testing.assert_allclose(rest.ceiling, problem.ceiling[t:])
        waited += float(world.state.waiting.sum())
        # everything waits that may
        held = problem.recent[t][..., 0]
        world.state, world.t = replace(world.state, waiting=held), t + 1
    assert waited > 0


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("t", [0, 6])
def test_the_problem_of_planning_is_that_of_a_shorter_and_coarser_instance(
    day: sw.Instance, t: int, size: int
) -> None:
    """In all that plans read; from slot 6 on with what was left in the queues, oldest gone first."""
    winter = sw.scenario("jemas", start="2018-01-06", n_slots=12, slot_minutes=60, integral_jobs=False)
    instances = [day, winter]
    arrays = [inst.arrays() for inst in instances]
    problem, expected = stack(arrays, ENGINE), expected_of(arrays)
    state = first_state(problem)
    if t:
        left = 0.6 * problem.recent[t - 1][..., 0]
        state = replace(state, waiting=left, energy=0.5 * (problem.energy_min + problem.energy_max))
    coming = Beliefs(expected, 0.0).coming(problem, t, state)
    made = planning_problem(problem, coming, state, size)
    parts = []
    for number, a in enumerate(arrays):
        backlog = coming.backlog[number]
        begun = State(
            energy_mwh=state.energy[number],
            temperature_c=state.temperature[number],
            backlog=backlog,
            generator_on=state.restart[number] <= 0,
            peak_mw=state.peak[number],
            metered_mw=state.metered[number],
        )
        parts.append(coarser(window(a, t, a.n_slots - t, begun), size))
    reference = stack(parts, ENGINE)
    # what is left over is cooled at the last slot's COP, not at its block's
    np.testing.assert_allclose(made.terminal_heat_price, problem.terminal_heat_price, rtol=1e-9)
    reference = replace(reference, terminal_heat_price=made.terminal_heat_price)
    one, other = day_rows(made).p, day_rows(reference).p
    for field in fields(one):
        values = getattr(one, field.name)
        if isinstance(values, np.ndarray):
            again = getattr(other, field.name)
            np.testing.assert_allclose(values, again, rtol=1e-9, atol=1e-9, err_msg=field.name)
    for name in ("ceiling", "no_load_cost", "startup_cost", "money_scale", "first_restart", "generator_min"):
        np.testing.assert_allclose(getattr(made, name), getattr(reference, name), rtol=1e-9, atol=1e-9)
    assert float(made.first_waiting.sum()) > 0 or t == 0


@pytest.mark.parametrize("t", [0, 6, 21])
def test_in_blocks_no_job_may_wait_longer_than_in_slots(t: int) -> None:
    """A queue as long as it may be, of which the oldest must run soon, is told block by block."""
    day = sw.scenario("jemas", start="2018-06-05", n_slots=48, slot_minutes=5, integral_jobs=False)
    problem = stack([day.arrays()], ENGINE)
    state = first_state(problem)
    if t:
        state = replace(state, waiting=problem.recent[t - 1][..., 0])
    coming = Beliefs(expected_of([day.arrays()]), 0.0).coming(problem, t, state)
    blocks = planning_problem(problem, coming, state, 3)
    np.testing.assert_allclose(
        blocks.recent[..., 0], problem.recent[t + 2 :: 3, ..., 0], rtol=1e-7, atol=1e-7
    )


def thought(day: sw.Instance, arrivals: float, renewable: float) -> Expected:
    a = day.arrays()
    return expected_of([replace(a, arrivals=arrivals * a.arrivals, renewable_mw=a.renewable_mw + renewable)])


def test_without_errors_nothing_is_expected_anew(day: sw.Instance) -> None:
    problem = stack([day.arrays()], ENGINE)
    again = Beliefs(thought(day, 1.0, 0.0), 0.8).coming(problem, 4, first_state(problem))
    np.testing.assert_allclose(again.arrivals, problem.arrivals[4:], rtol=1e-12)
    np.testing.assert_allclose(again.renewable, problem.renewable[4:], rtol=1e-12)


def test_an_error_that_is_seen_fades_from_hour_to_hour(day: sw.Instance) -> None:
    problem, t = stack([day.arrays()], ENGINE), 4
    told = thought(day, 1.2, 0.01)
    found = Beliefs(told, 0.8).coming(problem, t, first_state(problem))
    np.testing.assert_allclose(found.arrivals[0], problem.arrivals[t])
    lasting = 0.8 ** np.arange(1, problem.shape.n_slots - t)
    fewer = told.arrivals[t + 1 :] / (1 + 0.2 * lasting[:, None, None, None])
    np.testing.assert_allclose(found.arrivals[1:], fewer, rtol=1e-12)
    less = problem.renewable[t + 1 :] + 0.01 * (1 - lasting[:, None, None])
    np.testing.assert_allclose(found.renewable[1:], less, rtol=1e-9)
    unlasting = Beliefs(told, 0.0).coming(problem, t, first_state(problem))
    np.testing.assert_array_equal(unlasting.arrivals[1:], told.arrivals[t + 1 :])


def test_only_forecasts_with_known_errors_are_corrected() -> None:
    assert persistence_of("day-ahead") == 0.8
    assert persistence_of("persistence") == persistence_of("perfect") == 0.0


@pytest.mark.parametrize("information", ["persistence", "persistence+seen"])
@pytest.mark.parametrize("past", [None, 5, 24])
def test_persistence_expects_what_the_last_day_seen_brought(past: int | None, information: str) -> None:
    """As the rolling horizon does: with a day's history, with hours of it, and with none."""
    days = sw.scenario("jemas", start="2018-05-27", n_slots=60, slot_minutes=60, integral_jobs=False)
    history = None
    if past:
        begun = f"2018-05-26T{24 - past:02}:00"
        history = sw.scenario("jemas", start=begun, n_slots=past, slot_minutes=60, integral_jobs=False)
    a, problem = days.arrays(), stack([days.arrays()], ENGINE)
    expected, beliefs = beginning([days], information, [history], 0)
    rolling = make_forecast(information, a, None if history is None else history.arrays(), 0)
    for t in (0, 7, 30, 58):
        coming = beliefs.coming(problem, t, first_state(problem)) if t else expected
        wanted = rolling(t, t + 1, 60)
        for name, rate in (("arrivals", "arrivals"), ("renewable", "renewable_mw"), ("outside", "outside_c")):
            found = np.moveaxis(getattr(coming, name)[:, 0], 0, -1)
            np.testing.assert_allclose(found[..., 0], getattr(a, rate)[..., t], rtol=1e-9)
            found, thought = found[..., 1:], wanted[rate]
            if information.endswith("+seen") and name == "renewable":
                # cut at the most of the horizon, and of the slots to come
                most = np.minimum(found, thought).max(-1, keepdims=True)
                found, thought = np.minimum(found, most), np.minimum(thought, most)
            np.testing.assert_allclose(found, thought, rtol=1e-9, err_msg=f"{name} at {t}")
        cost = wanted["import_price"] + a.carbon_price / 1000 * wanted["carbon_kg_per_mwh"]
        np.testing.assert_allclose(np.moveaxis(coming.import_cost[1:, 0], 0, -1), cost, rtol=1e-9)


def test_a_day_planned_again_is_played_on_from_where_it_is(day: sw.Instance) -> None:
    best = sw.solve(day, "lp").bound
    assert best is not None
    perfect = TASK.changed(information="perfect")
    for task in (perfect, perfect.changed(renewal=3)):
        assert 0.995 * best <= float(played(day, task).earned[0]) <= best * (1 + 1e-6)
    once, again = (played(day, TASK.changed(renewal=n)) for n in (0, 3))
    assert (once.planned, again.planned) == (0, 9)
    assert float(once.earned[0]) != float(again.earned[0])
    assert float(again.earned[0]) <= best * (1 + 1e-6)


def test_environments_that_planned_again_go_on_exactly(day: sw.Instance) -> None:
    task = TASK.changed(renewal=3)
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
        TASK.changed(renewal=-1)


def test_a_plan_made_anew_begins_at_the_multipliers_of_the_last_one(
    day: sw.Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the slots that are left."""
    seen: list[tuple[float, NDArray[Any] | None, NDArray[Any]]] = []

    def noted(problem: Problem, tolerance: float, *, begun: NDArray[Any] | None) -> DayPlan:
        plan = plan_day(problem, tolerance, begun=begun)
        seen.append((tolerance, begun, plan.multipliers))
        return plan

    monkeypatch.setattr(foresight, "plan_day", noted)
    played(day, TASK.changed(renewal=3))
    assert [begun is None for _, begun, _ in seen] == [True, False, False, False]
    for (_, _, before), (_, begun, found) in pairwise(seen):
        assert begun is not None
        assert len(begun) == len(found) == len(before) - 3
        np.testing.assert_array_equal(begun, before[3:])


def test_plans_of_slots_that_share_blocks_are_rougher_but_where_imports_are_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tolerance(minutes: int, charge: float) -> float:
        data = sw.scenario("jemas", start="2018-06-12", n_slots=6, slot_minutes=minutes).to_dict()
        for site in data["sites"].values():
            site["grid"]["demand_charge"] = charge
        seen: list[float] = []

        def noted(problem: Problem, tolerance: float, *, begun: NDArray[Any] | None) -> DayPlan:
            seen.append(tolerance)
            return plan_day(problem, tolerance, begun=begun)

        monkeypatch.setattr(foresight, "plan_day", noted)
        make_pool([sw.Instance.from_dict(data)], "day-ahead", ENGINE, foresight=True)
        return seen[0]

    assert tolerance(30, 0.0) == tolerance(15, 100.0) < tolerance(5, 100.0) < tolerance(5, 0.0)


def test_what_is_suggested_follows_the_state(day: sw.Instance) -> None:
    world, other = (
        World(make_pool([day], "day-ahead", ENGINE, foresight=True, seed=7), ENGINE, TASK) for _ in range(2)
    )
    begun = world.suggested()
    assert world.suggested() is begun
    world.state = other.state = replace(world.state, energy=world.drawn.problem.energy_min)
    assert not np.array_equal(world.suggested(), begun)
    np.testing.assert_array_equal(world.suggested(), other.suggested())
