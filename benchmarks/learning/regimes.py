"""The paper's regimes: where rewards are hard to get, and what brings a learner through.

python -m benchmarks.learning.regimes [--seeds 10] [--cells 'sac-R2-*'] [--quick] [--docs]

R1 pays a slot if nothing at all failed there, R2 the day if every slot met its goal; both say steps without
repair and begin uninformed. R4 is R2 with repair, R5 pays the day at its end whatever happened; S is the task
that `train` takes by itself, paid slot by slot, F is S in five-minute slots, V is S on spot markets, which
publish no price a day ahead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stepwatt.formulation.files import write_text
from stepwatt.learning.training.regimes import TASKS, beginning

from .common import Cell, begin, parser, run_cells, write_tables
from .convergence import training
from .days import Spread
from .pictures import regimes_figure
from .regimes_table import summary, tables

STUDY = "regimes"
SEEDS = 10
PAGE = "learning-studies.md"
TABLES = """# Regimes: all tables

Shares of the bound on validation days with intervals over seeds; fallen since: from the peak of the mean to
its end; test gaps, their interquartile mean, and how often a run has less of a gap than an unshaped one on
the same day, with two-way intervals, over seeds and days. CPU seconds compare on one machine; cells of
30 November shared it with other work, which doubles theirs.

