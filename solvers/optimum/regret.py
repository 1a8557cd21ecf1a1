"""What forcing an alternative costs, certified by duality or by solving with it forced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..common.relaxation import Relaxation, dual_of, solve_relaxation
from ..common.solutions import clean_schedule
from ..highs.certificate import DualBound, safe_bound
from ..highs.session import HighsSession, Termination
from ..interface.errors import SolverError
from ..interface.settings import Settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Forced:
    """Columns of the model and the bounds that an alternative gives them."""

    columns: Ints
    lower: Floats
    upper: Floats

    def put_into(self, p: LinearProblem) -> LinearProblem:
        """The problem in which no decision but those of the alternative is left."""
        forced = replace(p, lower=p.lower.copy(), upper=p.upper.copy())
        forced.lower[self.columns], forced.upper[self.columns] = self.lower, self.upper
        return forced


@dataclass(frozen=True)
class Solved:
    """The best with an alternative forced: no schedule earns more than ``bound``, one earns ``utility``.

    USD; ``bound`` is −inf where the alternative leaves no schedule, ``utility`` where none was found.
    """

    bound: float
    utility: float


class Priced:
    """The relaxation of an instance, solved once, and what forcing alternatives does to it.

    Duals as in the model: ``gpu_time`` (J,T) USD per GPU-second, ``it_power`` (J,T) USD per MWh of IT energy
    (with what cooling it takes), ``link`` (I,J,T) USD per GB beside the transfer cost, ``waiting`` (I,K,T)
    USD that a job more in the queue is worth, ``power`` (J,T) USD/MWh, ``stored`` (J,T) USD/MWh.

    Raises:
        SolverError: the instance has no schedule.
    """

    def __init__(self, a: InstanceArrays) -> None:
        found: Relaxation = solve_relaxation(a)
        if found.outcome.row_dual is None or found.bound is None or found.outcome.x is None:
            raise SolverError(f"the relaxation has no duals: {found.outcome.termination}")
        self.a, self.problem, self._session = a, found.problem, found.session
        self.row_dual, self.bound = found.outcome.row_dual, found.bound
        self._at_prices = DualBound(self.problem, self.row_dual)
        at, shape = self.problem.members, (len(a.sites), a.n_slots)
        self.gpu_time = self._dual("gpu_time")
        self.it_power = -self._dual("it_power") / a.slot_hours
        self.power = -self._dual("power_balance") / a.slot_hours
        self.stored = np.zeros(shape)
        self.stored[at.batteries] = self._dual("state_of_charge")
        self.link = np.zeros((shape[0], *shape))
        self.link[at.links] = self._dual("link")
        self.waiting = np.zeros((shape[0], len(a.classes), a.n_slots))
        self.waiting[at.queue_origin, at.queue_class] = self._dual("waiting_balance")

    def _dual(self, name: str) -> Floats:
        return dual_of(self.problem, self.row_dual, name)

    @cached_property
    def job_values(self) -> Floats:
        """(O,T) USD that a job with each option leaves, its GPU time and power paid."""
        o = self.a.options
        taken = o.seconds[:, None] * self.gpu_time[o.site] + o.energy_mwh[:, None] * self.it_power[o.site]
        return np.asarray(o.revenue[:, None] - taken)

    @cached_property
    def moving(self) -> Floats:
        """(I,J,K,T) USD that moving a job costs, a crowded link included."""
        per_gb = self.a.transfer_cost[:, :, None] + self.link
        return np.asarray(self.a.payload_gb[:, None] * per_gb[:, :, None])

    def at_prices(self, forced: Forced) -> float:
        """A bound (USD) with the alternative forced: weak duality at the prices as they are."""
        return self._at_prices.within(forced.columns, forced.lower, forced.upper)

    def relaxed(self, forced: Forced) -> float:
        """The same at the prices of the relaxation solved with it forced; −inf where that has no solution."""
        p, columns = self.problem, forced.columns
        self._session.change_bounds(columns, forced.lower, forced.upper)
        outcome = self._session.solve()
        self._session.change_bounds(columns, p.lower[columns], p.upper[columns])
        if outcome.termination is Termination.INFEASIBLE:
            return -np.inf
        if outcome.row_dual is None:
            return self.at_prices(forced)
        return min(safe_bound(forced.put_into(p), outcome.row_dual), self.at_prices(forced))

    def solved(self, forced: Forced, settings: Settings) -> Solved:
        """The mixed-integer model with it forced, to the gap of the settings; its schedule is judged."""
        bound = self.relaxed(forced)
        if bound == -np.inf:
            return Solved(-np.inf, -np.inf)
        p = forced.put_into(self.problem)
        session = HighsSession(p, relaxed=not p.integer.any())
        outcome = session.solve(time_limit=settings.time_limit, gap=settings.gap)
        if outcome.termination is Termination.INFEASIBLE:
            return Solved(-np.inf, -np.inf)
        if outcome.bound is not None:
            bound = min(bound, outcome.bound)
        if outcome.x is None:
            return Solved(bound, -np.inf)
        whole = np.where(p.integer, np.round(outcome.x), outcome.x)
        settled = replace(
            p, lower=np.where(p.integer, whole, p.lower), upper=np.where(p.integer, whole, p.upper)
        )
        again = HighsSession(settled, relaxed=True).solve().x
        judged = evaluate(self.a, clean_schedule(self.a, p, whole if again is None else again))
        return Solved(bound, judged.utility if judged.feasible else -np.inf)
