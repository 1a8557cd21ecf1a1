"""Fewer, longer slots: slots of a problem joined to blocks in which every decision stays the same.

The columns of a block become one column, its rows are added up. Flows then stand for their mean over the
block; queues, stored energy and rooms for what is there at its end.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import Block, LinearProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Columns that say what is there at the end of a slot.
_STATES = ("waiting", "energy_mwh", "temperature_c")


class Coarsening:
    """Joins the slots of problems that are alike; integers are dropped.

    Args:
        like: a problem; those to be joined have its structure.
        starts: (B,) the first slot of each block; the first of all is 0.
    """

    def __init__(self, like: LinearProblem, starts: Ints) -> None:
        from scipy.sparse import csc_array

        n_slots = like.columns["import_mw"].ids.shape[1]
        lengths = np.diff(starts, append=n_slots)
        of_slot = np.repeat(np.arange(len(starts)), lengths)
        self._column, self._columns = _numbers(like.columns, len(like.cost), of_slot)
        self._row, self._rows = _numbers(like.rows, len(like.row_lower), of_slot)
        self._size = np.bincount(self._column)
        ends = starts + lengths - 1
        self._states = [(self._columns[name].ids, like.columns[name].ids[:, ends]) for name in _STATES]
        shape = (len(np.bincount(self._row)), len(self._size))
        matrix = like.matrix
        columns = np.repeat(self._column, np.diff(matrix.indptr))
        key = columns * shape[0] + self._row[matrix.indices]
        entries, self._entry = np.unique(key, return_inverse=True)
        indptr = np.searchsorted(entries, np.arange(shape[1] + 1) * shape[0])
        self._matrix = csc_array((np.zeros(len(entries)), entries % shape[0], indptr), shape=shape)

    def __call__(self, p: LinearProblem) -> LinearProblem:
        """The relaxation of a problem on the blocks."""
        matrix = self._matrix.copy()
        matrix.data = _sums(self._entry, p.matrix.data)
        lower, upper = (_sums(self._column, side) / self._size for side in (p.lower, p.upper))
        for now, then in self._states:
            lower[now], upper[now] = p.lower[then], p.upper[then]
        return replace(
            p,
            matrix=matrix,
            cost=_sums(self._column, p.cost),
            lower=lower,
            upper=upper,
            row_lower=_sums(self._row, p.row_lower),
            row_upper=_sums(self._row, p.row_upper),
            integer=np.zeros(len(self._size), dtype=bool),
            columns=self._columns,
            rows=self._rows,
            varying=np.empty(0, dtype=np.int64),
        )


def _sums(number: Ints, values: Floats) -> Floats:
    return np.bincount(number, values).astype(float)


def _numbers(blocks: dict[str, Block], size: int, of_slot: Ints) -> tuple[Ints, dict[str, Block]]:
    """The number of each column or row after joining, and the blocks of columns or rows there."""
    number, joined, count = np.empty(size, dtype=np.int64), {}, 0
    for name, block in blocks.items():
        shape = (len(block.ids), of_slot[-1] + 1) if block.ids.ndim == 2 else block.ids.shape
        ids = np.arange(count, count + int(np.prod(shape))).reshape(shape)
        number[block.ids] = ids[:, of_slot] if ids.ndim == 2 else ids
        joined[name] = Block(name, ids, block.labels)
        count += ids.size
    return number, joined
