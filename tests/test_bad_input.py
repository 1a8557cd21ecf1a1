"""Bad input ends in one InputError of one line: file, field, value, expectation. Nothing else, ever."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import FEATURES, instance_files, random_file

import stepwatt as sw
from stepwatt.data.local_time import time_zone
from stepwatt.formulation import InputError, Instance, Schedule, evaluate, load, load_schedule
from stepwatt.formulation.toml_tables import read_toml

MANY = settings(max_examples=8 * settings().max_examples)

Key = str | int
Edit = Callable[[dict[str, Any]], None]
Read = TypeVar("Read")

FULL = set(FEATURES) - {"zero_battery", "zero_gpus", "fluid", "unserved", "restricted", "max_execution"}
FULL -= {"constant"}  # defects are put into lists


def valid_file() -> dict[str, Any]:
    """Two sites, three slots, everything in it; the curve of m0 is a power law."""
    data = random_file(np.random.default_rng(7), n_slots=3, n_sites=2, features=FULL)
    data["models"]["m0"]["quality"]["default"] = {"kind": "power", "ceiling": 0.97, "span": 1.6, "rate": 0.75}
    return data


def one_line(error: InputError) -> str:
    message = str(error)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    return message


def put(*path: Key, value: Any) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        node: Any = data
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return edit


def drop(*path: Key) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        node: Any = data
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return edit


NAN, INF = float("nan"), float("inf")
S0, ROOM, K0, M0 = ("sites", "s0"), ("sites", "s0", "cooling"), ("classes", "k0"), ("models", "m0")

#: edit of a valid file, field, value as shown, expectation
DEFECTS: dict[str, tuple[Edit, str, str, str]] = {
    "a text for a number": (put("slot_hours", value="1"), "slot_hours", "'1'", "a valid number"),
    "a boolean for a number": (put("slot_hours", value=True), "slot_hours", "True", "a valid number"),
    "a real for a count": (put("n_slots", value=3.0), "n_slots", "3.0", "a valid integer"),
    "a number for a text": (put("start", value=7), "start", "7", "a valid string"),
    "a number for a list": (put("arrivals", "s0", "k0", value=7), "arrivals.s0.k0", "7", "a list"),
    "a text for a series": (
        put(*S0, "renewable_mw", value="sun"),
        "sites.s0.renewable_mw",
        "'sun'",
        "a number, or a list",
    ),
    "a list for an object": (put("sites", value=[]), "sites", "[]", "an object"),
    "null for a number": (put("n_slots", value=None), "n_slots", "None", "a valid integer"),
    "NaN": (put(*S0, "renewable_mw", 1, value=NAN), "sites.s0.renewable_mw[1]", "nan", "a finite number"),
    "Infinity": (put(*S0, "gpu_idle_watts", value=INF), "sites.s0.gpu_idle_watts", "inf", "a finite number"),
    "minus Infinity": (
        put(*S0, "grid", "import_price", 0, value=-INF),
        "sites.s0.grid.import_price[0]",
        "-inf",
        "a finite number",
    ),
    "a negative size": (put(*S0, "gpus", value=-1), "sites.s0.gpus", "-1", "greater than or equal to 0"),
    "a negative price of a job": (
        put(*K0, "base_price", value=-1.0),
        "classes.k0.base_price",
        "-1.0",
        "to 0",
    ),
    "a length of zero": (put("slot_hours", value=0), "slot_hours", "0", "greater than or equal to"),
    "no slots": (put("n_slots", value=0), "n_slots", "0", "greater than or equal to 1"),
    "a share above one": (
        put(*S0, "battery", "soc_max", value=1.5),
        "sites.s0.battery.soc_max",
        "1.5",
        "to 1",
    ),
    "an efficiency of zero": (
        put(*S0, "battery", "charge_efficiency", value=0.0),
        "sites.s0.battery.charge_efficiency",
        "0.0",
        "greater than",
    ),
    "a number that divides to infinity": (put("slot_hours", value=1e-320), "slot_hours", "1e-320", "greater"),
    "a number beyond every unit": (
        put(*S0, "grid", "import_limit_mw", value=1e200),
        "sites.s0.grid.import_limit_mw",
        "1e+200",
        "less than or equal to 1000000000000",
    ),
    "a huge integer": (put("n_slots", value=10**400), "n_slots", "an integer of", "less than"),
    "an integer too long to print": (put("n_slots", value=1 << 20_000), "n_slots", "20001 bits", "less than"),
    "a deadline beyond 64 bits": (
        put(*K0, "deadline_slots", value=2**70),
        "classes.k0.deadline",
        "118",
        "less",
    ),
    "a wrong length": (
        put(*S0, "renewable_mw", value=[0.0]),
        "sites.s0.renewable_mw",
        "1 numbers",
        "3 numbers",
    ),
    "a wrong length of arrivals": (
        put("arrivals", "s1", "k0", value=[]),
        "arrivals.s1.k0",
        "0 num",
        "3 numbers",
    ),
    "a wrong length of temperatures": (
        put(*ROOM, "outside_c", value=[1.0] * 4),
        "sites.s0.cooling.outside_c",
        "4 numbers",
        "3 numbers",
    ),
    "an unknown field": (put("colour", value="red"), "colour", "'red'", "no field of this name"),
    "an unknown field deep inside": (put(*ROOM, "fan", value=1), "sites.s0.cooling.fan", "1", "no field"),
    "the field name of the code": (put("schema_", value="x"), "schema_", "'x'", "no field of this name"),
    "an unknown schema": (put("schema", value="x/1"), "schema", "'x/1'", "'stepwatt.instance/1'"),
    "an unknown curve": (
        put(*M0, "quality", "default", "kind", value="cubic"),
        "models.m0.quality.default.kind",
        "'cubic'",
        "one of 'exponential'",
    ),
    "a curve without kind": (
        drop(*M0, "quality", "default", "kind"),
        "models.m0.quality.default.kind",
        "(missing)",
        "says which",
    ),
    "a curve without a parameter": (
        drop(*M0, "quality", "default", "rate"),
        "models.m0.quality.default.rate",
        "(missing)",
        "this field",
    ),
    "an unknown model of a site": (
        put(*S0, "models", value=["x"]),
        "sites.s0.models[0]",
        "'x'",
        "a model of",
    ),
    "an unknown model of a class": (
        put(*K0, "models", value=["x"]),
        "classes.k0.models[0]",
        "'x'",
        "a model",
    ),
    "a curve for an unknown class": (
        put(*M0, "quality", "x", value={"kind": "logarithmic", "offset": 0.1, "gain": 0.2}),
        "models.m0.quality.x",
        "'x'",
        "a class of this instance or 'default'",
    ),
    "no curve for a class": (
        put(*M0, "quality", value={"k0": {"kind": "logarithmic", "offset": 0.1, "gain": 0.2}}),
        "models.m0.quality",
        "['k0']",
        "or a default",
    ),
    "arrivals at an unknown site": (put("arrivals", "x", value={}), "arrivals.x", "'x'", "a site of this"),
    "arrivals of an unknown class": (
        put("arrivals", "s0", "x", value=[]),
        "arrivals.s0.x",
        "'x'",
        "a class of",
    ),
    "no arrivals of a site": (drop("arrivals", "s1"), "arrivals", "['s0']", "an entry for site s1"),
    "no arrivals of a class": (drop("arrivals", "s1", "k0"), "arrivals.s1", "[", "an entry for class k0"),
    "a missing field": (drop("n_slots"), "n_slots", "(missing)", "this field"),
    "a missing field deep inside": (drop(*ROOM, "cop"), "sites.s0.cooling.cop", "(missing)", "this field"),
    "a missing transfer cost": (
        drop("transfer_cost", "s0", "s1"),
        "transfer_cost.s0",
        "['s0']",
        "for site s1",
    ),
    "a transfer cost of an unknown site": (
        put("transfer_cost", "s0", "x", value=1.0),
        "transfer_cost.s0.x",
        "'x'",
        "a site of",
    ),
    "a cost of staying": (put("transfer_cost", "s0", "s0", value=1), "transfer_cost.s0.s0", "1", "0 on the"),
    "a link to an unknown site": (
        put("link_gb_per_hour", value={"s0": {"x": 1.0}}),
        "link_gb_per_hour.s0.x",
        "'x'",
        "a site of",
    ),
    "jobs that wait beyond their deadline": (
        put("backlog", value={"s0": {"k0": [1] * 99}}),
        "backlog.s0.k0",
        "'99 numbers'",
        "at most",
    ),
    "jobs that wait for no class": (
        put("backlog", value={"s0": {"nothing": [1]}}),
        "backlog.s0.nothing",
        "'nothing'",
        "a class",
    ),
    "a part of a job that waits": (
        put("backlog", value={"s0": {"k0": [0.5]}}),
        "backlog.s0.k0[0]",
        "0.5",
        "a whole number of jobs",
    ),
    "a meter without slots": (
        put(*S0, "grid", "demand_interval_slots", value=0),
        "sites.s0.grid.demand_interval_slots",
        "0",
        "greater than or equal to 1",
    ),
    "a time zone that is none": (put("timezone", value="Oslo"), "timezone", "'Oslo'", "an IANA time zone"),
    "a currency without a name": (put("currency", value=""), "currency", "''", "at least 1"),
    "a fraction of a job": (
        put("arrivals", "s0", "k0", value=[1, 2.5, 3]),
        "arrivals.s0.k0[1]",
        "2.5",
        "a whole number of jobs",
    ),
    "less than no jobs": (put("arrivals", "s0", "k0", 0, value=-1), "arrivals.s0.k0[0]", "-1", "equal to 0"),
    "steps twice": (put(*M0, "steps", value=[3, 3]), "models.m0.steps", "[3, 3]", "every step count once"),
    "no steps": (put(*M0, "steps", value=[]), "models.m0.steps", "[]", "at least 1 item"),
    "a step count of zero": (put(*M0, "steps", value=[0]), "models.m0.steps[0]", "0", "equal to 1"),
    "a table of two lengths": (
        put(*M0, "quality", "default", value={"kind": "tabulated", "steps": [1, 2], "values": [0.5]}),
        "models.m0.quality.default.values",
        "[0.5]",
        "2 numbers",
    ),
    "a table out of order": (
        put(*M0, "quality", "default", value={"kind": "piecewise", "steps": [2, 1], "values": [0.5, 0.6]}),
        "models.m0.quality.default.steps",
        "[2.0, 1.0]",
        "strictly increasing",
    ),
    "a clock twice": (
        put(*S0, "clocks", value=[{"name": "a", "speed": 1, "energy": 1}] * 2),
        "sites.s0.clocks",
        "['a', 'a']",
        "every clock name once",
    ),
    "a start that is no date": (put("start", value="today"), "start", "'today'", "an ISO 8601 date and time"),
    "a horizon beyond the calendar": (
        put("start", value="9999-12-31T23:59:00Z"),
        "start",
        "'9999-12-31T23:59:00Z'",
        "ends before the year 10000",
    ),
    "an empty room": (put(*ROOM, "min_c", value=30.0), "sites.s0.cooling.min_c", "30.0", "at most max_c"),
    "a room that oscillates": (
        put(*ROOM, "leak_mw_per_c", value=5.0),
        "sites.s0.cooling.leak_mw_per_c",
        "5.0",
        "at most heat_capacity_mwh_per_c / slot_hours",
    ),
    "an empty battery range": (
        put(*S0, "battery", "soc_min", value=0.99),
        "sites.s0.battery.soc_min",
        "0.99",
        "at most soc_max",
    ),
    "a battery out of range": (
        put(*S0, "battery", "soc_initial", value=0.01),
        "sites.s0.battery.soc_initial",
        "0.01",
        "between soc_min",
    ),
    "a generator upside down": (
        put(*S0, "generator", "min_mw", value=9.0),
        "sites.s0.generator.min_mw",
        "9.0",
        "at most max_mw",
    ),
    "an empty name": (put("models", "", value={}), "models.", "''", "at least 1 character"),
    "a name with a line break": (put("models", "a\nb", value={}), "models.a\\nb", "'a\\nb'", "printable"),
    "a name that is no Unicode": (put("name", value="\ud800"), "name", "'\\ud800'", "printable"),
    "a name of half a character": (
        put("models", "m\udfff", value={}),
        "models.m",
        "'m\\udfff'",
        "whole char",
    ),
    "an unknown field with line breaks": (put("a\n\u2028b", value=1), "a\\n\\u2028b", "1", "no field"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_told_in_one_line_with_file_field_value_and_expectation(
    name: str, tmp_path: Path
) -> None:
    edit, field, value, expected = DEFECTS[name]
    data = valid_file()
    Instance.from_dict(copy.deepcopy(data))
    edit(data)
    with pytest.raises(InputError) as caught:
        Instance.from_dict(data)
    message = one_line(caught.value)
    assert message.startswith(field)
    before, after = message.removeprefix(field).split(": expected ", 1)
    assert value in before
    assert expected in after
    if name not in ("an integer too long to print",):  # that one no JSON file can hold
        path = tmp_path / "broken.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        with pytest.raises(InputError) as read:
            load(path)
        assert one_line(read.value) == f"{path}: {message}"


#: bytes of the file, field, value as shown, expectation
UNREADABLE: dict[str, tuple[bytes, str, str, str]] = {
    "not JSON": (b"utility = 3", "file", "line 1 column 1", "valid JSON"),
    "cut off": (b'{"schema": "stepwatt.instance/1", ', "file", "line 1", "valid JSON"),
    "empty": (b"", "file", "line 1 column 1", "valid JSON"),
    "not UTF-8": (b'{"schema": "\xff"}', "file", "not UTF-8", "a readable JSON file"),
    "a field twice": (b'{"n_slots": 3, "n_slots": 3}', "n_slots", "given twice", "every field once"),
    "a field with a line break twice": (b'{"a\\n": 3, "a\\n": 3}', "a\\n", "given twice", "every field once"),
    "nested too deep": (b"[" * 100_000, "file", "recursion", "valid JSON"),
    "deep but balanced": (b"[" * 500 + b"]" * 500, "(whole file)", "[[[", "an object"),
    "deep objects": (b'{"a":' * 600 + b"1" + b"}" * 600, "schema", "(missing)", "this field"),
    "an integer of 5000 digits": (b'{"n_slots": ' + b"9" * 5000 + b"}", "file", "4300", "JSON numbers"),
    "an integer of 4000 digits": (b"9" * 4000, "(whole file)", "an integer of", "an object"),
    "a number alone": (b"3", "(whole file)", "3", "an object"),
    "null": (b"null", "(whole file)", "None", "an object"),
    "an empty object": (b"{}", "schema", "(missing)", "this field"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    content, field, value, expected = UNREADABLE[name]
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(path)
    message = one_line(caught.value)
    assert message.startswith(f"{path}: {field} = ")
    before, after = message.removeprefix(f"{path}: ").split(": expected ", 1)
    assert value in before
    assert expected in after


@pytest.mark.parametrize(
    ("name", "reason"), [("absent.json", "No such file"), (".", "directory"), ("a\0b", "null byte")]
)
def test_a_file_that_is_not_there_is_told_in_one_line(name: str, reason: str, tmp_path: Path) -> None:
    path = f"{tmp_path}/{name}"
    with pytest.raises(InputError) as caught:
        load(path)
    message = one_line(caught.value)
    assert caught.value.file == path
    assert caught.value.field == "file"
    assert reason in message
    assert message.endswith("expected a readable JSON file")


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "instance.json"
    with pytest.raises(InputError) as caught:
        Instance.from_dict(valid_file()).save(path)
    assert one_line(caught.value).startswith(f"{path}: file = 'No such file")


def test_a_line_break_in_a_file_name_does_not_break_the_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    assert "two\\nlines.json" in one_line(caught.value)


def test_further_defects_are_counted() -> None:
    data = valid_file()
    data["sites"]["s0"]["renewable_mw"] = [0.0]
    data["sites"]["s1"]["renewable_mw"] = [0.0]
    with pytest.raises(InputError, match=r"\(and 1 more\)$"):
        Instance.from_dict(data)


def test_long_values_and_long_lists_of_names_are_cut() -> None:
    data = valid_file()
    data["n_slots"] = "x" * 10_000
    with pytest.raises(InputError) as caught:
        Instance.from_dict(data)
    assert len(str(caught.value)) < 200
    data = valid_file()
    for n in range(500):
        data["models"][f"model-{n}"] = data["models"]["m0"]
    data["sites"]["s0"]["models"] = ["x"]
    with pytest.raises(InputError, match=r"model-\d, … 50\d in all\)") as listed:
        Instance.from_dict(data)
    assert len(str(listed.value)) < 300


def test_the_error_survives_pickling() -> None:
    error = InputError(field="a.b", value=3, expected="4", file="f.json", more=2)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "f.json: a.b = 3: expected 4 (and 2 more)"


# ---------------------------------------------------------------------------------------------- schedules


def schedule_case() -> tuple[Instance, dict[str, Any]]:
    inst = Instance.from_dict(valid_file())
    a = inst.arrays()
    row = next(row for row in range(len(a.options)) if a.sites[a.options.site[row]] == "s0")
    schedule = Schedule.idle(a)
    k = a.options.job_class[row]
    schedule.runs[row, 1] = 1
    schedule.transfers[0, 0, k, 1] = 1
    schedule.import_mw[0] = 0.5
    return inst, schedule.to_dict(inst)


SCHEDULE_DEFECTS: dict[str, tuple[Edit, str, str, str]] = {
    "an unknown schema": (put("schema", value="x"), "schema", "'x'", "'stepwatt.schedule/1'"),
    "a missing list": (drop("runs"), "runs", "(missing)", "this field"),
    "an unknown field": (put("x", value=1), "x", "1", "no field of this name"),
    "an unknown site": (put("sites", "x", value={}), "sites.x", "'x'", "a site of the instance (s0, s1)"),
    "an unknown flow": (put("sites", "s0", "x_mw", value=[]), "sites.s0.x_mw", "'x_mw'", "one of gpus_on"),
    "a wrong length": (
        put("sites", "s0", "import_mw", value=[1.0]),
        "sites.s0.import_mw",
        "1 numbers",
        "3 numbers",
    ),
    "NaN in a flow": (
        put("sites", "s0", "import_mw", 0, value=NAN),
        "sites.s0.import_mw[0]",
        "nan",
        "a finite number",
    ),
    "a short entry": (put("transfers", 0, value=["s0"]), "transfers[0]", "['s0']", "at least 5 items"),
    "an unknown origin": (put("transfers", 0, 0, value="x"), "transfers[0][0]", "'x'", "a site of"),
    "an unknown target": (put("transfers", 0, 1, value=7), "transfers[0][1]", "7", "a site of"),
    "an unknown class": (put("transfers", 0, 2, value="x"), "transfers[0][2]", "'x'", "a class of"),
    "a slot too far": (put("transfers", 0, 3, value=3), "transfers[0][3]", "3", "a slot between 0 and 2"),
    "a slot before the first": (put("runs", 0, 5, value=-1), "runs[0][5]", "-1", "a slot between 0 and 2"),
    "a boolean slot": (put("runs", 0, 5, value=True), "runs[0][5]", "True", "a slot between 0 and 2"),
    "negative jobs": (put("transfers", 0, 4, value=-1), "transfers[0][4]", "-1", "a non-negative number"),
    "NaN jobs": (put("runs", 0, 6, value=NAN), "runs[0][6]", "nan", "a non-negative number of jobs"),
    "jobs as a text": (put("runs", 0, 6, value="1"), "runs[0][6]", "'1'", "a non-negative number of jobs"),
    "an unknown model": (put("runs", 0, 2, value="x"), "runs[0][2]", "'x'", "a model of"),
    "an unknown clock": (put("runs", 0, 4, value="x"), "runs[0][4]", "'x'", "a clock of"),
    "steps that are not allowed": (put("runs", 0, 3, value=999), "runs[0]", "999", "an option that"),
}


@pytest.mark.parametrize("name", SCHEDULE_DEFECTS)
def test_a_defect_of_a_schedule_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    edit, field, value, expected = SCHEDULE_DEFECTS[name]
    inst, data = schedule_case()
    edit(data)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_schedule(inst, path)
    message = one_line(caught.value)
    assert message.startswith(f"{path}: {field} = ")
    before, after = message.removeprefix(f"{path}: {field} = ").split(": expected ", 1)
    assert value in before
    assert expected in after


@pytest.mark.parametrize("part", ["transfers", "runs"])
def test_an_entry_of_a_schedule_given_twice_is_an_error(part: str) -> None:
    inst, data = schedule_case()
    data[part].append(list(data[part][0]))
    with pytest.raises(InputError, match=rf"^{part}\[1\] = .*: expected one entry per"):
        Schedule.from_dict(inst, data)


def test_a_result_file_without_schedule_says_so(tmp_path: Path) -> None:
    inst, _ = schedule_case()
    path = tmp_path / "result.json"
    path.write_text('{"schema": "stepwatt.result/1", "schedule": null}', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_schedule(inst, path)
    assert one_line(caught.value) == f"{path}: schedule = None: expected an object {{…}}"


# ------------------------------------------------------------------------------------- mutated valid files

NAMES = st.sampled_from(
    [
        "s0",
        "s1",
        "k0",
        "m0",
        "default",
        "kind",
        "pue",
        "thermal",
        "",
        "x",
        "a\nb",
        "\ud800",
        "schema_",
        "[key]",
    ]
)
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2, 0.5, NAN, INF, -INF, 1e308, -1e308, 5e-324, 1e-12, 1e12, 10**30, 10**400]),
    st.integers(),
    st.floats(),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, NAMES, st.text(max_size=5))
CURVES = st.fixed_dictionaries({"kind": st.sampled_from(["power", "sigmoid", "logarithmic", "tabulated"])})
VALUES = st.recursive(
    SCALARS | CURVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def nodes(value: Any) -> list[tuple[Any, Key]]:
    """Every (container, key) of a JSON value, at any depth."""
    found: list[tuple[Any, Key]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        found.append((value, key))
        found.extend(nodes(value[key]))
    return found


def mutate(draw: st.DrawFn, data: Any) -> None:
    """Replace, delete or insert one node, in place."""
    places = nodes(data)
    container, key = places[draw(st.integers(0, len(places) - 1))]
    action = draw(st.sampled_from(["replace", "replace", "scale", "delete", "insert"]))
    if action == "replace":
        container[key] = draw(VALUES)
    elif action == "scale" and type(container[key]) in (int, float):
        container[key] *= draw(st.sampled_from([-1, 0, 1e-12, 1e-6, 1e6, 1e12]))
    elif action == "delete":
        del container[key]
    elif isinstance(container, list):
        container.insert(int(key), draw(VALUES))
    else:
        container[draw(NAMES)] = draw(VALUES)


@st.composite
def mutated(draw: st.DrawFn, files: st.SearchStrategy[Any]) -> Any:
    data = copy.deepcopy(draw(files))
    for _ in range(draw(st.integers(1, 3))):
        if isinstance(data, dict | list) and data:
            mutate(draw, data)
    return data


def read_or_told(read: Callable[[Path], Read], path: Path) -> Read | None:
    """What the file holds, or None where an InputError says in one line, beginning with the file, why not."""
    try:
        return read(path)
    except InputError as error:
        message = one_line(error)
    assert message.startswith(f"{path}: ")
    assert ": expected " in message
    return None


def works(inst: Instance) -> None:
    a = inst.arrays()
    idle = Schedule.idle(a)
    result = evaluate(a, idle)
    assert np.isfinite([result.utility, *result.breakdown.values(), *result.metrics.values()]).all()
    assert np.isfinite(list(result.violations.values())).all()
    assert Instance.from_dict(inst.to_dict()) == inst
    assert inst.start_time + timedelta(hours=inst.n_slots * inst.slot_hours) >= inst.start_time


@MANY
@given(data=mutated(instance_files(max_slots=3, max_sites=2)))
def test_a_mutated_instance_loads_and_works_or_is_told_in_one_line(
    data: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    inst = read_or_told(load, path)
    if inst is not None:
        assert inst.to_dict() == json.loads(path.read_bytes())
        works(inst)


@st.composite
def mutated_bytes(draw: st.DrawFn) -> bytes:
    text = bytearray(json.dumps(draw(instance_files(max_slots=2, max_sites=1))), encoding="utf-8")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        until = at + draw(st.integers(0, 3))
        text[at:until] = draw(
            st.binary(max_size=3) | st.sampled_from([b"9", b"-", b"NaN", b"1e999", b'"', b"}"])
        )
    return bytes(text)


@MANY
@given(content=mutated_bytes())
def test_a_file_with_damaged_bytes_loads_and_works_or_is_told_in_one_line(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(content)
    inst = read_or_told(load, path)
    if inst is not None:
        assert inst.to_dict() == json.loads(path.read_bytes())
        works(inst)


@MANY
@given(data=mutated(st.builds(lambda: schedule_case()[1])))
def test_a_mutated_schedule_loads_and_is_judged_or_is_told_in_one_line(
    data: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inst, _ = schedule_case()
    path = tmp_path_factory.getbasetemp() / "schedule.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    schedule = read_or_told(lambda file: load_schedule(inst, file), path)
    if schedule is not None:
        result = evaluate(inst, schedule)
        assert np.isfinite([result.utility, *result.metrics.values(), *result.violations.values()]).all()


def test_the_sign_that_some_editors_put_before_all_text_is_no_defect(tmp_path: Path) -> None:
    inst = tiny.one_slot()
    inst.save(tmp_path / "i.json")
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "i.json").read_bytes())
    assert load(tmp_path / "bom.json") == inst
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbfgamma = 0.5\n")
    assert read_toml(tmp_path / "bom.toml") == {"gamma": 0.5}


@pytest.mark.parametrize("given", [[], [("a", {})], {1: {"carbon_price": 1.0}}, {"\ud800": {}}], ids=repr)
@pytest.mark.parametrize("door", ["compare", "what_if", "expansion", "replace"])
def test_a_table_by_names_is_one_at_every_door(door: str, given: Any) -> None:
    inst = tiny.one_slot()
    doors: dict[str, Callable[[], object]] = {
        "compare": lambda: sw.compare(inst, given),
        "what_if": lambda: sw.what_if(inst, given),
        "expansion": lambda: sw.expansion(inst, costs=given),
        "replace": lambda: inst.replace(given),
    }
    with pytest.raises(InputError) as told:
        doors[door]()
    one_line(told.value)


@pytest.mark.parametrize("value", ["x", 3, tiny.one_slot().to_dict()], ids=["text", "number", "dictionary"])
def test_what_follows_is_an_instance(value: Any) -> None:
    inst = tiny.one_slot()
    schedule = sw.solve(inst, "greedy").schedule
    assert schedule is not None
    with pytest.raises(InputError, match=r"^following = "):
        inst.after(schedule, value)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("carbon_price", 1e9),
        ("classes.k.miss_penalty", 1e9),
        ("sites.a.grid.import_price", 1e9),
        ("sites.a.gpu_idle_watts", 1e9),
        ("sites.a.grid.import_limit_mw", 1e12),
        ("models.m.seconds_fixed", 0.9e9),
        ("models.m.joules_fixed", 0.9e11),
        ("sites.a.cooling.pue", 1e3),
        ("slot_hours", 8784.0),
    ],
)
def test_beyond_what_solvers_have_digits_for_is_refused_at_the_door(path: str, most: float) -> None:
    """Up to there they solve: the bound is above what the judge accepts, and nothing fails."""
    inst = tiny.battery()
    largest = inst.replace({path: most})
    best = sw.solve(largest, "oracle")
    assert best.status is sw.solvers.Status.OPTIMAL
    for method in ("greedy", "lp", "oracle"):
        result = sw.solve(largest, method)
        assert result.evaluation is not None
        assert result.evaluation.feasible or method == "lp"
        if result.evaluation.feasible:
            assert result.evaluation.utility <= best.bound + 1e-6 * abs(best.bound)
        assert result.bound is None or result.bound >= best.utility - 1e-6 * abs(best.utility)
    with pytest.raises(InputError):
        inst.replace({path: 1.5 * most})


@pytest.mark.parametrize(("field", "value"), [("speed", 2e4), ("speed", 5e-5), ("energy", 2e4)])
def test_clocks_are_near_that_at_which_models_were_measured(field: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"clocks\[0\]\.{field} = "):
        tiny.battery().replace({"sites.a.clocks": [{"name": "c", "speed": 1.0, "energy": 1.0, field: value}]})


@pytest.mark.parametrize("value", [None, 3, "x", []], ids=repr)
@pytest.mark.parametrize("door", ["report", "curves", "foresight", "pv", "timezone"])
def test_what_is_of_another_kind_is_told_at_every_door(door: str, value: Any, tmp_path: Path) -> None:
    doors: dict[str, Callable[[], object]] = {
        "report": lambda: sw.report(value, tmp_path / "page.html"),
        "curves": lambda: sw.curves(value),
        "foresight": lambda: sw.foresight(value),
        "pv": lambda: sw.pv_capacity_factor(value),
        "timezone": lambda: time_zone(value),
    }
    with pytest.raises(InputError) as told:
        doors[door]()
    one_line(told.value)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("value", ["no", 0, None, []], ids=repr)
@pytest.mark.parametrize("field", ["resume", "overwrite", "tensorboard", "keep", "integral", "why"])
def test_what_is_neither_true_nor_false_is_no_yes(field: str, value: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from stepwatt.learning.environment.gym_env import SchedulingGymEnv

    day = tiny.battery()
    doors: dict[str, Callable[[], object]] = {
        **{
            name: lambda name=name: sw.train(out=tmp_path / "t", **{name: value})
            for name in ("resume", "overwrite", "tensorboard")
        },
        "keep": lambda: sw.expansion([day], keep=value),
        "integral": lambda: SchedulingGymEnv([day], integral=value),
        "why": lambda: sw.report(sw.solve(day, "greedy"), tmp_path / "page.html", why=value),
    }
    with pytest.raises(InputError, match=f"{field} = .*: expected True or False"):
        doors[field]()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("cop", 1e-4, 1e4),
        ("heat_capacity_mwh_per_c", 1e-9, 1e6),
        ("outside_c", -273.0, 1e4),
    ],
)
def test_a_room_of_no_world_is_refused_at_the_door(field: str, least: float, most: float) -> None:
    file = random_file(np.random.default_rng(0), n_slots=2, n_sites=1, features=["thermal"])
    inst = Instance.from_dict(file)
    path = f"sites.s0.cooling.{field}"
    assert inst.replace({path: most})
    for beyond in (1.5 * most, 0.5 * least if least > 0 else 1.5 * least):
        with pytest.raises(InputError, match=rf"{field}.* = .*: expected"):
            inst.replace({path: beyond})
