"""The command line, as a stranger calls it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import stepwatt as sw

from .comparing import page
from .digests import plain, short, whole
from .instances import half_hours, instance, too_hot
from .running import Items
from .training import SMALL, saved

GAP = ("--gap", "1e-3", "--time-limit", "100000")


def stepwatt(folder: Path, *words: str, code: int = 0) -> str:
    """What a command prints; an error where its exit code is another one."""
    command = [sys.executable, "-m", "stepwatt", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise RuntimeError(f"stepwatt {words[0]} ended with {done.returncode}: {done.stderr[-300:]}")
    return done.stdout


def told(folder: Path, *words: str, code: int = 0) -> Any:
    """What a command prints as JSON."""
    return plain(json.loads(stepwatt(folder, *words, "--json", code=code)))


def read(folder: Path, name: str) -> str:
    """A file that a command has written."""
    return (folder / name).read_text(encoding="utf-8")


def _scenario(folder: Path) -> Any:
    words = (
        "scenario jemas --start 2018-02-01T03:00 --zones NL,AT --slots 8 --slot-minutes 15 --seed 2 --fluid"
    )
    found = told(folder, *words.split(), "--set", "gpus=128", "--out", "made.json")
    return {"told": short(found), "file": whole(json.loads(read(folder, "made.json")))}


def _solve(folder: Path) -> Any:
    instance("half-hours").save(folder / "day.json")
    files = ("--out", "result.json", "--prices", "prices.csv")
    found = told(folder, "solve", "day.json", "--method", "oracle", *GAP, *files)
    return {
        "told": whole(found),
        "file": whole(json.loads(read(folder, "result.json"))),
        "prices": whole(read(folder, "prices.csv")),
        "judged": whole(told(folder, "evaluate", "day.json", "result.json")),
        "judged, in words": whole(stepwatt(folder, "evaluate", "day.json", "result.json")),
    }


def _broken(folder: Path) -> Any:
    """A schedule that breaks constraints."""
    inst = instance("example-5")
    inst.save(folder / "day.json")
    found = told(folder, "solve", "day.json", "--method", "lp", "--out", "result.json")
    judged = told(folder, "evaluate", "day.json", "result.json", code=1)
    return {"told": whole(found), "judged": whole(judged)}


def _infeasible(folder: Path) -> Any:
    too_hot().save(folder / "hot.json")
    return {
        "solve": whole(told(folder, "solve", "hot.json", code=1)),
        "explain": whole(told(folder, "explain", "hot.json", code=1)),
        "in words": whole(stepwatt(folder, "explain", "hot.json", code=1)),
    }


def _compare(folder: Path) -> Any:
    instance("example-5").save(folder / "day.json")
    told(folder, "solve", "day.json", *GAP, "--out", "mine.json")
    policies = ("oracle", "rolling:perfect", "foresight:perfect", "mine=mine.json", "all-off")
    words = [word for policy in policies for word in ("--policy", policy)]
    files = ("--out", "comparison.json", "--out", "page.html")
    found = told(folder, "compare", "day.json", *words, *GAP, *files)
    told(folder, "report", "day.json", "mine.json", "--bound", "lp", "--out", "report.html")
    first, second = (page(read(folder, name))["figures"] for name in ("page.html", "report.html"))
    return {
        "told": whole(found),
        "file": whole(json.loads(read(folder, "comparison.json"))),
        "figures": first,
        "figures of the report": second,
    }


def _exported(folder: Path, form: str) -> Any:
    instance("example-5").save(folder / "day.json")
    found = told(folder, "export", "day.json", "--format", form, "--out", f"model.{form}")
    return {"told": short(found), "file": whole(read(folder, f"model.{form}"))}


def _quality(folder: Path) -> Any:
    steps = np.array([4, 6, 10, 14, 20, 28, 36, 50])
    quality = 0.9 - 0.7 * np.exp(-0.11 * steps) + 0.01 * np.sin(steps)
    rows = [f"{step},{value!r}" for step, value in zip(steps.tolist(), quality.tolist(), strict=True)]
    (folder / "points.csv").write_text("\n".join(["steps,quality", *rows]) + "\n", encoding="utf-8")
    return {
        "told": short(told(folder, "quality", "fit", "points.csv")),
        "in words": whole(stepwatt(folder, "quality", "fit", "points.csv", "--worst", "0", "--best", "1.5")),
    }


def _run(folder: Path) -> Any:
    """Foresight slot by slot, stopped after some and gone on with."""
    inst = half_hours("2018-06-12T06:00", n_slots=16)
    _written(folder, inst)
    words = ("run", "foresight", "day.json", "--state", "state.json", "--slots")
    first, rest = (stepwatt(folder, *words, name).splitlines() for name in ("few.jsonl", "slots.jsonl"))
    decisions = [json.loads(line) for line in (*first, *rest)]
    return {
        "slots": [len(first), len(rest)],
        "utility": decisions[-1]["utility_so_far"],
        "decisions": whole(decisions),
        "state": whole(json.loads(read(folder, "state.json"))),
    }


def _train_and_run(folder: Path) -> Any:
    words = ("--algo", "sac", "--shaping", "none", "--seed", "4", "--out", "trained")
    found = told(folder, "train", *words, *SMALL, "family.slot_minutes=30", "env_steps=128")
    inst = half_hours("2018-06-12T06:00", n_slots=6)
    _written(folder, inst)
    lines = stepwatt(folder, "run", "trained", "day.json", "--slots", "slots.jsonl").splitlines()
    decisions = [json.loads(line) for line in lines]
    return {
        "told": whole(found),
        "network": saved(folder / "trained" / "policy.npz"),
        "utility": decisions[-1]["utility_so_far"],
        "decisions": whole(decisions),
    }


def _written(folder: Path, inst: sw.Instance) -> None:
    """The instance, and what its slots bring: somewhat more than expected, at other prices."""
    inst.save(folder / "day.json")
    lines = []
    for t in range(inst.n_slots):
        jobs = {
            site: {name: inst.arrivals[site][name][t] + 3 for name in inst.classes} for site in inst.sites
        }
        prices = {name: site.grid.import_price[t] + 5.0 for name, site in inst.sites.items()}
        lines.append(json.dumps({"slot": t, "arrivals": jobs, "import_price": prices}))
    for name, count in (("few.jsonl", 5), ("slots.jsonl", len(lines))):
        (folder / name).write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")


def _in_folder(work: Callable[[Path], Any]) -> Callable[[], Any]:
    def made() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            return work(Path(folder))

    return made


ITEMS: Items = {
    "scenario": _in_folder(_scenario),
    "solve and evaluate": _in_folder(_solve),
    "evaluate what is broken": _in_folder(_broken),
    "solve and explain what is infeasible": _in_folder(_infeasible),
    "compare and report": _in_folder(_compare),
    "export mps": _in_folder(lambda folder: _exported(folder, "mps")),
    "export lp": _in_folder(lambda folder: _exported(folder, "lp")),
    "quality fit": _in_folder(_quality),
    "run foresight": _in_folder(_run),
    "train and run": _in_folder(_train_and_run),
}
