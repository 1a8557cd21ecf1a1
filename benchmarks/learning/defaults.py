"""What `train` takes by itself, beside what it could: on slots of five minutes and of half an hour.

python -m benchmarks.learning.defaults [--seeds 3] [--cells '5-*'] [--quick] [--docs]

Every cell is `stepwatt train` as it comes, but for what its name says. Slots differ in length, so that a day
of five-minute slots has six times the steps: both lengths are trained for as many. Judged by the share of the
bound on validation days that the last policy captures, fluid jobs.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

import stepwatt as sw
from stepwatt.learning.training.families import Family
from stepwatt.learning.training.judge import Judge
from stepwatt.learning.training.loop import train_agent
from stepwatt.learning.training.plan import TrainingPlan, read_plan
from stepwatt.learning.training.preparation import prepare

from .common import Record, begin, kept, parser, write_tables

STUDY = "defaults"
SEEDS, ENV_STEPS = 3, 20_000
MINUTES = (5, 30)
#: What differs from the defaults, as words of ``stepwatt train``.
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "unshaped": {"shaper": "none"},
    "a third of an hour": {"horizon_hours": 1 / 3},
    "three hours": {"horizon_hours": 3.0},
    "eight hours": {"horizon_hours": 8.0},
    "td3": {"algo": "td3", "agent.hidden": [128, 128]},
    "ppo": {"algo": "ppo", "agent.hidden": [128, 128]},
}
#: Every so many days of a split.
TRAINED, JUDGED = 6, 7


def plan_of(minutes: int, change: str, seeds: int, quick: bool) -> TrainingPlan:
    """The training of a cell."""
    words: dict[str, Any] = {
        "family.slot_minutes": minutes,
        "family.every": 60 if quick else TRAINED,
        "env_steps": 2_000 if quick else ENV_STEPS,
        "seeds": list(range(seeds)),
        **CHANGES[change],
    }
    return read_plan(None, [f"{key}={json.dumps(value)}" for key, value in words.items()])


def measured(plan: TrainingPlan, minutes: int, every: int) -> Record:
    """Captured shares (S,N) of the last policies on validation days."""
    made = prepare(plan, plan.family.instances("train"))
    trained = train_agent(made.env, plan.training, agent=made.agent, shaper=made.shaper)
    judged = Family(slot_minutes=minutes, every=every).instances("validation")
    bound = np.array([sw.solve(day, "lp").bound for day in judged], dtype=float)
    nothing = np.array([sw.solve(day, "all-off").utility for day in judged], dtype=float)
    found = Judge(judged, plan.task, len(plan.training.seeds)).by_day(trained.agent.policy())
    captured = (found["utility"].numpy().astype(float) - nothing) / (bound - nothing)
    return {"captured": captured, "missed": found["miss_rate"].numpy()}


def table(records: Mapping[tuple[int, str], Record]) -> str:
    """Captured shares by slot length: means over days, of all seeds and the lowest and highest of them."""
    lines = [
        f"| `train`, but | {' | '.join(f'{minutes} min' for minutes in MINUTES)} |",
        "| --- |" + " --- |" * len(MINUTES),
    ]
    for change in CHANGES:
        cells = []
        for minutes in MINUTES:
            record = records.get((minutes, change))
            if record is None:
                cells.append("")
                continue
            runs = np.array(record["captured"], dtype=float).mean(axis=1)
            cells.append(f"{runs.mean():.3f} ({runs.min():.3f} to {runs.max():.3f})")
        lines.append(f"| {change} | {' | '.join(cells)} |")
    record = next(iter(records.values()))
    (seeds, count), made = np.shape(record["captured"]), record["made"]
    lines += [
        "",
        f"{count} validation days, {record['plan']['training']['env_steps']:,} steps, {seeds} seeds. "
        f"{made['machine']}, {made['date']}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train the cells that are missing."""
    options = parser(__doc__)
    options.add_argument("--docs", action="store_true", help="write the table into the page")
    chosen = options.parse_args()
    folder, records = begin(STUDY, chosen), {}
    every = 60 if chosen.quick else JUDGED
    for change in CHANGES:
        for minutes in MINUTES:
            cell = f"{minutes}-{change.replace(' ', '-')}"
            if chosen.list:
                print(cell)
                continue
            if chosen.cells and not any(fnmatch.fnmatch(cell, pattern) for pattern in chosen.cells):
                continue
            plan = plan_of(minutes, change, chosen.seeds or (1 if chosen.quick else SEEDS), chosen.quick)
            tables = {"family": plan.family.plain(), "training": plan.training.plain(), "every": every}
            records[minutes, change] = kept(
                folder,
                cell,
                json.loads(json.dumps(tables)),
                lambda plan=plan, minutes=minutes: measured(plan, minutes, every),  # type: ignore[misc]
            )
    if not records:
        return
    print(table(records))
    if chosen.docs:
        write_tables("learning-studies.md", STUDY, table(records))


if __name__ == "__main__":
    main()
