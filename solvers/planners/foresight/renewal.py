"""Foresight made anew during the day, from where the plant has come to and from what has been seen since.

The information set stays the same: the forecast of the beginning, and what has happened. A forecast error
that is seen now is expected to last, as the error statistics of the forecast say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stepwatt.formulation.plant.engine import Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState

from ..forecasts import ERROR_AR1
from .expected import SERIES, Expected, ages, tensor
from .foresight import Foresight, block_size, foreseen_from

#: Least factor on arrivals that a seen error may lead to expect.
LEAST = 0.3


@dataclass(frozen=True)
class Beliefs:
    """What was ``expected`` at the beginning; an error of a forecast lasts with ``persistence`` from hour to
    hour."""

    expected: Expected
    persistence: float

    def take(self, index: Tensor) -> Beliefs:
        """Those of the chosen instances."""
        return Beliefs(self.expected.take(index), self.persistence)

    @torch.no_grad()
    def renewed(
        self, problem: Problem, ahead: Foresight, t: int, state: PlantState, engine: Engine
    ) -> Foresight:
        """The foresight from slot t on, of a plan from the state before it."""
        coming = self.coming(problem, t, state)
        slots = len(coming.arrivals)
        size, plan = block_size(slots, problem.shape.slot_hours), tensor(ahead.multipliers)
        same = len(plan) * size == problem.shape.n_slots - ahead.begun
        before = plan[-(slots // size) :] if same else None
        return foreseen_from(problem, coming, state, t, before).on(engine)

    def coming(self, problem: Problem, t: int, state: PlantState) -> Expected:
        """Slot t as it is, and what is expected after it, given its errors."""
        told, hours = self.expected, problem.shape.slot_hours
        slots = torch.arange(t, problem.shape.n_slots)
        hour = torch.floor(slots * hours + 1e-9).double()
        lasting = torch.zeros_like(hour[1:])
        if self.persistence:
            lasting = self.persistence ** (hour[1:] - hour[0])
        came, thought = tensor(problem.arrivals[t]), told.arrivals[t]
        error = torch.where(came > 0, thought / torch.where(came > 0, came, 1.0) - 1, 0.0)
        factor = (1 + error * lasting[:, None, None, None]).clamp(min=LEAST)
        short = told.renewable[t] - tensor(problem.renewable[t])
        later = told.renewable[t + 1 :] - short * lasting[:, None, None]
        changed = {
            "arrivals": told.arrivals[t + 1 :] / factor,
            "renewable": torch.minimum(later.clamp(min=0), told.renewable.amax(0)),
        }
        series = {
            name: torch.cat(
                [tensor(getattr(problem, name)[t])[None], changed.get(name, getattr(told, name)[t + 1 :])]
            )
            for name in SERIES
        }
        return replace(told, backlog=ages(problem, told, t, state.waiting), **series)


def persistence_of(information: str) -> float:
    """How long errors last that are seen: only day-ahead forecasts have known error statistics."""
    return ERROR_AR1 if information == "day-ahead" else 0.0
