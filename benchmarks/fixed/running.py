"""Items by group, each group in a process of its own on one thread; an item that fails tells its error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

from .differences import ERROR

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("data", "solving", "planning", "comparing", "training", "trading", "commands", "studies")
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR", "VECLIB")
} | {"POLARS_MAX_THREADS": "1", "COLUMNS": "200", "TERM": "dumb"}

#: Name of an item → how to make its value, which JSON can hold.
Items = Mapping[str, Callable[[], Any]]


def items_of(group: str) -> Items:
    """The items of a group."""
    found: Items = import_module(f"{__package__}.{group}").ITEMS
    return found


def chosen(pattern: str) -> dict[str, list[str]]:
    """Names of items by group: those that a pattern such as ``solving/*/oracle`` or a part of it names."""
    found = {}
    for group in GROUPS:
        names = [f"{group}/{name}" for name in items_of(group)]
        found[group] = [name for name in names if meant(name, pattern)]
    return {group: names for group, names in found.items() if names}


def meant(name: str, pattern: str) -> bool:
    """Whether a pattern is for this item."""
    return pattern in name or fnmatch(name, pattern)


def run(wanted: Mapping[str, list[str]], say: Callable[[str], None]) -> dict[str, Any]:
    """Values by name."""
    found: dict[str, Any] = {}
    for group, names in wanted.items():
        with tempfile.TemporaryDirectory() as folder:
            answers = Path(folder) / "answers.jsonl"
            command = [sys.executable, "-m", __name__, group, str(answers), *names]
            done = subprocess.run(
                command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False
            )
            lines = answers.read_text(encoding="utf-8").splitlines() if answers.exists() else []
            told = [json.loads(line) for line in lines]
            made = {name: value for name, value, _ in told}
            slowest = max(told, key=lambda one: one[2], default=["nothing", None, 0.0])
            last = (done.stderr.strip() or "no word").splitlines()[-1]
            for name in names:
                found[name] = made.get(name, f"{ERROR}the process ended with {done.returncode}: {last}")
        spent = sum(seconds for _, _, seconds in told)
        say(f"{group}: {len(names)} items, {spent:.0f} CPU s, {slowest[2]:.0f} of them {slowest[0]}")
    return found


def main(group: str, file: str, names: Iterable[str]) -> None:
    """One group in this process: a JSON line of name, value and CPU seconds for each item once it is made."""
    items = items_of(group)
    with open(file, "a", encoding="utf-8") as answers:
        for name in names:
            begun = _cpu()
            try:
                value = items[name.removeprefix(f"{group}/")]()
            except Exception as why:
                value = f"{ERROR}{type(why).__name__}: {why}"
            answers.write(json.dumps([name, value, _cpu() - begun]) + "\n")
            answers.flush()


def _cpu() -> float:
    """Seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
