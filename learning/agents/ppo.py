"""Proximal policy optimisation with clipped ratios and GAE (Schulman et al. 2017, arXiv 1707.06347)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stepwatt.formulation.records import Positive, SettingsRecord, Share

from ..memory.rollout import Rollout
from ..networks.descent import descend
from ..networks.parallel_runs import RunMLP, generators, normal
from ..networks.policy import Policy, cloning_loss
from ..networks.states import StoredAgent
from ..options import Count, CountOrNone, Rate, Size, Weight, Widths

# actions are kept off ±1 by this much, so that what the policy drew before tanh can be recovered from them
EDGE = 1e-6
# as far as that lies out before tanh: beyond it a mean would be of another density than what was drawn
REACH = math.atanh(1 - EDGE)


class PPOSettings(SettingsRecord):
    """What can be set of PPO."""

    hidden: Widths = (128, 128)
    """Width of each hidden layer, policy and value alike."""
    actor_rate: Rate = 3e-4
    """Learning rate of the policy."""
    value_rate: Rate = 1e-3
    """Learning rate of the value."""
    rollout_slots: Size = 64
    """Steps of each environment between two rounds of updates."""
    epochs: Count = 5
    """Passes over a rollout."""
    minibatches: Size = 4
    """Updates per pass."""
    clip: Rate = 0.2
    """Largest gainful change of an action's probability ratio in one round."""
    trace: Share = 0.95
    """λ of generalised advantage estimation: 0 trusts the value, 1 the collected rewards."""
    entropy_weight: Weight = 0.0
    """Weight of the entropy (before tanh) in the policy's loss."""
    longest_gradient: Positive = 0.5
    """Length at which each run's gradient is cut."""
    initial_std: Rate = 0.3
    """Standard deviation of the first actions, before tanh."""
    last_gain: Weight = 0.01
    """Size of the policy's last layer in the beginning; small starts at the action 0."""
    actor_delay: CountOrNone = 0
    """Updates of the value before the policy moves: a policy that is good already should not follow a value
    that knows nothing yet."""
    cloning_weight: Weight = 0.0
    """Weight of the distance to demonstrations in the policy's loss."""
    cloning_updates: Count = 10_000
    """Updates over which that weight falls linearly to 0."""


def advantages(rollout: Rollout, value: Tensor, next_value: Tensor, trace: float) -> Tensor:
    """(S,T,N) generalised advantages (Schulman et al. 2016, arXiv 1506.02438).

    ``value`` and ``next_value`` (S,T,N) at obs and next_obs. A truncated step bootstraps from the latter; no
    advantage flows back over an episode's end.
    """
    shape = rollout.ended.shape
    reward, discount = rollout.batch.reward.view(shape), rollout.batch.discount.view(shape)
    surprise = reward + discount * next_value - value
    carried = rollout.gamma * trace * (~rollout.ended)
    result = torch.empty_like(surprise)
    later = torch.zeros_like(surprise[:, 0])
    for slot in range(shape[1] - 1, -1, -1):
        later = surprise[:, slot] + carried[:, slot] * later
        result[:, slot] = later
    return result


