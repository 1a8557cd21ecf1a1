"""The ``priced`` codec: say what things are worth, by numbers in [-1,1]; the slot's best response follows.

Parts of the action, in this order: slopes of the value of stored energy (J·8), slopes of the cost of warmth
(J·6), value of waiting jobs per origin and class (I·K), the queue around which it holds (I·K), the highest
import to expect (J) when an instance of the family has a demand charge, and the value of a running generator
(J) when one has a generator.

The four slopes hold around the state of charge, over what the battery can take up or give within the slot:
beyond that the value does not matter. Of the jobs that may wait, those below the queue are worth a little
more, and those beyond it a little less: at one value for all, either all would wait or none.

Prices and responses are numpy arrays, whatever the engine; here its arrays are handed over and back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.bridge import array, arrays_of, on_engine
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem, Shape
from stepwatt.formulation.plant.state import PlantState, Request
from stepwatt.solvers.planners.foresight.foresight import (
    Foresight,
    alone,
    segments,
    softness,
)
from stepwatt.solvers.response import Plan, SlotPrices, best_response
from stepwatt.solvers.response.slot_prices import (
    ENERGY_SEGMENTS,
    QUEUE_STEPS,
    WARMTH_SEGMENTS,
    local_ends,
    most_revenue,
    queue_values,
    uniform_ends,
)
from stepwatt.solvers.response.whole_jobs import WholeJobs

Numbers = NDArray[Any]

#: USD/MWh at least between action 0 (the terminal price) and the ends of the box, which reaches down to 0.
ENERGY_SCALE = 150.0
#: USD/MWh of electricity that coolness is measured by where the terminal price is lower.
LEAST_COOLNESS = 50.0
#: Import to expect at action 1, as a multiple of the largest IT power.
PEAK_SCALE = 2.0


@dataclass(frozen=True)
class _Parts:
    """The parts of an action (B,size), each with its own shape."""

    energy: Numbers  # (B,J,8)
    warmth: Numbers  # (B,J,6)
    waiting: Numbers  # (B,I,K)
    queue: Numbers  # (B,I,K)
    peak: Numbers | None  # (B,J)
    running: Numbers | None


class PricedCodec:
    """Prices in a box around values that an instance itself names, answered by the exact best response.

    ``largest_gap`` is the largest certificate seen so far: what a decision could at most have missed, as a
    share of its bound (0 up to rounding where there is no generator); ``last`` is the last plan.
    """

    name = "priced"

    def __init__(self, shape: Shape):
        self.shape = shape
        j, k = shape.sites, shape.classes
        self.sizes = [
            j * ENERGY_SEGMENTS,
            j * WARMTH_SEGMENTS,
            j * k,
            j * k,
            j * shape.has_demand_charge,
            j * shape.has_generator,
        ]
        self.size = sum(self.sizes)
        #: What each part of an action has of every site; its numbers lie site by site.
        self.parts = tuple(size // j for size in self.sizes if size)
        self.largest_gap = 0.0
        self.last: Plan | None = None
        self._handed: tuple[Problem, Problem] | None = None
        self._whole: WholeJobs | None = None

    def decode(self, e: Engine, problem: Problem, t: int, state: PlantState, action: Array) -> Request:
        """The best response to the prices of an action (B,size)."""
        p, now = self._arrays(problem), arrays_of(state)
        return self._answered(e, p, t, now, self.prices(p, t, now, array(action)))

    def corrected(
        self,
        e: Engine,
        problem: Problem,
        t: int,
        state: PlantState,
        ahead: Foresight,
        said: Array,
        action: Array,
        *,
        integral: bool = False,
    ) -> Request:
        """The same where an action was to be what foresight ``said``: what it changes of the value of stored
        energy holds for both halves of a segment where foresight itself says more of them. Jobs are whole as
        foresight has them (:class:`.planner.ForesightPlanner`)."""
        p, now = self._arrays(problem), arrays_of(state)
        meant, before = array(action), array(said)
        change = _energy_scale(p) * (self._parts(meant).energy - self._parts(before).energy)
        count = segments(p)
        energy, ends = ahead.stored(p, t, now, count)
        energy = np.maximum(energy + change.repeat(count // ENERGY_SEGMENTS, -1), 0.0)
        prices = replace(
            self.prices(p, t, now, meant, softness(p)),
            energy=np.minimum.accumulate(energy, -1),
            energy_ends=ends,
        )
        request = self._answered(e, p, t, now, prices)
        if not (integral and alone(p.shape.slot_hours)):
            return request
        if self._whole is None or self._whole.problem is not p:
            self._whole = WholeJobs(p)
        assert self.last is not None
        return on_engine(self._whole.request(t, now, self.last), e)

    def _answered(self, e: Engine, p: Problem, t: int, now: PlantState, prices: SlotPrices) -> Request:
        self.last = best_response(p, t, now, prices)
        self.largest_gap = max(self.largest_gap, float(self.last.gap.max()))
        return on_engine(self.last.request, e)

    def said(self, e: Engine, problem: Problem, t: int, state: PlantState, ahead: Foresight) -> Array:
        """(B,size) the engine's action that says what is foreseen."""
        p, now = self._arrays(problem), arrays_of(state)
        return e.asarray(self.encode(p, t, now, ahead.prices(p, t, now)))

    def _arrays(self, problem: Problem) -> Problem:
        """The problem as numpy arrays; handed over once, as it is asked for slot by slot."""
        if self._handed is None or self._handed[0] is not problem:
            self._handed = problem, arrays_of(problem)
        return self._handed[1]

    def prices(
        self, problem: Problem, t: int, state: PlantState, action: Numbers, softness: float = 1.0
    ) -> SlotPrices:
        """What an action (B,size) says things are worth after slot t, all in numpy arrays; ``softness`` as in
        :func:`.slot_prices.queue_values`."""
        parts = self._parts(action)
        energy = problem.terminal_price[..., None] + _energy_scale(problem) * parts.energy
        warmth = coolness_scale(problem, t)[..., None] * (1 + parts.warmth)
        low, high = _waiting_range(problem)
        waiting, waiting_ends = queue_values(
            problem,
            t,
            low + (1 + parts.waiting) / 2 * (high - low),
            (1 + parts.queue) / 2 * problem.recent[t][..., 0],
            softness,
        )
        nothing = np.zeros_like(problem.gpus)
        peak, running = nothing, nothing
        if parts.peak is not None:
            peak = (1 + parts.peak) / 2 * PEAK_SCALE * problem.site_power
        if parts.running is not None:
            running = (1 + parts.running) / 2 * _most_running(problem, state)
        return SlotPrices(
            energy=np.minimum.accumulate(np.maximum(energy, 0.0), -1),
            energy_ends=local_ends(problem, state),
            warmth=np.maximum.accumulate(np.maximum(warmth, 0.0), -1),
            warmth_ends=uniform_ends(problem)[1],
            waiting=waiting,
            waiting_ends=waiting_ends,
            peak=peak,
            running=running,
        )

    def encode(self, problem: Problem, t: int, state: PlantState, prices: SlotPrices) -> Numbers:
        """(B,size) the action that says these prices, cut to the box; where segments end is not said."""
        energy = (prices.energy - problem.terminal_price[..., None]) / _energy_scale(problem)
        warmth = prices.warmth / coolness_scale(problem, t)[..., None] - 1
        low, high = _waiting_range(problem)
        waiting = 2 * (prices.waiting.mean(-1) - low) / np.maximum(high - low, 1e-30) - 1
        middle = prices.waiting_ends[..., len(QUEUE_STEPS) // 2]
        queue = 2 * middle / np.maximum(problem.recent[t][..., 0], 1e-30) - 1
        parts = [energy, warmth, waiting, queue]
        if self.shape.has_demand_charge:
            parts.append(2 * prices.peak / (PEAK_SCALE * problem.site_power) - 1)
        if self.shape.has_generator:
            parts.append(2 * prices.running / np.maximum(_most_running(problem, state), 1e-9) - 1)
        action = np.concatenate([part.reshape(len(problem), -1) for part in parts], axis=1)
        return action.clip(-1, 1)

    def _parts(self, action: Numbers) -> _Parts:
        j, k = self.shape.sites, self.shape.classes
        ends = np.cumsum(self.sizes)[:-1]
        energy, warmth, waiting, queue, peak, running = np.split(action, ends, axis=1)
        return _Parts(
            energy.reshape(-1, j, ENERGY_SEGMENTS),
            warmth.reshape(-1, j, WARMTH_SEGMENTS),
            waiting.reshape(-1, j, k),
            queue.reshape(-1, j, k),
            peak if self.shape.has_demand_charge else None,
            running if self.shape.has_generator else None,
        )


def _energy_scale(problem: Problem) -> Numbers:
    found: Numbers = np.maximum(problem.terminal_price, ENERGY_SCALE)[..., None]
    return found


def coolness_scale(problem: Problem, t: int) -> Numbers:
    """(B,J) USD/°C: what one degree costs to cool at the terminal price; 1 where there is no room."""
    price = np.maximum(problem.terminal_price, LEAST_COOLNESS)
    lift = np.maximum(problem.heat_rate, 1e-12) * np.maximum(problem.cop[t], 1e-6)
    return np.where(problem.thermal > 0, price * problem.shape.slot_hours / lift, 1.0)


def _waiting_range(problem: Problem) -> tuple[Numbers, Numbers]:
    """(B,I,K) USD per job: from missing it to the best that any option brings."""
    best = most_revenue(problem)
    return np.broadcast_to(-problem.miss_penalty, best.shape), best


def _most_running(problem: Problem, state: PlantState) -> Numbers:
    found: Numbers = state.restart + problem.shape.slot_hours * problem.no_load_cost
    return found
