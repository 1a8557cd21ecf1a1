"""The reference of fields: complete, current, and what a common validator makes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from jsonschema import Draft202012Validator
from places import EXAMPLES, ROOT

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.commands.describe import schema_text
from stepwatt.reference.fields import all_fields, fields_of, look_up
from stepwatt.reference.page import page
from stepwatt.reference.schemas import FILES, schema


def accepts(file: str, data: Any) -> bool:
    return Draft202012Validator(schema(file)).is_valid(data)


@pytest.mark.parametrize("file", FILES)
def test_the_schemas_are_schemas_and_the_published_ones_are_current(file: str) -> None:
    Draft202012Validator.check_schema(schema(file))
    published = (ROOT / "docs" / "schema" / f"{file}.json").read_text(encoding="utf-8")
    assert published == schema_text(schema(file)), f"stepwatt schema {file} > docs/schema/{file}.json"


def test_the_page_is_current() -> None:
    published = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
    assert published == page(), "stepwatt describe --page > docs/fields.md"


def test_every_field_has_a_meaning_and_every_number_of_an_instance_a_unit() -> None:
    assert [f"{field.file}: {field.path}" for field in all_fields() if not field.meaning] == []
    without = [
        field.path
        for field in fields_of("instance")
        if ("number" in field.type) and not field.unit and field.name != "kind"
    ]
    assert without == []


@pytest.mark.parametrize("number", range(8))
def test_a_validator_accepts_the_examples(number: int) -> None:
    assert accepts("instance", json.loads((EXAMPLES / f"example-{number}.json").read_text(encoding="utf-8")))


def test_a_validator_accepts_what_is_written(tmp_path: Path) -> None:
    inst = tiny.battery()
    result = sw.solve(inst, method="greedy")
    comparison = sw.compare(inst, {"greedy": "greedy", "off": "all-off"}, bound="lp")
    inst.save(tmp_path / "instance.json")
    result.save(tmp_path / "result.json")
    assert result.schedule is not None
    result.schedule.save(inst, tmp_path / "schedule.json")
    comparison.save(tmp_path / "comparison.json")
    for file in ("instance", "result", "schedule", "comparison"):
        assert accepts(file, json.loads((tmp_path / f"{file}.json").read_text(encoding="utf-8")))


Edit = Callable[[dict[str, Any]], Any]
BAD: dict[str, Edit] = {
    "an unknown field": lambda d: d.update(wind=3),
    "an unknown field of a site": lambda d: d["sites"]["a"].update(wind=3),
    "a missing field": lambda d: d.pop("n_slots"),
    "a text for a number": lambda d: d.update(slot_hours="1"),
    "a real for a count": lambda d: d["sites"]["a"].update(gpus=1.5),
    "a negative size": lambda d: d["sites"]["a"]["battery"].update(energy_mwh=-1.0),
    "an efficiency above 1": lambda d: d["sites"]["a"]["battery"].update(charge_efficiency=1.1),
    "a PUE below 1": lambda d: d["sites"]["a"]["cooling"].update(pue=[0.9, 1.0]),
    "a kind of cooling that there is not": lambda d: d["sites"]["a"]["cooling"].update(kind="ice"),
    "a text in a series": lambda d: d["sites"]["a"]["grid"].update(import_price=[1.0, "x"]),
    "a curve without its numbers": lambda d: d["models"]["m"].update(quality={"default": {"kind": "power"}}),
    "another schema": lambda d: d.update(schema="stepwatt.instance/2"),
    "no site": lambda d: d.update(sites={}),
    "a list for a table": lambda d: d.update(classes=[]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_validator_refuses_what_reading_refuses(name: str) -> None:
    good = tiny.battery().to_dict()
    assert accepts("instance", good)
    bad = copy.deepcopy(good)
    BAD[name](bad)
    assert not accepts("instance", bad)
    with pytest.raises(sw.InputError):
        sw.Instance.from_dict(bad)


def test_fields_are_found_by_name_by_path_and_by_how_they_begin() -> None:
    assert [f.path for f in look_up("energy_mwh")] == ["sites.SITE.battery.energy_mwh"]
    assert [f.unit for f in look_up("battery.energy_mwh")] == ["MWh"]
    assert {f.name for f in look_up("soc")} == {"soc_min", "soc_max", "soc_initial"}
    assert {f.path.split(".")[2] for f in look_up("battery")} == {"battery"}
    assert len(look_up("battery")) == 9
    with pytest.raises(sw.InputError, match=r"did you mean energy_mwh\?"):
        look_up("enery_mwh")
    with pytest.raises(sw.InputError, match="expected the name of a field"):
        look_up("qqqqqqq")


def test_the_commands_print_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["describe", "wear_cost"]) == 0
    assert "USD/MWh" in capsys.readouterr().out
    assert run(["describe", "wear_cost", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fields"][0]["path"] == "sites.SITE.battery.wear_cost"
    assert run(["schema", "result"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("result")
    assert run(["describe", "--page"]) == 0
    assert capsys.readouterr().out == page()
    for wrong in (["describe", "qqqqqqq"], ["describe"], ["schema", "instanze"]):
        assert run(wrong) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
