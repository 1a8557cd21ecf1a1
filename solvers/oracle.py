"""The certified oracle: a bound from relaxations, a schedule next to it, and the distance between them.

1. Linear relaxation: bound and prices.
2. Where the relaxation is loose (generator commitment, battery mode, few GPUs), a MIP in which only jobs stay
   fluid: a tighter bound and whole GPUs.
3. Whole GPUs, then whole jobs next to the relaxation (:mod:`.rounding`), then the energy side solved again
   with jobs fixed.
4. If the gap is still open, HiGHS gets the whole MIP with that incumbent, for the time that is left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.matrices import LinearProblem

from .highs import HighsSession, Outcome, Termination
from .relaxation import Relaxation, prices_from_duals, solve_relaxation
from .result import Result, Seconds, Status, relative_gap
from .settings import Settings
from .solutions import clean_schedule, mode_columns, whole_jobs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class _Search:
    """The best bound and the best judged schedule so far."""

    a: InstanceArrays
    problem: LinearProblem
    settings: Settings
    deadline: float | None
    bound: float
    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    interrupted: bool = False

    @property
    def gap(self) -> float:
        return np.inf if self.evaluation is None else relative_gap(self.bound, self.evaluation.utility)

    @property
    def closed(self) -> bool:
        return self.gap <= self.settings.gap

    @property
    def seconds_left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.perf_counter())

    @property
    def over(self) -> bool:
        return self.closed or self.interrupted or self.seconds_left == 0.0

    def lower_bound(self, bound: float | None) -> None:
        if bound is not None:
            self.bound = min(self.bound, bound)

    def offer(self, schedule: Schedule) -> bool:
        """Judge a schedule; keep it if it is feasible and the best so far."""
        evaluation = evaluate(self.a, schedule)
        if not evaluation.feasible:
            return False
        if self.evaluation is None or evaluation.utility > self.evaluation.utility:
            self.schedule, self.evaluation = schedule, evaluation
        return True


def oracle(inst: Instance, settings: Settings) -> Result:
    """Perfect foresight, certified: the best schedule found and a proven bound on every schedule.

    Status ``optimal`` when the gap asked for was reached, ``time_limit`` when time ran out before,
    ``feasible`` when it was interrupted, ``infeasible`` when no schedule exists.
    """
    a = inst.arrays()
    return oracle_on(inst, a, settings, "oracle")


def oracle_on(inst: Instance, a: InstanceArrays, settings: Settings, method: str) -> Result:
    """The oracle on arrays that may restrict those of ``inst`` (ablations)."""
    begun = time.perf_counter()
    deadline = None if settings.time_limit is None else begun + settings.time_limit
    settings.progress(0.0, "linear relaxation")
    relaxed = solve_relaxation(a, settings.time_limit)

    def seconds() -> Seconds:
        total = time.perf_counter() - begun
        return Seconds(relaxed.build_seconds, total - relaxed.build_seconds, total)

    outcome = relaxed.outcome
    if outcome.termination is Termination.INFEASIBLE:
        return Result(inst, method, Status.INFEASIBLE, seconds(), message="the relaxation has no solution")
    if outcome.x is None or outcome.row_dual is None or relaxed.bound is None:
        return Result(inst, method, Status.TIME_LIMIT, seconds(), message="stopped in the relaxation")
    search = _Search(a, relaxed.problem, settings, deadline, relaxed.bound)
    search.interrupted = outcome.termination is Termination.INTERRUPTED
    prices = prices_from_duals(inst, a, relaxed.problem, outcome.row_dual)
    infeasible = _search(search, relaxed)
    if infeasible:
        return Result(inst, method, Status.INFEASIBLE, seconds(), message="no whole-number solution exists")
    if search.closed:
        status = Status.OPTIMAL
    elif search.interrupted:
        status = Status.FEASIBLE
    else:
        status = Status.TIME_LIMIT
    settings.progress(1.0, "done")
    return Result(
        inst,
        method,
        status,
        seconds(),
        schedule=search.schedule,
        evaluation=search.evaluation,
        bound=search.bound,
        prices=prices,
        message="interrupted" if search.interrupted else "",
    )


def _search(search: _Search, relaxed: Relaxation) -> bool:
    """Fill the search; True when the instance proves to have no whole-number solution."""
    a, p, x = search.a, search.problem, relaxed.outcome.x
    assert x is not None
    progress = search.settings.progress
    modes = mode_columns(a, p, x)
    if len(modes) == 0:
        progress(0.4, "whole jobs")
        _round_from(search, relaxed.session, relaxed.outcome)
    if not search.over:
        progress(0.5, "commitment and whole GPUs")
        whole = [p.columns["gpus_on"].ids.ravel()] if a.integral_jobs else []
        fixed = np.concatenate([*whole, p.ids("charging", "generator_on")])
        share = None if search.seconds_left is None else 0.4 * search.seconds_left
        outcome = _solve_with_integers(search, fixed, share, gap=0.25 * search.settings.gap)
        if outcome.termination is Termination.INFEASIBLE:
            return True
        search.lower_bound(outcome.bound)
        if outcome.x is not None:
            session = HighsSession(p, relaxed=True)
            values = np.round(outcome.x[fixed])
            session.change_bounds(fixed, values, values)
            restricted = session.solve(time_limit=search.seconds_left)
            if restricted.x is not None:
                _round_from(search, session, restricted)
    if not search.over:
        progress(0.7, "whole MIP")
        outcome = _whole_mip(search)
        if outcome.termination is Termination.INFEASIBLE:
            return True
    return False


def _round_from(search: _Search, session: HighsSession, outcome: Outcome) -> None:
    """Whole GPUs and jobs next to a relaxed point; the session's model is left with jobs fixed."""
    a, p = search.a, search.problem
    if a.integral_jobs:
        gpus = p.columns["gpus_on"].ids.ravel()
        assert outcome.x is not None
        nearest = np.round(outcome.x[gpus])
        if np.abs(nearest - outcome.x[gpus]).max(initial=0.0) > 1e-9:
            session.change_bounds(gpus, nearest, nearest)
            outcome = session.solve(time_limit=search.seconds_left)
        if outcome.x is None or outcome.row_dual is None:
            return
        for limited in (False, True):
            x = whole_jobs(a, p, outcome, limited=limited)
            if _dispatch_energy(search, session, x):
                return
    else:
        assert outcome.x is not None
        _dispatch_energy(search, session, outcome.x)


