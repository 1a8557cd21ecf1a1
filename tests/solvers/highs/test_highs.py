"""The door to HiGHS: nothing non-finite passes, changes in place equal a fresh model, limits hold."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import EXAMPLES
from solving import optimum
from strategies import random_file, random_instance

from stepwatt.formulation import InputError, Instance, load
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state, window
from stepwatt.solvers import SolverError, solve
from stepwatt.solvers.highs.model_files import export
from stepwatt.solvers.highs.scaling import scaling_of
from stepwatt.solvers.highs.session import HighsSession, Termination, whole_bounds

Floats = NDArray[np.float64]
EVERYTHING = ["deadline", "battery", "generator", "thermal", "demand", "dvfs", "link", "negative", "carbon"]


def rich(n_slots: int = 6, seed: int = 0) -> Instance:
    return random_instance(np.random.default_rng(seed), n_slots=n_slots, n_sites=2, features=EVERYTHING)


def hard() -> LinearProblem:
    """A few long jobs a slot: HiGHS needs minutes to a gap of zero."""
    features = ["few", "deadline", "generator", "battery"]
    inst = random_instance(np.random.default_rng(5), n_slots=24, n_sites=4, features=features)
    return linear_problem(inst.arrays())


def with_value(p: LinearProblem, name: str, value: float) -> LinearProblem:
    """The problem with one number replaced."""
    if name == "matrix":
        matrix = p.matrix.copy()
        matrix.data[len(matrix.data) // 2] = value
        return replace(p, matrix=matrix)
    if name == "offset":
        return replace(p, offset=value)
    values = getattr(p, name).copy()
    values[len(values) // 2] = value
    return replace(p, **{name: values})


DEFECTS = [
    *((name, value) for name in ("cost", "matrix", "offset") for value in (np.nan, np.inf, -np.inf)),
    *((name, np.nan) for name in ("lower", "upper", "row_lower", "row_upper")),
]


REFUSED = r"not finite|not a number"

# ---------------------------------------------------------------------- what passes


@pytest.mark.parametrize(("name", "value"), DEFECTS)
@pytest.mark.parametrize("relaxed", [True, False])
def test_what_is_not_finite_is_refused(name: str, value: float, relaxed: bool) -> None:
    """HiGHS would loop for ever, or drop the entry in silence. Rows may be open, so inf is legal there."""
    defective = with_value(linear_problem(rich().arrays()), name, value)
    with pytest.raises(SolverError, match=REFUSED):
        HighsSession(defective, relaxed=relaxed, scaling=scaling_of(linear_problem(rich().arrays())))


@pytest.mark.parametrize(("name", "value"), DEFECTS)
def test_a_refresh_refuses_it_too_and_leaves_the_session_usable(name: str, value: float) -> None:
    p = linear_problem(rich().arrays())
    session = HighsSession(p, relaxed=True)
    before = session.solve().objective
    with pytest.raises(SolverError, match=REFUSED):
        session.refresh(with_value(p, name, value))
    session.refresh(p)
    assert session.solve().objective == pytest.approx(before, rel=1e-12)


CHANGES: list[Callable[[HighsSession, Floats], None]] = [
    lambda s, v: s.change_costs(np.array([0]), v),
    lambda s, v: s.change_bounds(np.array([0]), v, np.array([1.0])),
    lambda s, v: s.change_bounds(np.array([0]), np.array([0.0]), v),
    lambda s, v: s.change_rows(np.array([0]), v, np.array([1.0])),
    lambda s, v: s.change_coefficient(0, 0, v[0]),
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_in_place_refuse_nan(change: Callable[[HighsSession, Floats], None]) -> None:
    session = HighsSession(linear_problem(tiny.battery().arrays()), relaxed=True)
    with pytest.raises(SolverError, match=REFUSED):
        change(session, np.array([np.nan]))


def test_unknown_options_and_values_of_wrong_type_are_errors() -> None:
    session = HighsSession(linear_problem(tiny.battery().arrays()), relaxed=True)
    with pytest.raises(SolverError, match="no_such_option"):
        session.set_option("no_such_option", 1)
    with pytest.raises(SolverError, match="threads"):
        session.set_option("threads", "many")


# ---------------------------------------------------------------------- scaling


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_scaling_is_exact(seed: int) -> None:
    """Powers of two: scaling and its inverse give back every number bit by bit."""
    p = linear_problem(rich(3, seed).arrays())
    scale = scaling_of(p)
    for values in (scale.column, scale.row, np.array([scale.objective])):
        mantissa, _ = np.frexp(values)
        assert (mantissa == 0.5).all()
    cost = p.cost * scale.column * scale.objective
    assert np.array_equal(cost / scale.objective / scale.column, p.cost)
    assert np.array_equal(p.upper / scale.column * scale.column, p.upper)


@pytest.mark.parametrize("relaxed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_objective_and_point_are_in_natural_units(relaxed: bool, seed: int) -> None:
    """The outcome agrees with an unscaled solve, and with the cost of its own point."""
    p = linear_problem(rich(3 if relaxed else 1, seed).arrays())
    outcome = HighsSession(p, relaxed=relaxed).solve(gap=1e-6)
    expected, _ = optimum(p, relaxed=relaxed)
    assert outcome.termination is Termination.OPTIMAL
    assert outcome.x is not None
    assert outcome.objective == pytest.approx(expected, rel=2e-6)
    assert outcome.objective == pytest.approx(p.cost @ outcome.x + p.offset, rel=1e-9)
    assert outcome.bound == pytest.approx(expected, rel=2e-6)
    assert (outcome.row_dual is None) == (not relaxed)
    assert (outcome.x >= p.lower - 1e-6).all()
    assert (outcome.x <= p.upper + 1e-6).all()


def test_duals_are_complementary() -> None:
    """Stationarity: reduced cost = cost − duals · column; a slack row has no dual; signs by the side."""
    p = linear_problem(rich(4).arrays())
    session = HighsSession(p, relaxed=True)
    outcome, reduced_cost = session.solve(), session.reduced_cost()
    assert outcome.x is not None
    assert outcome.row_dual is not None
    np.testing.assert_allclose(reduced_cost, p.cost - p.matrix.T @ outcome.row_dual, atol=1e-6)
    activity = p.matrix @ outcome.x
    slack = (activity < p.row_upper - 1e-6) & (activity > p.row_lower + 1e-6)
    assert np.abs(outcome.row_dual[slack]).max() < 1e-6
    inside = (outcome.x > p.lower + 1e-6) & (outcome.x < p.upper - 1e-6)
    assert np.abs(reduced_cost[inside]).max() < 1e-6
    assert (outcome.row_dual[~np.isfinite(p.row_upper)] <= 1e-9).all()
    assert (outcome.row_dual[~np.isfinite(p.row_lower)] >= -1e-9).all()


def test_nothing_pays_and_nothing_draws() -> None:
    """All data zero: no scale to take from it, and still an answer."""
    inst = tiny.instance(
        {"a": tiny.site([0.0], gpus=0)}, {"a": [0]}, steps={10: 0.0}, seconds_per_step=1.0, mwh_per_step=0.0
    )
    outcome = HighsSession(linear_problem(inst.arrays()), relaxed=False).solve(gap=0.0)
    assert outcome.objective == 0.0


# ---------------------------------------------------------------------- in place


@pytest.mark.parametrize("relaxed", [True, False])
def test_refresh_equals_a_fresh_model(relaxed: bool) -> None:
    """Windows in random order: the session changed in place finds what a new one finds."""
    a = rich(12).arrays()
    rng = np.random.default_rng(0)
    state = fresh_state(a)
    length, gap = (3, 0.0) if relaxed else (1, 1e-5)
    first = linear_problem(window(a, 0, length, state))
    session = HighsSession(first, relaxed=relaxed)
    session.solve(gap=gap)
    for start in rng.integers(0, 10, 8):
        charge = a.energy_min_mwh + rng.random(2) * (a.energy_max_mwh - a.energy_min_mwh)
        peak = rng.random(2) * 1e-3
        backlog = rng.integers(0, 5, state.backlog.shape).astype(float)
        begun = replace(state, energy_mwh=charge, peak_mw=peak, backlog=backlog)
        problem = linear_problem(window(a, int(start), length, begun), like=first)
        session.refresh(problem)
        if not relaxed:
            session.forget()
        here = session.solve(gap=gap).objective
        fresh = HighsSession(problem, relaxed=relaxed).solve(gap=gap).objective
        assert here == pytest.approx(fresh, rel=max(1e-7, 2 * gap))


def test_refresh_undoes_bounds_changed_by_hand() -> None:
    p = linear_problem(rich(3).arrays())
    session = HighsSession(p, relaxed=True)
    before = session.solve().objective
    runs = p.ids("runs")
    session.change_bounds(runs, np.zeros(len(runs)), np.zeros(len(runs)))
    assert session.solve().objective < before
    session.refresh(p)
    assert session.solve().objective == pytest.approx(before, rel=1e-9)


def test_a_problem_of_other_structure_is_refused() -> None:
    """Other size, other places of the entries, other integers: the session would be a wrong model."""
    a = rich(6).arrays()
    p = linear_problem(window(a, 0, 1, fresh_state(a)))
    session = HighsSession(p, relaxed=False)
    before = session.solve(gap=1e-5).objective
    longer = linear_problem(window(a, 0, 2, fresh_state(a)))
    moved = replace(p, matrix=p.matrix.copy())
    moved.matrix.indices[0] += 1
    kinds = replace(p, integer=~p.integer)
    for other in (longer, moved, kinds):
        with pytest.raises(ValueError, match="same structure"):
            session.refresh(other)
    session.refresh(p)
    session.forget()
    assert session.solve(gap=1e-5).objective == pytest.approx(before, rel=2e-5)


def test_a_starting_point_is_taken() -> None:
    p = linear_problem(tiny.whole_jobs().arrays())
    first = HighsSession(p, relaxed=False).solve(gap=0.0)
    session = HighsSession(p, relaxed=False)
    assert first.x is not None
    session.start_from(first.x)
    assert session.solve(gap=0.0).objective == pytest.approx(17.0)


# ---------------------------------------------------------------------- ends


def test_infeasible_is_said() -> None:
    p = linear_problem(tiny.battery().arrays())
    rows = p.rows["waiting_balance"].ids.ravel()
    lower, upper = p.row_lower.copy(), p.row_upper.copy()
    lower[rows] = upper[rows] = -1.0
    outcome = HighsSession(replace(p, row_lower=lower, row_upper=upper), relaxed=True).solve()
    assert outcome.termination is Termination.INFEASIBLE
    assert outcome.x is None
    assert outcome.bound is None


def test_time_limits_count_from_each_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS counts the seconds of a session; a solve after 5000 of them has its own seven."""
    session = HighsSession(linear_problem(tiny.battery().arrays()), relaxed=True)
    monkeypatch.setattr(session.highs, "getRunTime", lambda: 5000.0)
    assert session.solve(time_limit=7.0).termination is Termination.OPTIMAL
    assert session.highs.getOptionValue("time_limit")[1] == 5007.0
    session.solve()
    assert session.highs.getOptionValue("time_limit")[1] == np.inf


