"""Files are written whole or not at all, several of them together, whatever ends the writer."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tiny

import stepwatt as sw
from stepwatt.formulation import InputError
from stepwatt.formulation.files import make_folder, make_room, replacing, write_files, write_text
from stepwatt.solvers.highs.model_files import export


@contextmanager
def full_disk(most: int = 512) -> Iterator[None]:
    """Files cannot grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def result() -> sw.Result:
    return sw.solve(sw.scenario("jemas", n_slots=2), "greedy")


WRITERS: dict[str, Callable[[sw.Result, Path], object]] = {
    "instance": lambda result, path: result.instance.save(path),
    "schedule": lambda result, path: schedule_of(result).save(result.instance, path),
    "result": lambda result, path: result.save(path),
    "comparison": lambda result, path: compared(result).save(path),
    "table": lambda result, path: compared(result).to_csv(path),
    "report": lambda result, path: compared(result).to_html(path),
    "policy": lambda result, path: sw.load_policy("jemas").save(path.with_suffix(".npz")),
    "mps": lambda result, path: export(result.instance, path, "mps"),
    "lp": lambda result, path: export(result.instance, path, "lp"),
}


def schedule_of(result: sw.Result) -> sw.Schedule:
    assert result.schedule is not None
    return result.schedule


def compared(result: sw.Result) -> sw.Comparison:
    return sw.compare(result.instance, {"greedy": result.schedule}, bound=None)


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_is_told_in_one_line(
    what: str, result: sw.Result, tmp_path: Path
) -> None:
    path = tmp_path / ("old.npz" if what == "policy" else "old")
    path.write_text("what was there", encoding="utf-8")
    with pytest.raises(InputError) as told, full_disk():
        WRITERS[what](result, path)
    assert str(told.value).startswith(f"{path}: file = ")
    assert path.read_text(encoding="utf-8") == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    WRITERS[what](result, path)
    assert path.stat().st_size > 512
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("what", WRITERS)
def test_a_file_where_a_folder_is_expected_is_told_in_one_line(
    what: str, result: sw.Result, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file = .*: expected a writable place"):
        WRITERS[what](result, tmp_path / "file" / "inside.npz")


@pytest.mark.parametrize("name", [b"m\xc3\xb6del", b"m\xff"], ids=["not ASCII", "not UTF-8"])
@pytest.mark.parametrize("what", WRITERS)
def test_any_name_that_the_file_system_takes_is_written(
    what: str, name: bytes, result: sw.Result, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    path = folder / (os.fsdecode(name) + ".npz")
    WRITERS[what](result, path)
    assert os.listdir(os.fsencode(folder)) == [name + b".npz"]


@pytest.mark.parametrize("failing", [0, 1])
def test_of_files_that_belong_together_none_changes_when_one_cannot(failing: int, tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "other"]
    paths[0].write_text("old", encoding="utf-8")
    with pytest.raises(InputError, match=f"{paths[failing].name}: file = 'File too large'"), full_disk():
        write_files({path: "new" * (1000 if n == failing else 1) for n, path in enumerate(paths)})
    assert paths[0].read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["one"]


def test_a_file_that_cannot_be_renamed_takes_those_renamed_before_it_back(tmp_path: Path) -> None:
    old, fresh, blocked = (tmp_path / name for name in ("old", "fresh", "blocked"))
    old.write_text("old", encoding="utf-8")

    def write() -> None:
        with replacing(old, fresh, blocked) as partials:
            for partial in partials:
                partial.write_text("new", encoding="utf-8")
            blocked.mkdir()

    with pytest.raises(InputError, match="blocked: file = "):
        write()
    assert old.read_text(encoding="utf-8") == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["blocked", "old"]


KILLED = """
import os, sys
from stepwatt.formulation.files import replacing
with replacing("out.json") as (partial,):
    partial.write_text("half of it")
    print(partial.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_writer_left_is_cleared_by_the_next_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    partial = writer.stdout.readline().strip()
    write_text(tmp_path / "out.json", "first")
    assert sorted(os.listdir(tmp_path)) == sorted([partial, "out.json"])
    writer.kill()
    writer.communicate()
    assert sorted(os.listdir(tmp_path)) == sorted([partial, "out.json"])
    make_room(tmp_path / "out.json")
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_written_file_keeps_its_rights_and_a_link_goes_on_being_one(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch(mode=0o640)
    target.chmod(0o640)
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_what_is_no_regular_file_is_written_and_not_replaced() -> None:
    make_room(os.devnull)
    write_text(os.devnull, "nothing")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("path", ["a\0b", "x" * 300], ids=["a zero byte", "too long a name"])
def test_a_path_that_cannot_be_is_told_in_one_line(path: str, tmp_path: Path) -> None:
    for attempt in (lambda: write_text(tmp_path / path, ""), lambda: make_room(tmp_path / path)):
        with pytest.raises(InputError, match="expected a writable place"):
            attempt()


def test_a_name_as_long_as_a_file_system_takes_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("é" * 127), "new")
    assert (tmp_path / ("é" * 127)).read_text(encoding="utf-8") == "new"


def test_a_file_named_twice_in_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every file once"):
        write_files({tmp_path / "a": "1", tmp_path / "." / "b" / ".." / "a": "2"})


def test_a_file_is_no_folder_for_files_and_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="folder = 'a file'"):
        make_folder(tmp_path / "file")
    with pytest.raises(InputError, match="file = 'a folder'"):
        make_room(tmp_path)


def test_a_folder_that_another_process_clears_away_is_made_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, cleared = os.open, list[Any]()

    def clears_first(path: Any, *flags: int) -> int:
        if not cleared and "x.json" in str(path):
            cleared.append(path)
            (tmp_path / "runs").rmdir()
        return opened(path, *flags)

    monkeypatch.setattr(os, "open", clears_first)
    write_text(tmp_path / "runs" / "x.json", "whole")
    assert cleared
    assert (tmp_path / "runs" / "x.json").read_text(encoding="utf-8") == "whole"


@pytest.mark.parametrize("place", [None, 3, b"x.json"], ids=repr)
def test_what_is_no_path_is_told_as_that(place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inst = tiny.one_slot()
    result = sw.solve(inst, "greedy")
    compared = sw.compare(inst, {"greedy": result}, bound=None)
    for write in (inst.save, result.save, compared.save, compared.to_html, lambda p: export(inst, p, "lp")):
        with pytest.raises(InputError, match=r"^file = .*: expected a path"):
            write(place)
