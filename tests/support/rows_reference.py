"""Programs of slots and horizons with their matrix written out by loops: what HiGHS is asked."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from stepwatt.solvers.response.programs.rows import Rows
from stepwatt.solvers.response.programs.slot_program import GPU, POWER
from stepwatt.solvers.response.programs.ties import CAP, TYING, DayRows

Numbers = NDArray[Any]


def rows_optimum(rows: Rows, b: int) -> float:
    """USD of the maximum of instance b."""
    p, batch = rows.p, rows.p.money.shape[-1] // rows.blocks
    own = slice(b, None, batch)
    options = p.option_cost * p.open[:, :, None]
    cost = np.concatenate([p.cost[:, own], options.reshape(-1, options.shape[-1])[:, own]])
    upper = np.full_like(cost, np.inf)
    upper[: len(p.cost)] = 1.0
    found = linprog(
        (cost * p.money[own]).T.ravel(),
        A_eq=_matrix(rows, b, batch),
        b_eq=p.right[:, own].T.ravel(),
        bounds=np.stack([np.zeros(cost.size), upper.T.ravel()], axis=1),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0, found.message
    return float(p.constant[own].sum()) - float(found.fun)


def _matrix(rows: Rows, b: int, batch: int) -> Numbers:
    """Block after block, within one the box columns before the options."""
    p, (n, classes, count) = rows.p, rows.p.option_cost.shape[:3]
    height, box = len(p.right), len(p.cost)
    width = box + n * classes * count
    supply, balance, sites, links = (x if x is None else x[..., 0] for x in rows.split(_numbered(height)))
    moved, held, lost, site, slack = (x if x is None else x[..., 0] for x in rows.boxes(_numbered(box)))
    runs = np.arange(box, width).reshape(n, classes, count)
    matrix = np.zeros((rows.blocks, height, rows.blocks, width))
    for t in range(rows.blocks):
        c = t * batch + b

        def at(values: Numbers, c: int = c) -> Numbers:
            found: Numbers = values[..., c if values.shape[-1] > 1 else 0]
            return found

        a = matrix[t, :, t]
        single = p.features.single if p.features.shared else at(p.features.single)
        for i, k, j in product(range(n), range(classes), range(n)):
            a[supply[i, k], moved[i, k, j]] = at(p.transfer_supply)[i, k, j]
            a[balance[k, j], moved[i, k, j]] = at(p.transfer_balance)[i, k, j]
            if links is not None and slack is not None and p.transfer_link is not None:
                a[links[i, j], moved[i, k, j]] = at(p.transfer_link)[i, k, j]
                a[links[i, j], slack[i, j]] = at(p.link_slack)[i, j]
        for i, k in product(range(n), range(classes)):
            a[supply[i, k], lost[i, k]] = at(p.lost)[i, k]
            for s in range(len(held)):
                a[supply[i, k], held[s, i, k]] = at(p.held)[s, i, k]
        for r, m, j in product(range(len(sites)), range(len(site)), range(n)):
            a[sites[r, j], site[m, j]] = at(p.site)[r, m, j]
        for j, k, o in product(range(n), range(classes), range(count)):
            jobs, seconds, energy = single[j, k, :, o]
            watts = at(p.job_power)[j, k] * energy + at(p.idle_power)[j, k] * seconds
            run = runs[j, k, o]
            a[balance[k, j], run] = at(p.open)[j, k] * jobs
            a[sites[GPU, j], run] = at(p.job_seconds)[j, k] * seconds
            for r in range(2):
                a[sites[POWER + r, j], run] = at(p.power_entry)[r, j] * watts
        if not isinstance(rows, DayRows):
            continue
        if t > 0:
            before, earlier = matrix[t, :, t - 1], c - batch
            for i, k in product(range(n), range(classes)):
                before[supply[i, k], held[0, i, k]] = rows.ties.held[i, k, earlier]
            for kind, entries in rows.ties.sites.items():
                for part, j in product(range(len(entries)), range(n)):
                    column = site[p.names[TYING[kind]]][part, j]
                    before[sites[kind, j], column] = entries[part, j, earlier]
        if rows.ties.rise is not None:
            for j in range(n):
                matrix[t, sites[CAP, j], 0, site[p.names["rise"]][0, j]] += rows.ties.rise[j, c]
    return matrix.reshape(rows.blocks * height, rows.blocks * width)


def _numbered(count: int) -> NDArray[np.int64]:
    return np.arange(count)[:, None]
