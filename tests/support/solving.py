"""A plain HiGHS door for tests: what the matrices say, solved without the package's own solvers."""

from __future__ import annotations

import highspy
import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

Floats = NDArray[np.float64]


def optimum(problem: LinearProblem, *, relaxed: bool = False) -> tuple[float, Floats]:
    """Objective (offset included) and solution; raises where HiGHS does not prove optimality."""
    model = _model(problem, problem.lower, problem.upper, integer=problem.integer & ~np.bool_(relaxed))
    x = _solved(model)
    if not relaxed and problem.integer.any():
        # again with the integers fixed: free of the solver's integrality tolerance
        fixed = np.round(x)
        lower = np.where(problem.integer, fixed, problem.lower)
        upper = np.where(problem.integer, fixed, problem.upper)
        x = _solved(_model(problem, lower, upper, integer=np.zeros(len(x), dtype=bool)))
    return float(problem.cost @ x + problem.offset), x


def best_schedule(a: InstanceArrays) -> tuple[float, Schedule]:
    """The optimal utility that the matrices promise, and the schedule that has it."""
    problem = linear_problem(a)
    utility, x = optimum(problem)
    return utility, problem.schedule(a, x)


def _model(p: LinearProblem, lower: Floats, upper: Floats, integer: NDArray[np.bool_]) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(p.cost), len(p.row_lower)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.offset_ = p.cost, p.offset
    lp.col_lower_, lp.col_upper_ = lower, upper
    lp.row_lower_, lp.row_upper_ = p.row_lower, p.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = p.matrix.indptr, p.matrix.indices
    lp.a_matrix_.value_ = p.matrix.data
    if integer.any():
        kinds = {False: highspy.HighsVarType.kContinuous, True: highspy.HighsVarType.kInteger}
        lp.integrality_ = [kinds[bool(whole)] for whole in integer]
    return lp


def _solved(lp: highspy.HighsLp) -> Floats:
    highs = highspy.Highs()
    highs.silent()
    options = {
        "threads": 1,
        "mip_rel_gap": 1e-7,
        "primal_feasibility_tolerance": 1e-9,
        "dual_feasibility_tolerance": 1e-9,
    }
    for name, value in options.items():
        highs.setOptionValue(name, value)
    highs.passModel(lp)
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise AssertionError(f"HiGHS ends with {highs.modelStatusToString(status)}")
    return np.array(highs.getSolution().col_value)
