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
from functools import cache, partial
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
    return {"findings": [], **row, "cpu_seconds": round(_cpu() - begun, 3), "code": _code()}


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


def summary(command: str, rows: list[Row]) -> Iterator[str]:
    """Lines of Markdown: how many, in what time, on what machine, what was found, and counts by name."""
    total = sum(row.get("inputs", 1) for row in rows)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    spent = sum(row["cpu_seconds"] for row in rows)
    codes = ", ".join(dict.fromkeys(row.get("code", "unknown") for row in rows))
    yield f"`{command}`: {total:,} in {spent:,.0f} CPU s ({spent / max(1, total):.2g} s each)"
    yield f"on {machine}; {date.today().isoformat()}, code {codes}."
    yield ""
    yield f"With something unexplained: {sum(len(row['findings']) for row in rows):,}."
    for counted in ("features", "members", "outcomes", "conditions"):
        counts: Counter[str] = Counter()
        for row in rows:
            counts.update(row.get(counted, {}))
        if counts:
            yield from ("", f"| {counted} | count |", "|---|---:|")
            yield from (f"| {name} | {count:,} |" for name, count in sorted(counts.items()))
    yield from _differences(rows)


def _differences(rows: list[Row]) -> Iterator[str]:
    """What was held against what, how often, and the largest difference as a share of what is at stake."""
    pairs: dict[str, tuple[int, float]] = {}
    for row in rows:
        for pair, (count, largest) in row.get("compared", {}).items():
            times, most = pairs.get(pair, (0, 0.0))
            pairs[pair] = times + count, max(most, largest)
    if pairs:
        yield from ("", "| held against each other | times | largest difference |", "|---|---:|---:|")
        yield from (f"| {name} | {times:,} | {most:.1e} |" for name, (times, most) in sorted(pairs.items()))


def write_section(path: Path, name: str, lines: list[str]) -> None:
    """Put lines between the marks of a page that has them."""
    begin, end = (f"<!-- {name}: {mark} -->" for mark in ("begin", "end"))
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    write_text(path, "\n".join([before + begin, *lines, end + after]))


@cache
def _code() -> str:
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
