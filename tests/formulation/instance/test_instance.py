"""The instance file, its arrays and its options; and that random instances exercise what they promise."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from places import EXAMPLES
from pydantic import ValidationError
from solving import optimum
from strategies import CURVES, FEATURES, instance_files, instances, random_file, random_instance

from stepwatt.formulation import InputError, Instance, State, load
from stepwatt.formulation.milp.matrices import linear_problem


@given(data=instance_files())
def test_an_instance_gives_back_exactly_the_file_it_was_made_from(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    assert Instance.from_dict(data).to_dict() == before
    assert data == before


@given(data=instance_files())
def test_an_instance_survives_the_way_through_a_file(
    data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "instance.json"
    Instance.from_dict(data).save(path)
    assert json.loads(path.read_text(encoding="utf-8")) == data
    assert load(path) == Instance.from_dict(data)
    assert load(path).to_dict() == data


def test_the_examples_survive_the_way_through_a_file(example: Instance, tmp_path: Path) -> None:
    path = tmp_path / "instance.json"
    example.save(path)
    original = json.loads((EXAMPLES / f"{example.name}.json").read_text(encoding="utf-8"))
    assert json.loads(path.read_text(encoding="utf-8")) == original
    assert not path.with_name("instance.json.partial").exists()


def test_an_instance_cannot_be_changed_by_assignment(example: Instance) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        example.n_slots = 3


@pytest.mark.parametrize(
    ("text", "offset"),
    [("2024-03-01", 0), ("2024-03-01T00:00:00Z", 0), ("2024-03-01T01:00+01:00", 1)],
)
def test_the_start_is_utc_where_the_file_gives_no_offset(text: str, offset: int) -> None:
    data = random_file(np.random.default_rng(0), n_slots=1, n_sites=1)
    start = Instance.from_dict({**data, "start": text}).start_time
    assert start == datetime(2024, 3, 1, tzinfo=UTC)
    assert start.utcoffset() == timedelta(hours=offset)


# -------------------------------------------------------------------------------------------- the strategies


@given(inst=instances())
def test_random_instances_are_operable(inst: Instance) -> None:
    value, _ = optimum(linear_problem(inst.arrays()), relaxed=True)  # raises where nothing is feasible
    assert np.isfinite(value)


def test_random_instances_are_reproducible_from_their_generator() -> None:
    one, two = (random_instance(np.random.default_rng(3), n_slots=4, n_sites=2) for _ in range(2))
    assert one == two
    assert one != random_instance(np.random.default_rng(4), n_slots=4, n_sites=2)


def test_an_unknown_feature_is_refused() -> None:
    with pytest.raises(ValueError, match="warp"):
        random_instance(np.random.default_rng(0), n_slots=1, n_sites=1, features=["warp"])


def test_random_instances_have_the_features_asked_for() -> None:
    drawn = set(FEATURES) - {"zero_battery", "fluid"}
    inst = random_instance(np.random.default_rng(0), n_slots=5, n_sites=4, features=drawn)
    a = inst.arrays()
    assert a.deadline.max() > 0
    assert (a.battery & (a.battery_power_mw > 0)).any()
    assert (a.generator_min_mw > 0).any()
    assert a.thermal.any()
    assert (a.demand_charge > 0).any()
    assert max(len(clocks) for clocks in a.clocks) > 1
    assert np.isfinite(a.link_gb_per_hour).any()
    assert any(k.step_price for k in inst.classes.values())
    assert any(k.max_execution_s for k in inst.classes.values())
    assert any(k.models for k in inst.classes.values())
    assert not a.served().any(axis=0).all()
    assert (a.import_price < 0).any()
    assert (a.import_price == a.export_price).all(axis=1).any()
    assert a.carbon_price > 0
    assert inst.sites["s0"].terminal_price is not None
    assert (a.gpus == 0).any()
    assert (a.arrivals.sum(axis=2) == 0).any()
    assert a.arrivals.max() < 50
    assert inst.integral_jobs
    fluid = random_instance(
        np.random.default_rng(0), n_slots=5, n_sites=1, features=["fluid", "battery", "zero_battery"]
    )
    assert not fluid.integral_jobs
    assert fluid.arrays().battery[0]
    assert fluid.arrays().energy_max_mwh[0] == 0


def test_random_instances_have_all_six_curves() -> None:
    rng = np.random.default_rng(0)
    seen = {
        curve.kind
        for _ in range(30)
        for model in random_instance(rng, n_slots=1, n_sites=1).models.values()
        for curve in model.quality.values()
    }
    assert seen == {curve["kind"] for curve in CURVES}
    assert len(seen) == 6


# ------------------------------------------------------------------------------------------------ the arrays


def small(**fields: Any) -> Instance:
    data = random_file(np.random.default_rng(1), n_slots=4, n_sites=2, features=["battery", "thermal"])
    return Instance.from_dict({**data, **fields})


ROUNDED: dict[str, tuple[tuple[str, ...], Any]] = {
    "stored above the most": (("sites", "s0", "battery", "soc_initial"), 0.9000000000000001),
    "the least above the most": (("sites", "s0", "battery", "soc_min"), 0.9000000000000001),
    "an efficiency above one": (("sites", "s0", "battery", "charge_efficiency"), 1.0000000000000002),
    "a share above one": (("sites", "s0", "max_utilisation"), 1.0000000000000002),
    "a generator's least above its most": (("sites", "s0", "generator", "min_mw"), 0.1 + 0.2),
    "a room's least above its most": (("sites", "s0", "cooling", "min_c"), 27.000000000000004),
    "less than nothing": (("sites", "s0", "renewable_mw"), [-1e-17, 0.0]),
    "export above import": (("sites", "s0", "grid", "export_price"), [0.1 + 0.2] * 2),
    "parts of jobs": (("arrivals", "s0", "k0"), [3.0000000000000004, 1.9999999999999998]),
}


def at_its_limits() -> dict[str, Any]:
    features = ["battery", "generator", "thermal"]
    data = random_file(np.random.default_rng(0), n_slots=2, n_sites=1, features=features)
    site = data["sites"]["s0"]
    site["battery"] |= {"soc_min": 0.1, "soc_max": 0.9, "soc_initial": 0.9}
    site["generator"] |= {"min_mw": 0.3, "max_mw": 0.3}
    site["cooling"] |= {"min_c": 27.0, "max_c": 27.0, "initial_c": 27.0}
    site["grid"] |= {"import_price": [0.3] * 2, "export_price": [0.3] * 2}
    return data


@pytest.mark.parametrize("name", ROUNDED)
def test_limits_missed_by_rounding_are_taken_for_what_was_meant(name: str) -> None:
    data = at_its_limits()
    (*path, last), value = ROUNDED[name]
    node: Any = data
    for part in path:
        node = node[part]
    node[last] = value
    inst = Instance.from_dict(data)
    a = inst.arrays()
    assert (a.energy_min_mwh <= a.state.energy_mwh).all()
    assert (a.state.energy_mwh <= a.energy_max_mwh).all()
    assert (a.generator_min_mw <= a.generator_max_mw).all()
    assert (a.min_c <= a.max_c).all()
    assert (a.renewable_mw >= 0).all()
    assert (a.charge_efficiency <= 1).all()
    assert (a.max_utilisation <= 1).all()
    assert (a.arrivals == np.rint(a.arrivals)).all()
    for by_class in inst.to_dict()["arrivals"].values():
        assert all(type(jobs) is int for series in by_class.values() for jobs in series)
    if name == "parts of jobs":
        assert inst.to_dict()["arrivals"]["s0"]["k0"] == [3, 2]


@pytest.mark.parametrize("share", [0.9001, 0.90000001])
def test_limits_missed_by_more_than_rounding_are_refused(share: float) -> None:
    data = at_its_limits()
    data["sites"]["s0"]["battery"]["soc_initial"] = share
    with pytest.raises(InputError, match="soc_initial"):
        Instance.from_dict(data)


def test_the_terminal_price_is_the_highest_import_price_and_never_negative() -> None:
    data = small().to_dict()
    prices = [[-5.0, 70.0, 20.0, 0.0], [-5.0, -7.0, -2.0, -9.0]]
    for site, price in zip(data["sites"].values(), prices, strict=True):
        site["grid"]["import_price"], site["grid"]["export_price"] = price, [p - 1 for p in price]
    assert Instance.from_dict(data).arrays().terminal_price.tolist() == [70.0, 0.0]
    data["sites"]["s1"]["terminal_price"] = 33.0
    assert Instance.from_dict(data).arrays().terminal_price.tolist() == [70.0, 33.0]


def test_links_are_unlimited_where_absent_and_transfers_at_home_are_free() -> None:
    a = small(link_gb_per_hour={"s0": {"s1": 0.0}}).arrays()
    assert a.link_gb_per_hour.tolist() == [[np.inf, 0.0], [np.inf, np.inf]]
    assert np.diag(a.transfer_cost).tolist() == [0.0, 0.0]
    without_diagonal = {"s0": {"s1": 0.3}, "s1": {"s0": 0.2}}
    assert small(transfer_cost=without_diagonal).arrays().transfer_cost.tolist() == [[0.0, 0.3], [0.2, 0.0]]


def test_carbon_is_priced_per_tonne() -> None:
    a = small(carbon_price=50.0).arrays()
    assert a.import_cost == pytest.approx(a.import_price + 0.05 * a.carbon_kg_per_mwh)


@given(
    arrivals=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    backlog=st.lists(st.integers(0, 9), max_size=3),
    deadline=st.integers(0, 4),
    closes=st.booleans(),
)
def test_the_jobs_that_may_wait_are_those_of_the_last_d_slots(
    arrivals: list[int], backlog: list[int], deadline: int, closes: bool
) -> None:
    data = random_file(np.random.default_rng(1), n_slots=len(arrivals), n_sites=1, features=[])
    data["classes"] = {"k0": {**data["classes"]["k0"], "deadline_slots": deadline}}
    data["arrivals"] = {"s0": {"k0": arrivals}}
    a = Instance.from_dict(data).arrays()
    old = np.array(backlog, dtype=float).reshape(1, 1, -1)
    a = replace(a.with_state(replace(a.state, backlog=old)), closes=closes)
    came = {-age: jobs for age, jobs in enumerate(backlog, start=1)} | dict(enumerate(arrivals))
    expected = [sum(n for t, n in came.items() if now - deadline < t <= now) for now in range(len(arrivals))]
    if closes:
        expected[-1] = 0
    assert a.waiting_limit()[0, 0].tolist() == expected


def test_an_instance_starts_with_nothing_waiting_and_all_off() -> None:
    a = small().arrays()
    state: State = a.state
    assert state.backlog.sum() == 0
    assert not state.generator_on.any()
    assert state.peak_mw.tolist() == [0.0, 0.0]
    battery = small().sites["s0"].battery
    assert battery is not None
    assert state.energy_mwh[0] == battery.soc_initial * battery.energy_mwh


# ----------------------------------------------------------------------------------------------- the options


@given(inst=instances())
def test_the_options_are_all_allowed_ways_and_only_those(inst: Instance) -> None:
    rows = []
    for site in inst.sites.values():
        for class_name, k in inst.classes.items():
            for model_name in site.models:
                model = inst.models[model_name]
                curve = model.quality.get(class_name, model.quality.get("default"))
                for clock in site.clocks:
                    for s in sorted(model.steps):
                        assert curve is not None
                        q = float(curve(s))
                        h = (model.seconds_fixed + model.seconds_per_step * s) / clock.speed
                        allowed = (
                            q >= k.quality_floor
                            and (k.models is None or model_name in k.models)
                            and (k.max_execution_s is None or h <= k.max_execution_s)
                        )
                        if allowed:
                            revenue = k.base_price + k.quality_price * q + k.step_price * s
                            joules = (model.joules_fixed + model.joules_per_step * s) * clock.energy
                            names = (site, class_name, model_name, s, clock.name)
                            rows.append((names, q, revenue, h, joules / 3.6e9))
    o, a = inst.arrays().options, inst.arrays()
    assert len(o) == len(rows)
    sites = list(inst.sites.values())
    for n, (names, *numbers) in enumerate(rows):
        j = o.site[n]
        labels = (a.classes[o.job_class[n]], a.models[o.model[n]], o.steps[n], a.clocks[j][o.clock[n]])
        assert sites[j] is names[0]
        assert labels == names[1:]
        assert [o.quality[n], o.revenue[n], o.seconds[n], o.energy_mwh[n]] == pytest.approx(
            numbers, rel=1e-12
        )


def test_a_faster_clock_opens_options_under_an_execution_limit() -> None:
    data = random_file(np.random.default_rng(1), n_slots=1, n_sites=1, features=["dvfs"])
    data["classes"] = {"k0": {**data["classes"]["k0"], "max_execution_s": 1.0, "quality_floor": 0.0}}
    data["arrivals"] = {"s0": {"k0": [5]}}
    data["models"] = {
        "m0": {**data["models"]["m0"], "steps": [10], "seconds_fixed": 0, "seconds_per_step": 0.11}
    }
    data["sites"]["s0"]["models"] = ["m0"]
    data["sites"]["s0"]["clocks"] = [
        {"name": "base", "speed": 1.0, "energy": 1.0},
        {"name": "boost", "speed": 1.2, "energy": 1.3},
    ]
    a = Instance.from_dict(data).arrays()
    assert [a.clocks[0][f] for f in a.options.clock] == ["boost"]


@pytest.mark.parametrize(
    ("start", "timezone", "expected"),
    [
        ("2018-03-25T02:30", "Europe/Berlin", "a time that clocks of .*: they skip this one"),
        ("2018-10-28T02:30", "Europe/Berlin", "an offset from UTC: .* show this time twice"),
        ("0001-01-01", "Asia/Tokyo", "a start after the year 1"),
        ("9999-12-31T20:00:00-10:00", None, "whose horizon ends before the year 10000"),
    ],
)  # fmt: skip
def test_a_start_is_one_instant_and_so_is_the_end(start: str, timezone: str | None, expected: str) -> None:
    data = tiny.one_slot().to_dict()
    with pytest.raises(InputError, match=f"^start = '{start}': expected .*{expected}"):
        Instance.from_dict({**data, "start": start, "timezone": timezone})


def test_a_time_that_clocks_show_twice_is_told_apart_by_its_offset() -> None:
    data = {**tiny.one_slot().to_dict(), "timezone": "Europe/Berlin"}
    starts = [f"2018-10-28T02:30+0{hours}:00" for hours in (2, 1)]
    one, other = (Instance.from_dict({**data, "start": start}).start_time for start in starts)
    assert other.astimezone(UTC) - one.astimezone(UTC) == timedelta(hours=1)


def test_jobs_that_rounding_has_left_are_whole_from_the_door_on() -> None:
    """Once they were so in arrays and files only: the file of an instance was another instance."""
    inst = tiny.one_slot()
    origin, job_class = next(iter(inst.sites)), next(iter(inst.classes))
    nearly = inst.replace({f"arrivals.{origin}.{job_class}[0]": 3 - 1e-10})
    assert nearly.arrivals[origin][job_class][0] == 3
    assert Instance.from_dict(nearly.to_dict()) == nearly
