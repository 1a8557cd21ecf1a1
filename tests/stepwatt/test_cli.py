"""The command line: exit codes, one-line errors, JSON alone on stdout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from places import EXAMPLES

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.console import shown_progress
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.solvers.interface.result import Seconds, Status
from stepwatt.solvers.interface.settings import Settings
from stepwatt.solvers.methods import METHODS, Kind, Method

COMMANDS = [
    ["demo"], ["init"], ["build"], ["scenario"], ["solve"], ["explain"], ["evaluate"], ["compare"],
    ["report"], ["levers"], ["what-if"], ["pareto"], ["expansion"], ["why"], ["where-lost"], ["export"],
    ["quality", "fit"], ["describe"], ["schema"],
]  # fmt: skip
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance, its optimum, and a schedule that breaks the balance."""
    place = tmp_path_factory.mktemp("cli")
    inst = sw.scenario("jemas", n_slots=3)
    inst.save(place / "instance.json")
    sw.solve(inst).save(place / "result.json")
    schedule = sw.Schedule.idle(inst.arrays())
    schedule.export_mw[0, 0] = 0.01
    schedule.save(inst, place / "broken.json")
    return place


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str], capsys: Output) -> None:
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example: stepwatt " + " ".join(command) in text
    assert "--json" in text


def test_help_is_also_asked_for_in_short(capsys: Output) -> None:
    for command in ([], ["solve"], ["quality", "fit"]):
        assert run([*command, "-h"]) == 0
        short = capsys.readouterr().out
        assert run([*command, "--help"]) == 0
        assert capsys.readouterr().out == short


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("words", [["solve", "nowhere.json"], ["solve", "instance.json", "--gapp", "1"]])
def test_machines_read_errors_as_json(words: list[str], capsys: Output) -> None:
    assert run([*words, "--json"]) == 2
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["exit_code"] == 2
    assert told.err == f"stepwatt: {answer['error']}\n"
    assert run(words) == 2
    assert capsys.readouterr().out == ""


def test_shells_complete_commands(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_STEPWATT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "stepwatt ex")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        run([])
    assert capsys.readouterr().out.split() == ["explain", "expansion", "export"]


def test_help_lists_every_command_and_version_prints(capsys: Output) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {command[0]} " in text for command in COMMANDS)
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"stepwatt {sw.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["scenario", "jemas", "--slots", "2", "--out", "two.json"],
        ["solve", "instance.json", "--method", "greedy", "--out", "greedy.json"],
        ["evaluate", "instance.json", "result.json"],
        ["compare", "instance.json", "--policy", "greedy", "--policy", "mine=result.json", "--bound", "lp"],
        ["report", "instance.json", "result.json", "--out", "page.html"],
        ["export", "instance.json", "--format", "lp"],
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_json_is_alone_on_stdout(inside: Path, arguments: list[str], capsys: Output) -> None:
    assert run([*arguments, "--json"]) == 0
    told = capsys.readouterr()
    assert isinstance(json.loads(told.out), dict)
    assert run(arguments) == 0
    assert "stepwatt:" not in capsys.readouterr().err


def test_scenario_lists_itself_and_takes_local_days_and_clocks(inside: Path, capsys: Output) -> None:
    assert run(["scenario", "--list", "--json"]) == 0
    assert {"jemas", "volatile"} <= set(json.loads(capsys.readouterr().out)["scenarios"])
    day = ["scenario", "--start", "2018-03-25", "--local-day", "--slot-minutes", "60", "--out", "march.json"]
    assert run([*day, "--timezone", "Europe/Oslo", "--arrivals", "bursty"]) == 0
    march = sw.load("march.json")
    assert (march.n_slots, march.timezone) == (23, "Europe/Oslo")
    assert run([*day, "--slots", "3"]) == 2
    assert run(["scenario", "volatile", "--out", "v.json"]) == 2
    assert "--series FILE" in capsys.readouterr().err


