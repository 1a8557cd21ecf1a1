"""The doors of the tool: for each kind of file how it is changed, and what must come of reading it.

Rule: an InputError in one line, or something that works all the way to a schedule that ``evaluate`` accepts.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import stepwatt as sw
from stepwatt import data
from stepwatt.data.importers.quality_fit import fit_quality
from stepwatt.data.importers.registry import IMPORTERS, imported
from stepwatt.formulation import Instance, Schedule, evaluate, load, load_schedule
from stepwatt.solvers import METHODS, SolverError, solve

from . import inputs
from .bases import Bases, Drawn, training
from .mutations import Rng

#: What an instance that was accepted is solved with.
SOLVERS = ("greedy", "rolling", "random", "lp", "oracle", "foresight", "all-off")


def drawn(bases: Bases, rng: Rng, changes: int | None = None) -> Drawn:
    """An input; ``changes`` limits how many there are of those that were drawn."""
    names = list(KINDS)
    share = np.array([KINDS[name].share for name in names])
    kind = str(rng.choice(names, p=share / share.sum()))
    given = Drawn(kind)
    KINDS[kind].make(bases, rng, given, _count(rng, changes))
    return given


def used(bases: Bases, given: Drawn, folder: Path, rng: Rng) -> str:
    """What comes of an input, in a word."""
    return KINDS[given.kind].use(bases, folder, given, rng)


def _count(rng: Rng, most: int | None) -> int:
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    return count if most is None else min(count, most)


def _use_instance(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    inst = load(folder / "instance.json")
    method = SOLVERS[rng.integers(len(SOLVERS))]
    try:
        result = solve(inst, method, gap=1e-2, time_limit=3.0, seed=int(rng.integers(9)))
    except SolverError:
        return f"solver error ({method})"
    if result.schedule is None:
        return f"{result.status} ({method})"
    again = load_again(inst, result.schedule, folder)
    judged = evaluate(inst, again)
    told = f"{method}: {result.utility}, from its file {judged.utility}"
    assert math.isclose(judged.utility, result.utility, rel_tol=1e-12, abs_tol=1e-12), told  # sums round
    _finite(judged)
    if judged.broken and METHODS[method].kind != "bound":
        # the command tells it and ends with 1; of numbers that somebody could mean it must not happen
        assert _absurd(json.loads((folder / "instance.json").read_bytes())), (
            f"{method} breaks {judged.broken}"
        )
        return f"told as broken ({method})"
    if result.bound is not None and judged.feasible:
        over = judged.utility - result.bound
        most = max(abs(v) for v in judged.breakdown.values())
        assert over <= 1e-5 * most + 1e-9, f"{method} has {judged.utility}, bound {result.bound}"
    return "solved"


def _absurd(node: Any) -> bool:
    """Whether there are numbers that nobody can mean, of a size at which doubles have no room for digits."""
    if isinstance(node, dict | list):
        return any(map(_absurd, node.values() if isinstance(node, dict) else node))
    return isinstance(node, int | float) and not (node == 0 or 1e-9 <= abs(node) <= 1e8)


def load_again(inst: Instance, schedule: Schedule, folder: Path) -> Schedule:
    """The schedule as its file has it."""
    schedule.save(inst, folder / "schedule.json")
    return load_schedule(inst, folder / "schedule.json")


def _finite(judged: Any) -> None:
    numbers = [
        judged.utility,
        *judged.breakdown.values(),
        *judged.metrics.values(),
        *judged.violations.values(),
    ]
    assert np.isfinite(numbers).all(), f"numbers that are not finite: {numbers}"


def _use_schedule(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    inst = Instance.from_dict(bases.instance)
    judged = evaluate(inst, load_schedule(inst, folder / "schedule.json"))
    _finite(judged)
    return "feasible" if judged.feasible else "infeasible"


def _use_comparison(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    compared = sw.Comparison.load(folder / "comparison.json")
    compared.to_markdown(), compared.to_latex(), compared.results, compared.statistics
    if rng.random() < 0.1:
        compared.to_html(folder / "page.html")
    return "read"


def _use_stream(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.streaming import Run, run_stream

    inst = Instance.from_dict(bases.instance)
    state = folder / "state.json" if "state.json" in given.files else None
    path = folder / "slots.jsonl"
    if not path.exists():
        path.write_text("".join(json.dumps(line) + "\n" for line in bases.lines), encoding="utf-8")
    with contextlib.closing(Run(sw.foresight(), inst, state)) as run, path.open(encoding="utf-8") as lines:
        for decision in run_stream(run, lines):
            text = json.dumps(decision, allow_nan=False)
            assert text
    return "ran"


def _use_points(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    steps, quality = imported(folder / next(iter(given.files)), "quality-points", "points")
    for fit in fit_quality(steps, quality):
        assert np.isfinite([fit.rmse, *fit.parameters.values()]).all(), f"{fit}"
    return "fitted"


def _use_series(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    path = folder / next(iter(given.files))
    doors = _doors()
    name = sorted(doors)[rng.integers(len(doors))]
    read = doors[name](path)
    if name != "series":
        if isinstance(read, pd.Series | pd.DataFrame):
            assert len(read), "nothing at all was read"
            assert np.isfinite(read.select_dtypes("number") if read.ndim > 1 else read).all(axis=None)
        return f"read ({name})"
    zones = sorted(read.index.unique("zone"))
    first = read.loc[zones[0]].index[0]
    inst = sw.scenario(
        "jemas", start=first.isoformat(), zones=zones[:2], n_slots=2, slot_minutes=30, series=read
    )
    result = solve(inst, "greedy")
    assert result.evaluation is None or result.evaluation.feasible
    return "planned"


def _doors() -> dict[str, Callable[[Path], Any]]:
    """What reads tables: importers that take a file, and ``read_...`` of the package's data."""
    found: dict[str, Callable[[Path], Any]] = {
        name: one.read for name, one in IMPORTERS.items() if one.gives == "series"
    }
    return found | {name: getattr(data, name) for name in data.__all__ if name.startswith("read_")}


