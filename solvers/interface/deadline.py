"""The end of a time limit, asked of a clock that tests may hold."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds since some moment.
Clock = Callable[[], float]


class Deadline:
    """So many seconds from now; never, where no limit is given."""

    def __init__(self, seconds: float | None, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds

    def left(self, share: float = 1.0) -> float | None:
        """A share of the seconds that are left, none below zero; None without limit."""
        return None if self._end is None else max(0.0, self._end - self._clock()) * share

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.left() == 0.0

    def part(self, share: float) -> Deadline:
        """A nearer one, after a share of the time that is left."""
        return Deadline(self.left(share), self._clock)

    def within(self, seconds: float, share: float = 1.0) -> float:
        """A share of the seconds that are left, so many at most."""
        left = self.left(share)
        return seconds if left is None else min(left, seconds)


def decided_until(slot: int, slots: int) -> str:
    """What a result says whose time was over before its last slots."""
    return f"{slot} of {slots} slots were decided in time, the others go on like the last of them"