def test_scenario_solve_evaluate_agree(inside: Path, capsys: Output) -> None:
    assert run(["solve", "instance.json", "--out", "again.json", "--json"]) == 0
    solved = json.loads(capsys.readouterr().out)
    assert run(["evaluate", "instance.json", "again.json", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["feasible"] is True
    assert judged["utility"] == solved["utility"]
    assert solved["bound"] >= solved["utility"]
    assert "schedule" not in solved


def test_evaluate_of_a_broken_schedule_says_so_and_exits_1(inside: Path, capsys: Output) -> None:
    assert run(["evaluate", "instance.json", "broken.json"]) == 1
    told = capsys.readouterr()
    assert told.err == "stepwatt: the schedule breaks balance by 0.01\n"
    assert run(["evaluate", "instance.json", "broken.json", "--json"]) == 1
    judged = json.loads(capsys.readouterr().out)
    assert judged["feasible"] is False
    assert judged["violations"]["balance"] == pytest.approx(0.01)


@pytest.mark.parametrize(("kind", "code"), [("planner", 1), ("optimum", 1), ("ablation", 1), ("bound", 0)])
def test_solve_with_a_schedule_that_evaluate_rejects_exits_1_but_for_bounds(
    kind: Kind, code: int, inside: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(inst: sw.Instance, settings: Settings) -> sw.Result:
        schedule = sw.load_schedule(inst, "broken.json")
        judged = sw.evaluate(inst, schedule)
        return sw.Result(inst, "broken", Status.FEASIBLE, Seconds(0, 0, 0), schedule, judged)

    monkeypatch.setitem(METHODS._built_in, "broken", Method(breaking, kind, "breaks the balance"))
    assert run(["solve", "instance.json", "--method", "broken", "--out", "found.json", "--json"]) == code
    told = capsys.readouterr()
    assert json.loads(told.out)["violations"]["balance"] == pytest.approx(0.01)
    assert ("stepwatt: the schedule breaks balance by 0.01\n" in told.err) is bool(code)
    assert (inside / "found.json").exists()


def test_solve_of_an_infeasible_instance_exits_1(tmp_path: Path, capsys: Output) -> None:
    hot = sw.scenario("jemas", n_slots=2).to_dict()
    for site in hot["sites"].values():
        site["cooling"] |= {"initial_c": 60.0, "max_power_mw": 0.0}
    sw.Instance.from_dict(hot).save(tmp_path / "hot.json")
    assert run(["solve", str(tmp_path / "hot.json"), "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["status"] == "infeasible"
    assert told.err.splitlines()[-1].startswith("stepwatt: no schedule: infeasible")


OWN = """
import pyomo.environ as pyo

def capped(m):
    m.cap = pyo.Constraint(m.SLOTS, rule=lambda m, t: m.import_mw["DE", t] <= 0.01)

def impossible(m):
    m.never = pyo.Constraint(expr=m.import_mw["DE", 0] <= -1.0)
"""


def test_constraints_of_ones_own_come_from_a_file(inside: Path, capsys: Output) -> None:
    (inside / "own.py").write_text(OWN)
    assert (
        run(["solve", "instance.json", "--gap", "1e-2", "--extra", "own.py:capped", "--out", "r.json"]) == 0
    )
    assert re.search(r"^with own +cap$", capsys.readouterr().out, re.MULTILINE)
    result = json.loads((inside / "r.json").read_text())
    assert result["extra"] == ["cap"]
    assert max(result["schedule"]["sites"]["DE"]["import_mw"]) <= 0.01 + 1e-6
    manifest = json.loads((inside / "r.json.manifest.json").read_text())
    assert "own.py" in manifest["inputs"]
    assert run(["solve", "instance.json", "--extra", "own.py:impossible"]) == 1
    told = capsys.readouterr()
    assert "never" in told.err
    assert "is feasible" not in told.err


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("own.py", "--extra = 'own.py': expected FILE.py:FUNCTION"),
        ("none.py:capped", "--extra = 'none.py': expected a file that is there"),
        ("own.py:caped", "own.py: --extra = 'caped': expected one of capped, impossible"),
        ("broken.py:capped", "expected Python that runs"),
        ("empty.py:capped", "a function, of which the file has none"),
    ],
)
def test_a_file_without_the_function_is_told_in_a_line(
    inside: Path, named: str, told: str, capsys: Output
) -> None:
    for name, text in {"own": OWN, "broken": "nobody", "empty": ""}.items():
        (inside / f"{name}.py").write_text(text)
    assert run(["solve", "instance.json", "--extra", named]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_compare_writes_every_format(inside: Path) -> None:
    names = ["c.html", "c.md", "c.tex", "c.csv", "c.json"]
    outs = [part for name in names for part in ("--out", name)]
    assert run(["compare", "instance.json", "--policy", "lp", "--policy", "greedy", *outs]) == 0
    assert all((inside / name).stat().st_size > 0 for name in names)
    assert sw.Comparison.load(inside / "c.json").policies == ["lp", "greedy"]
    assert run(["report", "c.json", "--out", "from-file.html"]) == 0
    assert (inside / "from-file.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not list(inside.glob("*.partial"))


@pytest.mark.parametrize("asked", [["--why"], ["--detail", "greedy"]])
def test_what_is_asked_of_the_report_is_refused_where_none_is_written(
    inside: Path, asked: list[str], capsys: Output
) -> None:
    words = ["compare", "instance.json", "--policy", "greedy", "--policy", "lp", *asked]
    assert run([*words, "--out", "table.md"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"stepwatt: {asked[0]} = ")
    assert line.endswith("expected an --out that ends in .html beside it")
    assert not (inside / "table.md").exists()
    assert run([*words, "--out", "page.html"]) == 0


def test_demo_writes_report_instance_and_comparison(tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "demo" / "report.html"
    assert run(["demo", "--slots", "2", "--out", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    policies = {row["policy"]: row for row in shown["table"]}
    assert {"oracle", "lp", "conic", "greedy", "rolling, persistence", "all-off", "random"} <= set(policies)
    assert {"foresight, day-ahead", "foresight, persistence", "learned"} <= set(policies)
    assert all(row["flag"] == "" for row in shown["table"] if row["kind"] != "bound")
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "comparison.json",
        "instance.json",
        "report.html",
    ]


BAD = [
    (["solve", "missing.json"], "missing.json: file = 'No such file or directory'"),
    (["solve", "instance.json", "--method", "magic"], "method = 'magic': expected one of oracle"),
    (["solve", "instance.json", "--method", "rolling", "--forecast", "tea"], "forecast = 'tea'"),
    (["solve", "instance.json", "--gap", "2"], "gap = 2.0"),
    (["solve", "instance.json", "--gap", "tiny"], "--gap"),
    (["solve", "instance.json", "--time-limit", "-1"], "time_limit = -1.0"),
    (["solve", "instance.json", "--out", "instance.json/x"], "instance.json/x: file = "),
    (["solve", "instance.json", "--out", "."], "file = 'a folder'"),
    (["solve"], "Missing argument"),
    (["solve", "instance.json", "--colour"], "No such option"),
    (["solve", "result.json"], "result.json: "),
    (["solve", "nonsense.json"], "nonsense.json: file = "),
    (["sovle"], "No such command"),
    (["evaluate", "instance.json", "instance.json"], "instance.json: schema"),
    (["scenario", "utopia"], "scenario = 'utopia'"),
    (["scenario", "--start", "yesterday"], "yesterday"),
    (["scenario", "--zones", "XX"], "XX"),
    (["scenario", "--slot-minutes", "7"], "7"),
    (["scenario", "--set", "gpus"], "--set = 'gpus'"),
    (["scenario", "--set", "gpus=many"], "--set = 'gpus=many'"),
    (["scenario", "--set", "geese=3"], "geese = 3.0"),
    (["compare", "instance.json", "--out", "x.doc"], "--out = 'x.doc'"),
    (["compare", "instance.json", "--policy", "magic"], "policies.magic = 'magic'"),
    (["compare", "instance.json", "--policy", "a=b.json"], "b.json: file = "),
    (["compare", "instance.json", "--policy", "lp", "--policy", "lp"], "expected every policy once"),
    (["compare", "instance.json", "--bound", "hope"], "bound = 'hope'"),
    (["compare", "instance.json", "instance.json", "--history", "instance.json"], "--history = '1 files'"),
    (["compare", "instance.json", "--keep", "nonsense.json"], "nonsense.json: folder = 'a file'"),
    (["levers", "instance.json", "--workers", "0"], "workers = 0"),
    (["expansion", "instance.json", "--installed", "DE=0"], "installed.DE = 0.0"),
    (["expansion", "instance.json", "--installed", "DE=1e-6"], "installed.DE = 1e-06"),
    (["solve", "instance.json", "--method", "random", "--seed", "-1"], "seed = -1"),
    (["report", "instance.json"], "SCHEDULE = '(missing)'"),
    (["export", "instance.json", "--format", "xls"], "format = 'xls'"),
    (["quality", "fit", "missing.csv"], "missing.csv: file = "),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda part: str(part)[:60])
def test_bad_input_is_one_line_and_exit_code_2(
    inside: Path, arguments: list[str], message: str, capsys: Output
) -> None:
    (inside / "nonsense.json").write_text("{", encoding="utf-8")
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("stepwatt: ")
    assert told.err.count("\n") == 1
    assert message in told.err


def test_a_comparison_file_that_breaks_the_format_is_named(inside: Path, capsys: Output) -> None:
    inst = sw.load(inside / "instance.json")
    sw.compare(inst, {"greedy": "greedy"}, bound="lp").save(inside / "good.json")
    good = json.loads((inside / "good.json").read_text(encoding="utf-8"))
    bad = json.loads(json.dumps(good))
    bad["cases"][0]["entries"][0]["schedule"]["transfers"][0][0] = "Atlantis"
    (inside / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
    assert run(["report", "bad.json"]) == 2
    assert "bad.json: cases[0].entries[0].schedule.transfers[0][0] = 'Atlantis'" in capsys.readouterr().err
    del good["cases"][0]["prices"]["power"]
    (inside / "bad.json").write_text(json.dumps(good), encoding="utf-8")
    assert run(["report", "bad.json"]) == 2
    assert "bad.json: cases[0].prices.power" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve", "instance.json", "--method", "lp", "--out", "./instance.json"],
        ["solve", "instance.json", "--method", "lp", "--prices", "link.json"],
        ["compare", "instance.json", "--policy", "mine=result.json", "--out", "result.json"],
        ["report", "instance.json", "result.json", "--out", "result.json"],
        ["export", "instance.json", "--out", "instance.json"],
        ["run", "foresight", "instance.json", "--slots", "slots.jsonl", "--state", "slots.jsonl"],
        ["build", "folder", "--out", "folder/site.toml"],
        ["build", "folder", "--out", "folder/prices.csv"],
    ],
    ids=" ".join,
)
def test_what_a_command_reads_it_never_replaces(inside: Path, arguments: list[str], capsys: Output) -> None:
    (inside / "folder").mkdir(exist_ok=True)
    (inside / "folder" / "site.toml").write_text('prices = "prices.csv"', encoding="utf-8")
    (inside / "folder" / "prices.csv").write_text("1", encoding="utf-8")
    (inside / "slots.jsonl").write_text('{"slot": 0}', encoding="utf-8")
    (inside / "link.json").unlink(missing_ok=True)
    (inside / "link.json").symlink_to("instance.json")
    before = {path: path.read_bytes() for path in inside.rglob("*") if path.is_file()}
    assert run(arguments) == 2
    assert "expected another file than those that are read" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in inside.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "words",
    [
        ["scenario", "--set", "gpus=3", "--set", "gpus=4", "--out", "twice.json"],
        ["compare", "instance.json", "--policy", "m=result.json", "--kind", "m=planner", "--kind", "m=yours"],
        ["expansion", "instance.json", "--cost", "gpus=1", "--cost", "gpus=2"],
        ["what-if", "instance.json", "--change", "a:carbon_price=1", "--change", "a:carbon_price=2"],
        ["data", "look", "instance.json", "--say", "tz=UTC", "--say", "tz=Europe/Oslo"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_of_two_words_about_one_thing_none_wins(inside: Path, words: list[str], capsys: Output) -> None:
    assert run(words) == 2
    assert "once" in capsys.readouterr().err
    assert not (inside / "twice.json").exists()


@pytest.mark.parametrize("word", ["seed=3", "n_slots=3", "integral_jobs=0", "start=2018", "series=1"])
def test_what_is_an_option_is_no_constant(inside: Path, word: str, capsys: Output) -> None:
    words = ["scenario", "--set", word, "--seed", "4", "--slots", "5", "--fluid", "--out", "none.json"]
    assert run(words) == 2
    assert (
        f"--set = '{word.partition('=')[0]}': expected a constant; this one is --" in capsys.readouterr().err
    )
    assert not (inside / "none.json").exists()


@pytest.mark.parametrize(
    "words", [["solve", "instance.json", "--method", "greedy", "--out", "x" * 300], ["build", "x" * 300]]
)
def test_a_name_that_no_file_system_takes_is_told_with_what_was_expected(
    inside: Path, words: list[str], capsys: Output
) -> None:
    assert run(words) == 2
    assert "file = 'File name too long': expected a" in capsys.readouterr().err


def test_an_importer_of_nothing_is_refused(inside: Path, capsys: Output) -> None:
    assert run(["scenario", "--importer", "ember", "--out", "none.json"]) == 2
    assert "--importer = 'ember': expected --series beside it" in capsys.readouterr().err
    assert not (inside / "none.json").exists()


def test_a_slot_of_no_world_ends_a_stream_in_one_line(inside: Path, capsys: Output) -> None:
    sw.scenario("jemas", n_slots=3, slot_minutes=60, zones=("DE",)).save(inside / "hours.json")
    (inside / "hot.jsonl").write_text('{"slot": 0, "outside_c": {"DE": 1e6}}\n', encoding="utf-8")
    assert run(["run", "foresight", "hours.json", "--slots", "hot.jsonl"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("stepwatt: hot.jsonl: line 1.sites.DE.cooling.outside_c[0] = 1000000.0: expected")


def test_a_failed_command_leaves_the_old_file(inside: Path) -> None:
    (inside / "old.json").write_text("old", encoding="utf-8")
    assert run(["solve", "instance.json", "--method", "magic", "--out", "old.json"]) == 2
    assert (inside / "old.json").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("form", ["mps", "lp"])
def test_exported_model_is_read_without_warning_and_is_the_same(
    number: int, form: str, tmp_path: Path
) -> None:
    import highspy

    source = EXAMPLES / f"example-{number}.json"
    model = tmp_path / f"model.{form}"
    assert run(["export", str(source), "--format", form, "--out", str(model)]) == 0
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(model)) == highspy.HighsStatus.kOk
    read, inst = highs.getLp(), sw.load(source)
    assert f"import_mw({next(iter(inst.sites))},0)" in read.col_names_
    whole = [kind == highspy.HighsVarType.kInteger for kind in read.integrality_]
    assert sum(whole) == linear_problem(inst.arrays()).integer.sum()
    highs.setOptionValue("solve_relaxation", True)
    highs.run()
    expected = json.loads((EXAMPLES / "expected.json").read_text(encoding="utf-8"))[f"example-{number}"]
    # bounds of whole jobs are rounded down, so the relaxation may be a little tighter
    slack = 1e-6 * abs(expected["linear_relaxation"])
    bound = highs.getObjectiveValue()
    assert expected["optimum_at_least"] - slack <= bound <= expected["linear_relaxation"] + slack
    assert bound == pytest.approx(expected["linear_relaxation"], rel=1e-3)


def test_names_in_exported_models_stay_apart() -> None:
    from stepwatt.solvers.highs.model_files import portable_names

    found = portable_names(["runs[a b,0]", "runs[a_b,0]", "x" * 300 + "1", "x" * 300 + "2"])
    assert found[0] == "runs(a_b,0)"
    assert len(set(found)) == 4
    assert all(" " not in name and len(name) < 256 for name in found)


def test_interrupt_ends_with_130_and_one_line(tmp_path: Path) -> None:
    words = ["demo", "--slots", "6", "--out", str(tmp_path / "report.html")]
    command = [sys.executable, "-m", "stepwatt", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("demo:")  # work has begun
    process.send_signal(signal.SIGINT)
    out, told = process.communicate()
    assert process.returncode == 130
    assert told.splitlines()[-1] == "stepwatt: interrupted; nothing was written"
    assert "Traceback" not in told
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_interrupted_optimum_leaves_its_best_schedule(tmp_path: Path) -> None:
    """Ctrl-C while the search improves what it has: written, exit code 130, no claim of an optimum."""
    sw.scenario("jemas", n_slots=24, gpus=24).save(tmp_path / "hard.json")
    command = [sys.executable, "-m", "stepwatt", "solve", "hard.json", "--gap", "0", "--out", "best.json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stderr is not None
    assert any("commitment and whole GPUs" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert told.splitlines()[-1] == "stepwatt: interrupted; this is the best until then"
    assert "Traceback" not in told
    best = json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))
    assert best["status"] == "feasible"
    assert best["bound"] > best["utility"]
    assert max(best["violations"].values()) <= 1e-6


def test_prices_are_written_slot_by_slot(inside: Path, capsys: Output) -> None:
    """Every price of the relaxation in one row each; a method without prices is told so."""
    assert run(["solve", "instance.json", "--method", "lp", "--prices", "prices.csv"]) == 0
    table = pd.read_csv(inside / "prices.csv")
    assert list(table.columns) == ["slot", "price", "site", "class", "value"]
    expected = sw.solve(sw.load(inside / "instance.json"), "lp").prices
    assert expected is not None
    assert set(table["price"]) == set(vars(expected))
    power = table[table["price"] == "power"].pivot(index="slot", columns="site", values="value")
    np.testing.assert_allclose(power[expected.power.columns], expected.power, rtol=1e-12)
    assert len(table) == sum(prices.size for prices in vars(expected).values())
    capsys.readouterr()
    words = ["solve", "instance.json", "--method", "greedy", "--prices", "none.csv", "--out", "none.json"]
    assert run(words) == 2
    assert "--prices = 'greedy': expected a method with a relaxation" in capsys.readouterr().err
    assert not list(inside.glob("none*")), "refused before the work"


@pytest.mark.parametrize("method", ["greedy", "oracle", "random"])
def test_a_forecast_is_for_methods_that_plan_on_one(inside: Path, capsys: Output, method: str) -> None:
    words = ["solve", "instance.json", "--method", method, "--forecast", "perfect", "--out", "unmade.json"]
    assert run(words) == 2
    told = f"forecast = 'perfect': expected none with {method}: only foresight, rolling plan on one"
    assert told in capsys.readouterr().err
    assert not (inside / "unmade.json").exists()
    with pytest.raises(sw.InputError, match="only foresight, rolling"):
        sw.solve(sw.load(inside / "instance.json"), method, forecast="perfect")


def test_without_a_terminal_counted_work_is_told_by_tenths(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress("solve") as progress:
        progress(0.0, "compiling")
        for slot in range(1, 289):
            progress(slot / 288, f"slot {slot} of 288")
        progress(1.0, "rounding: whole jobs")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "solve:   0 % compiling"
    assert told[-1] == "solve: 100 % rounding"
    assert 10 <= len(told) <= 13
