"""What undisturbed runs leave, how long they live, and what is wrong with what others leave."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from .moments import Life
from .nursery import MARK, Command, import_what_it_needs, lived, run
from .victims import BY_NAME, Check, Victim, ground

OLDER = b"what was there before\n"
#: Seconds in which what a dead process had begun must end.
PATIENCE = 20.0

Files = dict[str, bytes]


@dataclass(frozen=True)
class Whole:
    """Files and output of an undisturbed run, and its life; ``given`` are the files it began with."""

    given: Files
    files: Files
    output: bytes
    life: Life

    @property
    def made(self) -> Files:
        """The files that are not given."""
        return {name: content for name, content in self.files.items() if name not in self.given}


def contents(folder: Path) -> Files:
    """All files below a folder, by their path in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
            except FileNotFoundError:  # a worker that outlived its caller has just removed it
                continue
    return found


def lay(files: Files, folder: Path) -> None:
    """Write them."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def command_of(victim: Victim, beside: Path, number: int = 0, work: Path | None = None) -> Command:
    """The victim's command in the folder of a trial."""
    inside = work or beside / "work"
    out = (inside if work is not None and victim.streamed else beside) / f"out-{number}"
    return Command(victim.program, victim.words, str(inside), str(out), str(beside))


@cache
def whole(name: str, folder: Path) -> Whole:
    """Run it undisturbed, begun anew and forked: both must leave the same.

    Raises:
        RuntimeError: the victim is none: it fails, or does not do the same twice.
    """
    victim, given = BY_NAME[name], folder / "ground"
    if not given.is_dir():
        ground(given)
    found = []
    for fresh in (True, False) if not victim.anew else (True, True):
        beside = emptied(folder / f"whole-{victim.name.replace(' ', '-')}")
        shutil.copytree(given, beside / "work")
        command = command_of(victim, beside)
        end = run(command, fresh=fresh)
        if end.code != 0:
            raise RuntimeError(f"{victim.name}: {end.said}")
        if fresh and not victim.anew:
            import_what_it_needs(command)
        found.append((contents(beside / "work"), Path(command.out).read_bytes(), lived(command)))
    (files, output, _), (others, _, (cpu_seconds, touches)) = found
    for name in files.keys() | others.keys():
        if name not in files or name not in others or not victim.same(name, files[name], others[name]):
            raise RuntimeError(f"{victim.name}: {name} is not the same every time")
    start = contents(given)
    largest = max(len(content) for name, content in files.items() if name not in start)
    return Whole(start, files, output, Life(cpu_seconds, touches, largest))


def emptied(folder: Path) -> Path:
    """The folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def in_the_middle(victim: Victim, expected: Whole, work: Path, outs: list[Path]) -> Iterator[tuple[str, str]]:
    """What is torn or lost of the files as they are after the process was ended."""
    there = contents(work)
    for name, content in there.items():
        if name in expected.given:
            if content != expected.given[name]:
                yield "lost", f"{name}, which was given, is another"
        elif ".partial" in name or name.endswith(".lock") or name.startswith("out-"):
            continue
        elif (check := _growing(victim, name)) is not None:
            if wrong := check(content):
                yield "torn", f"{name}: {wrong}"
        elif name not in expected.files:
            yield "left behind", name
        elif not (content == OLDER and name in victim.replaced) and not victim.same(
            name, expected.files[name], content
        ):
            yield "torn", f"{name}, {len(content)} bytes"
    yield from _stream(victim, expected, outs, complete=False)


def in_the_end(victim: Victim, expected: Whole, work: Path, outs: list[Path]) -> Iterator[tuple[str, str]]:
    """What differs from an undisturbed run."""
    there = {name: content for name, content in contents(work).items() if not name.startswith("out-")}
    for name in sorted(there.keys() - expected.files.keys()):
        yield "left behind", name
    for name, content in expected.files.items():
        if name not in there:
            yield "lost", name
        elif not victim.same(name, content, there[name]):
            yield "lost", f"{name} is another than that of an undisturbed run"
    yield from _stream(victim, expected, outs, complete=True)


def _growing(victim: Victim, name: str) -> Check | None:
    return next((check for pattern, check in victim.growing.items() if fnmatch(name, pattern)), None)


def _stream(
    victim: Victim, expected: Whole, outs: list[Path], *, complete: bool
) -> Iterator[tuple[str, str]]:
    """Decisions, of which a reader drops those whose slot it has, and a last line that is cut."""
    if not victim.streamed:
        return
    right = {json.loads(line)["slot"]: line for line in expected.output.splitlines()}
    seen: set[int] = set()
    for out in outs:
        last = -1
        for line in (out.read_bytes() if out.exists() else b"").split(b"\n")[:-1]:
            try:
                slot = json.loads(line)["slot"]
            except (ValueError, KeyError):
                yield "torn", f"a line of decisions: {line[:80]!r}"
                continue
            if line != right[slot]:
                yield "lost", f"the decision of slot {slot} is another"
            if slot <= last:
                yield "lost", f"slot {slot} is told twice by one process"
            last = slot
            seen.add(slot)
    if complete and seen != right.keys():
        yield "lost", f"no decision for slots {sorted(right.keys() - seen)}"


def processes_of(beside: Path) -> list[int]:
    """Processes that a victim has started, and they in turn."""
    mark = f"{MARK}={beside}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                environment = Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if mark in environment.split(b"\0"):
                found.append(int(entry))
    return found


def left_running(beside: Path) -> Iterator[tuple[str, str]]:
    """Processes that go on though nobody wants what they do."""
    begun = time.monotonic()
    while left := processes_of(beside):
        if time.monotonic() - begun > PATIENCE:
            yield "left behind", f"{len(left)} processes that still run"
            return
        time.sleep(0.1)
