"""Inputs in a child process: no hang, no memory beyond bounds, no death goes unnoticed."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

#: Seconds that a tiny input may compute or sleep, and bytes that it may ask for.
LIMIT_SECONDS, LIMIT_BYTES = 20.0, 3 * 2**30


def guarded(
    work: Callable[[int], Any], numbers: Sequence[int], *, seconds: float = LIMIT_SECONDS
) -> Iterator[tuple[int, Any]]:
    """(number, answer) of each; where the child hangs or dies, ``{"died": how}``, and another goes on."""
    left = list(numbers)
    while left:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _in_child(work, left, writer)
        os.close(writer)
        died = None
        for answer in _told(reader, child, seconds):
            if answer is None:
                died = f"hangs for {seconds:g} s"
                os.kill(child, signal.SIGKILL)
                break
            yield left.pop(0), answer
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if died is None and os.WIFSIGNALED(status):
            died = f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
        if left:
            yield left.pop(0), {"died": died or f"ended with {os.waitstatus_to_exitcode(status)}"}


def _told(reader: int, child: int, seconds: float) -> Iterator[Any]:
    """What the child says, line by line; None where it is silent for too long.

    Waiting for a core of a busy machine is nobody's fault: a child that would run counts by what it computes.
    """
    rest, silent = b"", 0.0
    computed: float | None = None
    pause = min(0.5, seconds / 4)
    while True:
        ready, _, _ = select.select([reader], [], [], pause)
        if not ready:
            before, (computed, waits) = computed, _computed(child)
            silent += pause if before is None or not waits else computed - before
            if silent >= seconds:
                yield None
                return
            continue
        silent, computed = 0.0, None
        part = os.read(reader, 1 << 16)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        yield from map(json.loads, lines)


def _computed(child: int) -> tuple[float, bool]:
    """CPU seconds of a process, and whether any of its threads has a core or waits for one."""
    if sys.platform != "linux":
        return 0.0, False
    own = _stat(Path(f"/proc/{child}/stat"))
    threads = [_stat(thread) for thread in Path(f"/proc/{child}/task").glob("*/stat")]
    ticks = int(own[11]) + int(own[12]) if own else 0
    return ticks / os.sysconf("SC_CLK_TCK"), any(fields[:1] == ["R"] for fields in threads)


def _stat(path: Path) -> list[str]:
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return []


def _in_child(work: Callable[[int], Any], numbers: Sequence[int], writer: int) -> None:
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        _bound_memory()
        for number in numbers:
            os.write(writer, json.dumps(work(number)).encode() + b"\n")
        os._exit(0)
    except BaseException:
        os._exit(70)


def _bound_memory() -> None:
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + LIMIT_BYTES, hard))
