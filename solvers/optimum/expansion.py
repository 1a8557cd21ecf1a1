"""Sizes as variables of the linear relaxation: what one more unit is worth, and the best size under its cost.

The relaxations of several days stand side by side, tied by their sizes, as in a capacity expansion model
(PyPSA, GenX). Limits that a size sets become rows with the size in them: 0 ≤ import ≤ L as import − L ≤ 0,
soc_min·E ≤ e ≤ soc_max·E, e[0] = soc_initial·E. A battery's mode, c ≤ P·z and d ≤ P·(1 − z) with z relaxed,
is c + d ≤ P. Where a site may only import or export in a slot, the largest import limit stands in that row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.milp.linear_problem import Block, LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

from ..highs.certificate import safe_bound
from ..highs.scaling import Scaling, scaling_of
from ..highs.session import HighsSession
from ..interface.errors import SolverError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

THINGS = ("battery_mwh", "battery_mw", "grid_mw", "renewable_mw", "gpus")
BATTERY_MWH, BATTERY_MW, GRID_MW, RENEWABLE_MW, GPUS = range(len(THINGS))


@dataclass(frozen=True)
class Sized:
    """An optimum of the relaxation with sizes: ``sizes`` (things, J), ``worth`` (things, J) USD that one more
    unit brings over all days, costs of sizes not counted, and a ``bound`` USD on utility less cost."""

    sizes: Floats
    worth: Floats
    bound: float


class Expansion:
    """The relaxation of days with sizes as columns.

    Args:
        days: arrays of each day with every size at its largest.
        most: (things, J) those sizes.
    """

    def __init__(self, days: Sequence[InstanceArrays], most: Floats) -> None:
        from scipy.sparse import block_diag, coo_array, csc_array, hstack, vstack

        self.most = most
        parts = [linear_problem(a) for a in days]
        starts = np.cumsum([0, *(len(p.cost) for p in parts)])
        row_starts = np.cumsum([0, *(len(p.row_lower) for p in parts)])
        self.first = int(starts[-1])  # of the sizes
        size = self.first + np.arange(most.size).reshape(most.shape)
        lower, upper = (np.concatenate([getattr(p, name) for p in parts]) for name in ("lower", "upper"))
        row_lower, row_upper = (
            np.concatenate([getattr(p, name) for p in parts]) for name in ("row_lower", "row_upper")
        )
        entries: list[tuple[Ints, Ints, Floats]] = []  # of sizes in rows that there are
        ties = _Rows()
        for a, p, start, row_start in zip(days, parts, starts[:-1], row_starts[:-1], strict=True):
            columns = {name: start + block.ids for name, block in p.columns.items()}
            rows = {name: row_start + block.ids for name, block in p.rows.items()}
            j = p.members.batteries
            whole = np.maximum(most[BATTERY_MWH, j], 1e-300)
            begun, at_start = a.state.energy_mwh[j] / whole, rows["state_of_charge"][:, 0]
            owed = a.energy_reference_mwh[j] / whole
            row_lower[at_start] = row_upper[at_start] = 0.0
            entries.append((at_start, size[BATTERY_MWH, j], -begun))
            row_lower[rows["terminal_energy"]] = 0.0
            entries.append((rows["terminal_energy"], size[BATTERY_MWH, j], -owed))
            content = columns["energy_mwh"]
            lower[content] = 0.0
            ties.add([(content, 1.0)], size[BATTERY_MWH, j], -a.energy_max_mwh[j] / whole)
            ties.add([(content, -1.0)], size[BATTERY_MWH, j], a.energy_min_mwh[j] / whole)
            flows = [(columns["charge_mw"], 1.0), (columns["discharge_mw"], 1.0)]
            ties.add(flows, size[BATTERY_MW, j], -np.ones(len(j)))
            ties.add([(columns["import_mw"], 1.0)], size[GRID_MW], -np.ones(len(a.sites)))
            share = a.renewable_mw / np.maximum(most[RENEWABLE_MW], 1e-300)[:, None]
            ties.add([(columns["renewable_mw"], 1.0)], size[RENEWABLE_MW], -share)
            ties.add([(columns["gpus_on"], 1.0)], size[GPUS], -np.ones(len(a.sites)))
        n_rows = int(row_starts[-1])
        width = self.first + most.size
        matrix = block_diag([p.matrix for p in parts])
        pad = coo_array((n_rows, most.size))
        new = ties.matrix(width)
        put = [np.concatenate(part) for part in zip(*entries, strict=True)]
        extra = coo_array((put[2], (put[0], put[1])), shape=(n_rows, width))
        whole_matrix = csc_array(vstack([csc_array(hstack([matrix, pad])) + extra.tocsc(), new]))
        whole_matrix.sort_indices()
        self._scaling = _joined([scaling_of(p) for p in parts], most.size, new.shape[0])
        blocks = {
            "sizes": Block("sizes", size, lambda: [(thing,) for thing in THINGS]),
        }
        self.problem = LinearProblem(
            matrix=whole_matrix,
            cost=np.concatenate([*(p.cost for p in parts), np.zeros(most.size)]),
            offset=float(sum(p.offset for p in parts)),
            lower=np.concatenate([lower, np.zeros(most.size)]),
            upper=np.concatenate([upper, most.ravel()]),
            row_lower=np.concatenate([row_lower, np.full(new.shape[0], -np.inf)]),
            row_upper=np.concatenate([row_upper, np.zeros(new.shape[0])]),
            integer=np.zeros(width, dtype=bool),
            columns=blocks,
            rows={},
            members=parts[0].members,
            varying=np.empty(0, dtype=np.int64),
        )

    def at(self, sizes: Floats) -> Sized:
        """The relaxation with these sizes; ``worth`` are supergradients of its bound there."""
        return self._solved(sizes, sizes, np.zeros_like(sizes), np.zeros_like(sizes))

    def best(self, least: Floats, most: Floats, cost: Floats, paid: Floats) -> Sized:
        """The best sizes between ``least`` and ``most`` at a ``cost`` (USD a unit over all days) beyond those
        that are ``paid`` for; all (things, J)."""
        return self._solved(least, most, cost, paid)

    def _solved(self, least: Floats, most: Floats, cost: Floats, paid: Floats) -> Sized:
        p, sizes = self.problem, slice(self.first, None)
        priced = replace(
            p, cost=p.cost.copy(), lower=p.lower.copy(), upper=p.upper.copy(),
            offset=p.offset + float((cost * paid).sum()),
        )  # fmt: skip
        priced.cost[sizes] = -cost.ravel()
        priced.lower[sizes], priced.upper[sizes] = least.ravel(), most.ravel()
        found = HighsSession(priced, relaxed=True, scaling=self._scaling).solve()
        if found.x is None or found.row_dual is None:
            raise SolverError(f"the relaxation with sizes has no optimum: {found.termination}")
        worth = -(p.matrix.T @ found.row_dual)[sizes]
        bound = safe_bound(priced, found.row_dual)
        return Sized(found.x[sizes].reshape(self.most.shape), worth.reshape(self.most.shape), bound)


class _Rows:
    """Rows Σ flows + entry·size ≤ 0, a row for each flow."""

    def __init__(self) -> None:
        self._rows: list[Ints] = []
        self._columns: list[Ints] = []
        self._values: list[Floats] = []
        self.count = 0

    def add(self, flows: list[tuple[Ints, float]], size: Ints, entry: Floats) -> None:
        """Flows (n,T), sizes (n,), entries (n,) or (n,T)."""
        shape = flows[0][0].shape
        rows = self.count + np.arange(flows[0][0].size).reshape(shape)
        self.count += rows.size
        spread = np.broadcast_to(entry if entry.ndim == 2 else entry[:, None], shape)
        for columns, values in [*flows, (np.broadcast_to(size[:, None], shape), spread)]:
            self._rows.append(rows.ravel())
            self._columns.append(np.asarray(columns).ravel())
            self._values.append(np.broadcast_to(np.asarray(values, dtype=float), shape).ravel())

    def matrix(self, width: int) -> Any:
        from scipy.sparse import coo_array

        values = np.concatenate(self._values)
        rows, columns = np.concatenate(self._rows), np.concatenate(self._columns)
        return coo_array((values, (rows, columns)), shape=(self.count, width)).tocsc()


def _joined(parts: list[Scaling], sizes: int, rows: int) -> Scaling:
    unit = parts[0]
    return Scaling(
        np.concatenate([*(part.column for part in parts), np.ones(sizes)]),
        np.concatenate([*(part.row for part in parts), np.ones(rows)]),
        unit.objective,
    )
