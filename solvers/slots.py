"""Deciding slot by slot: each decision is judged, and what it leaves is where the next slot begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule, State, evaluate
from stepwatt.formulation.matrices import LinearProblem, linear_problem

from .highs import HighsSession, Outcome, SolverError
from .settings import Progress
from .solutions import clean_schedule, whole_jobs
from .windows import fresh_state, joined, next_state, safe_temperature, window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The slot as its own instance, and what is done in it.
Decision = tuple[InstanceArrays, Schedule]

#: Replaces the objective of a slot's columns.
Weigh = Callable[[LinearProblem], Floats]

_SLOT_GAP = 1e-6


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

    def __init__(self, a: InstanceArrays) -> None:
        self._a = a
        self._warmest = safe_temperature(a)
        self._like: LinearProblem | None = None
        self._whole: HighsSession | None = None
        self._fluid: HighsSession | None = None

    def window(self, t: int, state: State) -> InstanceArrays:
        """Slot t alone, left no warmer than the coming slots can bear."""
        return replace(window(self._a, t, 1, state), max_c=self._warmest[:, t + 1])

    def problem(self, alone: InstanceArrays) -> LinearProblem:
        """The matrices of a one-slot window."""
        problem = linear_problem(alone, like=self._like)
        self._like = self._like or problem
        return problem

    def best(self, alone: InstanceArrays, problem: LinearProblem) -> Schedule | None:
        """The optimum of the slot, exact in GPUs, commitment and modes, jobs rounded next to it."""
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
        settled = with_values(problem, fixed, np.round(chosen.x[fixed]))
        outcome = self._solve_fluid(settled)
        return (
            None
            if outcome.x is None
            else self.finish(alone, with_values(problem, modes, outcome.x[modes]), outcome)
        )

    def finish(self, alone: InstanceArrays, problem: LinearProblem, plan: Outcome) -> Schedule | None:
        """Whole jobs next to the plan, the energy side of ``problem`` solved for them; None if none fits."""
        jobs = np.concatenate(
            [problem.columns[name].ids.ravel() for name in ("transfers", "runs", "gpus_on")]
        )
        for limited in (False, True):
            assert plan.x is not None
            x = whole_jobs(alone, problem, plan, limited=limited) if alone.integral_jobs else plan.x
            outcome = self._solve_fluid(with_values(problem, jobs, x[jobs]))
            if outcome.x is not None:
                schedule = clean_schedule(alone, problem, outcome.x)
                if evaluate(alone, schedule).feasible:
                    return schedule
        return None

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
    """Each slot at its own optimum, blind to what comes.

    What is stored is valued by the end-of-horizon rule (model.md): energy below the start of the horizon
    costs the terminal price, more is worth nothing; jobs that wait are worth nothing until they run.

    Raises:
        SolverError: a slot has no feasible decision.
    """
    solver = SlotSolver(a)

    def decide(t: int, state: State) -> Decision:
        alone = solver.window(t, state)
        problem = solver.problem(alone)
        if weigh is not None:
            problem = replace(problem, cost=weigh(problem))
        schedule = solver.best(alone, problem)
        if schedule is None:
            raise SolverError(f"slot {t} has no feasible decision")
        return alone, schedule

    return slot_by_slot(a, decide, progress)
