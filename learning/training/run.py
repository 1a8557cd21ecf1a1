"""A whole training from one plan: its days, what solvers say of them, training, policies in files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.files import locked, make_folder, write_files
from stepwatt.formulation.manifest import with_manifest
from stepwatt.solvers import Result, solve
from stepwatt.solvers.optimum.central_schedule import central_schedule

from ..environment.potential_cuts import Cuts, least_of
from ..environment.solver_potential import Potential
from ..policies.trained import POLICY_FILE, TrainedPolicy, policy_of
from ..shapers import SHAPERS
from ..shapers.potential import SolverPotentialSettings
from ..shapers.taught import TaughtPotentialSettings
from .judge import Judge
from .loop import DAYS, check_folder, train_agent
from .plan import TrainingPlan
from .preparation import Progress, prepare
from .threads import torch_threads


def run_plan(
    plan: TrainingPlan,
    folder: Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    progress: Progress | None = None,
) -> list[TrainedPolicy]:
    """Train as planned; one policy per seed, in ``folder`` as ``policy.npz`` (or ``policy-SEED.npz``).

    Raises:
        InputError: settings that do not fit together, a checkpoint of another plan, a folder that cannot be
            written, that another training is going on in, or that holds one to be neither resumed nor
            overwritten.
    """
    with ExitStack() as opened:
        opened.enter_context(torch_threads(plan.training.threads))
        if folder is not None:
            make_folder(folder)
            opened.callback(locked(folder / "training").release)
        return _run(plan, folder, resume, overwrite, tensorboard, progress)


def _run(
    plan: TrainingPlan,
    folder: Path | None,
    resume: bool,
    overwrite: bool,
    tensorboard: bool,
    progress: Progress | None,
) -> list[TrainedPolicy]:
    if folder is not None:
        resume = check_folder(folder, resume=resume, overwrite=overwrite)
    told = progress or (lambda done, what: None)
    settings, seeds = plan.training, plan.training.seeds
    instances = plan.family.instances("train")
    if not instances:
        raise InputError(field="family.every", value=plan.family.every, expected="at least one training day")
    past = plan.family.histories("train") if plan.task.looks_back else None
    to_imitate = plan.warm_start.kind == "clone" and plan.task.codec == "direct"
    solved: list[Result] = []
    shaping = SHAPERS[settings.shaper].read(settings.shaping)
    potential: Potential | Cuts | None = None
    if to_imitate or isinstance(shaping, SolverPotentialSettings):
        solved = _solved(instances, told)
    if isinstance(shaping, SolverPotentialSettings):
        loads = shaping.loads if isinstance(shaping, TaughtPotentialSettings) else ()
        potential = least_of(solved, loads, lambda others: _solved(others, told))
    ready = prepare(
        plan,
        instances,
        histories=past,
        schedules=_central(instances, solved) if to_imitate else (),
        potential=potential,
        warm=not resume,
        progress=told,
    )
    tables = {
        "family": plan.family.plain(),
        "task": plan.task.plain(),
        "warm_start": plan.warm_start.plain(),
    }
    outcome = train_agent(
        ready.env,
        settings,
        agent=ready.agent,
        shaper=ready.shaper,
        demonstrations=ready.demonstrations,
        evaluate=_validation(plan),
        progress=lambda counters, _: told(counters["env_steps"] / settings.env_steps, "training"),
        folder=folder,
        resume=resume,
        overwrite=overwrite,
        tensorboard=tensorboard,
        plan={**tables, DAYS: {"sha256": _digest(instances)}},
    )
    made = []
    for run, seed in enumerate(seeds):
        about = {
            "seed": seed,
            "family": plan.family.plain(),
            "warm_start": plan.warm_start.plain(),
            "settings": settings.plain(),
            "env_steps": outcome.env_steps,
            "updates": outcome.updates,
            "cpu_seconds": outcome.cpu_seconds,
            "evaluations": outcome.evaluations,
        }
        made.append(policy_of(outcome.agent.policy(run), plan.task, instances[0], about))
    if folder is not None:
        names = [POLICY_FILE] if len(seeds) == 1 else [f"policy-{seed}.npz" for seed in seeds]
        files = {folder / name: one.to_bytes() for name, one in zip(names, made, strict=True)}
        write_files(with_manifest(files, settings={**tables, "training": settings.plain()}, seeds=seeds))
    told(1.0, "")
    return made


def _digest(instances: Sequence[Instance]) -> str:
    """Of all numbers of the days, wherever they were read."""
    digest = hashlib.sha256()
    for instance in instances:
        digest.update(json.dumps(instance.to_dict(), sort_keys=True).encode())
    return digest.hexdigest()


def _solved(instances: Sequence[Instance], told: Progress) -> list[Result]:
    """The certified schedules and dual prices of fluid instances: their linear relaxation is the optimum."""
    found = []
    for number, instance in enumerate(instances):
        told(number / len(instances), f"solving {instance.name}")
        found.append(solve(instance, "lp"))
    return found


def _central(instances: Sequence[Instance], solved: Sequence[Result]) -> list[Schedule]:
    """The schedules in the middle of all optimal ones."""
    bounds = [result.bound for result in solved]
    if None in bounds:
        raise InputError(
            field="warm_start.kind", value="clone", expected="training instances that are feasible"
        )
    return [
        central_schedule(inst, bound)
        for inst, bound in zip(instances, bounds, strict=True)
        if bound is not None
    ]


def _validation(plan: TrainingPlan, days: int = 12) -> Judge:
    """Judges by some validation days of the plan's family."""
    chosen = plan.family.instances("validation")
    past = plan.family.histories("validation") if plan.task.looks_back else None
    step = max(1, len(chosen) // days)
    runs = len(plan.training.seeds)
    return Judge(chosen[::step], plan.task, runs, None if past is None else past[::step])
