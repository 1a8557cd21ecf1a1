"""The command ``python -m benchmarks.hybrid.finetuning [--quick] [--only WORDS]``: prices, fine-tuned on
utility by evolution strategies and by reinforcement learning with reward shapers.

One JSON file per cell (start × method) in ``results/finetuning/``; a cell that has one is not measured again.
A method is trained on training days, validation days that are multiples of :data:`CHOOSING` choose which of
its policies is kept, and the other validation days judge it. No test day is looked at.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.files import write_text
from stepwatt.learning.environment.batched import SchedulingEnv
from stepwatt.learning.environment.solver_potential import Potential, potential_of
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import Pool, World, make_pool
from stepwatt.learning.model_guided.cloning import Demonstrations
from stepwatt.learning.model_guided.evolution import Corrected, EvolutionSettings, evolve, utility
from stepwatt.learning.networks.parallel_runs import generators, normal
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.shapers import SHAPERS
from stepwatt.learning.training.learners import seeds_for
from stepwatt.learning.training.loop import build_agent, train_agent
from stepwatt.learning.training.settings import TrainingSettings

from ..cases import TRAINED_ON, Case, cases
from ..common import NETWORK, PRICED, RESULTS, ROOT, SEEDS, TRAIN_SEED, VALIDATION_SEED, about
from ..policies import network
from .tables import ROLLING, STARTS, UNCHANGED, Method, cell_file

KEPT = RESULTS / "finetuning"
QUICK = ROOT / "runs" / "finetuning-quick"
#: Of the validation days, every so many choose among a training's policies; the others judge.
CHOOSING = 3
#: Standard deviations of exploration, before tanh, whose cost is measured.
EXPLORATION = (0.003, 0.01, 0.03, 0.1)

Floats = NDArray[np.float64]
Cell = dict[str, Any]
#: Observations (S,B,O) to actions (S,B,A) of S runs.
Runs = Callable[[Tensor], Tensor]


class EveryDay(Case):
    """The case with every day to train on."""

    def training(self, every: int, split: str, regions: tuple[str, ...] = TRAINED_ON) -> list[Instance]:
        """The days, none left out."""
        return super().training(1, split, regions)


@dataclass
class Ground:
    """The days, what is known of them, and what is fine-tuned; made when first asked for."""

    quick: bool
    _networks: dict[str, Policy] = field(default_factory=dict)

    @cached_property
    def case(self) -> Case:
        """Unseen months."""
        return cases(self.quick)["unseen months"]

    @cached_property
    def training(self) -> list[Instance]:
        """What is trained on."""
        return self.case.training(60 if self.quick else 3, "train")

    @cached_property
    def validation(self) -> list[Instance]:
        """What chooses, and what judges."""
        return self.case.training(30 if self.quick else 1, "validation")

    @property
    def judging(self) -> list[int]:
        """Places of the validation days that judge."""
        return [n for n in range(len(self.validation)) if n % CHOOSING]

    @cached_property
    def pool(self) -> Pool:
        """The training days."""
        engine = torch_engine(torch.float64)
        return make_pool(self.training, "day-ahead", engine, foresight=True, seed=TRAIN_SEED)

    @cached_property
    def validated(self) -> Pool:
        """The validation days."""
        engine = torch_engine(torch.float64)
        return make_pool(self.validation, "day-ahead", engine, foresight=True, seed=VALIDATION_SEED)

    @property
    def chosen_on(self) -> Pool:
        """The validation days that choose."""
        return self.validated.take(
            torch.arange(0, len(self.validation), CHOOSING), torch_engine(torch.float64)
        )

    @property
    def judged_on(self) -> Pool:
        """The validation days that judge."""
        return self.validated.take(torch.tensor(self.judging), torch_engine(torch.float64))

    @cached_property
    def bound(self) -> Floats:
        """(N,) USD at most on validation days."""
        return np.array([sw.solve(inst, "lp").bound for inst in self.validation])

    @cached_property
    def potential(self) -> Potential:
        """The solver's, of the training days."""
        return potential_of([sw.solve(inst, "lp") for inst in self.training])

    def gap(self, earned: Floats) -> Floats:
        """(…,N) % of the bound that is missed on the days that judge."""
        best = self.bound[self.judging]
        missed: Floats = 100 * (best - earned) / np.abs(best)
        return missed

    @torch.no_grad()
    def demonstrated(self, start: str) -> Demonstrations:
        """What a start does on the training days."""
        begins, seen, said = self.start(start), [], []
        world = World(self.pool, torch_engine(torch.float64), task_of(start))
        while not world.over:
            seen.append(world.observation().float())
            if begins is None:
                said.append(torch.zeros(len(self.pool), world.act_size))
            else:
                said.append(begins(seen[-1]))
            world.step(said[-1].double())
        return Demonstrations(torch.cat(seen), torch.cat(said))

    def start(self, name: str) -> Policy | None:
        """The network of a start; None for foresight."""
        if name == "foresight":
            return None
        if name not in self._networks:
            case = EveryDay(**self.case.__dict__) if name.endswith("every training day") else self.case
            self._networks[name] = network(case, self.quick)
        return self._networks[name]


