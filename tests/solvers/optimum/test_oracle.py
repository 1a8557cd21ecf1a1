"""The oracle: examples with known optima, optima by hand, time limits, interrupts, infeasible instances."""

from __future__ import annotations

import json
import signal

import highspy
import numpy as np
import pytest
import tiny
from clocks import HeldClock
from hypothesis import given, settings
from places import EXAMPLES
from strategies import instances, random_file, random_instance

from stepwatt.formulation import Instance, evaluate, load
from stepwatt.solvers import Result, Settings, Status, solve
from stepwatt.solvers.common.relaxation import solve_relaxation
from stepwatt.solvers.highs.session import Termination
from stepwatt.solvers.optimum.oracle import oracle
from stepwatt.solvers.optimum.search import Search

EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())
FEW = max(4, settings.default.max_examples // 4)
RELATIVE = 1e-6


def hopeless() -> Instance:
    """A room that leaks more heat than its cooling can remove, with no GPU on."""
    rng = np.random.default_rng(0)
    file = random_file(rng, n_slots=2, n_sites=1, features=["thermal"])
    room = file["sites"]["s0"]["cooling"]
    file["slot_hours"] = 1.0
    room.update(
        outside_c=[60.0, 60.0],
        max_power_mw=0.0,
        initial_c=27.0,
        heat_capacity_mwh_per_c=0.01,
        leak_mw_per_c=0.01,
    )
    return Instance.from_dict(file)


def hard() -> Instance:
    """A few long jobs a slot and a tight gap: HiGHS needs minutes."""
    rng = np.random.default_rng(5)
    return random_instance(rng, n_slots=24, n_sites=4, features=["few", "deadline", "generator", "battery"])


def staged() -> Instance:
    """One that goes through every stage for a gap of zero, soon; rounding finds its first schedule."""
    rng = np.random.default_rng(3)
    return random_instance(rng, n_slots=6, n_sites=2, features=["few", "deadline", "battery"])


#: What the oracle says it is doing, in order, once it has a schedule.
STAGES = (
    "whole GPUs by slot",
    "commitment and whole GPUs",
    "slot neighbourhoods",
    "slot bounds",
    "whole MIP",
)


def assert_claims_hold(result: Result, gap: float) -> None:
    """What a status promises."""
    if result.status is Status.INFEASIBLE:
        assert result.schedule is None
        return
    assert result.bound is not None
    if result.evaluation is None:
        assert result.status is Status.TIME_LIMIT
        return
    assert result.evaluation.feasible, result.evaluation.worst
    assert result.utility == pytest.approx(evaluate(result.instance, result.schedule).utility, rel=1e-12)
    assert result.gap is not None
    assert result.gap >= -1e-9, "no schedule is better than the bound"
    assert (result.status is Status.OPTIMAL) == (result.gap <= gap)


def test_examples(example: Instance, request: pytest.FixtureRequest) -> None:
    """Utility and bound enclose what an independent implementation found; the gap is closed."""
    known = EXPECTED[request.node.callspec.id]
    result = solve(example)
    assert_claims_hold(result, 1e-4)
    assert result.status is Status.OPTIMAL
    size = abs(known["optimum_at_most"])
    assert result.utility <= known["optimum_at_most"] + RELATIVE * size
    assert result.bound >= known["optimum_at_least"] - RELATIVE * size
    assert result.utility >= known["optimum_at_least"] - 1e-4 * size


@pytest.mark.parametrize("name", tiny.BY_HAND)
def test_optimum_by_hand(name: str) -> None:
    """The arithmetic stands in tiny.py, at each instance."""
    make, optimum, _ = tiny.BY_HAND[name]
    result = solve(make(), gap=1e-6)
    assert_claims_hold(result, 1e-6)
    assert result.status is Status.OPTIMAL
    assert result.utility == pytest.approx(optimum, rel=1e-9)
    assert result.bound == pytest.approx(optimum, rel=2e-6)


@pytest.mark.parametrize("name", tiny.BY_HAND)
def test_optimum_by_hand_through_pyomo(name: str) -> None:
    make, optimum, _ = tiny.BY_HAND[name]
    result = solve(make(), "pyomo", gap=1e-6)
    assert result.status is Status.OPTIMAL
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.utility == pytest.approx(optimum, rel=1e-7)
    assert result.bound == pytest.approx(optimum, rel=2e-6)


def test_decisions_by_hand() -> None:
    """Not only the number: who runs where, with how many steps, and what the battery does."""
    runs = solve(tiny.one_slot()).schedule.runs  # type: ignore[union-attr]
    np.testing.assert_allclose(runs[:, 0], [4, 8])
    moved = solve(tiny.two_sites()).schedule.transfers  # type: ignore[union-attr]
    np.testing.assert_allclose(moved[:, :, 0, 0], [[6, 6], [0, 4]])
    stored = solve(tiny.battery()).evaluation.energy_mwh  # type: ignore[union-attr]
    np.testing.assert_allclose(stored[0], [0.0, 3.2, 0.0], atol=1e-9)


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=3))
def test_claims_hold_on_random_instances(inst: Instance) -> None:
    assert_claims_hold(solve(inst, gap=1e-3), 1e-3)


