"""Long horizons in pieces and slot neighbourhoods: near the whole, and never on the wrong side of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from clocks import HeldClock
from strategies import random_instance

import stepwatt
from stepwatt.formulation import Instance, evaluate
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.solvers import Settings, solve
from stepwatt.solvers.common.relaxation import solve_relaxation
from stepwatt.solvers.common.solutions import clean_schedule
from stepwatt.solvers.highs.session import HighsSession
from stepwatt.solvers.interface.deadline import Deadline
from stepwatt.solvers.optimum import coarse as planned
from stepwatt.solvers.optimum import long_horizon as horizon
from stepwatt.solvers.optimum.coarse_plan import coarse_plan
from stepwatt.solvers.optimum.neighbourhoods import (
    PricedSlots,
    columns_of_slots,
    improve,
    slotwise_bound,
    whole_by_slot,
    windows_of,
)
from stepwatt.solvers.optimum.oracle import oracle
from stepwatt.solvers.optimum.priced_blocks import PricedBlocks, tie_prices

FEATURES = (
    ["deadline", "battery", "thermal"],
    ["deadline", "battery", "generator", "carbon"],
    ["demand", "link", "dvfs", "thermal", "negative"],
)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few slots, so that small instances are long."""
    monkeypatch.setattr(horizon, "_LADDER", ((300, 18.0), (300, 18.0)))
    monkeypatch.setattr(horizon, "_DAY_COLUMNS", 300)
    monkeypatch.setattr("stepwatt.solvers.optimum.oracle.LARGEST_PROBLEM", 0)


@pytest.mark.parametrize("length", [1, 5, 24, 25, 48, 100])
@pytest.mark.parametrize("columns", [10.0, 900.0, 5e4])
def test_blocks_cover_the_horizon_in_order(length: int, columns: float) -> None:
    a = stepwatt.scenario("jemas", n_slots=length, slot_minutes=60).arrays()
    blocks = horizon.blocks_of(a, columns, 40_000)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == length
    assert all(one[1] == other[0] for one, other in itertools.pairwise(blocks))
    assert all(first < stop for first, stop in blocks)


def test_days_of_jemas_in_pieces_are_near_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    inst = stepwatt.scenario("jemas", n_slots=72, slot_minutes=60)
    whole = solve(inst)
    monkeypatch.setattr("stepwatt.solvers.optimum.oracle.LARGEST_PROBLEM", 1000)
    monkeypatch.setattr(horizon, "_LADDER", ((1, 18.0), (1, 18.0)))
    pieces = solve(inst)
    assert pieces.evaluation is not None
    assert whole.utility is not None
    assert whole.bound is not None
    assert pieces.evaluation.feasible
    assert pieces.bound == pytest.approx(whole.bound, rel=1e-3)
    assert pieces.bound >= whole.utility
    assert pieces.utility <= whole.bound
    assert pieces.utility == pytest.approx(whole.utility, rel=1e-3)
    assert pieces.prices is not None
    assert len(pieces.prices.power) == 72


