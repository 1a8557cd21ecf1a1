"""The matrices of ``jemas`` written down by hand: the least that a model of this shape can cost.

No names, no blocks, no optional parts: one flat list of entries and one conversion. Columns and rows are in
the order of :func:`milp.matrices.linear_problem`, so that entries can be compared one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from stepwatt.formulation import InstanceArrays

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ByHand:
    """maximise cost·x, row_lower ≤ matrix x ≤ row_upper, lower ≤ x ≤ upper, some x integer."""

    matrix: Any
    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    integer: NDArray[np.bool_]


def by_hand(a: InstanceArrays) -> ByHand:
    """For instances like ``jemas``: every site serves every class, has a battery and a thermal room; no
    generator, no demand charge, no limited links."""
    if not (a.served().all() and a.battery.all() and a.thermal.all()) or a.generator.any():
        raise ValueError("this hand wrote down jemas only")
    o, dt, T = a.options, a.slot_hours, a.n_slots
    J, K, n_options = len(a.sites), len(a.classes), len(a.options)
    sizes = {
        "transfers": J * J * K * T, "runs": n_options * T, "lost": J * K * T, "waiting": J * K * T,
        "gpus_on": J * T, "it": J * T, "import": J * T, "export": J * T, "renewable": J * T,
        "charge": J * T, "discharge": J * T, "charging": J * T, "energy": J * T, "missing": J,
        "cooling": J * T, "room": J * T, "leftover": J,
    }  # fmt: skip
    ends = np.cumsum(list(sizes.values()))
    ids = {
        name: np.arange(end - size, end)
        for (name, size), end in zip(sizes.items(), ends.tolist(), strict=True)
    }
    x = ids["transfers"].reshape(J, J, K, T)
    w = ids["runs"].reshape(n_options, T)
    lost, waiting = ids["lost"].reshape(J, K, T), ids["waiting"].reshape(J, K, T)
    per = {name: ids[name].reshape(J, T) for name, size in sizes.items() if size == J * T}

    queue = np.arange(J * K * T).reshape(J, K, T)
    assigned = queue + J * K * T
    rows = np.arange(6 * J * T).reshape(6, J, T) + 2 * J * K * T
    gpu_time, it_power, content, charging, discharging = rows[:5]
    missing = np.arange(J) + 2 * J * K * T + 5 * J * T
    heat = np.arange(J * T).reshape(J, T) + missing[-1] + 1
    leftover = np.arange(J) + heat[-1, -1] + 1
    balance = np.arange(J * T).reshape(J, T) + leftover[-1] + 1

    per_mw = (dt / a.heat_capacity)[:, None]
    keep = 1 - per_mw * a.leak_mw_per_c[:, None]
    power = a.battery_power_mw[:, None]
    entries = [
        (queue, waiting, 1.0), (queue[:, :, 1:], waiting[:, :, :-1], -1.0), (queue, lost, 1.0),
        (queue[:, None], x, 1.0), (assigned[o.site, o.job_class], w, 1.0), (assigned[None], x, -1.0),
        (gpu_time[o.site], w, o.seconds[:, None]), (gpu_time, per["gpus_on"], -a.seconds_per_gpu[:, None]),
        (it_power, per["it"], 1.0), (it_power[o.site], w, -(o.energy_mwh / dt)[:, None]),
        (it_power, per["gpus_on"], -a.gpu_idle_mw[:, None]),
        (content, per["energy"], 1.0), (content[:, 1:], per["energy"][:, :-1], -1.0),
        (content, per["charge"], -dt * a.charge_efficiency[:, None]),
        (content, per["discharge"], dt / a.discharge_efficiency[:, None]),
        (charging, per["charge"], 1.0), (charging, per["charging"], -power),
        (discharging, per["discharge"], 1.0), (discharging, per["charging"], power),
        (missing, ids["missing"], 1.0), (missing, per["energy"][:, -1], 1.0),
        (heat, per["room"], 1.0), (heat[:, 1:], per["room"][:, :-1], -keep),
        (heat, per["it"], -per_mw), (heat, per["cooling"], per_mw * a.cop),
        (leftover, ids["leftover"], 1.0), (leftover, per["room"][:, -1], -1.0),
        (balance, per["import"], 1.0), (balance, per["renewable"], 1.0), (balance, per["export"], -1.0),
        (balance, per["it"], -1.0), (balance, per["discharge"], 1.0), (balance, per["charge"], -1.0),
        (balance, per["cooling"], -1.0),
    ]  # fmt: skip
    parts = [[part.ravel() for part in np.broadcast_arrays(*entry)] for entry in entries]
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    matrix = coo_array((value, (row, column)), shape=(balance[-1, -1] + 1, ends[-1])).tocsc()
    matrix.sort_indices()

    cost, lower, upper = np.zeros(ends[-1]), np.zeros(ends[-1]), np.zeros(ends[-1])
    limit = a.waiting_limit()
    present = a.arrivals + np.concatenate([np.zeros((J, K, 1)), limit[:, :, :-1]], axis=2)
    capacity = (a.gpus * a.seconds_per_gpu)[o.site] / o.seconds
    hottest = np.array([(o.energy_mwh / o.seconds)[o.site == j].max() for j in range(J)])
    upper[x] = present[:, None]
    upper[w] = np.minimum(present.sum(axis=0)[o.job_class], capacity[:, None])
    upper[lost], upper[waiting] = present, limit
    upper[per["gpus_on"]] = a.gpus[:, None]
    upper[per["it"]] = (a.gpus * (hottest * a.seconds_per_gpu / dt + a.gpu_idle_mw))[:, None]
    upper[per["import"]], upper[per["export"]] = a.import_limit_mw[:, None], a.export_limit_mw[:, None]
    upper[per["renewable"]] = a.renewable_mw
    upper[per["charge"]] = upper[per["discharge"]] = power
    upper[per["charging"]] = 1.0
    lower[per["energy"]], upper[per["energy"]] = a.energy_min_mwh[:, None], a.energy_max_mwh[:, None]
    upper[ids["missing"]] = a.energy_reference_mwh - a.energy_min_mwh
    upper[per["cooling"]] = a.cooling_max_mw[:, None]
    lower[per["room"]], upper[per["room"]] = a.min_c[:, None], a.max_c[:, None]
    upper[ids["leftover"]] = a.max_c - a.temperature_reference_c
    cost[x] = -(a.transfer_cost[:, :, None] * a.payload_gb)[..., None]
    cost[w] = o.revenue[:, None]
    cost[lost] = -a.miss_penalty[:, None]
    cost[per["import"]], cost[per["export"]] = -a.import_cost * dt, a.export_price * dt
    cost[per["discharge"]] = -a.wear_cost[:, None] * dt
    cost[ids["missing"]], cost[ids["leftover"]] = -a.terminal_price, -a.terminal_heat_price

    n_rows = matrix.shape[0]
    row_lower, row_upper = np.zeros(n_rows), np.zeros(n_rows)
    row_lower[queue] = row_upper[queue] = a.arrivals
    row_lower[gpu_time] = row_lower[charging] = row_lower[discharging] = -np.inf
    row_lower[content[:, 0]] = row_upper[content[:, 0]] = a.state.energy_mwh
    row_upper[discharging] = power
    row_lower[missing], row_upper[missing] = a.energy_reference_mwh, np.inf
    inflow = (1 - keep) * a.outside_c
    inflow[:, 0] += keep[:, 0] * a.state.temperature_c
    row_lower[heat], row_upper[heat] = inflow, np.inf
    row_lower[leftover], row_upper[leftover] = -a.temperature_reference_c, np.inf
    integer = np.zeros(ends[-1], dtype=bool)
    for name in ("transfers", "runs", "lost", "gpus_on"):
        integer[ids[name]] = a.integral_jobs
    integer[per["charging"]] = True
    return ByHand(matrix, cost, lower, upper, row_lower, row_upper, integer)


def hand_over(p: Any, *, offset: float = 0.0) -> highspy.Highs:
    """HiGHS with the linear relaxation of some matrices, as they are, default options, one thread."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(p.cost), len(p.row_lower)
    lp.sense_, lp.offset_ = highspy.ObjSense.kMaximize, offset
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = p.cost, p.lower, p.upper
    lp.row_lower_, lp.row_upper_ = p.row_lower, p.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = p.matrix.indptr, p.matrix.indices
    lp.a_matrix_.value_ = p.matrix.data
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    if highs.passModel(lp) == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS refused the model")
    return highs
