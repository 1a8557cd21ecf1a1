"""The one door to HiGHS: checked data in, scaled model, separate status, point, bound and duals out.

HiGHS loops for ever on a NaN price, whatever the time limit, and drops NaN coefficients in silence, so
nothing non-finite passes. Jobs earn around 1e-4 USD while its tolerances are absolute, so columns, rows and
objective are scaled by powers of two (exactly, in floating point) before they are handed over.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..interface.errors import SolverError
from .scaling import Scaling, scaling_of

#: Smaller entries HiGHS drops in silence, by itself those below 1e-9: many short jobs would take no time.
SMALL_ENTRY = 1e-12

#: Tolerance of points for which HiGHS's own is too fine, in its units.
_LOOSE = 1e-6

#: What rounding may have taken from a bound that is a whole number.
_HAIR = 1e-9

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Termination(StrEnum):
    """Why HiGHS stopped."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    TIME_LIMIT = "time_limit"
    NODE_LIMIT = "node_limit"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Outcome:
    """What a run of HiGHS left: objective and bound in USD, duals in USD per unit of the row.

    ``x`` is None without a feasible point; ``row_dual`` is None after a MIP.
    A positive dual is what the maximum would gain from one more unit on the row's right-hand side.
    """

    termination: Termination
    seconds: float
    x: Floats | None
    objective: float | None
    bound: float | None
    row_dual: Floats | None = None


