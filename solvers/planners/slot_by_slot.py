"""Deciding slot by slot: each decision is judged, and what it leaves is where the next slot begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, InstanceArrays, Schedule, State, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import Slots, fresh_state, joined, next_state

from ..common.solutions import MODES, clean_schedule, mode_columns, whole_jobs, with_modes
from ..highs.session import HighsSession, Outcome, Termination
from ..interface.deadline import Deadline
from ..interface.errors import NoDecision
from ..interface.settings import Progress
from .branching import branched
from .going_on import gone_on

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The slot as its own instance, what is done in it, judged.
Decision = tuple[InstanceArrays, Schedule, Evaluation]

#: Gap of GPUs and modes, as a share of the money that moves in the slot, and linear models it may take.
_SLOT_GAP, _NODES = 1e-6, 100
#: Loss by rounding jobs, as a share of the money that moves in the slot, above which the MIP is asked.
_SLOT_LOSS = 1e-4
#: The same of a slot of many columns: less is not worth branching there.
_WIDE_LOSS = 1e-3
#: A MIP of more columns than this is not worth its root, and more nodes than these find little more.
_MIP_COLUMNS, _MIP_NODES = 2000, 200
#: HiGHS looks at the clock only after the root, so less time than this is no time.
_LEAST_SECONDS = 0.05


@dataclass(frozen=True)
class Decided:
    """What is done in a slot, judged; ``x`` is the point it was made from, ``value`` what the slot's problem
    gives it: utility, and what is said to be worth something after the slot."""

    x: Floats
    value: float
    schedule: Schedule
    evaluation: Evaluation

    def short_of(self, bound: float) -> float:
        """Distance of the utility to a bound, as a share of the money that moves."""
        return (bound - self.evaluation.utility) / self._money

    def loses(self, optimum: float) -> float:
        """Distance of the value to an optimum of the same problem, as such a share."""
        return (optimum - self.value) / self._money

    @property
    def _money(self) -> float:
        return max(sum(map(abs, self.evaluation.breakdown.values())), 1e-12)


class Run(NamedTuple):
    """A schedule, and how many of its slots were decided before the time was over."""

    schedule: Schedule
    decided: int


def slot_by_slot(
    a: InstanceArrays,
    decide: Callable[[int, State], Decision],
    progress: Progress,
    deadline: Deadline | None = None,
) -> Run:
    """Run the horizon with ``decide(slot, state)``; slots after the deadline go on as the last one decided
    (:mod:`.going_on`)."""
    state = fresh_state(a)
    parts: list[Schedule] = []
    for t in range(a.n_slots):
        if deadline is not None and deadline.passed:
            return Run(joined([*parts, gone_on(a, t, state, parts[-1] if parts else None)]), t)
        alone, schedule, evaluation = decide(t, state)
        parts.append(schedule)
        state = next_state(alone, evaluation)
        progress((t + 1) / a.n_slots, f"slot {t + 1} of {a.n_slots}")
    return Run(joined(parts), a.n_slots)


class SlotSolver:
    """One-slot windows, solved by one linear model changed in place, and a MIP where jobs are coarse."""

    def __init__(self, a: InstanceArrays) -> None:
        self._slots = Slots(a)
        self._like: LinearProblem | None = None
        self._session: HighsSession | None = None
        self.cut_short = False

    def window(self, t: int, state: State) -> InstanceArrays:
        """Slot t alone."""
        return self._slots.alone(t, state)

    def problem(self, alone: InstanceArrays) -> LinearProblem:
        """The matrices of a one-slot window."""
        problem = linear_problem(alone, like=self._like)
        self._like = self._like or problem
        return problem

    def best(self, alone: InstanceArrays, problem: LinearProblem, deadline: Deadline) -> Decided | None:
        """The optimum of the slot, up to :data:`_SLOT_LOSS` or :data:`_WIDE_LOSS`; None if there is none.

        Where rounding loses more, a small MIP is asked. Where the time is over, rounding has to do. Of a slot
        with many columns GPUs and modes are branched on only where rounding loses more, too.
        """
        session = self._holding(problem)
        if len(problem.cost) > _MIP_COLUMNS:
            fluid = session.solve()
            if fluid.x is None or fluid.objective is None:
                return None
            best = self._next_to(alone, session, fluid, fluid.objective)
            if best is not None and best.loses(fluid.objective) <= _WIDE_LOSS:
                return best
            session = self._holding(problem)
        gpus = problem.ids("gpus_on") if alone.integral_jobs else np.empty(0, dtype=np.int64)

        def whole(x: Floats) -> Ints:
            return np.concatenate([mode_columns(alone, problem, x), gpus])

        bound, plan = branched(session, whole, gap=_SLOT_GAP, nodes=_NODES, deadline=deadline)
        plan = plan or session.solve()
        if plan.x is None:
            return None
        best = self._next_to(alone, session, plan)
        coarse = alone.integral_jobs and best is not None and best.short_of(bound) > _SLOT_LOSS
        self.cut_short |= coarse and deadline.passed
        if best is None or (coarse and len(problem.cost) <= _MIP_COLUMNS):
            return self._exact(alone, problem, best, deadline)
        return best

    def _next_to(
        self, alone: InstanceArrays, session: HighsSession, plan: Outcome, optimum: float = np.inf
    ) -> Decided | None:
        """Whole jobs next to a plan of the session's problem, in its modes."""
        assert plan.x is not None
        modes = session.problem.ids(*MODES)
        values = np.round(with_modes(session.problem, plan.x)[modes])
        session.change_bounds(modes, values, values)
        return self._rounded(alone, session, plan, optimum)

    def finish(self, alone: InstanceArrays, problem: LinearProblem, plan: Outcome) -> Decided | None:
        """Whole jobs next to the plan, the energy side of ``problem`` solved for them; None if none fits."""
        return self._rounded(alone, self._holding(problem), plan)

    def _rounded(
        self, alone: InstanceArrays, session: HighsSession, plan: Outcome, optimum: float = np.inf
    ) -> Decided | None:
        """The better of rounding GPUs to the nearest number and up, the first that comes near the optimum;
        None if neither is feasible."""
        assert plan.x is not None
        problem = session.problem
        jobs = problem.ids("transfers", "runs", "gpus_on")
        gpus = plan.x[problem.columns["gpus_on"].ids]
        between = alone.integral_jobs and bool((np.abs(gpus - np.round(gpus)) > 1e-9).any())
        best, value = None, -np.inf
        for limited in (False, True):
            for spare in (False, True) if between else (False,):
                x = plan.x
                if alone.integral_jobs:
                    x = whole_jobs(alone, problem, plan, limited=limited, spare=spare)
                session.change_bounds(jobs, x[jobs], x[jobs])
                found = session.solve()
                if found.x is None or found.objective is None or found.objective <= value:
                    continue
                decided = _judged(alone, problem, found.x)
                if decided.evaluation.feasible:
                    best, value = decided, found.objective
                    if decided.loses(optimum) <= _WIDE_LOSS:
                        return best
            if best is not None:
                return best
        return None

    def _exact(
        self, alone: InstanceArrays, problem: LinearProblem, start: Decided | None, deadline: Deadline
    ) -> Decided | None:
        """The whole MIP of the slot, from a start, as far as a few nodes lead."""
        seconds = deadline.left()
        if seconds is not None and seconds < _LEAST_SECONDS and start is not None:
            self.cut_short = True
            return start
        session = HighsSession(problem, relaxed=False)
        if start is not None:
            x = start.x.copy()
            x[problem.integer] = np.round(x[problem.integer])
            session.start_from(x)
        limit = None if start is None else seconds
        found = session.solve(gap=_SLOT_LOSS, nodes=_MIP_NODES, time_limit=limit)
        self.cut_short |= found.termination is Termination.TIME_LIMIT
        if found.x is None:
            return start
        decided = _judged(alone, problem, found.x)
        better = start is None or decided.evaluation.utility > start.evaluation.utility
        return decided if better else start

    def _holding(self, problem: LinearProblem) -> HighsSession:
        """The session with another problem in it."""
        if self._session is None:
            self._session = HighsSession(problem, relaxed=True)
        else:
            self._session.refresh(problem)
        return self._session