def test_where_the_gap_is_not_reached_blocks_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours at a time are too coarse for the gap asked for; all together are not."""
    inst = stepwatt.scenario("jemas", n_slots=18, slot_minutes=60, integral_jobs=False)
    monkeypatch.setattr("stepwatt.solvers.optimum.oracle.LARGEST_PROBLEM", 1000)
    monkeypatch.setattr(horizon, "_DAY_COLUMNS", 300)
    hours, whole = (300, 0.0), (1_000_000, 0.0)
    monkeypatch.setattr(horizon, "_LADDER", (hours, hours))
    short = solve(inst, gap=1e-6)
    monkeypatch.setattr(horizon, "_LADDER", (hours, hours, whole))
    grown = solve(inst, gap=1e-6)
    assert short.status == "feasible"
    assert "the longest blocks reach a gap" in short.message
    assert short.gap is not None
    assert short.gap > 1e-6
    assert grown.status == "optimal"


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("seed", range(2))
def test_the_bound_of_the_pieces_bounds_every_schedule(features: list[str], seed: int) -> None:
    inst = random_instance(np.random.default_rng(seed), n_slots=9, n_sites=2, features=features)
    pieces = solve(inst)
    assert pieces.evaluation is not None
    assert pieces.bound is not None
    assert pieces.evaluation.feasible
    greedy = solve(inst, "greedy")
    assert greedy.utility is not None
    assert pieces.bound >= max(greedy.utility, pieces.evaluation.utility) - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_at_the_prices_of_the_whole_the_pieces_bound_as_well_as_the_whole(seed: int) -> None:
    """Strong duality of the linear relaxation: its own duals leave no gap between blocks."""
    inst = random_instance(
        np.random.default_rng(seed), n_slots=8, n_sites=2, features=["deadline", "battery", "thermal", "link"]
    )
    a = inst.arrays()
    relaxed = solve_relaxation(a)
    assert relaxed.outcome.row_dual is not None
    assert relaxed.bound is not None
    prices = tie_prices(relaxed.problem, relaxed.outcome.row_dual, 4)
    schedule = solve(inst, "greedy").schedule
    assert schedule is not None
    pieces = PricedBlocks(a, [(0, 4), (4, 8)], [[prices]], schedule)
    assert pieces.bound(relaxed.bound, Settings()) == pytest.approx(relaxed.bound, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_windows_cover_every_slot(length: int) -> None:
    for n_slots in range(1, 12):
        covered = {t for first, stop in windows_of(n_slots, length) for t in range(first, stop)}
        assert covered == set(range(n_slots))


def coarse(seed: int) -> Instance:
    return random_instance(
        np.random.default_rng(seed), n_slots=4, n_sites=2, features=["few", "deadline", "dvfs", "battery"]
    )


@pytest.mark.parametrize("seed", [2, 3, 4, 5, 8])
def test_slot_bounds_lie_between_the_optimum_and_the_relaxation(seed: int) -> None:
    inst = coarse(seed)
    a = inst.arrays()
    relaxed = solve_relaxation(a)
    best = solve(inst, gap=1e-6)
    assert relaxed.outcome.row_dual is not None
    assert relaxed.bound is not None
    assert best.utility is not None
    slots = PricedSlots(relaxed.problem, relaxed.outcome.row_dual)
    highest = relaxed.bound + 1e-5 * abs(relaxed.bound) + 1e-6
    bound = slotwise_bound(slots, gap_usd=1e-6, deadline=Deadline(None))
    assert best.utility - 1e-6 <= bound <= highest
    assert relaxed.outcome.x is not None
    gpus = relaxed.problem.ids("gpus_on")
    fluid, x = whole_by_slot(slots, gpus, relaxed.outcome.x, gap_usd=1e-6, deadline=Deadline(None))
    assert bound - 1e-5 <= fluid <= highest, "whole GPUs alone bound less than whole jobs too"
    assert np.array_equal(x[gpus], np.round(x[gpus]))


@pytest.mark.parametrize("seed", range(5))
def test_a_freed_window_never_makes_it_worse(seed: int) -> None:
    inst = coarse(seed)
    a = inst.arrays()
    p = linear_problem(a)
    start = HighsSession(p, relaxed=False).solve(gap=0.3).x
    assert start is not None
    start[p.integer] = np.round(start[p.integer])
    free = columns_of_slots(p, 1, 3)
    better = improve(p, start, free, gap_usd=1e-6, time_limit=None)
    held = np.setdiff1d(np.arange(len(start)), free)
    assert p.cost @ better >= p.cost @ start
    np.testing.assert_array_equal(better[held], start[held])
    assert evaluate(a, clean_schedule(a, p, better)).feasible


# ---------------------------------------------------------------------- too wide for blocks of a day


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small instances are too wide, and plans have a block for every third slot at most."""
    monkeypatch.setattr("stepwatt.solvers.optimum.oracle.LARGEST_PROBLEM", 0)
    monkeypatch.setattr(horizon, "_DAY_COLUMNS", 1)
    monkeypatch.setattr(horizon, "_LADDER", ((1, 0.0), (1, 0.0)))
    monkeypatch.setattr(planned, "_LADDER", (1, 1e3))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("seed", range(2))
