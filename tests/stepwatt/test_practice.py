"""Today's practice in an operator's words."""

from __future__ import annotations

import inspect
import json
from functools import cache

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.data.folder import build_folder, folder_rules, init_folder
from tests.support import tiny
from tests.support.strategies import random_instance


@cache
def day():
    return sw.scenario("jemas", start="2018-06-12", n_slots=24, slot_minutes=60)


def test_a_rule_of_an_operator_is_compared_in_a_line():
    mine = sw.rules(steps=30, route="home", charge="23:00-05:00", setpoint=24)
    table = sw.compare(day(), {"mine": mine, "greedy": "greedy"}, bound="lp").results.set_index("policy")
    assert table.loc["mine", "utility"] < table.loc["greedy", "utility"]


def test_jobs_stay_at_home_or_go_where_power_is_cheap():
    a = tiny.two_sites()
    # a runs 10 of its 12, b its 4: 10 · 3 + 4 · 7 − 2 lost + 0.4 · 10 of sun
    assert worth(a, sw.rules(route="home")) == pytest.approx(30 + 28 - 2 + 4)
    # b is cheaper by more than the way, but its own jobs then find it full
    assert worth(a, sw.rules(route="cheapest")) == pytest.approx(10 * 6 + 2 * 3 + 4 * (8 - 5 - 1) + 5)


def test_jobs_run_with_the_steps_that_are_said():
    inst = tiny.one_slot()
    run = sw.rules(steps=20).schedule(inst).runs.sum(axis=1)
    assert run.tolist() == [0.0, 10.0]
    assert sw.rules(steps=11).schedule(inst).runs.sum(axis=1).tolist() == [12.0, 0.0]


def test_batteries_charge_in_their_hours_and_discharge_in_the_others():
    plan = sw.rules(charge="00:00-01:00").schedule(tiny.battery())
    assert plan.charge_mw[0].tolist() == pytest.approx([4.0, 0.0])
    assert plan.discharge_mw[0].tolist() == pytest.approx([0.0, 2.4])
    assert worth(tiny.battery(), sw.rules(charge="00:00-01:00")) == pytest.approx(526.0)


def test_rooms_are_kept_at_their_set_point():
    evaluation = sw.evaluate(day(), sw.rules(setpoint=22, steps=18).schedule(day()))
    assert evaluation.feasible
    assert np.abs(evaluation.temperature_c[:, 4:] - 22).max() < 0.1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"route": "away"}, "route = 'away': expected one of home, nearest, cheapest"),
        ({"charge": "at night"}, "charge = 'at night': expected hours of the day"),
        ({"model": "x"}, "model = 'x': expected one of m"),
        ({"clock": "x"}, "clock = 'x': expected"),
    ],
)
def test_bad_rules_are_one_line(said, told):
    with pytest.raises(sw.InputError, match=told):
        sw.rules(**said).schedule(tiny.one_slot())


def own_rule():
    return sw.compare(day(), {"mine": sw.rules(steps=24, route="nearest", setpoint=25)}, bound="lp")


def test_an_own_rule_takes_at_most_five_lines():
    assert len(inspect.getsource(own_rule).splitlines()) - 1 <= 5
    assert own_rule().results["utility"].notna().all()


def test_rules_hold_for_fluid_jobs_generators_links_and_rooms():
    features = ["fluid", "generator", "link", "thermal", "battery", "deadline"]
    for seed in range(4):
        inst = random_instance(np.random.default_rng(seed), n_slots=4, n_sites=2, features=features)
        today = sw.rules(route="nearest", charge="00:00-12:00", setpoint=22)
        judged = sw.evaluate(inst, today.schedule(inst))
        assert judged.feasible, judged.worst
        assert judged.utility <= sw.solve(inst, "lp").bound + 1e-6


def test_jobs_that_a_link_cannot_carry_are_not_sent():
    inst = tiny.two_sites()
    few = sw.Instance.from_dict(inst.to_dict() | {"link_gb_per_hour": {"a": {"b": 2.0}}})
    sent = sw.rules(route="cheapest").schedule(few).transfers
    assert sent[0, 1].sum() == 2


