"""Time limits hold for every method, by a clock that the test holds: what was found is returned, and said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clocks import HeldClock
from strategies import random_instance

from stepwatt.formulation import Instance, State
from stepwatt.solvers import METHODS, Settings, Status
from stepwatt.solvers.highs.session import HighsSession, Outcome
from stepwatt.solvers.interface.deadline import Deadline
from stepwatt.solvers.planners.forecasts import make_forecast
from stepwatt.solvers.planners.look_ahead import LookAhead, Plan
from stepwatt.solvers.planners.rolling import RollingPlanner, rolling
from stepwatt.solvers.planners.rules import greedy
from stepwatt.solvers.planners.slot_by_slot import slot_by_slot

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


def test_greedy_without_time_only_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear model and its rounding, a handful of calls a slot, none of them a MIP; and it says so."""
    inst = random_instance(np.random.default_rng(0), n_slots=6, n_sites=6, features=["few", "dvfs"])
    seen = solves(monkeypatch)
    free = greedy(inst, Settings())
    often = len(seen)
    seen.clear()
    late = greedy(inst, Settings(time_limit=1.0, clock=HeldClock(tick=1.0)))
    assert late.status is Status.TIME_LIMIT
    assert late.evaluation is not None
    assert late.evaluation.feasible
    assert len(seen) <= 6 * inst.n_slots < often
    assert all(limit is None for limit in seen), "HiGHS looks at no clock in a linear model"
    assert late.utility is not None
    assert free.utility is not None
    assert 0 < late.utility <= free.utility + 1e-9


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
