"""A whole training from one plan: instances, their solver's help, warm start, training, policies in files."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.files import write_files
from stepwatt.formulation.manifest import with_manifest
from stepwatt.formulation.records import SettingsRecord
from stepwatt.formulation.toml_tables import override, read_toml
from stepwatt.solvers import Result, solve
from stepwatt.solvers.optimum.central_schedule import central_schedule
from stepwatt.solvers.planners.foresight import compiling
from stepwatt.solvers.planners.foresight.foresight import foresee

from ..environment.batched import SchedulingEnv
from ..environment.solver_potential import Potential, potential_of
from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, make_pool
from ..model_guided.cloning import Demonstrations, clone
from ..model_guided.gradient import refine
from ..model_guided.price_demonstrations import imitate, joined
from ..model_guided.schedule_demonstrations import demonstrations_of
from ..model_guided.solved_states import solved_states
from ..networks.policy import Policy
from ..options import Count, CountOrNone, Rate, Size, check_memory
from ..policies.trained import POLICY_FILE, TrainedPolicy, policy_of
from ..shapers import SHAPERS, Shaper
from ..shapers.potential import SolverPotentialSettings
from ..shapers.protocol import InUnits
from ..shapers.taught import IsTaught, TaughtPotentialSettings
from .families import Family
from .judge import Judge
from .learners import seeds_for
from .loop import build_agent, check_folder, train_agent
from .settings import TrainingSettings
from .threads import torch_threads

Progress = Callable[[float, str], None]
Some = TypeVar("Some", bound=SettingsRecord)


class WarmStart(SettingsRecord):
    """What the policy begins from."""

    kind: Literal["none", "clone"] = "none"
    """none, or clone: fit to what the solver makes of the training instances: its schedules (``direct``), or
    the prices of their days (``priced``)."""
    updates: Count = 3_000
    """Gradient updates of cloning."""
    batch_size: Size = 512
    """Demonstrated slots per update of cloning."""
    rate: Rate = 2e-3
    """Learning rate of cloning."""
    forecasts: Size = 3
    """Draws of its forecast under which every demonstrated day is seen (``direct`` only)."""
    relabelling: CountOrNone = 0
    """Rounds in which the policy's own states are demonstrated, too, and it is cloned anew (DAgger;
    ``priced`` only)."""
    refining: CountOrNone = 0
    """Updates along the gradient of utility through the plant that follow (``direct`` only)."""


@dataclass(frozen=True)
class TrainingPlan:
    """All that is needed to repeat a training: tables ``family``, ``task``, ``warm_start``, ``training``.

    Raises:
        InputError: tables that do not fit together.
    """

    family: Family = field(default_factory=Family)
    task: TaskSettings = field(default_factory=lambda: TaskSettings(reward_scale=10.0))
    warm_start: WarmStart = field(default_factory=WarmStart)
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings.read(DEFAULTS))

    def __post_init__(self) -> None:
        start, hours = self.warm_start, self.training.horizon_hours
        if hours is not None:
            gamma = math.exp(-self.family.slot_minutes / 60 / hours)
            object.__setattr__(self, "training", self.training.model_copy(update={"gamma": gamma}))
        if start.kind == "clone" and self.task.codec not in ("direct", "priced"):
            expected = "none with a codec other than direct and priced"
            raise InputError(field="warm_start.kind", value=start.kind, expected=expected)
        if start.refining and (start.kind == "none" or self.task.codec != "direct"):
            raise InputError(
                field="warm_start.refining", value=start.refining, expected="0 but for clones of codec direct"
            )
        if start.relabelling and (start.kind == "none" or self.task.codec != "priced"):
            raise InputError(
                field="warm_start.relabelling",
                value=start.relabelling,
                expected="0 but for clones of codec priced",
            )


#: Settings of a training on scheduling tasks, chosen on validation days.
DEFAULTS: Mapping[str, Any] = {
    "horizon_hours": 1.0,
    "batch_size": 128,
    "agent": {"hidden": [128, 128]},
}


def read_plan(file: str | Path | None = None, overrides: Sequence[str] = ()) -> TrainingPlan:
    """A plan from a TOML file (or none) and words ``key=value``, which win.

    ``family.every=4``, ``task.reward="dense"``, ``warm_start.kind="clone"``; a key without such a table is
    one of the training: ``env_steps=20000``, ``agent.hidden=[64,64]``.

    Raises:
        InputError: one line that names file, field, value and what was expected.
    """
    values = {} if file is None else read_toml(file)
    name = None if file is None else str(file)
    tables = [one.name for one in fields(TrainingPlan)]
    for word in overrides:
        inside = word.partition("=")[0].partition(".")[0].strip() in tables
        override(values, word if inside else f"training.{word}")
    for key, value in values.items():
        if key not in tables or not isinstance(value, dict):
            expected = one_of(tables, key).replace("one of", "one of the tables", 1)
            raise InputError(field=key, value=value, expected=expected, file=name)
    return TrainingPlan(
        family=_read("family", Family, values.get("family", {}), name),
        task=_read("task", TaskSettings, {"reward_scale": 10.0, **values.get("task", {})}, name),
        warm_start=_read("warm_start", WarmStart, values.get("warm_start", {}), name),
        training=_read_training(values.get("training", {}), name),
    )


def _read(table: str, kind: type[Some], values: Mapping[str, Any], file: str | None) -> Some:
    try:
        return kind.read(values, file)
    except InputError as defect:
        raise defect.inside(table) from None


def _read_training(values: Mapping[str, Any], file: str | None) -> TrainingSettings:
    merged = {**DEFAULTS, **values}
    if "gamma" in values:
        if values.get("horizon_hours") is not None:
            told = "no gamma, which follows from it, or none of it"
            raise InputError(
                field="training.horizon_hours", value=values["horizon_hours"], expected=told, file=file
            )
        merged["horizon_hours"] = None
    agent = values.get("agent", {})
    if isinstance(agent, Mapping) and (values.get("algo", "sac") == "sac" or "agent" in values):
        merged["agent"] = {**DEFAULTS["agent"], **agent}
    return TrainingSettings.read(merged, file)


@dataclass(frozen=True)
class Ready:
    """What a training begins with; ``warm_seconds`` of CPU went into warming the agent's policy."""

    env: SchedulingEnv
    agent: Any
    shaper: Shaper
    demonstrations: Demonstrations | None
    warm_seconds: float


