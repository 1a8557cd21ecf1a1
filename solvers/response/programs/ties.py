"""A whole horizon: slots side by side, tied by what they leave to the next one.

What a slot leaves (waiting jobs, stored energy, warmth) enters two slots, so the normal matrix is block
tridiagonal. Everything within slots is eliminated for all of them at once; only the rows that tie slots
together are then factored one after the other, as in a Riccati recursion. The highest import of a site enters
all slots: a column that borders that matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import Rows
from .slot_program import HEAT, Program

Numbers = NDArray[Any]

#: Site rows behind those of a slot: content of the battery; with demand charges, what may be imported without
#: raising the highest import.
STORE, CAP = 3, 4
#: The column that ties a site row to the next slot's.
TYING = {HEAT: "warm", STORE: "stored"}
#: What is added to the scaled diagonal.
DAY_RIDGE = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-7}


@dataclass(frozen=True)
class Ties:
    """What a slot leaves, as entries in the rows of the next one (0 behind the last slot): ``held`` (n,K,TB)
    in supply; ``sites`` (·,n,TB) by kind of site row. ``waits`` (n·K,): whether such jobs may wait. ``rise``
    (n,TB), with demand charges: the entries of the first slot's column of that name in all slots."""

    held: Numbers
    sites: dict[int, Numbers]
    waits: NDArray[np.bool_]
    rise: Numbers | None = None


class DayRows(Rows):
    """The rows of a whole horizon."""

    def __init__(self, p: Program, ties: Ties, supply_unit: Numbers, blocks: int):
        super().__init__(p)
        self.ties, self.blocks, self.supply_unit = ties, blocks, supply_unit
        self.batch = p.money.shape[-1] // blocks

    def total(self, values: Numbers) -> Numbers:
        """(TB,) sums over an instance's slots, at each of them."""
        return np.tile(values.reshape(self.blocks, -1).sum(0), self.blocks)
