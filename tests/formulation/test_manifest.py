"""A manifest beside results tells how they came about, and leaves the results as they are."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
import tiny

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation import InputError
from stepwatt.formulation.manifest import load_manifest, make_rooms, manifest_beside, with_manifest


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("day") / "day.json"
    sw.scenario("jemas", n_slots=2, zones=["DE", "FR"]).save(path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_solve_and_compare_say_how_their_files_came_about(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, prices, table = (tmp_path / name for name in ("r.json", "p.csv", "c.csv"))
    words = ["solve", str(day), "--method=lp", "--seed=3", f"--out={result}", f"--prices={prices}"]
    monkeypatch.setattr(sys, "argv", ["bin/stepwatt", *words])
    assert run(words) == 0
    told = load_manifest(manifest_beside(result))
    assert told.command == ["stepwatt", *words]
    assert told.settings["method"] == "lp"
    assert told.seeds == [3]
    assert told.inputs == {str(day): digest(day)}
    assert told.outputs == {"r.json": digest(result), "p.csv": digest(prices)}
    assert told.made.packages["stepwatt"] == sw.__version__
    assert run(["compare", str(day), "--policy=greedy", "--bound=lp", f"--out={table}"]) == 0
    assert load_manifest(manifest_beside(table)).settings["policies"] == ["greedy"]
    left = {"r.json", "p.csv", "r.json.manifest.json", "c.csv", "c.csv.manifest.json"}
    assert set(os.listdir(tmp_path)) == left


def test_what_is_no_manifest_is_refused_by_name(tmp_path: Path) -> None:
    files = with_manifest({tmp_path / "a.json": "{}"}, settings={}, seeds=[0])
    right = json.loads(files[tmp_path / "a.json.manifest.json"])
    for change, said in (
        ({"schema": "stepwatt.manifest/2"}, "schema = 'stepwatt.manifest/2'"),
        ({"seeds": [0.5]}, r"seeds\[0\] = 0.5"),
        ({"outputs": {"a.json": "no digest"}}, "outputs.*'no digest'"),
        ({"more": 1}, "more = 1"),
        ({"made": {}}, "made.date"),
    ):
        (tmp_path / "m.json").write_text(json.dumps(right | change), encoding="utf-8")
        with pytest.raises(InputError, match=rf"m\.json: {said}"):
            load_manifest(tmp_path / "m.json")
    (tmp_path / "m.json").write_text(json.dumps(right), encoding="utf-8")
    assert load_manifest(tmp_path / "m.json").seeds == [0]


def test_manifests_have_room_and_never_take_that_of_an_output(tmp_path: Path) -> None:
    longest = tmp_path / ("é" * 127)
    make_rooms([longest])
    assert len(os.fsencode(manifest_beside(longest).name)) <= 255
    with pytest.raises(InputError, match=r"does not end in \.manifest\.json"):
        make_rooms([tmp_path / "r.json", tmp_path / "r.json.manifest.json"])
    (tmp_path / "r.json.manifest.json").mkdir()
    with pytest.raises(InputError, match="'a folder'"):
        make_rooms([tmp_path / "r.json"])
    null = Path(os.devnull)
    assert with_manifest({null: "gone"}, settings={}, seeds=[]) == {null: "gone"}


def test_a_file_given_twice_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="expected every file once"):
        make_rooms([tmp_path / "a.json", tmp_path / "a.json"])
    tiny.one_slot().save(tmp_path / "i.json")
    words = ["solve", "--method", "lp", str(tmp_path / "i.json")]
    same = ["--out", str(tmp_path / "a.json"), "--prices", str(tmp_path / "a.json")]
    assert run([*words, *same]) == 2
    assert "expected every file once" in capsys.readouterr().err
    assert run(["demo", "--slots", "1", "--out", str(tmp_path / "demo" / "instance.json")]) == 2
    assert not list(tmp_path.rglob("a.json"))
