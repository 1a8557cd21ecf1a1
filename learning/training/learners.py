"""What becomes of collected transitions: where they are kept, when updates are due, where the shaper acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from stepwatt.formulation import InputError

from ..agents import Agent, OffPolicyAgent, OnPolicyAgent
from ..memory.centring import Centring
from ..memory.replay import Replay
from ..memory.rollout import RolloutMemory, pick
from ..memory.transitions import Batch, Step
from ..model_guided.cloning import Demonstrations
from ..networks.parallel_runs import generators, uniform
from ..networks.states import count, restore_generators
from ..options import check_memory
from ..shapers.protocol import Shaper
from .logs import Means
from .settings import TrainingSettings

#: Rollouts whose rewards are remembered for their mean.
ROUNDS = 20


def seeds_for(purpose: str, seeds: Sequence[int]) -> list[int]:
    """A seed per run for one purpose, so that no two of a run's generators draw the same numbers."""
    words = int.from_bytes(purpose.encode(), "big")
    return [int(np.random.SeedSequence([seed, words]).generate_state(1, np.uint64)[0] >> 1) for seed in seeds]


def shaped(batch: Batch, shaper: Shaper | None) -> Batch:
    """The batch with the shaper's part added to its rewards; refuses another shape, or a gradient."""
    if shaper is None:
        return batch
    extra = shaper.shape(batch)
    if extra.shape != batch.reward.shape:
        raise ValueError(f"shaper gave {tuple(extra.shape)} for rewards of shape {tuple(batch.reward.shape)}")
    if extra.requires_grad:
        raise ValueError("shaper's reward carries a gradient")
    return batch.with_reward(batch.reward + extra)


