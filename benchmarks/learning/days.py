"""Days to learn from and to judge by, with what the solvers say of them, kept in a cache that git ignores."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import stepwatt as sw
from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.files import write_files
from stepwatt.learning.environment.potential_cuts import Cuts, cut_of, with_jobs
from stepwatt.learning.environment.solver_potential import Potential, potential_of
from stepwatt.learning.training.families import Family
from stepwatt.solvers.optimum.central_schedule import central_schedule

CACHE = Path(__file__).parent / ".cache"
#: Prices of spot markets, which may not be handed on with the package.
WORLD = Path(__file__).resolve().parents[3] / "shared" / "data" / "world_hourly_2023.csv.gz"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Which days: every so many of each split, of the scenario with these parameters."""

    train: int = 3
    """Every so many training days."""
    validation: int = 5
    """Every so many validation days."""
    test: int = 4
    """Every so many test days."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further parameters of the scenario, ``slot_minutes`` (half hours) and ``market`` (``spot``: days of
    `volatile`) among them."""

    def family(self, split: str) -> Family:
        """The family whose days are those of the split."""
        every = {"train": self.train, "validation": self.validation, "test": self.test}[split]
        further = dict(self.parameters)
        minutes = further.pop("slot_minutes", 30)
        if further.pop("market", None) == "spot":
            return spot_markets(every=every, slot_minutes=minutes, parameters=further)
        return Family(regions=("DE,FR,DK",), year=2018, slot_minutes=minutes, every=every, parameters=further)


def spot_markets(parameters: Mapping[str, Any] | None = None, **more: Any) -> Family:
    """Days of the scenario `volatile`; needs its series."""
    further = {"series": str(WORLD), **(parameters or {})}
    return Family(scenario="volatile", regions=("AU-NSW,CA-ON,SG",), year=2023, parameters=further, **more)


@dataclass(frozen=True)
class Days:
    """Fluid instances of a split with bound and plain baselines (USD, (N,) each), optimal schedules from the
    middle of all optimal ones, and potentials. Training days have no baselines, nobody is judged on them."""

    instances: list[Instance]
    bound: Floats
    greedy: Floats
    all_off: Floats
    schedules: list[Schedule]
    potential: Potential

    def gap(self, utility: Floats) -> Floats:
        """(…,N) share of the bound that is missed."""
        return (self.bound - utility) / np.abs(self.bound)

    def captured(self, utility: Floats) -> Floats:
        """(…,N) share of what lies between all levers off and the bound."""
        return (utility - self.all_off) / (self.bound - self.all_off)


def days(spread: Spread, split: str) -> Days:
    """The days of a split; what solvers say of them comes from the cache where it was asked before."""
    instances = spread.family(split).instances(split)
    kept = _place(f"{split}-days", instances)
    if kept.exists():
        found = pickle.loads(kept.read_bytes())
    else:
        solved = [sw.solve(inst, "lp") for inst in instances]
        bound = np.array([result.bound for result in solved], dtype=float)
        judged = [] if split == "train" else instances
        found = {
            "bound": bound,
            "greedy": np.array([sw.solve(inst, "greedy").utility for inst in judged], dtype=float),
            "all_off": np.array([sw.solve(inst, "all-off").utility for inst in judged], dtype=float),
            "schedules": [
                central_schedule(inst, limit) for inst, limit in zip(instances, bound, strict=True)
            ],
            "potential": potential_of(solved),
        }
        write_files({kept: pickle.dumps(found)})
    return Days(instances, **found)


def cuts(spread: Spread, loads: Sequence[float]) -> Cuts:
    """Potentials of the training days with the dual prices of days with so many times the jobs."""
    found, parts = days(spread, "train"), []
    for load in loads:
        kept = _place(f"cut-by-arrival-{load}", found.instances)
        if not kept.exists():
            solved = [sw.solve(with_jobs(inst, load), "lp") for inst in found.instances]
            write_files({kept: pickle.dumps(cut_of(solved, found.instances))})
        parts.append(pickle.loads(kept.read_bytes()))
    return Cuts((found.potential, *parts))


def _place(name: str, instances: Sequence[Instance]) -> Path:
    text = json.dumps([inst.to_dict() for inst in instances], sort_keys=True, default=str)
    return CACHE / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pkl"
