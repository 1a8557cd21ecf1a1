"""A whole training from one plan: instances, their solver's help, warm start, training, policies in files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.records import SettingsRecord
from stepwatt.formulation.toml_tables import override, read_toml
from stepwatt.solvers import Result, solve
from stepwatt.solvers.optimum.central_schedule import central_schedule
from stepwatt.solvers.planners.foresight.foresight import foresee

from ..environment.batched import SchedulingEnv
from ..environment.solver_potential import potential_of
from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, World, make_pool
from ..model_guided.cloning import Demonstrations, clone
from ..model_guided.gradient import refine
from ..model_guided.price_demonstrations import imitate, joined
from ..model_guided.schedule_demonstrations import demonstrations_of
from ..networks.policy import Policy
from ..options import Count, CountOrNone, Rate, Size, check_memory
from ..policies.trained import POLICY_FILE, TrainedPolicy, policy_of
from ..shapers import SHAPERS
from .families import Family
from .learners import seeds_for
from .loop import build_agent, train_agent
from .settings import TrainingSettings

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
        start = self.warm_start
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
    "gamma": 0.95,
    "batch_size": 128,
    "shaper": "diffusion-potential",
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
    agent = values.get("agent", {})
    if isinstance(agent, Mapping) and (values.get("algo", "sac") == "sac" or "agent" in values):
        merged["agent"] = {**DEFAULTS["agent"], **agent}
    return TrainingSettings.read(merged, file)


def run_plan(
    plan: TrainingPlan,
    folder: Path | None = None,
    *,
    resume: bool = False,
    tensorboard: bool = False,
    progress: Progress | None = None,
) -> list[TrainedPolicy]:
    """Train as planned; one policy per seed, in ``folder`` as ``policy.npz`` (or ``policy-SEED.npz``).

    Raises:
        InputError: settings that do not fit together, or a checkpoint of another plan.
    """
    told = progress or (lambda done, what: None)
    settings, seeds = plan.training, plan.training.seeds
    instances = plan.family.instances("train")
    if not instances:
        raise InputError(field="family.every", value=plan.family.every, expected="at least one training day")
    past = plan.family.histories("train") if plan.task.information == "persistence" else None
    cloning = plan.warm_start.kind == "clone"
    solved: list[Result] = []
    if (cloning and plan.task.codec == "direct") or settings.shaper == "solver-potential":
        solved = _solved(instances, told)
    potential = None
    if settings.shaper == "solver-potential":
        potential = potential_of(solved).discounted(settings.gamma)
    told(0.0, "instances")
    engine = torch_engine()
    pool = make_pool(
        instances,
        plan.task.information,
        engine,
        histories=past,
        potential=potential,
        foresight=plan.task.foresight,
    )
    environments = settings.envs_per_run * len(seeds)
    check_memory(
        "envs_per_run", settings.envs_per_run, environments * math.prod(pool.outlook.shape) / len(pool)
    )
    env = SchedulingEnv(
        pool,
        plan.task,
        runs=len(seeds),
        envs_per_run=settings.envs_per_run,
        seeds=seeds_for("environment", seeds),
    )
    agent = build_agent(settings, env)
    demonstrations = None
    if cloning:
        told(0.0, "cloning")
        demonstrations = _demonstrations(instances, past, plan, solved)
        if not resume:
            _warm(agent.policy(), demonstrations, instances, past, plan, told)
    shaping = SHAPERS[settings.shaper](
        env.obs_size, env.act_size, seeds_for("shaper", seeds), settings.shaping
    )
    outcome = train_agent(
        env,
        settings,
        agent=agent,
        shaper=shaping,
        demonstrations=demonstrations,
        evaluate=Judge(plan, len(seeds)),
        progress=lambda counters, _: told(counters["env_steps"] / settings.env_steps, "training"),
        folder=folder,
        resume=resume,
        tensorboard=tensorboard,
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
            made[-1].save(folder / (POLICY_FILE if len(seeds) == 1 else f"policy-{seed}.npz"))
    told(1.0, "")
    return made


def _solved(instances: Sequence[Instance], told: Progress) -> list[Result]:
    """The certified schedules and dual prices of fluid instances: their linear relaxation is the optimum."""
    found = []
    for number, instance in enumerate(instances):
        told(number / len(instances), f"solving {instance.name}")
        found.append(solve(instance, "lp"))
    return found


def _demonstrations(
    instances: Sequence[Instance],
    past: Sequence[Instance] | None,
    plan: TrainingPlan,
    solved: Sequence[Result],
) -> Demonstrations:
    if plan.task.codec == "priced":
        return _Prices(instances, past, plan.task).demonstrated()
    if any(result.bound is None for result in solved):
        raise InputError(
            field="warm_start.kind", value="clone", expected="training instances that are feasible"
        )
    schedules = [
        central_schedule(inst, result.bound)
        for inst, result in zip(instances, solved, strict=True)
        if result.bound is not None
    ]
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


class Judge:
    """Evaluates the policy of all runs on validation days: utility per day (USD), miss rate, paid slots."""

    def __init__(self, plan: TrainingPlan, runs: int, days: int = 12):
        chosen = plan.family.instances("validation")
        past = plan.family.histories("validation") if plan.task.information == "persistence" else None
        step = max(1, len(chosen) // days)
        engine = torch_engine()
        pool = make_pool(
            chosen[::step],
            plan.task.information,
            engine,
            histories=None if past is None else past[::step],
            foresight=plan.task.foresight,
        )
        self.runs, self.days = runs, len(pool)
        self.pool: Pool = pool.take(torch.arange(self.days).repeat(runs), engine)
        self.world = World(self.pool, engine, plan.task)

    @torch.no_grad()
    def __call__(self, policy: Policy) -> dict[str, Tensor]:
        """Metrics (S,)."""
        world, shape = self.world, (self.runs, self.days)
        world.begin(self.pool)
        lost = arrived = paid = torch.zeros(self.runs * self.days)
        while not world.over:
            action = policy(world.observation().reshape(*shape, -1)).flatten(0, 1)
            arrived = arrived + world.drawn.problem.arrivals[world.t].sum((-1, -2))
            _, success, outcome = world.step(action)
            lost, paid = lost + outcome.lost.sum((-1, -2)), paid + success.float()
        return {
            "utility": world.earned.reshape(shape).mean(1),
            "miss_rate": (lost / arrived.clamp(min=1e-9)).reshape(shape).mean(1),
            "paid_share": (paid / self.pool.problem.shape.n_slots).reshape(shape).mean(1),
        }


def described(plan: TrainingPlan) -> dict[str, Any]:
    """The plan as nested dictionaries, fit for JSON."""
    return {
        "family": plan.family.plain(),
        "task": plan.task.plain(),
        "warm_start": plan.warm_start.plain(),
        "training": plan.training.plain(),
    }


__all__ = ["DEFAULTS", "Judge", "TrainingPlan", "WarmStart", "described", "read_plan", "run_plan"]
