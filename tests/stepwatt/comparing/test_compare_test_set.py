"""compare on a test set: several instances, several seeds, statistics, processes."""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from pages import figures_of

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.reports import figures
from stepwatt.reports.page import html
from stepwatt.reports.tables import percent
from stepwatt.scores.intervals import iqm, iqm_interval
from stepwatt.scores.statistics import score_matrix

STARTS = ("2018-06-12T10:00", "2018-06-12T18:00", "2018-12-12T10:00")


class Diluted:
    """A greedy planner that executes only a share of its jobs: better the larger the share.

    It stands for a trained policy: an object with ``schedule`` that is also callable, as networks are.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.histories: list[sw.Instance | None] = []

    def __call__(self, observation: Any) -> Any:
        raise AssertionError("a policy that plans instances is asked for plans")

    def schedule(self, instance: sw.Instance, history: sw.Instance | None = None) -> sw.Schedule:
        self.histories.append(history)
        idle = sw.Schedule.idle(instance.arrays())
        if self.share < 0.5:
            return idle
        found = sw.solve(instance, method="greedy").schedule
        assert found is not None
        return found


def broken(inst: sw.Instance) -> sw.Schedule:
    """Export without any power behind it."""
    schedule = sw.Schedule.idle(inst.arrays())
    schedule.export_mw[0, 0] = 0.01
    return schedule


@pytest.fixture(scope="module")
def instances() -> list[sw.Instance]:
    return [sw.scenario("jemas", start=start, n_slots=2) for start in STARTS]


@pytest.fixture(scope="module")
def policies() -> dict[str, Any]:
    mine = sw.Seeds([Diluted(0.0), Diluted(1.0), Diluted(1.0), Diluted(1.0)])
    return {"greedy": "greedy", "mine": mine, "lp": "lp", "off": "all-off"}


@pytest.fixture(scope="module")
def comparison(instances: list[sw.Instance], policies: dict[str, Any]) -> sw.Comparison:
    return sw.compare(instances, policies)


def without_seconds(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=[name for name in table if str(name).startswith("seconds")])


# ---------------------------------------------------------------- seeds


def test_every_seed_on_every_instance_is_a_row(comparison: sw.Comparison) -> None:
    assert comparison.policies == ["greedy", "mine", "lp", "off"]
    rows = comparison.results[comparison.results["policy"] == "mine"]
    assert sorted(zip(rows["seed"], rows["number"], strict=True)) == [
        (s, n) for s in range(4) for n in range(3)
    ]
    assert comparison.table.loc["mine", ["seeds", "instances"]].tolist() == [4, 3]
    assert comparison.table.loc["greedy", ["seeds", "instances"]].tolist() == [1, 3]


def test_each_seed_is_judged_for_itself(comparison: sw.Comparison) -> None:
    greedy, mine = (score_matrix(comparison, name, "gap") for name in ("greedy", "mine"))
    assert greedy is not None
    assert mine is not None
    assert mine[1:] == pytest.approx(np.repeat(greedy, 3, axis=0))
    assert (mine[0] > greedy[0]).all()


def test_methods_that_draw_at_random_get_a_seed_per_run(instances: list[sw.Instance]) -> None:
    found = sw.compare(instances[0], {"random": sw.Seeds(["random"] * 3)}, bound=None, seed=7)
    ones = [sw.compare(instances[0], {"random": "random"}, bound=None, seed=7 + k) for k in range(3)]
    expected = [one.results["utility"].item() for one in ones]
    assert list(found.results["utility"]) == expected
    assert len(set(expected)) == 3


def test_a_scheduler_is_given_the_history(instances: list[sw.Instance]) -> None:
    policy = Diluted(0.0)
    sw.compare(instances[1], {"mine": policy}, bound="lp", history=instances[0])
    assert policy.histories == [instances[0]]


def test_latency_is_seconds_per_slot(comparison: sw.Comparison) -> None:
    results = comparison.results
    assert list(results["seconds_per_slot"]) == list(results["seconds"] / 2)
    assert (results["seconds"] > 0).all()


# ---------------------------------------------------------------- statistics


def test_statistics_are_those_of_the_score_matrix(comparison: sw.Comparison) -> None:
    mine = score_matrix(comparison, "mine", "gap")
    assert mine is not None
    row = comparison.statistics.loc["mine"]
    interval = iqm_interval(mine, 0)
    assert tuple(row[["gap", "gap_high"]]) == (interval.estimate, interval.high)
    assert row["gap_low"] == max(0.0, interval.low)
    assert row["miss_rate"] == pytest.approx(comparison.table.at["mine", "miss_rate"])


def test_intervals_end_where_no_policy_can_be(comparison: sw.Comparison) -> None:
    table = comparison.statistics.drop(index="lp")
    assert (table["gap_low"] >= 0).all()
    assert (table["captured_share_high"] <= 1).all()
    assert table["miss_rate_low"].between(0, 1).all()
    assert table["miss_rate_high"].between(0, 1).all()


def test_reference_is_the_first_policy_unless_named(
    comparison: sw.Comparison, instances: list[sw.Instance]
) -> None:
    assert comparison.reference == "greedy"
    assert comparison.statistics.loc["greedy", ["improvement", "difference"]].isna().all()
    # three seeds tie with greedy, one is worse on every instance
    assert comparison.statistics.at["mine", "improvement"] == pytest.approx(3 * 0.5 / 4)
    other = sw.compare(instances, {"a": "greedy", "b": "all-off"}, bound="lp", reference="b")
    assert other.reference == "b"
    assert other.statistics.at["a", "difference"] == pytest.approx(
        other.statistics.at["a", "gap"] - other.statistics.at["b", "gap"]
    )


def test_a_policy_with_an_unscored_run_has_no_statistics(instances: list[sw.Instance]) -> None:
    policies = {"greedy": "greedy", "mine": sw.Seeds([Diluted(1.0), broken])}
    found = sw.compare(instances, policies, bound="lp")
    row = found.statistics.loc["mine"]
    scores = ["gap", "captured_share", "miss_rate", "improvement", "difference"]
    assert row[scores].isna().all()
    assert row["infeasible"] == 3
    assert "breaks balance by 0.01 (3 of 6 runs not scored)" in found.to_markdown()


def test_one_instance_and_one_seed_have_estimates_without_intervals(instances: list[sw.Instance]) -> None:
    found = sw.compare(instances[0], {"greedy": "greedy"}, bound="lp")
    assert not found.several
    assert found.statistics.at["greedy", "gap"] == found.table.at["greedy", "gap"]
    assert math.isnan(found.statistics.at["greedy", "gap_low"])
    assert found.to_markdown().count("| policy |") == 1


# ---------------------------------------------------------------- tables, page, file


def test_tables_give_intervals_of_all_that_decide_something(comparison: sw.Comparison) -> None:
    row = comparison.statistics.loc["mine"]
    point, low, high = (percent(row[name])[:-2] for name in ("gap", "gap_low", "gap_high"))
    second = comparison.to_markdown().split("\n\n")[1]
    line = next(line for line in second.splitlines() if line.startswith("| mine "))
    assert f"| 4 | 3 | {point} [{low}, {high}] % |" in line
    assert "| P(better than greedy) |" in second
    assert "| lp " not in second
    assert comparison.to_latex().count(r"\begin{tabular}") == 2


def test_page_shows_statistics_profile_and_every_seed(comparison: sw.Comparison) -> None:
    page = html(comparison)
    assert "Over seeds and instances" in page
    assert "the first of 4 runs" in page, "one's own policies are shown in detail, too"
    for key in ("all-o-seeds", "all-o-profile"):
        go.Figure(figures_of(page)[key])
    seeds = figures_of(page)["all-o-seeds"]["data"][0]
    mine = score_matrix(comparison, "mine", "gap")
    assert mine is not None
    shown = sorted(x for x, y in zip(seeds["x"], seeds["y"], strict=True) if y == "mine")
    assert shown == pytest.approx(sorted(100 * iqm(run[None, :]) for run in mine), rel=1e-4)


def test_page_of_one_instance_and_one_seed_has_no_statistics(instances: list[sw.Instance]) -> None:
    page = html(sw.compare(instances[0], {"greedy": "greedy"}, bound="lp"))
    assert "Over seeds and instances" not in page
    assert not {"s0-o-seeds", "s0-o-profile"} & set(figures_of(page))


def test_profile_curves_rise_to_all_runs(comparison: sw.Comparison) -> None:
    figure = figures.profile_panel(comparison).figure
    assert figure is not None
    curves = {trace["name"]: trace["y"] for trace in figure["data"] if "name" in trace}
    assert set(curves) == {"greedy", "mine", "off"}
    for curve in curves.values():
        assert curve == sorted(curve)
        assert curve[-1] == 100


def test_without_a_bound_the_figures_say_so(instances: list[sw.Instance]) -> None:
    found = sw.compare(instances[:2], {"off": "all-off"}, bound=None)
    for panel in (figures.profile_panel(found), figures.seeds_panel(found)):
        assert panel.figure is None
        assert "no bound" in panel.words
    html(found)


def test_file_keeps_seeds_and_reference(comparison: sw.Comparison, tmp_path: Path) -> None:
    comparison.save(tmp_path / "comparison.json")
    again = sw.Comparison.load(tmp_path / "comparison.json")
    assert again.reference == "greedy"
    pd.testing.assert_frame_equal(again.results, comparison.results)
    pd.testing.assert_frame_equal(again.statistics, comparison.statistics)


def test_files_of_before_there_were_seeds_are_read(instances: list[sw.Instance], tmp_path: Path) -> None:
    found = sw.compare(instances[:2], {"greedy": "greedy", "off": "all-off"}, bound="lp")
    found.save(tmp_path / "comparison.json")
    old = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    del old["reference"]
    for case in old["cases"]:
        for entry in case["entries"]:
            del entry["seed"]
    (tmp_path / "old.json").write_text(json.dumps(old), encoding="utf-8")
    again = sw.Comparison.load(tmp_path / "old.json")
    pd.testing.assert_frame_equal(again.statistics, found.statistics)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda file: file.update(reference="nobody"), "reference = 'nobody'"),
        (lambda file: file["cases"][0]["entries"][0].update(seed=-1), "seed = -1"),
        (lambda file: file["cases"][1]["entries"][0].update(seed=1), "cases[1].entries"),
        (lambda file: file["cases"][0]["entries"][1].update(policy="greedy"), "cases[0].entries"),
    ],
)
def test_file_that_contradicts_itself_is_named(
    instances: list[sw.Instance], tmp_path: Path, change: Callable[[Any], None], expected: str
) -> None:
    path = tmp_path / "comparison.json"
    sw.compare(instances[:2], {"greedy": "greedy", "off": "all-off"}, bound=None).save(path)
    file = json.loads(path.read_text(encoding="utf-8"))
    change(file)
    path.write_text(json.dumps(file), encoding="utf-8")
    with pytest.raises(sw.InputError) as caught:
        sw.Comparison.load(path)
    assert expected in str(caught.value)


# ---------------------------------------------------------------- processes


def test_results_do_not_depend_on_the_number_of_workers(
    comparison: sw.Comparison, instances: list[sw.Instance], policies: dict[str, Any]
) -> None:
    seen: list[float] = []
    found = sw.compare(instances, policies, workers=2, progress=lambda done, what: seen.append(done))
    for name in ("results", "table", "statistics"):
        mine, serial = getattr(found, name), getattr(comparison, name)
        pd.testing.assert_frame_equal(without_seconds(mine), without_seconds(serial), check_exact=True)
    assert [case.instance for case in found.cases] == instances
    assert found.cases[0].instance is instances[0]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_policies_of_one_instance_are_run_side_by_side(instances: list[sw.Instance]) -> None:
    """Each of two policies waits for the file of the other: one after the other would never end."""
    with tempfile.TemporaryDirectory() as folder:
        policies = {name: functools.partial(meeting, Path(folder), name) for name in ("one", "other")}
        found = sw.compare(instances[0], policies, bound=None, workers=2)
    assert found.policies == ["one", "other"]


def meeting(folder: Path, name: str, inst: sw.Instance) -> sw.Schedule:
    (folder / name).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    return sw.Schedule.idle(inst.arrays())


def test_finished_results_go_with_their_instance(instances: list[sw.Instance]) -> None:
    results = sw.solve_many(instances[:2], "greedy", processes=1)
    found = sw.compare(instances[:2], {"mine": results[::-1]}, bound="lp", workers=2)
    assert list(found.results["utility"]) == [result.utility for result in results]


def test_bad_schedule_in_a_worker_is_one_clear_line(instances: list[sw.Instance]) -> None:
    with pytest.raises(sw.InputError, match=r"policies\.mine\[1\] = 'int'"):
        sw.compare(instances, {"mine": sw.Seeds([broken, lambda inst: 7])}, bound=None, workers=2)


def test_a_policy_that_cannot_be_sent_away_is_named(instances: list[sw.Instance]) -> None:
    lock = threading.Lock()

    def locked(inst: sw.Instance) -> sw.Schedule:
        with lock:
            return sw.Schedule.idle(inst.arrays())

    with pytest.raises(sw.InputError, match=r"policies\.mine = 'function': expected .*workers=1"):
        sw.compare(instances, {"mine": locked}, bound=None, workers=2)
    assert sw.compare(instances, {"mine": locked}, bound=None).policies == ["mine"]


def test_workers_do_not_outlive_who_waits_for_them() -> None:
    code = """if True:
        import sys, time
        import stepwatt as sw

        def endless(inst):
            print("at work", file=sys.stderr, flush=True)
            time.sleep(600)

        days = [sw.scenario("jemas", start=start, n_slots=2) for start in ("2018-06-12", "2018-06-13")]
        sw.compare(days, {"mine": endless}, bound=None, workers=2)
    """
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as caller:
        assert caller.stderr is not None
        assert caller.stderr.readline() == "at work\n"
        caller.kill()
        # the pipe closes when the last process that may write to it is gone
        caller.communicate()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"workers": 0}, "workers"),
        ({"reference": "nobody"}, "reference"),
        ({"policies": {"x": sw.Seeds(["greedy", "gready"])}}, "policies.x[1]"),
        ({"policies": {"x": sw.Seeds([3])}}, "policies.x[0]"),
    ],
)
def test_bad_arguments_are_named(instances: list[sw.Instance], given: dict[str, Any], field: str) -> None:
    with pytest.raises(sw.InputError) as caught:
        sw.compare(instances, **{"policies": {"greedy": "greedy"}, **given})
    assert caught.value.field == field


def test_seeds_without_runs_are_refused() -> None:
    with pytest.raises(sw.InputError, match=r"Seeds\.runs"):
        sw.Seeds([])


# ---------------------------------------------------------------- command line


@pytest.fixture
def inside(instances: list[sw.Instance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two instance files, entered."""
    for number, inst in enumerate(instances[:2]):
        inst.save(tmp_path / f"day{number}.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command_prints_and_writes_the_statistics(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "compare",
        "day0.json",
        "day1.json",
        "--policy",
        "all-off",
        "--policy",
        "greedy",
        "--bound",
        "lp",
    ]
    options = ["--reference", "all-off", "--workers", "2", "--out", "c.statistics.csv", "--out", "c.csv"]
    assert run([*given, *options]) == 0
    assert "P(better" in capsys.readouterr().out
    assert list(pd.read_csv(inside / "c.statistics.csv")["policy"]) == ["all-off", "greedy"]
    assert len(pd.read_csv(inside / "c.csv")) == 4
    assert run([*given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reference"] == "all-off"
    assert [row["policy"] for row in told["statistics"]] == ["all-off", "greedy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--reference", "nobody"], "reference = 'nobody'"), (["--workers", "0"], "workers = 0")],
)
def test_bad_options_are_one_line(
    inside: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", "day0.json", "day1.json", "--policy", "greedy", *options]) == 2
    assert message in capsys.readouterr().err