def _use_toml(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learning.training.plan import read_plan

    read_plan(folder / "config.toml")
    return "read"


def _use_words(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learning.training.plan import read_plan

    read_plan(None, given.words)
    return "read"


def _use_policy(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learned import load_policy

    with _nothing_runs(folder):
        policy = load_policy(folder / "policy.npz")
        inst = sw.scenario("jemas", start="2018-06-12T06:00", n_slots=2, slot_minutes=30)
        schedule = policy.schedule(inst)
    assert evaluate(inst, schedule).feasible
    return "played"


def _use_checkpoint(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.learning.training.loop import train_agent

    settings, env = training()
    with _nothing_runs(folder):
        train_agent(env, settings, folder=folder, resume=True)
    return "resumed"


@contextlib.contextmanager
def _nothing_runs(folder: Path) -> Any:
    with contextlib.chdir(folder):
        try:
            yield
        finally:
            if (folder / "executed").exists():
                raise AssertionError("code in the file was executed")


def _use_command(bases: Bases, folder: Path, given: Drawn, rng: Rng) -> str:
    from stepwatt.cli import run

    place = folder / "instance.json"
    commands = (
        ["evaluate", str(place), str(place)],
        ["solve", str(place), "--method", "greedy", "--out", str(folder / "result.json")],
        ["export", str(place), "--out", str(folder / "model.mps")],
        ["compare", str(place), "--policy", "greedy", "--bound", "lp", "--out", str(folder / "table.md")],
        ["explain", str(place)],
        ["scenario", "jemas", "--slots", "2", "--out", str(folder / "made.json"), "--set", *given.words[:1]],
    )
    code = run(list(commands[rng.integers(len(commands))]))
    assert code in (0, 1, 2), f"exit code {code}"
    return f"exit {code}"


@dataclass(frozen=True)
class Kind:
    """How inputs of a kind are made and used, and their share of all."""

    share: float
    make: Callable[[Bases, Rng, Drawn, int], None]
    use: Callable[[Bases, Path, Drawn, Rng], str]


KINDS: dict[str, Kind] = {
    "instance": Kind(38, inputs.json_file("instance.json", inputs.any_instance), _use_instance),
    "schedule": Kind(10, inputs.json_file("schedule.json", lambda b, _: b.schedule), _use_schedule),
    "result": Kind(5, inputs.json_file("schedule.json", lambda b, _: b.result), _use_schedule),
    "comparison": Kind(4, inputs.json_file("comparison.json", lambda b, _: b.comparison), _use_comparison),
    "slot lines": Kind(8, inputs.lines_file, _use_stream),
    "state": Kind(8, inputs.state_file, _use_stream),
    "quality points": Kind(1.5, inputs.table("points", inputs.points), _use_points),
    "series": Kind(8, inputs.table("series", inputs.any_series), _use_series),
    "TOML": Kind(4, inputs.toml_file, _use_toml),
    "words": Kind(4, inputs.words, _use_words),
    "policy": Kind(3, inputs.policy_file, _use_policy),
    "checkpoint": Kind(1, inputs.checkpoint_file, _use_checkpoint),
    "command": Kind(3, inputs.command, _use_command),
}