class HighsSession:
    """A HiGHS model that can be changed in place and solved again from where it stood.

    Args:
        problem: the matrices; non-finite costs or coefficients are refused.
        relaxed: drop integrality.
    """

    def __init__(self, problem: LinearProblem, *, relaxed: bool, scaling: Scaling | None = None) -> None:
        self.scaling = scaling or scaling_of(problem)
        self.relaxed = relaxed
        self.problem = problem
        self._pressed = False
        self._n_columns, self._n_rows = len(problem.cost), len(problem.row_lower)
        self.highs = highspy.Highs()
        for name, value in {
            "output_flag": False,
            "threads": 1,
            "parallel": "off",
            "random_seed": 0,
            "primal_feasibility_tolerance": 1e-8,
            "dual_feasibility_tolerance": 1e-8,
            "mip_feasibility_tolerance": 1e-8,
            "small_matrix_value": SMALL_ENTRY,
        }.items():
            self.set_option(name, value)
        self._check(self._pass(problem), "taking the model")

    def set_option(self, name: str, value: Any) -> None:
        """Set a HiGHS option; unknown names are errors."""
        self._check(self.highs.setOptionValue(name, value), f"option {name} = {value!r}")

    def solve(
        self,
        *,
        time_limit: float | None = None,
        gap: float | None = None,
        gap_usd: float = 0.0,
        nodes: int | None = None,
        interruptible: bool = False,
    ) -> Outcome:
        """Run HiGHS on the model as it stands.

        A MIP ends at the relative ``gap``, the absolute ``gap_usd`` or after so many ``nodes``. With
        ``interruptible``, Ctrl-C stops HiGHS and the outcome holds what it has found.

        Raises:
            SolverError: any end other than optimal, infeasible, a limit or an interrupt.
        """
        # HiGHS counts the seconds of a session from its creation
        spent = self.highs.getRunTime()
        self.set_option("time_limit", spent + time_limit if time_limit is not None else float("inf"))
        if gap is not None:
            self.set_option("mip_rel_gap", gap)
            self.set_option("mip_abs_gap", gap_usd * self.scaling.objective)
        if nodes is not None:
            self.set_option("mip_max_nodes", nodes)
        self._pressed = False
        begun = time.perf_counter()
        run = self._run_interruptibly if interruptible else self.highs.run
        status = run()
        if self.highs.getModelStatus() == highspy.HighsModelStatus.kUnknown:
            # a hot start can end a hair outside the tolerances; from scratch it does not
            self.forget()
            status = run()
        if self.highs.getModelStatus() == highspy.HighsModelStatus.kUnknown:
            # beside costs of a billion it doubts what presolve makes of a problem
            self.set_option("presolve", "off")
            self.forget()
            status = run()
            self.set_option("presolve", "choose")
        loose = self.highs.getModelStatus() == highspy.HighsModelStatus.kSolveError
        if loose:
            # beside columns of a billion the last digit of its own optimum is more than its tolerance
            with self._tolerance(_LOOSE):
                self.forget()
                status = run()
        seconds = time.perf_counter() - begun
        if status == highspy.HighsStatus.kError:
            raise SolverError("HiGHS failed while solving")
        outcome = self._outcome(seconds)
        # a point is judged anyway, a bound would not be
        return replace(outcome, bound=None) if loose else outcome

    @contextmanager
    def _tolerance(self, value: float) -> Iterator[None]:
        names = ("primal_feasibility_tolerance", "mip_feasibility_tolerance")
        before = {name: self.highs.getOptionValue(name)[1] for name in names}
        try:
            for name in names:
                self.set_option(name, value)
            yield
        finally:
            for name, kept in before.items():
                self.set_option(name, kept)

    def interior_point(self) -> Floats:
        """A point in the middle of all optimal ones: interior point method without crossover.

        HiGHS says of such a point neither that it is optimal nor that it is not; compare it with a bound.

        Raises:
            SolverError: HiGHS failed.
        """
        self.forget()
        before = {name: self.highs.getOptionValue(name)[1] for name in ("solver", "run_crossover")}
        self.set_option("solver", "ipm")
        self.set_option("run_crossover", "off")
        try:
            if self.highs.run() == highspy.HighsStatus.kError:
                raise SolverError("HiGHS failed while solving")
            return np.array(self.highs.getSolution().col_value) * self.scaling.column
        finally:
            for name, value in before.items():
                self.set_option(name, value)

    def takes(self, problem: LinearProblem) -> bool:
        """Whether the problem has the structure of the model, so that :meth:`refresh` can put it in place."""
        same_kinds = self.relaxed or np.array_equal(problem.integer, self.problem.integer)
        return same_kinds and _same_structure(problem, self.problem)

    def refresh(self, problem: LinearProblem) -> None:
        """Change the model in place to ``problem``, another window of the same structure.

        Raises:
            ValueError: the matrices differ in structure, so the session cannot be reused.
            SolverError: data that HiGHS must not see; the model stays as it was.
        """
        old = self.problem
        if not self.takes(problem):
            raise ValueError("a session can only be refreshed with a problem of the same structure")
        _refuse_defects(problem)
        self.problem = problem
        ids = np.flatnonzero(problem.cost != old.cost)
        self.change_costs(ids, problem.cost[ids])
        ids = np.flatnonzero((problem.lower != old.lower) | (problem.upper != old.upper))
        self._push_bounds(ids, problem.lower[ids], problem.upper[ids])
        ids = np.flatnonzero((problem.row_lower != old.row_lower) | (problem.row_upper != old.row_upper))
        self.change_rows(ids, problem.row_lower[ids], problem.row_upper[ids])
        matrix = problem.matrix
        entries = np.flatnonzero(matrix.data != old.matrix.data)
        columns = np.searchsorted(matrix.indptr, entries, side="right") - 1
        for entry, column in zip(entries, columns, strict=True):
            self.change_coefficient(matrix.indices[entry], column, matrix.data[entry])
        offset = problem.offset * self.scaling.objective
        self._check(self.highs.changeObjectiveOffset(offset), "changing the offset")

    def forget(self) -> None:
        """Drop what HiGHS remembers of earlier solves: the next one starts cold."""
        self._check(self.highs.clearSolver(), "clearing")

    def _run_interruptibly(self) -> Any:
        elsewhere = threading.current_thread() is not threading.main_thread()
        if elsewhere or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            return self.highs.run()
        # highspy's own locks do not survive an exception, so Ctrl-C only leaves a note while HiGHS runs
        pressed: list[int] = []
        usual = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
        try:
            self.highs.HandleUserInterrupt = True
            self.highs.startSolve()
            finished, status = False, None
            while not finished:
                finished, status = self.highs.wait(0.02)
                if pressed and not finished:
                    self.highs.cancelSolve()
            self.highs.HandleUserInterrupt = False
        finally:
            signal.signal(signal.SIGINT, usual)
        self._pressed = bool(pressed)
        return status

    def change_costs(self, ids: Ints, cost: Floats) -> None:
        """New objective coefficients (USD per unit) of some columns."""
        scaled = cost * self.scaling.column[ids] * self.scaling.objective
        _refuse_non_finite("cost", scaled)
        self._check(self.highs.changeColsCost(len(ids), ids.astype(np.int32), scaled), "changing costs")

    def change_bounds(self, ids: Ints, lower: Floats, upper: Floats) -> None:
        """New bounds of some columns."""
        self._push_bounds(ids, lower, upper)
        now = self.problem
        self.problem = replace(now, lower=now.lower.copy(), upper=now.upper.copy())
        self.problem.lower[ids], self.problem.upper[ids] = lower, upper

    def _push_bounds(self, ids: Ints, lower: Floats, upper: Floats) -> None:
        _refuse_nan("bound", lower, upper)
        unit = self.scaling.column[ids]
        lower, upper = whole_bounds(lower, upper, self.problem.integer[ids] & (not self.relaxed))
        self._check(
            self.highs.changeColsBounds(len(ids), ids.astype(np.int32), lower / unit, upper / unit),
            "changing bounds",
        )

    def change_rows(self, ids: Ints, lower: Floats, upper: Floats) -> None:
        """New sides of some rows."""
        _refuse_nan("row", lower, upper)
        unit = self.scaling.row[ids]
        self._check(
            self.highs.changeRowsBounds(len(ids), ids.astype(np.int32), lower * unit, upper * unit),
            "changing rows",
        )

    def change_coefficient(self, row: int, column: int, value: float) -> None:
        """A new matrix entry."""
        scaled = value * self.scaling.row[row] * self.scaling.column[column]
        _refuse_non_finite("coefficient", np.array([scaled]))
        self._check(self.highs.changeCoeff(int(row), int(column), float(scaled)), "changing a coefficient")

    def reduced_cost(self) -> Floats:
        """USD per unit of each column, after a solve that left ``row_dual``."""
        return np.array(self.highs.getSolution().col_dual) / self.scaling.column / self.scaling.objective

    def basis(self) -> Any:
        """The basis HiGHS ended with, to start from later."""
        return self.highs.getBasis()

    def set_basis(self, basis: Any) -> None:
        """Start the next solve from a basis of a model of the same size."""
        self._check(self.highs.setBasis(basis), "taking a basis")

    def start_from(self, x: Floats) -> None:
        """Offer a point to start from."""
        solution = highspy.HighsSolution()
        solution.col_value = x / self.scaling.column
        self._check(self.highs.setSolution(solution), "taking a starting point")

    def _pass(self, p: LinearProblem) -> highspy.HighsStatus:
        scale, matrix = self.scaling, p.matrix
        _refuse_defects(p)
        whole = p.integer & (not self.relaxed)
        lower, upper = whole_bounds(p.lower, p.upper, whole)
        told: highspy.HighsStatus = self.highs.passModel(
            self._n_columns,
            self._n_rows,
            matrix.nnz,
            int(highspy.MatrixFormat.kColwise),
            int(highspy.ObjSense.kMaximize),
            p.offset * scale.objective,
            p.cost * scale.column * scale.objective,
            lower / scale.column,
            upper / scale.column,
            p.row_lower * scale.row,
            p.row_upper * scale.row,
            matrix.indptr.astype(np.int32),
            matrix.indices.astype(np.int32),
            matrix.data * scale.row[matrix.indices] * np.repeat(scale.column, np.diff(matrix.indptr)),
            np.where(whole, int(highspy.HighsVarType.kInteger), int(highspy.HighsVarType.kContinuous)).astype(
                np.int32
            ),
        )
        return told

    def _outcome(self, seconds: float) -> Outcome:
        status = self.highs.getModelStatus()
        ends = {
            highspy.HighsModelStatus.kOptimal: Termination.OPTIMAL,
            highspy.HighsModelStatus.kInfeasible: Termination.INFEASIBLE,
            highspy.HighsModelStatus.kTimeLimit: Termination.TIME_LIMIT,
            highspy.HighsModelStatus.kSolutionLimit: Termination.NODE_LIMIT,
            highspy.HighsModelStatus.kInterrupt: Termination.INTERRUPTED,
            # every column has finite bounds, so "unbounded or infeasible" is infeasible
            highspy.HighsModelStatus.kUnboundedOrInfeasible: Termination.INFEASIBLE,
        }
        if status not in ends:
            raise SolverError(f"HiGHS ended with {self.highs.modelStatusToString(status)}")
        end = Termination.INTERRUPTED if self._pressed else ends[status]
        info, scale = self.highs.getInfo(), self.scaling
        # an optimum may miss the tolerance by a little after unscaling; the judge has the last word anyway
        feasible = (
            status == highspy.HighsModelStatus.kOptimal
            or info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        )
        solution = self.highs.getSolution()
        x = np.array(solution.col_value) * scale.column if feasible else None
        objective = info.objective_function_value / scale.objective if feasible else None
        is_mip = info.mip_node_count >= 0
        bound: float | None = None
        if is_mip:
            bound = info.mip_dual_bound / scale.objective
        elif status == highspy.HighsModelStatus.kOptimal:
            bound = objective
        duals = solution.dual_valid and not is_mip
        return Outcome(
            termination=end,
            seconds=seconds,
            x=x,
            objective=objective,
            bound=bound if bound is not None and np.isfinite(bound) else None,
            row_dual=np.array(solution.row_dual) * scale.row / scale.objective if duals else None,
        )

    @staticmethod
    def _check(status: highspy.HighsStatus, doing: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise SolverError(f"HiGHS refused {doing}")


def whole_bounds(lower: Floats, upper: Floats, whole: Bools) -> tuple[Floats, Floats]:
    """Bounds in which those of whole numbers are whole.

    HiGHS 1.15 counts whole steps from bounds as they are: where these are fractions, its cuts remove
    optima, and it calls what is left optimal.
    """
    return (
        np.where(whole, np.ceil(lower - _HAIR), lower),
        np.where(whole, np.floor(upper + _HAIR), upper),
    )


def _same_structure(one: LinearProblem, other: LinearProblem) -> bool:
    a, b = one.matrix, other.matrix
    same_columns = a.shape == b.shape and np.array_equal(a.indptr, b.indptr)
    return same_columns and np.array_equal(a.indices, b.indices)


def _refuse_defects(p: LinearProblem) -> None:
    _refuse_non_finite("cost", p.cost)
    _refuse_non_finite("offset", np.array([p.offset]))
    _refuse_non_finite("coefficient", p.matrix.data)
    _refuse_nan("bound", p.lower, p.upper)
    _refuse_nan("row", p.row_lower, p.row_upper)


def _refuse_non_finite(what: str, values: Floats) -> None:
    if not np.isfinite(values).all():
        raise SolverError(f"a {what} handed to HiGHS is not finite")


def _refuse_nan(what: str, *values: Floats) -> None:
    if any(np.isnan(v).any() for v in values):
        raise SolverError(f"a {what} handed to HiGHS is not a number")
