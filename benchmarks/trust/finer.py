"""The same plant at finer slots: what does not depend on how time is cut, and how far rooms may part."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np

from stepwatt.formulation import SITE_FLOWS, Instance, InstanceArrays, Schedule

File = dict[str, Any]

#: An hour as slots of 30, 15 and 5 minutes.
PARTS = (2, 4, 12)


def finer_file(file: File, parts: int) -> File:
    """Every slot cut into parts: jobs come with the first of them, and wait until the end of the same one."""
    fine = copy.deepcopy(file)
    fine["n_slots"] = file["n_slots"] * parts
    fine["slot_hours"] = file["slot_hours"] / parts
    fine["integral_jobs"] = False

    def spread(series: Any) -> Any:
        return [v for v in series for _ in range(parts)] if isinstance(series, list) else series

    for site in fine["sites"].values():
        grid, cooling = site["grid"], site["cooling"]
        for name in ("import_price", "export_price", "carbon_kg_per_mwh"):
            grid[name] = spread(grid[name])
        for name in ("pue", "cop", "outside_c"):
            if name in cooling:
                cooling[name] = spread(cooling[name])
        site["renewable_mw"] = spread(site["renewable_mw"])
        grid["demand_interval_slots"] = grid.get("demand_interval_slots", 1) * parts
    for rules in fine["classes"].values():
        rules["deadline_slots"] = rules["deadline_slots"] * parts + parts - 1
    for by_class in fine["arrivals"].values():
        for name, jobs in by_class.items():
            by_class[name] = [n if p == 0 else 0 for n in jobs for p in range(parts)]
    for by_class in fine.get("backlog", {}).values():
        for name, jobs in by_class.items():
            by_class[name] = [n if p == parts - 1 else 0 for n in jobs for p in range(parts)]
    return fine


def finer_schedule(schedule: Schedule, parts: int) -> Schedule:
    """The same powers throughout each slot, its jobs in equal parts."""
    flows = {name: np.repeat(getattr(schedule, name), parts, axis=-1) for name in SITE_FLOWS}
    return Schedule(
        transfers=np.repeat(schedule.transfers, parts, axis=-1) / parts,
        runs=np.repeat(schedule.runs, parts, axis=-1) / parts,
        **flows,
    )


def with_options_of(schedule: Schedule, own: InstanceArrays, other: InstanceArrays) -> Schedule:
    """The schedule for an instance of the same site in other slots, where other jobs are too long to run."""
    rows = {option: row for row, option in enumerate(_options(own))}
    none = np.zeros(schedule.runs.shape[1])
    runs = [schedule.runs[rows[option]] if option in rows else none for option in _options(other)]
    return replace(schedule, runs=np.array(runs).reshape(len(runs), len(none)))


def _options(a: InstanceArrays) -> list[tuple[int, ...]]:
    o = a.options
    return list(
        zip(*(part.tolist() for part in (o.site, o.job_class, o.model, o.steps, o.clock)), strict=True)
    )


def exact_room(inst: Instance, site: str, it_mw: Any, cooling_mw: Any) -> tuple[list[float], float] | None:
    """°C at the ends of slots by the solution of the heat balance, and the bound of what steps of its slot
    length can be wrong by; None where the air is held at its minimum on the way.

    With a = U/C and θ' = a·(θ∞ − θ), Euler's steps h are wrong by at most (h/2)·max|θ''|·T·1, |θ''| = a·|θ'|,
    where the step itself does not stretch errors (a·h ≤ 1, as instances must have).
    """
    room: Any = inst.sites[site].cooling
    arrays = inst.arrays()
    j = list(inst.sites).index(site)
    a = room.leak_mw_per_c / room.heat_capacity_mwh_per_c
    theta, bend = [float(room.initial_c)], 0.0
    for t in range(inst.n_slots):
        slope0 = (it_mw[t] - arrays.cop[j, t] * cooling_mw[t]) / room.heat_capacity_mwh_per_c
        slope0 -= a * (theta[-1] - arrays.outside_c[j, t])
        h = inst.slot_hours
        grown = -math.expm1(-a * h) / a if a > 0 else h
        theta.append(theta[-1] + slope0 * grown)
        bend = max(bend, a * abs(slope0))
        if theta[-1] < room.min_c + 1e-9:
            return None
    return theta, inst.slot_hours / 2 * bend * inst.n_slots * inst.slot_hours
