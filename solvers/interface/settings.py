"""What a caller may ask of a solve."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepwatt.formulation import InputError, Instance

from .deadline import Clock, Deadline

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
        if not 0 <= self.gap < 1:
            raise InputError(field="gap", value=self.gap, expected="a relative gap, 0 <= gap < 1")
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(field="time_limit", value=self.time_limit, expected="seconds above 0")
        if not self.look_ahead_hours > 0:
            raise InputError(field="look_ahead_hours", value=self.look_ahead_hours, expected="hours above 0")

    def deadline(self) -> Deadline:
        """The end of the time limit, from now."""
        return Deadline(self.time_limit, self.clock)
