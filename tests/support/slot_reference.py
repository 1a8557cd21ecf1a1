"""The slot under prices as a plain linear program in natural units, written by loops: what HiGHS is asked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from stepwatt.formulation.plant.stacked import UNLIMITED, Problem
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.response import SlotPrices

Row = dict[int, float]


class _Rows:
    """Columns with cost and upper bound, and rows over them."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.upper: list[float] = []
        self.equal: list[tuple[Row, float]] = []
        self.at_most: list[tuple[Row, float]] = []
        self.named: dict[tuple[str, int, int, int], list[int]] = {}

    def column(self, cost: float, upper: float = np.inf) -> int:
        self.cost.append(float(cost))
        self.upper.append(float(upper))
        return len(self.cost) - 1

    def matrix(self, rows: list[tuple[Row, float]]) -> tuple[Any, Any]:
        if not rows:
            return None, None
        entries = [(n, c, v) for n, (row, _) in enumerate(rows) for c, v in row.items()]
        at, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
        shape = (len(rows), len(self.cost))
        right = np.array([value for _, value in rows])
        return sp.csr_matrix((values, (at, columns)), shape=shape), right


def _of(values: Any, b: int, t: int | None = None) -> dict[str, Any]:
    found = {}
    for f in fields(values):
        array = getattr(values, f.name)
        if f.name == "shape" or not hasattr(array, "shape"):
            continue
        array = np.asarray(array)
        found[f.name] = array[min(b, len(array) - 1)] if t is None else array[t][b]
    return found


SERIES = [
    "arrivals",
    "recent",
    "import_cost",
    "export_price",
    "renewable",
    "pue",
    "cop",
    "outside",
    "ceiling",
]


def slot_optimum(
    problem: Problem,
    t: int,
    state: PlantState,
    prices: SlotPrices,
    b: int,
    forced: tuple[tuple[str, int, int, int], float] | None = None,
) -> float | None:
    """USD of instance b's best response, generators relaxed; None where there is none.

    ``forced``: at least so many jobs by transfer (i,k,j), held (i,k,−1), lost (i,k,−1) or option (j,k,o).
    """
    n, classes = problem.shape.sites, problem.shape.classes
    p = {name: v for name, v in _of(problem, b).items() if name not in SERIES}
    p |= {name: np.asarray(getattr(problem, name))[t][b] for name in SERIES}
    now, said = _of(state, b), _of(prices, b)
    final = t == problem.shape.n_slots - 1
    lp, constant = _Rows(), 0.0
    penalty = np.broadcast_to(p["miss_penalty"], (n, classes))
    inflow: dict[tuple[int, int], Row] = {}
    moved: dict[tuple[int, int], Row] = {}
    at_hand = now["waiting"] + p["arrivals"]
    for i in range(n):
        for k in range(classes):
            row: Row = {}
            for j in range(n):
                if p["open"][i, k, j] > 0:
                    column = lp.column(p["moving_cost"][i, k, j])
                    lp.named["transfer", i, k, j] = [column]
                    row[column] = 1.0
                    inflow.setdefault((j, k), {})[column] = -1.0
                    moved.setdefault((i, j), {})[column] = float(p["payload"][0, k, 0])
            may_wait = min(p["recent"][i, k, 0], at_hand[i, k])
            points = [0.0, *np.clip(said["waiting_ends"][i, k], 0.0, may_wait), may_wait]
            for start, end, slope in zip(points[:-1], points[1:], said["waiting"][i, k], strict=True):
                worth = 0.0 if final else max(slope, -penalty[i, k])
                row[lp.column(-worth, end - start)] = 1.0
                lp.named.setdefault(("held", i, k, -1), []).append(len(lp.cost) - 1)
            row[lp.column(penalty[i, k])] = 1.0
            lp.named["lost", i, k, -1] = [len(lp.cost) - 1]
            lp.equal.append((row, at_hand[i, k]))
    for (i, j), row in moved.items():
        if p["link"][i, j] < UNLIMITED / 10:
            lp.at_most.append((row, p["link"][i, j]))
    for j in range(n):
        constant += _site(lp, problem, p, now, said, j, final, inflow)
    if forced is not None:
        lp.at_most.append((dict.fromkeys(lp.named[forced[0]], -1.0), -forced[1]))
    a_eq, b_eq = lp.matrix(lp.equal)
    a_ub, b_ub = lp.matrix(lp.at_most)
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(
        lp.cost,
        A_ub=a_ub,
        b_ub=b_ub,
        A_eq=a_eq,
        b_eq=b_eq,
        bounds=list(zip([0.0] * len(lp.cost), lp.upper, strict=True)),
        method="highs",
        options=tight,
    )
    return constant - float(found.fun) if found.status == 0 else None


