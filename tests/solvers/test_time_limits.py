"""Time limits hold for every method, by a clock that the test holds: what was found is returned, and said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
from clocks import HeldClock
from hypothesis import given, settings
from strategies import instances, random_instance

from stepwatt.formulation import Instance, State, evaluate
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state
from stepwatt.solvers import METHODS, Result, Settings, Status
from stepwatt.solvers.common.sizes import columns_per_slot
from stepwatt.solvers.highs.session import HighsSession, Outcome, Termination
from stepwatt.solvers.interface.deadline import Deadline
from stepwatt.solvers.optimum import search
from stepwatt.solvers.optimum.search import Search
from stepwatt.solvers.planners import look_ahead
from stepwatt.solvers.planners.forecasts import make_forecast
from stepwatt.solvers.planners.foresight.renewal import Beliefs
from stepwatt.solvers.planners.going_on import gone_on
from stepwatt.solvers.planners.look_ahead import LookAhead, Plan
from stepwatt.solvers.planners.rolling import RollingPlanner, rolling
from stepwatt.solvers.planners.rules import greedy
from stepwatt.solvers.planners.slot_by_slot import Greedy, slot_by_slot

#: Methods that search, or decide slot by slot with more or less effort.
SEARCHING = [
    name
    for name, method in METHODS.items()
    if name in ("greedy", "rolling") or (method.keeps_best and name != "distributed")
]


def coarse(n_slots: int) -> Instance:
    """Few long jobs, so that slots are worth branching and MIPs."""
    features = ["few", "deadline", "battery", "generator"]
    return random_instance(np.random.default_rng(0), n_slots=n_slots, n_sites=3, features=features)


def five_minutes(n_slots: int) -> Instance:
    features = ["battery", "deadline"]
    return random_instance(
        np.random.default_rng(0), n_slots=n_slots, n_sites=2, slot_hours=1 / 12, features=features
    )


@pytest.mark.parametrize("method", SEARCHING)
def test_whatever_is_looked_at_late_ends_soon(method: str) -> None:
    """Every look at the clock takes a tenth of the limit, and there are few looks after its end."""
    clock, inst = HeldClock(tick=1.0), coarse(4)
    result = METHODS[method].run(inst, Settings(gap=0.0, time_limit=10.0, clock=clock))
    assert result.status in (Status.TIME_LIMIT, Status.FEASIBLE, Status.OPTIMAL)
    if result.evaluation is not None:
        assert result.evaluation.feasible, result.evaluation.worst
    assert clock.now <= 60.0


# ---------------------------------------------------------------------- slots that are left


@pytest.mark.parametrize("method", ["greedy", "random", "rolling", "foresight"])
@pytest.mark.parametrize("seed", range(3))
def test_slots_that_are_left_go_on_like_the_last_one(method: str, seed: int) -> None:
    """The clock jumps to the end after three slots of eight: what is done then is feasible, and said."""
    features = ["deadline", "battery", "thermal", "generator", "dvfs", "link"][seed:]
    inst = random_instance(np.random.default_rng(seed), n_slots=8, n_sites=3, features=features)
    clock, seen = HeldClock(), list[str]()

    def slot(done: float, what: str) -> None:
        seen.append(what)
        if what == "slot 3 of 8":
            clock.now = 1e9

    result = METHODS[method].run(inst, Settings(time_limit=1e6, clock=clock, progress=slot))
    assert result.status is Status.TIME_LIMIT
    assert result.message.startswith("3 of 8 slots were decided in time")
    assert result.evaluation is not None
    assert result.evaluation.feasible, result.evaluation.worst
    assert result.schedule is not None
    assert result.schedule.runs[:, 3:].any()


@settings(max_examples=max(10, settings.default.max_examples // 2))
@given(instances(max_slots=4, max_sites=3))
def test_what_goes_on_from_nothing_can_be_done(inst: Instance) -> None:
    a = inst.arrays()
    judged = evaluate(a, gone_on(a, 0, fresh_state(a), None))
    assert judged.feasible, judged.worst


def test_more_jobs_than_a_habit_has_time_for_run_with_shorter_options() -> None:
    """72 jobs of 50 s fill a GPU's hour. 300 come in the next: they run, as many with 50 s as there is room
    for, and none is lost."""
    inst = tiny.instance(
        {"a": tiny.site([1.0, 1.0])},
        {"a": [72, 300]},
        steps={10: 1.0, 50: 4.0},
        seconds_per_step=1.0,
        mwh_per_step=0.0,
    )
    clock = HeldClock()

    def slot(done: float, what: str) -> None:
        clock.now = 1e9

    result = greedy(inst, Settings(time_limit=1.0, clock=clock, progress=slot))
    assert result.status is Status.TIME_LIMIT
    assert result.schedule is not None
    assert result.schedule.runs[:, 0].tolist() == [0.0, 72.0]
    short, long = result.schedule.runs[:, 1]
    assert short + long == 300
    assert 10 <= long <= 15


@pytest.mark.parametrize("clock", [HeldClock(tick=1e9), HeldClock()])
def test_foresight_plans_again_only_where_there_is_time(
    clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all the time every hour of a day is planned anew, with none only the beginning is."""
    begun, real = list[int](), Beliefs.renewed

    def renewed(beliefs: Beliefs, problem: Any, ahead: Any, t: int, state: Any) -> Any:
        begun.append(t)
        return real(beliefs, problem, ahead, t, state)

    monkeypatch.setattr(Beliefs, "renewed", renewed)
    inst = five_minutes(36)
    result = METHODS["foresight"].run(inst, Settings(time_limit=1e6, clock=clock))
    assert result.evaluation is not None
    assert result.evaluation.feasible
    if clock.tick:
        assert begun == []
        assert result.status is Status.TIME_LIMIT
    else:
        assert begun == [12, 24]
        assert result.status is Status.FEASIBLE


