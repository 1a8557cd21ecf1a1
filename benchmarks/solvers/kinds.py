"""What one cell of the benchmark measures, by kind. Runs in a process of its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cases import Case

Values = dict[str, Any]


def compare(case: Case, route: str, gap: float, time_limit: float) -> Values:
    """One route on one instance."""
    from .rivals.routes import ROUTES

    return ROUTES[route](case.instance(), gap, time_limit)


def build(case: Case, layer: str, times: int) -> Values:
    """Building the model from the arrays and handing its relaxation or MIP to HiGHS, some times over."""
    arrays = case.instance().arrays()
    once = _LAYERS[layer]
    seconds = []
    for _ in range(times):
        gc.collect()
        begun = time.perf_counter()
        once(arrays)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds}


def _build_ours(a: Any) -> None:
    from stepwatt.formulation.milp.matrices import linear_problem
    from stepwatt.solvers.highs.session import HighsSession

    HighsSession(linear_problem(a), relaxed=True)


def _build_by_hand(a: Any) -> None:
    from .rivals.by_hand import by_hand, hand_over

    hand_over(by_hand(a))


def _build_pyomo(a: Any) -> None:
    from pyomo.contrib.solver.solvers.highs import Highs

    from stepwatt.formulation.milp.pyomo_model import pyomo_model

    from .clock import Reached, watched

    model = pyomo_model(a, prices_change=False)
    try:
        with watched(stop_at_run=True):
            Highs().solve(model)
    except Reached:
        return
    raise RuntimeError("Pyomo never started HiGHS")


def _build_linopy(a: Any) -> None:
    import warnings

    from .rivals.linopy_model import linopy_model

    warnings.simplefilter("ignore")
    linopy_model(a).to_highspy()


_LAYERS: dict[str, Callable[[Any], None]] = {
    "ours": _build_ours,
    "hand": _build_by_hand,
    "linopy": _build_linopy,
    "pyomo": _build_pyomo,
}


def warm(layer: str) -> None:
    """Use a layer (or route) once on a single slot."""
    inst = Case("warm", 1).instance()
    _LAYERS[{"raw": "hand"}.get(layer, layer)](inst.arrays())
    if layer in ("raw", "ours"):
        from .rivals.routes import ROUTES

        ROUTES[layer](inst, 1e-2, 1.0)


def same_matrices(case: Case) -> Values:
    """How far the matrices written by hand are from the library's; nothing but rounding is allowed."""
    import numpy as np

    from stepwatt.formulation.milp.matrices import linear_problem

    from .rivals.by_hand import by_hand

    a = case.instance().arrays()
    mine, theirs = by_hand(a), linear_problem(a)
    if mine.matrix.shape != theirs.matrix.shape:
        raise AssertionError(f"by hand {mine.matrix.shape}, by the library {theirs.matrix.shape}")
    largest = float(abs(mine.matrix - theirs.matrix).max())
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "integer"):
        one, other = (np.asarray(getattr(p, name), dtype=float) for p in (mine, theirs))
        differ = one != other
        if differ.any():
            largest = max(largest, float(np.abs(one[differ] - other[differ]).max()))
    if not largest <= 1e-9:
        raise AssertionError(f"the matrices written by hand differ by {largest}")
    return {"difference": largest, "nonzeros": int(mine.matrix.nnz)}


def small(first: int, count: int, gap: float, time_limit: float) -> Values:
    """Random small instances ``first`` .. ``first + count - 1``, one after the other."""
    import sys

    import numpy as np

    from stepwatt.formulation import Instance
    from stepwatt.solvers import solve

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
    from strategies import FEATURES, RARE, SLOT_HOURS, random_file

    rows = []
    for index in range(first, first + count):
        rng = np.random.default_rng([2605, index])
        drawn = [name for name in FEATURES if rng.random() < (0.15 if name in RARE else 0.5)]
        features = [name for name in drawn if name != "fluid"]  # fluid ones close by themselves
        size = {
            "n_slots": int(rng.integers(5, 21)),
            "n_sites": int(rng.integers(2, 5)),
            "slot_hours": float(rng.choice(SLOT_HOURS)),
            "gpus": int(rng.integers(40, 161)),
        }
        inst = Instance.from_dict(random_file(rng, features=features, **size))
        begun = time.perf_counter()
        result = solve(inst, "oracle", gap=gap, time_limit=time_limit)
        seconds = time.perf_counter() - begun
        feasible = result.evaluation is not None and result.evaluation.feasible
        rows.append(
            {
                "index": index, **size, "features": features, "seconds": seconds, "gap": result.gap,
                "utility": result.utility, "bound": result.bound, "status": str(result.status),
                "feasible": feasible,
            }
        )  # fmt: skip
    return {"rows": rows}


def rolling(case: Case, slots: int, look_ahead_hours: float, rebuild_every: int) -> Values:
    """Slots decided in turn on the model kept hot; now and then, from the same state, by a planner built anew
    for that slot. The horizon must reach a look-ahead beyond ``slots``, so that windows move.
    """
    from stepwatt.formulation.schedule.windows import fresh_state, next_state
    from stepwatt.solvers.planners.forecasts import make_forecast
    from stepwatt.solvers.planners.rolling import RollingPlanner

    from .clock import Run, watched

    a = case.instance().arrays()
    forecast = make_forecast("perfect", a, None, 0)
    kept = RollingPlanner(a, forecast, look_ahead_hours)
    state = fresh_state(a)

    def timed(planner: Any, t: int) -> tuple[float, Any, list[Run]]:
        with watched() as runs:
            begun = time.perf_counter()
            decision = planner.decide(t, state)
            return time.perf_counter() - begun, decision, runs

    hot, rebuilt, windows = [], {}, []
    for t in range(slots):
        fresh: list[Run] = []
        if t % rebuild_every == 0 and t > 0:
            rebuilt[t], _, fresh = timed(RollingPlanner(a, forecast, look_ahead_hours), t)
        seconds, (alone, _, evaluation), runs = timed(kept, t)
        hot.append(seconds)
        if fresh:
            windows.append([runs[0].objective, fresh[0].objective, runs[0].seconds, fresh[0].seconds])
        state = next_state(alone, evaluation)
    return {"hot": hot, "rebuilt": rebuilt, "windows": windows}


def scale(case: Case, method: str, gap: float, time_limit: float) -> Values:
    """One long or wide instance."""
    from stepwatt.solvers import solve

    from .clock import cpu_seconds, peak_mb

    begun = time.perf_counter()
    inst = case.instance()
    drawn = time.perf_counter() - begun
    before_mb, before_cpu = peak_mb(), cpu_seconds()
    begun = time.perf_counter()
    result = solve(inst, method, gap=gap, time_limit=time_limit)
    return {
        "total": time.perf_counter() - begun,
        "cpu": cpu_seconds() - before_cpu,
        "build": result.seconds.build,
        "instance": drawn,
        "instance_mb": before_mb,
        "gap": result.gap,
        "utility": result.utility,
        "bound": result.bound,
        "status": str(result.status),
        "feasible": result.evaluation is not None and result.evaluation.feasible,
    }


KINDS: dict[str, Callable[..., Values]] = {
    "compare": compare,
    "build": build,
    "same_matrices": same_matrices,
    "small": small,
    "rolling": rolling,
    "scale": scale,
}
