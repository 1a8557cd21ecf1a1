"""A comparison loses nothing: failed policies are rows, finished runs are kept, the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny

import stepwatt as sw
from stepwatt.comparing import running
from stepwatt.formulation import Instance, Schedule


def breaks(instance: Instance) -> Schedule:
    raise ZeroDivisionError("by a wrong rule")


def dies(instance: Instance) -> Schedule:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def money(comparison: sw.Comparison) -> pd.DataFrame:
    return comparison.results.drop(columns=["seconds", "seconds_per_slot"])


def test_a_policy_that_fails_is_a_row_that_says_why() -> None:
    found = sw.compare(tiny.two_sites(), {"mine": breaks, "greedy": "greedy"}, bound="lp")
    assert found.table.loc["mine", "flag"] == "failed: ZeroDivisionError: by a wrong rule"
    assert found.table.loc["greedy", "flag"] == ""
    assert found.table.loc["greedy", "gap"] <= 1e-6


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def leaves(instance: Instance) -> Schedule:
    sys.exit("by a way of its own")


def test_a_policy_that_would_end_the_program_is_a_row_too() -> None:
    found = sw.compare(tiny.two_sites(), {"mine": leaves, "greedy": "greedy"}, bound="lp")
    assert found.table.loc["mine", "flag"] == "failed: SystemExit: by a way of its own"
    assert found.table.loc["greedy", "flag"] == ""


def test_a_policy_whose_worker_dies_is_a_row_and_the_others_are_done() -> None:
    found = sw.compare(tiny.two_sites(), {"mine": dies, "greedy": "greedy"}, bound="lp", workers=2)
    assert "worker process died" in found.table.loc["mine", "flag"]
    assert found.table.loc["greedy", "flag"] == ""


def test_a_failed_row_is_in_the_file(tmp_path: Path) -> None:
    found = sw.compare(tiny.two_sites(), {"mine": breaks, "greedy": "greedy"}, bound="lp")
    found.save(tmp_path / "c.json")
    pd.testing.assert_frame_equal(sw.Comparison.load(tmp_path / "c.json").results, found.results)


def test_what_is_kept_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[Instance] = [tiny.two_sites(), tiny.battery()]
    policies = {"greedy": "greedy", "oracle": "oracle", "random": sw.Seeds(["random", "random"])}
    first = sw.compare(days, policies, keep=tmp_path)
    monkeypatch.setattr(running, "_judged", breaks)
    again = sw.compare(days, policies, keep=tmp_path)
    pd.testing.assert_frame_equal(money(again), money(first))


@pytest.mark.parametrize("change", [{"gap": 1e-3}, {"seed": 5}, {"time_limit": 7.0}])
def test_what_was_run_in_another_way_is_run_again(tmp_path: Path, change: dict[str, Any]) -> None:
    sw.compare(tiny.battery(), {"greedy": "greedy"}, bound=None, keep=tmp_path)
    kept = len(list(tmp_path.glob("*.run.json")))
    sw.compare(tiny.battery(), {"greedy": "greedy"}, bound=None, keep=tmp_path, **change)
    assert len(list(tmp_path.glob("*.run.json"))) == 2 * kept


def test_a_spoiled_file_is_run_again(tmp_path: Path) -> None:
    first = sw.compare(tiny.battery(), {"greedy": "greedy"}, keep=tmp_path)
    for path in tmp_path.glob("*.run.json"):
        path.write_text("{", encoding="utf-8")
    again = sw.compare(tiny.battery(), {"greedy": "greedy"}, keep=tmp_path)
    pd.testing.assert_frame_equal(money(again), money(first))


def test_own_code_is_run_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def own(instance: Instance) -> Schedule:
        calls.append(instance.name)
        return Schedule.idle(instance.arrays())

    for _ in range(2):
        sw.compare(tiny.battery(), {"own": own}, bound=None, keep=tmp_path)
    assert len(calls) == 2


@pytest.mark.parametrize("kind", ["planner", "policy"])
def test_own_code_that_is_declared_with_a_version_is_kept_until_that_changes(
    tmp_path: Path, kind: str
) -> None:
    calls: list[str] = []

    def plans(instance: Instance) -> Schedule:
        calls.append(instance.name)
        return Schedule.idle(instance.arrays())

    def acts(obs: Any) -> dict[str, Any]:
        calls.append("slot")
        return {}

    def ran(version: str | None, **more: str) -> bool:
        before = len(calls)
        deciding = more or kind == "policy"
        own = sw.policy(acts, version=version, **more) if deciding else sw.planner(plans, version=version)
        sw.compare(tiny.battery(), {"own": own}, bound=None, keep=tmp_path)
        return len(calls) > before

    assert ran("1")
    assert not ran("1")
    assert ran("2")
    assert not ran("1")
    assert ran(None)
    assert ran(None)
    assert ran("1", information="perfect")
    with pytest.raises(sw.InputError, match=r"version = 1: expected a text"):
        ran(1)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_command_goes_on_and_clears_up(tmp_path: Path) -> None:
    day = tmp_path / "day.json"
    sw.scenario("jemas", n_slots=12, slot_minutes=60).save(day)
    out, store = tmp_path / "c.json", tmp_path / "c.json.runs"
    policies = [f"--policy={name}" for name in ("lp", "greedy", "all-off", "rolling", "oracle")]
    command = [sys.executable, "-m", "stepwatt", "compare", str(day), *policies, f"--out={out}"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with child:
        while not list(store.glob("*.run.json")):
            assert child.poll() is None, "the comparison was over before anything was kept"
            time.sleep(0.01)
        child.kill()
    kept = {path.name: path.stat().st_mtime_ns for path in store.glob("*.run.json")}
    assert not out.exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(out.read_text(encoding="utf-8"))["cases"][0]["entries"]) == 5
    assert kept
    assert not store.exists()


def test_two_that_keep_in_one_folder_do_not_end_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepwatt.comparing import kept

    folder = tmp_path / "runs"

    def make_folder_for_two(place: Path) -> None:
        place.mkdir()
        (place / "of-another.run.json").write_text("{}", encoding="utf-8")

    monkeypatch.setattr(kept, "make_folder", make_folder_for_two)
    kept.KeptRuns(folder).check()
    assert (folder / "of-another.run.json").exists()
    kept.KeptRuns(folder).clear()
    kept.KeptRuns(folder).clear()
    assert not folder.exists()
