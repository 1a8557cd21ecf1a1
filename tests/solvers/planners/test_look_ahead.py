"""Plans of a moving window: half-hours that stand for their slots, one model that serves several slots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances, random_instance

from stepwatt.formulation import Instance, InstanceArrays
from stepwatt.formulation.milp.linear_problem import Block
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state, next_state, window
from stepwatt.solvers.highs.session import HighsSession, Outcome, Termination
from stepwatt.solvers.interface.errors import NoDecision
from stepwatt.solvers.planners import look_ahead
from stepwatt.solvers.planners.coarsening import Coarsening
from stepwatt.solvers.planners.forecasts import make_forecast
from stepwatt.solvers.planners.look_ahead import LookAhead
from stepwatt.solvers.planners.rolling import RollingPlanner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEW = max(4, settings.default.max_examples // 4)
SEEDS = st.integers(0, 2**32 - 1)
FIVE_MINUTES = 1 / 12


def perfect(a: InstanceArrays, hours: float = 24.0) -> LookAhead:
    return LookAhead(a, make_forecast("perfect", a, None, 0), hours)


def five_minutes(seed: int, n_slots: int, features: list[str]) -> Instance:
    rng = np.random.default_rng(seed)
    return random_instance(rng, n_slots=n_slots, n_sites=2, slot_hours=FIVE_MINUTES, features=features)


def held(inst: Instance, slots: int) -> InstanceArrays:
    """The arrays with prices, weather and arrivals that change every so many slots only."""
    a = inst.arrays()
    same = np.arange(a.n_slots) // slots * slots
    names = ("arrivals", "import_price", "export_price", "carbon_kg_per_mwh", "renewable_mw", "pue", "cop",
             "outside_c")  # fmt: skip
    return replace(a, **{name: getattr(a, name)[..., same] for name in names})


# ---------------------------------------------------------------------- half-hours


@settings(max_examples=FEW)
@given(instances(max_slots=6, max_sites=2), SEEDS)
def test_a_block_has_the_sum_of_its_rows_and_the_money_of_its_slots(inst: Instance, seed: int) -> None:
    """For decisions that stay the same in a block, joined rows and costs are those of the slots, added."""
    p, rng = linear_problem(inst.arrays()), np.random.default_rng(seed)
    cut = rng.random(inst.n_slots) < 0.5
    starts = np.flatnonzero(cut | (np.arange(inst.n_slots) == 0))
    of_slot = np.searchsorted(starts, np.arange(inst.n_slots), side="right") - 1
    joined = Coarsening(p, starts)(p)
    y = rng.standard_normal(len(joined.cost))
    x = np.zeros(len(p.cost))
    for name, block in p.columns.items():
        x[block.ids] = y[by_slot(joined.columns[name], of_slot)]
    assert joined.cost @ y == pytest.approx(p.cost @ x, rel=1e-9, abs=1e-12)
    for have, want in (
        (joined.matrix @ y, p.matrix @ x),
        (joined.row_lower, p.row_lower),
        (joined.row_upper, p.row_upper),
    ):
        for name, block in p.rows.items():
            total = np.zeros_like(joined.rows[name].ids, dtype=float)
            if block.ids.ndim == 2:
                np.add.at(total.T, of_slot, want[block.ids].T)
            else:
                total = want[block.ids]
            np.testing.assert_allclose(have[joined.rows[name].ids], total, rtol=1e-9, atol=1e-12)


def by_slot(block: Block, of_slot: Ints) -> Ints:
    return block.ids[:, of_slot] if block.ids.ndim == 2 else block.ids


@settings(max_examples=FEW)
@given(instances(max_slots=5, max_sites=2))
def test_slots_alone_are_the_problem_itself(inst: Instance) -> None:
    p = linear_problem(inst.arrays())
    same = Coarsening(p, np.arange(inst.n_slots))(p)
    assert (same.matrix != p.matrix).nnz == 0
    for name in ("cost", "lower", "upper", "row_lower", "row_upper"):
        np.testing.assert_array_equal(getattr(same, name), getattr(p, name))


def test_half_hours_of_the_same_price_lose_nothing() -> None:
    """Jobs that cannot wait, batteries, and nothing that changes within half an hour: the same optimum."""
    a = held(five_minutes(0, 36, ["battery", "carbon"]), 6)
    whole = linear_problem(a)
    best = HighsSession(whole, relaxed=True).solve().objective
    joined = Coarsening(whole, np.arange(0, 36, 6))(whole)
    assert len(joined.cost) < len(whole.cost) / 5
    assert HighsSession(joined, relaxed=True).solve().objective == pytest.approx(best, rel=1e-7)


def test_a_window_is_fine_for_two_hours_and_ends_on_a_half_hour() -> None:
    a = five_minutes(1, 120, ["battery"]).arrays()
    ahead = perfect(a, hours=5.0)
    plan = ahead.plan(0, fresh_state(a))
    assert plan is not None
    # 24 slots of two hours and 6 of the first half-hour, then six blocks until 5.5 h
    assert plan.problem.columns["import_mw"].ids.shape[1] == 30 + 6
    assert plan.covers(29)
    assert not plan.covers(30)


def test_what_half_hours_cannot_do_is_planned_slot_by_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the joined window has no plan although the slots have one, the fine one is taken."""
    a = five_minutes(2, 60, ["battery"]).arrays()
    real = HighsSession.solve
    asked: list[int] = []

    def unlucky(session: HighsSession, **how: float) -> Outcome:
        asked.append(session.problem.columns["import_mw"].ids.shape[1])
        outcome = real(session, **how)
        return replace(outcome, termination=Termination.INFEASIBLE) if asked[-1] < 60 else outcome

    monkeypatch.setattr(HighsSession, "solve", unlucky)
    plan = perfect(a).plan(0, fresh_state(a))
    assert plan is not None
    assert plan.problem.columns["import_mw"].ids.shape[1] == 60
    assert asked[-1] == 60


