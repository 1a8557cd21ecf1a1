"""Random prices and plant states for slots of any problem."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState, first_state
from stepwatt.solvers.response import SlotPrices, uniform_ends
from stepwatt.solvers.response.slot_prices import ENERGY_SEGMENTS, WARMTH_SEGMENTS


def drawn_prices(problem: Problem, rng: np.random.Generator) -> SlotPrices:
    sites, classes = problem.gpus.shape, problem.shape.classes

    def uniform(*shape: int) -> NDArray[Any]:
        return rng.uniform(0, 1, shape)

    energy_ends, warmth_ends = uniform_ends(problem)
    best = problem.revenue.max((1, 3))[:, None]
    span = best + problem.miss_penalty
    return SlotPrices(
        energy=np.sort(150 * uniform(*sites, ENERGY_SEGMENTS), -1)[..., ::-1],
        energy_ends=energy_ends,
        warmth=np.sort(uniform(*sites, WARMTH_SEGMENTS), -1) * (2 * problem.terminal_heat_price[..., None]),
        warmth_ends=warmth_ends,
        waiting=np.sort(uniform(*sites, classes, 3) * span[..., None], -1)[..., ::-1]
        - problem.miss_penalty[..., None],
        waiting_ends=np.sort(uniform(*sites, classes, 2), -1) * problem.arrivals.max(),
        peak=uniform(*sites) * problem.site_power,
        running=np.zeros(sites),
    )


def drawn_state(problem: Problem, rng: np.random.Generator, t: int) -> PlantState:
    """Anything the plant could be in, whether or not a schedule would lead there."""
    sites = problem.gpus.shape

    def uniform(*shape: int) -> NDArray[Any]:
        return rng.uniform(0, 1, shape)

    begun = first_state(problem)
    left = problem.recent[t - 1][..., 0] if t > 0 else problem.first_waiting
    ceiling = problem.ceiling[max(t - 1, 0)]
    warm = problem.min_c + uniform(*sites) * (ceiling - problem.min_c)
    return PlantState(
        energy=problem.energy_min + uniform(*sites) * (problem.energy_max - problem.energy_min),
        temperature=np.where(problem.thermal > 0, warm, begun.temperature),
        waiting=left * uniform(*left.shape).round(1),
        restart=problem.startup_cost * (uniform(*sites) > 0.5),
        peak=problem.site_power * uniform(*sites) / 2,
        metered=begun.metered,
    )
