"""Cheap rules: ``greedy`` (each slot at its own optimum) and ``random`` (each slot at random prices)."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..common.relaxation import infeasible_or_raise
from ..common.trimming import trimmed
from ..highs.session import NoDecision
from ..interface.result import Result, Seconds, Status
from ..interface.settings import Settings
from .slot_by_slot import greedy_schedule

Floats = NDArray[np.float64]


def greedy(inst: Instance, settings: Settings) -> Result:
    """Slot by slot, optimal within the slot, no look-ahead (:func:`.slot_by_slot.greedy_schedule`).

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """
    return _judged(inst, "greedy", lambda a: greedy_schedule(a, settings.progress))


def random(inst: Instance, settings: Settings) -> Result:
    """Every slot feasible but decided at random: true prices are replaced by draws of the same size.

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """
    rng = np.random.default_rng(settings.seed)

    def weigh(p: LinearProblem) -> Floats:
        cost = p.cost * rng.uniform(0.0, 2.0, len(p.cost))
        best = float(p.cost[p.columns["runs"].ids].max(initial=0.0))
        for name, low, high in (("runs", 0.5, 1.0), ("transfers", -0.5, 0.0), ("waiting", 0.0, 0.5)):
            ids = p.columns[name].ids
            cost[ids] = best * rng.uniform(low, high, ids.shape)
        price = float(np.abs(p.cost[p.columns["import_mw"].ids]).max(initial=0.0))
        for name in ("charge_mw", "discharge_mw"):
            ids = p.columns[name].ids
            cost[ids] = price * rng.uniform(-1.0, 1.0, ids.shape)
        return cost

    return _judged(inst, "random", lambda a: greedy_schedule(a, settings.progress, weigh))


def _judged(inst: Instance, method: str, make: Callable[[InstanceArrays], Schedule]) -> Result:
    begun = time.perf_counter()
    a = inst.arrays()
    try:
        cut = trimmed(a)
        schedule = cut.expanded(make(cut.arrays))
    except NoDecision as stuck:
        return infeasible_or_raise(inst, a, method, begun, stuck)
    total = time.perf_counter() - begun
    seconds = Seconds(0.0, total, total)
    return Result(inst, method, Status.FEASIBLE, seconds, schedule=schedule, evaluation=evaluate(a, schedule))
