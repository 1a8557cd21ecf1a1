"""Deadlines far beyond the horizon: what could never wait so long takes no room."""

from __future__ import annotations

import pytest
import tiny

from stepwatt.formulation import Instance
from stepwatt.formulation.schedule.windows import fresh_state
from stepwatt.solvers import solve
from stepwatt.solvers.planners.foresight.expected import expected_of


def waiting_for(slots: int) -> Instance:
    data = tiny.battery().to_dict()
    data["classes"]["k"]["deadline_slots"] = slots
    data["arrivals"] = {"a": {"k": [8, 0]}}
    data["backlog"] = {"a": {"k": [1, 0, 1]}}
    return Instance.from_dict(data)


def test_room_is_for_waits_that_can_be() -> None:
    a = waiting_for(10_000_000).arrays()
    assert fresh_state(a).backlog.shape == (1, 1, 3 + 2)
    assert expected_of([a]).backlog.shape == (1, 1, 1, 3 + 2)


@pytest.mark.parametrize("method", ["greedy", "rolling", "foresight", "oracle"])
def test_a_deadline_beyond_all_is_the_longest_that_counts(method: str) -> None:
    endless, longest = (solve(waiting_for(slots), method) for slots in (10_000_000, 5))
    assert endless.utility == longest.utility
