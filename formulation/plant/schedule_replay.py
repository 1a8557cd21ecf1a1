"""A schedule played through the plant: the requests that ask for it slot by slot, and what comes of them.

A schedule of the optimisation model and a trajectory of the environment are then one thing seen from two
sides: demonstrations for cloning come from here, and the plant is held against the oracle.

The plant has one rule of its own that a schedule can break: it switches on no GPU that has nothing to run.
Where an import price is negative, a schedule may do so to be paid for the power.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..instance.instance import Instance
from ..schedule.physics import GENERATOR_OFF_MW
from ..schedule.schedule import Schedule
from .engine import Array, Engine
from .stacked import Problem
from .stacking import stack
from .state import Outcome, PlantState, Request, first_state
from .step import advance

Floats = NDArray[np.float64]


def replay(
    instances: Sequence[Instance], plans: Sequence[Schedule], engine: Engine
) -> tuple[list[PlantState], list[Outcome]]:
    """States at the beginning of every slot and after the last one (T+1), and what happened in each slot (T).

    Jobs and GPUs are whole where the first instance asks for it.

    Raises:
        InputError: instances of different shapes.
    """
    problem = stack([inst.arrays() for inst in instances], engine)
    integral = instances[0].integral_jobs
    states, outcomes = [first_state(problem)], []
    for t in range(problem.shape.n_slots):
        request = request_of(problem, plans, t, engine)
        after, outcome = advance(engine, problem, t, states[-1], request, integral=integral)
        states.append(after)
        outcomes.append(outcome)
    return states, outcomes


def request_of(problem: Problem, plans: Sequence[Schedule], t: int, engine: Engine) -> Request:
    """What B schedules ask of slot ``t``: transfers, shares of the options, cooling, battery, generator."""

    def of_all(values: Sequence[Floats]) -> Array:
        return engine.asarray(np.stack(values))

    return Request(
        transfers=of_all([plan.transfers[..., t].transpose(0, 2, 1) for plan in plans]),
        mix=of_all([_mix(problem, b, plan.runs[:, t]) for b, plan in enumerate(plans)]),
        battery=of_all([plan.charge_mw[:, t] - plan.discharge_mw[:, t] for plan in plans]),
        cooling=of_all([plan.cooling_mw[:, t] for plan in plans]),
        # what the judge takes for off must not start it
        generator=of_all([_unless_noise(plan.generator_mw[:, t]) for plan in plans]),
    )


def _unless_noise(generator_mw: Floats) -> Floats:
    return np.where(generator_mw > GENERATOR_OFF_MW, generator_mw, 0.0)


def _mix(problem: Problem, b: int, runs: Floats) -> Floats:
    """(J,K,F·C) shares of the options among the jobs that ``runs`` (O,) gives each site and class."""
    row = np.asarray(problem.row[min(b, len(problem.row) - 1)])
    # row −1, where there is no option, reads the zero behind the last one
    jobs = np.append(runs, 0.0)[row]
    # an option that stands in for a clock without one is there twice: the first place counts
    earlier = (row[..., :, None] == row[..., None, :]) & np.tri(row.shape[-1], k=-1, dtype=bool)
    jobs[earlier.any(axis=-1)] = 0.0
    total = jobs.sum(axis=-1, keepdims=True)
    shares = jobs / np.where(total > 0, total, 1.0)
    # where nothing runs any shares will do, as long as they add up to 1
    shares[..., 0] += total[..., 0] == 0
    result: Floats = shares
    return result
