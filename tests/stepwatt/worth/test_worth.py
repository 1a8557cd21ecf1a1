"""What levers, information and changes are worth: certified at both ends, and never guessed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.solvers.optimum.levers import LEVERS


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    """Six hours of an evening."""
    return sw.scenario("jemas", start="2018-11-14T15:00", n_slots=6, slot_minutes=60)


@pytest.fixture(scope="module")
def worth(day: sw.Instance) -> sw.worth.levers.Levers:
    return sw.levers(day)


def test_a_lever_is_worth_the_optimum_less_the_optimum_without_it(
    day: sw.Instance, worth: sw.worth.levers.Levers
) -> None:
    table, a_day = worth.table, 24 / 6
    best = sw.solve(day)
    assert best.bound is not None
    methods = {"transfer": "local", "steps": "fixed-steps", "storage": "no-storage", "all": "all-off"}
    for lever, method in methods.items():
        without = sw.solve(day, method).utility
        assert without is not None
        low, high = table.loc[lever, "low"], table.loc[lever, "high"]
        assert low <= a_day * (best.bound - without) + 1e-9
        assert high >= a_day * (best.utility - without) - 1e-9
        assert 0 <= low <= high <= low + a_day * 4e-4 * best.bound
    assert table.loc["all", "high"] > table.loc["transfer", "low"]
    np.testing.assert_allclose(table["low_year"], 365 * table["low"])


def test_the_table_names_every_lever_and_what_better_information_brings(
    worth: sw.worth.levers.Levers,
) -> None:
    table = worth.table
    assert list(table.index[: len(LEVERS)]) == list(LEVERS)
    tomorrow = table.loc["knowing tomorrow, not only now"]
    assert 0 <= tomorrow["low"] <= tomorrow["high"]
    assert "Levers of" in repr(worth)
    assert "transfer" in worth._repr_html_()


def test_a_lever_that_is_not_there_is_not_applicable(day: sw.Instance) -> None:
    bare = day.replace({"sites.*.battery": None, "sites.*.grid.export_limit_mw": 0.0})
    table = sw.levers(bare).table
    for lever in ("storage", "export"):
        assert table.loc[lever, "note"] == "not applicable"
        assert table.loc[lever, "low"] == table.loc[lever, "high"] == 0
    assert table.loc["transfer", "note"] == ""


def test_what_there_is_no_schedule_without_is_said() -> None:
    """Rooms that only the sun keeps cool: without it there is nothing to compare with."""
    hot = sw.scenario("jemas", start="2018-06-12T10:00", n_slots=3, slot_minutes=60)
    limits = {f"sites.{name}.grid.import_limit_mw": 0.0 for name in hot.sites}
    weather = {f"sites.{name}.renewable_mw": 0.1 for name in hot.sites}
    alone = hot.replace(limits | weather | {"sites.*.battery": None, "sites.*.cooling.outside_c": 45.0})
    assert sw.explain(alone).feasible
    table = sw.levers(alone).table
    assert table.loc["renewables", "note"] == "no schedule without it"
    assert table.loc["renewables", "low"] == np.inf


@pytest.fixture(scope="module")
def two_days(day: sw.Instance) -> sw.worth.levers.Levers:
    """With three draws of forecast errors."""
    return sw.levers(
        [day, sw.scenario("jemas", start="2018-06-12T15:00", n_slots=6, slot_minutes=60)], seeds=3
    )


def test_several_days_have_an_interval_that_holds_their_means(
    day: sw.Instance, worth: sw.worth.levers.Levers, two_days: sw.worth.levers.Levers
) -> None:
    both, two = two_days.table, two_days.worths[1]
    for lever in LEVERS:
        one = worth.worths[0][lever]
        # four times six hours are a day
        assert both.loc[lever, "low"] == pytest.approx(4 * (one.low + two[lever].low) / 2)
    row = both.loc["transfer"]
    assert row["interval_low"] <= row["low"] <= row["high"] <= row["interval_high"]
    euros = sw.Instance.from_dict(day.to_dict() | {"currency": "EUR"})
    with pytest.raises(sw.InputError, match="one currency"):
        sw.levers([day, euros])


def test_information_is_a_ladder_from_now_to_the_whole_day(two_days: sw.worth.levers.Levers) -> None:
    """Means of the planners' own utilities over days and draws, with two-way intervals."""
    found, days, ladder = two_days, two_days.instances, two_days.information
    assert list(ladder.index) == ["real-time", "persistence", "day-ahead", "perfect"]
    drawn = [
        sw.solve(inst, "rolling", forecast="day-ahead", seed=n).utility for inst in days for n in range(3)
    ]
    assert ladder.loc["day-ahead", "earned"] == pytest.approx(4 * np.mean(drawn))
    greedy = [sw.solve(inst, "greedy").utility for inst in days]
    assert ladder.loc["real-time", "earned"] == pytest.approx(4 * np.mean(greedy))
    assert ladder["adds"].iloc[1:].sum() == pytest.approx(
        ladder["earned"].iloc[-1] - ladder["earned"].iloc[0]
    )
    row = found.table.loc["knowing tomorrow, not a day-ahead forecast"]
    assert ladder.loc["day-ahead", "low"] == row["low"]
    assert row["interval_low"] <= row["low"] <= row["high"] <= row["interval_high"]
    bounds = np.array(found.bound)
    assert row["high"] == pytest.approx(4 * (bounds.mean() - np.mean(drawn)))
    with pytest.raises(sw.InputError, match="at least 1"):
        sw.levers(days[0], seeds=0)


