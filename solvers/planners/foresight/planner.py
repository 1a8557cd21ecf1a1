"""Foresight as a planner: what a forecast says that things are worth, answered slot by slot, untrained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.formulation.arguments import number, whole
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import Outcome, PlantState, Request, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.solvers.interface.deadline import Deadline, decided_until
from stepwatt.solvers.interface.errors import NoDecision
from stepwatt.solvers.interface.result import Result, Seconds, Status
from stepwatt.solvers.interface.settings import Progress, Settings, silent
from stepwatt.solvers.response import Plan, best_response
from stepwatt.solvers.response.programs.standing import Standing, standing_of

from ..forecasts import FORECASTS, history_of
from .compiling import warm
from .foresight import Foresight, TooWide, alone, foreseen
from .renewal import Beliefs, beginning

if TYPE_CHECKING:
    from stepwatt.solvers.response.whole_jobs import WholeJobs

    from ..going_on import Habit

#: What is believed where nothing else is said.
FORECAST = "day-ahead"
#: Hours after which the rest of the horizon is planned again. More often gains nothing; every three hours,
#: as the study has it (docs/hybrid.md), costs less and loses a little.
RENEWAL_HOURS = 1.0


class Planner(Protocol):
    """Whoever decides slot by slot."""

    def decide(self, t: int, state: PlantState) -> Request:
        """What is asked for in slot t."""
        ...


@dataclass
class ForesightPlanner:
    """Slots of a problem answered at foreseen prices, planned again every ``renewal`` slots (0: never).

    ``last`` is the last response, with its certificate and prices. Whoever learns of the slots one by one
    replaces the problem before each decision. ``pace`` says whether there is time to plan again. Jobs are
    whole, where that is asked for, and left to the plant in slots that are parts of a block.
    """

    problem: Problem
    beliefs: Beliefs
    ahead: Foresight
    renewal: int
    last: Plan | None = None
    pace: Pace | None = None
    integral: bool = False
    _standing: Standing | None = None
    _whole: WholeJobs | None = None

    def decide(self, t: int, state: PlantState) -> Request:
        """Prices, best response; before that the rest planned again, when it is time."""
        if self.renewal and t - self.ahead.begun >= self.renewal and (not self.pace or self.pace.allows(t)):
            self._renew(t, state)
        prices = self.ahead.prices(self.problem, t, state, finer=True)
        if self._standing is None or self._standing.problem is not self.problem:
            self._standing = standing_of(self.problem)
        self.last = best_response(self.problem, t, state, prices, self._standing)
        if not (self.integral and alone(self.problem.shape.slot_hours)):
            return self.last.request
        if self._whole is None or self._whole.problem is not self.problem:
            from stepwatt.solvers.response.whole_jobs import WholeJobs

            self._whole = WholeJobs(self.problem)
        return self._whole.request(t, state, self.last)

    def _renew(self, t: int, state: PlantState) -> None:
        before = self.pace.left if self.pace else None
        try:
            self.ahead = self.beliefs.renewed(self.problem, self.ahead, t, state)
        except TooWide:
            self.renewal = 0  # the rest of the horizon falls into too many blocks: the plan there is stays
        if self.pace:
            self.pace.planned(before, t)


class Pace:
    """Whether there is time to plan again: a plan takes as long a slot as the last one, and what slots have
    taken besides they take again."""

    def __init__(self, deadline: Deadline, slots: int) -> None:
        self._deadline, self._slots = deadline, slots
        self._allowed = deadline.left()
        self._per_slot, self._plans = 0.0, 0.0
        #: Whether a plan was left out.
        self.late = False

    @property
    def left(self) -> float | None:
        """Seconds; None without limit."""
        return self._deadline.left()

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return self._deadline.passed

    def planned(self, before: float | None, t: int) -> None:
        """There was a plan from slot t on, begun when so many seconds were left."""
        now = self.left
        if before is not None and now is not None:
            self._plans += before - now
            self._per_slot = (before - now) / (self._slots - t)

    def allows(self, t: int) -> bool:
        """Whether the slots from t on can be planned, and decided after that."""
        left = self.left
        if left is None or self._allowed is None:
            return True
        besides = (self._allowed - left - self._plans) / max(1, t)
        enough = (self._per_slot + besides) * (self._slots - t) <= left
        self.late |= not enough
        return enough


@dataclass(frozen=True)
class Made:
    """The schedules of several instances, how many of their slots were decided before the time was over, and
    whether all plans were made that should have been."""

    schedules: list[Schedule]
    decided: int
    on_time: bool


@dataclass(frozen=True)
class ForesightPolicy:
    """Prices from a plan of the forecast horizon, planned again every ``renewal_hours`` (0: never; None:
    :data:`RENEWAL_HOURS`), each slot answered by its exact best response.

    ``information`` is day-ahead, persistence or perfect; ``seed`` draws the errors of day-ahead forecasts.

    Raises:
        InputError: hours below 0, or no forecast of that name.
    """

    information: str = FORECAST
    renewal_hours: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        least = "0 (never) or more"
        if self.renewal_hours is not None and number(self.renewal_hours, "renewal_hours", least) < 0:
            raise InputError(field="renewal_hours", value=self.renewal_hours, expected=least)
        if self.information not in list(FORECASTS):
            known = ", ".join(FORECASTS)
            raise InputError(field="information", value=self.information, expected=f"one of {known}")
        whole(self.seed, "seed")

    def renewal(self, instance: Instance) -> int:
        """Slots of the instance after which the rest is planned again; 0 for never."""
        hours = RENEWAL_HOURS if self.renewal_hours is None else self.renewal_hours
        return max(1, round(hours / instance.slot_hours)) if hours else 0

    def schedule(
        self, instance: Instance, history: Instance | None = None, *, progress: Progress = silent
    ) -> Schedule:
        """The schedule it makes of an instance; ``history`` is the day before, for persistence."""
        return self.schedules([instance], [history], progress=progress)[0]

    def schedules(
        self,
        instances: Sequence[Instance],
        histories: Sequence[Instance | None] | None = None,
        *,
        progress: Progress = silent,
    ) -> list[Schedule]:
        """The schedules of several instances of one shape, made side by side.

        Jobs and GPUs are whole where the instances ask for it.

        Raises:
            InputError: instances of different shapes, or a history that does not fit.
            TooWide: so many sites and classes cannot be planned in reasonable time.
        """
        return self.made(instances, histories, Deadline(None), progress=progress).schedules

    def made(
        self,
        instances: Sequence[Instance],
        histories: Sequence[Instance | None] | None,
        deadline: Deadline,
        *,
        progress: Progress = silent,
    ) -> Made:
        """The same as far as the time goes: where it is short plans are not renewed, and slots after the
        deadline go on as the last one decided (:mod:`..going_on`). The first plan and slot are made in any
        case.

        Raises:
            InputError: instances of different shapes, or a history that does not fit.
            TooWide: so many sites and classes cannot be planned in reasonable time.
        """
        arrays = [inst.arrays() for inst in instances]
        engine = numpy_engine()
        expected, beliefs = beginning(instances, self.information, histories, self.seed)
        problem = stack(arrays, engine)
        warm(lambda what: progress(0.0, what), problem.parts.links, len(instances))
        integral, slots = instances[0].integral_jobs, problem.shape.n_slots
        pace = Pace(deadline, slots)
        before = pace.left
        ahead = foreseen(problem, expected)
        pace.planned(before, 0)
        renewal = self.renewal(instances[0])
        planner = ForesightPlanner(problem, beliefs, ahead, renewal, pace=pace, integral=integral)
        state, requests, outcomes = first_state(problem), list[Request](), list[Outcome]()
        habit: Habit | None = None
        decided = slots
        for t in range(slots):
            if habit is None and t and pace.over:
                from ..going_on import Habit

                habit, decided = Habit(problem, requests[-1]), t
            requests.append(planner.decide(t, state) if habit is None else habit.ask(t, state))
            state, outcome = advance(engine, problem, t, state, requests[-1], integral=integral)
            outcomes.append(outcome)
            progress((t + 1) / slots, f"slot {t + 1} of {slots}")
        return Made(schedules(arrays, problem, requests, outcomes), decided, not pace.late)

    def __call__(self, observation: Any) -> Any:
        """(B,O) observations to the correction (B,1) of every price: none."""
        return 0.0 * observation[:, :1]

    def check(self, instance: Instance) -> None:
        """Any instance will do."""

    def fingerprint(self) -> bytes:
        """What tells it from other policies."""
        return repr(self).encode()


def foresight(inst: Instance, settings: Settings) -> Result:
    """The forecast's prices, planned again every hour, each slot answered exactly.

    The forecast of the settings, or day-ahead.

    Raises:
        InputError: unknown forecast, or a history that does not fit.
        NoDecision: a slot had no feasible decision, although the instance is feasible.
    """
    begun, forecast = time.perf_counter(), settings.forecast or FORECAST
    if forecast not in FORECASTS:
        raise InputError(field="forecast", value=forecast, expected=f"one of {', '.join(FORECASTS)}")
    history_of(inst, settings.history)
    deadline = settings.deadline()
    policy = ForesightPolicy(forecast, seed=settings.seed)
    try:
        made = policy.made([inst], [settings.history], deadline, progress=settings.progress)
    except TooWide as why:
        return _as_greedy(inst, settings, deadline, str(why))
    except NoDecision as stuck:
        return _without_schedule(inst, begun, stuck, deadline)
    judged = evaluate(inst, made.schedules[0])
    if not judged.feasible:
        end = NoDecision("foresight led to a slot without a feasible decision")
        return _without_schedule(inst, begun, end, deadline)
    total, late = time.perf_counter() - begun, made.decided < inst.n_slots
    return Result(
        inst,
        "foresight",
        Status.FEASIBLE if made.on_time and not late else Status.TIME_LIMIT,
        Seconds(0.0, total, total),
        schedule=made.schedules[0],
        evaluation=judged,
        message=decided_until(made.decided, inst.n_slots) if late else "",
    )


# what uses HiGHS is loaded where it is needed: most plans are made without


def _as_greedy(inst: Instance, settings: Settings, deadline: Deadline, why: str) -> Result:
    from ..rules import follow
    from ..slot_by_slot import Greedy

    decided = follow(inst, "foresight", settings, Greedy, deadline)
    said = f"{why}: slots are decided as by greedy"
    return replace(decided, message="; ".join(filter(None, (said, decided.message))))


def _without_schedule(inst: Instance, begun: float, stuck: NoDecision, deadline: Deadline) -> Result:
    from stepwatt.solvers.common.relaxation import infeasible_or_raise

    return infeasible_or_raise(inst, inst.arrays(), "foresight", begun, stuck, deadline)
