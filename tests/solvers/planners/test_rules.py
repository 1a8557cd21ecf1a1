"""Rules and ablations: greedy, random, and the oracle with one lever taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from places import EXAMPLES
from strategies import instances, random_file, random_instance

from stepwatt.formulation import Instance, Schedule, load
from stepwatt.solvers import Result, Status, solve
from stepwatt.solvers.optimum.ablations import ABLATIONS, no_dvfs

FEW = max(4, settings.default.max_examples // 4)
COUPLING = [
    "deadline",
    "battery",
    "zero_battery",
    "generator",
    "generator_minimum",
    "thermal",
    "demand",
    "terminal_price",
]
LEVERS = ["deadline", "battery", "dvfs", "negative", "export_equal"]
CHEAP = ("greedy", "rolling", "random", "lp", "conic", *ABLATIONS)


def acting(inst: Instance, method: str, gap: float = 1e-3, **how: Any) -> tuple[Result, Schedule]:
    """A result whose schedule the judge accepts."""
    result = solve(inst, method, gap=gap, **how)
    assert result.schedule is not None
    assert result.evaluation is not None
    assert result.evaluation.feasible, result.evaluation.worst
    assert result.bound is None
    assert result.status is Status.FEASIBLE
    return result, result.schedule


# ---------------------------------------------------------------------- greedy and random


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=3, never=[*COUPLING, "few"]))
def test_greedy_is_the_oracle_where_slots_do_not_touch(inst: Instance) -> None:
    """Without queues, storage, rooms, commitment and demand charge every slot stands alone.

    What is left is rounding.
    """
    best = solve(inst, gap=1e-4)
    result, _ = acting(inst, "greedy")
    assert best.bound is not None
    assert best.evaluation is not None
    assert result.utility is not None
    turnover = max(abs(best.bound), best.evaluation.breakdown["revenue"])
    assert best.bound - result.utility <= 1e-3 * turnover


def test_greedy_is_mostly_the_oracle_to_its_gap() -> None:
    losses = []
    for seed in range(9):
        inst = random_instance(
            np.random.default_rng(seed),
            n_slots=2,
            n_sites=2,
            slot_hours=(1 / 12, 0.5, 1.0)[seed % 3],
            features=[],
        )
        best, greedy = solve(inst, gap=1e-4).utility, acting(inst, "greedy")[0].utility
        assert best is not None
        assert greedy is not None
        losses.append((best - greedy) / abs(best))
    assert np.median(losses) <= 1e-4


@pytest.mark.parametrize("name", ["one slot", "two sites", "whole jobs"])
def test_greedy_by_hand(name: str) -> None:
    """One slot is all there is: greedy is optimal."""
    make, optimum, _ = tiny.BY_HAND[name]
    assert acting(make(), "greedy")[0].utility == pytest.approx(optimum, rel=1e-6)


def test_greedy_does_not_look_ahead() -> None:
    """tiny.battery: charging pays only later, so nothing is charged: 900 − 450 = 450."""
    result, schedule = acting(tiny.battery(), "greedy")
    assert result.utility == pytest.approx(450.0)
    assert not schedule.charge_mw.any()


def test_random_differs_by_seed_and_is_worse() -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=4, n_sites=3, features=["deadline", "battery"])
    best = solve(inst).utility
    drawn = [acting(inst, "random", seed=seed)[0].utility for seed in range(3)]
    assert len(set(drawn)) == 3
    assert best is not None
    assert max(u for u in drawn if u is not None) < best


# ---------------------------------------------------------------------- ablations


def takes_away(name: str, inst: Instance, schedule: Schedule) -> None:
    """What must not be there without the lever."""
    a = inst.arrays()
    o = a.options
    used = schedule.runs.sum(axis=1) > 0
    if name in ("local", "all-off"):
        for i in range(len(a.sites)):
            for j in range(len(a.sites)):
                assert i == j or not schedule.transfers[i, j].any()
    if name in ("fixed-steps", "all-off"):
        for key in set(zip(o.site, o.job_class, o.model, o.clock, strict=True)):
            rows = used & _equal((o.site, o.job_class, o.model, o.clock), key)
            assert len(set(o.steps[rows])) <= 1
    if name in ("no-dvfs", "all-off"):
        for key in set(zip(o.site, o.job_class, o.model, strict=True)):
            rows = used & _equal((o.site, o.job_class, o.model), key)
            assert len(set(o.clock[rows])) <= 1
    if name == "no-renewables":
        assert not schedule.renewable_mw.any()
    if name in ("no-storage", "all-off"):
        assert not schedule.charge_mw.any()
        assert not schedule.discharge_mw.any()
    if name in ("no-deferral", "all-off"):
        come = a.arrivals.copy()
        come[:, :, 0] += a.state.backlog.sum(axis=2)
        assert (schedule.transfers.sum(axis=1) <= come + 1e-9).all(), "a job runs when it arrives"


def _equal(columns: tuple[Any, ...], key: tuple[Any, ...]) -> Any:
    return np.logical_and.reduce([column == value for column, value in zip(columns, key, strict=True)])


@pytest.mark.parametrize("name", ABLATIONS)
@settings(max_examples=FEW)
@given(inst=instances(max_slots=3, max_sites=3, always=["deadline", "battery", "dvfs"], never=["few"]))
def test_an_ablation_takes_its_lever_away(name: str, inst: Instance) -> None:
    """The lever is gone from the schedule, which the full instance accepts, below the full bound."""
    result, schedule = acting(inst, name, gap=1e-2)
    takes_away(name, inst, schedule)
    bound = solve(inst, "lp").bound
    assert bound is not None
    assert result.utility is not None
    assert result.utility <= bound + 1e-7 * max(1.0, abs(bound))


@pytest.mark.parametrize(
    ("name", "make", "utility"),
    [
        # a: 10 of 12 jobs at 3, two lost at 1; b: 4 at 7, 0.4 MWh of sun save 4
        ("local", tiny.two_sites, 30.0 - 2.0 + 28.0 + 4.0),
        ("no-renewables", tiny.two_sites, 82.0),
        ("no-storage", tiny.battery, 450.0),
        # 20 steps are the allowed ones nearest to 30: ten long jobs at 5, two lost, 4 of idling
        ("fixed-steps", tiny.one_slot, 50.0 - 2.0 - 4.0),
        ("all-off", tiny.battery, 450.0),
    ],
)
def test_ablations_by_hand(name: str, make: Any, utility: float) -> None:
    assert acting(make(), name)[0].utility == pytest.approx(utility, rel=1e-6)


def test_without_dvfs_there_is_one_clock_even_where_only_boost_is_fast_enough() -> None:
    """Long jobs that the base clock is too slow for may not borrow another clock: one clock a class."""
    file = random_file(np.random.default_rng(3), n_slots=1, n_sites=1, features=["dvfs"])
    file["sites"]["s0"]["clocks"] = [
        {"name": "base", "speed": 1.0, "energy": 1.0},
        {"name": "boost", "speed": 1.5, "energy": 1.6},
    ]
    file["sites"]["s0"]["models"] = ["m0"]
    file["models"]["m0"] |= {"steps": [10, 30], "seconds_fixed": 0.0, "seconds_per_step": 1.0}
    for k in file["classes"].values():
        k |= {"max_execution_s": 25.0, "quality_floor": 0.0}
    full = Instance.from_dict(file).arrays()
    assert sorted(zip(full.options.steps, full.options.clock, strict=True))[:3] != []
    left = no_dvfs(full).options
    for k in range(len(full.classes)):
        assert set(left.clock[left.job_class == k]) == {0}


# ---------------------------------------------------------------------- odd shapes


def odd(n_slots: int, **changes: Any) -> Instance:
    rng = np.random.default_rng(9)
    features = changes.pop("features", ["battery", "deadline", "thermal"])
    return random_instance(
        rng, n_slots=n_slots, slot_hours=1.0, features=features, **({"n_sites": 2} | changes)
    )


def nobody_comes() -> Instance:
    file = odd(3).to_dict()
    for by_class in file["arrivals"].values():
        for name in by_class:
            by_class[name] = [0, 0, 0]
    return Instance.from_dict(file)


def no_capacity() -> Instance:
    file = odd(3).to_dict()
    for site in file["sites"].values():
        site["gpus"] = 0
    return Instance.from_dict(file)


def nothing_served() -> Instance:
    file = odd(2).to_dict()
    for site in file["sites"].values():
        site["models"] = []
    return Instance.from_dict(file)


ODD = {
    "23-hour day": lambda: Instance.from_dict(odd(23).to_dict() | {"start": "2024-03-31T00:00:00+01:00"}),
    "25-hour day": lambda: Instance.from_dict(odd(25).to_dict() | {"start": "2024-10-27T00:00:00+02:00"}),
    "one site": lambda: odd(4, n_sites=1),
    "one slot": lambda: odd(1),
    "no arrivals": nobody_comes,
    "no GPUs": no_capacity,
    "no options": nothing_served,
}


@pytest.mark.parametrize("name", ODD)
def test_every_cheap_method_runs_on_odd_shapes(name: str) -> None:
    inst = ODD[name]()
    for method in ("greedy", "rolling", "random", "lp", "conic"):
        result = solve(inst, method)
        assert result.evaluation is not None, method
        if method not in ("lp", "conic"):
            assert result.evaluation.feasible, (method, result.evaluation.worst)
        if name in ("no arrivals", "no GPUs", "no options"):
            # an interior point leaves traces
            assert result.evaluation.breakdown["revenue"] == pytest.approx(0.0, abs=1e-5), method
    if inst.n_slots < 20:
        for method in ABLATIONS:
            acting(inst, method)


def test_a_generator_that_must_give_all_it_can_is_not_left_off_for_rounding() -> None:
    # what is needed is all there is: import, sun and generator at their limits, and 1e-18 MW more
    result = solve(load(EXAMPLES / "all-it-can-give.json"), "random", seed=7755)
    assert result.evaluation is not None
    assert result.evaluation.feasible, result.evaluation.broken
