"""Standard streams as callers leave them: closed, full, in a locale with few letters; and ``-``, which is no
file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stepwatt as sw
from stepwatt.cli import run

COMMAND = [sys.executable, "-m", "stepwatt"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("streams")
    sw.scenario("jemas", n_slots=1, slot_minutes=60, zones=("DE",)).save(made / "i.json")
    return made


def _without(*numbers: int) -> Callable[[], None]:
    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


@pytest.mark.skipif(sys.platform == "win32", reason="file descriptors of POSIX")
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_are_nobodys_loss(folder: Path, closed: tuple[int, ...]) -> None:
    words = ["solve", "i.json", "--method", "all-off", "--out", "plan.json"]
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, preexec_fn=_without(*closed), capture_output=True, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert json.loads((folder / "plan.json").read_bytes())["method"] == "all-off"


@pytest.mark.skipif(sys.platform == "win32", reason="file descriptors of POSIX")
def test_slots_from_a_closed_standard_input_are_refused(folder: Path) -> None:
    words = ["run", "foresight", "i.json"]
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, preexec_fn=_without(0), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("stepwatt: --slots = None: expected a file of slots")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full")
@pytest.mark.parametrize(("method", "code"), [("all-off", 0), ("magic", 2)])
def test_where_nobody_hears_of_progress_the_work_is_done_all_the_same(
    folder: Path, method: str, code: int
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, "solve", "i.json", "--method", method],
            cwd=folder, stdout=subprocess.PIPE, stderr=full, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == code
    assert ("utility" in done.stdout) == (code == 0)


def test_what_a_locale_has_no_letters_for_is_written_as_escapes(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "describe", "soc_min"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert rb"e \u2265 soc_min" in done.stdout


def test_lines_of_slots_are_utf_8_whatever_the_locale(folder: Path) -> None:
    inst = sw.load(folder / "i.json").to_dict()
    inst["sites"] = {"Zürich": inst["sites"]["DE"]}
    inst["arrivals"] = {"Zürich": inst["arrivals"]["DE"]}
    inst["transfer_cost"] = {"Zürich": {}}
    sw.Instance.from_dict(inst).save(folder / "zuerich.json")
    line = json.dumps({"slot": 0, "import_price": {"Zürich": 50}}, ensure_ascii=False)
    done = subprocess.run(
        [*COMMAND, "run", "foresight", "zuerich.json"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        input=line.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["slot"] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["solve", "i.json", "--out", "-"], "--out = '-': expected the name of a file (JSON on"),
        (["export", "i.json", "--out", "-"], "--out = '-': "),
        (["train", "--out", "-"], "--out = '-': "),
        (["solve", "-"], "instance = '-': expected the name of a file (standard input is /dev/stdin)"),
        (["run", "foresight", "i.json", "--slots", "-"], "--slots = '-': "),
        (["compare", "i.json", "--out", "a.md", "--out", "-"], "--out = '-': "),
        (["compare", "i.json", "--policy", "mine=-"], "--policy = 'mine=-': "),
        (["data", "look", "-"], "file = '-': "),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)  # fmt: skip
def test_a_dash_is_no_file(
    folder: Path,
    words: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert run(words) == 2
    assert told in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
