"""The four ways from an instance to an answer, each measured the same way.

``raw``     the linear relaxation alone: the library's matrices, plain HiGHS with default options.
``ours``    the oracle.
``linopy``  linopy and HiGHS as one MIP.
``pyomo``   Pyomo and HiGHS as one MIP.

Wall-clock seconds: ``build`` until the layer's own model stands, ``hand_over`` until HiGHS begins, ``solve``
inside HiGHS (for ``ours``: everything after the build), ``total`` from the instance to the judged schedule.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from stepwatt.formulation import Evaluation, Instance, InstanceArrays, evaluate

from ..clock import Run, watched

Values = dict[str, Any]


def raw(inst: Instance, gap: float, time_limit: float) -> Values:
    """The linear relaxation; its schedule is fluid."""
    from stepwatt.formulation.milp.matrices import linear_problem

    from .by_hand import hand_over

    begun = time.perf_counter()
    a = inst.arrays()
    problem = linear_problem(a)
    built = time.perf_counter()
    with watched() as runs:
        highs = hand_over(problem, offset=problem.offset)
        highs.run()
    evaluation = evaluate(a, problem.schedule(a, np.array(highs.getSolution().col_value)))
    run = runs[0]
    return {
        **_times(begun, built, run),
        **_size(run, int(problem.integer.sum())),
        **_worth(run.objective, run.objective, evaluation),
        "status": run.status.lower(),
    }


def ours(inst: Instance, gap: float, time_limit: float) -> Values:
    """The oracle through its one public call."""
    from stepwatt.solvers import solve

    begun = time.perf_counter()
    result = solve(inst, "oracle", gap=gap, time_limit=time_limit)
    total = time.perf_counter() - begun
    return {
        "build": result.seconds.build,
        "hand_over": 0.0,
        "solve": total - result.seconds.build,
        "total": total,
        **_worth(None, result.bound, result.evaluation),
        "status": str(result.status),
    }


def pyomo(inst: Instance, gap: float, time_limit: float) -> Values:
    """The library's method ``pyomo``, whose HiGHS is watched."""
    from stepwatt.solvers import solve

    begun = time.perf_counter()
    with watched() as runs:
        result = solve(inst, "pyomo", gap=gap, time_limit=time_limit)
    run = runs[0]
    # HiGHS has the objective in the route's own unit; the bound is known in both
    unit = run.bound / result.bound if result.bound else float("nan")
    objective = run.objective / unit if result.evaluation else None
    return {
        **_times(begun, begun + result.seconds.build, run),
        **_size(run),
        **_worth(objective, result.bound, result.evaluation),
        "status": str(result.status),
    }


def linopy(inst: Instance, gap: float, time_limit: float) -> Values:
    """The model of :mod:`.linopy_model`, handed over in memory; the objective is scaled as in ``pyomo``."""
    from .linopy_model import linopy_model, linopy_schedule

    warnings.simplefilter("ignore")  # linopy announces its next semantics at every masked variable
    begun = time.perf_counter()
    a = inst.arrays()
    scale = money_scale(a)
    model = linopy_model(a, scale)
    built = time.perf_counter()
    with watched() as runs:
        model.solve(
            "highs",
            io_api="direct",
            progress=False,
            time_limit=time_limit,
            mip_rel_gap=gap,
            output_flag=False,
        )
    run = runs[0]
    found = np.isfinite(run.objective) and "transfers" in model.solution
    evaluation = evaluate(a, linopy_schedule(model, a)) if found else None
    bound = run.bound / scale if np.isfinite(run.bound) else None
    return {
        **_times(begun, built, run),
        **_size(run),
        **_worth(run.objective / scale if found else None, bound, evaluation),
        "status": run.status.lower().replace(" limit reached", "_limit"),
    }


def money_scale(a: InstanceArrays) -> float:
    """A power of two that brings the best revenue of a job (USD) near 1: HiGHS's tolerances are absolute."""
    best = float(a.options.revenue.max(initial=0.0))
    return 1.0 if best <= 0 else 2.0 ** float(np.clip(-np.floor(np.log2(best)), -30, 30))


ROUTES: dict[str, Callable[[Instance, float, float], Values]] = {
    "raw": raw,
    "ours": ours,
    "linopy": linopy,
    "pyomo": pyomo,
}


def _times(begun: float, built: float, run: Run) -> Values:
    return {
        "build": built - begun,
        "hand_over": run.began - built,
        "solve": run.seconds,
        "total": time.perf_counter() - begun,
    }


def _size(run: Run, integers: int | None = None) -> Values:
    size = {"columns": run.columns, "rows": run.rows, "nonzeros": run.nonzeros}
    return size if integers is None else size | {"integers": integers}


def _worth(objective: float | None, bound: float | None, evaluation: Evaluation | None) -> Values:
    """``objective`` as the solver has it, ``utility`` as the judge has it; ``excess``: the largest violation
    as a multiple of the judge's tolerance."""
    if evaluation is None:
        return {"objective": None, "bound": bound, "utility": None, "gap": None, "excess": None}
    excess = max(value / evaluation.tolerance(name) for name, value in evaluation.violations.items())
    gap = None if bound is None else (bound - evaluation.utility) / max(abs(bound), 1e-9)
    return {
        "objective": objective,
        "bound": bound,
        "utility": evaluation.utility,
        "gap": gap,
        "excess": excess,
    }
