"""Deciding slot by slot: each decision is judged, and what it leaves is where the next slot begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule, State, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state, joined, next_state, safe_temperature, window

from ..common.solutions import clean_schedule, whole_jobs
from ..highs.session import HighsSession, NoDecision, Outcome
from ..interface.settings import Progress

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The slot as its own instance, and what is done in it.
Decision = tuple[InstanceArrays, Schedule]

#: Replaces the objective of a slot's columns.
Weigh = Callable[[LinearProblem], Floats]

_SLOT_GAP = 1e-6
#: Loss by rounding jobs, as a share of the money that moves in the slot, above which the MIP is asked.
_SLOT_LOSS = 1e-4
_SLOT_SECONDS = 1.0


def slot_by_slot(a: InstanceArrays, decide: Callable[[int, State], Decision], progress: Progress) -> Schedule:
    """Run the horizon with ``decide(slot, state)``."""
    state = fresh_state(a)
    parts: list[Schedule] = []
    for t in range(a.n_slots):
        alone, schedule = decide(t, state)
        parts.append(schedule)
        state = next_state(alone, evaluate(alone, schedule))
        progress((t + 1) / a.n_slots, f"slot {t + 1} of {a.n_slots}")
    return joined(parts)


class SlotSolver:
    """One-slot windows, solved by two HiGHS models changed in place: one whole in GPUs and modes, one LP."""

    def __init__(self, a: InstanceArrays, *, exact: bool = True) -> None:
        self._a = a
        self._exact_slots = exact
        self._warmest = safe_temperature(a)
        self._like: LinearProblem | None = None
        self._whole: HighsSession | None = None
        self._fluid: HighsSession | None = None

    def window(self, t: int, state: State) -> InstanceArrays:
        """Slot t alone, left no warmer than the coming slots can bear.

        This guard against overheating is the only look into the future: it reads the weather (COP, outside
        temperature, renewables) of later slots, so that no later slot is without a feasible decision.
        """
        return replace(window(self._a, t, 1, state), max_c=self._warmest[:, t + 1])

    def problem(self, alone: InstanceArrays) -> LinearProblem:
        """The matrices of a one-slot window."""
        problem = linear_problem(alone, like=self._like)
        self._like = self._like or problem
        return problem

    def best(self, alone: InstanceArrays, problem: LinearProblem) -> Schedule | None:
        """The optimum of the slot, up to :data:`_SLOT_LOSS`; None if there is none."""
        integer = np.zeros_like(problem.integer)
        modes = problem.ids("charging", "generator_on")
        integer[modes] = True
        integer[problem.columns["gpus_on"].ids] = alone.integral_jobs
        whole = replace(problem, integer=integer)
        if self._whole is None:
            self._whole = HighsSession(whole, relaxed=False)
        else:
            self._whole.refresh(whole)
            self._whole.forget()  # else HiGHS first tries to repair the last slot's incumbent
        chosen = self._whole.solve(gap=_SLOT_GAP)
        if chosen.x is None:
            return None
        fixed = np.flatnonzero(integer)
        plan = self._solve_fluid(with_values(problem, fixed, np.round(chosen.x[fixed])))
        x = None
        if plan.x is not None:
            x = self._rounded(alone, with_values(problem, modes, plan.x[modes]), plan)
        coarse = self._exact_slots and x is not None and self._coarse(problem, x, chosen.bound)
        if alone.integral_jobs and (x is None or coarse):
            x = self._exact(problem, x)
        return None if x is None else clean_schedule(alone, problem, x)

    def finish(self, alone: InstanceArrays, problem: LinearProblem, plan: Outcome) -> Schedule | None:
        """Whole jobs next to the plan, the energy side of ``problem`` solved for them; None if none fits."""
        x = self._rounded(alone, problem, plan)
        return None if x is None else clean_schedule(alone, problem, x)

    def _rounded(self, alone: InstanceArrays, problem: LinearProblem, plan: Outcome) -> Floats | None:
        """The better of rounding GPUs to the nearest number and up; None if neither is feasible."""
        jobs = problem.ids("transfers", "runs", "gpus_on")
        best: Floats | None = None
        for limited in (False, True):
            for spare in (False, True) if alone.integral_jobs else (False,):
                assert plan.x is not None
                x = plan.x
                if alone.integral_jobs:
                    x = whole_jobs(alone, problem, plan, limited=limited, spare=spare)
                found = self._solve_fluid(with_values(problem, jobs, x[jobs])).x
                if found is None or not evaluate(alone, clean_schedule(alone, problem, found)).feasible:
                    continue
                if best is None or problem.cost @ found > problem.cost @ best:
                    best = found
            if best is not None:
                return best
        return None

    def _coarse(self, problem: LinearProblem, x: Floats, bound: float | None) -> bool:
        """Whether rounding has cost more than jobs in the thousands would let it."""
        assert bound is not None
        worth = float(np.abs(problem.cost * x).sum())
        return bound - (problem.offset + float(problem.cost @ x)) > _SLOT_LOSS * worth

    def _exact(self, problem: LinearProblem, x: Floats | None) -> Floats | None:
        """The whole MIP of the slot, from a point, for a little while."""
        session = HighsSession(problem, relaxed=False)
        if x is not None:
            start = x.copy()
            start[problem.integer] = np.round(start[problem.integer])
            session.start_from(start)
        found = session.solve(gap=_SLOT_LOSS, time_limit=_SLOT_SECONDS).x
        if found is None or (x is not None and problem.cost @ found <= problem.cost @ x):
            return x
        return found

    def _solve_fluid(self, problem: LinearProblem) -> Outcome:
        if self._fluid is None:
            self._fluid = HighsSession(problem, relaxed=True)
        else:
            self._fluid.refresh(problem)
        return self._fluid.solve()


def with_values(p: LinearProblem, ids: Ints, values: Floats) -> LinearProblem:
    """The problem with some columns fixed."""
    lower, upper = p.lower.copy(), p.upper.copy()
    lower[ids] = upper[ids] = values
    return replace(p, lower=lower, upper=upper)


def greedy_schedule(a: InstanceArrays, progress: Progress, weigh: Weigh | None = None) -> Schedule:
    """Each slot at its own optimum (to 1e-4, or what HiGHS finds in a second), blind to what comes.

    What is stored is valued by the end-of-horizon rule (model.md): energy below the start of the horizon
    costs the terminal price, more is worth nothing; jobs that wait are worth nothing until they run.

    Raises:
        NoDecision: a slot has no feasible decision.
    """
    solver = SlotSolver(a, exact=weigh is None)

    def decide(t: int, state: State) -> Decision:
        alone = solver.window(t, state)
        problem = solver.problem(alone)
        if weigh is not None:
            problem = replace(problem, cost=weigh(problem))
        schedule = solver.best(alone, problem)
        if schedule is None:
            raise NoDecision(f"slot {t} has no feasible decision")
        return alone, schedule

    return slot_by_slot(a, decide, progress)
