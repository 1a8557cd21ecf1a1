"""Replay memory: a ring over time that holds raw rewards and hands out n-step transitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation import InputError

from ..networks.parallel_runs import generators
from ..networks.states import check_like, count, restore_generators
from .transitions import Batch, Step

RETURN_BLOCK = 64


def fresh_batch(obs: Tensor, act: Tensor, potential: Tensor, slot: Tensor, step: Step, gamma: float) -> Batch:
    """The step just taken as a one-step batch of S runs, B = environments per run; its returns are nan.

    ``obs`` (S,N,O) and ``act`` (S,N,A) are what the step was taken at, ``potential`` (E,) the solver's there,
    ``slot`` (E,) how many steps of the episode came before.
    """
    runs, envs = obs.shape[:2]

    def by_run(values: Tensor) -> Tensor:
        return values.to(torch.float32).reshape(runs, envs, *values.shape[1:])

    reward = by_run(step.reward)
    return Batch(
        obs=obs,
        act=act,
        reward=reward,
        next_obs=by_run(step.final_obs),
        discount=gamma * by_run(~step.terminated),
        returns=torch.full_like(reward, torch.nan),
        potential=by_run(potential),
        next_potential=by_run(step.potential),
        success=by_run(step.success),
        slot=by_run(slot),
    )


class Replay:
    """The last ``slots`` steps of S runs × N environments each; run s samples with ``seeds[s]`` alone.

    A transition spans up to ``n_step`` steps: fewer where the episode ends or the newest step is reached.
    A truncated episode's value goes on from its last observation, a terminated one's is 0.
    """

    def __init__(
        self,
        slots: int,
        envs_per_run: int,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        *,
        gamma: float,
        n_step: int = 1,
        device: torch.device | str = "cpu",
    ):
        self.slots, self.runs, self.envs, self.gamma, self.n_step = (
            slots,
            len(seeds),
            envs_per_run,
            gamma,
            n_step,
        )
        self.rngs = generators(seeds, device)
        self.newest = -1
        self.filled = 0
        shape = (slots, self.runs * envs_per_run)

        def room(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(*shape, *size, dtype=dtype, device=device)

        self.columns = {
            "obs": room(obs_size),
            "act": room(act_size),
            "final_obs": room(obs_size),
            "reward": room(),
            "terminated": room(dtype=torch.bool),
            "ended": room(dtype=torch.bool),
            "returns": room(),
            "potential": room(),
            "next_potential": room(),
            "success": room(),
            "slot": room(),
        }
        self.episode_length = torch.zeros(shape[1], dtype=torch.long, device=device)
        self._run_offset = (torch.arange(self.runs, device=device) * envs_per_run)[:, None]
        self._powers = gamma ** torch.arange(n_step + 1, device=device, dtype=torch.float32)
        exponents = torch.arange(RETURN_BLOCK, device=device)
        exponents = exponents[None, :] - exponents[:, None]
        self._discounting = torch.triu(gamma ** exponents.clamp(min=0).to(torch.float32))

    def add(self, obs: Tensor, act: Tensor, potential: Tensor, slot: Tensor, step: Step) -> None:
        """Store one step of all E = S·N environments, taken at ``obs`` (E,O) with ``act`` (E,A).

        ``potential`` (E,) is the solver's potential at ``obs``, ``slot`` (E,) how many steps of the episode
        came before.
        """
        self.newest = (self.newest + 1) % self.slots
        self.filled = min(self.filled + 1, self.slots)
        ended = step.terminated | step.truncated
        values = {
            "obs": obs,
            "act": act,
            "final_obs": step.final_obs,
            "reward": step.reward,
            "terminated": step.terminated,
            "ended": ended,
            "potential": potential,
            "next_potential": step.potential,
            "success": step.success,
            "slot": slot,
        }
        for name, value in values.items():
            self.columns[name][self.newest] = value
        self.columns["returns"][self.newest] = torch.nan
        self.episode_length += 1
        if bool(ended.any()):
            self._fill_returns(ended.nonzero().squeeze(1))
            self.episode_length[ended] = 0

    def _fill_returns(self, envs: Tensor) -> None:
        """Discounted return-to-go of the episodes that just ended in ``envs``, backwards block by block."""
        lengths = self.episode_length[envs].clamp(max=self.filled)
        longest = int(lengths.max())
        reward, returns = self.columns["reward"], self.columns["returns"]
        later = torch.zeros(len(envs), device=reward.device)
        for done in range(0, longest, RETURN_BLOCK):
            size = min(RETURN_BLOCK, longest - done)
            back = torch.arange(done + size - 1, done - 1, -1, device=reward.device)
            slots = ((self.newest - back) % self.slots)[:, None]
            block = self._discounting[:size, :size] @ reward[slots, envs]
            block += self._discounting[0, 1:2] * self._discounting[:size, size - 1, None] * later
            later = block[0]
            inside = back[:, None] < lengths
            returns[slots, envs] = torch.where(inside, block, returns[slots, envs])

    def sample(self, size: int) -> Batch:
        """``size`` transitions of each run, drawn with equal chance and with replacement."""
        cells = torch.stack(
            [
                torch.randint(self.filled * self.envs, (size,), generator=rng, device=rng.device)
                for rng in self.rngs
            ]
        )
        return self.transitions(cells // self.envs, cells % self.envs)

    def transitions(self, age: Tensor, env: Tensor) -> Batch:
        """The transitions that begin ``age`` (S,B) steps after the oldest, in environment ``env`` (S,B)."""
        oldest = self.newest + 1 - self.filled
        env = env + self._run_offset
        width = self.runs * self.envs
        shape = tuple(age.shape)

        def cell(ages: Tensor) -> Tensor:
            return ((oldest + ages) % self.slots * width + env).reshape(-1)

        def take(name: str, cells: Tensor) -> Tensor:
            column = self.columns[name].flatten(0, 1).index_select(0, cells)
            return column.reshape(*shape, *column.shape[1:])

        first = last = cell(age)
        reward = take("reward", first)
        discount = torch.full_like(reward, self.gamma)
        for ahead in range(1, self.n_step):
            goes_on = ~take("ended", last) & (age + ahead < self.filled)
            # where the way ends, `last` stays and ends it again at the next turn
            last = torch.where(goes_on.reshape(-1), cell(age + ahead), last)
            reward = reward + self._powers[ahead] * goes_on * take("reward", last)
            discount = torch.where(goes_on, self._powers[ahead + 1], discount)
        return Batch(
            obs=take("obs", first),
            act=take("act", first),
            reward=reward,
            next_obs=take("final_obs", last),
            discount=discount * ~take("terminated", last),
            returns=take("returns", first),
            potential=take("potential", first),
            next_potential=take("next_potential", last),
            success=take("success", first),
            slot=take("slot", first),
        )

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here; only the slots in use."""
        return {
            "columns": {name: column[: self.filled].clone() for name, column in self.columns.items()},
            "episode_length": self.episode_length,
            "newest": self.newest,
            "filled": self.filled,
            "rngs": [rng.get_state() for rng in self.rngs],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self.filled = count(state["filled"], "replay.filled", self.slots)
        self.newest = count(state["newest"], "replay.newest", self.slots - 1, least=-1)
        if self.filled < self.slots and self.newest != self.filled - 1:
            raise InputError(field="replay.newest", value=self.newest, expected=str(self.filled - 1))
        for name, column in self.columns.items():
            check_like(state["columns"][name], column[: self.filled], f"replay.{name}")
            column[: self.filled] = state["columns"][name]
        check_like(state["episode_length"], self.episode_length, "replay.episode_length")
        if bool((state["episode_length"] < 0).any()):
            lengths = state["episode_length"].tolist()
            raise InputError(field="replay.episode_length", value=lengths, expected="numbers of at least 0")
        self.episode_length.copy_(state["episode_length"])
        restore_generators(self.rngs, state["rngs"], "replay.rngs")
