"""The command ``python -m benchmarks.hybrid.causes``: what foresight loses, by cause, on validation days.

Each row changes one thing in how values are foreseen or used, and plays the days with them; the last rows
plan again during the day from where it has come to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

import stepwatt as sw
from stepwatt.formulation.files import write_text
from stepwatt.formulation.plant.bridge import arrays_of
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.training.families import Family
from stepwatt.solvers.planners.foresight import foresight
from stepwatt.solvers.response import slot_prices as prices

from .cases import TRAINED_ON
from .common import RESULTS, VALIDATION_SEED, about

Floats = NDArray[np.float64]

KEPT = RESULTS / "causes.json"
TASK = TaskSettings(codec="priced", reward="dense", foresight=True)
#: What is foreseen, where there is neither demand charge nor generator.
ALL = ("energy", "warmth", "waiting", "queue")


def ways() -> dict[str, tuple[object, dict[str, object]]]:
    """What is changed where, by name."""
    values = foresight.warmth_values

    def at_grid_cost(problem: Problem, it: Floats, price: Floats) -> Floats:
        return values(problem, it, problem.import_cost)

    return {
        "as it is": (foresight, {}),
        "blocks of an hour": (foresight, {"BLOCK_HOURS": 1.0}),
        "plan to 1e-6": (foresight, {"TOLERANCE": 1e-6}),
        "one value for all waiting jobs": (prices, {"QUEUE_BENDS": (0.0,) * 4}),
        "coolness at the grid's price": (foresight, {"warmth_values": at_grid_cost}),
    }


def gaps(instances: Sequence[sw.Instance], information: str, bound: Floats, *, renewal: int = 0) -> Floats:
    """(N,) % of the bound that foresight of these days misses."""
    engine = torch_engine(torch.float64)
    task = TASK.changed(information=information, renewal=renewal)
    world = World(
        make_pool(instances, information, engine, foresight=True, seed=VALIDATION_SEED), engine, task
    )
    while not world.over:
        world.step(torch.zeros(len(instances), world.act_size, dtype=torch.float64))
    found: Floats = 100 * (bound - world.earned.numpy()) / np.abs(bound)
    return found


#: What is planned again, by name: fields of foresight, every so many slots, whether seen errors last.
AGAIN: dict[str, tuple[tuple[str, ...], int, bool]] = {
    "values of storage planned again in every slot": (("energy", "warmth"), 1, False),
    "values of waiting jobs planned again in every slot": (("waiting", "queue"), 1, False),
    "all planned again in every slot": (ALL, 1, False),
    "all planned again every four hours": (ALL, 8, False),
    "all planned again every four hours, seen errors last": (ALL, 8, True),
    "all planned again every hour": (ALL, 2, False),
    "all planned again every hour, seen errors last": (ALL, 2, True),
}


@torch.no_grad()
def planned_again(
    instances: Sequence[sw.Instance], bound: Floats, names: Sequence[str], every: int, lasting: bool = False
) -> Floats:
    """(N,) % of the bound that is missed with the same day-ahead forecast, parts of foresight being made anew
    from the state of the moment."""
    engine = torch_engine(torch.float64)
    pool = make_pool(instances, "day-ahead", engine, foresight=True, seed=VALIDATION_SEED)
    world = World(pool, engine, TASK)
    nothing = torch.zeros(len(instances), world.act_size, dtype=torch.float64)
    while not world.over:
        ahead, beliefs = world.drawn.foresight, world.drawn.beliefs
        if world.t and world.t % every == 0 and ahead is not None and beliefs is not None:
            seen = beliefs if lasting else replace(beliefs, persistence=0.0)
            found = seen.renewed(arrays_of(world.drawn.problem), ahead, world.t, arrays_of(world.state))
            anew = {name: getattr(found, name) for name in names}
            world.drawn = replace(world.drawn, foresight=replace(ahead.since(world.t), **anew))
        world.step(nothing)
    missed: Floats = 100 * (bound - world.earned.numpy()) / np.abs(bound)
    return missed


def main() -> None:
    """Measure, and keep the figures for the report."""
    torch.set_num_threads(1)
    instances = Family(regions=TRAINED_ON, every=4).instances("validation")
    bound = np.array([sw.solve(inst, "lp").bound for inst in instances])
    forecasts = [
        sw.solve(inst, "rolling", forecast="day-ahead", seed=VALIDATION_SEED + number).utility
        for number, inst in enumerate(instances)
    ]
    rows = {"rolling": {"day-ahead": float(np.mean(100 * (bound - np.array(forecasts)) / np.abs(bound)))}}
    for name, (module, values) in ways().items():
        with ExitStack() as stack:
            for field, value in values.items():
                stack.enter_context(mock.patch.object(module, field, value))
            rows[name] = {
                information: float(gaps(instances, information, bound).mean())
                for information in ("day-ahead", "perfect")
            }
        print(name, rows[name], flush=True)
    for name, (parts, every, lasting) in AGAIN.items():
        rows[name] = {"day-ahead": float(planned_again(instances, bound, parts, every, lasting).mean())}
        print(name, rows[name], flush=True)
    found = {"days": len(instances), "mean gap %": rows, "about": about()}
    write_text(KEPT, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
