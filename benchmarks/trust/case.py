"""One instance on trial: what every method says of it, computed once and shared by the checks."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, InputError, Instance, InstanceArrays, Schedule, evaluate
from stepwatt.solvers import METHODS, Result, SolverError, Status, solve

from .edges import milder

Floats = NDArray[np.float64]

#: Limits of power so many times what can be used stand for "no limit".
ABSURD = 1000.0
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
    """An instance file, whether numbers of it are extreme, and what is known of it."""

    def __init__(self, file: dict[str, Any], seed: int = 0, *, extreme: bool = False) -> None:
        self.file, self.extreme = file, extreme
        self.inst = Instance.from_dict(file)
        self.seed = seed
        #: By pair: how often it was compared, and the largest difference as a share of what is at stake.
        self.compared: dict[str, tuple[int, float]] = {}

    def apart(self, pair: str, difference: float, beside: float = 0.0) -> float:
        """A difference of two statements as a share of what is at stake, or of ``beside``, which is kept."""
        share = abs(float(difference)) / max(self.scale, abs(beside))
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
    def jobs(self) -> float:
        """All that come or wait."""
        return float(self.a.arrivals.sum() + self.a.state.backlog.sum())

    @cached_property
    def scale(self) -> float:
        """USD that are at stake: what all jobs could pay, all flows cost."""
        a = self.a
        jobs = self.jobs
        pay = float(a.options.revenue.max(initial=0.0)) + float(a.miss_penalty.max(initial=0.0))
        uses, gives = self._uses_and_gives
        imported = np.where(a.import_limit_mw > ABSURD * uses, uses, a.import_limit_mw)
        exported = np.where(a.export_limit_mw > ABSURD * gives, gives, a.export_limit_mw)
        mw = float(imported.sum() + exported.sum())
        price = max(float(np.abs(a.import_cost).max()), float(np.abs(a.export_price).max()))
        demand = float(a.demand_charge @ imported)
        return 1e-6 + jobs * pay + mw * price * a.slot_hours * a.n_slots + demand

    @cached_property
    def untold(self) -> float:
        """USD of stored energy that no double tells: its last digits, once a slot, at the end's price."""
        a = self.a
        return float(np.finfo(float).eps * a.n_slots * (a.terminal_price @ a.energy_max_mwh))

    @cached_property
    def _uses_and_gives(self) -> tuple[Floats, Floats]:
        """(J,) MW that sites can use, and give: what is beyond it in a limit is at nobody's stake."""
        a = self.a
        held = a.energy_max_mwh / a.slot_hours
        uses = a.most_it_mw * a.pue.max(axis=1) + a.cooling_max_mw
        uses += np.minimum(a.battery_power_mw, held / a.charge_efficiency)
        gives = a.renewable_mw.max(axis=1) + a.generator_max_mw
        return uses, gives + np.minimum(a.battery_power_mw, held * a.discharge_efficiency)

    @cached_property
    def most_mw(self) -> float:
        """What any site can use or give."""
        uses, gives = self._uses_and_gives
        comes, goes = self.a.import_limit_mw + gives, self.a.export_limit_mw + uses
        return float(np.maximum(np.minimum(uses, comes), np.minimum(gives, goes)).max())

    @cached_property
    def milder(self) -> list[Schedule]:
        """Schedules that are best where extreme numbers are less so."""
        found = []
        for file in milder(self.file) if self.extreme else ():
            inst = Instance.from_dict(file)
            try:
                schedule = solve(inst, "oracle", gap=GAP, time_limit=SECONDS, seed=self.seed).schedule
            except SolverError:  # an instance of its own, drawn by nobody
                continue
            if schedule is not None:
                found += self._moved(schedule.to_dict(inst))
        return found

    def _moved(self, schedule: dict[str, Any]) -> list[Schedule]:
        try:
            return [Schedule.from_dict(self.inst, schedule)]
        except InputError:  # options that are none here
            return []

    def judged(self, schedule: Schedule) -> Evaluation:
        """What the package's judge says."""
        return evaluate(self.a, schedule)
