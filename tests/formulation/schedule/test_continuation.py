"""A horizon in parts books what it books as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_file

import stepwatt as sw
from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.formulation.schedule.windows import first_slots

SLOTS, HALF = 12, 6
FEATURES = ("deadline", "battery", "thermal", "generator", "generator_minimum", "metered", "peak_so_far")


def long_file(seed: int, **fields: Any) -> dict[str, Any]:
    """Meters that divide the halves; nothing is charged at the end of a horizon."""
    rng = np.random.default_rng(seed)
    file = random_file(rng, n_slots=SLOTS, n_sites=2, features=(*FEATURES, "backlog", "export_above"))
    for site in file["sites"].values():
        site["terminal_price"] = 0.0
        if "generator" in site:  # one without a minimum may idle through the seam
            site["generator"]["min_mw"] = 0.1 * site["generator"]["max_mw"]
        site["grid"]["demand_interval_slots"] = int(rng.choice([1, 2, 3]))
    return file | fields


def half(file: dict[str, Any], first: int) -> dict[str, Any]:
    """Six slots of a file, from ``first`` on."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cut(inner) for name, inner in value.items()}
        return value[first : first + HALF] if isinstance(value, list) and len(value) == SLOTS else value

    part = {**cut(file), "n_slots": HALF, "closes": first > 0}
    part["models"], part["classes"] = file["models"], file["classes"]
    if first:
        part.pop("backlog", None)
        part["start"] = Instance.from_dict({**file, "n_slots": HALF, **halved(file)}).end_time.isoformat()
    return part


def halved(file: dict[str, Any]) -> dict[str, Any]:
    first = {**file, "n_slots": HALF}
    del first["n_slots"]
    part = {name: first[name] for name in ("sites", "arrivals")}

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cut(inner) for name, inner in value.items()}
        return value[:HALF] if isinstance(value, list) and len(value) == SLOTS else value

    return {name: cut(value) for name, value in part.items()}


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_two_halves_book_exactly_what_the_whole_books(seed: int) -> None:
    file = long_file(seed)
    whole = Instance.from_dict(file)
    solved = sw.solve(whole, "greedy")
    schedule = solved.schedule
    assert schedule is not None
    judged = evaluate(whole, schedule)
    before = Instance.from_dict(half(file, 0))
    early = first_slots(schedule, HALF)
    late = Schedule(**{name: values[..., HALF:] for name, values in vars(schedule).items()})
    later = before.after(early, Instance.from_dict(half(file, HALF)))
    parts = [evaluate(before, early), evaluate(later, late)]
    for term, value in judged.breakdown.items():
        total = sum(part.breakdown[term] for part in parts)
        assert total == pytest.approx(value, rel=1e-9, abs=1e-9), term
    assert parts[1].feasible
    np.testing.assert_allclose(parts[1].energy_mwh, judged.energy_mwh[:, HALF:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(parts[1].temperature_c, judged.temperature_c[:, HALF:], rtol=1e-9)
    np.testing.assert_allclose(parts[1].peak_mw, judged.peak_mw, rtol=1e-12)
    np.testing.assert_allclose(parts[1].waiting, judged.waiting[..., HALF:], atol=1e-9)


def test_without_a_following_instance_the_same_one_begins_where_it_ended() -> None:
    inst = Instance.from_dict(long_file(3))
    solved = sw.solve(inst, "greedy")
    assert solved.schedule is not None
    assert solved.evaluation is not None
    later = inst.after(solved.schedule)
    assert later.start_time == inst.end_time
    assert later.backlog == {}  # what could not run by the end of a horizon that closes is lost
    for j, site in enumerate(later.sites.values()):
        assert site.grid.peak_so_far_mw == solved.evaluation.peak_mw[j]


def test_jobs_wait_for_the_next_horizon_where_this_one_does_not_close() -> None:
    """Nothing runs: of 7, 5 and 3 jobs that may wait two slots, the 3 still wait and the others are lost."""
    file = tiny.instance(
        {"a": tiny.site([1.0] * 4)},
        {"a": [7, 5, 3, 0]},
        steps={10: 1.0},
        seconds_per_step=1.0,
        mwh_per_step=0.0,
        job={"deadline_slots": 2},
    ).to_dict()
    closed, open_ = Instance.from_dict(file), Instance.from_dict({**file, "closes": False})
    idle = Schedule.idle(closed.arrays())
    assert closed.after(idle).backlog == {}
    later = open_.after(idle)
    assert later.backlog == {"a": {"k": [0.0, 3.0]}}
    assert evaluate(open_, idle).metrics["missed"] == 12.0
    np.testing.assert_array_equal(evaluate(later, idle).waiting[0, 0, :2], [7.0, 12.0])


def test_jobs_with_many_digits_wait_no_longer_than_their_deadline() -> None:
    """Counts are rounded to 1e-9; what that adds does not wait as an older job, which deadlines forbid."""
    file = tiny.instance(
        {"a": tiny.site([1.0] * 2)},
        {"a": [1, 0]},
        steps={10: 1.0},
        seconds_per_step=1.0,
        mwh_per_step=0.0,
        job={"deadline_slots": 1},
    ).to_dict()
    file["classes"]["patient"] = {**file["classes"]["k"], "deadline_slots": 2}
    file["arrivals"]["a"] = {"k": [1.0, 0.1234567896], "patient": [0.0, 0.0]}
    inst = Instance.from_dict({**file, "closes": False, "integral_jobs": False})
    assert inst.after(Schedule.idle(inst.arrays())).backlog == {"a": {"k": [0.1234567896]}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start": "2030-01-01T00:00:00Z"}, "following.start"),
        ({"demand_interval_slots": 5}, "demand_interval_slots"),
        ({"name": "other"}, "following.sites"),
    ],
)
def test_what_cannot_follow_is_refused_in_one_line(change: dict[str, Any], field: str) -> None:
    file = long_file(3)
    following = {**half(file, HALF)}
    before = half(file, 0)
    if "start" in change:
        following["start"] = change["start"]
    elif "name" in change:
        following = long_file(5) | {"start": following["start"]}
        renamed = {name.replace("s", "t"): value for name, value in following["sites"].items()}
        following["sites"] = renamed
        for field_name in ("arrivals", "transfer_cost"):
            following[field_name] = {
                name.replace("s", "t"): value for name, value in following[field_name].items()
            }
        following["transfer_cost"] = {i: {j: 0.0 for j in renamed if j != i} for i in renamed}
        following.pop("backlog", None)
    else:
        for site in before["sites"].values():
            site["grid"] |= {"demand_interval_slots": 5, "demand_charge": 3.0}
    first = Instance.from_dict(before)
    solved = sw.solve(first, "greedy")
    assert solved.schedule is not None
    with pytest.raises(InputError, match=field):
        first.after(solved.schedule, Instance.from_dict(following))


def test_a_schedule_that_breaks_rules_leaves_nothing_behind() -> None:
    inst = Instance.from_dict(long_file(3))
    broken = Schedule.idle(inst.arrays())
    broken.import_mw[:] = 1e6
    with pytest.raises(InputError, match="a feasible one"):
        inst.after(broken)