def _dispatch_energy(search: _Search, session: HighsSession, x: Floats) -> bool:
    """Solve the energy side with the jobs of ``x`` fixed; whether the judge accepts the schedule."""
    a, p = search.a, search.problem
    jobs = p.ids("transfers", "runs", "gpus_on")
    session.change_bounds(jobs, x[jobs], x[jobs])
    outcome = session.solve(time_limit=search.seconds_left)
    if outcome.x is None:
        return False
    modes = mode_columns(a, p, outcome.x)
    while len(modes):
        fixed = replace(p, lower=p.lower.copy(), upper=p.upper.copy(), integer=np.zeros_like(p.integer))
        fixed.lower[jobs] = fixed.upper[jobs] = x[jobs]
        fixed.integer[modes] = True
        mip = HighsSession(fixed, relaxed=False, scaling=session.scaling)
        outcome = mip.solve(time_limit=search.seconds_left, gap=0.1 * search.settings.gap)
        if outcome.x is None:
            return False
        more = np.setdiff1d(mode_columns(a, p, outcome.x), modes)
        if len(more) == 0:
            break
        modes = np.union1d(modes, more)
    return search.offer(clean_schedule(a, p, outcome.x))


def _solve_with_integers(search: _Search, integer: Ints, time_limit: float | None, gap: float) -> Outcome:
    """The MIP in which only some columns are whole."""
    p = search.problem
    partly = replace(p, integer=np.zeros_like(p.integer))
    partly.integer[integer] = True
    session = HighsSession(partly, relaxed=False)
    outcome = session.solve(time_limit=time_limit, gap=gap, interruptible=True)
    search.interrupted |= outcome.termination is Termination.INTERRUPTED
    return outcome


def _whole_mip(search: _Search) -> Outcome:
    """Everything whole, from the incumbent, for the time that is left."""
    a, p = search.a, search.problem
    session = HighsSession(p, relaxed=False)
    if search.schedule is not None:
        session.start_from(p.vector(a, search.schedule))
    outcome = session.solve(time_limit=search.seconds_left, gap=search.settings.gap * 0.9, interruptible=True)
    search.interrupted |= outcome.termination is Termination.INTERRUPTED
    search.lower_bound(outcome.bound)
    if outcome.x is not None:
        _dispatch_energy(
            search, HighsSession(p, relaxed=True), np.round(outcome.x) if a.integral_jobs else outcome.x
        )
    return outcome
