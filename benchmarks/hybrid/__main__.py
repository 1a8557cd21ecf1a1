"""The command: ``python -m benchmarks.hybrid [--quick] [--docs]``.

One JSON file per cell (days × method) in ``results/``; a cell that has one is not measured again. ``--docs``
only writes ``docs/hybrid.md`` from the cells there are. Days are fluid; one process, one thread.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import stepwatt as sw
from stepwatt.learning.agents.policy import Policy
from stepwatt.learning.cloning import Demonstrations, clone
from stepwatt.learning.demonstrating import demonstrate
from stepwatt.learning.engines import torch_engine
from stepwatt.learning.environment import TaskSettings, World, make_pool
from stepwatt.learning.evolution import EvolutionSettings, evolve
from stepwatt.learning.foreseeing import ForesightPolicy
from stepwatt.learning.foresight import expectations, foresee, foreseen
from stepwatt.learning.imitating import imitate, joined
from stepwatt.learning.networks import generators
from stepwatt.learning.planning import expected_of
from stepwatt.learning.policies import TrainedPolicy, load_policy, policy_of
from stepwatt.learning.renewal import Beliefs, persistence_of

from .cases import TRAINED_ON, Case, Days, cases
from .tables import cell_file, write_docs

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"

GENERATIONS, QUICK_GENERATIONS = 16, 2
#: Days side by side where the latency of a batch is measured; the large batch for some methods only.
BATCH, LARGE_BATCH = 64, 1024
LARGE = ("foresight", "renewed 4 h", "renewed 3 h", "renewed 2 h", "renewed 1 h", "priced", "priced network")
TRAIN_SEED, VALIDATION_SEED, TEST_SEED = 100, 5_000, 9_000
#: Seeds of the training.
SEEDS = (0, 1, 2)


PRICED = TaskSettings(codec="priced", reward="dense", foresight=True)
DIRECT = TaskSettings(codec="direct", reward="dense")


NETWORK = TaskSettings(codec="priced", reward="dense")


def trained(case: Case, quick: bool) -> list[TrainedPolicy]:
    """The corrections that evolution found, by seed; from ``results`` where they were trained before."""
    folder = RESULTS / ("quick" if quick else "")
    seeds = SEEDS[:1] if quick else SEEDS
    files = [folder / f"policy{case.kind}-{seed}.npz" for seed in seeds]
    if all(file.exists() for file in files):
        return [load_policy(file) for file in files]
    engine, begun = torch_engine(torch.float64), time.process_time()
    train = case.training(60 if quick else 5, "train")
    chosen = case.training(30 if quick else 3, "validation")
    pools = [
        make_pool(instances, "day-ahead", engine, foresight=True, seed=seed)
        for instances, seed in ((train, TRAIN_SEED), (chosen, VALIDATION_SEED))
    ]
    shared = time.process_time() - begun
    settings = EvolutionSettings(
        generations=QUICK_GENERATIONS if quick else GENERATIONS, days=8, validate_every=4
    )
    policies = []
    for seed, file in zip(seeds, files, strict=True):
        begun = time.process_time()
        found = evolve(pools[0], pools[1], PRICED, settings, seed)
        about = {
            "seed": seed,
            "cpu_seconds": shared + time.process_time() - begun,
            "generations": settings.generations,
            "looks": found.looks,
        }
        policies.append(policy_of(found.policy, PRICED, train[0], about))
        policies[-1].save(file)
    return policies


def network(case: Case, quick: bool) -> Policy:
    """Prices straight from what is seen: the days' own prices, imitated on the pupil's states (DAgger)."""
    engine = torch_engine(torch.float64)
    days = case.training(60 if quick else 3, "train")
    pool = make_pool(days, "day-ahead", engine, seed=TRAIN_SEED)
    taught = foresee(days, "perfect", engine)
    parts = [imitate(pool, NETWORK, taught, engine)]
    policy = Policy(parts[0].obs.shape[-1], parts[0].act.shape[-1], (256, 256), generators([0]))
    for number in range(2):
        clone(policy, joined(parts), [number], updates=50 if quick else 2_000)
        parts.append(imitate(pool, NETWORK, taught, engine, lambda seen: policy(seen.float()).double()))
    clone(policy, joined(parts), [2], updates=50 if quick else 4_000)
    return policy


def cloned(case: Case, quick: bool) -> Policy:
    """A direct policy fit to the optimal schedules of training days."""
    engine = torch_engine(torch.float64)
    train = case.training(60 if quick else 3, "train", TRAINED_ON[:1])
    plans = [sw.solve(inst, "lp").schedule for inst in train]
    pool = make_pool(train, "day-ahead", engine, seed=TRAIN_SEED)
    played = demonstrate(pool, [plan for plan in plans if plan is not None], engine)
    policy = Policy(played.obs.shape[-1], played.act.shape[-1], (256, 256), generators([0]))
    seen = Demonstrations(played.obs.flatten(0, 1), played.act.flatten(0, 1))
    clone(policy, seen, [0], updates=50 if quick else 2_000)
    return policy


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
        beliefs = Beliefs(expected, persistence_of(task.information))
        pool = replace(pool, foresight=foreseen(pool.problem, expected), beliefs=beliefs)
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
    return ForesightPolicy(renewal_hours=hours).task_of(days.instances[0])


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


def measure(days: Days, method: str, case: Case, quick: bool) -> dict[str, Any]:
    """One cell."""
    kind, _, forecast = method.partition(" ")
    large = method in LARGE
    if method == "direct cloned":
        policy = cloned(case, quick)
        return played(days, DIRECT, lambda seen: policy(seen.float()).double())
    if method == "priced network":
        policy = network(case, quick)
        return played(days, NETWORK, lambda seen: policy(seen.float()).double(), large=large)
    if kind == "renewed":
        hours = float(forecast.split()[0])
        return played(days, renewed(days, hours), ForesightPolicy(), large=large)
    task = replace(PRICED, information=forecast or "day-ahead")
    if kind == "foresight":
        return played(days, task, ForesightPolicy(), large=large)
    if kind == "priced":
        found: list[dict[str, Any]] = []
        for policy_of_seed in trained(case, quick):
            found.append(played(days, task, policy_of_seed, timed=not found, large=large))
        every = {name: [one[name] for one in found] for name in ("utility", "miss")}
        return found[0] | every | {"certificate": max(one["certificate"] for one in found)}
    return solved(days, method)


def run(quick: bool, only: str) -> None:
    """Measure what has not been measured."""
    torch.set_num_threads(1)
    folder = RESULTS / ("quick" if quick else "")
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in cases(quick).items():
        wanted = [
            m for m in case.methods if only in f"{name}, {m}" and not cell_file(name, m, folder).exists()
        ]
        if not wanted:
            continue
        days = case.days(name)
        for method in wanted:
            target = cell_file(name, method, folder)
            found = measure(days, method, case, quick)
            found |= {"days": [inst.name for inst in days.instances], "about": about()}
            part = target.with_suffix(".part")
            part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            part.replace(target)
            print(days.name, method, "done", flush=True)


#: The code that runs, which is that of the moment it was read.
COMMIT = subprocess.run(
    ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.strip()


def about() -> dict[str, str]:
    """Where and when."""
    return {
        "date": dt.date.today().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "torch": torch.__version__,
        "git": COMMIT,
    }


def main(words: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hybrid", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few days, hardly any training: a smoke test")
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument("--docs", action="store_true", help="only write docs/hybrid.md")
    chosen = parser.parse_args(words)
    if not chosen.docs:
        run(chosen.quick, chosen.only)
    if not chosen.quick:
        write_docs(RESULTS)


if __name__ == "__main__":
    main()