def _site(
    lp: _Rows,
    problem: Problem,
    p: dict[str, Any],
    now: dict[str, Any],
    said: dict[str, Any],
    j: int,
    final: bool,
    inflow: dict[tuple[int, int], Row],
) -> float:
    """The site's columns and rows; returns its constant, USD."""
    h, constant = problem.shape.slot_hours, 0.0
    gpu: Row = {}
    power: Row = {}
    for k in range(problem.shape.classes):
        row = dict(inflow.get((j, k), {}))
        for o in range(p["row"].shape[-1]):
            if p["row"][j, k, o] >= 0:
                column = lp.column(-p["revenue"][j, k, o])
                lp.named["option", j, k, o] = [column]
                row[column] = 1.0
                gpu[column] = p["seconds"][j, k, o]
                idle = p["idle_mw"][j] * p["seconds"][j, k, o] / p["per_gpu"][j]
                power[column] = p["energy"][j, k, o] / h + idle
        if row:
            lp.equal.append((row, 0.0))
    lp.at_most.append((gpu, p["gpus"][j] * p["per_gpu"][j]))
    balance: Row = {column: -p["pue"][j] * mw for column, mw in power.items()}
    imported = lp.column(h * p["import_cost"][j], min(p["import_limit"][j], 1e3))
    balance[imported] = 1.0
    expected = now["peak"][j] if final else max(now["peak"][j], said["peak"][j])
    lp.at_most.append(({imported: 1.0, lp.column(p["demand_charge"][j]): -1.0}, expected))
    balance[lp.column(0.0, p["renewable"][j])] = 1.0
    balance[lp.column(-h * p["export_price"][j], min(p["export_limit"][j], 1e3))] = -1.0
    most = p["generator_max"][j]
    if most > 0:
        start = now["restart"][j] + h * p["no_load_cost"][j] - (0.0 if final else said["running"][j])
        balance[lp.column(h * p["generator_cost"][j] + max(0.0, start) / most, most)] = 1.0
    # battery
    low, high, held = p["energy_min"][j], p["energy_max"][j], now["energy"][j]
    up, down, rate = p["charge_efficiency"][j], p["discharge_efficiency"][j], p["battery_power"][j]
    charge = lp.column(0.0, min(rate, max(high - held, 0.0) / h / up))
    discharge = lp.column(h * p["wear_cost"][j], min(rate, max(held - low, 0.0) * down / h))
    balance[charge], balance[discharge] = -1.0, 1.0
    ends, slopes = list(said["energy_ends"][j]), list(said["energy"][j])
    if final:
        ends, slopes = [p["energy_reference"][j]], [p["terminal_price"][j], 0.0]
        constant -= p["terminal_price"][j] * (p["energy_reference"][j] - low)
    points = [low, *np.clip(ends, low, high), high]
    row = {charge: h * up, discharge: -h / down}
    for start, end, slope in zip(points[:-1], points[1:], slopes, strict=True):
        row[lp.column(-slope, end - start)] = -1.0
    lp.equal.append((row, low - held))
    # the room
    if p["thermal"][j]:
        cooling = lp.column(0.0, p["cooling_max"][j])
        balance[cooling] = -1.0
        ends, slopes = list(said["warmth_ends"][j]), list(said["warmth"][j])
        if final:
            ends, slopes = [p["temperature_reference"][j]], [0.0, p["terminal_heat_price"][j]]
        cold, warm = p["min_c"][j], p["ceiling"][j]
        points = [cold, *np.clip(ends, cold, warm), warm]
        gain = p["heat_rate"][j]
        row = {column: gain * mw for column, mw in power.items()}
        row[cooling] = -gain * p["cop"][j]
        for start, end, slope in zip(points[:-1], points[1:], slopes, strict=True):
            row[lp.column(slope, end - start)] = -1.0
        loss = p["leak"][j] * (now["temperature"][j] - p["outside"][j])
        lp.at_most.append((row, cold - now["temperature"][j] + gain * loss))
    lp.equal.append((balance, 0.0))
    return constant