def test_when_time_is_over_the_bound_is_no_lower_than_what_was_found() -> None:
    session = HighsSession(hard(), relaxed=False)
    found = session.solve(gap=0.5)
    assert found.x is not None
    assert found.objective is not None
    session.start_from(found.x)
    outcome = session.solve(time_limit=0.0, gap=0.0)
    assert outcome.termination is Termination.TIME_LIMIT
    if outcome.bound is not None:
        assert outcome.bound >= found.objective


def test_an_interrupt_leaves_the_incumbent(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT during a long MIP: HiGHS stops, the point found so far comes out, the session lives on."""
    session = HighsSession(hard(), relaxed=False)
    wait, found = session.highs.wait, threading.Event()
    session.highs.cbMipImprovingSolution.subscribe(lambda event: found.set())

    def pressed(seconds: float) -> Any:
        if found.is_set():
            signal.raise_signal(signal.SIGINT)
        return wait(seconds)

    monkeypatch.setattr(session.highs, "wait", pressed)
    outcome = session.solve(gap=0.0, interruptible=True)
    assert outcome.termination is Termination.INTERRUPTED
    assert outcome.x is not None
    assert outcome.objective is not None
    assert outcome.bound is not None
    assert outcome.bound >= outcome.objective
    again = session.solve(gap=0.5)
    assert again.termination is Termination.OPTIMAL
    assert again.objective is not None


def test_an_interruptible_solve_runs_outside_the_main_thread() -> None:
    """Signals reach only the main thread; elsewhere the solve is an ordinary one."""
    ends: list[Termination] = []
    p = linear_problem(tiny.battery().arrays())
    worker = threading.Thread(
        target=lambda: ends.append(HighsSession(p, relaxed=True).solve(interruptible=True).termination)
    )
    worker.start()
    worker.join()
    assert ends == [Termination.OPTIMAL]


# ---------------------------------------------------------------------- bounds of whole numbers


def test_no_optimum_is_cut_off_for_a_fractional_bound_of_a_whole_number() -> None:
    # 10391.19 jobs fit; without presolve HiGHS 1.15 once called 6.3649 the optimum
    p = linear_problem(load(EXAMPLES / "fractional-bounds.json").arrays())
    assert (p.upper[p.integer] % 1).any()
    for seed in (0, 2):
        session = HighsSession(p, relaxed=False)
        session.set_option("presolve", "off")
        session.set_option("random_seed", seed)
        done = session.solve(gap=1e-6)
        assert done.objective == pytest.approx(6.4834986328, rel=1e-6)
        assert done.bound is not None
        assert done.bound >= 6.4834986328 * (1 - 1e-9)


def test_an_optimum_that_misses_a_tolerance_by_its_last_digit_is_a_point_and_no_bound() -> None:
    """A billion jobs wait: their last digit is a ten-millionth, where HiGHS allows a hundred-millionth."""
    inst = load(EXAMPLES / "a-billion-jobs.json")
    p = linear_problem(inst.arrays())
    done = HighsSession(p, relaxed=False).solve(gap=1e-4)
    assert done.termination is Termination.OPTIMAL
    assert done.x is not None
    assert done.bound is None
    result = solve(inst, "oracle", gap=1e-3)
    assert result.gap is not None
    assert 0 <= result.gap <= 1e-3


def test_bounds_changed_in_place_are_whole_too() -> None:
    p = linear_problem(rich().arrays())
    session, whole = HighsSession(p, relaxed=False), np.flatnonzero(p.integer)[:1]
    session.change_bounds(whole, np.array([0.25]), np.array([2.75]))
    assert session.highs.getLp().col_lower_[whole[0]] == 1.0
    assert session.highs.getLp().col_upper_[whole[0]] == 2.0
    relaxed = HighsSession(p, relaxed=True)
    relaxed.change_bounds(whole, np.array([0.25]), np.array([2.75]))
    assert relaxed.highs.getLp().col_upper_[whole[0]] == 2.75


def test_rounding_below_a_whole_bound_does_not_cost_a_job() -> None:
    lower, upper = whole_bounds(
        np.array([1 + 1e-12, 0.5]), np.array([3 - 1e-12, 2.5]), np.array([True, False])
    )
    assert (lower.tolist(), upper.tolist()) == ([1.0, 0.5], [3.0, 2.5])


@pytest.mark.parametrize("block", ["import_mode", "export_mode", "metering"])
def test_every_row_of_megawatts_is_told_in_units_of_the_site(block: str) -> None:
    inst = random_instance(
        np.random.default_rng(1), n_slots=4, n_sites=1, features=["export_above", "demand", "metered"]
    )
    p = linear_problem(inst.arrays())
    scale, rows = scaling_of(p), p.rows[block].ids.ravel()
    assert len(rows)
    assert (scale.row[rows] == scale.row[p.rows["power_balance"].ids[0, 0]]).all()


def tiny_jobs(mwh: float = 1e-11) -> Instance:
    """A thousand million jobs of a microsecond and 0.04 J."""
    return tiny.instance(
        {"a": tiny.site([50.0])}, {"a": [10**9]}, steps={1: 1e-8}, seconds_per_step=1e-6, mwh_per_step=mwh
    )


@pytest.mark.parametrize("method", ["oracle", "lp", "greedy", "pyomo"])
def test_many_tiny_jobs_take_their_time_and_energy(method: str) -> None:
    """Beside the seconds of an hour they are entries that HiGHS drops unless told to keep them."""
    result = solve(tiny_jobs(), method)
    assert result.evaluation is not None
    assert set(result.evaluation.broken) <= ({"integrality"} if method == "lp" else set())
    assert result.schedule is not None
    assert result.schedule.gpus_on[0, 0] >= 1000 / 3600


@pytest.mark.parametrize("form", ["mps", "lp"])
def test_an_exported_model_has_the_energy_of_tiny_jobs(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{form}"
    export(tiny_jobs(), path, form)
    assert "1e-11" in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="model = '1 such entries'"):
        export(tiny_jobs(1e-13), path, form)


@pytest.mark.parametrize("method", ["oracle", "lp", "greedy"])
def test_a_site_of_next_to_no_power_is_one_of_none(method: str) -> None:
    battery = {**dict.fromkeys(("energy_mwh", "power_mw"), 1e-300), "charge_efficiency": 1.0, "soc_max": 1.0}
    battery |= {"discharge_efficiency": 1.0, "soc_min": 0.0, "soc_initial": 0.0, "wear_cost": 0.0}
    site = tiny.site([50.0], gpus=0, battery=battery)
    inst = tiny.instance({"a": site}, {"a": [2]}, steps={1: 1.0}, seconds_per_step=1.0, mwh_per_step=0.01)
    assert solve(inst, method).utility == pytest.approx(-2.0)


def test_small_entries_beside_large_ones_are_lifted() -> None:
    """HiGHS fails inside where entries are below 1e-9, whatever it is told of small ones."""
    file = rich(n_slots=2).to_dict()
    model = file["models"]["m0"]
    for used in file["models"].values():
        used["seconds_fixed"], used["seconds_per_step"] = 0.0, 0.02
    model["seconds_fixed"], file["sites"]["s0"]["gpus"] = 5e8, 10_000_000
    p = linear_problem(Instance.from_dict(file).arrays())
    scale, used_columns = scaling_of(p), np.where(p.integer, p.upper >= 1, p.upper > 0)
    entries = abs(p.matrix[:, used_columns]).multiply(scale.row[:, None])
    entries = entries.multiply(scale.column[used_columns][None, :]).tocoo()
    assert entries.data[entries.data > 0].min() > 1e-9


@pytest.mark.parametrize("seed", [0, 1, 3])
@pytest.mark.parametrize("method", ["greedy", "oracle"])
def test_where_presolve_leaves_it_unknown_it_is_solved_without(method: str, seed: int) -> None:
    """With a penalty of a hundred million that was so in half of all instances."""
    file = random_file(np.random.default_rng(seed), n_slots=2, n_sites=1, features=["thermal"])
    file["classes"]["k0"]["miss_penalty"] = 1e8
    result = solve(Instance.from_dict(file), method, gap=1e-3)
    assert result.evaluation is not None
    assert result.evaluation.feasible