def task_of(start: str, reward: str = "dense", scale: float = 1.0) -> TaskSettings:
    """What is learned: corrections of foresight, or prices."""
    task = PRICED if start == "foresight" else NETWORK
    return task.changed(reward=reward, reward_scale=scale)


def training(start: str, method: Method, quick: bool) -> TrainingSettings:
    """The settings of a training, by trial on training and choosing days.

    Exploration is small, since it costs much (see :data:`EXPLORATION`), and so are steps of the policy, which
    first waits until values have learned something. Off-policy agents are held near what they start from,
    without which they leave it for good. The solver's potential makes rewards regrets: these need no
    discount, and a policy gradient that trusts the value most.
    """
    correcting = start == "foresight"
    solver = method.shaper == "solver-potential"
    agent: dict[str, Any] = {"hidden": [64, 64] if correcting else [256, 256]}
    if correcting:
        agent["last_gain"] = 0.0
    if method.algo == "ppo":
        agent |= {"rollout_slots": 48, "epochs": 3, "minibatches": 4, "longest_gradient": 10.0}
        agent |= {"actor_delay": 60, "trace": 0.0 if solver else 0.9}
        agent |= {"initial_std": 0.01 if correcting else 0.03, "actor_rate": 1e-5}
        plan: dict[str, Any] = {"envs_per_run": 64, "env_steps": 32 * 64 * 48, "evaluate_every": 8 * 64 * 48}
        plan["gamma"] = 1.0 if solver else 0.95
    else:
        agent |= {"actor_rate": 3e-6, "critic_rate": 3e-4, "actor_delay": 500}
        agent |= {"cloning_weight": 3e4, "cloning_updates": 1_000_000}
        if method.algo == "sac":
            agent |= {"initial_temperature": 1e-4, "temperature_rate": 1e-5, "target_entropy": -4.0}
            agent["initial_std"] = 0.1 if correcting else 0.2
        else:
            agent |= {"exploration": 0.1, "target_noise": 0.05, "target_noise_limit": 0.1}
        plan = {"envs_per_run": 32, "env_steps": 8 * 32 * 48, "evaluate_every": 2 * 32 * 48, "gamma": 0.9}
        plan |= {"updates_per_step": 0.1, "warmup_steps": 2 * 32 * 48}
    shaping: dict[str, Any] = {}
    if method.shaper == "jemas":
        shaping = {"weight": 0.4, "latent": 64, "steps": 3, "update_every": 1}
    if method.shaper == "diffusion-potential" and method.algo == "ppo":
        shaping = {"train_every": 1, "refresh_every": 12}
    plan["env_steps"] *= method.longer
    if quick:
        plan |= {"envs_per_run": 2, "env_steps": 2 * 2 * 48, "evaluate_every": 48, "warmup_steps": 48}
    return TrainingSettings.read(
        {
            "algo": method.algo,
            "agent": agent,
            "shaper": method.shaper,
            "shaping": shaping,
            "seeds": list(SEEDS[:1] if quick else SEEDS),
            **plan,
        }
    )