"""
#: Rows and columns of the page's table, which has room for few; all are in the tables besides.
ROWS = (
    *("none", "earned", "booked", "booked-now", "exact", "solver", "solver-without-duals"),
    *("taught-by-diffusion", "taught-by-regression", "jemas", "booked-penalised"),
)
COLUMNS = ("S", "R1", "R2", "R4", "R5")
#: What the figure shows of each regime.
DRAWN = ("none", "earned", "booked", "exact", "solver", "taught-by-diffusion", "jemas")
#: An hour, of half-hour slots; further horizons, of such slots, by what they are called (now: nothing ahead).
GAMMA = round(math.exp(-0.5), 4)
LONG, DAY, NOW = 0.95, round(math.exp(-0.5 / 24), 4), 0.001
HORIZONS = {
    "long": LONG,
    "day": DAY,
    "booked-long": LONG,
    "booked-now": NOW,
    "exact-now": NOW,
}
ENV_STEPS = {"sac": 20_000, "td3": 20_000, "ppo": 300_000}

REGIMES: dict[str, Mapping[str, Any]] = {
    "S": {"codec": "direct", "reward": "sparse"},
    **TASKS,
    "F": {"codec": "direct", "reward": "sparse"},
    "V": {"codec": "direct", "reward": "sparse", "information": "persistence"},
}
#: What is set otherwise of a regime's days.
DAYS: dict[str, dict[str, Any]] = {"F": {"slot_minutes": 5}, "V": {"market": "spot"}}
#: What is taught is the least of three potentials: of the day, and with so many times its jobs.
LOADS: dict[str, Any] = {"loads": [1.15, 1.5]}

#: The paper's amount, and a step of the reward agent for every second of the learner (PPO: for every one).
PAPER: dict[str, Any] = {"weight": 0.4, "update_every": 2}

#: Names of the study, with the shaper and what is set otherwise than by default.
SHAPED: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "uncentred": ("none", {}),
    "long": ("none", {}),
    "day": ("none", {}),
    "earned": ("earned", {}),
    "booked": ("booked", {}),
    "dynamic-program": ("dynamic-program", {}),
    "booked-penalised": ("booked", {}),
    "booked-long": ("booked", {}),
    "booked-now": ("booked", {}),
    "solver": ("solver-potential", {}),
    "exact": ("solver-potential", {}),
    "exact-now": ("solver-potential", {}),
    "solver-without-duals": ("solver-potential", {"duals": False}),
    "taught-by-diffusion": ("taught-potential", LOADS),
    "taught-by-regression": ("taught-potential", LOADS | {"model": "regression"}),
    "taught-by-quantiles": ("taught-potential", LOADS | {"model": "quantiles"}),
    "jemas": ("jemas", PAPER | {"steps": 5, "latent": 128}),
    "reward-agent": ("reward-agent", PAPER),
    "regression": ("regression", {}),
    "diffusion-potential": ("diffusion-potential", {}),
    "placebo": ("placebo", {}),
}
#: Of TD3 alone: the weight that keeps its actions from the ends of the box.
PENALISED, PENALTY = "booked-penalised", 0.3
#: What is trained five times as long, too, until curves flatten: learner, regime, shapers.
LONGER = (
    ("sac", "R5", ("earned", "booked")),
    ("sac", "R2", ("earned", "booked")),
    ("ppo", "R5", ("none", "earned", "booked")),
    ("sac", "S", ("none", "booked", "booked-now")),
    ("ppo", "S", ("none", "booked", "booked-now")),
    ("ppo", "F", ("booked-now",)),
    ("sac", "F", ("booked-now",)),
    ("ppo", "R2", ("none", "earned", "booked")),
    ("sac", "R4", ("earned", "booked")),
)
TIMES = 5

DECIDING = [
    "none",
    "earned",
    "booked",
    "solver",
    "taught-by-diffusion",
    "taught-by-regression",
]


def cell(algo: str, regime: str, name: str, seeds: int, quick: bool, times: int = 1) -> Cell:
    """One algorithm in one regime with one shaper, trained so many times the usual steps."""
    shaper, more = SHAPED[name]
    steps = times * (2_000 if quick else ENV_STEPS[algo])
    plan = training(algo, shaper, seeds, steps, evaluate_every=max(steps // 10, 1))
    plan["shaping"] = plan["shaping"] | more
    if name == "uncentred":
        plan["centring"] = False
    days = DAYS.get(regime, {})
    minutes = days.get("slot_minutes", 30)
    plan["gamma"] = round(HORIZONS.get(name, GAMMA) ** (minutes / 30), 4)
    if algo == "ppo":
        if "update_every" in more:
            plan["shaping"]["update_every"] = 1
        plan["envs_per_run"] = 16 if quick else 256
        plan["agent"] |= {"minibatches": 12, "longest_gradient": 5.0, "actor_rate": 1e-3}
    if name == PENALISED:
        plan["agent"]["preactivation_penalty"] = PENALTY
    begun = beginning(regime, algo)
    plan["agent"] |= begun.pop("agent", {})
    plan |= begun
    spread = Spread(train=20, validation=15, test=30, parameters=days) if quick else Spread(parameters=days)
    called = f"{algo}-{regime}-{name}" + (f"-x{times}" if times > 1 else "")
    return Cell(called, plan, REGIMES[regime], spread, exact=name.startswith("exact"))


def cells(seeds: int, quick: bool) -> list[Cell]:
    """All cells, those that decide most first."""
    rest = [name for name in SHAPED if name not in (*DECIDING, PENALISED)]
    usual = [
        cell(algo, regime, name, seeds, quick)
        for names, algos in ((DECIDING, ("sac", "ppo")), (rest, ("sac", "ppo")), (list(SHAPED), ("td3",)))
        for algo in algos
        for regime in ("R2", "R5", "S", "R1", "R4", "F", "V")
        for name in names
    ]
    longer = [
        cell(algo, regime, name, seeds, quick, TIMES) for algo, regime, names in LONGER for name in names
    ]
    return usual + longer


def main() -> None:
    """Run what is missing of the study; with --docs, write the table of what there is into the page."""
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
    records = run_cells(
        plans, folder, only=chosen.cells, workers=chosen.workers, say=lambda text: print(text, flush=True)
    )
    print(tables(records))
    if chosen.docs:
        paged = [record for record in records if record["cell"].split("-", 2)[2] in ROWS]
        write_tables(PAGE, STUDY, summary(paged, COLUMNS))
        write_text(folder.parent / "regimes.md", TABLES + tables(records))
        regimes_figure(records, DRAWN, folder.parent / "regimes.png")


if __name__ == "__main__":
    main()
