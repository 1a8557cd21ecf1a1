"""Memory of arrays that a compiled function works in: one piece for all, in place of many small ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from .language import REGISTER


class Room:
    """Zeros for the arrays of a named tuple ``kind``, so many each, one behind the other; stands for it
    among a compiled function's arguments."""

    def __init__(self, kind: type, counts: Sequence[int], real: np.dtype[Any]):
        self.kind, self.counts, self.real = kind, counts, real
        memory = np.zeros(REGISTER + sum(counts) * real.itemsize, np.uint8)
        first = -memory.__array_interface__["data"][0] % REGISTER
        self._memory: Any = memory[first : first + sum(counts) * real.itemsize].view(real)

    def words(self) -> Iterator[int]:
        """Address and length of each array."""
        address, size = self._memory.__array_interface__["data"][0], self._memory.itemsize
        for count in self.counts:
            yield address
            yield count
            address += count * size

    def arrays(self) -> Any:
        """The named tuple, as plain Python takes it."""
        ends = list(accumulate(self.counts))
        return self.kind(*(self._memory[end - n : end] for n, end in zip(self.counts, ends, strict=True)))
