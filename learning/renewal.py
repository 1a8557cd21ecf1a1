"""Foresight made anew during the day, from where the plant has come to and from what has been seen since.

The information set stays the same: the forecast of the beginning, and what has happened. A forecast error
that is seen now is expected to last, as the error statistics of the forecast say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.arrays import State
from stepwatt.solvers.forecasts import ERROR_AR1
from stepwatt.solvers.windows import SERIES, window

from .engines import Engine
from .foresight import Foresight, foreseen
from .plant import PlantState

Floats = NDArray[np.float64]

#: Least factor on arrivals that a seen error may lead to expect.
LEAST = 0.3


@dataclass(frozen=True)
class Beliefs:
    """Of each instance what comes (``actual``) and what was expected of it at the beginning; an error of a
    forecast lasts with ``persistence`` from hour to hour."""

    actual: tuple[InstanceArrays, ...]
    expected: tuple[InstanceArrays, ...]
    persistence: float

    def take(self, index: Sequence[int]) -> Beliefs:
        """Those of the chosen instances."""
        actual, expected = (tuple(of[n] for n in index) for of in (self.actual, self.expected))
        return Beliefs(actual, expected, self.persistence)

    @torch.no_grad()
    def renewed(self, ahead: Foresight, t: int, state: PlantState, engine: Engine) -> Foresight:
        """The same foresight up to slot t, then that of a plan from the state before slot t."""
        slots = self.actual[0].n_slots
        found = foreseen(
            [
                window(known(a, belief, t, self.persistence), t, slots - t, state_before(a, t, state, number))
                for number, (a, belief) in enumerate(zip(self.actual, self.expected, strict=True))
            ],
            engine,
        )
        return Foresight(
            **{
                f.name: torch.cat([getattr(ahead, f.name)[:t], getattr(found, f.name)])
                for f in fields(Foresight)
            }
        )


def persistence_of(information: str) -> float:
    """How long errors last that are seen: only day-ahead forecasts have known error statistics."""
    return ERROR_AR1 if information == "day-ahead" else 0.0


def known(actual: InstanceArrays, expected: InstanceArrays, t: int, persistence: float) -> InstanceArrays:
    """What has happened up to slot t, and what is expected after it, given the errors of slot t."""
    series: dict[str, Floats] = {
        name: np.concatenate(
            [getattr(actual, name)[..., : t + 1], getattr(expected, name)[..., t + 1 :]], axis=-1
        )
        for name in SERIES
    }
    hours = np.floor(np.arange(t, actual.n_slots) * actual.slot_hours + 1e-9)
    lasting = persistence ** (hours[1:] - hours[0]) if persistence else np.zeros(len(hours) - 1)
    came, thought = actual.arrivals[..., t], expected.arrivals[..., t]
    error = np.where(came > 0, thought / np.where(came > 0, came, 1.0) - 1, 0.0)
    series["arrivals"][..., t + 1 :] /= np.maximum(1 + error[..., None] * lasting, LEAST)
    short = expected.renewable_mw[:, t] - actual.renewable_mw[:, t]
    most = expected.renewable_mw.max(axis=1)[:, None]
    later = series["renewable_mw"][:, t + 1 :] - short[:, None] * lasting
    series["renewable_mw"][:, t + 1 :] = np.clip(later, 0.0, most)
    changed: dict[str, Any] = dict(series)
    return replace(actual, **changed)


def state_before(a: InstanceArrays, t: int, state: PlantState, number: int) -> State:
    """The state of one instance before slot t; queues are FIFO, so the newest jobs remain."""

    def of(values: Tensor) -> Floats:
        found: Floats = values[number].cpu().double().numpy()
        return found

    ages = np.concatenate([a.arrivals[:, :, :t][:, :, ::-1], a.state.backlog], axis=2)
    ages = ages[:, :, : int(a.deadline.max())]
    newer = ages.cumsum(axis=2) - ages
    return State(
        energy_mwh=of(state.energy),
        temperature_c=of(state.temperature),
        backlog=np.clip(of(state.waiting)[:, :, None] - newer, 0.0, ages),
        generator_on=of(state.restart) <= 0,
        peak_mw=of(state.peak),
    )
