"""Rolling horizon: at every slot plan the look-ahead with a forecast, execute the slot, go on.

The plan is a linear relaxation; only its first slot is executed, with whole jobs next to the plan and the
plan's storage. One HiGHS model serves the whole horizon, changed in place and hot-started. When the window
touches the end of the horizon it stops moving: executed slots are closed, the state enters where it stands.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, State, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import SERIES, window

from ..common.relaxation import infeasible_or_raise
from ..common.trimming import trimmed
from ..highs.certificate import safe_bound
from ..highs.session import HighsSession, NoDecision, Outcome, Termination
from ..interface.result import Result, Seconds, Status
from ..interface.settings import Settings
from .forecasts import Forecast, history_of, make_forecast
from .ring import Ring
from .slot_by_slot import Decision, SlotSolver, slot_by_slot

Floats = NDArray[np.float64]

#: A hot-started optimum must agree with the bound of its own duals, else the window is solved again, cold.
_CERTIFIED = 1e-6


def rolling(inst: Instance, settings: Settings) -> Result:
    """Rolling horizon with the forecast and look-ahead of the settings.

    Raises:
        InputError: unknown forecast, or a history that does not fit.
        NoDecision: a window or a slot has no feasible decision, although the instance is feasible.
    """
    begun = time.perf_counter()
    a = inst.arrays()
    cut = trimmed(a)
    history = history_of(inst, settings.history)
    forecast = make_forecast(settings.forecast or "persistence", cut.arrays, history, settings.seed)
    planner = RollingPlanner(cut.arrays, forecast, settings.look_ahead_hours)
    try:
        schedule = cut.expanded(slot_by_slot(cut.arrays, planner.decide, settings.progress))
    except NoDecision as stuck:
        return infeasible_or_raise(inst, a, "rolling", begun, stuck)
    total = time.perf_counter() - begun
    return Result(
        inst,
        "rolling",
        Status.FEASIBLE,
        Seconds(0.0, total, total),
        schedule=schedule,
        evaluation=evaluate(a, schedule),
    )


@dataclass(frozen=True)
class _View:
    """A window of the horizon as the planner sees it: place of the current slot, arrays, matrices."""

    place: int
    arrays: InstanceArrays
    problem: LinearProblem


class RollingPlanner:
    """Decides slots one after the other; holds the window model and the slot model.

    Args:
        a: the instance; slots after the current one are read only through ``forecast``, and by the guard
            against overheating (:meth:`.slot_by_slot.SlotSolver.window`).
        look_ahead_hours: length of the window, current slot included.
    """

    def __init__(self, a: InstanceArrays, forecast: Forecast, look_ahead_hours: float) -> None:
        self._a = a
        self._forecast = forecast
        self._length = min(a.n_slots, max(1, round(look_ahead_hours / a.slot_hours)))
        self._like: LinearProblem | None = None
        self._ring: Ring | None = None
        self._session: HighsSession | None = None
        self._slots = SlotSolver(a)
        self.cold_restarts = 0

    def decide(self, t: int, state: State) -> Decision:
        """Plan from slot t and execute it."""
        view = self._view(t, state)
        outcome = self._plan(view)
        if outcome.x is None:
            raise NoDecision(f"the window of slot {t} has no feasible plan")
        return self._execute(t, state, view, outcome)

    def _view(self, t: int, state: State) -> _View:
        a, length = self._a, self._length
        origin = min(t, a.n_slots - length)
        current = t - origin
        seen = window(a, origin, length, state)
        beliefs = self._forecast(t, t + 1, origin + length)
        series = {}
        for name in SERIES:
            values = getattr(seen, name).copy()
            values[..., current + 1 :] = beliefs[name]
            series[name] = values
        if current:
            # queues of the past enter as arrivals that are still there; older slots are closed below
            backlog = np.zeros_like(state.backlog)
            arrivals = series["arrivals"]
            arrivals[:, :, :current] = 0.0
            for age in range(1, state.backlog.shape[2] + 1):
                slot = current - age
                target = arrivals[:, :, slot] if slot >= 0 else backlog[:, :, -slot - 1]
                target += state.backlog[:, :, age - 1]
            state = replace(state, backlog=backlog)
        arrays = replace(seen, state=state, **series)
        problem = linear_problem(arrays, like=self._like)
        self._like = self._like or problem
        self._ring = self._ring or Ring(problem)
        closed = _closed_before(problem, arrays, current)
        return _View(t % length, arrays, self._ring.turned(closed, origin))

    def _plan(self, view: _View) -> Outcome:
        if self._session is None:
            self._session = HighsSession(view.problem, relaxed=True)
            return self._session.solve()
        self._session.refresh(view.problem)
        outcome = self._session.solve()
        if not _is_certified(view.problem, outcome):
            self._session.forget()
            self.cold_restarts += 1
            outcome = self._session.solve()
        return outcome

    def _execute(self, t: int, state: State, view: _View, outcome: Outcome) -> Decision:
        alone = self._slots.window(t, state)
        problem = self._slots.problem(alone)
        first = _slot_of(view.problem, problem, outcome, view.place)
        assert first.x is not None
        temperature = first.x[problem.columns["temperature_c"].ids][:, 0]
        followed = _with_storage(alone, problem, first.x, temperature)
        decided = self._slots.finish(alone, followed, first) or self._slots.best(alone, problem)
        if decided is None:
            raise NoDecision(f"slot {t} has no feasible decision")
        return alone, decided.schedule, decided.evaluation


def _closed_before(p: LinearProblem, a: InstanceArrays, current: int) -> LinearProblem:
    """The problem from slot ``current`` on: earlier slots do nothing and hand over the state."""
    if current == 0:
        return p
    lower, upper = p.lower.copy(), p.upper.copy()
    row_lower, row_upper = p.row_lower.copy(), p.row_upper.copy()
    for block in p.columns.values():
        if block.ids.ndim == 2:
            lower[block.ids[:, :current]] = upper[block.ids[:, :current]] = 0.0
    for block in p.rows.values():
        if block.ids.ndim == 2:
            row_lower[block.ids[:, :current]] = -np.inf
            row_upper[block.ids[:, :current]] = np.inf
    at, state = p.members, a.state
    waiting = state.backlog.sum(axis=2) + a.arrivals[:, :, :current].sum(axis=2)
    handed_over = {
        "waiting": waiting[at.queue_origin, at.queue_class],
        "energy_mwh": state.energy_mwh[at.batteries],
        "temperature_c": state.temperature_c[at.rooms],
        "generator_on": state.generator_on[at.generators].astype(float),
    }
    for name, values in handed_over.items():
        ids = p.columns[name].ids[:, current - 1]
        lower[ids] = upper[ids] = values
    return replace(p, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper)


def _is_certified(p: LinearProblem, outcome: Outcome) -> bool:
    if outcome.termination is not Termination.OPTIMAL:
        return False
    assert outcome.objective is not None
    assert outcome.row_dual is not None
    bound = safe_bound(p, outcome.row_dual)
    return abs(bound - outcome.objective) <= _CERTIFIED * max(1.0, abs(bound))


def _slot_of(p: LinearProblem, alone: LinearProblem, outcome: Outcome, place: int) -> Outcome:
    """The part of a window's outcome that concerns one slot, in the order of the one-slot problem."""
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


def _with_storage(a: InstanceArrays, p: LinearProblem, x: Floats, temperature: Floats) -> LinearProblem:
    """Battery, generator and room as planned; only grid, curtailment and what cooling needs stay free."""
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
    ids = p.columns["generator_on"].ids[:, 0]
    least = np.maximum(0.5 * a.generator_min_mw[at.generators], 1e-9)
    on = x[p.columns["generator_mw"].ids[:, 0]] > least
    lower[ids] = upper[ids] = on.astype(float)
    ids = p.columns["temperature_c"].ids[:, 0]
    upper[ids] = np.minimum(upper[ids], np.maximum(temperature, lower[ids]) + 1e-3)
    # the plan already says what is left for later; only this slot's money counts
    for name in ("energy_missing_mwh", "heat_leftover_c"):
        cost[p.columns[name].ids] = 0.0
    return replace(p, lower=lower, upper=upper, cost=cost)
