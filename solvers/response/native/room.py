"""Memory of arrays that a compiled function works in: one piece for all, in place of many small ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .language import REGISTER


class Room:
    """Zeros for the arrays of a named tuple ``kind``, so many each, one behind the other; stands for it
    among a compiled function's arguments."""

    def __init__(self, kind: type, counts: Sequence[int], real: np.dtype[Any]):
        self.kind, self.counts, self.real = kind, counts, real
        size = sum(counts) * real.itemsize
        memory = np.zeros(REGISTER + size, np.uint8)
        address = memory.__array_interface__["data"][0]
        first = -address % REGISTER
        self._memory: Any = memory[first : first + size].view(real)
        self._address = address + first

    def packed(self) -> bytes:
        """Address and length of each array, as words of eight bytes."""
        places, addresses = _words(tuple(self.counts), self.real.itemsize)
        found: bytes = (places + self._address * addresses).tobytes()
        return found

    def arrays(self) -> Any:
        """The named tuple, as plain Python takes it."""
        ends = list(accumulate(self.counts))
        return self.kind(*(self._memory[end - n : end] for n, end in zip(self.counts, ends, strict=True)))


class Fixed:
    """A named tuple of arrays that stay where they are, for more than one call: what it is among arguments is
    told once."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.packed: dict[tuple[Any, np.dtype[Any]], bytes] = {}


@lru_cache(maxsize=256)
def _words(counts: tuple[int, ...], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of arrays of so many numbers of a size, one behind the other: place and length of each in turn, and 1
    where it is a place."""
    lengths = np.array(counts, np.int64)
    places = (lengths.cumsum() - lengths) * size
    return np.stack([places, lengths], 1).ravel(), np.tile(np.array([1, 0], np.int64), len(counts))
