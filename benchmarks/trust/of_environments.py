"""What must hold of the environment: paid as judged, feasible, below the bound, and alike in every form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stepwatt.formulation import Schedule, evaluate

from .case import Case
from .environments import (
    ADVERSARIES,
    CROWD,
    Floats,
    TaskSettings,
    adversaries,
    climbed,
    played,
    task_drawn,
    through_gymnasium,
    world_of,
)

#: The bound and the judge allow breaks of 1e-6: what they can earn at most, as a share of what is at stake.
ROUNDING = 3e-6
#: Where torch plays, with numbers of single precision.
SINGLE = 2e-4
#: What a priced slot may lack where the interior point method is stuck (its ``GOOD``): it stops otherwise in
#: a crowd than alone.
PRICED = 1e-6


def environment(case: Case, tolerance: float) -> list[str]:
    """Adversaries in the environment: five at once, one of them through Gymnasium, too."""
    if case.infeasible:
        return []
    rng, inst, found = case.rng(3), case.inst, list[str]()
    task = task_drawn(rng)
    whole = inst.integral_jobs and bool(rng.random() < 0.5)
    world = world_of(inst, task, ADVERSARIES, integral=whole)
    names, moves = zip(*adversaries(rng, inst.n_slots, world.act_size), strict=True)
    earned, plans = played(world, inst, np.stack(moves, axis=1))
    through = int(rng.integers(2 * len(names)))
    for index, (name, paid, plan) in enumerate(zip(names, map(float, earned), plans, strict=True)):
        label = f"{task.codec} {task.information} {name}{' whole' if whole else ''}"
        found += _paid(case, label, paid, plan, whole, tolerance)
        found += _below(case, label, paid)
        if index == through:
            found += _gymnasium(case, label, task, moves[index], paid, whole, tolerance)
    return found


def _below(case: Case, label: str, paid: float) -> list[str]:
    bound = case.bounds.get("lp")
    if bound is None or case.above("bound of lp, an adversary above it", paid, bound) <= ROUNDING:
        return []
    return [f"{label}: {paid!r}, above the bound {bound!r}"]


def _gymnasium(
    case: Case, label: str, task: TaskSettings, actions: Floats, paid: float, whole: bool, tolerance: float
) -> list[str]:
    vector = not whole and bool(case.rng(9).random() < 0.4)
    told, found = through_gymnasium(case.inst, task, actions, integral=whole, vector=vector), []
    alone = PRICED if task.codec == "priced" else tolerance
    for form, accuracy in (("single", alone), ("vector", SINGLE)):
        if form not in told:
            continue
        sums = told[form].reshape(case.inst.n_slots, -1).sum(axis=0)
        # single precision has so many digits of what is paid, however little is at stake beside it
        beside = paid if form == "vector" else 0.0
        apart = case.apart(f"Gymnasium {form}, the world", float(np.abs(sums - paid).max()), beside)
        if not apart <= accuracy:
            found.append(f"{label}: {form} pays {sums}, the world {paid!r}")
    if not (told["ended"] and told["finite"]):
        found.append(f"{label}: ended {told['ended']}, finite observations {told['finite']}")
    return found


def greedy_climb(case: Case, tolerance: float) -> list[str]:
    """Hill climbing on what the environment pays never comes above the bound."""
    if case.infeasible or "lp" not in case.bounds:
        return []
    rng, inst = case.rng(4), case.inst
    task = task_drawn(rng)
    whole = inst.integral_jobs and bool(rng.random() < 0.5)
    paid, plans = climbed(rng, world_of(inst, task, CROWD, integral=whole), inst)
    found = []
    if not case.above("bound of lp, a climb above it", float(paid.max()), case.bounds["lp"]) <= tolerance:
        found.append(f"{task.codec}: a climb earns {paid.max()!r}, above {case.bounds['lp']!r}")
    for earned, plan in zip(map(float, paid), plans, strict=True):
        found += _paid(case, f"{task.codec} climb", earned, plan, whole, 1e-9)
    return found


def _paid(case: Case, label: str, earned: float, plan: Schedule, whole: bool, tolerance: float) -> list[str]:
    judged = evaluate(replace(case.a, integral_jobs=whole), plan)
    found = [f"{label}: breaks {judged.broken}"] if judged.broken else []
    if not case.apart("environment, evaluate", judged.utility - earned, earned) <= tolerance:
        found.append(f"{label}: paid {earned!r}, judged {judged.utility!r}")
    return found
