"""The optimal schedule in the middle of all optimal ones."""

from __future__ import annotations

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.formulation import Instance, evaluate
from stepwatt.solvers import SolverError, relative_gap
from stepwatt.solvers.optimum.central_schedule import central_schedule


@pytest.fixture(scope="module")
def day() -> Instance:
    return sw.scenario("jemas", start="2018-06-12", n_slots=24, slot_minutes=60, integral_jobs=False)


def test_it_is_feasible_and_earns_the_bound(day: Instance) -> None:
    bound = sw.solve(day, "lp").bound
    assert bound is not None
    judged = evaluate(day, central_schedule(day, bound))
    assert judged.broken == {}
    assert relative_gap(bound, judged.utility) <= 1e-6


def test_what_is_tied_is_shared_out_more_evenly_than_at_a_vertex(day: Instance) -> None:
    """Two sites that are copies of each other, with free transfer: the middle treats them more alike."""
    file = day.to_dict()
    first, second, *others = file["sites"]
    for name in others:
        del file["sites"][name], file["arrivals"][name]
    file["sites"][second] = file["sites"][first]
    file["arrivals"][second] = file["arrivals"][first]
    file["transfer_cost"] = {i: dict.fromkeys((first, second), 0.0) for i in (first, second)}
    twins = Instance.from_dict(file)
    vertex = sw.solve(twins, "lp")
    assert vertex.bound is not None
    assert vertex.schedule is not None
    middle = central_schedule(twins, vertex.bound)
    apart = [np.abs(s.gpus_on[0] - s.gpus_on[1]).sum() for s in (middle, vertex.schedule)]
    assert apart[0] < 0.5 * apart[1]


def test_a_bound_that_no_schedule_reaches_is_told(day: Instance) -> None:
    with pytest.raises(SolverError, match="bound"):
        central_schedule(day, 1e9)
