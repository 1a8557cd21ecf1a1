"""A linear problem with further columns that overstep its bounds, all shut until someone opens them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..highs.scaling import Scaling

if TYPE_CHECKING:
    from scipy.sparse import sparray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Stretched:
    """Collects columns; :meth:`problem` has the base problem's first, no objective, and the new ones at 0."""

    def __init__(self, base: LinearProblem, scaling: Scaling) -> None:
        self.base = base
        self._scaling = scaling
        self._columns: list[sparray] = []
        self._column_units: list[Floats] = []
        self._n_columns = len(base.cost)
        self._rows: list[tuple[Ints, Ints, float]] = []  # x[first] ≤ factor · x[second]
        self._most: list[int] = []

    def more(self, columns: Ints, seen_by: tuple[str, ...], sign: int = 1) -> Ints:
        """New columns that act as more (``sign`` −1: less) of ``columns`` in the rows ``seen_by``."""
        seen = np.zeros(len(self.base.row_lower))
        for name in seen_by:
            seen[self.base.rows[name].ids] = sign
        entries = self.base.matrix[:, columns].multiply(seen[:, None]).tocsc()
        return self._add(entries, self._scaling.column[columns])

    def relief(self, rows: Ints, gain: Floats) -> Ints:
        """New columns that help a row ``≥`` each, ``gain`` per unit."""
        from scipy.sparse import csc_array

        shape = (len(self.base.row_lower), len(rows))
        entries = csc_array((gain, (rows, np.arange(len(rows)))), shape=shape)
        return self._add(entries, np.full(len(rows), 1 / self._scaling.row[rows[0]]))

    def most_of(self, columns: Ints) -> int:
        """A new column that is at least each of ``columns``."""
        from scipy.sparse import csc_array

        unit = self._column_units_of(columns)[:1]
        most = self._add(csc_array((len(self.base.row_lower), 1)), unit)
        self._rows.append((columns, np.repeat(most, len(columns)), 1.0))
        self._most.append(int(most[0]))
        return int(most[0])

    def only_while(self, columns: Ints, switches: Ints, most: float) -> None:
        """Each of ``columns`` is 0 while its switch is, else at most ``most``."""
        self._rows.append((columns, switches, most))

    def problem(self) -> LinearProblem:
        """The stretched problem."""
        from scipy.sparse import coo_array, csc_array, hstack, vstack

        base, n_new = self.base, self._n_columns - len(self.base.cost)
        matrix, n_rows = hstack([base.matrix, *self._columns]), 0
        parts = []
        for first, second, factor in self._rows:
            rows, ones = np.arange(len(first)), np.ones(len(first))
            place = np.concatenate([rows, rows]), np.concatenate([first, second])
            values = np.concatenate([ones, -factor * ones])
            parts.append(coo_array((values, place), shape=(len(first), self._n_columns)))
            n_rows += len(first)
        matrix = csc_array(vstack([matrix, *parts]))
        matrix.sort_indices()
        upper = np.zeros(n_new)
        upper[np.array(self._most, dtype=np.int64) - len(base.cost)] = np.inf
        return replace(
            base,
            matrix=matrix,
            cost=np.zeros(self._n_columns),
            offset=0.0,
            lower=np.concatenate([base.lower, np.zeros(n_new)]),
            upper=np.concatenate([base.upper, upper]),
            row_lower=np.concatenate([base.row_lower, np.full(n_rows, -np.inf)]),
            row_upper=np.concatenate([base.row_upper, np.zeros(n_rows)]),
            integer=np.concatenate([base.integer, np.zeros(n_new, dtype=bool)]),
        )

    def scaling(self) -> Scaling:
        """The base problem's, and of each new column that of what it adds to."""
        column = np.concatenate([self._scaling.column, *self._column_units])
        rows = [1 / self._column_units_of(first) for first, _, _ in self._rows]
        return Scaling(column, np.concatenate([self._scaling.row, *rows]), 1.0)

    def _add(self, entries: sparray, unit: Floats) -> Ints:
        new = self._n_columns + np.arange(entries.shape[1])
        self._n_columns += len(new)
        self._columns.append(entries)
        self._column_units.append(unit)
        return new

    def _column_units_of(self, columns: Ints) -> Floats:
        return np.concatenate([self._scaling.column, *self._column_units])[columns]
