"""What a policy says things are worth after a slot, and what the state after it is therefore worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import Outcome, PlantState

Numbers = NDArray[Any]

#: Segments of the value of stored energy and of the cost of warmth, as policies say them.
ENERGY_SEGMENTS = 8
WARMTH_SEGMENTS = 6
#: What waiting jobs are worth beside their value, of the best revenue, and where that changes beside the
#: queue, of the jobs that may wait.
QUEUE_BENDS, QUEUE_STEPS = (0.015, 0.005, -0.005, -0.015), (-0.3, 0.0, 0.3)


@dataclass(frozen=True)
class SlotPrices:
    """What a slot's leavings are worth; concave, so that the best response is a linear program.

    ``energy`` (B,J,S) USD/MWh stored, nonnegative, falling from segment to segment; segments end at
    ``energy_ends`` (B,J,S−1) MWh and at the battery's largest content. ``warmth`` (B,J,W) USD/°C above the
    room's minimum, nonnegative, rising, with ``warmth_ends`` (B,J,W−1) °C. ``waiting`` (B,I,K,H) USD per job
    held, falling, with ``waiting_ends`` (B,I,K,H−1) jobs. ``peak`` (B,J) MW: import above the larger of this
    and the highest so far pays the demand charge. ``running`` (B,J) USD for a generator that is on, at most
    what starting it and its no-load hour cost.
    """

    energy: Numbers
    energy_ends: Numbers
    warmth: Numbers
    warmth_ends: Numbers
    waiting: Numbers
    waiting_ends: Numbers
    peak: Numbers
    running: Numbers


def uniform_ends(problem: Problem) -> tuple[Numbers, Numbers]:
    """Where segments of equal length end: energy (B,J,S−1) MWh, warmth (B,J,W−1) °C."""

    def between(low: Numbers, high: Numbers, parts: int) -> Numbers:
        ends: Numbers = (
            low[..., None] + (high - low)[..., None] * np.arange(1, parts, dtype=low.dtype) / parts
        )
        return ends

    return (
        between(problem.energy_min, problem.energy_max, ENERGY_SEGMENTS),
        between(problem.min_c, problem.max_c, WARMTH_SEGMENTS),
    )


def local_ends(problem: Problem, state: PlantState, segments: int = ENERGY_SEGMENTS) -> Numbers:
    """(B,J,S−1) MWh where slopes of so many segments change: at shares of what can be given, here, and of
    what can be taken, closer to each other the closer they are to what is held."""
    hours = problem.shape.slot_hours
    give = problem.battery_power * hours / problem.discharge_efficiency
    take = problem.battery_power * hours * problem.charge_efficiency
    half = segments // 2
    here = state.energy[..., None]
    shares = np.array([(n / half) ** 1.5 for n in range(1, half)], here.dtype)
    given, taken = here - shares[::-1] * give[..., None], here + shares * take[..., None]
    low, high = problem.energy_min[..., None], problem.energy_max[..., None]
    points = np.concatenate([given, here, taken], axis=-1)
    found: Numbers = np.maximum(np.minimum(points, high), low)
    return found


def queue_values(
    problem: Problem, t: int, value: Numbers, queue: Numbers, softness: float = 1.0
) -> tuple[Numbers, Numbers]:
    """(B,I,K,4) USD per job and (B,I,K,3) jobs: a value (B,I,K) that falls along the queue (B,I,K), so many
    times as much as policies say."""
    bends, steps = np.array(QUEUE_BENDS, value.dtype), np.array(QUEUE_STEPS, value.dtype)
    may_wait = problem.recent[t][..., :1]
    return value[..., None] + softness * bends * most_revenue(problem)[..., None], queue[
        ..., None
    ] + steps * may_wait


def most_revenue(problem: Problem) -> Numbers:
    """(B,I,K) USD that a job brings with the best option anywhere."""
    best = np.where(problem.row >= 0, problem.revenue, 0.0).max((1, 3))[:, None]
    return np.broadcast_to(best, (len(problem), problem.shape.sites, problem.shape.classes))


def at_the_end(problem: Problem, prices: SlotPrices, state: PlantState) -> SlotPrices:
    """The true values after the last slot (model.md "End of the horizon") in place of the policy's."""
    first = np.zeros_like(prices.energy[..., 0])
    energy = np.stack([problem.terminal_price, *[first] * (prices.energy.shape[-1] - 1)], axis=-1)
    warm = problem.terminal_heat_price
    warmth = np.stack([first, *[warm] * (prices.warmth.shape[-1] - 1)], axis=-1)
    return replace(
        prices,
        energy=energy.astype(prices.energy.dtype),
        energy_ends=np.broadcast_to(problem.energy_reference[..., None], prices.energy_ends.shape),
        warmth=warmth.astype(prices.warmth.dtype),
        warmth_ends=np.broadcast_to(problem.temperature_reference[..., None], prices.warmth_ends.shape),
        waiting=np.zeros_like(prices.waiting),
        peak=state.peak,
        running=first,
    )


def pieces(low: Numbers, high: Numbers, ends: Numbers) -> tuple[Numbers, Numbers]:
    """Lower and upper ends (...,S) of the segments of [low, high] (...,)."""
    low, high = low[..., None], high[..., None]
    inner = np.maximum(np.minimum(ends, high), low)
    return np.concatenate([low, inner], axis=-1), np.concatenate([inner, high], axis=-1)


def worth(
    problem: Problem, prices: SlotPrices, before: PlantState, after: PlantState, outcome: Outcome
) -> Numbers:
    """(B,) USD that the prices give for what a slot leaves; with its utility, what the response maximises.

    Import between the highest so far and the predicted peak is paid by the slot and given back here. Only
    for slots before the last, where the utility itself has the true values.
    """
    low, high = pieces(problem.energy_min, problem.energy_max, prices.energy_ends)
    stored = (prices.energy * np.maximum(np.minimum(after.energy[..., None], high) - low, 0.0)).sum(-1)
    cool, warm = pieces(problem.min_c, np.full_like(problem.min_c, np.inf), prices.warmth_ends)
    warmed = (prices.warmth * np.maximum(np.minimum(after.temperature[..., None], warm) - cool, 0.0)).sum(-1)
    expected = np.maximum(np.minimum(after.peak, prices.peak) - before.peak, 0.0)
    most = before.restart + problem.shape.slot_hours * problem.no_load_cost
    running = np.minimum(prices.running, most) * (outcome.generator > 1e-9)
    sites = stored - warmed * problem.thermal + problem.demand_charge * expected + running
    some, more = pieces(np.zeros_like(after.waiting), after.waiting, prices.waiting_ends)
    queued = (prices.waiting * (more - some)).sum((-1, -2, -3))
    total: Numbers = sites.sum(-1) + queued
    return total
