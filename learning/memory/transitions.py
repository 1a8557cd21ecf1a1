"""What agents, replay and shapers exchange: environment steps, and batches of transitions.

Several runs (seeds) of one algorithm train side by side as one batched ensemble: every tensor of a batch
leads with the axis S of runs, and run s never sees a number of another run. Axes: S runs, N environments per
run, B samples, O observation, A action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Step:
    """One step of E = S·N environments side by side, run-major (environment e belongs to run e // N).

    ``obs`` (E,O) is what the policy sees next; where an episode ended it is the first observation of the next
    one, and ``final_obs`` (E,O) holds the end of the old one (elsewhere both are equal). ``reward`` (E,) is
    the raw learning signal, ``terminated`` and ``truncated`` (E,) booleans: only the former ends the value of
    the future. ``potential`` (E,) is the solver's potential at ``final_obs``, 0 where terminated;
    ``next_potential`` (E,) the same at ``obs``. ``success`` (E,) says whether the step met its service goal.
    """

    obs: Tensor
    final_obs: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    potential: Tensor
    next_potential: Tensor
    success: Tensor


class BatchedEnv(Protocol):
    """What an agent needs of an environment: ``envs`` side by side, actions in the box [-1,1]^A."""

    envs: int
    obs_size: int
    act_size: int
    device: torch.device

    def reset(self) -> tuple[Tensor, Tensor]:
        """First observations (E,O) and the solver's potential there (E,)."""
        ...

    def step(self, action: Tensor) -> Step:
        """One slot in every environment; ``action`` (E,A) in [-1,1]. Ended episodes begin anew."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly here."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        ...


@dataclass(frozen=True)
class Batch:
    """B transitions for each of S runs; rewards are raw (shapers add theirs when a batch is used).

    ``obs``, ``next_obs`` (S,B,O), ``act`` (S,B,A); all else (S,B). ``reward`` is the discounted sum over the
    n steps from ``obs`` to ``next_obs``, ``discount`` is γ^n, and 0 where the episode ended on the way, so
    that a target is ``reward + discount · value(next_obs)``. ``returns`` is the discounted raw return that
    the behaviour went on to collect (nan where its episode has not ended yet). ``potential`` and
    ``next_potential`` are the solver's potential at ``obs`` and ``next_obs``; ``success`` (0 or 1) tells
    whether the first step met its service goal, ``slot`` how many steps of the episode came before it.
    """

    obs: Tensor
    act: Tensor
    reward: Tensor
    next_obs: Tensor
    discount: Tensor
    returns: Tensor
    potential: Tensor
    next_potential: Tensor
    success: Tensor
    slot: Tensor

    def __post_init__(self) -> None:
        runs, samples = self.reward.shape
        for field in fields(self):
            shape = tuple(getattr(self, field.name).shape)
            if shape[:2] != (runs, samples) or len(shape) != (
                3 if field.name in ("obs", "act", "next_obs") else 2
            ):
                raise ValueError(
                    f"batch.{field.name} has shape {shape} beside rewards of ({runs}, {samples})"
                )

    def with_reward(self, reward: Tensor) -> Batch:
        """The same transitions paid otherwise; refuses a reward of another shape."""
        return replace(self, reward=reward)
