"""What a training begins with: environment, agent with its warm start, shaper with what it is taught."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation import Instance, Schedule
from stepwatt.solvers.planners.foresight import compiling
from stepwatt.solvers.planners.foresight.foresight import foresee

from ..environment.batched import SchedulingEnv
from ..environment.potential_cuts import Cuts
from ..environment.solver_potential import Potential, Worth, booked
from ..environment.stored_energy_program import stored_energy_program
from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, pool_for
from ..model_guided.cloning import Demonstrations, clone
from ..model_guided.gradient import refine
from ..model_guided.price_demonstrations import imitate, joined
from ..model_guided.schedule_demonstrations import demonstrations_of
from ..model_guided.solved_states import solved_states
from ..networks.policy import Policy
from ..options import check_memory
from ..shapers import SHAPERS, Shaper
from ..shapers.potential import BookedPotentialSettings, DynamicProgramSettings, SolverPotentialSettings
from ..shapers.protocol import InUnits
from ..shapers.taught import IsTaught, TaughtPotentialSettings
from .learners import seeds_for
from .loop import build_agent
from .plan import TrainingPlan

Progress = Callable[[float, str], None]


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
    potential: Worth | None = None,
    warm: bool = True,
    progress: Progress | None = None,
) -> Ready:
    """Environment, agent and shaper of a plan on the given training instances, whatever its family.

    Args:
        plan: what is trained, and how.
        instances: fluid, of one shape.
        histories: the day before each, for tasks that look back.
        schedules: one per instance, which clones of the direct codec imitate.
        potential: the solver's, for shapers that take or are taught it.
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
    if isinstance(shaping, BookedPotentialSettings):
        potential = booked(instances)
    elif isinstance(shaping, DynamicProgramSettings):
        potential = stored_energy_program(instances)
    elif not isinstance(shaping, SolverPotentialSettings):
        potential = None
    elif isinstance(potential, Potential | Cuts) and not shaping.duals:
        potential = potential.without_duals()
    pool = pool_for(
        task,
        instances,
        torch_engine(),
        histories=histories,
        potential=None if isinstance(shaping, TaughtPotentialSettings) else potential,
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
    agent = build_agent(settings, env, env.world.parts)
    demonstrations, spent = None, 0.0
    if plan.warm_start.kind == "clone":
        told(0.0, "cloning")
        prices = _Prices(instances, histories, task) if task.codec == "priced" else None
        if prices is not None:
            demonstrations = prices.demonstrated()
        else:
            forecasts = plan.warm_start.forecasts
            demonstrations = demonstrations_of(
                instances, schedules, task, histories=histories, forecasts=forecasts
            )
        if warm:
            begun = time.process_time()
            _warm(agent.policy(), demonstrations, prices, instances, histories, plan, told)
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


def _with(pool: Pool, potential: Worth | None) -> Pool:
    if potential is None:
        raise ValueError("values to go are taught by the potentials of solved instances")
    return replace(pool, potential=potential.on(torch_engine()))


class _Prices:
    """What whoever knew the days would say that things are worth, wherever a policy comes."""

    def __init__(self, instances: Sequence[Instance], past: Sequence[Instance] | None, task: TaskSettings):
        self.engine, self.task = torch_engine(torch.float64), task
        self.pool = pool_for(task, instances, self.engine, histories=past)
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
    prices: _Prices | None,
    instances: Sequence[Instance],
    past: Sequence[Instance] | None,
    plan: TrainingPlan,
    told: Progress,
) -> None:
    start, seeds = plan.warm_start, plan.training.seeds
    clone(
        policy,
        demonstrations,
        seeds_for("cloning", seeds),
        updates=start.updates,
        batch_size=start.batch_size,
        rate=start.rate,
    )
    if start.relabelling and prices is not None:
        parts = [demonstrations]
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
            pool_for(plan.task, instances, engine, histories=past, seed=number * days)
            for number in range(start.forecasts)
        ]
        refine(policy, pools, plan.task, seeds_for("refining", seeds), updates=start.refining)
