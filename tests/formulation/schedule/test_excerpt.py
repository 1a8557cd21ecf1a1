"""Slots of a schedule as a problem of their own: nothing is lost at the cuts, and nothing gained."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from solving import best_schedule
from strategies import instances

from stepwatt.formulation import Instance, InstanceArrays, evaluate
from stepwatt.formulation.schedule.excerpt import between_meters, excerpt

#: What a start costs after the cut is not known before it.
NEVER = ("generator", "generator_minimum", "initially_on")


@given(instances(max_slots=5, max_sites=2, always=("fluid",)), st.data())
@settings(max_examples=25)
def test_parts_keep_every_constraint_and_their_money_adds_up(inst: Instance, data: st.DataObject) -> None:
    a = inst.arrays()
    a = replace(a, demand_charge=np.zeros_like(a.demand_charge))  # a peak is of no part
    utility, schedule = best_schedule(a)
    judged = evaluate(a, schedule)
    cuts = sorted(data.draw(st.sets(st.integers(1, a.n_slots), max_size=2)) | {0, a.n_slots})
    found = 0.0
    for start, stop in pairwise(cuts):
        part = evaluate(*excerpt(a, schedule, judged, start, stop))
        assert part.feasible, part.worst
        found += part.utility
    assert found == pytest.approx(utility, rel=1e-6, abs=1e-5)


@given(instances(max_slots=5, max_sites=2, always=("fluid",), never=NEVER), st.data())
@settings(max_examples=25)
def test_no_part_of_an_optimum_can_be_better(inst: Instance, data: st.DataObject) -> None:
    """Whatever is better there would be better for the whole, as all else can stay as it is."""
    a = inst.arrays()
    utility, schedule = best_schedule(a)
    start = data.draw(st.integers(0, a.n_slots - 1))
    stop = data.draw(st.integers(start + 1, a.n_slots))
    cut, part = excerpt(a, schedule, evaluate(a, schedule), *between_meters(a, start, stop))
    best, _ = best_schedule(cut)
    assert best == pytest.approx(evaluate(cut, part).utility, rel=1e-6, abs=1e-4 + 1e-5 * abs(utility))


def dear_peaks(jobs: list[int], **grid: float) -> InstanceArrays:
    """One site that pays for its peak; jobs run as they come."""
    sites, arrivals = {"a": tiny.site([10.0] * len(jobs))}, {"a": jobs}
    inst = tiny.instance(sites, arrivals, steps={10: 9.0}, seconds_per_step=1.0, mwh_per_step=0.001)
    return inst.replace({f"sites.a.grid.{name}": value for name, value in grid.items()}).arrays()


def test_a_peak_counts_beyond_the_highest_one_outside() -> None:
    a = dear_peaks([1, 9, 4], demand_charge=100.0)
    _, schedule = best_schedule(a)
    judged = evaluate(a, schedule)
    assert judged.metered_mw[0].argmax() == 1
    outside, _ = excerpt(a, schedule, judged, 2, 3)
    assert outside.state.peak_mw == judged.peak_mw
    highest, part = excerpt(a, schedule, judged, 1, 2)
    assert highest.state.peak_mw == max(judged.metered_mw[0, 0], judged.metered_mw[0, 2])
    paid = evaluate(highest, part).breakdown["demand"]
    assert paid == pytest.approx(100.0 * (judged.peak_mw[0] - highest.state.peak_mw[0]))


def test_no_metering_interval_is_cut() -> None:
    a = dear_peaks([1] * 8, demand_charge=100.0, demand_interval_slots=4)
    assert between_meters(a, 5, 6) == (4, 8)
    assert between_meters(a, 4, 8) == (4, 8)
    assert between_meters(replace(a, demand_charge=np.zeros(1)), 5, 6) == (5, 6)
