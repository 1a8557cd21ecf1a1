"""Explaining infeasible instances: every way to be infeasible, amounts by hand, and what would be enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_file

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation import Instance
from stepwatt.solvers import Status, solve
from stepwatt.solvers.infeasibility.conflict import find_conflict
from stepwatt.solvers.infeasibility.elastic_room import ElasticRoom

FEW = max(6, settings.default.max_examples // 2)

BATTERY = {
    "energy_mwh": 0.2, "power_mw": 0.1, "charge_efficiency": 0.9, "discharge_efficiency": 0.9,
    "soc_min": 0.25, "soc_max": 0.75, "soc_initial": 0.3, "wear_cost": 0.0,
}  # fmt: skip
GENERATOR = {
    "max_mw": 0.5, "min_mw": 0.0, "fuel_cost": 10.0, "no_load_cost": 0.0, "startup_cost": 0.0,
    "carbon_kg_per_mwh": 0.0,
}  # fmt: skip


def room(
    *, cooling: dict[str, Any] | None = None, grid: dict[str, Any] | None = None, **site: Any
) -> Instance:
    """Four hours at site a: 0.1 MWh/°C, 0.02 MW/°C, 30 °C outside, COP 3, 0.1 MW, 26 °C of at most 27.

    A slot takes a fifth of the distance to outside, and 1 MW of cooling 30 °C. Holding 26 °C takes
    0.2 · 4 / 30 MW. Two GPUs idle at 0.1 MW each.
    """
    fields = tiny.site([20.0] * 4, **{"gpus": 2, "gpu_idle_watts": 1e5} | site)
    fields["grid"].update(grid or {})
    fields["cooling"] = {
        "kind": "thermal",
        "cop": [3.0] * 4,
        "max_power_mw": 0.1,
        "heat_capacity_mwh_per_c": 0.1,
        "leak_mw_per_c": 0.02,
        "outside_c": [30.0] * 4,
        "min_c": 18.0,
        "max_c": 27.0,
        "initial_c": 26.0,
        **(cooling or {}),
    }
    return tiny.instance(
        {"a": fields}, {"a": [2] * 4}, steps={10: 5.0}, seconds_per_step=36.0, mwh_per_step=0.01
    )


NO_IMPORT = {"import_limit_mw": 0.0}
FEASIBLE = {
    "as it is": room(),
    "no import, sun": room(grid=NO_IMPORT, renewable_mw=[0.1] * 4),
    "no import, cool outside": room(grid=NO_IMPORT, cooling={"outside_c": [27.0] * 4}),
    "no import, generator": room(grid=NO_IMPORT, generator=GENERATOR),
    "no import, full battery": room(grid=NO_IMPORT, battery=BATTERY | {"soc_initial": 0.75}),
    "generator with a minimum that export takes": room(
        grid=NO_IMPORT | {"export_limit_mw": 1.0}, generator=GENERATOR | {"min_mw": 0.4}
    ),
    "generator with a minimum that idle GPUs burn": room(
        grid=NO_IMPORT,
        cooling={"max_power_mw": 0.3, "outside_c": [27.0, 28.5, 27.0, 27.0]},
        generator=GENERATOR | {"min_mw": 0.35},
    ),
    "no import and no room": tiny.instance(
        {"a": tiny.site([20.0]) | {"grid": tiny.site([20.0])["grid"] | NO_IMPORT}},
        {"a": [2]},
        steps={10: 5.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
    ),
}
#: name → instance, what is short, fields of which one is enough
INFEASIBLE = {
    "weak cooling": (
        room(cooling={"max_power_mw": 0.01, "outside_c": [40.0] * 4}),
        {"room temperature"},
        {"cooling.max_c", "cooling.max_power_mw"},
    ),
    "warm start": (
        room(cooling={"initial_c": 60.0}),
        {"room temperature"},
        {"cooling.max_c", "cooling.initial_c", "cooling.max_power_mw"},
    ),
    "no import": (
        room(grid=NO_IMPORT),
        {"import"},
        {"cooling.max_c", "cooling.initial_c", "grid.import_limit_mw"},
    ),
    "no import, battery that runs out": (
        room(grid=NO_IMPORT, battery=BATTERY | {"soc_min": 0.5, "soc_initial": 0.5}),
        {"import"},
        {"cooling.max_c", "cooling.initial_c", "grid.import_limit_mw", "battery.soc_min"},
    ),
    "no import, weak generator": (
        room(grid=NO_IMPORT, generator=GENERATOR | {"max_mw": 0.01}),
        {"import"},
        {"cooling.max_c", "cooling.initial_c", "grid.import_limit_mw", "generator.max_mw"},
    ),
    "no import, generator with too large a minimum": (
        room(
            grid=NO_IMPORT,
            gpus=0,
            generator=GENERATOR | {"min_mw": 0.4},
        ),
        {"import"},
        {
            "cooling.max_c",
            "cooling.initial_c",
            "cooling.max_power_mw",
            "grid.import_limit_mw",
            "grid.export_limit_mw",
            "generator.min_mw",
        },
    ),
}


@pytest.mark.parametrize("name", FEASIBLE)
def test_a_feasible_instance_is_called_so(name: str) -> None:
    assert solve(FEASIBLE[name]).status is not Status.INFEASIBLE
    found = sw.explain(FEASIBLE[name])
    assert found.feasible
    assert str(found) == "instance 'tiny' is feasible: every room can be held"
    assert found.shortages.empty
    assert found.remedies.empty
    assert not found.conflict


@pytest.mark.parametrize("name", INFEASIBLE)
def test_an_infeasible_instance_is_explained(name: str) -> None:
    inst, short, fields = INFEASIBLE[name]
    assert solve(inst).status is Status.INFEASIBLE
    found = sw.explain(inst)
    assert not found.feasible
    assert set(found.shortages["what"]) == short
    assert set(found.remedies["field"]) == fields
    assert found.irreducible
    text = str(found)
    assert all(line in text for line in (*found.lines, *found.conflict))
    assert "site a" in text


@pytest.mark.parametrize("name", INFEASIBLE)
def test_each_remedy_is_enough_and_little_less_is_not(name: str) -> None:
    inst, _, _ = INFEASIBLE[name]
    for row in sw.explain(inst).remedies.itertuples():
        assert solve(changed(inst, row, 1.0)).status is not Status.INFEASIBLE, row
        assert solve(changed(inst, row, 0.99)).status is Status.INFEASIBLE, row


def changed(inst: Instance, row: Any, share: float) -> Instance:
    """The instance with a share of a remedy."""
    file = inst.to_dict()
    part, name = row.field.split(".")
    file["sites"][row.site][part][name] = row.now + share * (row.enough - row.now)
    return Instance.from_dict(file)


def test_amounts_by_hand() -> None:
    """At 40 °C outside, 0.01 MW takes 0.3 °C a slot: 26 → 28.5, 30.5, 32.1, 33.38 °C; 27 are allowed."""
    found = sw.explain(INFEASIBLE["weak cooling"][0])
    expected = pd.DataFrame(
        {
            "site": "a",
            "slot": range(4),
            "what": "room temperature",
            "amount": [1.5, 3.5, 5.1, 6.38],
            "unit": "°C",
        }
    )
    pd.testing.assert_frame_equal(found.shortages, expected, check_dtype=False, atol=1e-6)
    assert found.lines == (
        "room of site a: temperature after slot 3 (2024-03-01 03:00) exceeds max_c 27 °C by at least 6.38 °C "
        "even with all GPUs off and cooling at 0.01 MW; "
        "in all slots 0–3 (2024-03-01 00:00 to 2024-03-01 03:00)",
    )
    assert found.conflict == (
        "room of site a: at most 27 °C (max_c) after slot 0 (2024-03-01 00:00)",
        "room of site a: 26 °C at the start (initial_c)",
        "cooling of site a: at most 0.01 MW (max_power_mw) in slot 0 (2024-03-01 00:00)",
    )


def test_power_by_hand() -> None:
    """Without power 26 → 26.8 → 27.44 °C: 0.44 / 30 MW are missing in slot 1, then 0.6 / 30 to stay."""
    found = sw.explain(INFEASIBLE["no import"][0])
    assert list(found.shortages["slot"]) == [1, 2, 3]
    np.testing.assert_allclose(found.shortages["amount"], [0.44 / 30, 0.02, 0.02], atol=1e-8)
    assert found.lines[0].startswith("site a: cooling lacks 0.02 MW of power in slot")
    assert "import_limit_mw 0 MW" in found.lines[0]


def test_only_the_room_that_fails_is_told() -> None:
    file = sw.scenario("jemas", n_slots=12).to_dict()
    names = list(file["sites"])
    file["sites"][names[1]]["cooling"] |= {"initial_c": 60.0, "max_power_mw": 0.0}
    found = sw.explain(Instance.from_dict(file))
    assert set(found.shortages["site"]) == {names[1]}
    assert set(found.remedies["site"]) == {names[1]}
    assert all(f"site {names[1]}" in line for line in (*found.lines, *found.conflict))


def test_the_conflict_holds_without_any_single_member() -> None:
    """Irreducible: all members conflict; without one limit in one slot they do not."""
    inst = room(grid={"import_limit_mw": 0.012}, cooling={"initial_c": 22.0, "outside_c": [36.0] * 4})
    elastic = ElasticRoom(inst.arrays(), 0, 60.0)
    found = find_conflict(elastic, 4, 600)
    assert found.irreducible
    needed = {limit.what: slots for limit, slots in found.members}
    enforced = [needed.get(limit.what, np.zeros(4, dtype=bool)) for limit in elastic.limits]
    assert elastic.conflicting(enforced)
    assert sum(slots.sum() for slots in enforced) > 4
    for slots in enforced:
        for t in np.flatnonzero(slots):
            slots[t] = False
            assert not elastic.conflicting(enforced)
            slots[t] = True


def test_a_filter_that_may_ask_little_still_has_a_conflict() -> None:
    elastic = ElasticRoom(INFEASIBLE["no import"][0].arrays(), 0, 60.0)
    found = find_conflict(elastic, 4, 2)
    assert not found.irreducible
    needed = {limit.what: slots for limit, slots in found.members}
    assert elastic.conflicting(needed.get(limit.what, np.zeros(4, dtype=bool)) for limit in elastic.limits)


@settings(max_examples=FEW)
@given(st.integers(0, 2**32 - 1))
def test_explain_and_oracle_agree(seed: int) -> None:
    """Rooms under stress: what the oracle calls infeasible is explained, and nothing else."""
    rng = np.random.default_rng(seed)
    features = ["thermal", "fluid", *(f for f in ("battery", "generator", "zero_gpus") if rng.random() < 0.5)]
    file = random_file(
        rng, n_slots=int(rng.integers(1, 5)), n_sites=int(rng.integers(1, 3)), features=features
    )
    for site in file["sites"].values():
        site["grid"]["import_limit_mw"] *= float(rng.choice([0.0, 0.05, 1.0]))
        if site["cooling"]["kind"] == "thermal":
            site["cooling"]["max_power_mw"] *= float(rng.uniform(0, 1))
            site["cooling"]["outside_c"] = [float(c) for c in rng.uniform(20, 80, file["n_slots"])]
    inst = Instance.from_dict(file)
    found = sw.explain(inst)
    assert found.feasible == (solve(inst, "lp").status is not Status.INFEASIBLE)


def test_the_command_explains_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hot.json"
    INFEASIBLE["warm start"][0].save(file)
    assert run(["explain", str(file)]) == 1
    text = capsys.readouterr().out
    assert text == f"{sw.explain(sw.load(file))}\n"
    assert run(["explain", str(file), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["feasible"] is False
    assert told["shortages"][0] == {
        "site": "a",
        "slot": 0,
        "what": "room temperature",
        "amount": pytest.approx(24.0),
        "unit": "°C",
    }
    assert run(["solve", str(file)]) == 1
    told_by_solve = capsys.readouterr().err
    assert text.strip() in told_by_solve
    assert told_by_solve.splitlines()[-1].startswith("stepwatt: no schedule: infeasible")


def test_the_command_says_feasible_and_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    FEASIBLE["as it is"].save(tmp_path / "fine.json")
    assert run(["explain", str(tmp_path / "fine.json")]) == 0
    assert "is feasible" in capsys.readouterr().out
