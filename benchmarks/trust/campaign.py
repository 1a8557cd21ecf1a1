"""Many items tried, each kept as it comes: the same command goes on where it was.

What was found clean stays; what was not is tried again, so that a mend shows.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from stepwatt.formulation.files import make_folder, write_text
from stepwatt.solvers.many import Many

Row = dict[str, Any]


def campaign(
    kind: str, work: Callable[[int], Row], items: int, folder: Path, *, workers: int = 1, again: bool = False
) -> list[Row]:
    """The rows of items 0 .. ``items`` - 1; those of ``work`` have ``findings`` where something is wrong."""
    make_folder(folder)
    rows = {number: row for number in range(items) if (row := _kept(folder, number)) is not None}
    done = {number for number, row in rows.items() if not again and not row["findings"]}
    left = [number for number in range(items) if number not in done]
    begun, told = time.monotonic(), 0.0
    for count, (place, answer) in enumerate(Many(partial(_tried, work), workers).run(left), 1):
        number = left[place]
        row = answer if isinstance(answer, dict) else {"findings": [str(answer)]}
        rows[number] = row
        write_text(folder / f"{number:06d}.json", json.dumps(row) + "\n")
        for finding in row["findings"]:
            print(f"{kind} {number}: {_line(finding)}", flush=True)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"{len(done) + count} of {items}, {told - begun:.0f} s", flush=True)
    return [rows[number] for number in sorted(rows)]


def _tried(work: Callable[[int], Row], number: int) -> Row:
    begun = _cpu()
    row = work(number)
    return {"findings": [], **row, "cpu_seconds": round(_cpu() - begun, 3)}


def _cpu() -> float:
    """Seconds of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _kept(folder: Path, number: int) -> Row | None:
    try:
        row = json.loads((folder / f"{number:06d}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) else None


def _line(finding: Any) -> str:
    text = finding if isinstance(finding, str) else f"{finding.get('check')}: {finding.get('found')}"
    return " ".join(text.split())[:300]


def summary(title: str, command: str, rows: list[Row], counted: str) -> Iterator[str]:
    """Lines of Markdown: how many, in what time, on what machine, what was found."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row.get(counted, {}))
    broken = [row for row in rows if row["findings"]]
    total = sum(row.get("inputs", 1) for row in rows)
    yield f"## {title}"
    yield ""
    yield f"`{command}`: {total:,} in {sum(row['cpu_seconds'] for row in rows):,.0f} CPU s,"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    yield f"{date.today().isoformat()}, {_code()}, {machine}."
    yield ""
    yield f"With something unexplained: {sum(len(row['findings']) for row in broken):,}."
    yield ""
    yield f"| {counted} | count |"
    yield "|---|---:|"
    yield from (f"| {name} | {count:,} |" for name, count in sorted(counts.items()))


def _code() -> str:
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return f"code {done.stdout.strip() or 'unknown'}"
