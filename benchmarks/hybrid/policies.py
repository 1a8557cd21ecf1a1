"""The policies of the study, trained from their settings."""

from __future__ import annotations

import time

import torch

import stepwatt as sw
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import make_pool
from stepwatt.learning.model_guided.cloning import Demonstrations, clone
from stepwatt.learning.model_guided.evolution import EvolutionSettings, evolve
from stepwatt.learning.model_guided.price_demonstrations import imitate, joined
from stepwatt.learning.model_guided.schedule_demonstrations import demonstrate
from stepwatt.learning.networks.parallel_runs import generators
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.policies.trained import TrainedPolicy, load_policy, policy_of
from stepwatt.solvers.planners.foresight.foresight import foresee

from .cases import TRAINED_ON, Case
from .common import (
    GENERATIONS,
    NETWORK,
    PRICED,
    QUICK_GENERATIONS,
    RESULTS,
    SEEDS,
    TRAIN_SEED,
    VALIDATION_SEED,
)


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
    taught = foresee(days, "perfect")
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
