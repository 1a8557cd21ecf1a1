"""One instance played through the plant by whoever decides its slots: the schedule and what happened."""

from __future__ import annotations

from collections.abc import Callable

from ..instance.instance import Instance
from ..schedule.schedule import Schedule
from .engine import numpy_engine
from .schedules import schedules
from .stacked import Problem
from .stacking import stack
from .state import Outcome, PlantState, Request, first_state
from .step import advance

#: (the instance stacked alone, slot, what earlier slots have left) → what is asked of the plant.
Ask = Callable[[Problem, int, PlantState], Request]


def played(inst: Instance, ask: Ask) -> tuple[Schedule, list[Outcome]]:
    """The schedule of one instance, and what happened in each of its slots.

    Jobs and GPUs are whole where the instance asks for it.
    """
    a, engine = inst.arrays(), numpy_engine()
    problem = stack([a], engine)
    state, requests, outcomes = first_state(problem), [], []
    for t in range(a.n_slots):
        request = ask(problem, t, state)
        state, outcome = advance(engine, problem, t, state, request, integral=inst.integral_jobs)
        requests.append(request)
        outcomes.append(outcome)
    return schedules([a], problem, requests, outcomes)[0], outcomes
