"""Twin delayed deterministic policy gradient (Fujimoto et al. 2018, arXiv 1802.09477)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from stepwatt.formulation.records import Efficiency, SettingsRecord

from ..memory.transitions import Batch
from ..networks.critics import Critics, follow, squared_error
from ..networks.descent import descend
from ..networks.parallel_runs import generators, normal
from ..networks.policy import Policy, cloning_loss
from ..networks.states import StoredAgent
from ..options import Count, CountOrNone, Deviation, Rate, Weight, Widths


class TD3Settings(SettingsRecord):
    """What can be set of TD3."""

    hidden: Widths = (128, 128)
    """Width of each hidden layer, policy and critics alike."""
    actor_rate: Rate = 3e-4
    """Learning rate of the policy."""
    critic_rate: Rate = 1e-3
    """Learning rate of the critics."""
    exploration: Deviation = 0.1
    """Standard deviation of the noise added to actions while collecting."""
    critics: Literal[1, 2] = 2
    """Action values per run; of two, targets use the smaller."""
    actor_delay: CountOrNone = 0
    """Updates of the critics before the policy moves: a policy that is good already should not follow critics
    that know nothing yet."""
    policy_delay: Count = 2
    """Critic updates per update of the policy."""
    target_noise: Deviation = 0.2
    """Standard deviation of the noise on the next action in a target."""
    target_noise_limit: Deviation = 0.5
    """Largest noise there."""
    preactivation_penalty: Weight = 0.0
    """Weight in the policy's loss of the mean square of what it says before tanh. Without it, as published,
    nothing keeps a policy from the ends of the box, where tanh is flat and no gradient leads back; with it,
    optima are a little nearer to the middle."""
    last_gain: Weight = 0.01
    """Size of the policy's last layer in the beginning; small starts at the action 0."""
    target_rate: Efficiency = 0.005
    """Share by which the target networks follow in each update."""
    cloning_weight: Weight = 0.0
    """Weight of the distance to demonstrations in the policy's loss."""
    cloning_updates: Count = 10_000
    """Updates over which that weight falls linearly to 0."""


def critic_target(batch: Batch, next_value: Tensor) -> Tensor:
    """(S,B) reward + discount · value of the next action."""
    return batch.reward + batch.discount * next_value


class TD3(StoredAgent):
    """S runs of TD3 side by side; run s draws from ``seeds[s]`` alone."""

    def __init__(
        self,
        settings: TD3Settings,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        parts: Sequence[int] = (),
    ):
        self.settings = settings
        self.rngs = generators(seeds, device)
        self.actor = Policy(
            obs_size, act_size, settings.hidden, self.rngs, last_gain=settings.last_gain, parts=parts
        )
        self.critics = Critics(obs_size, act_size, settings.hidden, self.rngs, settings.critics)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.updates = 0
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), settings.actor_rate, fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critics.parameters(), settings.critic_rate, fused=True)

    @torch.no_grad()
    def act(self, obs: Tensor, deterministic: bool = False) -> Tensor:
        """(S,N,O) → (S,N,A) in [-1,1], with noise unless ``deterministic``."""
        action: Tensor = self.actor(obs)
        if deterministic:
            return action
        noise = normal(action.shape[1:], self.rngs)
        return (action + self.settings.exploration * noise).clamp(-1, 1)

    def update(self, batch: Batch, demonstrations: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """One step of the critics and, every ``policy_delay`` times, of policy and targets; metrics (S,).

        ``demonstrations`` are observations (S,B',O) with the actions (S,B',A) to stay close to.
        """
        settings = self.settings
        if self.updates == 0:
            # the policy may have been cloned since it was built
            self.target_actor.load_state_dict(self.actor.state_dict())
        with torch.no_grad():
            next_act = self.target_actor(batch.next_obs)
            if settings.target_noise > 0:
                noise = settings.target_noise * normal(next_act.shape[1:], self.rngs)
                limit = settings.target_noise_limit
                next_act = (next_act + noise.clamp(-limit, limit)).clamp(-1, 1)
            target = critic_target(batch, self.target_critics.least(batch.next_obs, next_act))
        of_critics = squared_error(self.critics(batch.obs, batch.act), target)
        descend(self.critic_optimizer, of_critics)
        metrics = {"critic_loss": of_critics.detach(), "target": target.mean(-1)}
        self.updates += 1
        if self.updates % settings.policy_delay == 0:
            before_tanh = self.actor.mean(batch.obs)
            of_actor = -self.critics.first(batch.obs, torch.tanh(before_tanh)).mean(-1)
            metrics["actor_loss"] = of_actor.detach()
            if settings.preactivation_penalty > 0:
                of_actor = of_actor + settings.preactivation_penalty * before_tanh.square().mean((-1, -2))
            weight = settings.cloning_weight * max(0.0, 1 - self.updates / settings.cloning_updates)
            if demonstrations is not None and weight > 0:
                of_cloning = cloning_loss(self.actor, *demonstrations)
                metrics["cloning_loss"] = of_cloning.detach()
                of_actor = of_actor + weight * of_cloning
            if self.updates > settings.actor_delay:
                descend(self.actor_optimizer, of_actor)
            follow(self.target_critics, self.critics, settings.target_rate)
            follow(self.target_actor, self.actor, settings.target_rate)
        return metrics