def _judged(alone: InstanceArrays, problem: LinearProblem, x: Floats) -> Decided:
    schedule = clean_schedule(alone, problem, x)
    value = float(problem.cost @ x + problem.offset)
    return Decided(x, value, schedule, evaluate(alone, schedule))


class Greedy:
    """Each slot at its own optimum (to 1e-4, or what rounding and a small MIP find), blind to what comes.

    What is stored is valued by the end-of-horizon rule (model.md): energy below the start of the horizon
    costs the terminal price, more is worth nothing; jobs that wait are worth nothing until they run.

    Args:
        a: the instance.
        deadline: of all slots together. What a slot takes at least is kept for those to come; slots without
            the time for branching or a MIP are only rounded.
    """

    def __init__(self, a: InstanceArrays, deadline: Deadline) -> None:
        self._solver = SlotSolver(a)
        self._n_slots = a.n_slots
        self._deadline = deadline
        self._least = np.inf

    @property
    def cut_short(self) -> bool:
        """Whether a slot got less time than it asked for."""
        return self._solver.cut_short

    def decide(self, t: int, state: State) -> Decision:
        """Decide slot t.

        Raises:
            NoDecision: the slot has no feasible decision.
        """
        before = self._deadline.left()
        alone = self._solver.window(t, state)
        decided = self._solver.best(alone, self._solver.problem(alone), self._share(before, t))
        if decided is None:
            raise NoDecision(f"slot {t} has no feasible decision")
        after = self._deadline.left()
        if before is not None and after is not None:
            self._least = min(self._least, before - after)
        return alone, decided.schedule, decided.evaluation

    def _share(self, left: float | None, t: int) -> Deadline:
        """When slot t should be decided: no slot takes more than twice its share of what is free."""
        if not left:
            return self._deadline
        slots = self._n_slots - t
        least = self._least if np.isfinite(self._least) else 0.0
        free = max(0.0, left - least * slots)
        return self._deadline.part(min(1.0, (least + 2 * free / slots) / left))