def test_what_is_too_wide_to_plan_is_decided_as_by_greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    inst = five_minutes(6)
    monkeypatch.setattr("stepwatt.solvers.planners.foresight.foresight.MOST_WORK", 1.0)
    result = METHODS["foresight"].run(inst, Settings())
    assert result.status is Status.FEASIBLE
    assert "too many sites and classes" in result.message
    assert result.utility == greedy(inst, Settings()).utility


def test_a_window_of_too_many_columns_looks_less_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    inst = five_minutes(30)
    a = inst.arrays()
    monkeypatch.setattr(look_ahead, "_MOST_COLUMNS", 3 * columns_per_slot(a))
    plan = LookAhead(a, make_forecast("perfect", a, None, 0), 24.0).plan(0, fresh_state(a))
    assert plan is not None
    assert plan.problem.columns["import_mw"].ids.shape[1] == 3
    result = rolling(inst, Settings(forecast="perfect"))
    assert result.evaluation is not None
    assert result.evaluation.feasible


# ---------------------------------------------------------------------- greedy


def solves(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The time limit of every call of HiGHS from now on."""
    seen, real = list[float | None](), HighsSession.solve

    def counted(session: HighsSession, **how: Any) -> Outcome:
        seen.append(how.get("time_limit"))
        return real(session, **how)

    monkeypatch.setattr(HighsSession, "solve", counted)
    return seen


def test_greedy_with_enough_time_does_not_notice_the_limit() -> None:
    inst = coarse(6)
    free = greedy(inst, Settings())
    limited = greedy(inst, Settings(time_limit=1e6, clock=HeldClock()))
    assert limited.status is Status.FEASIBLE
    assert limited.utility == free.utility


def test_greedy_with_little_time_only_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear model and its rounding, a handful of calls a slot, none of them a MIP; and it says so."""
    inst = random_instance(np.random.default_rng(0), n_slots=6, n_sites=6, features=["few", "dvfs"])
    seen, clock = solves(monkeypatch), HeldClock()
    free = greedy(inst, Settings())
    often = len(seen)
    seen.clear()
    monkeypatch.setattr(Greedy, "_share", lambda rule, left, t: Deadline(0.0))
    late = greedy(inst, Settings(time_limit=1.0, clock=clock))
    assert late.status is Status.TIME_LIMIT
    assert late.message == ""
    assert late.evaluation is not None
    assert late.evaluation.feasible
    assert len(seen) <= 6 * inst.n_slots < often
    assert all(limit is None for limit in seen), "HiGHS looks at no clock in a linear model"
    assert late.utility is not None
    assert free.utility is not None
    assert 0 < late.utility <= free.utility + 1e-9


def test_greedy_keeps_for_each_slot_what_one_takes_at_least() -> None:
    """Of a hundred seconds ten slots of five each leave fifty, of which the first may have ten."""
    clock = HeldClock()
    rule = Greedy(coarse(10).arrays(), Deadline(100.0, clock))
    assert rule._share(100.0, 0).left() == pytest.approx(20.0)
    rule._least = 5.0
    assert rule._share(100.0, 0).left() == pytest.approx(15.0)
    clock.now = 99.0
    assert rule._share(1.0, 0).left() == pytest.approx(1.0)
    clock.now = 100.0
    assert rule._share(0.0, 5).passed


# ---------------------------------------------------------------------- rolling


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, clock: HeldClock) -> list[int]:
    """The slots that are planned from now on; every plan takes a second, whatever its limit."""
    seen, real = list[int](), LookAhead.plan

    def plan(ahead: LookAhead, t: int, state: State, seconds: float | None = None) -> Plan | None:
        seen.append(t)
        clock.now += 1.0
        return real(ahead, t, state, None)

    monkeypatch.setattr(LookAhead, "plan", plan)
    return seen


