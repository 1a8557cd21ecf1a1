"""Sums over a slot program's options: what a job costs its site in balance, GPU time and energy.

Where all instances have the same tables, the sums are matrix products with one small table per (site, class).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Pairs of (job, seconds, energy) whose products the normal matrix needs.
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class Features:
    """``single`` (n,K,3,O) per option: 1, GPU-seconds, MW; ``pairs`` (n,K,6,O) their products.

    Both have a last axis B where instances differ. Options that cannot be used are zeros.
    """

    single: Tensor
    pairs: Tensor

    @property
    def shared(self) -> bool:
        """Whether all instances have the same options."""
        return self.single.dim() == 4

    def to(self, kind: torch.dtype) -> Features:
        """The same numbers in another precision."""
        return Features(self.single.to(kind), self.pairs.to(kind))

    def usable(self) -> Tensor:
        """(n,K,O,B), B 1 where shared: 1 where the option can be used."""
        usable = self.single[:, :, 0]
        return usable[..., None] if self.shared else usable

    def sums(self, amounts: Tensor) -> Tensor:
        """(n,K,3,B) of amounts (n,K,O,B)."""
        return _summed(self.single, amounts)

    def squares(self, amounts: Tensor) -> Tensor:
        """(n,K,6,B) of amounts (n,K,O,B)."""
        return _summed(self.pairs, amounts)

    def priced(self, prices: Tensor) -> Tensor:
        """(n,K,O,B): what one of each option costs at prices (n,K,3,B)."""
        if self.shared:
            return self.single.transpose(-1, -2) @ prices
        cost = self.single[:, :, 0] * prices[:, :, :1]
        for m in (1, 2):
            cost = torch.addcmul(cost, self.single[:, :, m], prices[:, :, m : m + 1])
        return cost

    def taken(self, index: Tensor) -> Features:
        """Those of the chosen instances."""
        return self if self.shared else Features(self.single[..., index], self.pairs[..., index])


def make_features(usable: Tensor, seconds: Tensor, megawatts: Tensor) -> Features:
    """From tables (n,K,O,B); B may be 1 where all instances have the same."""
    single = torch.stack([usable, seconds * usable, megawatts * usable], dim=2)
    pairs = torch.stack([single[:, :, a] * single[:, :, b] for a, b in _PAIRS], dim=2)
    if single.shape[-1] == 1 or bool((single == single[..., :1]).all()):
        single, pairs = single[..., 0], pairs[..., 0]
    return Features(single, pairs)


def _summed(table: Tensor, amounts: Tensor) -> Tensor:
    if table.dim() == 4:
        return table @ amounts
    return torch.stack([(table[:, :, m] * amounts).sum(2) for m in range(table.shape[2])], dim=2)