def test_where_there_is_no_plan_it_says_so() -> None:
    """A room without cooling in a heat wave."""
    a = five_minutes(3, 40, ["thermal"]).arrays()
    hot = replace(a, outside_c=a.outside_c + 200.0, cooling_max_mw=0 * a.cooling_max_mw)
    with pytest.raises(NoDecision, match="slot 0"):
        perfect(hot).plan(0, fresh_state(hot))


# ---------------------------------------------------------------------- from slot to slot


@settings(max_examples=FEW)
@given(
    st.integers(0, 20),
    st.sampled_from([["battery", "deadline"], ["thermal", "demand"], ["generator", "deadline", "link"]]),
)
def test_the_model_that_was_kept_plans_as_a_fresh_one_does(seed: int, features: list[str]) -> None:
    """Nine slots one after the other, across the half-hour: from the same state the same optimum."""
    a = five_minutes(seed, 45, features).arrays()
    forecast = make_forecast("day-ahead", a, None, seed)
    kept, planner = LookAhead(a, forecast, 24.0), RollingPlanner(a, forecast, 24.0)
    state = fresh_state(a)
    for t in range(9):
        plan, fresh = kept.plan(t, state), LookAhead(a, forecast, 24.0).plan(t, state)
        assert plan is not None
        assert fresh is not None
        assert plan.outcome.objective == pytest.approx(fresh.outcome.objective, rel=1e-6, abs=1e-9)
        alone, _, judged = planner.decide(t, state)
        state = next_state(alone, judged)


def test_executed_slots_are_closed_and_their_end_is_where_the_window_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the fourth slot of a half-hour the plan is worth what the window from there is worth alone."""
    monkeypatch.setattr(look_ahead, "_SOONER", 0.0)
    a = held(five_minutes(4, 36, ["battery", "deadline", "thermal", "metered", "generator"]), 6)
    forecast = make_forecast("perfect", a, None, 0)
    planner, state = RollingPlanner(a, forecast, 24.0), fresh_state(a)
    for t in range(3):
        alone, _, judged = planner.decide(t, state)
        state = next_state(alone, judged)
    plan = LookAhead(a, forecast, 24.0).plan(3, state)
    assert plan is not None
    rest = linear_problem(window(a, 3, 33, state))
    starts = np.concatenate([np.arange(27), np.arange(27, 33, 6)])
    best = HighsSession(Coarsening(rest, starts)(rest), relaxed=True).solve()
    assert plan.outcome.objective is not None
    assert plan.outcome.x is not None
    # a generator that ran goes on costing its idling in the slot that hands it over
    p, before = plan.problem, [b.ids[:, :3].ravel() for b in plan.problem.columns.values() if b.ids.ndim == 2]
    executed = np.concatenate(before)
    worth = plan.outcome.objective - p.cost[executed] @ plan.outcome.x[executed]
    assert worth == pytest.approx(best.objective, rel=1e-7)
