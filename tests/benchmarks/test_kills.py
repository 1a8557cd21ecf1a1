"""Commands that are killed, or have no room, leave nothing torn and go on; the bench sees what does not."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from benchmarks.solvers.runner import _append, load_records
from benchmarks.trust.kills.moments import Moment
from benchmarks.trust.kills.nursery import run
from benchmarks.trust.kills.trial import Kills
from benchmarks.trust.kills.victims import BY_NAME
from benchmarks.trust.kills.wholes import OLDER, Whole, command_of, in_the_end, in_the_middle, lay, whole
from stepwatt.cli import run as run_here

#: Kills of each command: two, and more in the long profile.
MANY = max(2, settings.default.max_examples // 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


def test_a_few_kills_of_two_commands_leave_nothing_torn(folder: Path) -> None:
    trial = Kills(0, folder, ("solve", "run trained"), budget=MANY)
    rows = [trial(number) for number in range(len(trial.trials))]
    assert [row["findings"] for row in rows] == [[]] * 2 * MANY
    assert sum(row["kills"] for row in rows) >= 2 * MANY


@pytest.mark.parametrize("moment", [Moment("file", 5), Moment("byte", 3_000)], ids=str)
def test_a_command_dies_at_its_moment(moment: Moment, folder: Path, tmp_path: Path) -> None:
    victim, expected = BY_NAME["solve"], whole("solve", folder)
    lay(expected.given, tmp_path / "work")
    assert run(command_of(victim, tmp_path), moment=moment).killed
    left = [name for name in os.listdir(tmp_path / "work") if name not in expected.given]
    assert any(name.endswith(".partial") for name in left)


def test_what_is_torn_lost_or_left_behind_is_seen(folder: Path, tmp_path: Path) -> None:
    victim, expected = BY_NAME["solve"], whole("solve", folder)
    right = expected.files["r.json"]
    for files, middle, end in (
        ({"r.json": right[:99]}, {"torn"}, {"lost"}),
        ({"r.json": OLDER}, set(), {"lost"}),
        ({"day.json": b"{}", "r.json": right}, {"lost"}, {"lost"}),
        (expected.files | {".r.json.0.partial": b""}, set(), {"left behind"}),
        (expected.files, set(), set()),
    ):
        work = tmp_path / str(len(os.listdir(tmp_path)))
        lay(expected.given | files, work)
        assert {check for check, _ in in_the_middle(victim, expected, work, [])} == middle
        assert {check for check, _ in in_the_end(victim, expected, work, [])} == end


def test_a_decision_that_is_missing_or_another_is_seen(tmp_path: Path) -> None:
    lines = [json.dumps({"slot": slot, "utility": 1.0}).encode() + b"\n" for slot in range(3)]
    victim = BY_NAME["run trained"]
    (tmp_path / "work").mkdir()

    def seen(*outputs: bytes) -> list[str]:
        outs = [tmp_path / f"out-{number}" for number in range(len(outputs))]
        for out, output in zip(outs, outputs, strict=True):
            out.write_bytes(output)
        expected = Whole({}, {}, b"".join(lines), None)  # type: ignore[arg-type]
        return [text for _, text in in_the_end(victim, expected, tmp_path / "work", outs)]

    assert seen(b"".join(lines[:2]) + lines[2][:9], lines[1] + lines[2]) == []
    assert seen(lines[0] + lines[1][:9], lines[2]) == ["no decision for slots [1]"]
    assert seen(*lines[:2], lines[2].replace(b"1.0", b"2.0")) == ["the decision of slot 2 is another"]
    assert seen(lines[0] + lines[0] + lines[1] + lines[2]) == ["slot 0 is told twice by one process"]


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Writing through takes no more than so many files, then the disk is full."""
    left = [after]
    write = os.fsync

    def refused(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refused)
        yield


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_disk_that_is_full_at_any_file_leaves_all_as_they_were(
    after: int,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    victim, expected = BY_NAME["solve"], whole("solve", folder)
    lay(expected.given | dict.fromkeys(victim.replaced, OLDER), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    with full_disk(monkeypatch, after):
        assert run_here(victim.words) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stepwatt: ")]
    assert "No space left on device" in line
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert run_here(victim.words) == 0
    assert {path.name for path in tmp_path.iterdir()} == expected.files.keys()


def test_a_record_after_a_line_that_a_kill_has_cut_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    _append(path, '{"key": "a"}')
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "b", "wal')
    _append(path, '{"key": "c"}')
    _append(path, '{"key": "d"}')
    assert list(load_records(path)) == ["a", "c", "d"]
