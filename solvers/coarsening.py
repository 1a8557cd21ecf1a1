"""Fewer, longer slots: slots of a problem joined to blocks in which every decision stays the same.

Columns of a block are one column, rows of a block are added up. What is added up is what blocks of an hour would
say of themselves: flows by their mean, queues, stored energy and rooms by their value at the end of the block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import Block, LinearProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Columns that say what is there at the end of a slot.
_STATES = ("waiting", "energy_mwh", "temperature_c")


@dataclass(frozen=True)
class Grid:
    """Blocks of successive slots; ``starts`` (B,) is the first slot of each, of the first block 0."""

    starts: Ints
    n_slots: int

    @property
    def of_slot(self) -> Ints:
        """(T,) the block of each slot."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=self.n_slots))

    @property
    def last(self) -> Ints:
        """(B,) the last slot of each block."""
        return np.append(self.starts[1:], self.n_slots) - 1


def coarsened(p: LinearProblem, grid: Grid) -> LinearProblem:
    """The relaxation of the problem on a grid; integers are dropped."""
    from scipy.sparse import coo_array

    column, columns, n_columns = _numbers(p.columns, len(p.cost), grid)
    row, rows, n_rows = _numbers(p.rows, len(p.row_lower), grid)
    matrix = p.matrix
    at = row[matrix.indices], np.repeat(column, np.diff(matrix.indptr))
    joined = coo_array((matrix.data, at), shape=(n_rows, n_columns)).tocsc()
    joined.sum_duplicates()
    size = np.bincount(column, minlength=n_columns)
    lower, upper = (np.bincount(column, side, n_columns) / size for side in (p.lower, p.upper))
    for name in _STATES:
        now, then = columns[name].ids, p.columns[name].ids[:, grid.last]
        lower[now], upper[now] = p.lower[then], p.upper[then]
    return replace(
        p,
        matrix=joined,
        cost=np.bincount(column, p.cost, n_columns),
        lower=lower,
        upper=upper,
        row_lower=np.bincount(row, p.row_lower, n_rows),
        row_upper=np.bincount(row, p.row_upper, n_rows),
        integer=np.zeros(n_columns, dtype=bool),
        columns=columns,
        rows=rows,
        varying=np.empty(0, dtype=np.int64),
    )


def _numbers(blocks: dict[str, Block], size: int, grid: Grid) -> tuple[Ints, dict[str, Block], int]:
    """The number on the grid of each column or row, and the blocks there."""
    number, joined, count = np.empty(size, dtype=np.int64), {}, 0
    for name, block in blocks.items():
        shape = (len(block.ids), len(grid.starts)) if block.ids.ndim == 2 else block.ids.shape
        ids = np.arange(count, count + int(np.prod(shape))).reshape(shape)
        number[block.ids] = ids[:, grid.of_slot] if ids.ndim == 2 else ids
        joined[name] = Block(name, ids, block.labels)
        count += ids.size
    return number, joined, count
