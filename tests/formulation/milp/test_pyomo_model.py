"""The Pyomo model is the matrix problem: same columns, rows, bounds, costs; the evaluator agrees with it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from strategies import random_instance

import stepwatt as sw
from stepwatt.formulation import Instance, InstanceArrays, State, evaluate
from stepwatt.formulation.milp.linear_problem import Block, LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.milp.pyomo_data import option_names
from stepwatt.formulation.milp.pyomo_docs import DOCS
from stepwatt.formulation.milp.pyomo_model import breakdown, pyomo_model, schedule_from_pyomo

Floats = NDArray[np.float64]
ONE_ULP = 2.3e-16


def mid_horizon(inst: Instance, rng: np.random.Generator) -> InstanceArrays:
    """A window in mid-horizon: jobs wait, the generator runs, storage and room are used, a peak was paid."""
    a = inst.arrays()
    state = State(
        energy_mwh=rng.uniform(a.energy_min_mwh, a.energy_max_mwh),
        temperature_c=np.where(a.thermal, rng.uniform(a.min_c, a.max_c), 0.0),
        backlog=np.round(rng.uniform(0, 9, (len(a.sites), len(a.classes), 2))),
        generator_on=a.generator & (rng.random(len(a.sites)) < 0.7),
        peak_mw=rng.uniform(0, 1.2) * a.import_limit_mw,
        metered_mw=rng.uniform(0, 0.5) * a.import_limit_mw,
    )
    goes_on = a.meter_goes_on.copy()
    goes_on[:, 0] = a.meters
    return replace(a, state=state, closes=False, meter_goes_on=goes_on)


def keys(blocks: dict[str, Block]) -> dict[tuple[Any, ...], int]:
    """(name, member..., slot) of every column or row of the matrices, to its index."""
    found = {}
    for name, block in blocks.items():
        for label, ids in zip(block.labels(), block.ids, strict=True):
            slots = np.atleast_1d(ids)
            for t, index in enumerate(slots):
                found[(name, *label, t) if block.ids.ndim == 2 else (name, *label)] = int(index)
    return found


def key_of(component: Any) -> tuple[Any, ...]:
    index = component.index()
    return (component.parent_component().local_name, *(index if isinstance(index, tuple) else (index,)))


def assert_same_problem(a: InstanceArrays) -> None:
    p = linear_problem(a)
    m = pyomo_model(a, prices_change=False)
    form = LinearStandardFormCompiler().write(m, mixed_form=True, set_sense=None)
    columns, rows = keys(p.columns), keys(p.rows)
    column = np.array([columns.pop(key_of(var)) for var in form.columns], dtype=int)
    row = np.array([rows.pop(key_of(entry.constraint)) for entry in form.rows], dtype=int)
    assert len(set(row)) == len(row)

    assert_same_entries(p, form, row, column)
    assert_same_bounds(p, form, row, column)
    assert_same_objective(a, p, form, column)
    # what Pyomo has no use for must be of no consequence in the matrices either
    unused, empty = list(columns.values()), list(rows.values())
    assert p.matrix[:, unused].nnz == 0
    assert not p.cost[unused].any()
    assert p.matrix[empty, :].nnz == 0
    assert (p.row_lower[empty] <= 0).all()
    assert (p.row_upper[empty] >= 0).all()


def assert_same_entries(p: LinearProblem, form: Any, row: Any, column: Any) -> None:
    ours = p.matrix.tocsr()[row][:, column].tocsr()
    theirs = form.A.tocsr()
    for matrix in (ours, theirs):
        matrix.eliminate_zeros()
        matrix.sort_indices()
    np.testing.assert_array_equal(ours.indptr, theirs.indptr)
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_array_equal(ours.data, theirs.data)


def assert_same_bounds(p: LinearProblem, form: Any, row: Any, column: Any) -> None:
    sides, rhs = np.array([entry.bound_type for entry in form.rows]), np.array(form.rhs)
    np.testing.assert_array_equal(p.row_upper[row[sides >= 0]], rhs[sides >= 0])
    np.testing.assert_array_equal(p.row_lower[row[sides <= 0]], rhs[sides <= 0])
    assert (p.row_lower[row[sides == 1]] == -np.inf).all()
    assert (p.row_upper[row[sides == -1]] == np.inf).all()
    np.testing.assert_array_equal(p.lower[column], [var.lb for var in form.columns])
    np.testing.assert_allclose(p.upper[column], [var.ub for var in form.columns], rtol=4 * ONE_ULP, atol=0)
    np.testing.assert_array_equal(p.integer[column], [not var.is_continuous() for var in form.columns])


def assert_same_objective(a: InstanceArrays, p: LinearProblem, form: Any, column: Any) -> None:
    cost = np.zeros(len(p.cost))
    cost[column] = form.c.toarray().ravel()
    # price and carbon are added in another order, and may cancel
    scale = np.abs(p.cost)
    scale[p.columns["import_mw"].ids] = a.slot_hours * (
        np.abs(a.import_price) + a.import_cost - a.import_price
    )
    assert (np.abs(cost - p.cost) <= 4 * ONE_ULP * scale).all()
    assert float(form.c_offset[0]) == pytest.approx(p.offset, rel=4 * ONE_ULP, abs=0)


def test_pyomo_model_is_the_matrix_problem(example: Instance) -> None:
    assert_same_problem(example.arrays())


@pytest.mark.parametrize("seed", range(20))
def test_pyomo_model_is_the_matrix_problem_on_random_instances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inst = random_instance(rng, n_slots=int(rng.integers(1, 6)), n_sites=int(rng.integers(1, 4)))
    assert_same_problem(inst.arrays())


@pytest.mark.parametrize("seed", range(10))
def test_pyomo_model_is_the_matrix_problem_in_mid_horizon(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = ["deadline", "battery", "generator", "thermal", "demand", "link", "carbon"]
    features += ["metered", "export_above"]
    inst = random_instance(rng, n_slots=4, n_sites=3, features=features)
    assert_same_problem(mid_horizon(inst, rng))


def test_jobs_that_take_no_time_may_come_from_the_backlog() -> None:
    rng = np.random.default_rng(0)
    file = random_instance(rng, n_slots=2, n_sites=1, features=["deadline", "zero_arrivals"]).to_dict()
    for model in file["models"].values():
        model["seconds_fixed"] = model["seconds_per_step"] = 0.0
    a = mid_horizon(Instance.from_dict(file), rng)
    assert_same_problem(a)
    p = linear_problem(a)
    assert (p.upper[p.columns["it_mw"].ids] >= a.options.energy_mwh.max() * a.state.backlog.sum()).all()


def solve(m: pyo.ConcreteModel) -> None:
    """A fair schedule from HiGHS; prices are scaled to its absolute tolerances."""
    solver = pyo.SolverFactory("appsi_highs")
    solver.config.mip_gap = 5e-2
    exact = dict.fromkeys(("primal_feasibility_tolerance", "mip_feasibility_tolerance"), 1e-9)
    solver.highs_options = {"user_objective_scale": 10, "threads": 1, **exact}
    solver.solve(m)


def test_the_evaluator_agrees_with_the_solved_model_term_by_term(example: Instance) -> None:
    """Where jobs run is taken from a good schedule; all else, modes of batteries too, is sought."""
    m = pyomo_model(example)
    runs = sw.solve(example, gap=5e-2).schedule.runs
    rows = {option: row for row, option in enumerate(option_names(example.arrays()))}
    for (*option, t), var in m.runs.items():
        var.fix(runs[rows[tuple(option)], t])
    solve(m)
    evaluation = evaluate(example, schedule_from_pyomo(m, example))
    assert evaluation.feasible, evaluation.worst
    assert pyo.value(m.utility) == pytest.approx(evaluation.utility, rel=1e-6)
    assert breakdown(m) == pytest.approx(evaluation.breakdown, rel=1e-6, abs=1e-6 * abs(evaluation.utility))


def test_a_price_can_be_changed_and_the_model_solved_again() -> None:
    inst = random_instance(np.random.default_rng(3), n_slots=3, n_sites=1, features=["fluid"])
    file = inst.to_dict()
    dear = [price + 500.0 for price in file["sites"]["s0"]["grid"]["import_price"]]
    file["sites"]["s0"]["grid"]["import_price"] = dear
    m = pyomo_model(inst)
    solve(m)
    before = pyo.value(m.utility)
    for t in m.SLOTS:
        m.import_price["s0", t] = dear[t]
    solve(m)
    rebuilt = pyomo_model(Instance.from_dict(file))
    solve(rebuilt)
    assert pyo.value(m.utility) == pytest.approx(pyo.value(rebuilt.utility), rel=1e-9)
    assert pyo.value(m.utility) < before


@pytest.mark.parametrize(
    ("param", "field", "value"),
    [
        ("export_price", "export_price", 500.0),
        ("import_price", "import_price", -30.0),
        ("demand_charge", "demand_charge", 40.0),
    ],
)
@pytest.mark.parametrize("metered", [False, True])
def test_prices_that_come_to_need_modes_or_a_peak_have_them(
    param: str, field: str, value: float, metered: bool
) -> None:
    """Import at -30 below export would else be sold at once, and a peak would cost nothing."""
    features = ["battery", "generator", "terminal_price", "few"]
    inst = random_instance(np.random.default_rng(6), n_slots=4, n_sites=1, features=features)
    file = inst.to_dict()
    grid = file["sites"]["s0"]["grid"]
    grid["demand_interval_slots"] = 2 if metered else 1
    inst = Instance.from_dict(file)
    grid[field] = value
    changed = Instance.from_dict(file)
    m = pyomo_model(inst)
    for entry in getattr(m, param).values():
        entry.set_value(value)
    solver = pyo.SolverFactory("appsi_highs")
    solver.config.mip_gap = 1e-9
    solver.solve(m)
    best = sw.solve(changed, gap=1e-9)
    assert pyo.value(m.utility) == pytest.approx(best.utility, rel=1e-7)
    assert evaluate(changed, schedule_from_pyomo(m, changed)).feasible


def test_limits_that_mean_none_are_no_numbers_of_the_modes() -> None:
    """A whole number 1e-6 off would leave a megawatt of 1e12 in both directions."""
    inst = random_instance(np.random.default_rng(5), n_slots=2, n_sites=1, features=["battery"])
    file = inst.to_dict()
    file["sites"]["s0"]["grid"] |= {"import_limit_mw": 1e12, "export_limit_mw": 1e12}
    m = pyomo_model(Instance.from_dict(file))
    form = LinearStandardFormCompiler().write(m, mixed_form=True, set_sense=None)
    assert abs(form.A).max() < 1e6


def test_a_constraint_can_be_added() -> None:
    inst = random_instance(np.random.default_rng(3), n_slots=3, n_sites=1, features=["fluid"])
    m = pyomo_model(inst)
    m.half_of_the_gpus = pyo.Constraint(m.SLOTS, rule=lambda m, t: 2 * m.gpus_on["s0", t] <= m.gpus["s0"])
    solve(m)
    schedule = schedule_from_pyomo(m, inst)
    assert schedule.gpus_on.max() <= inst.sites["s0"].gpus / 2 + 1e-9
    assert schedule.runs.sum() > 0


def test_every_component_says_what_it_is() -> None:
    m = pyomo_model(random_instance(np.random.default_rng(3), n_slots=2, n_sites=1, features=[]))
    documented = {component.local_name: component.doc for component in m.component_objects()}
    assert all(documented.values())
    assert set(documented) == set(DOCS)


def test_an_unsolved_model_has_no_schedule() -> None:
    inst = random_instance(np.random.default_rng(3), n_slots=2, n_sites=1, features=[])
    with pytest.raises(ValueError, match="has no value: solve the model first"):
        schedule_from_pyomo(pyomo_model(inst), inst)


def test_importing_the_formulation_does_not_import_modelling_libraries() -> None:
    code = (
        "import sys, stepwatt.formulation, stepwatt.formulation.milp.matrices\n"
        "print(*{'pyomo', 'cvxpy', 'scipy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