def test_where_there_is_no_later_slot_information_is_not_applicable(day: sw.Instance) -> None:
    one = sw.scenario("jemas", start="2018-11-14T15:00", n_slots=1, slot_minutes=60)
    table = sw.levers(one).table
    for name in ("knowing tomorrow, not only now", "knowing tomorrow, not a day-ahead forecast"):
        assert table.loc[name, "note"] == "not applicable"
        assert table.loc[name, "high"] == 0


def test_what_if_holds_variants_against_the_instance_as_it_is(day: sw.Instance) -> None:
    variants = {
        "no battery": {"sites.*.battery": None},
        "free carbon": {"carbon_price": 0.0},
    }
    found = sw.what_if(day, variants)
    table = found.table
    assert list(table.index) == ["as it is", *variants]
    best, without = (sw.solve(inst) for inst in (day, day.replace(variants["no battery"])))
    assert table.loc["as it is", "utility"] == best.utility
    assert table.loc["no battery", "bound"] == without.bound
    assert table.loc["no battery", "high"] == pytest.approx(4 * (without.bound - best.utility))
    assert table.loc["no battery", "low"] == pytest.approx(4 * (without.utility - best.bound))
    assert table.loc["free carbon", "low"] <= 0 <= table.loc["free carbon", "high"]
    assert "no battery" in repr(found)


def test_a_variant_that_does_not_fit_is_named(day: sw.Instance) -> None:
    with pytest.raises(sw.InputError, match=r"variants\.typo.*batery"):
        sw.what_if(day, {"typo": {"sites.DE.batery.energy_mwh": 1.0}})
    with pytest.raises(sw.InputError, match="as it is"):
        sw.what_if(day, {"as it is": {}})


def test_commands_print_tables_and_json(
    day: sw.Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    day.save("instance.json")
    assert run(["levers", "instance.json", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["levers"]
    assert [row["lever"] for row in rows][:2] == ["transfer", "steps"]
    change = "dear wear:sites.*.battery.wear_cost=40"
    assert run(["what-if", "instance.json", "--change", change]) == 0
    assert "dear wear" in capsys.readouterr().out
    assert run(["what-if", "instance.json", "--change", "sites"]) == 2
    assert "NAME:PATH=VALUE" in capsys.readouterr().err