@dataclass
class Looks:
    """What ``train_agent`` evaluates by: utility on the days that choose; keeps each run's best policy."""

    pool: Pool
    task: TaskSettings
    kept: list[tuple[float, Policy]] = field(default_factory=list)

    def __call__(self, policy: Policy) -> Mapping[str, Tensor]:
        """(S,) USD a day."""
        scores = utility(self.pool, self.task, copy.deepcopy(policy).double()).mean(1)
        found = [(float(score), policy.one_run(run).double()) for run, score in enumerate(scores)]
        before = self.kept or found
        self.kept = [max(pair, key=lambda one: one[0]) for pair in zip(before, found, strict=True)]
        return {"utility": scores}


@dataclass(frozen=True)
class Trained:
    """Kept and last policies of S runs, mean utility (S,L) on the days that choose at each look, CPU seconds
    and environment steps of one run."""

    kept: Sequence[Runs]
    last: Sequence[Runs]
    looks: list[list[float]]
    cpu_seconds: float
    env_steps: int


def reinforced(ground: Ground, start: str, method: Method) -> Trained:
    """By an agent; all seeds side by side."""
    begun = time.process_time()
    settings = training(start, method, ground.quick)
    # for values to be of a size that networks learn; regrets are small
    scale = 100.0 if method.shaper == "solver-potential" else 10.0
    task = task_of(start, method.reward, scale)
    engine = torch_engine(torch.float64)
    potential = ground.potential.on(engine)
    env = SchedulingEnv(
        replace(ground.pool, potential=potential),
        task,
        runs=len(settings.seeds),
        envs_per_run=settings.envs_per_run,
        seeds=seeds_for("environment", settings.seeds),
        dtype=torch.float64,
    )
    agent = build_agent(settings, env)
    begins = ground.start(start)
    if begins is not None:
        agent.policy().begin_at(begins)
    build = SHAPERS[settings.shaper]
    seeds = seeds_for("shaper", settings.seeds)
    shaper = build(env.obs_size, env.act_size, seeds, dict(settings.shaping))
    looks = Looks(ground.chosen_on, task)
    held = None if method.algo == "ppo" else ground.demonstrated(start)
    outcome = train_agent(env, settings, agent=agent, shaper=shaper, demonstrations=held, evaluate=looks)
    runs = range(len(settings.seeds))
    return Trained(
        [policy for _, policy in looks.kept],
        [agent.policy(run).double() for run in runs],
        [[look["metrics"]["utility"][run] for look in outcome.evaluations] for run in runs],
        (time.process_time() - begun) / len(runs),
        outcome.env_steps,
    )


def evolved(ground: Ground, start: str, method: Method) -> Trained:
    """By evolution strategies, seed by seed; of a network the same linear corrections as of foresight."""
    begun, begins, task = time.process_time(), ground.start(start), task_of(start)
    usual = EvolutionSettings(generations=2 if ground.quick else 32 * method.longer, days=8, validate_every=8)
    settings = usual if begins is None else usual.changed(sigma=0.015, rate=0.004)
    kept: list[Runs] = []
    looks = []
    seeds = SEEDS[:1] if ground.quick else SEEDS
    for seed in seeds:
        found = evolve(ground.pool, ground.chosen_on, task, settings, seed, start=begins)
        correction = found.policy.double()
        kept.append(correction if begins is None else Corrected(copy.deepcopy(begins).double(), correction))
        looks.append([score for _, score in found.looks])
    steps = settings.generations * 2 * settings.directions * settings.days * ground.pool.problem.shape.n_slots
    return Trained(kept, [], looks, (time.process_time() - begun) / len(seeds), steps)


@torch.no_grad()
def judged(pool: Pool, task: TaskSettings, act: Runs) -> dict[str, Floats]:
    """(N,) utility, share of jobs missed and of slots that meet their goal, and the most jobs that were lost
    or cut back at one site in one slot, of one run."""
    world = World(pool, torch_engine(torch.float64), task)
    lost = arrived = paid = failed = torch.zeros(len(pool), dtype=torch.float64)
    while not world.over:
        arrived = arrived + pool.problem.arrivals[world.t].sum((-1, -2))
        _, success, outcome = world.step(act(world.observation()[None])[0])
        lost, paid = lost + outcome.lost.sum((-1, -2)), paid + success.double()
        failed = torch.maximum(failed, (outcome.lost.sum(-1) + outcome.cut_jobs).amax(-1))
    return {
        "utility": world.earned.numpy(),
        "miss": (lost / arrived.clamp(min=1e-9)).numpy(),
        "paid": (paid / pool.problem.shape.n_slots).numpy(),
        "failed": failed.numpy(),
    }


