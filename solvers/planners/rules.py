"""Cheap rules: ``greedy`` (each slot at its own optimum) and ``random`` (drawn within the rules)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from stepwatt.formulation import Instance, InstanceArrays, State, evaluate

from ..common.relaxation import infeasible_or_raise
from ..common.trimming import trimmed
from ..interface.deadline import Deadline, decided_until
from ..interface.errors import NoDecision
from ..interface.result import Result, Seconds, Status
from ..interface.settings import Settings
from .drawing import Drawer
from .slot_by_slot import Decision, Greedy, slot_by_slot


class Rule(Protocol):
    """Decides slots one after the other."""

    @property
    def cut_short(self) -> bool:
        """Whether time was too short to decide as well as the rule can."""

    def decide(self, t: int, state: State) -> Decision:
        """Decide slot t from the state that earlier ones have left."""


def greedy(inst: Instance, settings: Settings) -> Result:
    """Slot by slot, optimal within the slot, no look-ahead (:class:`.slot_by_slot.Greedy`).

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """
    return follow(inst, "greedy", settings, Greedy)


def random(inst: Instance, settings: Settings) -> Result:
    """Every slot feasible but decided at random: all choices drawn within the rules (:mod:`.drawing`).

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """
    rng = np.random.default_rng(settings.seed)
    return follow(inst, "random", settings, lambda a, deadline: Drawer(a, rng))


def follow(
    inst: Instance,
    method: str,
    settings: Settings,
    rule: Callable[[InstanceArrays, Deadline], Rule],
    deadline: Deadline | None = None,
) -> Result:
    """The result of a rule that is made for the trimmed arrays and the deadline (that of the settings, from
    now, if none is given).

    Raises:
        NoDecision: a slot has no feasible decision, although the instance is feasible.
    """
    begun, deadline = time.perf_counter(), deadline or settings.deadline()
    a = inst.arrays()
    cut = trimmed(a)
    decider = rule(cut.arrays, deadline)
    try:
        run = slot_by_slot(cut.arrays, decider.decide, settings.progress, deadline)
    except NoDecision as stuck:
        return infeasible_or_raise(inst, a, method, begun, stuck, deadline)
    schedule, late = cut.expanded(run.schedule), run.decided < inst.n_slots
    total = time.perf_counter() - begun
    return Result(
        inst,
        method,
        Status.TIME_LIMIT if late or decider.cut_short else Status.FEASIBLE,
        Seconds(0.0, total, total),
        schedule=schedule,
        evaluation=evaluate(a, schedule),
        message=decided_until(run.decided, inst.n_slots) if late else "",
    )
