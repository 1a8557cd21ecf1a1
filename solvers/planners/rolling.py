"""Rolling horizon: at every slot plan the look-ahead with a forecast, execute the slot, go on.

The plan (:mod:`.look_ahead`) is a linear relaxation; only its first slot is executed, with whole jobs next to
the plan and the plan's storage.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, State
from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..common.solutions import with_modes
from ..highs.session import Outcome
from ..interface.deadline import Deadline
from ..interface.errors import NoDecision
from ..interface.result import Result
from ..interface.settings import Settings
from .forecasts import Forecast, history_of, make_forecast
from .look_ahead import LookAhead, Plan
from .rules import follow
from .slot_by_slot import Decision, SlotSolver

Floats = NDArray[np.float64]


def rolling(inst: Instance, settings: Settings) -> Result:
    """Rolling horizon with the forecast and look-ahead of the settings.

    Raises:
        InputError: unknown forecast, or a history that does not fit.
        NoDecision: a window or a slot has no feasible decision, although the instance is feasible.
    """
    history = history_of(inst, settings.history)

    def planner(a: InstanceArrays, deadline: Deadline) -> RollingPlanner:
        forecast = make_forecast(settings.forecast or "persistence", a, history, settings.seed)
        return RollingPlanner(a, forecast, settings.look_ahead_hours, deadline)

    return follow(inst, "rolling", settings, planner)


class RollingPlanner:
    """Decides slots one after the other.

    Args:
        a: the instance; slots after the current one are read only through ``forecast``, and by the guard
            against overheating (:meth:`.slot_by_slot.SlotSolver.window`).
        look_ahead_hours: length of the window, current slot included (:class:`.look_ahead.LookAhead`).
        deadline: of all slots together; slots without the time for a plan are decided as ``greedy`` does.
    """

    def __init__(
        self,
        a: InstanceArrays,
        forecast: Forecast,
        look_ahead_hours: float,
        deadline: Deadline | None = None,
    ) -> None:
        self._ahead = LookAhead(a, forecast, look_ahead_hours)
        self._slots = SlotSolver(a)
        self._n_slots = a.n_slots
        self._deadline = deadline or Deadline(None)
        self._last: Plan | None = None
        self._pace = _Pace(self._deadline, a.n_slots)
        self._late = False

    @property
    def cut_short(self) -> bool:
        """Whether a slot got less time than it asked for."""
        return self._late or self._slots.cut_short

    def decide(self, t: int, state: State) -> Decision:
        """Plan from slot t and execute it.

        Raises:
            NoDecision: there is no plan, or the slot has no feasible decision.
        """
        self._renew(t, state)
        alone = self._slots.window(t, state)
        problem = self._slots.problem(alone)
        decided, plan = None, self._last
        if plan is not None and plan.covers(t):
            first = _slot_of(plan, t, problem)
            assert first.x is not None
            followed = with_storage(alone, problem, first.x)
            if plan.slot == t:
                decided = self._slots.finish(alone, followed, first)
            else:
                # what an older plan says of jobs need not fit those that have come
                decided = self._slots.best(alone, followed, Deadline(0.0))
        decided = decided or self._slots.best(alone, problem, Deadline(0.0 if self._late else None))
        if decided is None:
            raise NoDecision(f"slot {t} has no feasible decision")
        return alone, decided.schedule, decided.evaluation

    def _renew(self, t: int, state: State) -> None:
        """Plan from slot t, unless the time is too short and it is too soon after the last plan."""
        seconds = self._pace.seconds(t)
        plan = None if seconds == 0.0 else self._ahead.plan(t, state, seconds)
        self._late |= plan is None
        self._last = plan or self._last
        if seconds != 0.0:
            self._pace.planned(t)


class _Pace:
    """Which slots are planned: all of them, or fewer, spread evenly, where the time does not suffice."""

    def __init__(self, deadline: Deadline, n_slots: int) -> None:
        self._deadline, self._n_slots = deadline, n_slots
        self._allowed = self._left = deadline.left()
        self._last, self._plans, self._spent, self._first = -1, 0, 0.0, 0.0

    def seconds(self, t: int) -> float | None:
        """What a plan from slot t may take; 0 for no plan, None for no limit."""
        self._left = self._deadline.left()
        if self._left is None or self._allowed is None:
            return None
        remaining = self._n_slots - t
        # the first plan begins from nothing and says little about the others
        usual = (self._spent - self._first) / max(1, self._plans - 1)
        besides = (self._allowed - self._left - self._spent) / max(1, t)
        spare = max(0.0, self._left - besides * remaining)
        return 0.0 if usual * remaining > spare * (t - self._last) else spare / 2

    def planned(self, t: int) -> None:
        """There was a plan from slot t, or a try."""
        now = self._deadline.left()
        if self._left is not None and now is not None:
            self._spent += self._left - now
        if self._plans == 0:
            self._first = self._spent
        self._plans += 1
        self._last = t


def _slot_of(plan: Plan, t: int, alone: LinearProblem) -> Outcome:
    """The part of a plan that concerns slot t, in the order of the one-slot problem."""
    p, outcome, place = plan.problem, plan.outcome, t - plan.origin
    assert outcome.x is not None
    assert outcome.row_dual is not None
    x, row_dual = np.zeros(len(alone.cost)), np.zeros(len(alone.row_lower))
    for name, block in alone.columns.items():
        if block.ids.ndim == 2:
            x[block.ids[:, 0]] = outcome.x[p.columns[name].ids[:, place]]
    for name, block in alone.rows.items():
        if block.ids.ndim == 2:
            row_dual[block.ids[:, 0]] = outcome.row_dual[p.rows[name].ids[:, place]]
    return replace(outcome, x=x, row_dual=row_dual)


def with_storage(a: InstanceArrays, p: LinearProblem, x: Floats) -> LinearProblem:
    """Battery, generator, room and way of the grid as in the point ``x``; the rest is free."""
    at = p.members
    lower, upper, cost = p.lower.copy(), p.upper.copy(), p.cost.copy()
    charge, discharge = x[p.columns["charge_mw"].ids], x[p.columns["discharge_mw"].ids]
    # what is charged and discharged at once only burns energy; its effect on the content is kept
    kept = (
        a.charge_efficiency[at.batteries] * charge[:, 0]
        - discharge[:, 0] / a.discharge_efficiency[at.batteries]
    )
    net = {
        "charge_mw": np.maximum(kept, 0.0) / a.charge_efficiency[at.batteries],
        "discharge_mw": np.maximum(-kept, 0.0) * a.discharge_efficiency[at.batteries],
    }
    for name, values in net.items():
        ids = p.columns[name].ids[:, 0]
        lower[ids] = upper[ids] = np.clip(values, 0.0, p.upper[ids])
    ids = p.columns["importing"].ids[:, 0]
    lower[ids] = upper[ids] = with_modes(p, x)[ids]
    ids = p.columns["generator_on"].ids[:, 0]
    least = np.maximum(0.5 * a.generator_min_mw[at.generators], 1e-9)
    on = x[p.columns["generator_mw"].ids[:, 0]] > least
    lower[ids] = upper[ids] = on.astype(float)
    ids = p.columns["temperature_c"].ids[:, 0]
    upper[ids] = np.minimum(upper[ids], np.maximum(x[ids], lower[ids]) + 1e-3)
    # the plan already says what is left for later; only this slot's money counts
    for name in ("energy_missing_mwh", "heat_leftover_c"):
        cost[p.columns[name].ids] = 0.0
    return replace(p, lower=lower, upper=upper, cost=cost)