def exploring(act: Runs, std: float) -> Runs:
    """The policy with noise of this standard deviation before tanh, in every slot and number anew."""
    rngs = generators([0])

    def noisy(obs: Tensor) -> Tensor:
        said = torch.atanh(act(obs).clamp(-1 + 1e-6, 1 - 1e-6))
        return torch.tanh(said + std * normal(said.shape[1:], rngs))

    return noisy


def unchanged(ground: Ground, start: str) -> Cell:
    """What fine-tuning starts from, and what exploring around it costs."""
    task, begins, pool = task_of(start), ground.start(start), ground.judged_on
    size = World(pool, torch_engine(torch.float64), task).act_size

    def nothing(obs: Tensor) -> Tensor:
        return torch.zeros(*obs.shape[:-1], size, dtype=obs.dtype)

    act: Runs = nothing if begins is None else copy.deepcopy(begins).double()
    found = judged(pool, task, act)
    return {
        "gap": [ground.gap(found["utility"]).tolist()],
        "miss": float(found["miss"].max()),
        "paid": float(found["paid"].mean()),
        "failed": float(found["failed"].max()),
        "exploring": {
            str(std): float(ground.gap(judged(pool, task, exploring(act, std))["utility"]).mean())
            for std in EXPLORATION
        },
    }


def rolling(ground: Ground) -> Cell:
    """Day-ahead rolling on the days that judge."""
    earned = [
        sw.solve(ground.validation[n], "rolling", forecast="day-ahead", seed=VALIDATION_SEED + n).utility
        for n in ground.judging
    ]
    return {"gap": [ground.gap(np.array(earned)).tolist()]}


def measure(ground: Ground, start: str, method: Method) -> Cell:
    """One cell: gaps (S,N) of the kept and of the last policies on the days that judge, and how it went."""
    found = (evolved if method.algo == "es" else reinforced)(ground, start, method)
    task, pool = task_of(start), ground.judged_on
    of_kept = [judged(pool, task, act) for act in found.kept]
    bound = float(np.abs(ground.bound[::CHOOSING]).mean())
    return {
        "gap": [ground.gap(one["utility"]).tolist() for one in of_kept],
        "last": [ground.gap(judged(pool, task, act)["utility"]).tolist() for act in found.last],
        "miss": max(float(one["miss"].max()) for one in of_kept),
        "won, % of the bound, on the days that choose": [
            [100 * (look - row[0]) / bound for look in row] for row in found.looks
        ],
        "cpu_seconds": found.cpu_seconds,
        "env_steps": found.env_steps,
    }


def run(quick: bool, only: str, folder: Path) -> None:
    """Measure what has not been measured."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    ground = Ground(quick)
    plans: dict[tuple[str, str], Callable[[], Cell]] = {ROLLING: lambda: rolling(ground)}
    for start, methods in STARTS.items():
        plans[start, UNCHANGED] = lambda start=start: unchanged(ground, start)  # type: ignore[misc]
        for method in methods:
            plans[start, method.name] = lambda s=start, m=method: measure(ground, s, m)  # type: ignore[misc]
    for (start, name), make in plans.items():
        target = cell_file(folder, start, name)
        if only not in f"{start}, {name}" or target.exists():
            continue
        found = make() | {"days": [ground.validation[n].name for n in ground.judging], "about": about()}
        write_text(target, json.dumps(found, indent=1) + "\n")
        print(start, name, "done", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """The command; ``python -m benchmarks.hybrid --docs`` writes what it found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hybrid.finetuning", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few days, hardly any training: a smoke test")
    parser.add_argument("--only", default="", help="cells whose name contains this")
    chosen = parser.parse_args(words)
    run(chosen.quick, chosen.only, QUICK if chosen.quick else KEPT)
