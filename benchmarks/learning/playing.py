"""Methods and policies on whole instances (integral jobs and GPUs), judged by ``evaluate`` day by day."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import stepwatt as sw
from stepwatt.formulation import Instance, Schedule, evaluate
from stepwatt.learning.environment.play import plan
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.networks.policy import Policy

from .common import Record

#: Searches stop at this relative gap or after this many seconds.
GAP, TIME_LIMIT = 1e-3, 20.0

#: What is called on every instance: method of ``solve`` and its settings.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "oracle": ("oracle", {}),
    "rolling, day-ahead": ("rolling", {"forecast": "day-ahead"}),
    "rolling, persistence": ("rolling", {"forecast": "persistence"}),
    "greedy": ("greedy", {}),
    "no transfer": ("local", {}),
    "fixed 30 steps": ("fixed-steps", {}),
    "no DVFS": ("no-dvfs", {}),
    "no renewables": ("no-renewables", {}),
    "all off": ("all-off", {}),
}


def by_method(name: str, instances: Sequence[Instance], histories: Sequence[Instance]) -> Record:
    """What one of ``METHODS`` does on the instances; the oracle's record also has its bounds."""
    method, settings = METHODS[name]
    past = histories if settings.get("forecast") == "persistence" else None
    bounds, record = solved(instances, method, past, **settings)
    return record | ({"bound": bounds} if name == "oracle" else {})


def solved(
    instances: Sequence[Instance],
    method: str,
    histories: Sequence[Instance] | None = None,
    **settings: Any,
) -> tuple[list[float], Record]:
    """The bounds that a method proves (NaN where none), and what its schedules are worth."""
    rows, bounds, begun = [], [], time.process_time()
    for inst, past in zip(instances, histories or [None] * len(instances), strict=True):
        result = sw.solve(inst, method, gap=GAP, time_limit=TIME_LIMIT, history=past, **settings)
        if result.schedule is None:
            raise ValueError(f"{method} found no schedule of {inst.name}")
        rows.append(judged(inst, result.schedule))
        bounds.append(float(result.bound) if result.bound is not None else float("nan"))
    return bounds, {"runs": [columns(rows)], "cpu_seconds": time.process_time() - begun}


def by_policies(task: TaskSettings, policies: Sequence[Policy], instances: Sequence[Instance]) -> Record:
    """What the policies of several runs do on the instances."""
    runs, begun = [], time.process_time()
    for policy in policies:
        made = plan(instances, _in_single(policy), task, engine=torch_engine(torch.float64))
        runs.append(columns([judged(inst, one) for inst, one in zip(instances, made, strict=True)]))
    return {"runs": runs, "cpu_seconds": (time.process_time() - begun) / len(policies)}


def _in_single(policy: Policy) -> Any:
    def act(observation: Tensor) -> Tensor:
        with torch.no_grad():
            action: Tensor = policy(observation.to(torch.float32)[None])
            return action[0].to(observation.dtype)

    return act


def judged(inst: Instance, schedule: Schedule) -> dict[str, float]:
    """Worth and deeds of a schedule, as the judge sees them."""
    found = evaluate(inst, schedule)
    a = inst.arrays()
    capacity = float((a.energy_max_mwh - a.energy_min_mwh).sum())
    discharged = float(schedule.discharge_mw.sum()) * a.slot_hours
    energy = sum(found.breakdown[part] for part in ("import", "carbon", "fuel", "startup", "demand", "wear"))
    return {
        "utility": found.utility,
        "energy_cost": energy - found.breakdown["export"],
        "miss": found.metrics["miss_rate"],
        "quality": found.metrics["mean_quality"],
        "steps": found.metrics["mean_steps"],
        "transfers": found.metrics["transfer_share"],
        "cycles": discharged / capacity if capacity else 0.0,
        "violations": float(len(found.broken)),
    }


def columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """One list per quantity."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def gaps(runs: Sequence[Mapping[str, Sequence[float]]], bound: Sequence[float]) -> NDArray[np.float64]:
    """(S,N) share of the bound that is missed."""
    limit = np.asarray(bound, dtype=float)
    return (limit - np.array([run["utility"] for run in runs])) / np.abs(limit)


def captured(
    runs: Sequence[Mapping[str, Sequence[float]]], bound: Sequence[float], all_off: Sequence[float]
) -> NDArray[np.float64]:
    """(S,N) share of what lies between all levers off and the bound."""
    floor = np.asarray(all_off, dtype=float)
    return (np.array([run["utility"] for run in runs]) - floor) / (np.asarray(bound, dtype=float) - floor)
