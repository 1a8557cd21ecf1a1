"""The command ``python -m benchmarks.hybrid.causes``: what foresight loses, by cause, on validation days.

Each row changes one thing in how values are foreseen or used, and plays the days with them; the last rows
plan again during the day from where it has come to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import stepwatt as sw
from stepwatt.formulation import InstanceArrays
from stepwatt.learning import foresight
from stepwatt.learning.codecs import priced
from stepwatt.learning.engines import torch_engine
from stepwatt.learning.environment import TaskSettings, World, make_pool
from stepwatt.learning.families import Family
from stepwatt.learning.plant import PlantState
from stepwatt.learning.problem import SLOT_SERIES, Problem, stack
from stepwatt.learning.response.day import plan_day
from stepwatt.solvers.windows import SERIES

from .__main__ import RESULTS, VALIDATION_SEED, about
from .cases import TRAINED_ON

Floats = NDArray[np.float64]

KEPT = RESULTS / "causes.json"
TASK = TaskSettings(codec="priced", reward="dense", foresight=True)


def ways() -> dict[str, tuple[object, dict[str, object]]]:
    """What is changed where, by name."""
    values = foresight.warmth_values

    def at_grid_cost(problem: Problem, it: Tensor, price: Tensor) -> Tensor:
        return values(problem, it, problem.import_cost)

    return {
        "as it is": (foresight, {}),
        "blocks of an hour": (foresight, {"BLOCK_HOURS": 1.0}),
        "plan to 1e-6": (foresight, {"TOLERANCE": 1e-6}),
        "one value for all waiting jobs": (priced, {"QUEUE_BENDS": (0.0,) * 4}),
        "coolness at the grid's price": (foresight, {"warmth_values": at_grid_cost}),
    }


def gaps(instances: Sequence[sw.Instance], information: str, bound: Floats) -> Floats:
    """(N,) % of the bound that foresight of these days misses."""
    engine = torch_engine(torch.float64)
    task = replace(TASK, information=information)
    world = World(
        make_pool(instances, information, engine, foresight=True, seed=VALIDATION_SEED), engine, task
    )
    while not world.over:
        world.step(torch.zeros(len(instances), world.act_size, dtype=torch.float64))
    found: Floats = 100 * (bound - world.earned.numpy()) / np.abs(bound)
    return found


#: What is planned again, by name: fields of foresight, and every so many slots.
AGAIN: dict[str, tuple[tuple[str, ...], int]] = {
    "values of storage planned again in every slot": (("energy", "warmth"), 1),
    "values of waiting jobs planned again in every slot": (("waiting", "queue"), 1),
    "all planned again in every slot": (("energy", "warmth", "waiting", "queue"), 1),
    "all planned again every hour": (("energy", "warmth", "waiting", "queue"), 2),
    "all planned again every two hours": (("energy", "warmth", "waiting", "queue"), 4),
}


@torch.no_grad()
def planned_again(
    instances: Sequence[sw.Instance], bound: Floats, names: Sequence[str], every: int
) -> Floats:
    """(N,) % of the bound that is missed with the same day-ahead forecast, parts of foresight being made anew
    from the state of the moment."""
    engine = torch_engine(torch.float64)
    pool = make_pool(instances, "day-ahead", engine, foresight=True, seed=VALIDATION_SEED)
    world = World(pool, engine, TASK)
    actual = [inst.arrays() for inst in instances]
    forecast = [
        foresight.believed(a, "day-ahead", None, VALIDATION_SEED + number) for number, a in enumerate(actual)
    ]
    slots = actual[0].n_slots
    nothing = torch.zeros(len(instances), world.act_size, dtype=torch.float64)
    while not world.over:
        t, ahead = world.t, world.drawn.foresight
        if t and t % every == 0 and ahead is not None:
            known = [_known(a, belief, t) for a, belief in zip(actual, forecast, strict=True)]
            problem = _from_here(stack(known, engine), t, world.state)
            plan = plan_day(problem, foresight.TOLERANCE)
            found = foresight.around(problem, plan, slots - t, 1)
            anew = {name: torch.cat([getattr(ahead, name)[:t], getattr(found, name)]) for name in names}
            world.drawn = replace(world.drawn, foresight=replace(ahead, **anew))
        world.step(nothing)
    missed: Floats = 100 * (bound - world.earned.numpy()) / np.abs(bound)
    return missed


def _known(actual: InstanceArrays, belief: InstanceArrays, t: int) -> InstanceArrays:
    """What has happened up to slot t, and what is believed of the rest."""
    parts = {
        name: (getattr(actual, name)[..., : t + 1], getattr(belief, name)[..., t + 1 :]) for name in SERIES
    }
    series: dict[str, Any] = {name: np.concatenate(both, axis=-1) for name, both in parts.items()}
    return replace(actual, **series)


def _from_here(problem: Problem, t: int, state: PlantState) -> Problem:
    """The rest of the horizon as a problem of its own."""
    rest = {name: getattr(problem, name)[t:] for name in ("arrivals", "recent", *SLOT_SERIES)}
    return replace(
        problem,
        shape=replace(problem.shape, n_slots=problem.shape.n_slots - t),
        first_energy=state.energy,
        first_temperature=state.temperature,
        first_waiting=state.waiting,
        first_peak=state.peak,
        **rest,
    )


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
    for name, (parts, every) in AGAIN.items():
        rows[name] = {"day-ahead": float(planned_again(instances, bound, parts, every).mean())}
        print(name, rows[name], flush=True)
    found = {"days": len(instances), "mean gap %": rows, "about": about()}
    KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
