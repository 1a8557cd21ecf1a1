"""What a start from a clone of optimal schedules becomes: forgotten, kept, or bettered.

python -m benchmarks.learning.from_clone [--seeds 10] [--cells ppo] [--quick] [--docs]

Paid slot by slot (regime S), codec direct. Learners as from nothing and with their policy held until the
critic knows the clone, small steps and little noise; and the gradient through the plant, which needs the
model.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import make_pool
from stepwatt.learning.model_guided.gradient import refine
from stepwatt.learning.training.learners import seeds_for

from .common import (
    CLONED_FORECASTS,
    Cell,
    Gaps,
    Record,
    begin,
    parser,
    run_cells,
    set_up,
    train_cell,
    write_tables,
)
from .days import days
from .regimes import PAGE, SEEDS, cell
from .regimes_table import half_interval

STUDY = "from-clone"
UPDATES = 4_000
STEPS = {"sac": 12_000, "ppo": 300_000}
#: The policy moves late, little, and stays near what it has tried.
HELD: dict[str, dict[str, Any]] = {
    "sac": {"actor_delay": 2_000, "initial_std": 0.1, "initial_temperature": 0.001, "target_entropy": -2.5}
    | {"actor_rate": 3e-5},
    "ppo": {"actor_delay": 40, "initial_std": 0.15, "actor_rate": 3e-5, "clip": 0.05, "epochs": 4}
    | {"minibatches": 2},
}
#: Updates of 32 days each along the plant's gradient, in rounds whose step falls to 0.
ROUNDS, ROUND, RATE = 5, 40, 2e-4


def cells(seeds: int, quick: bool) -> list[Cell]:
    """Learners from a clone; and the clone alone, from which the gradient goes on."""
    made = []
    for algo, held in HELD.items():
        usual = cell(algo, "S", "booked", seeds, quick)
        steps = STEPS[algo] // (10 if quick else 1)
        length = {"env_steps": steps, "replay_steps": steps, "evaluate_every": steps // 10}
        for name, agent in (("usual", {}), ("held", held)):
            training = {**usual.training, **length, "agent": {**usual.training["agent"], **agent}}
            if name == "held" and algo == "sac":
                training["updates_per_step"] = 0.5
            clone = UPDATES // (10 if quick else 1)
            made.append(replace(usual, name=f"{algo}-{name}", training=training, cloning_updates=clone))
    return [*made, replace(made[0], name="gradient", train=False)]


def improved(cell: Cell) -> Record:
    """As a training, where the policy follows the plant's gradient instead of an agent."""
    if cell.train:
        return train_cell(cell)
    plan, made = set_up(cell)
    seeds, instances = plan.training.seeds, days(cell.spread, "train").instances
    pools = [
        make_pool(instances, plan.task.information, torch_engine(), seed=number * len(instances))
        for number in range(CLONED_FORECASTS)
    ]
    judge, policy = Gaps(days(cell.spread, "validation"), plan.task, len(seeds)), made.agent.policy()
    spent, updates, seen = [0.0], [0], [judge(policy)]
    for number in range(ROUNDS):
        begun = time.process_time()
        drawn = seeds_for(f"round {number}", seeds)
        refine(policy, pools, plan.task, drawn, updates=ROUND, rate=RATE)
        spent.append(spent[-1] + time.process_time() - begun)
        updates.append(updates[-1] + ROUND)
        seen.append(judge(policy))
    return {
        "seeds": list(seeds),
        "cloning_cpu_seconds": made.warm_seconds,
        "cpu_seconds": spent[-1],
        "curve": {
            "env_steps": [32 * instances[0].n_slots * count for count in updates],
            "updates": updates,
            "cpu_seconds": spent,
            **{name: np.stack([one[name].numpy() for one in seen], 1) for name in seen[0]},
        },
        "tests": {"test": Gaps(days(cell.spread, "test"), plan.task, len(seeds)).by_day(policy)},
    }


def table(records: list[Record]) -> str:
    """Captured on validation days: the clone, the worst on the way, the end, and the change in each run."""
    lines = [
        "| from the clone by | the clone | worst on the way | at the end | change (95 %) | CPU s a run |",
        "|---|---|---|---|---|---|",
    ]
    for record in records:
        captured = np.array(record["curve"]["captured"], dtype=float)
        change = captured[:, -1] - captured[:, 0]
        means = captured.mean(0)
        lines.append(
            f"| {record['cell']} | {means[0]:.4f} | {means.min():.4f} | {means[-1]:.4f} "
            f"| {change.mean():+.4f} ± {half_interval(change):.4f} "
            f"| {record['cpu_seconds'] / len(change):.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing; with --docs, write the table of what there is into the page."""
    options = parser(__doc__)
    options.add_argument(
        "--docs", action="store_true", help="write the table of finished cells into the page"
    )
    chosen = options.parse_args()
    folder = begin(STUDY, chosen)
    plans = cells(chosen.seeds or (2 if chosen.quick else SEEDS), chosen.quick)
    if chosen.list:
        print("\n".join(plan.name for plan in plans))
        return
    if chosen.docs:
        plans = [plan for plan in plans if (folder / f"{plan.name}.json").exists()]
    records = run_cells(plans, folder, only=chosen.cells, workers=chosen.workers, run=improved)
    print(table(records))
    if chosen.docs:
        write_tables(PAGE, STUDY, table(records))


if __name__ == "__main__":
    main()
