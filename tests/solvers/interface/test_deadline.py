"""Time limits by a clock that the test holds."""

from __future__ import annotations

import pytest
from clocks import HeldClock

from stepwatt.solvers.interface.deadline import Deadline


def test_what_is_left_shrinks_to_nothing_and_no_further() -> None:
    clock = HeldClock(now=50.0)
    deadline = Deadline(10.0, clock)
    assert deadline.left() == 10.0
    assert not deadline.passed
    clock.now = 56.0
    assert deadline.left() == 4.0
    assert deadline.left(0.25) == 1.0
    clock.now = 60.0
    assert deadline.passed
    clock.now = 99.0
    assert deadline.left() == 0.0


def test_without_a_limit_it_never_passes() -> None:
    clock = HeldClock()
    deadline = Deadline(None, clock)
    clock.now = 1e12
    assert deadline.left() is None
    assert not deadline.passed
    assert deadline.part(0.5).left() is None
    assert deadline.within(3.0) == 3.0


def test_a_part_ends_earlier_and_stays_where_it_is() -> None:
    clock = HeldClock()
    deadline = Deadline(10.0, clock)
    clock.now = 2.0
    part = deadline.part(0.25)
    assert part.left() == 2.0
    clock.now = 4.0
    assert part.passed
    assert deadline.left() == 6.0


@pytest.mark.parametrize(
    ("seconds", "share", "expected"), [(3.0, 1.0, 3.0), (30.0, 1.0, 10.0), (3.0, 0.1, 1.0)]
)
def test_of_two_limits_the_nearer_one_holds(seconds: float, share: float, expected: float) -> None:
    assert Deadline(10.0, HeldClock()).within(seconds, share) == expected
