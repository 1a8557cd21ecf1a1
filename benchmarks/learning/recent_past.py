"""Whether a clone of prices is better for seeing the recent past, with and without a forecast.

python -m benchmarks.learning.recent_past [--seeds 3] [--cells 'persistence*'] [--quick] [--docs]

Half-hour days of the three sites at home, fluid jobs, judged on validation days with the day before known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

import stepwatt as sw
from stepwatt.learning.training.families import Family
from stepwatt.learning.training.judge import Judge
from stepwatt.learning.training.plan import TrainingPlan, read_plan
from stepwatt.learning.training.preparation import prepare

from .common import PRICED_CLONE, Record, begin, kept, parser, write_tables

STUDY = "recent-past"
CLONED = {
    **PRICED_CLONE,
    "task.view": "sites",
    "warm_start.updates": 1_000,
    "warm_start.relabelling": 1,
    "family.every": 4,
}
#: Hours of the past that are seen.
PAST: Mapping[str, Sequence[float]] = {"now alone": (), "1, 4, 24 h": (1, 4, 24)}
#: Every so many validation days.
JUDGED = 5
INFORMATION = ("none", "persistence", "day-ahead")


def plan_of(information: str, hours: Sequence[float], seeds: int, quick: bool) -> TrainingPlan:
    """How a clone is made."""
    words: dict[str, Any] = CLONED | {"seeds": list(range(seeds)), "task.information": information}
    words["task.past_hours"] = list(hours)
    if quick:
        words |= {"family.every": 60, "warm_start.updates": 100}
    return read_plan(None, [f"{key}={json.dumps(value)}" for key, value in words.items()])


def measured(plan: TrainingPlan, every: int) -> Record:
    """Gaps (S,N) of the clones on validation days."""
    past = plan.family.histories("train") if plan.task.looks_back else None
    made = prepare(plan, plan.family.instances("train"), histories=past)
    judged = Family(every=every)
    instances, before = judged.instances("validation"), judged.histories("validation")
    bound = np.array([sw.solve(day, "lp").bound for day in instances], dtype=float)
    judge = Judge(instances, plan.task, len(plan.training.seeds), before)
    utility = judge.by_day(made.agent.policy())["utility"].numpy().astype(float)
    return {"gap": (bound - utility) / np.abs(bound), "warm_seconds": made.warm_seconds}


def table(records: Mapping[tuple[str, str], Record]) -> str:
    """Mean gaps over seeds and days, with the difference that the past makes (paired by seed and day)."""
    lines = [f"| information | {' | '.join(PAST)} | change |", "| --- |" + " --- |" * (len(PAST) + 1)]
    record: Record = {}
    for information in INFORMATION:
        found = [
            np.array(records[information, name]["gap"]) for name in PAST if (information, name) in records
        ]
        if len(found) < len(PAST):
            continue
        record = records[information, next(iter(PAST))]
        change = (found[1] - found[0]).mean(axis=1)
        told = f"{change.mean():+.4f} ({change.min():+.4f} to {change.max():+.4f})"
        lines.append(f"| {information} | {' | '.join(f'{gap.mean():.4f}' for gap in found)} | {told} |")
    if record:
        seeds, count = np.shape(record["gap"])
        made = record["made"]
        lines += ["", f"{count} validation days, seeds: {seeds}. {made['machine']}, {made['date']}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the clones that are missing."""
    options = parser(__doc__)
    options.add_argument("--docs", action="store_true", help="write the table into the page")
    chosen = options.parse_args()
    folder = begin(STUDY, chosen)
    every = 15 if chosen.quick else JUDGED
    records = {}
    torch.set_num_threads(1)
    for information in INFORMATION:
        for name, hours in PAST.items():
            cell = f"{information}-{'past' if hours else 'now'}"
            if chosen.list:
                print(cell)
                continue
            if chosen.cells and cell not in chosen.cells:
                continue
            plan = plan_of(information, hours, chosen.seeds or (1 if chosen.quick else 3), chosen.quick)
            tables = {"task": plan.task.plain(), "family": plan.family.plain()}
            tables |= {"warm_start": plan.warm_start.plain(), "training": plan.training.plain()}
            described = json.loads(json.dumps(tables))
            records[information, name] = kept(
                folder,
                cell,
                described,
                lambda plan=plan: measured(plan, every),  # type: ignore[misc]
            )
    if not records:
        return
    print(table(records))
    if chosen.docs:
        write_tables("learning.md", STUDY, table(records))


if __name__ == "__main__":
    main()
