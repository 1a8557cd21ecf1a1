"""The schedule file: exact round trips, absent flows are zero, entries of zero jobs are left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances, random_instance, random_schedule

from stepwatt.formulation import SITE_FLOWS, Instance, Schedule, evaluate, load_schedule


def same(one: Schedule, two: Schedule) -> bool:
    names = ("transfers", "runs", *SITE_FLOWS)
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


@given(inst=instances(max_slots=4, max_sites=3), seed=st.integers(0, 2**32 - 1))
def test_a_schedule_survives_the_way_through_a_file_exactly(
    inst: Instance, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    a = inst.arrays()
    schedule = random_schedule(np.random.default_rng(seed), a)
    data = schedule.to_dict(inst)
    assert same(Schedule.from_dict(inst, data), schedule)
    assert Schedule.from_dict(inst, data).to_dict(inst) == data
    path = tmp_path_factory.getbasetemp() / "schedule.json"
    schedule.save(inst, path)
    assert json.loads(path.read_text(encoding="utf-8")) == data
    again = load_schedule(inst, path)
    assert same(again, schedule)
    assert evaluate(a, again).utility == evaluate(a, schedule).utility


def test_a_schedule_is_found_inside_a_result_file(tmp_path: Path) -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=3, n_sites=2)
    schedule = random_schedule(np.random.default_rng(1), inst.arrays())
    path = tmp_path / "result.json"
    result = {"schema": "stepwatt.result/1", "utility": 3.0, "schedule": schedule.to_dict(inst)}
    path.write_text(json.dumps(result), encoding="utf-8")
    assert same(load_schedule(inst, path), schedule)


def test_absent_flows_are_zero_and_absent_sites_are_off() -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=3, n_sites=2)
    empty = {"schema": "stepwatt.schedule/1", "transfers": [], "runs": [], "sites": {}}
    assert same(Schedule.from_dict(inst, empty), Schedule.idle(inst.arrays()))


def test_the_idle_schedule_has_nothing_to_write() -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=3, n_sites=2)
    data = Schedule.idle(inst.arrays()).to_dict(inst)
    assert data == {
        "schema": "stepwatt.schedule/1",
        "transfers": [],
        "runs": [],
        "sites": {"s0": {}, "s1": {}},
    }


def test_jobs_are_written_by_name() -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=3, n_sites=2, features=["dvfs"])
    a = inst.arrays()
    schedule = Schedule.idle(a)
    o, row = a.options, len(a.options) - 1
    schedule.transfers[0, 1, 0, 2] = 7
    schedule.runs[row, 1] = 2.5
    schedule.gpus_on[1] = [0, 3, 0]
    data = schedule.to_dict(inst)
    assert data["transfers"] == [["s0", "s1", a.classes[0], 2, 7]]
    j = o.site[row]
    model, clock = a.models[o.model[row]], a.clocks[j][o.clock[row]]
    run = [a.sites[j], a.classes[o.job_class[row]], model, int(o.steps[row]), clock, 1, 2.5]
    assert data["runs"] == [run]
    assert data["sites"] == {"s0": {}, "s1": {"gpus_on": [0, 3, 0]}}


def test_a_copy_shares_no_numbers_with_the_original() -> None:
    a = random_instance(np.random.default_rng(0), n_slots=3, n_sites=2).arrays()
    original = Schedule.idle(a)
    changed = original.copy()
    for name in ("transfers", "runs", *SITE_FLOWS):
        getattr(changed, name)[...] = 1
    assert same(original, Schedule.idle(a))
