"""Soft actor-critic with twin critics and a temperature per run (Haarnoja et al. 2018, arXiv 1812.05905)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from stepwatt.formulation.records import Efficiency, Positive, SettingsRecord

from ..memory.transitions import Batch
from ..networks.critics import Critics, follow, squared_error
from ..networks.descent import descend
from ..networks.parallel_runs import generators, normal
from ..networks.policy import Policy, cloning_loss, squash
from ..networks.states import StoredAgent
from ..options import Amount, Count, CountOrNone, Rate, Weight, Widths


class SACSettings(SettingsRecord):
    """What can be set of SAC."""

    hidden: Widths = (128, 128)
    """Width of each hidden layer, policy and critics alike."""
    actor_rate: Rate = 3e-4
    """Learning rate of the policy."""
    critic_rate: Rate = 1e-3
    """Learning rate of the critics."""
    temperature_rate: Rate = 1e-3
    """Learning rate of the logarithm of the temperature."""
    initial_temperature: Positive = 0.1
    """Weight of the entropy in the beginning; rewards are about 1 in size."""
    target_entropy: Amount = 0.0
    """Entropy per action coordinate that the temperature steers to (lower = less exploration)."""
    initial_std: Annotated[float, Field(gt=0, le=math.exp(2.0), allow_inf_nan=False)] = 0.3
    """Standard deviation of the first actions, before tanh: small stays close to the initial policy."""
    last_gain: Weight = 0.01
    """Size of the policy's last layer in the beginning; small starts at the action 0."""
    target_rate: Efficiency = 0.005
    """Share by which the target critics follow in each update."""
    actor_delay: CountOrNone = 0
    """Updates of the critics before the policy moves: a policy that is good already should not follow critics
    that know nothing yet."""
    cloning_weight: Weight = 0.0
    """Weight of the distance to demonstrations in the policy's loss."""
    cloning_updates: Count = 10_000
    """Updates over which that weight falls linearly to 0."""


def critic_target(batch: Batch, next_value: Tensor, next_log_prob: Tensor, temperature: Tensor) -> Tensor:
    """(S,B) reward + discount · (value − temperature · log-density) of the next action."""
    return batch.reward + batch.discount * (next_value - temperature[:, None] * next_log_prob)


def actor_loss(value: Tensor, log_prob: Tensor, temperature: Tensor) -> Tensor:
    """(S,) the policy's loss: entropy term minus value."""
    return temperature * log_prob.mean(-1) - value.mean(-1)


def temperature_loss(log_temperature: Tensor, log_prob: Tensor, target_entropy: float) -> Tensor:
    """(S,) rises where the entropy is above its target, so that descent lowers the temperature there."""
    return -log_temperature * (log_prob.mean(-1) + target_entropy)


class SAC(StoredAgent):
    """S runs of SAC side by side; run s draws from ``seeds[s]`` alone."""

    def __init__(
        self,
        settings: SACSettings,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        parts: Sequence[int] = (),
    ):
        self.settings = settings
        self.rngs = generators(seeds, device)
        self.actor = Policy(
            obs_size,
            act_size,
            settings.hidden,
            self.rngs,
            initial_std=settings.initial_std,
            last_gain=settings.last_gain,
            parts=parts,
        )
        self.critics = Critics(obs_size, act_size, settings.hidden, self.rngs)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_temperature = torch.full(
            (len(seeds),), math.log(settings.initial_temperature), device=device, requires_grad=True
        )
        self.target_entropy = settings.target_entropy * act_size
        self.updates = 0
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), settings.actor_rate, fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critics.parameters(), settings.critic_rate, fused=True)
        self.temperature_optimizer = torch.optim.Adam(
            [self.log_temperature], settings.temperature_rate, fused=True
        )

    @torch.no_grad()
    def act(self, obs: Tensor, deterministic: bool = False) -> Tensor:
        """(S,N,O) → (S,N,A) in [-1,1], drawn from the policy or its mean."""
        if deterministic:
            mean_action: Tensor = self.actor(obs)
            return mean_action
        mean, log_std = self.actor.mean_and_log_std(obs)
        return torch.tanh(mean + log_std.exp() * normal(mean.shape[1:], self.rngs))

    def update(self, batch: Batch, demonstrations: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """One step of critics, policy and temperature; metrics (S,).

        ``demonstrations`` are observations (S,B',O) with the actions (S,B',A) to stay close to.
        """
        temperature = self.log_temperature.detach().exp()
        noise = normal((2, *batch.act.shape[1:]), self.rngs)
        with torch.no_grad():
            next_act, next_log_prob = squash(*self.actor.mean_and_log_std(batch.next_obs), noise[:, 0])
            next_value = self.target_critics.least(batch.next_obs, next_act)
            target = critic_target(batch, next_value, next_log_prob, temperature)
        of_critics = squared_error(self.critics(batch.obs, batch.act), target)
        descend(self.critic_optimizer, of_critics)

        act, log_prob = squash(*self.actor.mean_and_log_std(batch.obs), noise[:, 1])
        of_actor = actor_loss(self.critics.least(batch.obs, act), log_prob, temperature)
        metrics = {
            "critic_loss": of_critics.detach(),
            "actor_loss": of_actor.detach(),
            "target": target.mean(-1),
            "temperature": temperature,
            "entropy": -log_prob.detach().mean(-1),
        }
        weight = self.settings.cloning_weight * max(0.0, 1 - self.updates / self.settings.cloning_updates)
        if demonstrations is not None and weight > 0:
            of_cloning = cloning_loss(self.actor, *demonstrations)
            metrics["cloning_loss"] = of_cloning.detach()
            of_actor = of_actor + weight * of_cloning
        if self.updates >= self.settings.actor_delay:
            descend(self.actor_optimizer, of_actor)
            of_temperature = temperature_loss(self.log_temperature, log_prob.detach(), self.target_entropy)
            descend(self.temperature_optimizer, of_temperature)
        follow(self.target_critics, self.critics, self.settings.target_rate)
        self.updates += 1
        return metrics
