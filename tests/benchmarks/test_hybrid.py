"""The hybrid study tells its cells as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.hybrid import causes, confirmation, latency, reasons, validation
from benchmarks.hybrid.cases import DEMAND_CHARGE, ELSEWHERE, GENERATOR, TRAINED_ON, WORLD, Case, cases
from benchmarks.hybrid.tables import by_solve, cell_file, confirmed, latencies, on_validation_days, table
from stepwatt.data import series
from stepwatt.data.scenarios import jemas
from stepwatt.learning.training.families import Family


def keep(folder: Path, method: str, utility: list[Any], **more: Any) -> None:
    cell = {"utility": utility, "miss": [0.0] * len(utility), **more}
    cell_file("some days", method, folder).write_text(json.dumps(cell), encoding="utf-8")


def test_gaps_are_told_against_rolling_with_the_same_information(tmp_path: Path) -> None:
    keep(tmp_path, "oracle", [100.0, 200.0, 100.0])
    keep(tmp_path, "all-off", [50.0, 100.0, 50.0])
    keep(tmp_path, "rolling day-ahead", [99.0, 198.0, 99.0], seconds_1=0.06)
    keep(tmp_path, "rolling persistence", [95.0, 190.0, 95.0], seconds_1=0.04)
    timed = {"answer_64": 5e-4, "answer_1024": 2e-4, "certificate": 0.0, "seconds_64": 1e-3}
    keep(tmp_path, "priced", [[98.0, 196.0, 98.0]] * 2, **timed)
    keep(tmp_path, "priced persistence", [[96.0, 192.0, 96.0]] * 2, **timed)
    methods = ("oracle", "all-off", "rolling day-ahead", "rolling persistence", "priced", "greedy")
    lines = table("some days", (*methods, "priced persistence"), tmp_path)
    rows = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("| ")}
    assert "| 2.00 | 2.000" in rows["priced"]
    assert "+1.000 (" in rows["priced"]
    assert "96.00" in rows["priced"]
    assert "-1.000 (" in rows["priced persistence"]
    assert "60.00 | – | –" in rows["rolling day-ahead"]
    worse = "no worse than rolling (interval reaches 0)"
    assert f"* `priced`: missed: median gap ≤ 1 %, {worse}." in lines
    slow = "≥ 50 times below rolling (40 times)"
    assert f"* `priced persistence`: missed: median gap ≤ 1 %, {slow}." in lines
    assert "Not run: greedy." in lines


def test_cases_change_what_they_say_and_nothing_else() -> None:
    found = cases(quick=True)
    charged = found["demand charge"].days("demand charge").instances[0].arrays()
    plain = found["unseen months"].days("unseen months").instances[0].arrays()
    assert (charged.demand_charge == DEMAND_CHARGE).all()
    assert (charged.arrivals == plain.arrivals).all()
    assert (charged.import_price == plain.import_price).all()
    fuelled = found["generator"].days("generator").instances[0].arrays()
    assert (fuelled.generator_max_mw == GENERATOR["max_mw"]).all()
    larger = found["larger batteries"].days("larger batteries").instances[0].arrays()
    assert (larger.battery_power_mw == 2 * plain.battery_power_mw).all()
    assert found["five-minute slots"].family.slot_minutes == 5


def test_what_is_planned_again_with_nothing_new_stays_as_it_was() -> None:
    days = Family(regions=("DE,FR,DK",), every=60, slot_minutes=60).instances("validation")
    bound = np.full(len(days), 100.0)
    once = causes.gaps(days, "day-ahead", bound)
    never = causes.planned_again(days, bound, ("waiting", "queue"), every=1_000)
    again = causes.planned_again(days, bound, ("waiting", "queue"), every=1)
    np.testing.assert_allclose(never, once, rtol=1e-12)
    assert bool((np.abs(again - once) > 1e-9).any())


def test_latency_is_told_by_the_medians_of_quotients(tmp_path: Path) -> None:
    assert latencies(tmp_path) == []
    row = {"rolling": [1e-2, 2e-2, 1e-2], "renewed 2 h": [2e-4, 2e-4, 4e-4]}
    told = {"sets": {"some days": row}, "about": {"date": "2026-11-28"}}
    (tmp_path / "latency.json").write_text(json.dumps(told), encoding="utf-8")
    assert "| some days | renewed 2 h | 0.200 | 10.00 | 50.0 | 25.0 … 100.0 |" in latencies(tmp_path)


def test_reasons_are_timed_beside_the_responses_they_are_of() -> None:
    response, reason = reasons.measure(2, rounds=2)
    assert response > 0
    assert reason > 0


def test_latency_times_rolling_and_every_policy_in_every_round() -> None:
    few = Case(Family(regions=TRAINED_ON[:1], every=100, slot_minutes=60), ())
    found = latency.measure("some days", few, rounds=2, size=3)
    assert found.keys() == {"rolling", "renewed 1 h", "renewed 2 h", "renewed 3 h"}
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in found.values())


def test_what_solve_plays_is_told_by_the_largest_difference(tmp_path: Path) -> None:
    assert by_solve(tmp_path) == []
    row = {"foresight": [0.05, 0.05, 0.001], "renewed 2 h": [0.2, 0.21, 0.03]}
    told = {"sets": {"some days": row}, "about": {"date": "2026-11-28"}}
    (tmp_path / "by-solve.json").write_text(json.dumps(told), encoding="utf-8")
    assert "| some days | renewed 2 h | 0.2000 | 0.2100 | 0.0300 |" in by_solve(tmp_path)


def test_validation_days_are_told_set_by_set(tmp_path: Path) -> None:
    assert on_validation_days(tmp_path) == []
    row = {"days": 26, "rolling": 0.2, "foresight": [0.37, 0.121, 0.062, 0.186]}
    told = {"sets": {"demand charge": row}, "about": {"date": "2026-11-25"}}
    (tmp_path / "validation.json").write_text(json.dumps(told), encoding="utf-8")
    lines = on_validation_days(tmp_path)
    assert "| demand charge | 26 | foresight | 0.370 | 0.200 | +0.121 (+0.062 … +0.186) |" in lines


def test_sets_of_validation_days_are_those_of_the_study() -> None:
    assert validation.EVERY.keys() <= cases(quick=False).keys()
    charged = cases(quick=False)["demand charge"]
    plain = Family(regions=("DE,FR,DK",), every=50).instances("validation")
    assert (charged.changed(plain)[0].arrays().demand_charge == DEMAND_CHARGE).all()
    assert not plain[0].arrays().demand_charge.any()


def test_confirmation_takes_no_day_that_was_looked_at_before() -> None:
    charged = cases(quick=False)["demand charge"]
    seen = {inst.name for inst in charged.days("demand charge").instances}
    earlier = json.loads(confirmation.kept("first").read_text(encoding="utf-8"))
    left = confirmation.other_days("demand charge", charged)
    names = [inst.name for inst in left.instances]
    assert len(names) == len(set(names)) == len(left.histories) > 100
    assert not (seen | set(earlier["sets"]["demand charge"]["days"])) & set(names)
    assert (left.instances[0].arrays().demand_charge == DEMAND_CHARGE).all()


@pytest.fixture
def series_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of once for each of hundreds of days."""
    checked: dict[int, tuple[pd.DataFrame, pd.DataFrame]] = {}

    def as_series(table: pd.DataFrame) -> pd.DataFrame:
        if id(table) not in checked:
            checked[id(table)] = table, series.as_series(table)
        return checked[id(table)][1]

    monkeypatch.setattr(jemas, "as_series", as_series)


