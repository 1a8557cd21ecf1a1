"""One instance on trial: what every method says of it, computed once and shared by the checks."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stepwatt.formulation import Evaluation, Instance, InstanceArrays, Schedule, evaluate
from stepwatt.solvers import METHODS, Result, SolverError, Status, solve

#: Gap to which optima are searched, and the seconds they get.
GAP, SECONDS = 1e-3, 1.0
#: Solved for every instance; ``pyomo`` by the checks, and others for some.
ALWAYS = ("oracle", "lp", "conic", "greedy", "rolling", "foresight", "random")
#: Of methods that are drawn, how many per instance.
DRAWN = 2


@dataclass(frozen=True)
class Complaint:
    """A check that fails: what was found, in one line."""

    check: str
    found: str


def told(error: BaseException) -> str:
    """An error and where it comes from, in one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error}"[:400]


@dataclass(frozen=True)
class Check:
    """A statement that must hold of every instance, and how far numbers may part."""

    name: str
    tolerance: float
    reason: str
    failures: Callable[[Case, float], list[str]]


class Case:
    """An instance file and what is known of it."""

    def __init__(self, file: dict[str, Any], seed: int = 0) -> None:
        self.file = file
        self.inst = Instance.from_dict(file)
        self.seed = seed

    def rng(self, purpose: int) -> np.random.Generator:
        """Fresh for each purpose, so that checks do not depend on each other."""
        return np.random.default_rng([self.seed, purpose])

    @cached_property
    def a(self) -> InstanceArrays:
        """The instance as arrays."""
        return self.inst.arrays()

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The methods on trial."""
        others = sorted(set(METHODS) - {*ALWAYS})
        drawn = self.rng(1).choice(others, DRAWN, replace=False)
        forecasts = ("rolling:perfect", "rolling:day-ahead", "foresight:perfect", "foresight:persistence")
        return (*ALWAYS, *map(str, drawn), str(self.rng(2).choice(forecasts)))

    @cached_property
    def results(self) -> dict[str, Result]:
        """By method; those that end in an error are in :attr:`errors`."""
        found = {}
        for name in self.methods:
            method, _, forecast = name.partition(":")
            try:
                found[name] = solve(
                    self.inst,
                    method,
                    gap=1e-3 if method == "distributed" else GAP,
                    time_limit=SECONDS,
                    seed=self.seed,
                    forecast=forecast or None,
                )
            except SolverError as error:
                self.errors[name] = str(error)
            except Exception as error:
                self.errors[name] = told(error)
        return found

    @cached_property
    def errors(self) -> dict[str, str]:
        """What methods that failed said."""
        return {}

    @cached_property
    def schedules(self) -> dict[str, tuple[Schedule, Evaluation]]:
        """Feasible schedules by who made them."""
        return {
            name: (r.schedule, r.evaluation)
            for name, r in self.results.items()
            if r.schedule is not None and r.evaluation is not None and r.evaluation.feasible
        }

    @cached_property
    def bounds(self) -> dict[str, float]:
        """What each method proves that no schedule is above."""
        return {
            name: r.bound for name, r in self.results.items()
            if r.bound is not None and METHODS[name.partition(":")[0]].proves_bound
        }  # fmt: skip

    @cached_property
    def infeasible(self) -> set[str]:
        """Methods that say so."""
        return {name for name, r in self.results.items() if r.status is Status.INFEASIBLE}

    @cached_property
    def scale(self) -> float:
        """USD that are at stake: what all jobs could pay, all flows cost."""
        a = self.a
        jobs = float(a.arrivals.sum() + a.state.backlog.sum())
        pay = float(a.options.revenue.max(initial=0.0)) + float(a.miss_penalty.max(initial=0.0))
        mw = float(a.import_limit_mw.sum() + a.export_limit_mw.sum())
        price = max(float(np.abs(a.import_cost).max()), float(np.abs(a.export_price).max()))
        demand = float(a.demand_charge @ a.import_limit_mw)
        return 1e-6 + jobs * pay + mw * price * a.slot_hours * a.n_slots + demand

    def judged(self, schedule: Schedule) -> Evaluation:
        """What the package's judge says."""
        return evaluate(self.a, schedule)