@pytest.mark.parametrize(("date", "hours", "charged"), [("2025-03-30", 23, []), ("2025-10-26", 25, [2, 3])])
def test_hours_of_the_day_are_those_of_the_clock_on_the_wall(date, hours, charged):
    """In Berlin the hour from two to three comes twice in autumn, and never in spring."""
    storage = tiny.battery().to_dict()["sites"]["a"]["battery"]
    inst = tiny.instance(
        {"a": tiny.site([20.0] * hours, battery=storage)},
        {"a": [0] * hours},
        steps={10: 5.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
    )
    inst = sw.Instance.from_dict(inst.to_dict() | {"start": f"{date}T00:00", "timezone": "Europe/Berlin"})
    plan = sw.rules(charge="02:00-03:00", discharge="20:00-21:00").schedule(inst)
    assert plan.charge_mw[0].nonzero()[0].tolist() == charged


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    init_folder("oslo")
    return tmp_path / "oslo" / "site.toml"


def rows(capsys, *words):
    """The rows of a comparison by the command line."""
    told = run(["compare", "oslo", "--policy", "greedy", "--bound", "lp", "--json", *words])
    out = capsys.readouterr()
    assert told == 0, out.out + out.err
    return {row["policy"]: row["utility"] for row in json.loads(out.out)["results"]}


def test_a_projects_folder_and_the_command_line_have_rows_of_their_own_rules(folder, capsys):
    folder.write_text(
        folder.read_text(encoding="utf-8")
        + '[rules.today]\nsteps = 20\ncharge = "00:00-05:00"\n[rules.idle]\nsteps = 20\n',
        encoding="utf-8",
    )
    said = "name=night steps=20 charge=00:00-05:00"
    found = rows(capsys, "--rules", said, "--rules", "steps=10")
    assert set(found) == {"greedy", "today", "idle", "night", "rules"}
    inst = build_folder("oslo")
    expected = sw.evaluate(inst, sw.rules(steps=20, charge="00:00-05:00").schedule(inst)).utility
    assert found["today"] == found["night"] == pytest.approx(expected)
    assert found["idle"] != found["today"] != found["rules"]


def test_one_table_of_rules_needs_no_name(folder, capsys):
    folder.write_text(folder.read_text(encoding="utf-8") + "[rules]\nsteps = 20\n", encoding="utf-8")
    assert set(rows(capsys)) == {"greedy", "rules"}


def test_a_set_point_has_its_unit(folder):
    text = folder.read_text(encoding="utf-8")
    folder.write_text(text + '[rules]\nsetpoint = "24 MW"\n', encoding="utf-8")
    with pytest.raises(sw.InputError, match=r"site.toml: rules.setpoint = 'MW': expected a temperature"):
        folder_rules("oslo")
    folder.write_text(text + '[rules]\nsetpoint = "24 °C"\n', encoding="utf-8")
    assert folder_rules("oslo") == {"rules": {"setpoint": 24.0}}


@pytest.mark.parametrize(
    ("table", "words", "told"),
    [
        ("step = 20", [], "oslo/site.toml: rules.step = 20: expected one of the fields model, steps"),
        ('steps = "many"', [], "oslo/site.toml: rules.steps = 'many'"),
        ('charge = "at night"', [], "oslo/site.toml: rules.charge = 'at night': expected hours"),
        ("", ["--rules", "steps"], "--rules = 'steps': expected KEY=VALUE, each key once"),
        ("", ["--rules", "steps=3 steps=4"], "--rules = 'steps=4': expected KEY=VALUE, each key once"),
        ("", ["--rules", "steps=2.5"], "--rules.steps = 2.5"),
        ("", ["--rules", "route=away"], "--rules.route = 'away'"),
        (
            "",
            ["--rules", "steps=3", "--rules", "steps=4"],
            "rules = 'rules': expected each a name of its own",
        ),
        ("", ["--rules", "name=greedy"], "rules = 'greedy': expected each a name of its own"),
    ],
)
def test_bad_rules_of_a_file_or_a_command_are_one_line(table, words, told, folder, capsys):
    text = folder.read_text(encoding="utf-8")
    folder.write_text(text + (f"[rules]\n{table}\n" if table else ""), encoding="utf-8")
    assert run(["compare", "oslo", "--policy", "greedy", "--bound", "lp", *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert told in error[0]


def worth(inst, rules):
    evaluation = sw.evaluate(inst, rules.schedule(inst))
    assert evaluation.feasible
    return evaluation.utility