@pytest.mark.skipif(not WORLD.exists(), reason="needs the world's series")
@pytest.mark.usefixtures("series_are_checked_once")
def test_further_regions_are_those_of_their_rounds_and_have_what_their_set_changes() -> None:
    charged = cases(quick=False)["demand charge"]
    seen: set[str] = set()
    rounds = {"third": confirmation.other_regions, "fourth": confirmation.their_other_days}
    for number, days in rounds.items():
        kept = json.loads(confirmation.kept(number).read_text(encoding="utf-8"))["sets"]
        left = days("demand charge", charged)
        assert [inst.name for inst in left.instances] == kept["unseen regions"]["days"]
        names = {inst.name for inst in left.instances}
        assert len(names) == len(left.instances) == len(left.histories) > 100
        assert all(any(zone in name for zone in ("US-MIDA-PJM", "AU-VIC")) for name in names)
        assert (left.instances[-1].arrays().demand_charge == DEMAND_CHARGE).all()
        assert not seen & names
        seen |= names


def test_further_regions_share_no_zone_with_those_of_the_study() -> None:
    zones = [
        zone for region in (*TRAINED_ON, *ELSEWHERE, *confirmation.FURTHER) for zone in region.split(",")
    ]
    assert len(zones) == len(set(zones)) == 18


def test_policies_are_trained_on_what_their_set_changes() -> None:
    found = cases(quick=False)
    kinds = [found[name].kind for name in ("unseen months", "larger batteries", "demand charge", "generator")]
    assert kinds[0] == kinds[1] == ""
    assert len(set(kinds)) == 3
    fuelled = found["generator"].training(100, "train")
    assert all((inst.arrays().generator_max_mw == GENERATOR["max_mw"]).all() for inst in fuelled)


def test_confirmation_is_told_with_its_verdict(tmp_path: Path) -> None:
    assert confirmed(tmp_path, "second") == []
    row = {
        "policy": "renewed 2 h",
        "gap": [0.1, 0.3],
        "rolling": [0.2, 0.4],
        "all-off": [40.0, 40.0],
        "miss": 0.0,
    }
    sets = {
        name: {**row, "difference": [low + 0.1, low, low + 0.2]}
        for name, low in (("better", -0.3), ("alike", -0.1), ("worse", 0.05))
    }
    told = {"sets": sets, "about": {"date": "2026-11-25", "git": "0123456789"}}
    (tmp_path / "confirmation-second.json").write_text(json.dumps(told), encoding="utf-8")
    lines = [line for line in confirmed(tmp_path, "second") if "renewed 2 h" in line]
    assert [line.split(" | ")[-1] for line in lines] == ["better |", "yes |", "no |"]
    assert any("commit 0123456," in line for line in confirmed(tmp_path, "second"))
    assert "| 0.200 | 0.200 | 0.300 | -0.200 (-0.300 … -0.100) | 100.25 | 0.000 |" in lines[0]
