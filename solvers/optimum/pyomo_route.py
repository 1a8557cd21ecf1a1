"""The plain route: the readable Pyomo model, handed to HiGHS as one MIP (method ``pyomo``).

Slow and honest: it shares nothing with the oracle but the model's statement and what sizes are of use, so it
serves as its check.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from stepwatt.formulation import Instance, evaluate
from stepwatt.formulation.errors import listed

from ..common.sizes import refuse_more_than
from ..common.trimming import of_useful_size
from ..highs.session import SMALL_ENTRY
from ..interface.result import EXPLAINED, Result, Seconds, Status
from ..interface.settings import Settings

#: Pyomo takes some kilobytes for a column and its share of the rows, and a second for ten thousand.
_MOST_COLUMNS = 500_000
#: What whole numbers may miss; HiGHS takes no less.
_WHOLE = 1e-10


def pyomo(inst: Instance, settings: Settings) -> Result:
    """The Pyomo model of the instance, solved by HiGHS through Pyomo's own interface.

    Raises:
        SolverError: a model of more than :data:`_MOST_COLUMNS` columns.
    """
    import pyomo.environ as pyo
    from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition
    from pyomo.contrib.solver.solvers.highs import Highs

    from stepwatt.formulation.milp.own_constraints import own_constraints, own_model
    from stepwatt.formulation.milp.pyomo_model import pyomo_model, schedule_from_pyomo

    begun, deadline = time.perf_counter(), settings.deadline()
    a = inst.arrays()
    refuse_more_than(_MOST_COLUMNS, a, "pyomo")
    names: tuple[str, ...] = ()
    if settings.extra is None:
        # beside sizes that nobody can use HiGHS proves false bounds
        a = of_useful_size(a)
        model = pyomo_model(a, prices_change=False)
    else:
        model = own_model(a, settings.extra)
        names = tuple(own_constraints(model)) or ("bounds",)
    # jobs earn around 1e-4 USD, HiGHS's tolerances are absolute; its own objective scaling would leave the
    # bound of a MIP scaled
    best = float(a.options.revenue.max(initial=0.0))
    scale = 1.0 if best <= 0 else 2.0 ** float(np.clip(-np.floor(np.log2(best)), -30, 30))
    model.utility.deactivate()
    model.scaled_utility = pyo.Objective(expr=scale * model.utility.expr, sense=pyo.maximize)
    make_bounds_whole(model)
    built = time.perf_counter() - begun
    solver = _keeping_small_entries(Highs)()
    solver.config.load_solutions = False
    solver.config.raise_exception_on_nonoptimal_result = False
    # jobs are rounded afterwards, and what a millionth of many jobs draws is more than the judge forgives
    solver.config.solver_options = {"mip_feasibility_tolerance": _WHOLE}
    solver.config.rel_gap = settings.gap
    solver.config.time_limit = deadline.left()
    results = solver.solve(model)
    total = time.perf_counter() - begun
    seconds = Seconds(built, total - built, total)
    # every column has finite bounds, so "unbounded or infeasible" is infeasible
    if results.termination_condition in (
        TerminationCondition.provenInfeasible,
        TerminationCondition.infeasibleOrUnbounded,
    ):
        message = f"no schedule keeps {listed(names)}, or there is none without" if names else EXPLAINED
        return Result(inst, "pyomo", Status.INFEASIBLE, seconds, extra=names, message=message)
    bound = results.objective_bound
    bound = bound / scale if bound is not None and np.isfinite(bound) else None
    if results.solution_status not in (SolutionStatus.feasible, SolutionStatus.optimal):
        return Result(inst, "pyomo", Status.TIME_LIMIT, seconds, bound=bound, extra=names)
    results.solution_loader.load_vars()
    schedule = schedule_from_pyomo(model, a)
    closed = results.termination_condition is TerminationCondition.convergenceCriteriaSatisfied
    return Result(
        inst,
        "pyomo",
        Status.OPTIMAL if closed else Status.TIME_LIMIT,
        seconds,
        schedule=schedule,
        evaluation=evaluate(inst, schedule),
        bound=bound,
        extra=names,
    )


def _keeping_small_entries(solver: Any) -> Any:
    """Pyomo's interface to HiGHS, told as the model begins to keep what HiGHS drops in silence.

    Options of a solve come too late: entries are dropped as rows are added.
    """

    class Keeping(solver):  # type: ignore[misc]
        def _add_variables(self, variables: Any) -> None:
            self._solver_model.setOptionValue("small_matrix_value", SMALL_ENTRY)
            super()._add_variables(variables)

    return Keeping


def make_bounds_whole(model: Any) -> None:
    """Whole bounds for a Pyomo model's whole numbers: with fractions HiGHS 1.15 may prove false ones."""
    import pyomo.environ as pyo

    for variable in model.component_data_objects(pyo.Var):
        if variable.is_integer() and variable.ub is not None:
            variable.setub(math.floor(variable.ub + 1e-9))
