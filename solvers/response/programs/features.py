"""Sums over a slot program's options: what a job costs its site in balance, GPU time and energy.

Where all instances have the same tables, the sums are matrix products with one small table per (site, class).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Features:
    """``single`` (n,K,3,O) per option: 1, GPU-seconds, MW; zeros where it cannot be used. With a last axis B
    where instances differ."""

    single: Numbers

    @property
    def shared(self) -> bool:
        """Whether all instances have the same options."""
        return self.single.ndim == 4

    def usable(self) -> Numbers:
        """(n,K,O,B), B 1 where shared: 1 where the option can be used."""
        usable = self.single[:, :, 0]
        return usable[..., None] if self.shared else usable

    def sums(self, amounts: Numbers) -> Numbers:
        """(n,K,3,B) of amounts (n,K,O,B)."""
        if self.shared:
            # a product of matrices this flat would wake up threads that cost more than they spare
            found: Numbers = np.einsum("jkmo,jkob->jkmb", self.single, amounts)
            return found
        return np.stack([(self.single[:, :, m] * amounts).sum(2) for m in range(3)], axis=2)


def make_features(usable: Numbers, seconds: Numbers, megawatts: Numbers) -> Features:
    """From tables (n,K,O,B); B may be 1 in those that all instances share."""
    tables = np.broadcast_arrays(usable, seconds * usable, megawatts * usable)
    single = np.stack(tables, axis=2)
    if single.shape[-1] == 1 or bool((single == single[..., :1]).all()):
        single = single[..., 0]
    return Features(single)
