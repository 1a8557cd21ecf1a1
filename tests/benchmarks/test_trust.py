"""The bench of trust: it finds what is wrong, explains it by a small instance, and goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies import random_file, random_schedule

from benchmarks.trust import differential
from benchmarks.trust.__main__ import main
from benchmarks.trust.campaign import campaign
from benchmarks.trust.case import Case
from benchmarks.trust.checks import CHECKS
from benchmarks.trust.draws import drawn_file
from benchmarks.trust.finer import finer_file
from benchmarks.trust.guard import guarded
from benchmarks.trust.judge import judge
from benchmarks.trust.mutations import mutated
from benchmarks.trust.shrinking import shrunk
from stepwatt.formulation import Instance, evaluate


@pytest.mark.parametrize("number", range(20))
def test_the_judge_in_plain_loops_and_evaluate_agree_on_any_schedule(number: int) -> None:
    """Of schedules that break everything, too: money and every break."""
    rng = np.random.default_rng(number)
    inst = Instance.from_dict(drawn_file(1, number))
    schedule = random_schedule(rng, inst.arrays())
    schedule.transfers[...] *= 0.1 * rng.random()
    ours, theirs = evaluate(inst, schedule), judge(inst.to_dict(), schedule.to_dict(inst))
    for term in (
        "revenue",
        "transfer",
        "miss_penalty",
        "import",
        "export",
        "carbon",
        "wear",
        "demand",
        "terminal",
    ):
        assert theirs.money[term] == pytest.approx(ours.breakdown[term], rel=1e-9, abs=1e-12)
    both = ours.breakdown["fuel"] + ours.breakdown["startup"]
    assert theirs.money["fuel"] + theirs.money["startup"] == pytest.approx(both, rel=1e-9, abs=1e-12)
    for family in ours.violations:
        assert max(0.0, theirs.breaks.get(family, 0.0)) == pytest.approx(ours.violations[family], abs=1e-9)


def test_an_evaluator_that_forgets_a_term_is_found_and_shown_by_a_small_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgets(case: Case, tolerance: float) -> list[str]:
        worn = any(site.get("battery") for site in case.file["sites"].values())
        return ["the wear is missing"] if worn else []

    wrong = next(check for check in CHECKS if check.name == "judges")
    broken = type(wrong)("judges", wrong.tolerance, wrong.reason, forgets)
    monkeypatch.setattr("benchmarks.trust.checks.CHECKS", (broken,))
    monkeypatch.setattr(
        differential,
        "drawn",
        lambda seed, number: (
            random_file(np.random.default_rng(3), n_slots=4, n_sites=3, features={"battery"}),
            ["battery"],
        ),
    )
    row = differential.Trial(0, tmp_path)(0)
    assert row["findings"] == [{"check": "judges", "found": "the wear is missing"}]
    left = json.loads((tmp_path / "small-000000-judges.json").read_text(encoding="utf-8"))
    small = left["instance"]
    assert (small["n_slots"], len(small["sites"]), len(small["classes"])) == (1, 1, 1)
    assert left["found"] == ["the wear is missing"]
    assert Instance.from_dict(small).sites


def test_a_short_run_of_instances_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["differential", "--budget", "1", "--seed", "8", "--out", str(tmp_path)]
    assert main(words) == 0
    assert "With something unexplained: 0." in capsys.readouterr().out


def test_a_short_run_of_inputs_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.trust.fuzzing.BATCH", 60)
    assert main(["fuzz", "--budget", "60", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "With something unexplained: 0." in out
    assert "instance: refused" in out


def test_the_same_command_goes_on_and_tries_again_what_was_wrong(tmp_path: Path) -> None:
    asked: list[int] = []

    def work(number: int) -> dict[str, Any]:
        asked.append(number)
        return {"findings": ["odd"] if number == 1 and len(asked) < 4 else []}

    first = campaign("a", work, 3, tmp_path)
    assert [row["findings"] for row in first] == [[], ["odd"], []]
    again = campaign("a", work, 4, tmp_path)
    assert asked == [0, 1, 2, 1, 3]
    assert all(not row["findings"] for row in again)


def test_a_child_that_hangs_or_dies_is_told_and_the_others_are_tried() -> None:
    def work(number: int) -> dict[str, Any]:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 3:
            time.sleep(60)
        if number == 4:
            return {"size": len(bytearray(2**33))}
        return {"n": number}

    def careful(number: int) -> dict[str, Any]:
        try:
            return work(number)
        except MemoryError:
            return {"n": "no memory"}

    answers = dict(guarded(careful, range(6), seconds=1.0))
    assert answers[0] == {"n": 0}
    assert answers[1] == {"died": "killed by SIGKILL"}
    assert answers[3] == {"died": "hangs for 1 s"}
    assert answers[4] == {"n": "no memory"}
    assert answers[5] == {"n": 5}


def test_inputs_are_those_of_seed_and_number() -> None:
    plain = drawn_file(3, 5)
    one, two = (mutated(np.random.default_rng(4), plain) for _ in range(2))
    assert repr(one) == repr(two)
    assert drawn_file(3, 5) == drawn_file(3, 5) != drawn_file(3, 6)


def test_finer_files_are_instances_and_shrinking_keeps_what_fails() -> None:
    file = drawn_file(0, 4)
    fine = Instance.from_dict(finer_file(file, 3))
    assert fine.n_slots == 3 * file["n_slots"]
    small = shrunk(file, lambda less: len(less["models"]) >= 1, seconds=5.0)
    assert len(small["models"]) == 1
