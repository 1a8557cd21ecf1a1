"""Reward agents: a second agent whose action is the reward to be added (ReLara; DRESS, arXiv 2503.07433).

It lives in a decision process of its own: its observation is (s,a), its action r^S ∈ (-1,1), its reward the
raw one, its next observation (s′,a′) with a′ of the current policy. JEMAS (arXiv 2605.02965) is the form with
a diffusion actor. Written from the description in reference/paper.md §2.3 and §3, with the shapes right: each
transition gets its own r^S, where the published code adds one number to the whole batch (§3.3).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stepwatt.formulation.records import Efficiency, SettingsRecord

from ..memory.centring import Centring
from ..memory.transitions import Batch
from ..networks.parallel_runs import RunMLP
from ..options import Amount, Count, Rate, Size, Steps
from .estimators import adam
from .factory import ShaperKind
from .parts import Generators, Part, Stored, annealed, per_transition
from .reward_actors import DiffusionActor, GaussianActor, draw_reward, mean_reward

Policy = Callable[[Tensor], Tensor]
"""Actions (S,B,A) of the learner for observations (S,B,O), drawn or deterministic, without gradient."""

_TARGET_ENTROPY = -1.0
_PROBED_SAMPLES, _PROBED_REWARDS = 64, 9


class RewardAgentSettings(SettingsRecord):
    """Settings of `reward_agent`."""

    weight: Amount = 0.4
    """η, what r^S ∈ (-1,1) is multiplied with, in units of reward (the paper's best value)."""
    anneal_updates: Count | None = None
    """Updates of the agent until the weight reaches 0; None keeps it, as the paper does."""
    hidden: Size = 64
    """Units in each hidden layer of actor and critics (the ancestors have 256, and residual blocks)."""
    actor_rate: Rate = 3e-4
    """Step size of Adam for the reward actor and its temperature."""
    critic_rate: Rate = 1e-3
    """Step size of Adam for the reward agent's critics (at the ancestors' 1e-4 they learn too late here)."""
    target_rate: Efficiency = 0.005
    """τ, how far the target critics move per training step."""
    update_every: Count = 1
    """Updates of the agent per training step of the reward agent (1 as the ancestors do)."""
    probe_every: Count = 100
    """Training steps between two measurements of the signal ratio."""


class JemasSettings(RewardAgentSettings):
    """Settings of `jemas`."""

    steps: Steps = 5
    """W, the denoising steps (the paper tries 3, 5, 7)."""
    latent: Size = 128
    """M, the size of the latent (the paper tries 64, 128, 256)."""
    conditioned: bool = True
    """Whether the chain sees (s,a); False is the paper's ablation."""


class RewardAgent(Stored):
    """Adds η·r^S(s,a), r^S by an actor trained as in SAC through twin critics Q(s,a,r^S).

    Where the ancestors store a random r^S with a transition, the action replayed here is the current
    proposal. What is added is the actor's mean under noise common to the batch and renewed at every training
    step, so that two transitions differ by (s,a) alone; unconditioned, every transition has noise of its own.
    Its rewards are centred, as the learner's are, so that its critics need not climb to values far from 0.

    ``bind`` must be called before the first ``update``: the next observation (s′,a′) needs the policy.
    """

    preserves_optimum = False

    def __init__(
        self,
        actor: GaussianActor | DiffusionActor,
        condition: int,
        rngs: Generators,
        settings: RewardAgentSettings,
    ):
        self._settings, self._rngs = settings, rngs
        self._updates, self.unit = 0, 1.0
        self._policy: Policy | None = None
        self.actor = actor
        hidden, device = settings.hidden, rngs[0].device
        # Twins are two more runs: 2S networks in one product.
        self.critics = RunMLP([condition + 1, hidden, hidden, 1], [*rngs, *rngs])
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.centring = Centring(len(rngs), device)
        self.temperature = nn.ParameterDict(
            {"log": nn.Parameter(torch.full((len(rngs), 1), -2.0, device=device))}
        )
        self.optimiser = adam([self.actor, self.temperature], settings.actor_rate)
        self.optimiser.add_param_group(
            {"params": list(self.critics.parameters()), "lr": settings.critic_rate}
        )

    def bind(self, policy: Policy) -> None:
        """Hand over the learner's policy, (S,B,O) → (S,B,A), which gives the a′ of the next observation."""
        self._policy = policy

    def observe(self, batch: Batch) -> None:
        """Nothing to note: learning is from replayed batches."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Every ``update_every`` calls one training step of actor, critics and temperature, side by side.

        Raises ``RuntimeError`` where no policy is bound.
        """
        if self._policy is None:
            raise RuntimeError("the reward agent needs the policy: call bind(policy) before update")
        self._updates += 1
        if self._updates % self._settings.update_every:
            return {}
        batch = self.centring(batch)
        here = torch.cat([batch.obs, batch.act], dim=-1)
        log_heat = self.temperature["log"]
        heat = log_heat.detach().exp()
        with torch.no_grad():
            there = torch.cat([batch.next_obs, self._policy(batch.next_obs)], dim=-1)
            later, later_density = draw_reward(self.actor(there, self._rngs), self._rngs)
            future = _values(self.targets, there, later).amin(0) - heat * later_density
            target = per_transition(batch.reward + batch.discount * future, batch)
        proposal, density = draw_reward(self.actor(here, self._rngs), self._rngs)
        values = _values(self.critics, here, proposal.detach())
        critic_loss = (values - target).square().mean(-1).sum()
        self.critics.requires_grad_(False)
        gain = _values(self.critics, here, proposal).amin(0)
        self.critics.requires_grad_(True)
        actor_loss = (heat * density - gain).mean(-1).sum()
        heat_loss = -(log_heat * (density.detach() + _TARGET_ENTROPY)).mean(-1).sum()
        self.optimiser.descend(critic_loss + actor_loss + heat_loss)
        moving: list[Tensor] = list(self.targets.parameters())
        fixed = [weight.detach() for weight in self.critics.parameters()]
        torch._foreach_lerp_(moving, fixed, self._settings.target_rate)
        self.actor.renew_noise(self._rngs)
        if self._updates // self._settings.update_every % self._settings.probe_every:
            return {}
        runs = len(self._rngs)
        return {
            "critic_loss": float(critic_loss.detach()) / (2 * runs),
            "entropy": -float(density.detach().mean()),
            "temperature": float(heat.mean()),
            "weight": self._weight(),
            "signal_ratio": float(self.signal_ratio(batch).mean()),
        }

    @torch.no_grad()
    def signal_ratio(self, batch: Batch) -> Tensor:
        """(S,) how much Q varies over r^S for the same (s,a), by how much over (s,a) for the same r^S.

        Near 0 the reward agent learns nothing about its own action (paper.md §6.2 measures 0.018).
        """
        here = torch.cat([batch.obs, batch.act], dim=-1)[:, :_PROBED_SAMPLES]
        runs, samples, size = here.shape
        rewards = torch.linspace(-1, 1, _PROBED_REWARDS, device=here.device)
        grid = here[:, :, None].expand(-1, -1, _PROBED_REWARDS, -1).reshape(runs, -1, size)
        values = _values(self.critics, grid, rewards.repeat(runs, samples)).amin(0)
        values = values.reshape(runs, samples, _PROBED_REWARDS)
        over_reward = values.std(2, correction=0).mean(1)
        over_pairs = values.std(1, correction=0).mean(1)
        return over_reward / over_pairs.clamp(min=1e-12)

    @torch.no_grad()
    def shape(self, batch: Batch) -> Tensor:
        """(S,B) the weighted proposals."""
        own_noise = isinstance(self.actor, DiffusionActor) and not self.actor.conditioned
        condition = torch.cat([batch.obs, batch.act], dim=-1)
        proposal = mean_reward(self.actor(condition, self._rngs if own_noise else None))
        return per_transition(self._weight() * self.unit * proposal, batch)

    def _weight(self) -> float:
        return annealed(self._settings.weight, self._updates, self._settings.anneal_updates)

    def _parts(self) -> dict[str, Part]:
        return {
            "rngs": self._rngs,
            "actor": self.actor,
            "critics": self.critics,
            "targets": self.targets,
            "temperature": self.temperature,
            "centring": self.centring,
            "optimiser": self.optimiser,
        }


def _values(critics: RunMLP, condition: Tensor, reward: Tensor) -> Tensor:
    """Both critics' Q (2,S,B) of (s,a) (S,B,C) and r^S (S,B)."""
    inputs = torch.cat([condition, reward[..., None]], dim=-1).repeat(2, 1, 1)
    out: Tensor = critics(inputs)
    return out.view(2, *reward.shape)


def _gaussian(
    obs_size: int,
    act_size: int,
    seeds: Sequence[int],
    settings: RewardAgentSettings,
    device: torch.device | str,
) -> RewardAgent:
    rngs = Generators(seeds, device)
    actor = GaussianActor(obs_size + act_size, settings.hidden, rngs)
    return RewardAgent(actor, obs_size + act_size, rngs, settings)


def _diffusing(
    obs_size: int,
    act_size: int,
    seeds: Sequence[int],
    settings: JemasSettings,
    device: torch.device | str,
) -> RewardAgent:
    rngs = Generators(seeds, device)
    chain = (settings.hidden, settings.latent, settings.steps, settings.conditioned)
    actor = DiffusionActor(obs_size + act_size, *chain, rngs)
    return RewardAgent(actor, obs_size + act_size, rngs, settings)


reward_agent = ShaperKind(RewardAgentSettings, _gaussian)
"""The reward agent with a Gaussian actor."""

jemas = ShaperKind(JemasSettings, _diffusing)
"""The reward agent with a conditional-diffusion actor."""
