"""The policy network of every agent, and the tanh-Gaussian distribution drawn around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from .by_site import RunBySite
from .parallel_runs import RunMLP, generators

LOG_STD_RANGE = (-5.0, 2.0)


class Policy(nn.Module):
    """Deterministic policy of S runs: observation → tanh of the network's mean, in [-1,1]^A.

    All agents share it, so that any of them can be cloned, evaluated and stored alike. ``initial_std`` given:
    the network also says a standard deviation (before tanh) that begins there. The last layer begins
    ``last_gain`` times smaller than usual, so that the first mean action is close to 0.

    ``parts`` given, the numbers of each part of an action that a site says: one network is shared by the
    sites (:class:`.by_site.RunBySite`), ``obs_size`` and ``act_size`` are for as many as there are now, and
    it takes observations of any number.
    """

    def __init__(
        self,
        obs_size: int,
        act_size: int,
        hidden: Sequence[int],
        rngs: Sequence[torch.Generator],
        *,
        initial_std: float | None = None,
        last_gain: float = 0.01,
        parts: Sequence[int] = (),
    ):
        super().__init__()
        sites = act_size // sum(parts) if parts else 1
        # of one site, where the network is one for all
        self.obs_size, self.act_size = obs_size // sites, act_size // sites
        self.hidden, self.parts = tuple(hidden), tuple(parts)
        self.stochastic = initial_std is not None
        answers = 2 if self.stochastic else 1
        self.net: RunMLP | RunBySite
        if parts:
            self.net = RunBySite(self.obs_size, parts, hidden, rngs, answers=answers, last_gain=last_gain)
        else:
            self.net = RunMLP((obs_size, *hidden, act_size * answers), rngs, last_gain=last_gain)
        if initial_std is not None:
            last = self.net.layers[-1]
            with torch.no_grad():
                last.bias[..., self.act_size :] = math.log(initial_std)  # type: ignore[operator]

    @property
    def runs(self) -> int:
        """S, the runs side by side."""
        return next(self.parameters()).shape[0]

    def mean(self, obs: Tensor) -> Tensor:
        """(S,B,A) mean before tanh."""
        out: Tensor = self.net(obs)
        return out.chunk(2, -1)[0] if self.stochastic else out

    def mean_and_log_std(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """(S,B,A) mean before tanh and logarithm of the standard deviation; only with ``initial_std``."""
        mean, log_std = self.net(obs).chunk(2, -1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    @torch.no_grad()
    def begin_at(self, start: Policy) -> None:
        """Take over the mean of a policy of as many hidden units, of one run or of as many; a standard
        deviation is said to be what it was to begin with, everywhere."""
        for mine, theirs in zip(self.net.layers, start.net.layers, strict=True):
            for name, values in mine.named_parameters():
                taken = theirs.get_parameter(name)
                size = taken.shape[-1]
                values[..., :size] = taken
                if name == "weight":
                    values[..., size:] = 0.0

    def forward(self, obs: Tensor) -> Tensor:
        """(S,B,O) → (S,B,A); of a single run also (B,O) → (B,A)."""
        if obs.dim() == 2:
            if self.runs != 1:
                raise ValueError(f"{self.runs} runs need observations (S,B,O), not {tuple(obs.shape)}")
            return torch.tanh(self.mean(obs[None]))[0]
        return torch.tanh(self.mean(obs))

    def description(self) -> dict[str, Any]:
        """What ``rebuild`` needs besides the state of one run; fit for JSON."""
        return {
            "obs_size": self.obs_size,
            "act_size": self.act_size,
            "hidden": list(self.hidden),
            "stochastic": self.stochastic,
            **({"parts": list(self.parts)} if self.parts else {}),
        }

    def run_state(self, run: int) -> dict[str, Tensor]:
        """The state of one run as that of a policy of S = 1, detached and copied."""
        return {name: value[run : run + 1].detach().clone() for name, value in self.state_dict().items()}

    def one_run(self, run: int) -> Policy:
        """A copy of one run's policy (S = 1)."""
        return Policy.rebuild(self.description(), self.run_state(run))

    @staticmethod
    def rebuild(description: Mapping[str, Any], state: Mapping[str, Tensor]) -> Policy:
        """The policy of one run (S = 1) from ``description`` and ``run_state``, without gradients."""
        policy = Policy(
            description["obs_size"],
            description["act_size"],
            description["hidden"],
            generators([0]),
            initial_std=1.0 if description["stochastic"] else None,
            parts=description.get("parts", ()),
        )
        policy.load_state_dict(state)
        policy.to(next(iter(state.values())).device)
        return policy.requires_grad_(False)


def squash(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Action tanh(mean + std·noise) (S,B,A) and the logarithm of its density (S,B).

    log(1 − tanh²x) is written as 2(log 2 − x − softplus(−2x)): exact, no epsilon (Haarnoja et al. 2018,
    arXiv 1812.05905, appendix C).
    """
    raw = mean + log_std.exp() * noise
    gaussian = -0.5 * noise.square() - log_std
    slope = 2.0 * (math.log(2.0) - raw - softplus(-2.0 * raw))
    constant = 0.5 * math.log(2.0 * math.pi) * mean.shape[-1]
    return torch.tanh(raw), (gaussian - slope).sum(-1) - constant


def cloning_loss(policy: Policy, obs: Tensor, act: Tensor) -> Tensor:
    """(S,) mean squared distance between the policy's actions and the demonstrated ones."""
    distance: Tensor = policy(obs) - act
    return distance.square().mean((-1, -2))
