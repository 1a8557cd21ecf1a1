"""A moving window in which every slot keeps its place: the one that leaves makes room for the one that comes.

Written from its first slot on, a window that moves by one slot changes everywhere. On a ring of places, slot
t of the horizon stands at place t mod length for as long as the window sees it, so only the new slot's data
and the entries at the seam change, and the simplex starts from a basis that is right nearly everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import Block, LinearProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Ring:
    """Turns windows of the structure of ``p`` so that slots keep their places.

    Entries that tie a slot to the one before, or to the end of the window, exist at every place; they are
    zero where the seam does not lie so.
    """

    def __init__(self, p: LinearProblem) -> None:
        from scipy.sparse import coo_array

        self.length = _length(p)
        self._column_first, self._column_slot = _first_and_slot(p.columns.values(), len(p.cost))
        self._row_first, self._row_slot = _first_and_slot(p.rows.values(), len(p.row_lower))
        matrix = p.matrix
        rows = matrix.indices.astype(np.int64)
        columns = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
        row_slot, column_slot = self._row_slot[rows], self._column_slot[columns]
        ahead = np.where((row_slot >= 0) & (column_slot >= 0), column_slot - row_slot, 0)
        at_end = (row_slot < 0) & (column_slot >= 0)
        seam = (ahead != 0) | at_end
        # one entry of each kind stands for all: the others of its kind differ in the slot alone
        kinds = np.stack(
            [self._row_first[rows], self._column_first[columns], np.where(at_end, column_slot, ahead)]
        )[:, seam]
        _, chosen = np.unique(kinds, axis=1, return_index=True)
        of_kind = np.flatnonzero(seam)[chosen][:, None]
        places = np.arange(self.length)
        all_rows, all_columns = (
            np.where(slot[of_kind] < 0, first[numbers[of_kind]], first[numbers[of_kind]] + turned)
            for numbers, first, slot, turned in (
                (rows, self._row_first, row_slot, places),
                (columns, self._column_first, column_slot, (places + ahead[of_kind]) % self.length),
            )
        )
        self._seam_values = np.broadcast_to(matrix.data[of_kind], all_rows.shape)
        # the slots (of the row, if it has one) at which the entry is there
        self._seam_from = np.where(at_end, column_slot, np.maximum(0, -ahead))[of_kind]
        self._seam_to = np.where(at_end, column_slot, self.length - 1 - np.maximum(0, ahead))[of_kind]

        union = coo_array(
            (
                np.concatenate([matrix.data[~seam], np.ones(all_rows.size)]),
                (
                    np.concatenate([rows[~seam], all_rows.ravel()]),
                    np.concatenate([columns[~seam], all_columns.ravel()]),
                ),
            ),
            shape=matrix.shape,
        ).tocsc()
        union.sort_indices()
        self._matrix = union
        key = np.repeat(np.arange(matrix.shape[1]), np.diff(union.indptr)) * matrix.shape[0] + union.indices
        self._seam = np.searchsorted(key, all_columns * matrix.shape[0] + all_rows)
        self._varying = np.searchsorted(key, columns[p.varying] * matrix.shape[0] + rows[p.varying]).reshape(
            -1, self.length
        )

    def turned(self, p: LinearProblem, origin: int) -> LinearProblem:
        """The window that begins at slot ``origin`` of the horizon, its slots at their places."""
        offset = origin % self.length
        matrix = self._matrix.copy()
        slots = (np.arange(self.length) - offset) % self.length
        there = (self._seam_from <= slots) & (slots <= self._seam_to)
        matrix.data[self._seam] = np.where(there, self._seam_values, 0.0)
        varying = p.matrix.data[p.varying].reshape(-1, self.length)
        matrix.data[self._varying] = varying[:, slots]
        columns = self._sources(self._column_first, self._column_slot, offset)
        rows = self._sources(self._row_first, self._row_slot, offset)
        return replace(
            p,
            matrix=matrix,
            cost=p.cost[columns],
            lower=p.lower[columns],
            upper=p.upper[columns],
            row_lower=p.row_lower[rows],
            row_upper=p.row_upper[rows],
            integer=p.integer[columns],
            varying=self._varying.ravel(),
        )

    def _sources(self, first: Ints, slot: Ints, offset: int) -> Ints:
        """For each place, the number it has in a window written from its first slot on."""
        earlier = slot - offset
        earlier[earlier < 0] += self.length
        return np.where(slot < 0, first, first + earlier)


def _length(p: LinearProblem) -> int:
    return int(next(block.ids.shape[1] for block in p.columns.values() if block.ids.ndim == 2))


def _first_and_slot(blocks: Iterable[Block], size: int) -> tuple[Ints, Ints]:
    """Of each column or row, the number of its member's first slot, and its slot; −1 where it has none."""
    first, slot = np.arange(size), np.full(size, -1)
    for block in blocks:
        if block.ids.ndim == 2:
            first[block.ids] = block.ids[:, :1]
            slot[block.ids] = np.arange(block.ids.shape[1])
    return first, slot
