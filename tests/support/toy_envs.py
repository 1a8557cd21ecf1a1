"""Batched environments with a known optimum, small enough to be solved within seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.toml_tables import override
from stepwatt.learning.memory.transitions import Step
from stepwatt.learning.training.settings import TrainingSettings

CPU = torch.device("cpu")


def settings_said(*words: str) -> TrainingSettings:
    """Settings of a training by words ``key=value``, without those of trainings on scheduling tasks."""
    values: dict[str, Any] = {}
    for word in words:
        override(values, word)
    return TrainingSettings.read(values)


class Bandit:
    """One step, terminated: reward 1 − |action − target(obs)|², the optimum 1 at the target 0.6·obs."""

    obs_size, act_size, device = 2, 2, CPU

    def __init__(self, seeds: tuple[int, ...], envs_per_run: int):
        self.rngs = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
        self.envs_per_run, self.envs = envs_per_run, len(seeds) * envs_per_run
        self.obs = torch.empty(0)

    def _draw(self) -> Tensor:
        return torch.cat([2 * torch.rand(self.envs_per_run, 2, generator=rng) - 1 for rng in self.rngs])

    def reset(self) -> tuple[Tensor, Tensor]:
        self.obs = self._draw()
        return self.obs, torch.zeros(self.envs)

    def step(self, action: Tensor) -> Step:
        reward = 1 - (action - 0.6 * self.obs).square().sum(-1)
        before, self.obs = self.obs, self._draw()
        none = torch.zeros(self.envs)
        return Step(self.obs, before, reward, none == 0, none != 0, none, none, reward > 0.9)

    def state_dict(self) -> dict[str, Any]:
        return {"obs": self.obs, "rngs": [rng.get_state() for rng in self.rngs]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.obs = state["obs"].clone()
        for rng, saved in zip(self.rngs, state["rngs"], strict=True):
            rng.set_state(saved)

    def score(self, policy: Any) -> dict[str, Tensor]:
        """Mean reward of each run on a grid of observations, as a share of the optimum."""
        axis = torch.linspace(-0.9, 0.9, 7)
        grid = torch.cartesian_prod(axis, axis).expand(len(self.rngs), -1, -1)
        return {"score": 1 - (policy(grid) - 0.6 * grid).square().sum(-1).mean(-1)}


class Chain:
    """Three steps: the first two pay for low actions, the last one for the sum of all three.

    Step i < 2 pays −0.8·aᵢ − 1.6·aᵢ², the last −1.6·a₂² + 2·(a₀ + a₁ + a₂). Undiscounted, the best actions
    are 0.375, 0.375 and 0.625 with a return of 1.075; who looks one step ahead only begins with −0.25. The
    observation is time (one of three) and the sum so far. ``truncate`` ends episodes by truncation.
    """

    obs_size, act_size, device = 4, 1, CPU
    best = 1.075

    def __init__(self, seeds: tuple[int, ...], envs_per_run: int, truncate: bool = False):
        self.runs, self.envs, self.truncate = len(seeds), len(seeds) * envs_per_run, truncate
        self.time, self.total = 0, torch.zeros(self.envs)

    def _obs(self, time: int) -> Tensor:
        obs = torch.zeros(self.envs, 4)
        obs[:, time % 3] = float(time < 3)
        obs[:, 3] = self.total
        return obs

    def reset(self) -> tuple[Tensor, Tensor]:
        self.time, self.total = 0, torch.zeros(self.envs)
        return self._obs(0), torch.zeros(self.envs)

    def step(self, action: Tensor) -> Step:
        act = action.squeeze(-1)
        self.total = self.total + act
        self.time += 1
        last = self.time == 3
        reward = -1.6 * act.square() + (2 * self.total if last else -0.8 * act)
        final_obs = self._obs(self.time)
        if last:
            self.time, self.total = 0, torch.zeros(self.envs)
        none = torch.zeros(self.envs)
        ended, never = torch.full((self.envs,), last), none != 0
        ends = (never, ended) if self.truncate else (ended, never)
        obs = self._obs(self.time) if last else final_obs
        return Step(obs, final_obs, reward, *ends, none, none, reward > 0)

    def state_dict(self) -> dict[str, Any]:
        return {"time": self.time, "total": self.total}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.time, self.total = state["time"], state["total"].clone()

    def score(self, policy: Any) -> dict[str, Tensor]:
        """Return of each run's deterministic policy, as a share of the optimum."""
        env = Chain(tuple(range(self.runs)), 1)
        obs, _ = env.reset()
        total = torch.zeros(self.runs)
        for _ in range(3):
            step = env.step(policy(obs.reshape(self.runs, 1, -1)).flatten(0, 1))
            total, obs = total + step.reward, step.obs
        return {"score": total / self.best}


class Regulator:
    """A point is pushed towards 0 for ten steps, then truncated: x' = x + 0.5·a, reward 1 − x'² − 0.01·a²."""

    obs_size, act_size, device = 1, 1, CPU

    def __init__(self, seeds: tuple[int, ...], envs_per_run: int):
        self.rngs = [torch.Generator().manual_seed(2000 + seed) for seed in seeds]
        self.envs_per_run, self.envs = envs_per_run, len(seeds) * envs_per_run
        self.place, self.age = torch.empty(0), torch.empty(0)

    def _draw(self) -> Tensor:
        return torch.cat([2 * torch.rand(self.envs_per_run, generator=rng) - 1 for rng in self.rngs])

    def reset(self) -> tuple[Tensor, Tensor]:
        self.place = self._draw()
        self.age = torch.arange(self.envs_per_run).repeat(len(self.rngs)) % 10
        return self.place[:, None], -self.place.square()

    def step(self, action: Tensor) -> Step:
        act = action.squeeze(-1)
        place = self.place + 0.5 * act
        reward = 1 - place.square() - 0.01 * act.square()
        self.age = (self.age + 1) % 10
        over = self.age == 0
        self.place = torch.where(over, self._draw(), place)
        never = torch.zeros(self.envs, dtype=torch.bool)
        return Step(
            self.place[:, None],
            place[:, None],
            reward,
            never,
            over,
            -place.square(),
            -self.place.square(),
            place.abs() < 0.1,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place, "age": self.age, "rngs": [rng.get_state() for rng in self.rngs]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.place, self.age = state["place"].clone(), state["age"].clone()
        for rng, saved in zip(self.rngs, state["rngs"], strict=True):
            rng.set_state(saved)
