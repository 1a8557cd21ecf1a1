"""What the studies share: cells that are trained once, judged alike and kept; where and when it was done."""

from __future__ import annotations

import argparse
import datetime as dt
import fnmatch
import hashlib
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stepwatt.formulation.files import replacing, write_text
from stepwatt.formulation.manifest import made
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.networks.policy import Policy
from stepwatt.learning.training.judge import Judge
from stepwatt.learning.training.loop import train_agent
from stepwatt.learning.training.plan import TrainingPlan, WarmStart
from stepwatt.learning.training.preparation import Ready, prepare
from stepwatt.learning.training.settings import TrainingSettings
from stepwatt.solvers.many import Many, WorkerDied, in_order

from .days import CACHE, Days, Spread, cuts, days
from .exact_value import exact_value

RESULTS = Path(__file__).parent / "results"
QUICK_RESULTS = Path("runs") / "learning-quick"

#: Rewards are multiplied by this; weights of shapers that are sums of money are meant before it.
REWARD_SCALE = 10.0
#: Draws of its forecast under which every demonstrated day is seen.
CLONED_FORECASTS = 5

#: A clone of prices, as words of ``stepwatt train``.
PRICED_CLONE: Mapping[str, Any] = {
    "algo": "sac",
    "shaper": "none",
    "env_steps": 0,
    "agent.hidden": [96, 96],
    "task.codec": "priced",
    "task.reward": "dense",
    "warm_start.kind": "clone",
}

Metrics = dict[str, np.ndarray[Any, Any]]
Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training of several seeds side by side: all that its numbers depend on."""

    name: str
    training: Mapping[str, Any]
    """Settings of the training, as in a TOML file."""
    task: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the task."""
    spread: Spread = field(default_factory=Spread)
    cloning_updates: int = 0
    """Updates of behaviour cloning before the training; 0 starts from nothing."""
    refining_updates: int = 0
    """Updates along the gradient through the plant that follow the cloning."""
    train: bool = True
    """False keeps the warm start as it is."""
    exact: bool = False
    """Whether the solver's potential is the value of every state, solved anew, instead of linear prices."""
    judged_on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further test days by name, as parameters of the scenario."""

    def described(self) -> Record:
        """Plain values, by which a kept result is recognised as this cell's."""
        plan = {
            "training": dict(self.training),
            "task": dict(self.task),
            "days": {**self.spread.__dict__, "parameters": dict(self.spread.parameters)},
            "cloning_updates": self.cloning_updates,
            "train": self.train,
            "judged_on": {name: dict(values) for name, values in self.judged_on.items()},
        }
        if self.exact:
            plan["exact"] = True
        if self.refining_updates:
            plan["refining_updates"] = self.refining_updates
        described: Record = json.loads(json.dumps(plan))
        return described


class Gaps:
    """Runs the deterministic policies of S runs on the days of a split, side by side."""

    def __init__(self, found: Days, task: TaskSettings, runs: int):
        self.found, self.judge = found, Judge(found.instances, task, runs)

    def by_day(self, policy: Callable[[Tensor], Tensor]) -> Metrics:
        """(S,N) gap, captured share, share of jobs missed, share of slots that met their goal."""
        seen = {name: values.numpy() for name, values in self.judge.by_day(policy).items()}
        utility = seen["utility"].astype(float)
        return {
            "gap": self.found.gap(utility),
            "captured": self.found.captured(utility),
            "miss": seen["miss_rate"],
            "paid": seen["paid_share"],
        }

    def __call__(self, policy: Policy) -> dict[str, Tensor]:
        """(S,) means over the days."""
        return {name: torch.from_numpy(values.mean(1)) for name, values in self.by_day(policy).items()}


