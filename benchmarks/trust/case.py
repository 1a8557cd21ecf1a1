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

#: Gap to which optima are searched, and the seconds a search gets; bounds and planners end by themselves.
GAP, SECONDS = 1e-3, 0.15
#: Solved for every instance.
ALWAYS = ("oracle", "lp")
#: Planners with each of their forecasts, of which some instances have one each.
ROLLING = ("rolling", "rolling:perfect", "rolling:day-ahead")
FORESIGHT = ("foresight", "foresight:perfect", "foresight:persistence")
#: How often what is dear (or says little) is on trial; planners that look ahead, any other method.
SHARES = {"greedy": 0.4, "random": 0.3, "conic": 0.08, "distributed": 0.03, "pyomo": 0.04}
PLANNERS, OTHERS = 0.3, 0.04


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
    share: float = 1.0  # of instances it is put to, where it is dear


class Case:
    """An instance file and what is known of it."""

    def __init__(self, file: dict[str, Any], seed: int = 0) -> None:
        self.file = file
        self.inst = Instance.from_dict(file)
        self.seed = seed
        #: By pair: how often it was compared, and the largest difference as a share of what is at stake.
        self.compared: dict[str, tuple[int, float]] = {}

    def apart(self, pair: str, difference: float) -> float:
        """A difference of two statements as a share of what is at stake, which is kept."""
        share = abs(float(difference)) / self.scale
        count, largest = self.compared.get(pair, (0, 0.0))
        self.compared[pair] = count + 1, max(largest, share)
        return share

    def above(self, pair: str, value: float, bound: float) -> float:
        """How far a value lies above its bound, likewise."""
        over = value - bound
        return self.apart(pair, 0.0 if over <= 0 else over)

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
        rng = self.rng(1)
        others = sorted(set(METHODS) - {*ALWAYS, "rolling", "foresight"})
        drawn = [name for name in others if rng.random() < SHARES.get(name, OTHERS)]
        planners = [str(rng.choice(names)) for names in (ROLLING, FORESIGHT) if rng.random() < PLANNERS]
        return (*ALWAYS, *planners, *drawn)

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
                    gap=GAP,
                    time_limit=SECONDS if METHODS[method].keeps_best or method == "pyomo" else None,
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
    def plans(self) -> dict[str, Schedule]:
        """Every schedule there is, feasible or not."""
        return {name: r.schedule for name, r in self.results.items() if r.schedule is not None}

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
