"""``Instance.replace``: a value by its path, and one line where the path leads nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from strategies import instance_files

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.instance import Battery


def leaves(node: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every number of a file with its path."""
    if isinstance(node, dict):
        return [leaf for name, inner in node.items() for leaf in leaves(inner, f"{path}.{name}".lstrip("."))]
    if isinstance(node, list):
        return [leaf for n, inner in enumerate(node) for leaf in leaves(inner, f"{path}[{n}]")]
    return [(path, node)]


@given(instance_files(), st.data())
def test_what_is_replaced_is_there_and_nothing_else_has_changed(
    data: dict[str, Any], draw: st.DataObject
) -> None:
    inst = Instance.from_dict(data)
    paths = [
        path for path, _ in leaves(inst.to_dict()) if path.endswith(("gpus", "wear_cost", "import_limit_mw"))
    ]
    path = draw.draw(st.sampled_from(paths))
    changed = inst.replace({path: 7})
    assert dict(leaves(changed.to_dict())) == dict(leaves(inst.to_dict())) | {path: 7}
    assert changed.replace({path: dict(leaves(inst.to_dict()))[path]}) == inst


def test_entries_stars_records_and_arrays() -> None:
    inst = tiny.battery()
    assert inst.replace({"arrivals.a.k[1]": 9}).arrivals["a"]["k"] == [5, 9]
    assert tiny.two_sites().replace({"sites.*.gpus": 3}).sites["b"].gpus == 3
    assert inst.replace({"sites.a.battery": None}).sites["a"].battery is None
    battery = inst.sites["a"].battery
    assert isinstance(battery, Battery)
    bare = inst.replace({"sites.a.battery": None})
    assert bare.replace({"sites.a.battery": battery}) == inst
    prices = inst.replace({"sites.a.grid.import_price": np.array([1.0, 2.0])})
    assert prices.sites["a"].grid.import_price == [1.0, 2.0]
    assert inst.replace({"sites.a.terminal_price": np.float64(3)}).sites["a"].terminal_price == 3.0


def test_sparse_tables_take_what_they_do_not_hold_yet() -> None:
    inst = tiny.two_sites()
    assert inst.replace({"link_gb_per_hour.a.b": 4.0}).link_gb_per_hour == {"a": {"b": 4.0}}
    waiting = {"classes.k.deadline_slots": 1, "backlog.b.k": [2]}
    assert inst.replace(waiting).backlog == {"b": {"k": [2]}}


def test_curves_are_changed_by_the_names_of_their_kind() -> None:
    inst = tiny.battery()
    assert inst.replace({"models.m.quality.default.values[0]": 0.5}).models["m"].quality["default"](10) == 0.5
    with pytest.raises(InputError, match="one of steps, values, kind"):
        inst.replace({"models.m.quality.default.ceiling": 0.5})


def test_names_may_hold_dots() -> None:
    file = tiny.one_slot().to_dict()
    model = file["models"].pop("m")
    file["models"]["sd-3.5"] = model
    file["sites"]["a"]["models"] = ["sd-3.5"]
    inst = Instance.from_dict(file)
    assert inst.replace({"models.sd-3.5.seconds_fixed": 2.0}).models["sd-3.5"].seconds_fixed == 2.0


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("sites.b.gpus", 1, "sites.b.gpus = 'b': expected one of a"),
        ("sites.a.batery.energy_mwh", 1.0, "did you mean battery?"),
        ("sites.a.battery.energy", 1.0, "did you mean energy_mwh?"),
        ("sites.a.generator.max_mw", 1.0, "expected a table where sites.a.generator is"),
        ("sites.a.gpus.count", 1, "expected a table where sites.a.gpus is"),
        ("sites.a.gpus", 1.5, "sites.a.gpus = 1.5: expected a valid integer"),
        ("arrivals.a.k[7]", 1, "a place from 0 to 1"),
        ("arrivals.a.j[0]", 1, "expected one of k"),
        ("sites.a.gpus[0]", 1, "a list, to replace an entry of it"),
        ("backlog.*.k", [1], "a path to at least one value"),
        ("backlog.b.k", [1], "backlog.b.k = 'b': expected one of a, k"),
        ("", 1, "expected one of schema, name"),
        ("sites.a.battery.soc_min", 2.0, "sites.a.battery.soc_min = 2.0"),
        ("n_slots", 3, "sites.a.grid.import_price = '2 numbers'"),
    ],
)
def test_what_does_not_fit_is_one_line(path: str, value: Any, told: str) -> None:
    with pytest.raises(InputError) as error:
        tiny.battery().replace({path: value})
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1
