"""A quick cell of each benchmark, run in a copy of the folder that knows no results yet."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .digests import short
from .running import ROOT, Items
from .training import saved

#: What cells say of time and place.
PASSING = frozenset(
    {"about", "answer_1", "answer_64", "central_seconds", "cloning_cpu_seconds", "code", "date", "made"}
    | {"plan", "seconds_1", "seconds_64", "spent"}
)


def _copy(folder: Path) -> None:
    """Benchmarks and examples as a repository of their own, since cells name the commit they ran at."""
    left = shutil.ignore_patterns("results", "__pycache__", ".cache", "fixed")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=left)
    shutil.copytree(ROOT / "tests" / "examples", folder / "tests" / "examples")
    who = ("-c", "user.name=fixed", "-c", "user.email=fixed@localhost")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "copy")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def _left_by(*commands: str) -> dict[str, Any]:
    """What cells have written, by folder and name, once the commands are through."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy(folder)
        before = set(folder.rglob("*"))
        for words in commands:
            command = [sys.executable, "-m", *shlex.split(words)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr[-300:]}")
        files = sorted(file for file in set(folder.rglob("*")) - before if _holds_results(file))
        return {f"{file.parent.name}/{file.name}": _read(file) for file in files}


def _holds_results(file: Path) -> bool:
    return file.suffix in (".json", ".jsonl", ".npz") and file.name != "summary.json"


def _read(file: Path) -> Any:
    if file.suffix == ".npz":
        return saved(file)
    if file.suffix == ".jsonl":
        return [_measured(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    return short(_kept(json.loads(file.read_text(encoding="utf-8"))))


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _kept(inner) for name, inner in value.items() if name not in PASSING}
    return [_kept(inner) for inner in value] if isinstance(value, list) else value


def _measured(record: dict[str, Any]) -> Any:
    """Of a cell of the solvers, what is no time: of windows, the objectives of both models."""
    values = record["values"]
    told: dict[str, Any] = {name: values[name] for name in ("difference", "nonzeros") if name in values}
    if "windows" in values:
        told["objectives"] = short([window[:2] for window in values["windows"]])
    return {"kind": record["kind"], "status": record["status"], **told}


def _of(*commands: str) -> Callable[[], Any]:
    return lambda: _left_by(*commands)


ITEMS: Items = {
    "distributed": _of("benchmarks.distributed --only example-0"),
    "hybrid, cloned": _of('benchmarks.hybrid --quick --only "unseen months, direct cloned"'),
    "hybrid, foresight": _of('benchmarks.hybrid --quick --only "unseen months, foresight persistence"'),
    "fine-tuning, evolved": _of('benchmarks.hybrid.finetuning --quick --only "foresight, es"'),
    "learning": _of(
        "benchmarks.learning.convergence --quick --seeds 1 --cells sac-none",
        "benchmarks.learning.methods --quick --seeds 1 --cells cloned-refined",
    ),
    "solvers": _of("benchmarks.solvers --profile tiny --part build,rolling --out measured"),
}
