"""The plain route: the readable Pyomo model, handed to HiGHS as one MIP (method ``pyomo``).

Slow and honest: it shares nothing with the oracle but the model's statement, so it serves as its check.
"""

from __future__ import annotations

import time

import numpy as np

from stepwatt.formulation import Instance, evaluate

from .result import Result, Seconds, Status
from .settings import Settings


def pyomo(inst: Instance, settings: Settings) -> Result:
    """The Pyomo model of the instance, solved by HiGHS through Pyomo's own interface."""
    from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition
    from pyomo.contrib.solver.solvers.highs import Highs

    from stepwatt.formulation.pyomo_model import pyomo_model, schedule_from_pyomo

    begun = time.perf_counter()
    model = pyomo_model(inst)
    built = time.perf_counter() - begun
    solver = Highs()
    solver.config.load_solutions = False
    solver.config.raise_exception_on_nonoptimal_result = False
    solver.config.rel_gap = settings.gap
    solver.config.time_limit = settings.time_limit
    # jobs earn around 1e-4 USD, HiGHS's tolerances are absolute
    best = float(inst.arrays().options.revenue.max(initial=0.0))
    scale = 0 if best <= 0 else int(np.clip(-np.floor(np.log2(best)), -30, 30))
    solver.config.solver_options["user_objective_scale"] = scale
    results = solver.solve(model)
    total = time.perf_counter() - begun
    seconds = Seconds(built, total - built, total)
    if results.termination_condition is TerminationCondition.provenInfeasible:
        return Result(inst, "pyomo", Status.INFEASIBLE, seconds)
    bound = results.objective_bound
    if bound is not None and not np.isfinite(bound):
        bound = None
    if results.solution_status not in (SolutionStatus.feasible, SolutionStatus.optimal):
        return Result(inst, "pyomo", Status.TIME_LIMIT, seconds, bound=bound)
    results.solution_loader.load_vars()
    schedule = schedule_from_pyomo(model, inst)
    closed = results.termination_condition is TerminationCondition.convergenceCriteriaSatisfied
    return Result(
        inst,
        "pyomo",
        Status.OPTIMAL if closed else Status.TIME_LIMIT,
        seconds,
        schedule=schedule,
        evaluation=evaluate(inst, schedule),
        bound=bound,
    )
