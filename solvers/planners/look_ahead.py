"""Plans of the coming hours, slot by slot at first and in half-hours beyond (:mod:`.coarsening`).

One HiGHS model serves the slots of a half-hour, changed in place and begun from where it stood: slots that
are executed are closed, and the state enters where they end. The model of the next half-hour begins from the
basis of the last one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, State
from stepwatt.formulation.milp.linear_problem import Block, LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import SERIES, window

from ..common.sizes import columns_per_slot
from ..highs.certificate import safe_bound
from ..highs.session import HighsSession, Outcome, Termination
from ..interface.errors import NoDecision
from .coarsening import Coarsening
from .forecasts import Forecast, terminal_price_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Hours planned slot by slot, and of the blocks beyond.
_FINE_HOURS, _BLOCK_HOURS = 2.0, 0.5
#: Columns of a window before its slots are joined: more take gigabytes, and minutes for the first plan.
_MOST_COLUMNS = 500_000
#: What it is worth to run a job a slot sooner, as a share of what the best job earns.
_SOONER = 1e-6
#: A hot-started optimum must agree with the bound of its own duals, else the window is solved again, cold.
_CERTIFIED = 1e-6


@dataclass(frozen=True)
class Plan:
    """The optimum from ``slot`` on; its problem begins at slot ``origin``, with ``fine`` slots not joined."""

    problem: LinearProblem
    outcome: Outcome
    slot: int
    origin: int
    fine: int

    def covers(self, t: int) -> bool:
        """Whether it tells what to do in slot t."""
        return self.slot <= t < self.origin + self.fine


@dataclass(frozen=True)
class _Model:
    """What the slots of a half-hour share: a window, how to join its slots, and HiGHS.

    ``starts`` (B,) are the first slots of its blocks, of all slots of the horizon.
    """

    starts: Ints
    like: LinearProblem
    join: Coarsening | None
    session: HighsSession


class LookAhead:
    """Plans from slots that come one after the other.

    Args:
        a: the instance; slots after the current one are read only through ``forecast``.
        hours: length of the window, current slot included; one that reaches beyond two hours ends on a whole
            half-hour. A window of more than :data:`_MOST_COLUMNS` columns is shorter.
    """

    def __init__(self, a: InstanceArrays, forecast: Forecast, hours: float) -> None:
        self._a = a
        self._forecast = forecast
        self._length, self._fine, self._every = (
            max(1, round(each / a.slot_hours))
            for each in (min(hours, a.n_slots * a.slot_hours), _FINE_HOURS, _BLOCK_HOURS)
        )
        most = max(1, int(_MOST_COLUMNS / columns_per_slot(a)))
        self._length = min(self._length, most)
        if self._length <= self._fine:
            self._every = 1
        self._model: _Model | None = None

    def plan(self, t: int, state: State, seconds: float | None = None) -> Plan | None:
        """The plan from slot t; None if it is not found in ``seconds``.

        Raises:
            NoDecision: there is none.
        """
        problem, outcome = self._solved(t, state, seconds)
        if outcome.termination is Termination.INFEASIBLE and self._every > 1:
            # what is possible slot by slot need not be possible with decisions that stay for half an hour
            self._every, self._model = 1, None
            problem, outcome = self._solved(t, state, seconds)
        if outcome.termination is Termination.INFEASIBLE:
            raise NoDecision(f"the window of slot {t} has no feasible plan")
        if outcome.termination is not Termination.OPTIMAL:
            return None
        fine = problem.columns["import_mw"].ids.shape[1]
        return Plan(problem, outcome, t, t - t % self._every, min(fine, self._every + self._fine))

    def _solved(self, t: int, state: State, seconds: float | None) -> tuple[LinearProblem, Outcome]:
        origin, length = self._window(t)
        a = self._believed(t, origin, length, state)
        model = self._model
        if model is not None and model.starts[0] == origin:
            problem = _on_blocks(linear_problem(a, like=model.like), model.join, a, t - origin)
            model.session.refresh(problem)
        else:
            model, problem = self._begun(a, t - origin, origin)
        outcome = model.session.solve(time_limit=seconds)
        if outcome.termination is not Termination.TIME_LIMIT and not _is_certified(problem, outcome):
            model.session.forget()
            outcome = model.session.solve(time_limit=seconds)
        self._model = model
        return problem, outcome

    def _window(self, t: int) -> tuple[int, int]:
        """First slot and length of the window of slot t, the same for all slots of a half-hour."""
        every = self._every
        origin = t - t % every
        end = -(-(origin + every - 1 + self._length) // every) * every
        return origin, min(end, self._a.n_slots) - origin

    def _believed(self, t: int, origin: int, length: int, state: State) -> InstanceArrays:
        """The window as it is believed to be at slot t, from the state that earlier slots have left."""
        place = t - origin
        seen = window(self._a, origin, length, state)
        beliefs = self._forecast(t, t + 1, origin + length)
        series = {name: getattr(seen, name).copy() for name in SERIES}
        for name, values in series.items():
            values[..., place + 1 :] = beliefs[name]
        if place:
            # queues of the past enter as arrivals that are still there; older slots are closed
            backlog, arrivals = np.zeros_like(state.backlog), series["arrivals"]
            arrivals[:, :, :place] = 0.0
            for age in range(1, state.backlog.shape[2] + 1):
                slot = place - age
                target = arrivals[:, :, slot] if slot >= 0 else backlog[:, :, -slot - 1]
                target += state.backlog[:, :, age - 1]
            state = replace(state, backlog=backlog)
        price = terminal_price_at(self._a, self._forecast, t)
        return replace(seen, state=state, terminal_price=price, **series)

    def _begun(self, a: InstanceArrays, place: int, origin: int) -> tuple[_Model, LinearProblem]:
        """A new model, begun from the basis of the last one."""
        like = linear_problem(a)
        fine = min(self._every + self._fine, a.n_slots)
        starts = np.concatenate([np.arange(fine), np.arange(fine, a.n_slots, self._every)])
        join = Coarsening(like, starts) if len(starts) < a.n_slots else None
        problem = _on_blocks(like, join, a, place)
        session, before = HighsSession(problem, relaxed=True), self._model
        if before is not None:
            at = np.searchsorted(before.starts, origin + starts, side="right") - 1
            session.set_basis(_basis_from(before.session, problem, at))
        return _Model(origin + starts, like, join, session), problem


def _on_blocks(
    problem: LinearProblem, join: Coarsening | None, a: InstanceArrays, place: int
) -> LinearProblem:
    """The problem of a window from the slot at ``place`` on, on its blocks."""
    cost = problem.cost.copy()
    # under beliefs that stay as they are, now and later are worth the same; later may turn out worse
    cost[problem.columns["waiting"].ids] -= _SOONER * a.options.revenue.max(initial=0.0)
    problem = replace(problem, cost=cost)
    return _closed_before(problem if join is None else join(problem), a, place)


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
        "metered_mw": state.metered_mw[at.meters],
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


def _basis_from(session: HighsSession, p: LinearProblem, at: Ints) -> Any:
    """A basis for a problem of the same sites and classes whose slots lie in slots ``at`` of the session's.

    The statuses need not add up to a basis: HiGHS makes one of them.
    """
    before, basis = session.basis(), highspy.HighsBasis()
    old = session.problem
    basis.col_status = _taken_over(before.col_status, old.columns, p.columns, len(p.cost), at)
    basis.row_status = _taken_over(before.row_status, old.rows, p.rows, len(p.row_lower), at)
    basis.alien, basis.valid = True, True
    return basis


def _taken_over(
    status: list[Any], old: dict[str, Block], new: dict[str, Block], size: int, at: Ints
) -> list[Any]:
    source = np.empty(size, dtype=np.int64)
    for name, block in new.items():
        ids = old[name].ids
        source[block.ids] = ids[:, at] if ids.ndim == 2 else ids
    return [status[number] for number in source.tolist()]
