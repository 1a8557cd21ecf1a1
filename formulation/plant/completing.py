"""Schedules from elsewhere, made whole: the plant does what they leave open, and what it cuts is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from ..instance.instance import Instance
from ..schedule.evaluate import Evaluation, evaluate
from ..schedule.schedule import Schedule, check_fits
from .engine import numpy_engine
from .playing import played
from .schedule_replay import request_of
from .stacked import Problem
from .state import Outcome, PlantState, Request

Floats = NDArray[np.float64]

#: So few jobs, or so small a share of them, are rounding.
_FEW = 1e-6


@dataclass(frozen=True)
class Decisions:
    """What a schedule from elsewhere says: jobs by option and slot, and where they come from if it is said.

    ``asked`` holds the jobs of ``runs`` (O,T), the ``transfers`` (I,J,K,T) whose origin is said, and flows;
    ``anywhere`` (J,K,T) are the jobs of the site whose origin is open.
    """

    asked: Schedule
    anywhere: Floats


@dataclass(frozen=True)
class Completion:
    """A schedule that can be judged, and what of the decisions could not be carried out, a line each."""

    instance: Instance
    schedule: Schedule
    cut: tuple[str, ...]

    @cached_property
    def evaluation(self) -> Evaluation:
        """What the one judge says of it."""
        return evaluate(self.instance, self.schedule)

    def __repr__(self) -> str:
        told = "all of it as decided" if not self.cut else f"{len(self.cut)} of the decisions cut"
        return f"<Completion: {self.schedule.runs.sum():,.0f} jobs run, {told}>"


def complete(inst: Instance, decisions: Decisions | Schedule) -> Completion:
    """Play decisions through the plant of the environment (:mod:`.step`), which does what they leave open.

    Battery and generator rest unless flows say otherwise, cooling holds the room below its ceiling, the grid,
    sun and wind follow from the merit order. Jobs whose origin is open are the site's own first, then those
    that cost least to move; more than there are do not run.

    Raises:
        InputError: a schedule that does not fit the instance.
    """
    a, engine = inst.arrays(), numpy_engine()
    if not isinstance(decisions, Decisions):
        check_fits(a, decisions)
        decisions = Decisions(decisions, np.zeros(decisions.transfers.shape[1:]))
    said = decisions.asked.copy()
    wanted = said.transfers.sum(axis=0) + decisions.anywhere  # (J,K,T)
    asked = said.transfers.copy()

    def ask(problem: Problem, t: int, state: PlantState) -> Request:
        at_hand = np.asarray(state.waiting + problem.arrivals[t])[0]
        asked[..., t] = _taken(a, said.transfers[..., t], decisions.anywhere[..., t], at_hand)
        return request_of(problem, [replace(said, transfers=asked)], t, engine)

    schedule, outcomes = played(inst, ask)
    return Completion(inst, schedule, tuple(_cuts(a, wanted, asked.sum(axis=0), outcomes)))


def _taken(a: InstanceArrays, named: Floats, anywhere: Floats, at_hand: Floats) -> Floats:
    """(I,J,K) jobs that are sent, no more than ``at_hand`` (I,K)."""
    total = named.sum(axis=1)
    share = np.minimum(1.0, np.divide(at_hand, total, out=np.ones_like(total), where=total > 0))
    sent: Floats = named * share[:, None, :]
    if a.integral_jobs:
        sent = np.floor(sent + 1e-9)
    left = at_hand - sent.sum(axis=1)
    # every site takes its own first, so that none takes what another was to run
    own = np.minimum(left, anywhere)
    sent[np.arange(len(own)), np.arange(len(own))] += own
    left, missing = left - own, anywhere - own
    for j, k in zip(*np.nonzero(missing > _FEW), strict=True):
        for i in np.argsort(a.transfer_cost[:, j], kind="stable"):
            if a.transfer_allowed[i, j]:
                more = min(left[i, k], missing[j, k])
                sent[i, j, k] += more
                left[i, k] -= more
                missing[j, k] -= more
    return sent


def _cuts(a: InstanceArrays, wanted: Floats, sent: Floats, outcomes: list[Outcome]) -> list[str]:
    """A line for every slot, site and class of which fewer jobs run than was decided (J,K,T)."""
    ran = np.stack([np.asarray(outcome.jobs)[0] for outcome in outcomes], axis=-1)
    lines = []
    few = _FEW * np.maximum(1.0, wanted)
    for t, j, k in np.argwhere((wanted - ran > few).transpose(2, 0, 1)):
        asked, there, done = wanted[j, k, t], sent[j, k, t], ran[j, k, t]
        why = []
        if asked - there > few[j, k, t]:
            why.append(f"only {there:g} wait then")
        if there - done > few[j, k, t] or not why:
            why.append("GPU time, links, power or cooling do not suffice")
        where = f"slot {t}, {a.sites[j]}, {a.classes[k]}"
        lines.append(f"{where}: {done:g} of {asked:g} jobs run: {'; '.join(why)}")
    return lines
