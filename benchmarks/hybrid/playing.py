"""Policies played on instances one after the other, and how long their decisions take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import stepwatt as sw
from stepwatt.formulation.plant.bridge import arrays_of
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool, task_of
from stepwatt.solvers.planners.foresight.expected import expected_of
from stepwatt.solvers.planners.foresight.foresight import expectations, foreseen
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy
from stepwatt.solvers.planners.foresight.renewal import beliefs_of

from .cases import Days
from .common import BATCH, LARGE_BATCH, TEST_SEED

Act = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """Days that were played side by side."""

    utility: list[float]
    miss: list[float]
    certificate: float | None
    seconds: float
    """CPU seconds per decision, a day's plans spread over its slots."""
    answer: float
    """The same without the plan that is made before the day."""


@torch.no_grad()
def played_at_once(days: Days, task: TaskSettings, act: Act, size: int) -> Batch:
    """So many of these days side by side, in turn."""
    engine = torch_engine(torch.float64)
    chosen = [n % len(days.instances) for n in range(size)]
    instances, past = ([part[n] for n in chosen] for part in (days.instances, days.histories))
    # the forecasts themselves are not counted, they cost every planner the same; foresight is
    pool = make_pool(instances, task.information, engine, histories=past, seed=TEST_SEED)
    expected = None
    if task.foresight:
        told = expectations(instances, task.information, histories=past, seed=TEST_SEED)
        expected = expected_of(told)
    begun = time.process_time()
    if expected is not None:
        beliefs = beliefs_of(task.information, expected, pool.problem.shape.slot_hours, past)
        pool = replace(pool, foresight=foreseen(arrays_of(pool.problem), expected), beliefs=beliefs)
    planned = time.process_time()
    world = World(pool, engine, task)
    lost = arrived = torch.zeros(len(pool), dtype=torch.float64)
    while not world.over:
        arrived = arrived + pool.problem.arrivals[world.t].sum((-1, -2))
        _, _, outcome = world.step(act(world.observation()))
        lost = lost + outcome.lost.sum((-1, -2))
    ended, decisions = time.process_time(), size * pool.problem.shape.n_slots
    return Batch(
        world.earned.tolist(),
        (lost / arrived.clamp(min=1e-9)).tolist(),
        getattr(world.codec, "largest_gap", None),
        (ended - begun) / decisions,
        (ended - planned) / decisions,
    )


def played(
    days: Days, task: TaskSettings, act: Act, *, timed: bool = True, large: bool = False
) -> dict[str, Any]:
    """Utility and miss rate per day, certificate, and CPU seconds per decision: all days at once, and one."""
    every = played_at_once(days, task, act, len(days.instances))
    found = {name: getattr(every, name) for name in ("utility", "miss", "certificate")}
    for size in (BATCH, *[LARGE_BATCH] * large, 1) if timed else ():
        batch = played_at_once(days, task, act, size)
        found |= {f"seconds_{size}": batch.seconds, f"answer_{size}": batch.answer}
    return found


def renewed(days: Days, hours: float) -> TaskSettings:
    """Foresight that is planned again every so many hours."""
    return task_of(ForesightPolicy(renewal_hours=hours), days.instances[0])


def solved(days: Days, method: str) -> dict[str, Any]:
    """Utility per day and CPU seconds per decision of a planner of ``stepwatt solve``."""
    utility, miss, seconds = [], [], 0.0
    for number, inst in enumerate(days.instances):
        kind, _, forecast = method.partition(" ")
        begun = time.process_time()
        if kind == "rolling":
            past = days.histories[number] if forecast == "persistence" else None
            result = sw.solve(inst, kind, forecast=forecast, history=past, seed=TEST_SEED + number)
        else:
            result = sw.solve(inst, "lp" if kind == "oracle" else kind)
        seconds += time.process_time() - begun
        utility.append(result.bound if kind == "oracle" else result.utility)
        judged = result.evaluation
        arrived = max(float(inst.arrays().arrivals.sum()), 1e-9)
        miss.append(None if judged is None else float(judged.lost.sum()) / arrived)
    per_slot = seconds / len(days.instances) / days.instances[0].n_slots
    return {"utility": utility, "miss": miss, "seconds_1": per_slot}
