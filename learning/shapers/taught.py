"""Potentials that the solver teaches: models of p(V* | what the policy sees), fit to solved days.

The solver's own potential knows the whole day. A model of it that sees what the policy sees asks for no
foresight while the policy learns, only for solved days before. Its mean is the potential, its spread tells
how uncertain that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..memory.transitions import Batch
from ..networks.parallel_runs import RunMLP
from ..options import Amount, Count, Loads, Rate, Size, Steps
from .estimators import MeanRegression, ReturnDiffusion, adam
from .factory import ShaperKind
from .parts import Generators, Part, Stored
from .potential import SolverPotentialSettings, ahead

#: Levels that a model of quantiles says; the outer two tell its spread.
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


class TaughtPotentialSettings(SolverPotentialSettings):
    """Settings of `taught_potential`."""

    loads: Loads = ()
    """Days with so many times the jobs are solved, too, and the least that any of them says of a state is
    taught: jobs that wait are worth the less the more there are."""
    model: Literal["diffusion", "regression", "quantiles"] = "diffusion"
    """What is fit: a conditional diffusion model, the mean alone, or quantiles."""
    caution: Amount = 0.0
    """Spreads that are taken off the mean: a value of which nothing is known counts less."""
    passes: Size = 3
    """Random plays of every training day whose states are taught."""
    hidden: Size = 64
    """Units in each of the two hidden layers."""
    updates: Count = 3_000
    """Steps of fitting, and as many of handing a model's statistics to the network that is asked."""
    handed_states: Size = 8_192
    """States whose statistics are handed over: sampling a diffusion model anew at every
    step takes ten times what the agent does."""
    batch_size: Size = 256
    """States per step."""
    learning_rate: Rate = 1e-3
    """Step size of Adam."""
    steps: Steps = 5
    """W, the diffusion steps of a chain."""
    samples: Size = 16
    """K, the samples of a state whose mean and spread are taken."""


@runtime_checkable
class IsTaught(Protocol):
    """A shaper that learns from solved states before the training begins."""

    passes: int

    def teach(self, obs: Tensor, value: Tensor) -> dict[str, float]:
        """Learn from observations (D,O) what is still to come (D,); returns losses."""
        ...


class _Model(Protocol):
    def fit(self, condition: Tensor, target: Tensor) -> Tensor: ...

    def statistics(self, condition: Tensor) -> Tensor: ...


class _Mean(MeanRegression):
    """The mean; of the spread it says nothing (0)."""

    def statistics(self, condition: Tensor) -> Tensor:
        mean = self.predict(condition)
        return torch.stack((mean, torch.zeros_like(mean)), -1)


class _Quantiles(nn.Module):
    """Quantiles by the pinball loss (Koenker and Bassett 1978, Econometrica 46): their mean, and half of what
    lies between the outer two."""

    def __init__(self, condition: int, hidden: int, rate: float, rngs: Sequence[torch.Generator]):
        super().__init__()
        self.net = RunMLP([condition, hidden, hidden, len(LEVELS)], rngs)
        self.optimiser = adam([self.net], rate)
        self.levels = torch.tensor(LEVELS, device=rngs[0].device)

    def fit(self, condition: Tensor, target: Tensor) -> Tensor:
        error = target[..., None] - self.net(condition)
        loss = torch.maximum(self.levels * error, (self.levels - 1) * error).mean((1, 2)).sum()
        self.optimiser.descend(loss)
        return loss.detach() / condition.shape[0]

    @torch.no_grad()
    def statistics(self, condition: Tensor) -> Tensor:
        out: Tensor = self.net(condition)
        return torch.stack((out.mean(-1), (out[..., -1] - out[..., 0]) / 2), -1)


class _Diffusion(ReturnDiffusion):
    """Mean and standard deviation of samples, which all states draw with the same noise."""

    @torch.no_grad()
    def statistics(self, condition: Tensor) -> Tensor:
        drawn = self.sample(condition, self.kept_noise)
        return torch.stack((drawn.mean(-1), drawn.std(-1, correction=0)), -1)


