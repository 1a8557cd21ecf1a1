"""Constraints of a user's own enter solve: schedule, bound and duals are those of the instance with them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np
import pyomo.environ as pyo
import pytest
import tiny
from strategies import random_instance

import stepwatt as sw
from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.conic.model import ConicModel, ConicSolverError
from stepwatt.formulation.milp.extended import with_extra


def charged_by_two_at_most(m: Any) -> None:
    m.cap = pyo.Constraint(expr=m.import_mw["a", 0] <= 7)


def the_same_in_cvxpy(m: Any) -> dict[str, Any]:
    return {"cap": m.natural("import_mw", "a")[0] <= 7}


@pytest.mark.parametrize("method", ["oracle", "lp", "conic", "pyomo"])
def test_a_cap_on_import_holds_back_the_battery(method: str) -> None:
    """The jobs take 5 of 7 MW, so 2 MW are charged instead of 4. A charged MWh costs 20 USD and gives
    0.8 · 0.75 = 0.6 MWh, which save 70 − 5 each: 39 − 20 = 19. Utility 526 − 2 · 19."""
    extra = the_same_in_cvxpy if method == "conic" else charged_by_two_at_most
    result = sw.solve(tiny.battery(), method, extra=extra)
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.utility == pytest.approx(526 - 2 * 19)
    assert result.bound == pytest.approx(526 - 2 * 19)
    if method != "pyomo":
        assert result.duals is not None
        assert result.duals["cap"] == pytest.approx(19, rel=1e-6)


def own_limits(inst: Instance, *, carbon_kg: float, ramp_mw: float) -> Callable[[Any], None]:
    """A cap on the carbon of all import, and on how much import may rise from slot to slot at each site."""

    def limits(m: Any) -> None:
        grid = [(j, t) for j in m.SITES for t in m.SLOTS]
        kg = pyo.quicksum(m.carbon_kg_per_mwh[at] * m.slot_hours * m.import_mw[at] for at in grid)
        m.carbon_cap = pyo.Constraint(expr=kg <= carbon_kg)
        m.ramp = pyo.Constraint(
            m.SITES,
            pyo.RangeSet(1, inst.n_slots - 1),
            rule=lambda m, j, t: m.import_mw[j, t] - m.import_mw[j, t - 1] <= ramp_mw,
        )

    return limits


def imported_kg(result: Any) -> float:
    a = result.instance.arrays()
    return float((a.carbon_kg_per_mwh * result.schedule.import_mw).sum() * a.slot_hours)


def drawn(seed: int, *features: str) -> tuple[Instance, float, float]:
    """An instance, and about half the carbon and the steepest rise of its own optimum."""
    rng = np.random.default_rng(seed)
    inst = random_instance(rng, n_slots=3, n_sites=2, features=["deadline", "thermal", *features])
    free = sw.solve(inst)
    assert free.schedule is not None
    rise = float(np.diff(free.schedule.import_mw, axis=1).max(initial=0.0))
    return inst, 0.6 * imported_kg(free), max(0.5 * rise, 1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_oracle_and_plain_pyomo_agree_with_the_constraints(seed: int) -> None:
    inst, kg, ramp = drawn(seed, "battery", "generator")
    limits = own_limits(inst, carbon_kg=kg, ramp_mw=ramp)
    ours, plain = (sw.solve(inst, method, extra=limits, time_limit=60) for method in ("oracle", "pyomo"))
    assert ours.status == plain.status == "optimal"
    assert ours.utility == pytest.approx(plain.utility, rel=3e-4)
    assert ours.bound >= plain.utility - 1e-6 * abs(plain.utility)  # type: ignore[operator]
    assert ours.evaluation is not None
    assert ours.schedule is not None
    assert ours.evaluation.feasible
    assert imported_kg(ours) <= kg * (1 + 1e-6)
    assert np.diff(ours.schedule.import_mw, axis=1).max() <= ramp + 1e-6


def test_the_dual_of_an_own_constraint_is_the_slope_of_the_optimum() -> None:
    inst, kg, ramp = drawn(5, "battery", "fluid")
    step = 1e-3 * kg

    def best(carbon_kg: float) -> Any:
        return sw.solve(inst, "lp", extra=own_limits(inst, carbon_kg=carbon_kg, ramp_mw=ramp))

    slope = (best(kg + step).bound - best(kg - step).bound) / (2 * step)
    assert slope > 0
    assert best(kg).duals["carbon_cap"] == pytest.approx(slope, rel=1e-4)
    assert sorted(best(kg).duals["ramp"].index) == [(j, t) for j in inst.sites for t in range(1, 3)]


def test_a_dual_of_the_model_is_there_in_one_call_and_by_name() -> None:
    """Of one MWh stored in slot 0, 0.75 MWh come out, which save 70 − 5 USD each."""
    duals = sw.solve(tiny.battery(), "lp").duals
    assert duals is not None
    assert duals["state_of_charge"]["a", 0] == pytest.approx(0.75 * 65)
    assert duals["power_balance"]["a", 1] == pytest.approx(-70)
    assert pickle.loads(pickle.dumps(duals))["power_balance"].equals(duals["power_balance"])


def test_variables_of_ones_own_may_be_whole_numbers() -> None:
    """Import in slot 0 in blocks of 4 MW: 4, 8 or 12; the jobs need 5, so 8, and 3 of them are charged."""

    def blocks(m: Any) -> None:
        m.blocks = pyo.Var(domain=pyo.Integers, bounds=(0, 9))
        m.in_blocks = pyo.Constraint(expr=m.import_mw["a", 0] == 4 * m.blocks)

    result = sw.solve(tiny.battery(), extra=blocks)
    assert result.status == "optimal"
    assert result.utility == pytest.approx(526 - 19)


def test_fixed_and_tighter_variables_are_constraints_too() -> None:
    def fixed(m: Any) -> None:
        m.charge_mw["a", 0].fix(1.0)
        m.charge_mw["a", 1].setub(0.0)

    result = sw.solve(tiny.battery(), extra=fixed)
    assert result.utility == pytest.approx(526 - 3 * 19)
    assert result.extra == ("bounds",)


def test_a_constraint_on_jobs_holds_for_whole_jobs() -> None:
    """Two of three jobs fit (17 USD); with at most one, 10 − 2 · 1 − 2 = 6."""

    def one(m: Any) -> None:
        m.one = pyo.Constraint(expr=sum(m.runs.values()) <= 1.5)

    assert sw.solve(tiny.whole_jobs(), extra=one).utility == pytest.approx(6)


def test_what_is_next_to_nothing_keeps_a_limit_of_nothing() -> None:
    """A limit of 0 on what a solver leaves at 1e-12; 1e-3 MW are above it."""

    def never(m: Any) -> None:
        m.never = pyo.Constraint(expr=m.charge_mw["a", 0] <= 0)

    own = with_extra(tiny.battery().arrays(), never)
    x, column = np.zeros(len(own.problem.cost)), own.problem.columns["charge_mw"].ids[0, 0]
    for charged, kept in ((1e-12, True), (1e-3, False)):
        x[column] = charged
        assert own.keeps(x) == kept


def impossible(m: Any) -> None:
    m.much = pyo.Constraint(expr=m.import_mw["a", 0] >= 8)
    m.little = pyo.Constraint(expr=m.import_mw["a", 0] <= 7)
    m.harmless = pyo.Constraint(expr=m.import_mw["a", 1] <= 50)


@pytest.mark.parametrize("method", ["oracle", "lp"])
def test_constraints_that_cannot_hold_are_named(method: str) -> None:
    result = sw.solve(tiny.battery(), method, extra=impossible)
    assert result.status == "infeasible"
    assert result.message == "no schedule keeps much, little together"


def test_constraints_that_no_whole_numbers_keep_are_named() -> None:
    def half(m: Any) -> None:
        m.half = pyo.Constraint(expr=m.gpus_on["a", 0] == 0.5)

    result = sw.solve(tiny.whole_jobs(), extra=half)
    assert (result.status, result.message) == ("infeasible", "no whole-number schedule keeps half")


@pytest.mark.parametrize("method", ["conic", "pyomo"])
def test_where_nothing_is_known_of_why_all_are_named(method: str) -> None:
    def conic(m: Any) -> dict[str, Any]:
        imported = m.natural("import_mw", "a")
        return {"much": imported[0] >= 8, "little": imported[0] <= 7}

    result = sw.solve(tiny.battery(), method, extra=conic if method == "conic" else impossible)
    assert result.status == "infeasible"
    assert result.message.startswith("no schedule keeps much, little")


def test_where_the_cone_solver_is_stuck_the_bound_is_that_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stuck(model: ConicModel, **settings: Any) -> None:
        raise ConicSolverError("NumericalError")

    monkeypatch.setattr(ConicModel, "solve", stuck)
    result = sw.solve(tiny.battery(), "conic", extra=the_same_in_cvxpy)
    assert (result.status, result.schedule, result.extra) == ("time_limit", None, ("cap",))
    assert result.bound == pytest.approx(526)
    assert result.message.endswith("this is the bound of the linear relaxation without cap")


def test_many_instances_take_the_same_constraints() -> None:
    results = sw.solve_many([tiny.battery()] * 2, processes=1, extra=charged_by_two_at_most)
    assert [result.utility for result in results] == pytest.approx([488, 488])


def raises(m: Any) -> None:
    m.late = pyo.Constraint(m.SITES, rule=lambda m, j: m.import_mw[j, 99] <= 1)


def squares(m: Any) -> None:
    m.square = pyo.Constraint(expr=m.import_mw["a", 0] ** 2 <= 1)


def reprices(m: Any) -> None:
    m.import_price["a", 0] = 5
    m.cap = pyo.Constraint(expr=m.import_mw["a", 0] <= 7)


def aims(m: Any) -> None:
    m.utility.deactivate()
    m.mine = pyo.Objective(expr=m.import_mw["a", 0])


def takes_away(m: Any) -> None:
    m.power_balance["a", 0].deactivate()


def deletes(m: Any) -> None:
    m.del_component(m.import_mw)


def loosens(m: Any) -> None:
    m.import_mw["a", 0].setub(600)


def unbounded(m: Any) -> None:
    m.more = pyo.Var()
    m.cap = pyo.Constraint(expr=m.import_mw["a", 0] <= 7 + m.more)


def idles(m: Any) -> None:
    m.limit = pyo.Param(initialize=7)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (raises, "extra raises = 'KeyError"),
        (squares, "extra squares: square = 'not linear'"),
        (reprices, "extra reprices: import_price = 'changed'"),
        (aims, "extra aims: mine = 'Objective'"),
        (takes_away, "extra takes_away: power_balance = 'changed'"),
        (deletes, "extra deletes: import_mw = 'changed'"),
        (loosens, r"extra loosens: import_mw\[a,0\]"),
        (unbounded, r"extra unbounded: more = \[-inf, inf\]: expected finite bounds"),
        (idles, "extra idles = 'nothing added'"),
    ],
)
def test_a_function_that_does_anything_else_is_refused_in_a_line(extra: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        with_extra(tiny.battery().arrays(), extra)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (lambda m: None, "<lambda> = None: expected a function that gives back"),
        (lambda m: {"a": 3}, "a = 'int': expected a constraint"),
        (lambda m: {"a": cp.norm(m.natural("import_mw")) <= 3}, "expected affine in the columns"),
        (lambda m: {"a": m.natural("import_mw") <= cp.Variable()}, "expected affine in the columns"),
        (lambda m: {"gpu_time": m.natural("import_mw") <= 3}, "expected a name that no constraint"),
        (lambda m: {"a": m.natural("imports") <= 3}, "InputError: column = 'imports'"),
        (lambda m: {"a": m.natural("import_mw", "b") <= 3}, "InputError: site of import_mw = 'b'"),
    ],
)
def test_so_is_one_that_gives_back_no_affine_cvxpy_constraints(extra: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        sw.solve(tiny.battery(), "conic", extra=extra)


def test_methods_that_know_no_constraints_of_ones_own_refuse_them() -> None:
    with pytest.raises(InputError, match="expected a function, with one of the methods oracle, lp, conic"):
        sw.solve(tiny.battery(), "greedy", extra=charged_by_two_at_most)


def test_a_result_says_which_constraints_it_holds_with() -> None:
    result = sw.solve(tiny.battery(), extra=charged_by_two_at_most)
    assert "with own constraints cap" in repr(result)
    assert result.to_dict()["extra"] == ["cap"]


def test_its_bound_is_none_of_the_instance_itself() -> None:
    inst = tiny.battery()
    capped = sw.solve(inst, extra=charged_by_two_at_most)
    comparison = sw.compare(inst, {"capped": capped})
    assert comparison.table.loc["capped", "utility"] == pytest.approx(488)
    assert comparison.scores.cases[0].bound == pytest.approx(526)


def test_constraints_that_cost_nothing_change_nothing() -> None:
    def harmless(m: Any) -> None:
        m.cap = pyo.Constraint(expr=m.import_mw["a", 0] <= 50)

    with_it, without = sw.solve(tiny.battery(), extra=harmless), sw.solve(tiny.battery())
    assert with_it.utility == pytest.approx(without.utility)
    assert with_it.duals["cap"] == 0  # type: ignore[index]
    assert replace(with_it, extra=()).gap == pytest.approx(without.gap, abs=1e-9)


@pytest.mark.parametrize("method", ["oracle", "lp"])
def test_a_horizon_too_long_for_one_piece_is_refused_in_a_line(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwatt.solvers.common.relaxation.LARGEST_PROBLEM", 10)
    with pytest.raises(InputError, match=r"n_slots = 2: expected at most about \d+ slots: with own"):
        sw.solve(tiny.battery(), method, extra=charged_by_two_at_most)
