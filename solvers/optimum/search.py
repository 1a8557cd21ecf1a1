"""The stages of the oracle, sharing the best bound and the best judged schedule so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..common.relaxation import Relaxation
from ..common.solutions import MODES, clean_schedule, mode_columns, whole_jobs, with_modes
from ..highs.session import HighsSession, Outcome, Termination
from ..interface.deadline import Deadline
from ..interface.errors import SolverError
from ..interface.result import relative_gap
from ..interface.settings import Settings
from .neighbourhoods import PricedSlots, columns_of_slots, improve, slotwise_bound, whole_by_slot, windows_of

if TYPE_CHECKING:
    from stepwatt.formulation.milp.extended import Extended

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Relative gain that the judge's tolerance for rounding may allow.
_JUDGED = 1e-6

#: Slots freed together by the neighbourhood stage, short windows first.
_WINDOWS = (1, 2, 4)
#: HiGHS looks at the clock between its steps, and rounds of cuts on a MIP take some tenths of a second.
_LATE_SECONDS = 0.6
#: Seconds one window may take.
_WINDOW_SECONDS = 1.0
#: At the root of a MIP HiGHS rounds along a line, whole column by whole column, without a look at the clock:
#: seconds that takes by the square of their number (a day of three sites, 71,000: two or three minutes).
_LINE_SECONDS = 3e-8


@dataclass
class Search:
    """Bound, incumbent, and the time that is left; :meth:`run` goes through the stages.

    ``own``: constraints of a user's own in ``problem``. ``x`` is the solution vector of ``schedule``.
    """

    a: InstanceArrays
    problem: LinearProblem
    settings: Settings
    deadline: Deadline
    bound: float
    own: Extended | None = None
    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    x: Floats | None = None
    interrupted: bool = False

    @property
    def gap(self) -> float:
        """Relative; infinite without a schedule."""
        return np.inf if self.evaluation is None else relative_gap(self.bound, self.evaluation.utility)

    @property
    def closed(self) -> bool:
        """Whether the gap asked for is reached."""
        return self.gap <= self.settings.gap

    @property
    def over(self) -> bool:
        """Whether to stop: closed, interrupted, or out of time."""
        return self.closed or self.interrupted or self.deadline.passed

    def run(self, relaxed: Relaxation) -> Termination:
        """All stages until the gap is closed; INFEASIBLE when no whole-number solution exists.

        Ctrl-C ends the stages; what they have found stays.
        """
        try:
            end = self._stages(relaxed)
        except KeyboardInterrupt:
            self.interrupted = True
            end = Termination.INTERRUPTED
        self._check_bound(relaxed.bound)
        return end

    @property
    def _own_whole(self) -> Ints:
        return np.empty(0, dtype=np.int64) if self.own is None else self.own.whole

    def _check_bound(self, safe: float | None) -> None:
        """A bound below what the judge has accepted is false: fall back to the one that trusts nobody.

        Raises:
            SolverError: that one is below it, too, by more than the judge's tolerance explains.
        """
        if self.evaluation is None or self.gap >= 0:
            return
        assert safe is not None
        if self.gap < -_JUDGED:
            self.bound = safe
        if self.gap < -_JUDGED:
            raise SolverError(f"bound {self.bound} below the utility {self.evaluation.utility} of a schedule")
        self.bound = max(self.bound, self.evaluation.utility)

    def _stages(self, relaxed: Relaxation) -> Termination:
        a, p, outcome = self.a, self.problem, relaxed.outcome
        assert outcome.x is not None
        assert outcome.row_dual is not None
        progress = self.settings.progress
        if len(mode_columns(a, p, outcome.x)) == 0:
            progress(0.4, "whole jobs")
            self.round_from(relaxed.session, outcome)
        slots = PricedSlots(p, outcome.row_dual)
        if not self.over:
            progress(0.45, "whole GPUs by slot")
            self.settle_gpus(slots, outcome.x)
        if not self.over and self._begins(len(self._partly)):
            progress(0.5, "commitment and whole GPUs")
            if self.settle_commitment() is Termination.INFEASIBLE:
                return Termination.INFEASIBLE
        if self.schedule is None:
            self.dispatch_energy(HighsSession(p, relaxed=True), np.zeros_like(p.cost))
        if not self.over:
            progress(0.6, "slot neighbourhoods")
            self.improve_by_slots(self.deadline.part(0.5))
        if not self.over:
            progress(0.8, "slot bounds")
            target = 0.3 * self.settings.gap * abs(self.bound)
            self.tighten(slotwise_bound(slots, gap_usd=target, deadline=self.deadline.part(0.3)))
        if not self.over:
            if not self._begins(int(p.integer.sum())):
                return Termination.TIME_LIMIT
            progress(0.9, "whole MIP")
            return self.whole_mip()
        return Termination.OPTIMAL

    def _begins(self, whole: int) -> bool:
        """Whether a MIP of so many whole columns may begin: HiGHS ends it near the limit."""
        left = self.deadline.left()
        return left is None or left >= _LINE_SECONDS * whole**2

    @property
    def _partly(self) -> Ints:
        """What is whole in the MIP in which jobs stay fluid."""
        gpus = ["gpus_on"] if self.a.integral_jobs else []
        return np.append(self.problem.ids(*gpus, *MODES), self._own_whole)

    def _solve(
        self, session: HighsSession, *, gap: float | None = None, share: float = 1.0, early: float = 0.0
    ) -> Outcome:
        """Run HiGHS in a share of the time that is left; Ctrl-C ends the search, not the program.

        ``early`` seconds are kept back, as far as that leaves half of the time.
        """
        left = self.deadline.left(share)
        limit = None if left is None else max(0.5 * left, left - early)
        outcome = session.solve(time_limit=limit, gap=gap, interruptible=True)
        self.interrupted |= outcome.termination is Termination.INTERRUPTED
        return outcome

    def tighten(self, bound: float | None) -> None:
        """Take over a bound if it is lower."""
        if bound is not None:
            self.bound = min(self.bound, bound)

    def offer(self, x: Floats) -> bool:
        """Judge a point; keep it if it is feasible and the best so far. Whether it is feasible."""
        if self.own is not None and not self.own.keeps(x):
            return False
        schedule = clean_schedule(self.a, self.problem, x)
        evaluation = evaluate(self.a, schedule)
        if not evaluation.feasible:
            return False
        if self.evaluation is None or evaluation.utility > self.evaluation.utility:
            self.schedule, self.evaluation, self.x = schedule, evaluation, x
        return True

    def round_from(self, session: HighsSession, outcome: Outcome) -> None:
        """Whole GPUs and jobs next to a relaxed point; the session's model is left with jobs fixed."""
        a, p = self.a, self.problem
        assert outcome.x is not None
        if not a.integral_jobs:
            self.dispatch_energy(session, outcome.x)
            return
        gpus = p.ids("gpus_on")
        nearest = np.round(outcome.x[gpus])
        if np.abs(nearest - outcome.x[gpus]).max(initial=0.0) > 1e-9:
            session.change_bounds(gpus, nearest, nearest)
            outcome = self._solve(session)
        if outcome.x is None or outcome.row_dual is None:
            return
        for limited in (False, True):
            if self.dispatch_energy(session, whole_jobs(a, p, outcome, limited=limited)):
                return

    def dispatch_energy(self, session: HighsSession, x: Floats) -> bool:
        """Solve the energy side with the jobs of ``x`` fixed; whether the judge accepts the schedule."""
        a, p = self.a, self.problem
        jobs = p.ids("transfers", "runs", "gpus_on")
        session.change_bounds(jobs, x[jobs], x[jobs])
        point = self._solve(session).x
        if point is None:
            return False
        modes = np.union1d(mode_columns(a, p, point), self._own_whole)
        while len(modes):
            fixed = replace(p, lower=p.lower.copy(), upper=p.upper.copy(), integer=np.zeros_like(p.integer))
            fixed.lower[jobs] = fixed.upper[jobs] = x[jobs]
            fixed.integer[modes] = True
            mip = HighsSession(fixed, relaxed=False, scaling=session.scaling)
            point = self._solve(mip, gap=max(1e-6, 0.1 * self.settings.gap)).x
            if point is None:
                return False
            more = np.setdiff1d(mode_columns(a, p, point), modes)
            if len(more) == 0:
                break
            modes = np.union1d(modes, more)
        return self.offer(point)

    def settle_gpus(self, slots: PricedSlots, x: Floats) -> None:
        """Whole GPUs where slots are priced, each slot for itself: a bound, and GPUs to round jobs from."""
        p = self.problem
        if not self.a.integral_jobs:
            return
        gpus = p.ids("gpus_on")
        target = 0.1 * self.settings.gap * abs(self.bound)
        bound, chosen = whole_by_slot(slots, gpus, x, gap_usd=target, deadline=self.deadline.part(0.3))
        self.tighten(bound)
        if not self.over:
            session = HighsSession(p, relaxed=True)
            session.change_bounds(gpus, chosen[gpus], chosen[gpus])
            settled = self._solve(session)
            if settled.x is not None and len(mode_columns(self.a, p, settled.x)) == 0:
                self.round_from(session, settled)

    def settle_commitment(self) -> Termination:
        """The MIP in which only jobs stay fluid: its bound, and whole jobs next to its point."""
        p, whole = self.problem, self._partly
        partly = replace(p, integer=np.zeros_like(p.integer))
        partly.integer[whole] = True
        outcome = self._solve(HighsSession(partly, relaxed=False), gap=0.25 * self.settings.gap, share=0.3)
        self.tighten(outcome.bound)
        if outcome.x is not None:
            session = HighsSession(p, relaxed=True)
            values = np.round(outcome.x[whole])
            session.change_bounds(whole, values, values)
            settled = self._solve(session)
            if settled.x is not None:
                self.round_from(session, settled)
        return outcome.termination

    def improve_by_slots(self, deadline: Deadline) -> None:
        """Windows of slots, one after the other, as long as they help."""
        p, n_slots = self.problem, self.a.n_slots
        if self.x is None:
            return
        x = self._settled(self.x)
        for length in _WINDOWS:
            if length > 1 and length > n_slots:
                break
            windows = list(windows_of(n_slots, length))
            for done, (first, end) in enumerate(windows):
                # no window takes more than twice its share, so that the last ones get theirs
                left = deadline.within(_WINDOW_SECONDS, 2 / (len(windows) - done))
                if left == 0:
                    break
                target = 0.3 * self.settings.gap * abs(self.bound) * (end - first) / n_slots
                x = improve(p, x, columns_of_slots(p, first, end), gap_usd=target, time_limit=left)
            if not self.offer(x):
                self.dispatch_energy(
                    HighsSession(p, relaxed=True), np.round(x) if self.a.integral_jobs else x
                )
            if self.over:
                return

    def _settled(self, x: Floats) -> Floats:
        """The point with its modes settled and what must be whole rounded."""
        settled, integer = with_modes(self.problem, x), self.problem.integer
        settled[integer] = np.round(settled[integer])
        return settled

    def whole_mip(self) -> Termination:
        """Everything whole, from the incumbent, for the time that is left."""
        a, p = self.a, self.problem
        session = HighsSession(p, relaxed=False)
        if self.x is not None:
            session.start_from(self._settled(self.x))
        outcome = self._solve(session, gap=0.9 * self.settings.gap, early=_LATE_SECONDS)
        self.tighten(outcome.bound)
        if outcome.x is not None and not self.offer(outcome.x):
            x = np.round(outcome.x) if a.integral_jobs else outcome.x
            self.dispatch_energy(HighsSession(p, relaxed=True), x)
        return outcome.termination