class Learner(Protocol):
    """One kind of agent with its memory; counts its gradient updates."""

    updates: int

    @property
    def agent(self) -> Agent:
        """The agent that learns."""
        ...

    def act(self, obs: Tensor) -> Tensor:
        """(S,N,O) → (S,N,A): what to do next while collecting."""
        ...

    def add(self, obs: Tensor, act: Tensor, potential: Tensor, slot: Tensor, step: Step) -> None:
        """Keep one step of all: ``obs`` (S,N,O), ``act`` (S,N,A), ``potential`` and ``slot`` (E,)."""
        ...

    def learn(self, shaper: Shaper | None, means: Means) -> None:
        """Make the updates that are due, and note their metrics."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        ...


class OffPolicyLearner:
    """Replay and updates at a stated rate; the shaper acts on every sampled batch, the replay stays raw."""

    def __init__(
        self,
        agent: OffPolicyAgent,
        settings: TrainingSettings,
        obs_size: int,
        act_size: int,
        device: torch.device,
        demonstrations: Demonstrations | None,
    ):
        self.agent = agent
        self.settings, self.act_size, self.demonstrations = settings, act_size, demonstrations
        transitions = settings.replay_steps * len(settings.seeds)
        check_memory("replay_steps", settings.replay_steps, transitions * (2 * obs_size + act_size + 6))
        self.replay = Replay(
            -(-settings.replay_steps // settings.envs_per_run),
            settings.envs_per_run,
            obs_size,
            act_size,
            seeds_for("replay", settings.seeds),
            gamma=settings.gamma,
            n_step=settings.n_step,
            device=device,
        )
        self.rngs = generators(seeds_for("learner", settings.seeds), device)
        self.centring = Centring(len(settings.seeds), device)
        self.collected = 0
        self.updates = 0

    def act(self, obs: Tensor) -> Tensor:
        """The agent's action, or one drawn evenly from the box in a uniform warm-up."""
        if self.settings.warmup_actions == "uniform" and self.collected < self.settings.warmup_steps:
            return 2 * uniform((obs.shape[1], self.act_size), self.rngs) - 1
        return self.agent.act(obs)

    def add(self, obs: Tensor, act: Tensor, potential: Tensor, slot: Tensor, step: Step) -> None:
        """Into the replay."""
        self.replay.add(obs.flatten(0, 1), act.flatten(0, 1), potential, slot, step)
        self.collected += obs.shape[1]

    def learn(self, shaper: Shaper | None, means: Means) -> None:
        """As many updates as the collected transitions call for; shaper and agent use the same batch."""
        settings = self.settings
        for _ in range(self._due()):
            batch = self.replay.sample(settings.batch_size)
            if shaper is not None:
                means.add_numbers("shaper", shaper.update(batch))
            batch = shaped(batch, shaper)
            if settings.centring:
                batch = self.centring(batch)
            guide = None
            if self.demonstrations is not None:
                guide = self.demonstrations.sample(settings.batch_size, self.rngs)
            means.add(self.agent.update(batch, guide))
            self.updates += 1

    def _due(self) -> int:
        """Updates that the transitions collected so far call for, less those made."""
        settings = self.settings
        return int(settings.updates_per_step * (self.collected - settings.warmup_steps)) - self.updates

    def state_dict(self) -> dict[str, Any]:
        """Agent, replay, generators and counters."""
        return {
            "agent": self.agent.state_dict(),
            "replay": self.replay.state_dict(),
            "rngs": [rng.get_state() for rng in self.rngs],
            "centring": self.centring.state_dict(),
            "collected": self.collected,
            "updates": self.updates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self.agent.load_state_dict(state["agent"])
        self.replay.load_state_dict(state["replay"])
        restore_generators(self.rngs, state["rngs"], "learner.rngs")
        self.centring.load_state_dict(state["centring"])
        self.collected = count(state["collected"], "learner.collected")
        self.updates = count(state["updates"], "learner.updates")
        kept = min(self.collected // self.settings.envs_per_run, self.replay.slots)
        if self.replay.filled != kept or self._due() > 0:  # it would sample from nothing, or for ever
            told = f"{self.replay.filled} slots filled, {self.updates} updates"
            expected = f"{kept} slots, {self.updates + self._due()} updates after {self.collected} steps"
            raise InputError(field="learner.collected", value=told, expected=expected)


class OnPolicyLearner:
    """Updates after every full rollout; the shaper acts on the rollout before advantages are computed."""

    def __init__(
        self,
        agent: OnPolicyAgent,
        settings: TrainingSettings,
        obs_size: int,
        act_size: int,
        device: torch.device,
        demonstrations: Demonstrations | None,
    ):
        self.agent = agent
        self.settings, self.demonstrations = settings, demonstrations
        self.sizes, self.device = (obs_size, act_size), device
        self.memory = RolloutMemory(agent.settings.rollout_slots, settings.gamma)
        self.rngs = generators(seeds_for("learner", settings.seeds), device)
        self.shaper_rngs = generators(seeds_for("minibatches", settings.seeds), device)
        self.centring = Centring(len(settings.seeds), device)
        self.updates = 0

    def act(self, obs: Tensor) -> Tensor:
        """The agent's action."""
        return self.agent.act(obs)

    def add(self, obs: Tensor, act: Tensor, potential: Tensor, slot: Tensor, step: Step) -> None:
        """Into the rollout."""
        self.memory.add(obs, act, potential, slot, step)

    def learn(self, shaper: Shaper | None, means: Means) -> None:
        """Once a rollout is full: one pass of the shaper over it, then all passes of the agent."""
        if not self.memory.full:
            return
        rollout = self.memory.take()
        if shaper is not None:
            for picks in self._minibatches(rollout.batch.reward.shape[1]):
                means.add_numbers("shaper", shaper.update(pick(rollout.batch, picks)))
        batch = shaped(rollout.batch, shaper)
        rollout = rollout.with_batch(self.centring(batch) if self.settings.centring else batch)
        guide = None
        if self.demonstrations is not None:
            rounds = self.agent.settings.epochs * self.agent.settings.minibatches
            guide = self.demonstrations.sample(rounds * self.settings.batch_size, self.rngs)
        for metrics in self.agent.update(rollout, guide):
            means.add(metrics)
            self.updates += 1

    def _minibatches(self, samples: int) -> Sequence[Tensor]:
        order = torch.stack(
            [torch.randperm(samples, generator=rng, device=rng.device) for rng in self.shaper_rngs]
        )
        return torch.split(order, self.settings.batch_size, dim=1)

    def state_dict(self) -> dict[str, Any]:
        """Agent, unfinished rollout, generators and counter."""
        return {
            "agent": self.agent.state_dict(),
            "memory": self.memory.state_dict(),
            "rngs": [rng.get_state() for rng in self.rngs],
            "centring": self.centring.state_dict(),
            "shaper_rngs": [rng.get_state() for rng in self.shaper_rngs],
            "updates": self.updates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self.agent.load_state_dict(state["agent"])
        lanes = (len(self.settings.seeds), self.settings.envs_per_run)
        obs, act = (torch.empty(*lanes, size, device=self.device) for size in self.sizes)
        self.memory.load_state_dict(state["memory"], obs, act)
        restore_generators(self.rngs, state["rngs"], "learner.rngs")
        self.centring.load_state_dict(state["centring"])
        restore_generators(self.shaper_rngs, state["shaper_rngs"], "learner.shaper_rngs")
        self.updates = count(state["updates"], "learner.updates")
