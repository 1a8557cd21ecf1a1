"""Rows and columns scaled by powers of two before HiGHS sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.pyomo_docs import CONSTRAINTS

Floats = NDArray[np.float64]
Ints = NDArray[np.signedinteger]


_POWER_COLUMNS = {
    "it_mw", "import_mw", "export_mw", "renewable_mw", "peak_mw", "charge_mw", "discharge_mw", "energy_mwh",
    "energy_missing_mwh", "generator_mw", "cooling_mw", "metered_mw",
}  # fmt: skip


_POWER_ROWS = {
    "it_power", "power_balance", "peak", "charge_mode", "discharge_mode", "state_of_charge",
    "terminal_energy", "generator_maximum", "generator_minimum", "metering", "import_mode", "export_mode",
}  # fmt: skip


#: Sites of less power have none: numbers in units of it would be beyond all others.
_NOTHING_MW = 1e-9


#: HiGHS drops smaller entries inside its search for whole numbers, whatever it is told, and then fails.
_LEAST_ENTRY = 2.0**-28
#: Larger entries it refuses.
_MOST_ENTRY = 2.0**40


@dataclass(frozen=True)
class Scaling:
    """x = column · x' and row' = row · row, objective' = objective · value; powers of two."""

    column: Floats
    row: Floats
    objective: float


def scaling_of(p: LinearProblem) -> Scaling:
    """Units in which powers, job counts and money are of similar size."""
    column, row = np.ones(len(p.cost)), np.ones(len(p.row_lower))
    power = float(p.upper[p.columns["it_mw"].ids].max(initial=0.0))
    if power == 0:
        power = float(p.upper[p.columns["import_mw"].ids].max(initial=0.0))
    unit = _power_of_two(power / 256) if power > _NOTHING_MW else 1.0
    for name in _POWER_COLUMNS & p.columns.keys():
        column[p.columns[name].ids] = unit
    for name in _POWER_ROWS & p.rows.keys():
        row[p.rows[name].ids] = 1 / unit
    used = np.where(p.integer, p.upper >= 1, p.upper > 0)
    # a matrix of many small rows is gone through faster as plain arrays than by sparse operations
    row_of, column_of = p.matrix.indices, np.repeat(np.arange(len(p.cost)), np.diff(p.matrix.indptr))
    sizes = np.abs(p.matrix.data)
    of_gpu_time = np.zeros(len(row), dtype=bool)
    of_gpu_time[p.rows["gpu_time"].ids] = True
    gpu_time = sizes[of_gpu_time[row_of] & used[column_of]]
    if gpu_time.size:
        row[of_gpu_time] = 1 / _power_of_two(float(gpu_time.max()))
    # a user's own rows, whatever they count in
    for own in (block.ids.ravel() for name, block in p.rows.items() if name not in CONSTRAINTS):
        largest = _largest(row_of, sizes * column[column_of], len(row))[own]
        row[own] = 1 / _powers_of_two(np.where(largest > 0, largest, 1.0))
    _lift(row, row_of, sizes * np.where(used, column, 0.0)[column_of])
    revenue = float(np.abs(p.cost[p.columns["runs"].ids]).max(initial=0.0))
    # HiGHS perturbs costs by their size: jobs at 1/32 take half the simplex steps that jobs at 1 take
    return Scaling(column, row, 1 / 32 / _power_of_two(revenue) if revenue > 0 else 1024.0)


def _lift(row: Floats, row_of: Ints, entries: Floats) -> None:
    """Larger units of rows with entries that would be lost beside larger ones."""
    some = entries > 0
    least = np.full(len(row), np.inf)
    np.minimum.at(least, row_of[some], entries[some])
    least *= row
    most = row * _largest(row_of, entries, len(row))
    small = np.flatnonzero(least < _LEAST_ENTRY)
    wanted = np.minimum(_LEAST_ENTRY / least[small], _MOST_ENTRY / most[small])
    row[small] *= np.exp2(np.ceil(np.log2(np.maximum(wanted, 1.0))))


def _largest(row_of: Ints, entries: Floats, n_rows: int) -> Floats:
    """(R,) the largest of each row's entries, which are not negative."""
    largest = np.zeros(n_rows)
    np.maximum.at(largest, row_of, entries)
    return largest


def _power_of_two(value: float) -> float:
    return float(2.0 ** np.round(np.log2(value)))


def _powers_of_two(values: Floats) -> Floats:
    return np.exp2(np.round(np.log2(values))).astype(np.float64)
