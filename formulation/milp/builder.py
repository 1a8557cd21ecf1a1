"""Columns and rows of a linear problem, gathered block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .linear_problem import Block, Labels, LinearProblem, Members

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Builder:
    """Collects columns, rows and entries; indices are handed out as arrays."""

    def __init__(self, n_slots: int, like: LinearProblem | None) -> None:
        self.n_slots = n_slots
        self._like = like
        self.columns: dict[str, Block] = {}
        self.rows: dict[str, Block] = {}
        self._column_data: list[tuple[Floats, Floats, Floats, Bools]] = []
        self._row_data: list[tuple[Floats, Floats]] = []
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self._varying: list[tuple[Ints, Ints, Floats]] = []
        self._n_columns = self._n_rows = 0

    def add_columns(
        self,
        name: str,
        labels: Labels,
        count: int,
        *,
        upper: Any,
        lower: Any = 0.0,
        cost: Any = 0.0,
        integer: bool = False,
        per_slot: bool = True,
    ) -> Ints:
        """A block of columns of that name: their indices (count,T), or (count,) where not ``per_slot``."""
        shape = (count, self.n_slots) if per_slot else (count,)
        size = count * self.n_slots if per_slot else count
        ids = np.arange(self._n_columns, self._n_columns + size).reshape(shape)
        self._n_columns += size
        self.columns[name] = Block(name, ids, labels)
        spread = [_spread(values, shape) for values in (lower, upper, cost)]
        self._column_data.append((spread[0], spread[1], spread[2], np.full(size, integer)))
        return ids

    def add_rows(
        self,
        name: str,
        labels: Labels,
        count: int,
        *,
        lower: Any = -np.inf,
        upper: Any = np.inf,
        per_slot: bool = True,
    ) -> Ints:
        """A block of rows of that name: their indices (count,T), or (count,) where not ``per_slot``."""
        shape = (count, self.n_slots) if per_slot else (count,)
        size = count * self.n_slots if per_slot else count
        ids = np.arange(self._n_rows, self._n_rows + size).reshape(shape)
        self._n_rows += size
        self.rows[name] = Block(name, ids, labels)
        self._row_data.append((_spread(lower, shape), _spread(upper, shape)))
        return ids

    def put(self, rows: Ints, columns: Ints, values: Any, *, varying: bool = False) -> None:
        """Entries at (rows, columns), all of one shape after broadcasting.

        ``varying`` entries differ from slot to slot; the others are the same in every window of a horizon.
        """
        if self._like is not None and not varying:
            return
        r, c, v = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=float))
        (self._varying if varying else self._entries).append((r.ravel(), c.ravel(), v.ravel()))

    def _matrix(self) -> tuple[csc_array, Ints]:
        from scipy.sparse import coo_array

        parts = self._varying or [(np.empty(0, dtype=np.int64),) * 2 + (np.empty(0),)]
        v_rows, v_columns, v_values = (np.concatenate(part) for part in zip(*parts, strict=True))
        if self._like is not None:
            matrix = self._like.matrix.copy()
            matrix.data[self._like.varying] = v_values
            return matrix, self._like.varying
        rows, columns, values = (
            np.concatenate([*part, varying])
            for part, varying in zip(
                zip(*self._entries, strict=True), (v_rows, v_columns, v_values), strict=True
            )
        )
        keep = values != 0
        keep[len(keep) - len(v_values) :] = True  # another window may have another value there
        shape = (self._n_rows, self._n_columns)
        matrix = coo_array((values[keep], (rows[keep], columns[keep])), shape=shape).tocsc()
        matrix.sort_indices()
        # entries of a column lie by row, so (column, row) pairs are sorted
        key = np.repeat(np.arange(shape[1]), np.diff(matrix.indptr)) * shape[0] + matrix.indices
        return matrix, np.searchsorted(key, v_columns * shape[0] + v_rows)

    def problem(self, members: Members, offset: float) -> LinearProblem:
        """All that was collected, as one problem; ``offset`` (USD) is what no column can change."""
        matrix, varying = self._matrix()
        lower, upper, cost, integer = (np.concatenate(part) for part in zip(*self._column_data, strict=True))
        row_lower, row_upper = (np.concatenate(part) for part in zip(*self._row_data, strict=True))
        return LinearProblem(
            matrix=matrix,
            cost=cost,
            offset=offset,
            lower=lower,
            upper=upper,
            row_lower=row_lower,
            row_upper=row_upper,
            integer=integer,
            columns=self.columns,
            rows=self.rows,
            members=members,
            varying=varying,
        )


def _spread(values: Any, shape: tuple[int, ...]) -> Floats:
    """Values broadcast to a shape, flat."""
    spread = np.empty(shape)
    spread[...] = values
    return spread.ravel()