def prepare(
    plan: TrainingPlan,
    instances: Sequence[Instance],
    *,
    histories: Sequence[Instance] | None = None,
    schedules: Sequence[Schedule] = (),
    potential: Potential | None = None,
    warm: bool = True,
    progress: Progress | None = None,
) -> Ready:
    """Environment, agent and shaper of a plan on the given training instances, whatever its family.

    Args:
        plan: what is trained, and how.
        instances: fluid, of one shape.
        histories: the day before each, for information from yesterday.
        schedules: one per instance, which clones of the direct codec imitate.
        potential: the solver's, not yet discounted.
        warm: False leaves the agent as it is built, as one that goes on from a checkpoint.
        progress: called with the share done and what is being worked on.

    Raises:
        InputError: settings that ask for too much memory, or that do not fit the instances.
    """
    told = progress or (lambda done, what: None)
    settings, task, seeds = plan.training, plan.task, plan.training.seeds
    if task.codec == "priced":
        compiling.warm(lambda what: told(0.0, what))
    told(0.0, "instances")
    shaping = SHAPERS[settings.shaper].read(settings.shaping)
    potential = potential if isinstance(shaping, SolverPotentialSettings) else None
    if potential is not None and isinstance(shaping, SolverPotentialSettings) and not shaping.duals:
        potential = potential.without_duals()
    pool = make_pool(
        instances,
        task.information,
        torch_engine(),
        histories=histories,
        potential=None if isinstance(shaping, TaughtPotentialSettings) else potential,
        foresight=task.foresight,
    )
    seen = settings.envs_per_run * len(seeds) * math.prod(pool.outlook.shape) / len(pool)
    check_memory("envs_per_run", settings.envs_per_run, seen)
    env = SchedulingEnv(
        pool,
        task,
        runs=len(seeds),
        envs_per_run=settings.envs_per_run,
        seeds=seeds_for("environment", seeds),
    )
    agent = build_agent(settings, env)
    demonstrations, spent = None, 0.0
    if plan.warm_start.kind == "clone":
        told(0.0, "cloning")
        demonstrations = _demonstrations(instances, histories, plan, schedules)
        if warm:
            begun = time.process_time()
            _warm(agent.policy(), demonstrations, instances, histories, plan, told)
            spent = time.process_time() - begun
    shaper = SHAPERS[settings.shaper](
        env.obs_size, env.act_size, seeds_for("shaper", seeds), settings.shaping
    )
    if isinstance(shaper, InUnits):
        shaper.unit = task.reward_scale
    if isinstance(shaper, IsTaught) and warm:
        told(0.0, "teaching values")
        begun = time.process_time()
        states = solved_states(_with(pool, potential), task, seeds_for("teaching", seeds)[0], shaper.passes)
        shaper.teach(states.obs, states.value)
        spent += time.process_time() - begun
    return Ready(env, agent, shaper, demonstrations, spent)