class ValueNet(nn.Module):
    """Mean and spread of the value to go, in units of reward, by one small network per run.

    Sampling a diffusion model for every transition would cost more than the agent: whatever is fit hands
    its statistics to this network, which is asked from then on.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, obs_size: int, hidden: int, rngs: Sequence[torch.Generator]):
        super().__init__()
        self.net = RunMLP([obs_size, hidden, hidden, 2], rngs)
        for name in ("centre", "scale"):
            self.register_buffer(name, torch.zeros(1, device=rngs[0].device))

    @torch.no_grad()
    def forward(self, obs: Tensor) -> Tensor:
        """(S,B,2) of observations (S,B,O)."""
        out: Tensor = self.net(obs)
        return torch.stack((out[..., 0] * self.scale + self.centre, F.relu(out[..., 1] * self.scale)), -1)


class TaughtPotential(Stored):
    """Φ(s) = mean − caution · spread of the value to go that a model of solved states says, and what has been
    earned and not yet been paid."""

    preserves_optimum = False

    def __init__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: TaughtPotentialSettings,
        device: torch.device | str = "cpu",
    ):
        self._settings, self._obs_size = settings, obs_size
        self._rngs = Generators(seeds, device)
        self.passes = settings.passes
        self.net = ValueNet(obs_size, settings.hidden, self._rngs)

    def teach(self, obs: Tensor, value: Tensor) -> dict[str, float]:
        """Fit the model, then the network that answers for it."""
        how = self._settings
        self.net.centre.fill_(value.mean())
        self.net.scale.fill_(value.std().clamp(min=1e-6))
        target = (value - self.net.centre) / self.net.scale
        model = self._model()
        losses = {"taught_loss": torch.zeros(()), "handed_loss": torch.zeros(())}
        for _ in range(how.updates):
            picks = self._picks(len(value))
            losses["taught_loss"] = model.fit(obs[picks], target[picks])
        pupil = adam([self.net.net], how.learning_rate)
        taken = min(how.handed_states, len(value))
        condition = obs[self._picks(len(value), taken)]
        told = torch.cat([model.statistics(some) for some in torch.split(condition, how.batch_size, 1)], 1)
        run = torch.arange(len(self._rngs))[:, None]
        for _ in range(how.updates):
            picks = self._picks(taken)
            errors = (self.net.net(condition[run, picks]) - told[run, picks]).square()
            pupil.descend(errors.mean((1, 2)).sum())
            losses["handed_loss"] = errors.detach().mean()
        self.net.requires_grad_(False)
        return {name: float(loss) for name, loss in losses.items()}

    def _model(self) -> _Model:
        how, size = self._settings, self._obs_size
        if how.model == "regression":
            return _Mean(size, how.hidden, how.learning_rate, self._rngs)
        if how.model == "quantiles":
            return _Quantiles(size, how.hidden, how.learning_rate, self._rngs)
        return _Diffusion(
            size,
            how.hidden,
            how.learning_rate,
            self._rngs,
            steps=how.steps,
            schedule="cosine",
            samples=how.samples,
            statistic="mean",
        )

    def _picks(self, states: int, count: int | None = None) -> Tensor:
        """(S,·) numbers of states, ``batch_size`` unless said otherwise."""
        size = (count or self._settings.batch_size,)
        return torch.stack(
            [torch.randint(states, size, generator=rng, device=rng.device) for rng in self._rngs]
        )

    def observe(self, batch: Batch) -> None:
        """Nothing to note."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Nothing to learn any more."""
        return {}

    def potential(self, obs: Tensor, unpaid: Tensor) -> Tensor:
        """Φ (S,B) of observations (S,B,O) with what they have earned and not been paid (S,B)."""
        told: Tensor = self.net(obs)
        mean, spread = told.unbind(-1)
        return self._settings.weight * (mean - self._settings.caution * spread + unpaid)

    def shape(self, batch: Batch) -> Tensor:
        """Φ(s′) − Φ(s), (S,B)."""
        before = self.potential(batch.obs, batch.potential)
        return ahead(batch, before, self.potential(batch.next_obs, batch.next_potential))

    def _parts(self) -> dict[str, Part]:
        return {"rngs": self._rngs, "net": self.net}


taught_potential = ShaperKind(TaughtPotentialSettings, TaughtPotential)
"""Potential of a model of the optimal value to go, which the solver taught."""
