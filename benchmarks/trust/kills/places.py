"""Where there is no room: a full disk, a folder that is read-only, and workers that are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .nursery import End, run
from .trial import not_done
from .victims import BY_NAME, MANY, Victim
from .wholes import (
    OLDER,
    Whole,
    command_of,
    contents,
    emptied,
    in_the_end,
    in_the_middle,
    lay,
    left_running,
    processes_of,
    whole,
)

PAGE = 4096
ROOM = 128 * 2**20
#: Shares of what a victim writes for which there is room.
SHARES = (0.0, 0.3, 0.7, 0.95)

Found = list[tuple[str, str]]


@dataclass(frozen=True)
class Places:
    """The trial of any number: every victim in every condition."""

    seed: int
    folder: Path
    victims: tuple[str, ...]

    @property
    def trials(self) -> list[tuple[Victim, str]]:
        """Victim and condition of each number."""
        rooms = [*(f"full disk, room for {share:.0%}" for share in SHARES), "read-only folder"]
        killed = [BY_NAME[name] for name in self.victims]
        plain = [(victim, room) for victim in killed for room in rooms]
        working = [victim for victim in killed if victim.anew]
        working += [MANY] if working else []
        deaths = ("a worker killed", "every worker killed")
        return plain + [(victim, death) for victim in working for death in deaths]

    def __call__(self, number: int) -> dict[str, Any]:
        """The row of a trial."""
        victim, condition = self.trials[number]
        expected = whole(victim.name, self.folder)
        beside = self.folder / f"place-{number:06d}"
        if os.path.ismount(beside / "room"):  # this command was killed itself
            _unmount(beside / "room")
        emptied(beside)
        rng = np.random.default_rng([self.seed, number])
        if "worker" in condition:
            found = _without_workers(victim, expected, beside, rng, every="every" in condition)
        else:
            share = None if "read" in condition else float(condition.split()[-1].strip("%")) / 100
            found = _without_room(victim, expected, beside, share)
        if not found:
            shutil.rmtree(beside)
        findings = [{"check": check, "found": f"{victim.name}, {condition}: {text}"} for check, text in found]
        return {"conditions": {f"{victim.name}: {condition.partition(',')[0]}": 1}, "findings": findings}


def _without_room(victim: Victim, expected: Whole, beside: Path, share: float | None) -> Found:
    """Refused in one line, and nothing is lost; with room the same command goes on."""
    room = beside / "room"
    with _mounted(room):
        lay(expected.given, room)
        lay(dict.fromkeys(victim.replaced, OLDER), room)
        before = contents(room)
        if share is None:
            _mount("remount,ro", room)
        else:
            pages = sum(-(-len(content) // PAGE) for content in expected.made.values())
            pages += victim.streamed * -(-len(expected.output) // PAGE)
            taken = os.statvfs(room)
            used = taken.f_blocks - taken.f_bfree
            _mount(f"remount,size={(used + int(share * pages)) * PAGE}", room)
        command = command_of(victim, beside, work=room if share is not None else None)
        command = type(command)(**{**vars(command), "folder": str(room)})
        end = run(command, fresh=victim.anew)
        outs = [Path(command.out)]
        found = [*_refusal(victim, end), *in_the_middle(victim, expected, room, outs), *left_running(beside)]
        after = contents(room)
        found += [("lost", name) for name in before if name not in after]
        if share is None and after != before:
            found.append(("torn", "a read-only folder has changed"))
        _mount(f"remount,rw,size={ROOM}", room)
        command = type(command)(**{**vars(command), "out": str(beside / "out-1")})
        end = run(command, fresh=victim.anew)
        outs.append(Path(command.out))
        found += [*not_done(end), *in_the_end(victim, expected, room, outs), *left_running(beside)]
        return found


def _refusal(victim: Victim, end: End) -> Iterator[tuple[str, str]]:
    """What is wrong with how a command says that there is no room: a line, and no traceback."""
    *before, last = end.said.splitlines() or [""]
    if end.killed or end.code == 0:
        yield "no refusal", f"exit code {end.code}"
        return
    clear = bool(last) and "Traceback" not in end.said
    if victim.program == "stepwatt":
        clear &= last.startswith("stepwatt: ") and not any(line.startswith("stepwatt: ") for line in before)
    if not clear:
        yield "no clear line", " ".join(end.said.split())[-300:]


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(options: str, place: Path) -> None:
    subprocess.run(["mount", "-o", options, str(place)], check=True)


def _without_workers(
    victim: Victim, expected: Whole, beside: Path, rng: np.random.Generator, *, every: bool
) -> Found:
    """One death is made good; of many, what was hit says why, and the same command goes on."""
    work = beside / "work"
    lay(expected.given, work)
    killed: list[int] = []

    def watch(pid: int) -> None:
        wait = float(rng.uniform(0.0, 0.5))
        while (every or not killed) and not _is_over(pid):
            workers = [one for one in processes_of(beside) if one != pid and _is_worker(one)]
            for one in workers[: None if every else 1]:
                time.sleep(wait)
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
                    killed.append(one)
            time.sleep(0.01)

    command = command_of(victim, beside)
    end = run(command, fresh=True, watch=watch)
    found: Found = [] if killed else [("never killed", "no worker was seen")]
    if not every:
        found += [*not_done(end), *in_the_end(victim, expected, work, [])]
        return [*found, *left_running(beside)]
    if "Traceback" in end.said:
        found.append(("no clear line", " ".join(end.said.split())[-300:]))
    told = "".join(content.decode() for name, content in contents(work).items() if name not in expected.given)
    if end.code == 0 and "worker process died" not in told + end.said:
        found.append(("no clear line", "a success, though all workers died"))
    end = run(command, fresh=True)
    return [*found, *not_done(end), *in_the_end(victim, expected, work, []), *left_running(beside)]


def _is_over(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def _is_worker(pid: int) -> bool:
    try:
        return b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