@settings(max_examples=FEW)
@given(instances(max_slots=3, max_sites=2, never=["few"]))
def test_pyomo_agrees_with_the_oracle(inst: Instance) -> None:
    """Two routes that share nothing but the statement: each lies below the other's bound.

    The evaluated utility of the Pyomo route is within the gap of HiGHS's bound, as its objective is.
    """
    mine, plain = solve(inst), solve(inst, "pyomo")
    scale = RELATIVE * max(1.0, abs(mine.bound or 0.0))
    assert mine.bound is not None
    assert mine.utility is not None
    if plain.utility is None or plain.bound is None:
        assert plain.status is Status.TIME_LIMIT
        return
    assert plain.evaluation is not None
    assert plain.evaluation.feasible, plain.evaluation.worst
    assert plain.utility <= mine.bound + scale
    assert mine.utility <= plain.bound + scale
    if plain.status is Status.OPTIMAL:
        assert plain.gap is not None
        assert plain.gap <= 1e-4 + 1e-6


def test_a_smaller_gap_is_honoured() -> None:
    inst = random_instance(np.random.default_rng(1), n_slots=3, n_sites=2, features=["few", "battery"])
    result = solve(inst, gap=1e-7)
    assert_claims_hold(result, 1e-7)
    assert result.status is Status.OPTIMAL


@pytest.mark.parametrize("last", STAGES)
def test_a_time_limit_ends_the_search_with_what_was_found(last: str) -> None:
    """The clock jumps to the end as a stage begins: no stage comes after it, what there was is returned."""
    clock, seen = HeldClock(), list[str]()

    def stage(done: float, what: str) -> None:
        seen.append(what)
        if what == last:
            clock.now = 1e9

    result = oracle(staged(), Settings(gap=0.0, time_limit=1e6, clock=clock, progress=stage))
    assert_claims_hold(result, 0.0)
    assert result.status is Status.TIME_LIMIT or result.gap == 0.0
    assert result.schedule is not None
    assert seen[-2:] == [last, "done"]


def test_a_time_limit_too_short_for_anything_still_answers() -> None:
    """The clock moves at every look at it: when the relaxation is asked, nothing is left but the plant."""
    result = oracle(hard(), Settings(time_limit=0.5, clock=HeldClock(tick=1.0)))
    assert result.status is Status.TIME_LIMIT
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert "jobs run where they arrive" in result.message
    assert result.bound is None


def test_a_search_that_ends_before_its_first_schedule_has_what_the_plant_does_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Search, "run", lambda self, relaxed: Termination.TIME_LIMIT)
    for method in ("oracle", "distributed"):
        result = solve(tiny.battery(), method)
        assert result.evaluation is not None
        assert result.evaluation.feasible
        assert result.evaluation.utility < 526.0 - 1e-6
    alone = solve(tiny.battery(), "oracle")
    assert alone.status is Status.TIME_LIMIT
    assert alone.message.startswith("stopped before the first schedule: jobs run where they arrive")


@pytest.mark.parametrize("last", STAGES)
def test_interrupt_returns_the_incumbent(last: str) -> None:
    """Ctrl-C as a stage begins: the best schedule so far, status ``feasible``, and no further stage."""
    seen = list[str]()

    def stage(done: float, what: str) -> None:
        seen.append(what)
        if what == last:
            signal.raise_signal(signal.SIGINT)

    result = oracle(staged(), Settings(gap=0.0, progress=stage))
    assert_interrupted(result)
    assert seen[-2:] == [last, "done"]


def test_interrupt_of_a_long_search_returns_the_incumbent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while HiGHS is busy with the commitment of a hard instance, for minutes if it were let."""
    wait, seen = highspy.Highs.wait, list[str]()

    def pressed(highs: highspy.Highs, seconds: float) -> object:
        if "commitment and whole GPUs" in seen and seen.count("pressed") == 0:
            seen.append("pressed")
            signal.raise_signal(signal.SIGINT)
        return wait(highs, seconds)

    monkeypatch.setattr(highspy.Highs, "wait", pressed)
    result = oracle(hard(), Settings(gap=0.0, progress=lambda done, what: seen.append(what)))
    assert "pressed" in seen
    assert_interrupted(result)


def assert_interrupted(result: Result) -> None:
    assert_claims_hold(result, 0.0)
    assert result.status is Status.FEASIBLE or result.gap == 0.0
    assert result.schedule is not None
    assert result.message == "interrupted"


@pytest.mark.parametrize("method", ["oracle", "lp", "greedy", "rolling", "pyomo"])
def test_a_room_that_nothing_can_cool_is_infeasible(method: str) -> None:
    result = solve(hopeless(), method)
    assert result.status is Status.INFEASIBLE
    assert "explain" in result.message
    assert result.schedule is None
    assert result.utility is None


def test_the_bound_is_not_above_the_relaxation() -> None:
    inst = random_instance(np.random.default_rng(3), n_slots=4, n_sites=2, features=["generator", "battery"])
    relaxed = solve_relaxation(inst.arrays()).bound
    result = solve(inst)
    assert relaxed is not None
    assert result.bound is not None
    assert result.bound <= relaxed


def test_what_the_plain_route_rounds_is_no_more_than_the_judge_forgives() -> None:
    """A millionth of a GPU was switched on and rounded away: the power it drew was missing."""
    result = solve(load(EXAMPLES / "idle-watts.json"), "pyomo", gap=1e-3)
    assert result.evaluation is not None
    assert not result.evaluation.broken