def test_rolling_with_enough_time_plans_every_slot(planned: list[int], clock: HeldClock) -> None:
    inst = five_minutes(40)
    limited = rolling(inst, Settings(time_limit=60.0, clock=clock))
    assert planned == list(range(40))
    assert limited.status is Status.FEASIBLE
    assert limited.utility == rolling(inst, Settings()).utility


def test_where_plans_take_too_long_they_are_spread_over_the_slots(
    planned: list[int], clock: HeldClock
) -> None:
    """Forty plans of a second in twenty seconds: every other slot or third is planned, to the end."""
    inst = five_minutes(40)
    result = rolling(inst, Settings(forecast="perfect", time_limit=20.0, clock=clock))
    assert result.status is Status.TIME_LIMIT
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert 16.0 <= clock.now <= 20.0
    assert max(np.diff([*planned, 40])) <= 3


def test_what_is_done_besides_plans_is_allowed_for(
    planned: list[int], clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of a second a slot, plans left out: of twenty seconds less than seven are for plans."""
    decide = RollingPlanner.decide

    def slow(planner: RollingPlanner, t: int, state: State) -> Any:
        clock.now += 1 / 3
        return decide(planner, t, state)

    monkeypatch.setattr(RollingPlanner, "decide", slow)
    rolling(five_minutes(40), Settings(time_limit=20.0, clock=clock))
    assert clock.now <= 21.0
    assert 5 <= len(planned) <= 7
    assert max(np.diff([*planned[2:], 40])) <= 12


def test_between_plans_storage_follows_the_last_one(
    clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third plan takes all the time there is: from then on batteries do what it says."""
    a = five_minutes(20).arrays()
    plans, real = list[Plan](), LookAhead.plan

    def plan(ahead: LookAhead, t: int, state: State, seconds: float | None = None) -> Plan | None:
        found = real(ahead, t, state, None)
        assert found is not None
        plans.append(found)
        clock.now += 1e3 if t == 2 else 0.0
        return found

    monkeypatch.setattr(LookAhead, "plan", plan)
    planner = RollingPlanner(a, make_forecast("perfect", a, None, 0), 24.0, Deadline(100.0, clock))
    done = slot_by_slot(a, planner.decide, lambda done, what: None).schedule
    assert planner.cut_short
    assert len(plans) == 3
    p, x = plans[-1].problem, plans[-1].outcome.x
    assert x is not None
    j = p.members.batteries
    for name in ("charge_mw", "discharge_mw"):
        np.testing.assert_allclose(
            getattr(done, name)[j, 3:], x[p.columns[name].ids[:, 3 - plans[-1].origin : 20]], atol=1e-9
        )
    assert done.charge_mw[:, 3:].any()


def test_a_plan_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS ends without a plan in every slot: they are decided as by the rule that never looks ahead."""
    inst = five_minutes(30)
    real = LookAhead.plan
    monkeypatch.setattr(LookAhead, "plan", lambda ahead, t, state, seconds: real(ahead, t, state, 0.0))
    late = rolling(inst, Settings(time_limit=1e6, clock=HeldClock()))
    assert late.status is Status.TIME_LIMIT
    assert late.utility == pytest.approx(greedy(inst, Settings()).utility, rel=1e-2)


def test_a_search_that_would_not_look_at_the_clock_is_begun_with_time_enough_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HiGHS rounds along a line without a look at it, here for the square of what is whole in seconds."""
    inst = tiny.whole_jobs()
    whole = int(linear_problem(inst.arrays()).integer.sum())
    begun: list[float | None] = []
    monkeypatch.setattr(search, "_LINE_SECONDS", 1.0)
    monkeypatch.setattr(Search, "closed", False)  # as where the gap stays open to the last stage

    def whole_mip(self: Search) -> Termination:
        begun.append(self.deadline.left())
        return Termination.OPTIMAL

    monkeypatch.setattr(Search, "whole_mip", whole_mip)

    def found(seconds: float | None) -> Result:
        return METHODS["oracle"].run(inst, Settings(time_limit=seconds, clock=HeldClock()))

    found(None)
    found(1.1 * whole**2)
    assert begun == [None, 1.1 * whole**2]
    settled: list[float | None] = []
    real = Search.settle_commitment
    monkeypatch.setattr(
        Search,
        "settle_commitment",
        lambda self: (settled.append(self.deadline.left()), real(self))[1],
    )
    late = found(0.9 * whole**2)
    assert len(begun) == 2
    assert len(settled) == 1
    assert late.evaluation is not None
    assert late.evaluation.feasible
    # nor the one of GPUs and modes alone, which are fewer
    assert found(0.9).schedule is not None
    assert len(settled) == 1
