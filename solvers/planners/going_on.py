"""Slots for whose decision there is no time: what was done last goes on, as far as the plant can."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule, State
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedule_replay import request_of
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import Outcome, PlantState, Request, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.formulation.schedule.windows import window

Floats = NDArray[np.float64]


class Habit:
    """Asks of every slot what was asked of one: jobs at hand go the same ways and run with the same mix of
    options, generators give the same, batteries rest, rooms are cooled no more than they must be.

    Jobs of which that slot had none go home, or to all sites alike where that cannot serve them. Where GPU
    time does not suffice for the mix, more of it are the shortest options, as much as it takes.
    """

    def __init__(self, problem: Problem, like: Request) -> None:
        self._problem = problem
        sent = like.transfers.sum(axis=-1, keepdims=True)
        self._ways = np.where(sent > 0, like.transfers / np.where(sent > 0, sent, 1.0), problem.home)
        self._mix, self._generator = like.mix, like.generator
        shortest = np.where(problem.row >= 0, problem.seconds, np.inf).argmin(axis=-1, keepdims=True)
        self._shortest = (np.arange(problem.row.shape[-1]) == shortest).astype(float)

    def ask(self, t: int, state: PlantState) -> Request:
        """What is asked of slot t: all jobs at hand run now."""
        at_hand = state.waiting + self._problem.arrivals[t]
        transfers, rest = at_hand[..., None] * self._ways, np.zeros_like(self._problem.gpus)
        return Request(
            transfers=transfers,
            mix=self._hurried(transfers.sum(axis=1).swapaxes(1, 2)),
            cooling=rest,
            battery=rest,
            generator=self._generator,
        )

    def _hurried(self, jobs: Floats) -> Floats:
        """(B,J,K,F·C) the mix that GPU time suffices for, if any does, of ``jobs`` (B,J,K)."""
        p = self._problem
        usual, least = (
            (jobs * (mix * p.seconds).sum(axis=-1)).sum(axis=-1) for mix in (self._mix, self._shortest)
        )
        over = (usual - p.fleet_seconds) / np.maximum(usual - least, 1e-12)
        share = np.clip(over, 0.0, 1.0)[..., None, None]
        found: Floats = (1 - share) * self._mix + share * self._shortest
        return found


def gone_on(a: InstanceArrays, t: int, state: State, last: Schedule | None) -> Schedule:
    """The slots from t on, from the state that earlier ones have left, as in the slot ``last``.

    Without a last slot jobs run where they arrive, with the shortest options.
    """
    rest, engine = window(a, t, a.n_slots - t, state), numpy_engine()
    problem = stack([rest], engine)
    habit = Habit(problem, request_of(problem, [last or Schedule.idle(rest)], 0, engine))
    plant, requests, outcomes = first_state(problem), list[Request](), list[Outcome]()
    for slot in range(rest.n_slots):
        requests.append(habit.ask(slot, plant))
        plant, outcome = advance(engine, problem, slot, plant, requests[-1], integral=a.integral_jobs)
        outcomes.append(outcome)
    return schedules([rest], problem, requests, outcomes)[0]
