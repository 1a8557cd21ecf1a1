"""What a caller may ask of a solve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import number, whole
from stepwatt.formulation.instance.given import the_instance

from .deadline import Clock, Deadline

#: The smallest positive number.
_LEAST = math.ulp(0.0)

#: Called with the share done (0..1) and what is being worked on.
Progress = Callable[[float, str], None]


def silent(done: float, what: str) -> None:
    """No progress shown."""


@dataclass(frozen=True)
class Settings:
    """Options shared by all methods; a method uses those that concern it.

    ``gap`` relative optimality gap at which to stop; ``time_limit`` seconds, None for no limit; ``seed`` for
    methods that draw; ``forecast`` for ``rolling`` and ``foresight``, None for what each takes by itself;
    ``look_ahead_hours`` for ``rolling``; ``history`` an instance of the same sites that ends where this one
    starts, for forecasts from yesterday; ``extra`` adds constraints of a user's own to the model. ``clock``
    tells the seconds that ``time_limit`` counts.
    """

    gap: float = 1e-4
    time_limit: float | None = None
    seed: int = 0
    forecast: str | None = None
    look_ahead_hours: float = 24.0
    history: Instance | None = None
    extra: Callable[[Any], Any] | None = None
    progress: Progress = silent
    clock: Clock = time.perf_counter

    def __post_init__(self) -> None:
        self._keep("gap", 0.0, 1.0, "a relative gap, 0 <= gap < 1")
        if self.time_limit is not None:
            self._keep("time_limit", _LEAST, math.inf, "seconds above 0")
        self._keep("look_ahead_hours", _LEAST, math.inf, "hours above 0")
        object.__setattr__(self, "seed", whole(self.seed, "seed"))
        if self.forecast is not None and not isinstance(self.forecast, str):
            raise InputError(field="forecast", value=self.forecast, expected="the name of a forecast")
        if self.history is not None:
            the_instance(self.history, "history")
        if not callable(self.progress):
            raise InputError(field="progress", value=self.progress, expected="a function (share done, what)")

    def _keep(self, field: str, least: float, below: float, expected: str) -> None:
        """Keep a number as Python's own, which solvers take."""
        found = number(getattr(self, field), field, expected)
        if not (least <= found < below or found == below == math.inf):
            raise InputError(field=field, value=found, expected=expected)
        object.__setattr__(self, field, found)

    def deadline(self) -> Deadline:
        """The end of the time limit, from now."""
        return Deadline(self.time_limit, self.clock)
