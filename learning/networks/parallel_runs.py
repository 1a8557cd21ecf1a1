"""Networks of S runs side by side: each run has its own weights, one batched product serves them all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def generators(seeds: Sequence[int], device: torch.device | str = "cpu") -> list[torch.Generator]:
    """One generator per run, so that a run draws the same numbers whoever trains beside it."""
    return [torch.Generator(device=device).manual_seed(seed) for seed in seeds]


def normal(shape: Sequence[int], rngs: Sequence[torch.Generator]) -> Tensor:
    """(S, *shape) standard normal numbers, run s from its own generator."""
    device = rngs[0].device
    return torch.stack([torch.randn(*shape, generator=rng, device=device) for rng in rngs])


def uniform(shape: Sequence[int], rngs: Sequence[torch.Generator]) -> Tensor:
    """(S, *shape) numbers of [0,1), run s from its own generator."""
    device = rngs[0].device
    return torch.stack([torch.rand(*shape, generator=rng, device=device) for rng in rngs])


class RunLinear(nn.Module):
    """A linear layer per run: (S,B,in) → (S,B,out).

    Starts as ``torch.nn.Linear`` does, drawn from each run's own generator.
    """

    def __init__(self, size_in: int, size_out: int, rngs: Sequence[torch.Generator], gain: float = 1.0):
        super().__init__()
        reach = gain / math.sqrt(size_in)
        self.weight = nn.Parameter(reach * (2 * uniform((size_in, size_out), rngs) - 1))
        self.bias = nn.Parameter(reach * (2 * uniform((1, size_out), rngs) - 1))

    def forward(self, x: Tensor) -> Tensor:
        """One product for all runs."""
        return torch.baddbmm(self.bias, x, self.weight)


class RunMLP(nn.Module):
    """A multilayer perceptron per run: (S,B,in) → (S,B,out)."""

    def __init__(
        self,
        sizes: Sequence[int],
        rngs: Sequence[torch.Generator],
        *,
        activation: Callable[[Tensor], Tensor] = torch.relu,
        last_gain: float = 1.0,
    ):
        super().__init__()
        gains = [1.0] * (len(sizes) - 2) + [last_gain]
        pairs = zip(sizes[:-1], sizes[1:], gains, strict=True)
        self.layers = nn.ModuleList(RunLinear(a, b, rngs, gain) for a, b, gain in pairs)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """All layers, the activation between them."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        out: Tensor = self.layers[-1](x)
        return out