def _with(pool: Pool, potential: Potential | None) -> Pool:
    if potential is None:
        raise ValueError("values to go are taught by the potentials of solved instances")
    return replace(pool, potential=potential.on(torch_engine()))


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
            written or holds a training that is to be neither resumed nor overwritten.
    """
    with torch_threads(plan.training.threads):
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
    past = plan.family.histories("train") if plan.task.information == "persistence" else None
    to_imitate = plan.warm_start.kind == "clone" and plan.task.codec == "direct"
    solved: list[Result] = []
    valued = isinstance(SHAPERS[settings.shaper].read(settings.shaping), SolverPotentialSettings)
    if to_imitate or valued:
        solved = _solved(instances, told)
    ready = prepare(
        plan,
        instances,
        histories=past,
        schedules=_central(instances, solved) if to_imitate else (),
        potential=potential_of(solved) if valued else None,
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
        plan=tables,
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


def _demonstrations(
    instances: Sequence[Instance],
    past: Sequence[Instance] | None,
    plan: TrainingPlan,
    schedules: Sequence[Schedule],
) -> Demonstrations:
    if plan.task.codec == "priced":
        return _Prices(instances, past, plan.task).demonstrated()
    return demonstrations_of(
        instances, schedules, plan.task.information, histories=past, forecasts=plan.warm_start.forecasts
    )


class _Prices:
    """What whoever knew the days would say that things are worth, wherever a policy comes."""

    def __init__(self, instances: Sequence[Instance], past: Sequence[Instance] | None, task: TaskSettings):
        self.engine, self.task = torch_engine(torch.float64), task
        self.pool = make_pool(
            instances, task.information, self.engine, histories=past, foresight=task.foresight
        )
        self.taught = foresee(instances, "perfect")

    def demonstrated(self, policy: Policy | None = None, run: int = 0) -> Demonstrations:
        """Along the teacher's way, or that of one run of a policy."""

        def pupil(seen: Tensor) -> Tensor:
            assert policy is not None
            with torch.no_grad():
                said: Tensor = policy(seen.float().expand(policy.runs, *seen.shape))[run]
            return said.double()

        return imitate(self.pool, self.task, self.taught, self.engine, None if policy is None else pupil)


def _warm(
    policy: Policy,
    demonstrations: Demonstrations,
    instances: Sequence[Instance],
    past: Sequence[Instance] | None,
    plan: TrainingPlan,
    told: Progress,
) -> None:
    start, seeds, information = plan.warm_start, plan.training.seeds, plan.task.information
    clone(
        policy,
        demonstrations,
        seeds_for("cloning", seeds),
        updates=start.updates,
        batch_size=start.batch_size,
        rate=start.rate,
    )
    if start.relabelling:
        prices, parts = _Prices(instances, past, plan.task), [demonstrations]
        for number in range(start.relabelling):
            told(number / start.relabelling, "relabelling")
            parts += [prices.demonstrated(policy, run) for run in range(len(seeds))]
            again = seeds_for(f"relabelling {number}", seeds)
            clone(
                policy,
                joined(parts),
                again,
                updates=start.updates,
                batch_size=start.batch_size,
                rate=start.rate,
            )
    if start.refining:
        told(0.0, "refining")
        engine, days = torch_engine(), len(instances)
        pools = [
            make_pool(instances, information, engine, histories=past, seed=number * days)
            for number in range(start.forecasts)
        ]
        refine(policy, pools, plan.task, seeds_for("refining", seeds), updates=start.refining)


def _validation(plan: TrainingPlan, days: int = 12) -> Judge:
    """Judges by some validation days of the plan's family."""
    chosen = plan.family.instances("validation")
    past = plan.family.histories("validation") if plan.task.information == "persistence" else None
    step = max(1, len(chosen) // days)
    runs = len(plan.training.seeds)
    return Judge(chosen[::step], plan.task, runs, None if past is None else past[::step])


__all__ = [
    "DEFAULTS",
    "Judge",
    "Ready",
    "TrainingPlan",
    "WarmStart",
    "prepare",
    "read_plan",
    "run_plan",
]