def gaussian_log_prob(raw: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """(S,B) log-density of the action before tanh, whose slope cancels in the ratio of two policies."""
    scaled = (raw - mean) * torch.exp(-log_std)
    return (-0.5 * scaled.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)


def clipped_loss(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """(S,) the pessimistic one of the plain and the clipped gain, negated."""
    ratio = (log_prob - old_log_prob).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean(-1)


class PPO(StoredAgent):
    """S runs of PPO side by side; run s draws from ``seeds[s]`` alone."""

    def __init__(
        self,
        settings: PPOSettings,
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
        self.value = RunMLP((obs_size, *settings.hidden, 1), self.rngs)
        log_std = torch.full((len(seeds), 1, act_size), math.log(settings.initial_std), device=device)
        self.spread = nn.ParameterDict({"log_std": nn.Parameter(log_std)})
        self.updates = 0
        self.actor_optimizer = torch.optim.Adam(
            [*self.actor.parameters(), *self.spread.parameters()], settings.actor_rate, fused=True
        )
        self.value_optimizer = torch.optim.Adam(self.value.parameters(), settings.value_rate, fused=True)

    @torch.no_grad()
    def act(self, obs: Tensor, deterministic: bool = False) -> Tensor:
        """(S,N,O) → (S,N,A) in (-1,1), drawn from the policy or its mean."""
        raw = self._mean(obs)
        if not deterministic:
            raw = raw + self.spread["log_std"].exp() * normal(raw.shape[1:], self.rngs)
        return torch.tanh(raw).clamp(EDGE - 1, 1 - EDGE)

    def _mean(self, obs: Tensor) -> Tensor:
        return self.actor.mean(obs).clamp(-REACH, REACH)

    def update(
        self, rollout: Rollout, demonstrations: tuple[Tensor, Tensor] | None = None
    ) -> list[dict[str, Tensor]]:
        """All passes over a rollout whose rewards are final; metrics (S,) of every update.

        ``demonstrations`` are observations (S,D,O) with actions (S,D,A), shared out among the updates.
        """
        settings, batch = self.settings, rollout.batch
        log_std = self.spread["log_std"]
        with torch.no_grad():
            value = self.value(batch.obs).squeeze(-1)
            next_value = self.value(batch.next_obs).squeeze(-1)
            shape = rollout.ended.shape
            advantage = advantages(rollout, value.view(shape), next_value.view(shape), settings.trace)
            advantage = advantage.reshape(value.shape)
            raw = torch.atanh(batch.act)
            old_log_prob = gaussian_log_prob(raw, self._mean(batch.obs), log_std)
        aim = advantage + value
        rounds = settings.epochs * settings.minibatches
        guides = _shares(demonstrations, rounds)
        runs = torch.arange(len(self.rngs), device=raw.device)[:, None]
        metrics = []
        for number, picks in enumerate(self._picks(raw.shape[1])):
            obs, gain = batch.obs[runs, picks], advantage[runs, picks]
            if gain.shape[1] > 1:
                gain = (gain - gain.mean(1, keepdim=True)) / (gain.std(1, keepdim=True) + 1e-8)
            log_prob = gaussian_log_prob(raw[runs, picks], self._mean(obs), log_std)
            of_actor = clipped_loss(log_prob, old_log_prob[runs, picks], gain, settings.clip)
            found = {"actor_loss": of_actor.detach()}
            if settings.entropy_weight > 0:
                of_actor = of_actor - settings.entropy_weight * log_std.sum((1, 2))
            weight = settings.cloning_weight * max(0.0, 1 - self.updates / settings.cloning_updates)
            if guides is not None and weight > 0:
                of_cloning = cloning_loss(self.actor, *guides[number])
                found["cloning_loss"] = of_cloning.detach()
                of_actor = of_actor + weight * of_cloning
            if self.updates >= settings.actor_delay:
                descend(self.actor_optimizer, of_actor, settings.longest_gradient)
            of_value = 0.5 * (self.value(obs).squeeze(-1) - aim[runs, picks]).square().mean(-1)
            descend(self.value_optimizer, of_value, settings.longest_gradient)
            found["value_loss"] = of_value.detach()
            found["std"] = log_std.detach().exp().mean((1, 2))
            metrics.append(found)
            self.updates += 1
        return metrics

    def _picks(self, samples: int) -> list[Tensor]:
        """(S,b) the samples of every minibatch, each pass in another order."""
        picks: list[Tensor] = []
        for _ in range(self.settings.epochs):
            order = torch.stack(
                [torch.randperm(samples, generator=rng, device=rng.device) for rng in self.rngs]
            )
            picks.extend(order.tensor_split(self.settings.minibatches, dim=1))
        return picks


def _shares(demonstrations: tuple[Tensor, Tensor] | None, rounds: int) -> list[tuple[Tensor, Tensor]] | None:
    if demonstrations is None:
        return None
    obs, act = demonstrations
    return list(zip(obs.tensor_split(rounds, 1), act.tensor_split(rounds, 1), strict=True))