def test_a_coarse_plan_bounds_every_schedule_and_leads_to_one(features: list[str], seed: int) -> None:
    inst = random_instance(np.random.default_rng(seed), n_slots=6, n_sites=2, features=features)
    a = inst.arrays()
    found = planned.in_coarse(a, 1e3 / 2, Settings(), Deadline(None))
    best = solve(inst, "greedy")
    assert found is not None
    assert found.bound is not None
    assert best.utility is not None
    assert found.evaluation.feasible, found.evaluation.worst
    assert found.bound >= max(best.utility, found.evaluation.utility) - 1e-9


def test_the_bound_from_a_plan_slot_by_slot_is_that_of_the_relaxation() -> None:
    """In blocks of one slot the plan is the relaxation: its own duals leave no gap between slots."""
    inst = random_instance(
        np.random.default_rng(1), n_slots=6, n_sites=2, features=["deadline", "battery", "thermal", "link"]
    )
    a = inst.arrays()
    relaxed = solve_relaxation(a)
    plan = coarse_plan(a, 1, Deadline(None))
    schedule = solve(inst, "greedy").schedule
    assert plan is not None
    assert schedule is not None
    edges = plan.edges()
    slots = PricedBlocks(a, [(t, t + 1) for t in range(6)], [], schedule)
    weak = sum(slots.weak(t, edges, plan.duals) for t in range(6))
    strong = sum(slots.strong(t, edges) for t in range(6))
    assert weak == pytest.approx(relaxed.bound, rel=1e-6, abs=1e-6)
    assert strong == pytest.approx(relaxed.bound, rel=1e-6, abs=1e-6)


def test_a_day_of_jemas_planned_in_hours_is_near_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quarters of an hour, planned by the hour: a percent between schedule and bound."""
    inst = stepwatt.scenario("jemas", n_slots=48, slot_minutes=15)
    monkeypatch.setattr(planned, "_LADDER", (1e3,))
    found = planned.in_coarse(inst.arrays(), 1e3 / 12, Settings(), Deadline(None))
    assert found is not None
    assert found.gap <= 0.02
    assert found.prices is not None
    assert found.prices["power"].shape == (3, 48)


@pytest.mark.parametrize(("slots", "most", "size"), [(288, 54.5, 6), (96, 6.6, 16), (7, 3.0, 7), (5, 0.2, 5)])
def test_blocks_divide_the_horizon(slots: int, most: float, size: int) -> None:
    assert planned.block_length(slots, most) == size


@pytest.mark.usefixtures("short_blocks")
def test_blocks_that_the_time_does_not_suffice_for_give_way_to_a_plan() -> None:
    """The clock jumps over the blocks' share at the second window: what is left is for the plan."""
    inst = random_instance(np.random.default_rng(0), n_slots=9, n_sites=2, features=["deadline", "battery"])
    clock, seen = HeldClock(), list[str]()

    def stage(done: float, what: str) -> None:
        seen.append(what)
        if what.startswith("window 2"):
            clock.now = 80.0

    result = oracle(inst, Settings(gap=1e-5, time_limit=100.0, clock=clock, progress=stage))
    assert any(what.startswith("plan in blocks") for what in seen)
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.bound is not None
    assert result.bound >= result.evaluation.utility - 1e-9


@pytest.mark.usefixtures("short_blocks")
def test_a_long_horizon_without_any_time_still_has_a_schedule() -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=9, n_sites=2, features=["deadline", "battery"])
    result = oracle(inst, Settings(time_limit=0.5, clock=HeldClock(tick=1.0)))
    assert result.status == "time_limit"
    assert result.bound is None
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert "jobs run where they arrive" in result.message
