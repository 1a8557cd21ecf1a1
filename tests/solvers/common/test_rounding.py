"""Whole jobs next to a fractional plan: queues, links, GPU time and power hold, and the plan is followed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances

from stepwatt.formulation import Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.physics import it_power
from stepwatt.solvers.common import rounding
from stepwatt.solvers.common.rounding import Plan, round_jobs
from stepwatt.solvers.highs.session import HighsSession

Floats = NDArray[np.float64]
MORE = 2 * settings.default.max_examples
SEEDS = st.integers(0, 2**32 - 1)
#: Constraint families that jobs and GPUs alone decide.
FAMILIES = ("sign", "integrality", "assignment", "deadline", "gpu_count", "gpu_time", "link")


def relaxed_plan(inst: Instance, seed: int) -> Plan:
    """The jobs of a vertex of the relaxation, under random prices for jobs and places."""
    a, rng = inst.arrays(), np.random.default_rng(seed)
    p = linear_problem(a)
    cost = p.cost.copy()
    for name in ("runs", "transfers"):
        ids = p.columns[name].ids
        cost[ids] += rng.uniform(-0.3, 0.3, ids.shape) * np.abs(cost[p.columns["runs"].ids]).max(initial=0.0)
    outcome = HighsSession(replace(p, cost=cost), relaxed=True).solve()
    assert outcome.x is not None
    fluid = p.schedule(a, outcome.x)
    return Plan(
        transfers=fluid.transfers,
        runs=fluid.runs,
        gpus_on=np.round(fluid.gpus_on),
        profit=np.broadcast_to(a.options.revenue[:, None], fluid.runs.shape),
        it_limit_mw=np.full((len(a.sites), a.n_slots), np.inf),
        gpu_cost=np.zeros((len(a.sites), a.n_slots)),
    )


def wild_plan(inst: Instance, seed: int) -> Plan:
    """Fractions that fit nothing: too many jobs, too late, where no room is; only unserved sites get none."""
    a, rng = inst.arrays(), np.random.default_rng(seed)
    n, k, t = len(a.sites), len(a.classes), a.n_slots
    size = 1 + a.arrivals.max(initial=0.0)
    transfers = rng.random((n, n, k, t)) * size * (rng.random((n, n, k, t)) < 0.4)
    return Plan(
        transfers=transfers * a.served()[None, :, :, None],
        runs=rng.random((len(a.options), t)) * size * (rng.random((len(a.options), t)) < 0.4),
        gpus_on=np.floor(rng.random((n, t)) * (a.gpus[:, None] + 1)),
        profit=rng.standard_normal((len(a.options), t)),
        it_limit_mw=np.where(rng.random((n, t)) < 0.5, np.inf, rng.random((n, t)) * 0.01),
        gpu_cost=rng.standard_normal((n, t)),
    )


def rounded(a: InstanceArrays, plan: Plan) -> Schedule:
    transfers, runs, gpus_on = round_jobs(a, plan)
    return replace(Schedule.idle(a), transfers=transfers, runs=runs, gpus_on=gpus_on)


def assert_whole_and_fitting(a: InstanceArrays, schedule: Schedule) -> None:
    violations = evaluate(a, schedule).violations
    broken = {name: violations[name] for name in FAMILIES if violations[name] > 1e-7}
    assert not broken


@settings(max_examples=MORE)
@given(instances(max_slots=6, max_sites=3, never=["fluid"]), SEEDS)
def test_plans_of_relaxations_become_whole(inst: Instance, seed: int) -> None:
    """Whole jobs and GPUs, no job before it arrives or after its deadline, links and GPU time kept."""
    assume(len(inst.arrays().options) > 0)
    a = inst.arrays()
    assert_whole_and_fitting(a, rounded(a, relaxed_plan(inst, seed)))


@settings(max_examples=MORE)
@given(instances(max_slots=6, max_sites=3, always=["few"], never=["fluid"]), SEEDS)
def test_any_plan_becomes_whole(inst: Instance, seed: int) -> None:
    """Also a plan that itself keeps no constraint at all."""
    assume(len(inst.arrays().options) > 0)
    a = inst.arrays()
    assert_whole_and_fitting(a, rounded(a, wild_plan(inst, seed)))


@settings(max_examples=MORE)
@given(instances(max_slots=5, max_sites=3, never=["fluid", "few"]), SEEDS)
def test_the_plan_is_followed(inst: Instance, seed: int) -> None:
    """What a queue has sent by any slot stays within a few jobs of the plan: rounding does not add up.

    Each site can fall short by one job of every class a slot (GPU time of whole jobs) beyond half a job of
    rounding a queue.
    """
    assume(len(inst.arrays().options) > 0)
    a, plan = inst.arrays(), relaxed_plan(inst, seed)
    schedule = rounded(a, plan)
    sent, planned = (x.sum(axis=1).cumsum(axis=2) for x in (schedule.transfers, plan.transfers))
    n, k = len(a.sites), len(a.classes)
    assert np.abs(sent - planned).sum(axis=(0, 1)).max() <= 0.5 * n * k + n * k * a.n_slots
    total = plan.transfers.sum()
    assert schedule.transfers.sum() >= total - n * k * a.n_slots


@settings(max_examples=settings.default.max_examples)
@given(instances(max_slots=4, max_sites=2, never=["fluid", "few"]), SEEDS)
def test_power_limits_hold(inst: Instance, seed: int) -> None:
    """No site draws more for jobs and idle GPUs than it may, if its GPUs alone do not already."""
    assume(len(inst.arrays().options) > 0)
    a, plan = inst.arrays(), relaxed_plan(inst, seed)
    idle = a.gpu_idle_mw[:, None] * plan.gpus_on
    jobs = it_power(a, replace(Schedule.idle(a), runs=plan.runs))
    limit = idle + 0.7 * jobs
    schedule = rounded(a, replace(plan, it_limit_mw=limit))
    assert_whole_and_fitting(a, schedule)
    assert (
        it_power(a, schedule) <= np.maximum(limit, a.gpu_idle_mw[:, None] * schedule.gpus_on) + 1e-8
    ).all()


def test_a_whole_plan_stays_as_it_is() -> None:
    """tiny.two_sites: 6 jobs at a, 6 moved to b, 4 of its own; nothing to round."""
    a = tiny.two_sites().arrays()
    plan = Plan(
        transfers=np.array([[6.0, 6.0], [0.0, 4.0]])[:, :, None, None],
        runs=np.array([[6.0], [10.0]]),
        gpus_on=np.ones((2, 1)),
        profit=np.array([[3.0], [7.0]]),
        it_limit_mw=np.full((2, 1), np.inf),
        gpu_cost=np.zeros((2, 1)),
    )
    schedule = rounded(a, plan)
    assert np.array_equal(schedule.transfers, plan.transfers)
    assert np.array_equal(schedule.runs, plan.runs)
    assert np.array_equal(schedule.gpus_on, plan.gpus_on)


def test_fractions_carry_over_to_later_slots() -> None:
    """Half a job planned in each of six slots becomes three jobs, never more than one at once."""
    inst = tiny.instance(
        {"a": tiny.site([0.0] * 6)},
        {"a": [3, 0, 0, 0, 0, 0]},
        steps={10: 1.0},
        seconds_per_step=36.0,
        mwh_per_step=0.0,
        job={"deadline_slots": 5},
    )
    halves = np.full((1, 1, 1, 6), 0.5)
    flat = np.full((1, 6), np.inf)
    plan = Plan(halves, halves[0, 0], np.ones((1, 6)), np.ones((1, 6)), flat, np.zeros((1, 6)))
    schedule = rounded(inst.arrays(), plan)
    assert schedule.transfers.sum() == 3
    assert schedule.transfers.max() == 1
    assert np.array_equal(schedule.runs[0], schedule.transfers[0, 0, 0])


def test_a_queue_behind_its_plan_goes_the_way_of_the_plan() -> None:
    """Of nine jobs the plan moves four and a half to b in the second slot, none to a, which has no option.

    The GPUs of b being off in the first slot, all nine are due in the second: they go to b.
    """
    file = tiny.instance(
        {"a": tiny.site([0.0, 0.0]), "b": tiny.site([0.0, 0.0])},
        {"a": [9, 0], "b": [0, 0]},
        steps={10: 1.0},
        seconds_per_step=36.0,
        mwh_per_step=0.0,
        job={"deadline_slots": 1},
    ).to_dict()
    file["sites"]["a"]["models"] = []
    a = Instance.from_dict(file).arrays()
    transfers = np.zeros((2, 2, 1, 2))
    transfers[0, 1, 0] = [4.5, 4.5]
    off = np.array([[0.0, 0.0], [0.0, 1.0]])
    power = np.array([[np.inf, np.inf], [0.0, np.inf]])
    plan = Plan(transfers, np.array([[4.5, 4.5]]), off, np.ones((1, 2)), power, np.zeros((2, 2)))
    blocked = replace(a, options=replace(a.options, energy_mwh=np.ones(1)))
    schedule = rounded(blocked, plan)
    assert schedule.transfers[0, :, 0, 0].tolist() == [0, 0]
    assert schedule.transfers[0, :, 0, 1].tolist() == [0, 9]


def test_a_job_that_would_be_lost_runs_elsewhere() -> None:
    """One GPU runs 100 jobs of 36 s an hour: of 101 that the plan runs at a, one moves to b."""
    a = tiny.instance(
        {"a": tiny.site([0.0]), "b": tiny.site([0.0])},
        {"a": [101], "b": [0]},
        steps={10: 1.0},
        seconds_per_step=3.6,
        mwh_per_step=0.0,
    ).arrays()
    transfers = np.zeros((2, 2, 1, 1))
    transfers[0, 0] = 101.0
    one = np.ones((2, 1))
    plan = Plan(transfers, np.array([[101.0], [0.0]]), one, one, np.full((2, 1), np.inf), 0 * one)
    schedule = rounded(a, plan)
    assert schedule.transfers[0, :, 0, 0].tolist() == [100, 1]
    assert schedule.runs[:, 0].tolist() == [100, 1]


def test_jobs_are_shortened_rather_than_dropped() -> None:
    """GPU time for 36 long jobs and power for less: all 40 run, as many of them long as both limits allow.

    A long job takes 100 s and 2 kW, a short one 50 s and 1 kW: with 3600 s and 70 kW, n long ones need
    100 n + 50 (40 - n) <= 3600 and 2 n + 40 - n <= 70, so n = 30.
    """
    a = tiny.instance(
        {"a": tiny.site([0.0])},
        {"a": [40]},
        steps={5: 0.5, 10: 1.0},
        seconds_per_step=10.0,
        mwh_per_step=2e-4,
    ).arrays()
    long = int(np.argmax(a.options.seconds))
    planned = np.zeros((2, 1))
    planned[long] = 40.0
    plan = Plan(
        np.full((1, 1, 1, 1), 40.0),
        planned,
        np.ones((1, 1)),
        a.options.revenue[:, None],
        np.full((1, 1), 0.07),
        np.zeros((1, 1)),
    )
    assert a.options.seconds[long] == pytest.approx(100.0)
    schedule = rounded(a, plan)
    assert schedule.runs.sum() == 40
    assert schedule.runs[long, 0] == 30


@pytest.mark.parametrize(("gpu_cost", "run"), [(1.0, 100), (0.1, 101)])
def test_a_job_less_or_a_gpu_more_whichever_costs_less(gpu_cost: float, run: int) -> None:
    """A GPU runs 100 jobs of 36 s an hour. One job too many would earn 0.2 and, lost, costs 0.5."""
    a = tiny.instance(
        {"a": tiny.site([0.0], gpus=2)},
        {"a": [101]},
        steps={10: 1.0},
        seconds_per_step=3.6,
        mwh_per_step=0.0,
        job={"miss_penalty": 0.5},
    ).arrays()
    one = np.ones((1, 1))
    plan = Plan(101 * one[None, None], 101 * one, one, 0.2 * one, np.inf * one, gpu_cost * one)
    schedule = rounded(a, plan)
    assert schedule.runs.sum() == run
    assert schedule.gpus_on[0, 0] == (1 if run == 100 else 2)


# ---------------------------------------------------------------------- ends


def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name for every turn from now on: of jobs that look for another site, or that are made to fit."""
    seen = list[str]()
    elsewhere, fit = rounding.Rounding._elsewhere, rounding.Site.fit

    def looking(*how: Any) -> bool:
        seen.append("elsewhere")
        return elsewhere(*how)

    def fitting(*how: Any) -> Any:
        seen.append("fit")
        return fit(*how)

    monkeypatch.setattr(rounding.Rounding, "_elsewhere", looking)
    monkeypatch.setattr(rounding.Site, "fit", fitting)
    return seen


