"""The ``priced`` codec: say what things are worth, by numbers in [-1,1]; the slot's best response follows.

Parts of the action, in this order: slopes of the value of stored energy (J·8), slopes of the cost of warmth
(J·6), value of waiting jobs per origin and class (I·K), the queue around which it holds (I·K), the highest
import to expect (J) when an instance of the family has a demand charge, and the value of a running generator
(J) when one has a generator.

The four slopes hold around the state of charge, over what the battery can take up or give within the slot:
beyond that the value does not matter. Of the jobs that may wait, those below the queue are worth a little
more, and those beyond it a little less: at one value for all, either all would wait or none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem, Shape
from stepwatt.formulation.plant.state import PlantState, Request
from stepwatt.solvers.response import Plan, SlotPrices, best_response
from stepwatt.solvers.response.slot_prices import ENERGY_SEGMENTS, WARMTH_SEGMENTS, uniform_ends

#: USD/MWh at least between action 0 (the terminal price) and the ends of the box, which reaches down to 0.
ENERGY_SCALE = 150.0
#: USD/MWh of electricity that coolness is measured by where the terminal price is lower.
LEAST_COOLNESS = 50.0
#: What waiting jobs are worth beside their value, of the best revenue, and where that changes beside the
#: queue, of the jobs that may wait.
QUEUE_BENDS, QUEUE_STEPS = (0.015, 0.005, -0.005, -0.015), (-0.3, 0.0, 0.3)
#: Import to expect at action 1, as a multiple of the largest IT power.
PEAK_SCALE = 2.0


@dataclass(frozen=True)
class _Parts:
    """The parts of an action (B,size), each with its own shape."""

    energy: Tensor  # (B,J,8)
    warmth: Tensor  # (B,J,6)
    waiting: Tensor  # (B,I,K)
    queue: Tensor  # (B,I,K)
    peak: Tensor | None  # (B,J)
    running: Tensor | None


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
        self.largest_gap = 0.0
        self.last: Plan | None = None

    def decode(self, e: Engine, problem: Problem, t: int, state: PlantState, action: Array) -> Request:
        """The best response to the prices of an action (B,size)."""
        if isinstance(action, Tensor):
            return self._respond(problem, t, state, action)
        request = self._respond(_tensors(problem), t, _tensors(state), torch.as_tensor(action))
        values = {f.name: getattr(request, f.name) for f in fields(request)}
        arrays: dict[str, Any] = {n: v.numpy() for n, v in values.items() if isinstance(v, Tensor)}
        return replace(request, **arrays)

    def _respond(self, problem: Problem, t: int, state: PlantState, action: Tensor) -> Request:
        self.last = best_response(problem, t, state, self.prices(problem, t, state, action))
        self.largest_gap = max(self.largest_gap, float(self.last.gap.max()))
        return self.last.request

    def prices(self, problem: Problem, t: int, state: PlantState, action: Tensor) -> SlotPrices:
        """What an action (B,size) says things are worth after slot t."""
        parts = self._parts(action)
        energy = problem.terminal_price[..., None] + _energy_scale(problem) * parts.energy
        warmth = coolness_scale(problem, t)[..., None] * (1 + parts.warmth)
        low, high = _waiting_range(problem)
        waiting, waiting_ends = queue_values(
            problem,
            t,
            low + (1 + parts.waiting) / 2 * (high - low),
            (1 + parts.queue) / 2 * problem.recent[t][..., 0],
        )
        nothing = torch.zeros_like(problem.gpus)
        peak, running = nothing, nothing
        if parts.peak is not None:
            peak = (1 + parts.peak) / 2 * PEAK_SCALE * problem.site_power
        if parts.running is not None:
            running = (1 + parts.running) / 2 * _most_running(problem, state)
        return SlotPrices(
            energy=energy.clamp(min=0).cummin(-1).values,
            energy_ends=local_ends(problem, state),
            warmth=warmth.clamp(min=0).cummax(-1).values,
            warmth_ends=uniform_ends(problem)[1],
            waiting=waiting,
            waiting_ends=waiting_ends,
            peak=peak,
            running=running,
        )

    def encode(self, problem: Problem, t: int, state: PlantState, prices: SlotPrices) -> Tensor:
        """(B,size) the action that says these prices, cut to the box; where segments end is not said."""
        energy = (prices.energy - problem.terminal_price[..., None]) / _energy_scale(problem)
        warmth = prices.warmth / coolness_scale(problem, t)[..., None] - 1
        low, high = _waiting_range(problem)
        waiting = 2 * (prices.waiting.mean(-1) - low) / (high - low).clamp(min=1e-30) - 1
        middle = prices.waiting_ends[..., len(QUEUE_STEPS) // 2]
        queue = 2 * middle / problem.recent[t][..., 0].clamp(min=1e-30) - 1
        parts = [energy, warmth, waiting, queue]
        if self.shape.has_demand_charge:
            parts.append(2 * prices.peak / (PEAK_SCALE * problem.site_power) - 1)
        if self.shape.has_generator:
            parts.append(2 * prices.running / _most_running(problem, state).clamp(min=1e-9) - 1)
        return torch.cat([part.reshape(len(problem), -1) for part in parts], dim=1).clamp(-1, 1)

    def _parts(self, action: Tensor) -> _Parts:
        j, k = self.shape.sites, self.shape.classes
        energy, warmth, waiting, queue, peak, running = torch.split(action, self.sizes, dim=1)
        return _Parts(
            energy.reshape(-1, j, ENERGY_SEGMENTS),
            warmth.reshape(-1, j, WARMTH_SEGMENTS),
            waiting.reshape(-1, j, k),
            queue.reshape(-1, j, k),
            peak if self.shape.has_demand_charge else None,
            running if self.shape.has_generator else None,
        )


def local_ends(problem: Problem, state: PlantState) -> Tensor:
    """(B,J,S−1) MWh where slopes change: at shares of what can be given, here, and of what can be taken,
    closer to each other the closer they are to what is held."""
    hours = problem.shape.slot_hours
    give = problem.battery_power * hours / problem.discharge_efficiency
    take = problem.battery_power * hours * problem.charge_efficiency
    half = ENERGY_SEGMENTS // 2
    shares = [(n / half) ** 1.5 for n in range(1, half)]
    points = [state.energy - share * give for share in reversed(shares)]
    points += [state.energy, *(state.energy + share * take for share in shares)]
    inside = [torch.maximum(torch.minimum(x, problem.energy_max), problem.energy_min) for x in points]
    return torch.stack(inside, dim=-1)


def _energy_scale(problem: Problem) -> Tensor:
    return torch.as_tensor(problem.terminal_price).clamp(min=ENERGY_SCALE)[..., None]


def coolness_scale(problem: Problem, t: int) -> Tensor:
    """(B,J) USD/°C: what one degree costs to cool at the terminal price; 1 where there is no room."""
    price = problem.terminal_price.clamp(min=LEAST_COOLNESS)
    lift = problem.heat_rate.clamp(min=1e-12) * problem.cop[t].clamp(min=1e-6)
    scale = torch.where(problem.thermal > 0, price * problem.shape.slot_hours / lift, 1.0)
    return torch.as_tensor(scale)


def _waiting_range(problem: Problem) -> tuple[Tensor, Tensor]:
    """(B,I,K) USD per job: from missing it to the best that any option brings."""
    best = most_revenue(problem)
    return (-problem.miss_penalty).expand_as(best), best


def most_revenue(problem: Problem) -> Tensor:
    """(B,I,K) USD that a job brings with the best option anywhere."""
    best = torch.where(problem.row >= 0, problem.revenue, 0.0).amax((1, 3))[:, None]
    return best.expand(len(problem), problem.shape.sites, problem.shape.classes)


def queue_values(problem: Problem, t: int, value: Tensor, queue: Tensor) -> tuple[Tensor, Tensor]:
    """(B,I,K,4) USD per job and (B,I,K,3) jobs: a value (B,I,K) that falls along the queue (B,I,K)."""
    bends = torch.tensor(QUEUE_BENDS, dtype=value.dtype, device=value.device)
    steps = torch.tensor(QUEUE_STEPS, dtype=value.dtype, device=value.device)
    may_wait = problem.recent[t][..., :1]
    return value[..., None] + bends * most_revenue(problem)[..., None], queue[..., None] + steps * may_wait


def _most_running(problem: Problem, state: PlantState) -> Tensor:
    return torch.as_tensor(state.restart + problem.shape.slot_hours * problem.no_load_cost)


def _tensors(values: Any) -> Any:
    """The same dataclass with tensors for arrays."""
    named = {f.name: getattr(values, f.name) for f in fields(values)}
    return replace(values, **{n: torch.as_tensor(v) for n, v in named.items() if hasattr(v, "dtype")})
