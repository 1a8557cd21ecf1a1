"""Cheap rules: ``greedy`` (each slot at its own optimum) and ``random`` (drawn within the rules)."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from stepwatt.formulation import Instance, InstanceArrays, Schedule, evaluate

from ..common.relaxation import infeasible_or_raise
from ..common.trimming import trimmed
from ..highs.session import NoDecision
from ..interface.result import Result, Seconds, Status
from ..interface.settings import Settings
from .drawing import Drawer
from .slot_by_slot import greedy_schedule, slot_by_slot


def greedy(inst: Instance, settings: Settings) -> Result:
    """Slot by slot, optimal within the slot, no look-ahead (:func:`.slot_by_slot.greedy_schedule`).

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """
    return _judged(inst, "greedy", lambda a: greedy_schedule(a, settings.progress))


def random(inst: Instance, settings: Settings) -> Result:
    """Every slot feasible but decided at random: all choices drawn within the rules (:mod:`.drawing`).

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """

    def make(a: InstanceArrays) -> Schedule:
        drawer = Drawer(a, np.random.default_rng(settings.seed))
        return slot_by_slot(a, drawer.decide, settings.progress)

    return _judged(inst, "random", make)


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
