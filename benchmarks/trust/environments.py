"""The environment, single and side by side, played by whoever wants more than there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.learning.environment.play import record
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, make_pool

Floats = NDArray[np.float64]

#: Action sequences side by side in a climb, and how often they are bettered.
CROWD, CLIMBS = 24, 6
#: How many :func:`adversaries` gives.
ADVERSARIES = 5


def task_drawn(rng: np.random.Generator) -> TaskSettings:
    """Either codec, any information, rewards that hide nothing."""
    codec, information = rng.choice(["direct", "priced"]), rng.choice(["none", "day-ahead", "perfect"])
    return TaskSettings(codec=str(codec), information=str(information), reward="dense")


def world_of(inst: Instance, task: TaskSettings, copies: int = 1, *, integral: bool) -> World:
    """The environment of copies of an instance."""
    engine = numpy_engine()
    return World(make_pool([inst] * copies, task.information, engine), engine, task, integral=integral)


def played(world: World, inst: Instance, actions: Floats) -> tuple[Floats, list[Schedule]]:
    """(B,) USD earned with actions (T,B,A), and the schedules they come to."""
    told = iter(actions)
    world.begin(world.pool)
    requests, outcomes = record(world, lambda _: next(told))
    copies = [inst.arrays()] * actions.shape[1]
    return np.array(world.earned), schedules(copies, world.drawn.problem, requests, outcomes)


def adversaries(rng: np.random.Generator, slots: int, size: int) -> Iterator[tuple[str, Floats]]:
    """Names and actions (T,A), inside the box and outside."""
    yield "uniform", rng.uniform(-1, 1, (slots, size))
    yield "corners", rng.choice([-1.0, 1.0], (slots, size))
    yield "just outside", rng.uniform(-3, 3, (slots, size))
    yield "far outside", rng.normal(size=(slots, size)) * 10.0 ** rng.uniform(0, 12, (slots, size))
    yield "constant", np.full((slots, size), rng.uniform(-2, 2))


def climbed(rng: np.random.Generator, world: World, inst: Instance) -> tuple[Floats, list[Schedule]]:
    """The best of each generation of action sequences bettered on what they earn; ``world`` holds CROWD."""
    slots, size = inst.n_slots, world.act_size
    crowd = rng.uniform(-1.5, 1.5, (slots, CROWD, size))
    best, kept, made = -np.inf, crowd[:, 0], list[Schedule]()
    paid = []
    for _ in range(CLIMBS):
        earned, plans = played(world, inst, crowd)
        top = int(earned.argmax())
        paid.append(float(earned[top]))
        made.append(plans[top])
        if earned[top] > best:
            best, kept = float(earned[top]), crowd[:, top]
        change = rng.normal(size=crowd.shape) * rng.choice([0.05, 0.3, 1.0], (1, CROWD, 1))
        change *= rng.random(crowd.shape) < 0.4
        crowd = kept[:, None] + change
        crowd[:, 0] = kept
    return np.array(paid), made


def through_gymnasium(
    inst: Instance, task: TaskSettings, actions: Floats, *, integral: bool, vector: bool
) -> dict[str, Any]:
    """What the Gymnasium environments pay for the same actions (T,A), slot by slot: single, and two aside."""
    from stepwatt.learning.environment.gym_env import SchedulingGymEnv, SchedulingVectorEnv

    env = SchedulingGymEnv([inst], task, integral=integral)
    env.reset(seed=0)
    single, ended, finite = [], False, True
    for action in actions:
        seen, _, ended, _, info = env.step(action)
        single.append(info["utility"])
        finite &= bool(np.isfinite(seen).all())
    found: dict[str, Any] = {"single": np.array(single), "ended": ended, "finite": finite}
    if vector:
        twins = SchedulingVectorEnv([inst], task, num_envs=2)
        twins.reset(seed=0)
        found["vector"] = np.array([twins.step(np.stack([action] * 2))[4]["utility"] for action in actions])
    return found
