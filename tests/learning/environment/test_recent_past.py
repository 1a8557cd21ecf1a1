"""The recent past as it is seen: means over hours, known as far as somebody has seen them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.recent_past import recent_past
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, pool_for
from stepwatt.streaming import Run

HOURS = (1.0, 2.0, 6.0)
FLAT = TaskSettings(information="none", reward="dense", past_hours=HOURS)
SITES = TaskSettings(codec="priced", information="none", reward="dense", past_hours=HOURS, view="sites")
TASKS = pytest.mark.parametrize("task", [FLAT, SITES], ids=["flat", "sites"])


def day(start: str = "2018-06-12", minutes: int = 60, **changed: Any) -> Instance:
    n_slots = 24 * 60 // minutes
    return sw.scenario("jemas", start=start, n_slots=n_slots, slot_minutes=minutes, **changed)


def seen(task: TaskSettings, inst: Instance, history: Instance | None = None) -> np.ndarray:
    """(T,E) what actions cannot change."""
    return pool_for(task, [inst], numpy_engine(), histories=[history]).outlook[:, 0]


def changed(inst: Instance, order: list[int]) -> Instance:
    """The same with prices, renewables and arrivals of the slots in another order."""
    values = inst.to_dict()
    tables = [(site, "renewable_mw") for site in values["sites"].values()]
    tables += [(site["grid"], "import_price") for site in values["sites"].values()]
    tables += [(jobs, name) for jobs in values["arrivals"].values() for name in jobs]
    for table, name in tables:
        table[name] = [table[name][t] for t in order]
    return Instance.from_dict(values)


@given(instances(max_slots=5, max_sites=3), st.integers(0, 4))
def test_blocks_are_means_of_what_has_been_less_what_is(inst: Instance, t: int) -> None:
    a = inst.arrays()
    t %= a.n_slots
    lags = (a.slot_hours, 3 * a.slot_hours)
    found = recent_past(a, None, lags)
    for name, series in (("cost", a.import_cost), ("renewable", a.renewable_mw)):
        for block, slots in enumerate([range(t - 1, t), range(t - 3, t - 1)]):
            known = [slot for slot in slots if slot >= 0]
            expected = series[:, known].mean(axis=1) - series[:, t] if known else 0.0
            np.testing.assert_allclose(getattr(found, name)[t, block], expected, rtol=1e-6, atol=1e-6)


def test_the_day_before_is_what_was_before_the_first_slot() -> None:
    yesterday, today = day("2018-06-11").arrays(), day().arrays()
    found = recent_past(today, yesterday, (2.0, 24.0))
    two = yesterday.import_cost[:, -2:].mean(axis=1) - today.import_cost[:, 0]
    rest = yesterday.import_cost[:, :-2].mean(axis=1) - today.import_cost[:, 0]
    np.testing.assert_allclose(found.cost[0], [two, rest])
    jobs = yesterday.arrivals.sum(axis=0)
    np.testing.assert_allclose(
        found.arrivals[0, 0], jobs[:, -2:].mean(axis=1) - today.arrivals[:, :, 0].sum(axis=0)
    )


def test_slots_of_any_length_are_seen_alike() -> None:
    hourly, quarters = (recent_past(day(minutes=m).arrays(), None, (1.0, 4.0)) for m in (60, 15))
    assert quarters.cost.shape[1:] == hourly.cost.shape[1:]
    # prices are those of hours: the first quarter of an hour sees the hours before
    np.testing.assert_allclose(quarters.cost[::4], hourly.cost, atol=1e-9)


def test_blocks_shorter_than_a_slot_are_that_slot() -> None:
    found = recent_past(day().arrays(), None, (0.25, 0.5, 1.0))
    np.testing.assert_array_equal(found.cost[:, 1:], found.cost[:, :1].repeat(2, axis=1))


@TASKS
def test_a_slot_sees_those_before_it_and_none_after(task: TaskSettings) -> None:
    plain = seen(task, day())
    later = seen(task, changed(day(), [*range(12), *reversed(range(12, 24))]))
    np.testing.assert_allclose(later[:12], plain[:12], atol=1e-12)
    before = changed(day(), [*range(9), 10, 9, *range(11, 24)])
    assert np.abs(seen(task, before)[12] - plain[12]).max() > 1e-3
    blind = task.changed(past_hours=())
    np.testing.assert_allclose(seen(blind, before)[12], seen(blind, day())[12], atol=1e-12)


@TASKS
def test_it_comes_after_all_else_that_is_known(task: TaskSettings) -> None:
    blind, told = (seen(one, day()) for one in (task.changed(past_hours=()), task))
    inst = day().arrays()
    sites, classes = len(inst.sites), len(inst.classes)
    if task.view == "flat":
        assert told.shape[1] == blind.shape[1] + len(HOURS) * (2 * sites + classes)
        np.testing.assert_array_equal(told[:, : blind.shape[1]], blind)
    else:
        rows, more = (values.reshape(24, sites, -1) for values in (blind, told))
        assert more.shape[2] == rows.shape[2] + len(HOURS) * (2 + classes)
        np.testing.assert_array_equal(more[..., : rows.shape[2]], rows)


@TASKS
def test_both_engines_and_any_number_side_by_side_see_the_same(task: TaskSettings) -> None:
    torch = pytest.importorskip("torch")
    from stepwatt.learning.environment.torch_engine import torch_engine

    days, past = [day(), day("2018-06-14")], [day("2018-06-11"), None]
    for engine in (numpy_engine(), torch_engine(torch.float64)):
        world = World(pool_for(task, days, engine, histories=past), engine, task)
        together = np.asarray(world.observation())
        assert together.shape == (2, world.obs_size)
        for number, (inst, before) in enumerate(zip(days, past, strict=True)):
            numpy = numpy_engine()
            alone = World(pool_for(task, [inst], numpy, histories=[before]), numpy, task)
            np.testing.assert_allclose(together[number], alone.observation()[0], atol=1e-9)


@TASKS
def test_the_vector_environment_sees_what_the_single_one_does(task: TaskSettings) -> None:
    pytest.importorskip("torch")
    from stepwatt.learning.environment.gym_env import SchedulingGymEnv, SchedulingVectorEnv

    one = SchedulingGymEnv(day(), task, histories=day("2018-06-11"))
    many = SchedulingVectorEnv(day(), task, num_envs=2, histories=day("2018-06-11"))
    alone, together = one.reset(seed=1)[0], many.reset(seed=1)[0]
    np.testing.assert_allclose(together, np.stack([alone, alone]), atol=1e-5)


def test_a_policy_trained_with_it_plays_batches_files_and_slots_alike(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    small = ["family.every=120", "family.slot_minutes=60", "agent.hidden=[8]", "env_steps=48"]
    small += ["envs_per_run=2", "warmup_steps=24", "replay_steps=1000", "task.past_hours=[1,2,6]"]
    policy = sw.train(
        codec="priced", information="none", warm_start="clone", settings=[*small, "warm_start.updates=20"]
    )
    kept = sw.load_policy(policy.save(tmp_path))
    assert kept.task.past_hours == HOURS
    days = [day(integral_jobs=False), day("2018-06-14", integral_jobs=False)]
    earned = [sw.evaluate(one, made).utility for one, made in zip(days, kept.schedules(days), strict=True)]
    assert earned[0] == pytest.approx(sw.evaluate(days[0], kept.schedule(days[0])).utility, rel=1e-9)
    live = Run(kept, days[0])
    decided = sum(live.decide({"slot": t})["utility"] for t in range(days[0].n_slots))
    assert decided == pytest.approx(earned[0], rel=1e-6)


def test_what_it_was_saved_without_stays_as_it_was() -> None:
    assert "past_hours" not in TaskSettings().plain()
    assert TaskSettings.read(TaskSettings().plain()) == TaskSettings()
    assert TaskSettings.read(FLAT.plain()) == FLAT


@pytest.mark.parametrize(
    ("hours", "told"),
    [([2, 1], "hours that rise"), ([1, 1], "hours that rise"), ([0], "> 0 and ≤ 168"), ([1e9], "168")],
)
def test_hours_that_mean_nothing_are_refused_in_one_line(hours: list[float], told: str) -> None:
    with pytest.raises(sw.InputError, match=told) as refused:
        TaskSettings.read({"past_hours": hours})
    assert "\n" not in str(refused.value)


def test_a_day_before_of_other_slots_is_refused() -> None:
    with pytest.raises(sw.InputError, match=r"history = .*expected sites, classes and slots"):
        seen(FLAT, day(), day(minutes=30))
