"""Cells in turn, each in a fresh process; results are appended as they come, so that runs can resume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .cases import Case

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "NUMEXPR_MAX_THREADS": "1",
}

Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One measurement: a kind with its options, the case it runs on, and which repetition it is.

    ``limit`` is the time limit handed to the solver; a process is ended when it takes far longer.
    """

    part: str
    kind: str
    case: Case | None
    options: dict[str, Any] = field(default_factory=dict)
    repetition: int = 0
    limit: float = 600.0

    @property
    def key(self) -> str:
        """What makes the cell the same cell in a later run."""
        return json.dumps({k: v for k, v in asdict(self).items() if k != "limit"}, sort_keys=True)

    @property
    def title(self) -> str:
        """For the progress line."""
        name = "" if self.case is None else self.case.name
        what = " ".join(str(value) for value in self.options.values())
        return f"{self.part} {name} {what} #{self.repetition}"

    @property
    def kill_after(self) -> float:
        """Seconds after which the process is ended: HiGHS honours its limit late inside sub-MIPs."""
        return 2 * self.limit + 120


def load_records(path: Path) -> dict[str, Record]:
    """Records by the key of their cell, the latest of each; a torn last line is dropped."""
    records: dict[str, Record] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            records[record["key"]] = record
    return records


def run_cells(
    cells: Sequence[Cell],
    path: Path,
    *,
    wanted: Callable[[Cell, dict[str, Record]], bool] = lambda cell, records: True,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Record]:
    """Measure the cells that ``path`` has no record of and that are ``wanted``; all records, old and new.

    Failed cells are tried again by the next run.
    """
    records = load_records(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(cells, 1):
        old = records.get(cell.key)
        if (old and old["status"] != "failed") or not wanted(cell, records):
            continue
        record = _run(cell)
        records[cell.key] = record
        _append(path, json.dumps(record))
        say(f"[{number}/{len(cells)}] {cell.title}: {record['status']}, {record['wall']:.1f} s")
    return records


def _append(path: Path, line: str) -> None:
    """A line of its own, also after one that a kill has cut."""
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        ended = file.read() in (b"", b"\n")
        file.write(f"{'' if ended else chr(10)}{line}\n".encode())


def _run(cell: Cell) -> Record:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.cell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
    )
    tree = _Tree(process.pid)
    tree.start()
    question = {"kind": cell.kind, "options": cell.options, "case": asdict(cell.case) if cell.case else None}
    answer: Record = {"values": None}
    try:
        out, err = process.communicate(json.dumps(question), timeout=cell.kill_after)
        status = "ok" if process.returncode == 0 else "failed"
        if status == "ok":
            answer = json.loads(out.splitlines()[-1])
        else:
            print(err, file=sys.stderr)
            answer["error"] = last_words(err)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        status = "ended"
    except BaseException:
        process.kill()
        process.communicate()
        raise
    finally:
        tree.done.set()
        tree.join()
    wall = time.perf_counter() - begun
    return {
        "key": cell.key,
        **asdict(cell),
        "status": status,
        "wall": wall,
        **answer,
        "peak_mb": max(answer.get("peak_mb", 0.0), tree.peak_mb),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
    }


def last_words(err: str) -> str:
    """What a traceback ends with, without where on this machine it was: records are for readers elsewhere."""
    lines = err.strip().splitlines() or ["nothing was said"]
    return lines[-1].replace(f"{ROOT}{os.sep}", "").replace(str(Path.home()), "~")


class _Tree(threading.Thread):
    """Watches the resident size of a process and its descendants together."""

    def __init__(self, pid: int, every: float = 0.2) -> None:
        super().__init__(daemon=True)
        self.pid, self.every, self.peak_mb, self.done = pid, every, 0.0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(self.every):
            self.peak_mb = max(self.peak_mb, sum(_resident_mb(pid) for pid in _family(self.pid)))


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                members += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return members


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def commit() -> str:
    """The commit of the checkout, with ``+`` when tracked files differ from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
