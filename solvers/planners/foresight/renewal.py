"""Foresight made anew during the day, from where the plant has come to and from what has been seen since.

The information set stays the same: the forecast of the beginning, and what has happened. A forecast error
that is seen now is expected to last, as the error statistics of the forecast say; who expects of a day what
the day before brought expects it of the last one that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState

from ..forecasts import ERROR_AR1, LEAST, SEEN, terminal_prices
from .expected import SERIES, Expected, ages, double, expected_of
from .foresight import Foresight, block_size, expectations, foreseen_from, width


@dataclass(frozen=True)
class Beliefs:
    """What was ``expected`` at the beginning; an error of a forecast lasts with ``persistence`` from hour to
    hour.

    With ``day`` slots (0: never), what they brought is expected again after so many; where that was before
    the beginning it is in ``expected`` for ``known`` (N,) slots, and else what is now is expected to stay.
    ``terminal_price`` (T,N,J) is believed in each slot; None: that of the problem is known.
    """

    expected: Expected
    persistence: float = 0.0
    day: int = 0
    known: NDArray[np.int64] | None = None
    terminal_price: NDArray[Any] | None = None

    def take(self, index: NDArray[np.int64]) -> Beliefs:
        """Those of the chosen instances."""
        known = None if self.known is None else self.known[index]
        price = None if self.terminal_price is None else self.terminal_price[:, index]
        return replace(self, expected=self.expected.take(index), known=known, terminal_price=price)

    def renewed(self, problem: Problem, ahead: Foresight, t: int, state: PlantState) -> Foresight:
        """The foresight from slot t on, of a plan from the state before it."""
        coming = self.coming(problem, t, state)
        slots = len(coming.arrivals)
        size, plan = block_size(slots, problem.shape.slot_hours, width(coming)), double(ahead.multipliers)
        same = len(plan) * size == problem.shape.n_slots - ahead.begun
        before = plan[-(slots // size) :] if same else None
        return foreseen_from(problem, coming, state, t, before)

    def coming(self, problem: Problem, t: int, state: PlantState) -> Expected:
        """Slot t as it is, and what is expected after it, given its errors."""
        told, hours = self._told(problem, t), problem.shape.slot_hours
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

        def less_error(name: str) -> NDArray[Any]:
            thought = getattr(told, name)
            found: NDArray[Any] = (
                thought[t + 1 :] - (thought[t] - double(getattr(problem, name)[t])) * lasting[:, None, None]
            )
            return found

        cost, price = less_error("import_cost"), less_error("export_price")
        fed_in = told.export_price[t + 1 :] > told.import_cost[t + 1 :]
        changed: dict[str, NDArray[Any]] = {
            "arrivals": told.arrivals[t + 1 :] / factor,
            "renewable": np.minimum(np.maximum(later, 0.0), told.renewable.max(0)),
            "import_cost": cost,
            "export_price": np.where(fed_in, price, np.minimum(price, cost)),
            "outside": less_error("outside"),
        }
        series = {
            name: np.concatenate(
                [double(getattr(problem, name)[t])[None], changed.get(name, getattr(told, name)[t + 1 :])]
            )
            for name in SERIES
        }
        known = self.terminal_price
        missing = double(problem.terminal_price) if known is None else known[t]
        return replace(told, backlog=ages(problem, told, t, state.waiting), terminal_price=missing, **series)

    def _told(self, problem: Problem, t: int) -> Expected:
        """What is expected of all slots once slot t is known, errors aside."""
        if not self.day or self.known is None:
            return self.expected
        slots = np.arange(problem.shape.n_slots)
        before = slots - self.day * np.maximum(np.ceil((slots - t) / self.day), 1).astype(np.int64)
        seen, unknown = before >= 0, before[:, None] < -self.known

        def series(name: str) -> NDArray[Any]:
            came = double(getattr(problem, name))
            values: NDArray[Any] = np.array(getattr(self.expected, name))
            values[seen] = came[before[seen]]
            late = unknown.reshape(*unknown.shape, *[1] * (values.ndim - 2))
            return np.where(late, came[t], values)

        return replace(self.expected, **{name: series(name) for name in SERIES})


def beliefs_of(
    information: str,
    expected: Expected,
    slot_hours: float,
    histories: Sequence[Instance | None] | None = None,
    terminal_price: NDArray[Any] | None = None,
) -> Beliefs:
    """The beliefs of an information set, of which that is expected at the beginning (errors aside, that are
    seen then), and the slots before; ``terminal_price`` as :func:`.forecasts.terminal_prices` has it."""
    lasting = persistence_of(information)
    if information.removesuffix(SEEN) != "persistence":
        return Beliefs(expected, lasting, terminal_price=terminal_price)
    past = [None] * len(expected.deadline) if histories is None else histories
    known = np.array([0 if before is None else before.n_slots for before in past], dtype=np.int64)
    day = max(1, round(24 / slot_hours))
    return Beliefs(expected, lasting, day=day, known=known, terminal_price=terminal_price)


def beginning(
    instances: Sequence[Instance],
    information: str,
    histories: Sequence[Instance | None] | None,
    seed: int,
) -> tuple[Expected, Beliefs]:
    """What is expected in slot 0 of instances, and the beliefs behind that."""
    told = expectations(instances, information, histories=histories, seed=seed)
    expected = thought = expected_of(told)
    if information.endswith(SEEN):
        base = information.removesuffix(SEEN)
        thought = expected_of(expectations(instances, base, histories=histories, seed=seed))
    price = terminal_prices(instances, information, histories, seed)
    return expected, beliefs_of(information, thought, told[0].slot_hours, histories, price)


def persistence_of(information: str) -> float:
    """How long errors last that are seen: day-ahead forecasts have known error statistics."""
    return ERROR_AR1 if information == "day-ahead" or information.endswith(SEEN) else 0.0
