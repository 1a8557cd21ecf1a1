"""Action values of S runs, and the slow copies that targets are computed with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from .parallel_runs import RunMLP


def normalised_relu(x: Tensor) -> Tensor:
    """Rectified units of a layer that is normalised first, which bounds what a critic says of actions that
    nobody has tried (Ball et al. 2023, arXiv 2302.02948)."""
    return torch.relu(layer_norm(x, x.shape[-1:]))


class Critics(nn.Module):
    """One or two independent action values per run: (S,B,O), (S,B,A) → a list of (S,B).

    Two networks of S runs are as fast or faster on a CPU than one of 2S runs, whose input must be doubled.
    """

    def __init__(
        self,
        obs_size: int,
        act_size: int,
        hidden: Sequence[int],
        rngs: Sequence[torch.Generator],
        count: int = 2,
    ):
        super().__init__()
        sizes = (obs_size + act_size, *hidden, 1)
        self.nets = nn.ModuleList(RunMLP(sizes, rngs, activation=normalised_relu) for _ in range(count))

    def forward(self, obs: Tensor, act: Tensor) -> list[Tensor]:
        """Every network's value of the same pairs."""
        pair = torch.cat((obs, act), -1)
        return [net(pair).squeeze(-1) for net in self.nets]

    def first(self, obs: Tensor, act: Tensor) -> Tensor:
        """(S,B) the first network's value."""
        value: Tensor = self.nets[0](torch.cat((obs, act), -1))
        return value.squeeze(-1)

    def least(self, obs: Tensor, act: Tensor) -> Tensor:
        """(S,B) the smaller value of the two, or the only one."""
        values = self(obs, act)
        return torch.minimum(*values) if len(values) == 2 else values[0]


def squared_error(values: Sequence[Tensor], target: Tensor) -> Tensor:
    """(S,) mean over the batch of half the squared error, summed over the networks."""
    errors = [0.5 * (value - target).square().mean(-1) for value in values]
    return errors[0] if len(errors) == 1 else errors[0] + errors[1]


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, rate: float) -> None:
    """Move the slow copy towards the trained network by ``rate`` (Polyak averaging)."""
    torch._foreach_lerp_(list(slow.parameters()), list(fast.parameters()), rate)
