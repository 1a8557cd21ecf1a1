"""Moments at which a process dies: all over its life, at what it does to files, in the middle of one."""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: How moments are chosen, and how often each way: "process" is "time" in a process that imports all anew.
KINDS = {"time": 0.4, "file": 0.25, "byte": 0.25, "process": 0.1}

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = frozenset({"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate"})


@dataclass(frozen=True)
class Life:
    """An undisturbed run: CPU seconds, how often it touched its files, bytes of its largest one."""

    cpu_seconds: float
    touches: int
    largest: int


@dataclass(frozen=True)
class Moment:
    """``at`` counts CPU seconds (time, process), touches of files (file) or bytes of one (byte)."""

    kind: str
    at: float


def drawn(rng: np.random.Generator, life: Life) -> Moment:
    """A moment of that life."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    share = float(rng.random())
    if kind == "file":
        return Moment(kind, float(int(share * life.touches)))
    if kind == "byte":  # small files are torn as often as large ones
        return Moment(kind, float(int(math.exp(share * math.log(max(2, life.largest))))))
    return Moment(kind, share * life.cpu_seconds)


def arm(moment: Moment | None, folder: Path) -> Callable[[], int]:
    """In the process that is to die; tells how often files in ``folder`` were touched until now."""
    if moment is not None and moment.kind == "byte":
        # Python ignores what ends a process that writes beyond its limit
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(moment.at), int(moment.at)))
    stop = moment.at if moment is not None and moment.kind == "file" else math.inf
    place, seen = str(folder), 0

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event != "open" and event not in _CHANGES:
            return
        path = arguments[0]
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
            return
        if not isinstance(path, str | bytes) or not os.path.abspath(os.fsdecode(path)).startswith(place):
            return
        if seen >= stop:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    sys.addaudithook(touched)
    return lambda: seen


def kill_at(pid: int, seconds: float, limit: float = 120.0) -> None:
    """Kill -9 once the process has had so many CPU seconds; returns when it has ended by itself, too."""
    begun = time.monotonic()
    while (had := _cpu_seconds(pid)) is not None and had < seconds:
        if time.monotonic() - begun > limit:
            break
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)


def _cpu_seconds(pid: int) -> float | None:
    """Of all threads; None of a process that has ended, and only waits to be noticed."""
    total = 0.0
    try:
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return None
        for task in os.listdir(f"/proc/{pid}/task"):
            total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    except (OSError, IndexError):
        return None
    return total * 1e-9
