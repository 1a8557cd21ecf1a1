"""Prices and meters of the grid in the shape that convex programs of a slot or a day can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem

Numbers = NDArray[Any]


def sale_price(problem: Problem, slots: int | slice = slice(None)) -> Numbers:
    """(T,N,J) USD/MWh for export, or (N,J) of one slot, no more than import costs: otherwise a program would
    buy in order to sell.

    The plant itself sells at the price there is, where it only can do one of both.
    """
    found: Numbers = np.minimum(problem.export_price[slots], problem.import_cost[slots])
    return found


def metering_left(problem: Problem, t: int) -> Numbers:
    """(N,J) share of the metering interval of slot t that is left, the slot included."""
    left, goes_on = problem.meter_share[t].copy(), np.ones_like(problem.meter_share[t])
    for later in range(t + 1, problem.shape.n_slots):
        goes_on = goes_on * problem.meter_goes_on[later]
        if not goes_on.any():
            break
        left = left + goes_on * problem.meter_share[later]
    found: Numbers = left
    return found
