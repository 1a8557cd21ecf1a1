"""All methods by name, and the one call that runs them."""

from __future__ import annotations

from collections.abc import Callable

from stepwatt.formulation import InputError, Instance

from .common.relaxation import lp
from .distributed.coordination import distributed
from .interface.result import Result
from .interface.settings import Progress, Settings, silent
from .optimum.ablations import ABLATIONS, ablation
from .optimum.oracle import oracle
from .planners.rolling import rolling
from .planners.rules import greedy, random

Method = Callable[[Instance, Settings], Result]


def _conic(inst: Instance, settings: Settings) -> Result:
    from .optimum.conic import conic

    return conic(inst, settings)


def _pyomo(inst: Instance, settings: Settings) -> Result:
    from .optimum.pyomo_route import pyomo

    return pyomo(inst, settings)


METHODS: dict[str, Method] = {
    "oracle": oracle,
    "lp": lp,
    "conic": _conic,
    "pyomo": _pyomo,
    "greedy": greedy,
    "rolling": rolling,
    **{name: ablation(name) for name in ABLATIONS},
    "random": random,
    "distributed": distributed,
}


def solve(
    inst: Instance,
    method: str = "oracle",
    *,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    seed: int = 0,
    forecast: str = "persistence",
    look_ahead_hours: float = 24.0,
    history: Instance | None = None,
    progress: Progress = silent,
) -> Result:
    """Solve an instance by the named method (interface.md, "Methods every solver call accepts").

    Args:
        inst: the instance.
        method: a key of :data:`METHODS`.
        gap: relative optimality gap at which ``oracle`` and the ablations stop.
        time_limit: seconds for methods that search; None for no limit.
        seed: for methods that draw (``random``, the errors of the ``day-ahead`` forecast).
        forecast: what ``rolling`` believes: ``perfect``, ``persistence`` or ``day-ahead``.
        look_ahead_hours: window of ``rolling``.
        history: the slots before this instance, for ``persistence``.
        progress: called with the share done and what is being worked on.

    Raises:
        InputError: unknown method or forecast, or settings out of range.
        SolverError: the solver failed, or a slot-by-slot method met a slot without feasible decision.
    """
    if method not in METHODS:
        raise InputError(field="method", value=method, expected=f"one of {', '.join(METHODS)}")
    settings = Settings(
        gap=gap,
        time_limit=time_limit,
        seed=seed,
        forecast=forecast,
        look_ahead_hours=look_ahead_hours,
        history=history,
        progress=progress,
    )
    return METHODS[method](inst, settings)
