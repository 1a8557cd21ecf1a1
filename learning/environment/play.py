"""Policies of the environment as planners: run them on instances, get schedules that ``evaluate`` judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.plant.engine import Array, Engine, numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.formulation.plant.state import Outcome, Request

from .task import TaskSettings
from .world import World, pool_for

#: A policy of the environment: observations (B,O) → actions (B,A) in [-1,1], in the engine's arrays.
ActionPolicy = Callable[[Array], Array]


def plan(
    instances: Sequence[Instance],
    policy: ActionPolicy,
    task: TaskSettings,
    *,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
    engine: Engine | None = None,
) -> list[Schedule]:
    """The schedules that a policy makes of instances of one shape, side by side, in double precision.

    Jobs and GPUs are whole where the instances ask for it. The policy sees arrays of the engine (numpy).
    """
    engine = numpy_engine() if engine is None else engine
    pool = pool_for(task, instances, engine, histories=histories, seed=seed)
    world = World(pool, engine, task, integral=instances[0].integral_jobs)
    requests, outcomes = record(world, policy)
    return schedules([inst.arrays() for inst in instances], pool.problem, requests, outcomes)


def record(world: World, policy: ActionPolicy) -> tuple[list[Request], list[Outcome]]:
    """What a policy asks for and what happens, slot by slot, to the end of the horizon."""
    requests: list[Request] = []
    outcomes: list[Outcome] = []
    while not world.over:
        request = world.request(policy(world.observation()))
        requests.append(request)
        outcomes.append(world.carry_out(request))
    return requests, outcomes