def plan_of(cell: Cell) -> TrainingPlan:
    """The cell as a plan of the package, on the training days of its spread."""
    start = WarmStart()
    if cell.cloning_updates:
        start = WarmStart(
            kind="clone",
            updates=cell.cloning_updates,
            forecasts=CLONED_FORECASTS,
            refining=cell.refining_updates,
        )
    return TrainingPlan(
        family=cell.spread.family("train"),
        task=TaskSettings.read({"reward": "sparse", "reward_scale": REWARD_SCALE, **cell.task}),
        warm_start=start,
        training=TrainingSettings.read(cell.training),
    )


def set_up(cell: Cell) -> tuple[TrainingPlan, Ready]:
    """The plan of a cell, and environment, agent (cloned where the cell says so) and shaper."""
    plan, found = plan_of(cell), days(cell.spread, "train")
    loads = plan.training.shaping.get("loads", ())
    potential = cuts(cell.spread, loads) if loads else found.potential
    if cell.exact:
        potential = exact_value(found.instances)
    return plan, prepare(plan, found.instances, schedules=found.schedules, potential=potential)


def train_cell(cell: Cell) -> Record:
    """Train a cell and judge it: curves on validation days, the last policy on test days."""
    plan, made = set_up(cell)
    settings, runs = plan.training, len(plan.training.seeds)
    judge = Gaps(days(cell.spread, "validation"), plan.task, runs)
    if cell.train:
        outcome = train_agent(
            made.env,
            settings,
            agent=made.agent,
            shaper=made.shaper,
            demonstrations=made.demonstrations if _guided(settings) else None,
            evaluate=judge,
        )
        records = outcome.evaluations
        seconds = outcome.cpu_seconds
    else:
        values = judge(made.agent.policy())
        metrics = {name: value.tolist() for name, value in values.items()}
        records = [{"env_steps": 0, "updates": 0, "cpu_seconds": 0.0, "metrics": metrics}]
        seconds = 0.0
    policy = made.agent.policy()
    keep_policy(cell, policy)
    tests = {"test": cell.spread}
    for name, parameters in cell.judged_on.items():
        tests[name] = Spread(test=cell.spread.test, parameters=parameters)
    return {
        "seeds": list(settings.seeds),
        "cloning_cpu_seconds": made.warm_seconds,
        "cpu_seconds": seconds,
        "curve": {
            **{axis: [r[axis] for r in records] for axis in ("env_steps", "updates", "cpu_seconds")},
            **{
                name: [[r["metrics"][name][run] for r in records] for run in range(runs)]
                for name in ("gap", "captured", "miss", "paid")
            },
        },
        "tests": {
            name: Gaps(days(spread, "test"), plan.task, runs).by_day(policy) for name, spread in tests.items()
        },
    }


def _guided(settings: TrainingSettings) -> bool:
    return float(getattr(settings.agent, "cloning_weight", 0.0)) > 0


def keep_policy(cell: Cell, policy: Policy) -> None:
    """Keep the networks of all runs in the cache, for studies that use them again."""
    with replacing(policy_path(cell)) as (partial,):
        torch.save(policy.state_dict(), partial)


def policy_path(cell: Cell) -> Path:
    """Where the networks of exactly this cell are kept."""
    text = json.dumps(cell.described(), sort_keys=True)
    return CACHE / f"policy-{cell.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.pt"


def trained(cell: Cell) -> tuple[TaskSettings, Policy]:
    """The task of a cell and the last policies of its runs; trained now where the cache has none."""
    if not policy_path(cell).exists():
        train_cell(cell)
    untaught = {**cell.training, "shaper": "none", "shaping": {}}
    plan, made = set_up(replace(cell, training=untaught, cloning_updates=0, refining_updates=0, exact=False))
    policy = made.agent.policy()
    policy.load_state_dict(torch.load(policy_path(cell), weights_only=True))
    return plan.task, policy


def trained_policies(cell: Cell) -> tuple[TaskSettings, list[Policy]]:
    """The same, one by one."""
    task, policy = trained(cell)
    return task, [policy.one_run(run) for run in range(policy.runs)]


