"""The command: ``python -m benchmarks.fixed --out FILE`` writes the fixed set of results, ``--against FILE``
tells what has changed since then.

``--only PATTERN`` takes the items of that name, ``--list`` names them, ``--tolerance`` is what numbers may
differ by, relative to their size (0: by no bit). Exit code 1 where anything differs by more, or fails.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..telling import told
from .differences import MISSING, Difference, differences
from .running import ROOT, chosen, meant, run

LIBRARIES = ("numpy", "scipy", "pandas", "highspy", "clarabel", "pyomo", "torch", "llvmlite")
#: Characters of a value that a line shows.
SHOWN = 60


def about() -> dict[str, Any]:
    """Where, when and of what: bits are the same only on such a machine, with such libraries."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "date": dt.date.today().isoformat(),
        "machine": f"{_processor()}, {platform.system()}, Python {platform.python_version()}",
        "libraries": {name: version(name) for name in LIBRARIES},
        "commit": commit,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")


def write(found: Mapping[str, Any], file: Path) -> None:
    """An item a line, so that git tells which have changed."""
    lines = [f'"about": {json.dumps(about())}', '"items": {']
    items = [
        f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in found.items()
    ]
    file.write_text(
        "{" + ",\n".join([lines[0], lines[1] + "\n" + ",\n".join(items)]) + "\n}}\n", encoding="utf-8"
    )


def differing(
    kept: Mapping[str, Any], found: Mapping[str, Any], tolerance: float
) -> dict[str, list[Difference]]:
    """What differs by more than the tolerance, by item, the largest difference first."""
    told = {
        name: [
            one
            for one in differences(kept.get(name, MISSING), found.get(name, MISSING))
            if one.amount > tolerance
        ]
        for name in dict.fromkeys([*kept, *found])
    }
    return {name: sorted(all_, key=lambda one: -one.amount) for name, all_ in told.items() if all_}


def line(name: str, apart: Sequence[Difference]) -> str:
    """One item that differs."""
    worst = apart[0]
    places = f" and {len(apart) - 1} more" if len(apart) > 1 else ""
    kept, found = (json.dumps(value)[:SHOWN] for value in (worst.kept, worst.found))
    return f"{name}: {worst.amount:.3g} in {worst.place or 'all'}{places}: {kept} -> {found}"


def main(words: Sequence[str] | None = None) -> int:
    """The command's exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fixed", description=__doc__)
    parser.add_argument("--out", type=Path, help="file to write")
    parser.add_argument("--against", type=Path, help="file to compare with")
    parser.add_argument("--tolerance", type=float, default=0.0, help="relative difference that is allowed")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only items of this name")
    parser.add_argument("--list", action="store_true", help="name the items and end")
    asked = parser.parse_args(words)
    wanted = chosen(asked.only)
    if not any(wanted.values()):
        parser.error(f"--only {asked.only!r} names no item; --list names them")
    if asked.list:
        print("\n".join(name for names in wanted.values() for name in names))
        return 0
    kept: dict[str, Any] | None = None
    if asked.against:
        every = json.loads(asked.against.read_text(encoding="utf-8"))["items"]
        kept = {name: value for name, value in every.items() if meant(name, asked.only)}
    found = run(wanted, lambda text: print(text, file=sys.stderr, flush=True))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(found)} items, {used.ru_utime + used.ru_stime:.0f} CPU seconds", file=sys.stderr)
    if asked.out:
        write(found, asked.out)
    apart = differing(found if kept is None else kept, found, asked.tolerance)
    for name, differs in apart.items():
        print(line(name, differs))
    if kept is not None:
        count = len(kept | found)
        print(f"{count - len(apart)} of {count} items as before")
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(told(main))