@pytest.mark.parametrize("jobs", [101, 1_000, 150_000])
def test_however_many_jobs_are_too_many_they_find_other_sites_in_few_turns(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a has room for 100 jobs, b and c for 400 each; the turns grow with the digits of their number."""
    seen = turns(monkeypatch)
    a = tiny.instance(
        {"a": tiny.site([0.0]), "b": tiny.site([0.0], gpus=4), "c": tiny.site([0.0], gpus=4)},
        {"a": [jobs], "b": [0], "c": [0]},
        steps={10: 1.0},
        seconds_per_step=3.6,
        mwh_per_step=0.0,
    ).arrays()
    transfers = np.zeros((3, 3, 1, 1))
    transfers[0, 0] = float(jobs)
    one = np.ones((3, 1))
    runs = np.array([[float(jobs)], [0.0], [0.0]])
    plan = Plan(transfers, runs, np.array([[1.0], [4.0], [4.0]]), one, np.inf * one, 0 * one)
    schedule = rounded(a, plan)
    assert schedule.transfers[0, 0, 0, 0] == 100
    assert schedule.transfers[0, 1:, 0, 0].sum() == min(jobs - 100, 800)
    assert seen.count("elsewhere") <= 6 * np.log2(jobs)


def test_however_many_jobs_are_too_much_they_are_made_to_fit_in_few_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 80,000 jobs of 2 s, 10,000 move to an option of 1 s that draws more: at once, not one by one."""
    monkeypatch.setattr(rounding, "_SQUEEZES", 5)
    a = tiny.instance(
        {"a": tiny.site([0.0])},
        {"a": [80_000]},
        steps={1: 1.0, 2: 2.0, 3: 3.0},
        seconds_per_step=1.0,
        mwh_per_step=1e-3,
    ).arrays()
    seconds, megawatts = np.array([2.0, 3.0, 1.0]), 1e-3 * np.array([1.3, 0.5, 1.6])
    options = replace(a.options, seconds=seconds, energy_mwh=megawatts * a.slot_hours)
    site = rounding.Rounding.of(replace(a, options=options)).sites[0]
    runs = np.array([80_000.0, 0.0, 0.0])
    site._squeeze(runs, np.array([1.5, 1.2, 1.0]), 150_000.0, 200.0)
    assert runs.tolist() == [70_000.0, 0.0, 10_000.0]


@pytest.mark.parametrize("over", [1.5e-9, 5e-8])
def test_a_link_missed_by_rounding_alone_loses_a_job_not_the_way_out(over: float) -> None:
    """A payload of 100 GB, a link too narrow by less than a billionth of it."""
    moving = np.array([[0.0], [3.0]])
    a = tiny.two_sites().arrays()
    a = replace(a, payload_gb=np.array([100.0]))
    own = rounding.Rounding.of(a)
    replace(own, link_gb=np.full_like(own.link_gb, 300.0 - over))._keep_link(moving, 1, 0)
    assert moving[:, 0].tolist() == [1.0, 2.0]


def test_gpu_time_missed_by_rounding_alone_loses_a_job_not_the_way_out() -> None:
    site = rounding.Rounding.of(tiny.two_sites().arrays()).sites[0]
    runs = np.array([3.0])
    site._shed(runs, np.ones(1), np.array([1e3]), 3e3 - 5e-8)
    assert runs.tolist() == [2.0]


@pytest.mark.parametrize("gpus", [0, 1])
def test_nothing_to_do(gpus: int) -> None:
    """No arrivals, or no GPU: all zero, whatever is planned."""
    inst = tiny.instance(
        {"a": tiny.site([0.0], gpus=gpus)},
        {"a": [0]},
        steps={10: 1.0},
        seconds_per_step=36.0,
        mwh_per_step=0.0,
    )
    ones = np.ones((1, 1))
    schedule = rounded(inst.arrays(), Plan(np.ones((1, 1, 1, 1)), ones, gpus * ones, ones, ones, 0 * ones))
    assert not schedule.transfers.any()
    assert not schedule.runs.any()
