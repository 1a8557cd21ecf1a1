"""Rollouts: the steps between two rounds of on-policy updates, as one flat batch of raw rewards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ..networks.states import check_like, count
from .replay import fresh_batch
from .transitions import Batch, Step


@dataclass(frozen=True)
class Rollout:
    """T steps of N environments for each of S runs.

    ``batch`` is flat with B = T·N samples, the oldest step first; ``ended`` (S,T,N) tells where an episode
    ended, by termination (there batch.discount is 0) or by truncation.
    """

    batch: Batch
    ended: Tensor
    gamma: float

    def with_batch(self, batch: Batch) -> Rollout:
        """The same steps, e.g. paid otherwise."""
        return replace(self, batch=batch)


def pick(batch: Batch, picks: Tensor) -> Batch:
    """The samples ``picks`` (S,b) of each run."""
    runs = torch.arange(picks.shape[0], device=picks.device)[:, None]
    return Batch(**{one.name: getattr(batch, one.name)[runs, picks] for one in fields(batch)})


class RolloutMemory:
    """Gathers ``slots`` steps of S runs × N environments each."""

    def __init__(self, slots: int, gamma: float):
        self.slots, self.gamma = slots, gamma
        self.steps: list[Batch] = []
        self.ends: list[Tensor] = []

    @property
    def full(self) -> bool:
        """Whether a rollout is ready to be taken."""
        return len(self.steps) == self.slots

    def add(self, obs: Tensor, act: Tensor, potential: Tensor, slot: Tensor, step: Step) -> None:
        """Keep one step; ``obs`` (S,N,O) and ``act`` (S,N,A) are what it was taken at, ``potential`` (E,) and
        ``slot`` (E,) the solver's potential there and how many steps of the episode came before."""
        self.steps.append(fresh_batch(obs, act, potential, slot, step, self.gamma))
        self.ends.append((step.terminated | step.truncated).view(obs.shape[:2]))

    def take(self) -> Rollout:
        """The gathered steps with returns filled in; the memory is empty afterwards.

        Returns stay nan where the episode has not ended within the rollout.
        """
        ended = torch.stack(self.ends, 1)
        columns = {
            one.name: torch.stack([getattr(step, one.name) for step in self.steps], 1)
            for one in fields(Batch)
        }
        later = torch.full_like(columns["reward"][:, 0], torch.nan)
        for slot in range(len(self.steps) - 1, -1, -1):
            later = torch.where(ended[:, slot], torch.zeros_like(later), later)
            later = columns["reward"][:, slot] + self.gamma * later
            columns["returns"][:, slot] = later
        self.steps, self.ends = [], []
        batch = Batch(**{name: column.flatten(1, 2) for name, column in columns.items()})
        return Rollout(batch, ended, self.gamma)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here."""
        return {
            "steps": [{one.name: getattr(step, one.name) for one in fields(step)} for step in self.steps],
            "ends": list(self.ends),
        }

    def load_state_dict(self, state: Mapping[str, Any], obs: Tensor, act: Tensor) -> None:
        """Go on exactly where ``state_dict`` was taken; ``obs`` (S,N,O) and ``act`` (S,N,A) are any ones.

        Raises:
            InputError: other than less than a rollout of steps like those.
        """
        steps, ends = list(state["steps"]), list(state["ends"])
        count(len(steps), "memory.steps", self.slots - 1)
        like = {one.name: obs[..., 0] for one in fields(Batch)} | {"obs": obs, "act": act, "next_obs": obs}
        for columns, end in zip(steps, ends, strict=True):
            for name, model in like.items():
                check_like(columns[name], model, f"memory.steps.{name}")
            check_like(end, obs[..., 0].bool(), "memory.ends")
        self.steps, self.ends = [Batch(**columns) for columns in steps], ends
