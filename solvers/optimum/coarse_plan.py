"""The horizon planned in blocks of slots, where it is too wide for a relaxation slot by slot.

One linear program of few long slots says at which prices power, GPU time, storage and queues balance, and how
storage and queues move. At these prices every slot can be bounded alone (:mod:`.priced_blocks`), and next to
that plan it can be decided alone (:class:`Guided`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, State
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

from ..common.blocks import coarser
from ..common.relaxation import price_arrays, solve_priced_by_rows
from ..highs.session import HighsSession, Termination
from ..interface.deadline import Deadline
from ..interface.errors import NoDecision
from ..planners.rolling import with_storage
from ..planners.slot_by_slot import Decision, SlotSolver
from .priced_blocks import tie_prices

Floats = NDArray[np.float64]

#: Rows in MW: what a MW is worth all through a block is shared by its slots.
_OF_POWER = (
    "it_power", "power_balance", "peak", "metering", "import_mode", "export_mode", "charge_mode",
    "discharge_mode", "generator_maximum", "generator_minimum",
)  # fmt: skip
#: Columns that are jobs of a block, and that are what it leaves.
_AMOUNTS, _LEFT = ("transfers", "runs", "lost"), ("waiting", "energy_mwh", "temperature_c")
#: How much warmer than planned a room may be, as a share of its span, and how many more jobs may wait, as a
#: share of those that arrive.
_WARMER, _MORE = 0.05, 0.02
#: What it is worth that jobs wait as planned, as a share of what they are worth.
_AS_PLANNED = 1e-4


@dataclass(frozen=True)
class CoarsePlan:
    """The relaxation of a horizon in blocks of ``size`` slots: its point and its duals."""

    a: InstanceArrays
    size: int
    problem: LinearProblem
    x: Floats
    row_dual: Floats

    def duals(self, t: int, alone: LinearProblem) -> Floats:
        """The duals of slot t, in the order of a one-slot problem."""
        found = np.zeros(len(alone.row_lower))
        for name, block in alone.rows.items():
            values = self.row_dual[self.problem.rows[name].ids]
            if values.ndim == 1:
                # what is missing at the end is missed after the last slot only
                found[block.ids] = values if t == self.a.n_slots - 1 else 0.0
            else:
                share = 1 / self.size if name in _OF_POWER else 1.0
                found[block.ids[:, 0]] = share * values[:, t // self.size]
        return found

    def edges(self) -> Floats:
        """(T−1,·) prices of what each slot hands to the next (:func:`.priced_blocks.tie_prices`)."""
        blocks = [tie_prices(self.problem, self.row_dual, number) for number in range(len(self))]
        return np.array([blocks[t // self.size] for t in range(1, self.a.n_slots)])

    def prices(self) -> dict[str, Floats]:
        """The plan's prices, the same in all slots of a block (:func:`..common.relaxation.price_arrays`)."""
        found = price_arrays(coarser(self.a, self.size), self.problem, self.row_dual)
        return {name: np.repeat(values, self.size, axis=-1) for name, values in found.items()}

    def __len__(self) -> int:
        return self.a.n_slots // self.size

    def of_slot(self, t: int, alone: LinearProblem) -> Floats:
        """The plan for slot t, in the order of a one-slot problem."""
        found, number, place = (
            np.zeros(len(alone.cost)),
            t // self.size,
            (t % self.size + 1) / self.size,
        )
        for name, block in alone.columns.items():
            values = self.x[self.problem.columns[name].ids]
            if values.ndim == 1:
                found[block.ids] = values
                continue
            now = values[:, number]
            if name in _AMOUNTS:
                now = now / self.size
            elif name in _LEFT:
                before = values[:, number - 1] if number else self._begun(name)
                now = before + place * (now - before)
            found[block.ids[:, 0]] = now
        return found

    def _begun(self, name: str) -> Floats:
        at, state = self.problem.members, self.a.state
        if name == "waiting":
            waiting: Floats = state.backlog.sum(axis=2)
            return waiting[at.queue_origin, at.queue_class]
        return state.energy_mwh[at.batteries] if name == "energy_mwh" else state.temperature_c[at.rooms]


def coarse_plan(a: InstanceArrays, size: int, deadline: Deadline) -> CoarsePlan | None:
    """The plan in blocks of ``size`` slots, which divides their number; None if the time does not suffice, or
    there is none."""
    problem = linear_problem(coarser(a, size))
    outcome = solve_priced_by_rows(HighsSession(problem, relaxed=True), deadline)
    if outcome.termination is not Termination.OPTIMAL or outcome.x is None or outcome.row_dual is None:
        return None
    return CoarsePlan(a, size, problem, outcome.x, outcome.row_dual)


class Guided:
    """Decides slots one after the other: storage and queues as planned, the rest at the slot's optimum."""

    def __init__(self, a: InstanceArrays, plan: CoarsePlan) -> None:
        self._a, self._plan = a, plan
        self._solver = SlotSolver(a)

    def decide(self, t: int, state: State) -> Decision:
        """Decide slot t.

        Raises:
            NoDecision: it has no feasible decision.
        """
        alone = self._solver.window(t, state)
        problem = self._solver.problem(alone)
        soon = Deadline(0.0)
        decided = self._solver.best(alone, self._led(t, alone, problem), soon)
        decided = decided or self._solver.best(alone, problem, soon)
        if decided is None:
            raise NoDecision(f"slot {t} has no feasible decision")
        return alone, decided.schedule, decided.evaluation

    def _led(self, t: int, alone: InstanceArrays, problem: LinearProblem) -> LinearProblem:
        planned = self._plan.of_slot(t, problem)
        at = problem.members
        warm = problem.columns["temperature_c"].ids[:, 0]
        planned[warm] += _WARMER * (alone.max_c - alone.min_c)[at.rooms]
        led = with_storage(alone, problem, planned)
        if t == self._a.n_slots - 1:
            return led
        later = (t + 1) // self._plan.size
        worth = self._plan.row_dual[self._plan.problem.rows["waiting_balance"].ids[:, later]]
        waiting = problem.columns["waiting"].ids[:, 0]
        arrived = alone.arrivals[at.queue_origin, at.queue_class, 0]
        led.cost[waiting] += worth + _AS_PLANNED * np.abs(worth)
        led.upper[waiting] = np.minimum(led.upper[waiting], planned[waiting] + _MORE * arrived)
        return led
