"""Foresight made anew during the day, from where the plant has come to and from what has been seen since.

The information set stays the same: the forecast of the beginning, and what has happened. A forecast error
that is seen now is expected to last, as the error statistics of the forecast say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState

from ..forecasts import ERROR_AR1
from .expected import SERIES, Expected, ages, double
from .foresight import Foresight, block_size, foreseen_from

#: Least factor on arrivals that a seen error may lead to expect.
LEAST = 0.3


@dataclass(frozen=True)
class Beliefs:
    """What was ``expected`` at the beginning; an error of a forecast lasts with ``persistence`` from hour to
    hour."""

    expected: Expected
    persistence: float

    def take(self, index: NDArray[np.int64]) -> Beliefs:
        """Those of the chosen instances."""
        return Beliefs(self.expected.take(index), self.persistence)

    def renewed(self, problem: Problem, ahead: Foresight, t: int, state: PlantState) -> Foresight:
        """The foresight from slot t on, of a plan from the state before it."""
        coming = self.coming(problem, t, state)
        slots = len(coming.arrivals)
        size, plan = block_size(slots, problem.shape.slot_hours), double(ahead.multipliers)
        same = len(plan) * size == problem.shape.n_slots - ahead.begun
        before = plan[-(slots // size) :] if same else None
        return foreseen_from(problem, coming, state, t, before)

    def coming(self, problem: Problem, t: int, state: PlantState) -> Expected:
        """Slot t as it is, and what is expected after it, given its errors."""
        told, hours = self.expected, problem.shape.slot_hours
        slots = np.arange(t, problem.shape.n_slots)
        hour = np.floor(slots * hours + 1e-9)
        lasting = np.zeros_like(hour[1:])
        if self.persistence:
            lasting = self.persistence ** (hour[1:] - hour[0])
        came, thought = double(problem.arrivals[t]), told.arrivals[t]
        error = np.where(came > 0, thought / np.where(came > 0, came, 1.0) - 1, 0.0)
        factor = np.maximum(1 + error * lasting[:, None, None, None], LEAST)
        short = told.renewable[t] - double(problem.renewable[t])
        later = told.renewable[t + 1 :] - short * lasting[:, None, None]
        changed: dict[str, NDArray[Any]] = {
            "arrivals": told.arrivals[t + 1 :] / factor,
            "renewable": np.minimum(np.maximum(later, 0.0), told.renewable.max(0)),
        }
        series = {
            name: np.concatenate(
                [double(getattr(problem, name)[t])[None], changed.get(name, getattr(told, name)[t + 1 :])]
            )
            for name in SERIES
        }
        return replace(told, backlog=ages(problem, told, t, state.waiting), **series)


def persistence_of(information: str) -> float:
    """How long errors last that are seen: only day-ahead forecasts have known error statistics."""
    return ERROR_AR1 if information == "day-ahead" else 0.0
