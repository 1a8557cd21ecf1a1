"""The training loop of every agent with every shaper: collect, learn, evaluate, store."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from stepwatt.formulation import InputError
from stepwatt.formulation.files import make_folder

from ..agents import AGENTS, Agent
from ..memory.replay import fresh_batch
from ..memory.transitions import BatchedEnv, Step
from ..model_guided.cloning import Demonstrations
from ..networks.policy import Policy
from ..networks.states import amount, check_like, count
from ..options import check_memory
from ..shapers.protocol import Shaper
from .checkpoints import load_checkpoint, save_checkpoint
from .learners import Learner, OffPolicyLearner, OnPolicyLearner, seeds_for
from .logs import Means, Metrics, TrainingLog, per_run
from .settings import TrainingSettings, save_settings

CHECKPOINT, LOG, SETTINGS = "checkpoint.pt", "log.jsonl", "settings.json"
#: The table of a plan that tells the days of training from others; checkpoints from before have none.
DAYS = "days"

#: Policy and value, two at least, each with its gradient and the two moments of Adam.
NUMBERS_PER_WEIGHT = 8

Evaluate = Callable[[Policy], Mapping[str, Tensor]]
Progress = Callable[[dict[str, float], Metrics], None]


@runtime_checkable
class AsksForPolicy(Protocol):
    """A shaper that must know what the learner would do next."""

    def bind(self, policy: Policy) -> None:
        """Take the deterministic policy of all runs, which goes on being trained."""
        ...


@dataclass
class TrainingOutcome:
    """What a training leaves behind; the final policy is the last one.

    ``evaluations`` are the records of the log's evaluation lines: ``env_steps`` and ``updates`` of one run,
    ``cpu_seconds`` (collecting and learning of all runs together, evaluations left out), ``metrics`` per run.
    """

    agent: Agent
    settings: TrainingSettings
    env_steps: int
    updates: int
    cpu_seconds: float
    evaluations: list[dict[str, Any]]


@dataclass
class _Clock:
    """CPU seconds of this process by what they went into."""

    seconds: dict[str, float] = field(default_factory=lambda: {"collect": 0.0, "learn": 0.0})

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        self.seconds[what] += time.process_time() - begin

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def build_agent(settings: TrainingSettings, env: BatchedEnv, parts: Sequence[int] = ()) -> Any:
    """The agent of the settings, untrained, e.g. to clone demonstrations into before ``train_agent``.

    ``parts`` (:class:`..networks.policy.Policy`) for a network that the sites share.

    Raises:
        InputError: an agent that has no such network.
    """
    seeds = seeds_for("agent", settings.seeds)
    hidden = getattr(settings.agent, "hidden", ())
    layers = (env.obs_size + env.act_size, *hidden, env.act_size)
    weights = sum(wide * high for wide, high in pairwise(layers))
    check_memory("agent.hidden", list(hidden), NUMBERS_PER_WEIGHT * len(seeds) * weights)
    kind, sizes = AGENTS[settings.algo], (env.obs_size, env.act_size)
    if not parts:
        return kind.build(settings.agent, *sizes, seeds, env.device)
    if not kind.by_site:
        known = [name for name in AGENTS if AGENTS[name].by_site]
        expected = f"{', '.join(known)} with a network that the sites share"
        raise InputError(field="training.algo", value=settings.algo, expected=expected)
    return kind.build(settings.agent, *sizes, seeds, env.device, parts=parts)


def train_agent(
    env: BatchedEnv,
    settings: TrainingSettings,
    *,
    agent: Any = None,
    shaper: Shaper | None = None,
    demonstrations: Demonstrations | None = None,
    evaluate: Evaluate | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    plan: Mapping[str, Any] | None = None,
) -> TrainingOutcome:
    """Train the S runs of ``settings.seeds`` on ``env``, whose environments are shared out run-major.

    ``agent`` (default: a new one) may come warm-started. ``evaluate`` gets the deterministic policy of all
    runs and returns values (S,); it must not draw from the training's generators. In ``folder`` the resolved
    settings, the log and the checkpoint are kept; ``resume`` goes on from that checkpoint, exactly as if
    never interrupted, and begins where there is none yet (a kill came first); ``overwrite`` begins anew where
    there is one. An interrupt (Ctrl-C) stores a
    checkpoint, then raises KeyboardInterrupt. ``plan``: what else the training is of, as tables fit for JSON;
    it is kept beside the settings, and a training of another plan does not go on from the checkpoint.

    Raises:
        InputError: environment, settings and checkpoint that do not fit together, a folder that cannot be
            written or holds another training.
    """
    runs, envs = len(settings.seeds), settings.envs_per_run
    if env.envs != runs * envs:
        raise InputError(
            field="envs_per_run", value=envs, expected=f"{env.envs} environments / {runs} runs of them"
        )
    if resume and folder is None:
        raise InputError(field="folder", value=None, expected="the folder of the checkpoint to resume from")
    agent = build_agent(settings, env) if agent is None else agent
    learner = _build_learner(agent, settings, env, demonstrations)
    _bind(shaper, agent.policy())
    tables = {**(plan or {}), "training": settings.plain()}
    training = _Training(env, settings, learner, shaper, tables)
    log = None
    if folder is not None:
        resume = check_folder(folder, resume=resume, overwrite=overwrite)
        if overwrite:
            for old in _results(folder):
                old.unlink()
        kept = training.restore(folder / CHECKPOINT) if resume else 0
        events = folder / "tensorboard" if tensorboard else None
        log = TrainingLog(folder / LOG, kept=kept, tensorboard=events, begin=training.env_steps)
        save_settings(tables, folder / SETTINGS)
    try:
        if not resume:
            training.begin()
            training.evaluate(evaluate, log)
        with _interrupts_wait(folder is not None) as interrupted:
            while training.env_steps < settings.env_steps:
                before = training.env_steps
                training.advance()
                finished = training.env_steps >= settings.env_steps
                if finished or _passed(before, training.env_steps, settings.log_every):
                    training.report(log, progress)
                if finished or _passed(before, training.env_steps, settings.evaluate_every):
                    training.evaluate(evaluate, log)
                due = finished or _passed(before, training.env_steps, settings.checkpoint_every)
                if folder is not None and (due or interrupted()):
                    training.store(folder / CHECKPOINT, log)
                if interrupted():
                    raise KeyboardInterrupt
    finally:
        if log is not None:
            log.close()
    return TrainingOutcome(
        agent,
        settings,
        training.env_steps,
        learner.updates,
        training.clock.total,
        training.evaluations,
    )


def check_folder(folder: Path, *, resume: bool = False, overwrite: bool = False) -> bool:
    """Make sure, before long work, that a training may be kept in a folder; whether it goes on there.

    Raises:
        InputError: a place that cannot be written, a training that is there already and is to be neither
            resumed nor overwritten, or both is asked for.
    """
    if resume and overwrite:
        raise InputError(field="overwrite", value=overwrite, expected="resume or overwrite, not both")
    make_folder(folder)
    results = _results(folder)
    if not (resume or overwrite) and results:
        told = "resume, which goes on with it, or overwrite, which begins anew"
        raise InputError(file=str(folder), field="folder", value="holds a training", expected=told)
    if resume and results and folder / CHECKPOINT not in results:
        told = "its checkpoint, to go on from, or overwrite, which begins anew"
        raise InputError(file=str(folder), field="folder", value="holds policies alone", expected=told)
    return resume and bool(results)


def _results(folder: Path) -> list[Path]:
    """What a training has left that takes another training to make."""
    return [path for pattern in (CHECKPOINT, "policy*.npz*") for path in folder.glob(pattern)]


def _build_learner(
    agent: Any, settings: TrainingSettings, env: BatchedEnv, demonstrations: Demonstrations | None
) -> Learner:
    if AGENTS[settings.algo].learns_from == "rollouts":
        return OnPolicyLearner(agent, settings, env.obs_size, env.act_size, env.device, demonstrations)
    return OffPolicyLearner(agent, settings, env.obs_size, env.act_size, env.device, demonstrations)


def _bind(shaper: object, policy: Policy) -> None:
    if isinstance(shaper, AsksForPolicy):
        shaper.bind(policy)


def _passed(before: int, now: int, every: int) -> bool:
    return now // every > before // every


@contextmanager
def _interrupts_wait(wanted: bool) -> Iterator[Callable[[], bool]]:
    """Let a first Ctrl-C wait for the end of a step, where the state is whole; a second one does not wait."""
    waiting = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal waiting
        waiting = True
        signal.signal(signal.SIGINT, former)

    former = signal.getsignal(signal.SIGINT)
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: waiting
    finally:
        signal.signal(signal.SIGINT, former)


class _Training:
    """The state of one training between two steps."""

    def __init__(
        self,
        env: BatchedEnv,
        settings: TrainingSettings,
        learner: Learner,
        shaper: Shaper | None,
        tables: Mapping[str, Any],
    ) -> None:
        self.tables = tables
        self.env, self.settings, self.learner, self.shaper = env, settings, learner, shaper
        self.runs, self.envs = len(settings.seeds), settings.envs_per_run
        self.env_steps = 0
        self.means = Means()
        self.clock = _Clock()
        self.evaluations: list[dict[str, Any]] = []
        self.obs = self.potential = self.slot = torch.empty(0)

    def begin(self) -> None:
        obs, potential = self.env.reset()
        self._look(obs, potential)
        self.slot = torch.zeros_like(self.potential)

    def _look(self, obs: Tensor, potential: Tensor) -> None:
        self.obs = obs.to(torch.float32).reshape(self.runs, self.envs, -1)
        self.potential = potential.to(torch.float32)

    def advance(self) -> None:
        """One step of every environment and the updates that are due."""
        with self.clock.of("collect"):
            act = self.learner.act(self.obs)
            step = self.env.step(act.flatten(0, 1))
            self.learner.add(self.obs, act, self.potential, self.slot, step)
            self.means.add(self._of_step(step))
        with self.clock.of("learn"):
            if self.shaper is not None:
                fresh = fresh_batch(self.obs, act, self.potential, self.slot, step, self.settings.gamma)
                self.shaper.observe(fresh)
            self.learner.learn(self.shaper, self.means)
        self._look(step.obs, step.next_potential)
        self.slot = torch.where(step.terminated | step.truncated, 0.0, self.slot + 1.0)
        self.env_steps += self.envs

    def _of_step(self, step: Step) -> dict[str, Tensor]:
        values = {"reward": step.reward, "success": step.success}
        return {
            name: value.to(torch.float32).reshape(self.runs, self.envs).mean(-1)
            for name, value in values.items()
        }

    def counters(self) -> dict[str, float]:
        seconds = {f"cpu_seconds_{what}": value for what, value in self.clock.seconds.items()}
        return {
            "env_steps": self.env_steps,
            "updates": self.learner.updates,
            "cpu_seconds": self.clock.total,
            **seconds,
        }

    def report(self, log: TrainingLog | None, progress: Progress | None) -> None:
        metrics = self.means.take()
        if log is not None:
            log.write("training", self.counters(), metrics)
        if progress is not None:
            progress(self.counters(), metrics)

    def evaluate(self, evaluate: Evaluate | None, log: TrainingLog | None) -> None:
        if evaluate is None:
            return
        with torch.no_grad():
            metrics = per_run(evaluate(self.learner.agent.policy()))
        self.evaluations.append({**self.counters(), "metrics": metrics})
        if log is not None:
            log.write("evaluation", self.counters(), metrics)

    def store(self, path: Path, log: TrainingLog | None) -> None:
        state = {
            "tables": self.tables,
            "env": self.env.state_dict(),
            "learner": self.learner.state_dict(),
            "shaper": None if self.shaper is None else self.shaper.state_dict(),
            "obs": self.obs,
            "potential": self.potential,
            "slot": self.slot,
            "env_steps": self.env_steps,
            "means": self.means.state_dict(),
            "cpu_seconds": dict(self.clock.seconds),
            "evaluations": self.evaluations,
            "log_size": 0 if log is None else log.size,
        }
        save_checkpoint(path, state)

    def restore(self, path: Path) -> int:
        """Go on from a checkpoint; returns the size of the log at that point."""
        state = load_checkpoint(path, self.env.device)
        try:
            return self._restore(state)
        except InputError as defect:
            raise defect.in_file(str(path)) from None
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as why:
            told = f"{type(why).__name__}: {(str(why).splitlines() or [''])[0]}"
            expected = "the state of a training such as this"
            raise InputError(field="(file)", value=told, expected=expected, file=str(path)) from why

    def _restore(self, state: dict[str, Any]) -> int:
        for table in sorted((self.tables.keys() | state["tables"].keys()) - {DAYS}):
            mine, stored = self.tables.get(table, {}), state["tables"].get(table, {})
            for name in sorted(mine.keys() | stored.keys()):
                # a training may be prolonged; all else must be as it was
                if (table, name) != ("training", "env_steps") and mine.get(name) != stored.get(name):
                    raise InputError(
                        field=name if table == "training" else f"{table}.{name}",
                        value=mine.get(name),
                        expected=f"{stored.get(name)!r} as in the checkpoint",
                    )
        days, trained_on = (tables.get(DAYS) for tables in (self.tables, state["tables"]))
        if trained_on is not None and days != trained_on:
            expected = "those that the checkpoint was trained on: a file that they are read from has changed"
            raise InputError(field="family", value="days with other numbers", expected=expected)
        if (state["shaper"] is None) != (self.shaper is None):
            raise InputError(
                field="shaper", value=self.settings.shaper, expected="a shaper as in the checkpoint"
            )
        self.env.load_state_dict(state["env"])
        self.learner.load_state_dict(state["learner"])
        if self.shaper is not None:
            self.shaper.load_state_dict(state["shaper"])
        shape = (self.runs, self.envs, self.env.obs_size)
        check_like(state["obs"], torch.empty(shape), "obs")
        check_like(state["potential"], torch.empty(self.runs * self.envs), "potential")
        check_like(state["slot"], torch.empty(self.runs * self.envs), "slot")
        self.obs, self.potential, self.slot = state["obs"], state["potential"], state["slot"]
        planned = count(state["tables"]["training"]["env_steps"], "tables.training.env_steps")
        self.env_steps = count(state["env_steps"], "env_steps", planned + self.envs - 1)
        self.means.load_state_dict(state["means"], self.runs)
        seconds = state["cpu_seconds"]
        for name in self.clock.seconds:
            self.clock.seconds[name] = amount(seconds[name], f"cpu_seconds.{name}")
        self.evaluations = list(state["evaluations"])
        for one in self.evaluations:
            if set(one) != {*self.counters(), "metrics"}:
                expected = f"records of {', '.join(self.counters())}, metrics"
                raise InputError(field="evaluations", value=one, expected=expected)
        return count(state["log_size"], "log_size")