def run_cells(
    cells: Iterable[Cell],
    folder: Path,
    *,
    only: Sequence[str] = (),
    run: Callable[[Cell], Record] = train_cell,
    say: Callable[[str], None] = print,
    workers: int = 1,
) -> list[Record]:
    """Run the cells whose results are not in the folder yet; returns the records of all that are chosen.

    ``only`` are patterns of names, ``workers`` cells in work at a time. A kept result of other settings is
    replaced. Each file is written under another name first, so that an interrupted cell leaves none.
    """
    chosen = [cell for cell in cells if not only or any(fnmatch.fnmatch(cell.name, p) for p in only)]
    records = {}
    for number, answer in Many(partial(_cell, folder, run), workers).run(chosen):
        if isinstance(answer, WorkerDied):
            raise SystemExit(f"{chosen[number].name}: {answer}")
        records[number], said = answer
        say(said)
    return in_order(records.items())


def _cell(folder: Path, run: Callable[[Cell], Record], cell: Cell) -> tuple[Record, str]:
    """A cell's record, and what is to be said of it."""
    torch.set_num_threads(1)
    said: list[str] = []
    record = kept(folder, cell.name, cell.described(), lambda: run(cell), said.append)
    return record, said[-1]


def kept(
    folder: Path, name: str, plan: Record, make: Callable[[], Record], say: Callable[[str], None] = print
) -> Record:
    """The record kept in the folder under this name if it is of the same plan, else a new one, then kept."""
    path = folder / f"{name}.json"
    if path.exists():
        found = _read(path)
        if found["plan"] == plan:
            say(f"{name}: kept")
            return found
    begun, wall = time.process_time(), time.perf_counter()
    values = make()
    spent = {"cpu_seconds": time.process_time() - begun, "wall_seconds": time.perf_counter() - wall}
    write_json(path, {"cell": name, "plan": plan, **values, "spent": spent, "made": provenance()})
    say(f"{name}: {spent['cpu_seconds']:.0f} CPU s")
    return _read(path)


def _read(path: Path) -> Record:
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def write_json(path: Path, record: Any) -> None:
    """Write a whole file or none; numbers with six digits."""
    write_text(path, json.dumps(rounded(record), separators=(",", ":")) + "\n")


def write_tables(page: str, name: str, text: str) -> None:
    """Put tables between the marks of that name on a page of docs/."""
    path = Path(__file__).parents[2] / "docs" / page
    begun, ended = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = path.read_text(encoding="utf-8").partition(begun)
    write_text(path, before + begun + "\n" + text + "\n" + ended + rest.partition(ended)[2])


def rounded(value: Any) -> Any:
    """The same with plain lists and floats of six digits; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return rounded(value.tolist())
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def provenance() -> Record:
    """Machine, day, revision, versions."""
    root = Path(__file__).parents[2]

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "learning", "formulation", "data")
    return made() | {
        "machine": f"{_processor()}, {os.cpu_count()} cores, one thread",
        "date": dt.date.today().isoformat(),
        "revision": git("rev-parse", "--short", "HEAD") + ("+changes" if changed else ""),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")


def parser(what: str | None) -> argparse.ArgumentParser:
    """The options that all studies have."""
    made = argparse.ArgumentParser(description=what)
    made.add_argument("--seeds", type=int, help="number of seeds, trained side by side")
    made.add_argument("--cells", nargs="*", default=[], metavar="PATTERN", help="only these cells")
    made.add_argument("--quick", action="store_true", help=f"a small look, into {QUICK_RESULTS}")
    made.add_argument("--workers", type=int, default=1, help="cells in work at a time, each in a process")
    made.add_argument("--list", action="store_true", help="name the cells and end")
    return made


def begin(study: str, options: argparse.Namespace) -> Path:
    """One thread (cells are what runs side by side); the folder of the study's results."""
    torch.set_num_threads(1)
    return (QUICK_RESULTS if options.quick else RESULTS) / study
