"""Clocks that tests hold, for code that asks what time is left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class HeldClock:
    """Stands still, or moves by ``tick`` seconds at every look at it."""

    now: float = 0.0
    tick: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now
