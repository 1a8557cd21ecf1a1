"""The policies that come with the package, on days that nothing was chosen by, beside planners.

python -m benchmarks.learning.shipped [--cells volatile] [--split validation] [--quick] [--docs]

Whole jobs. A policy was trained and chosen on other months. A day is measured again when the policy file or
the day changes. `volatile` needs its series, ../shared/data/world_hourly_2023.csv.gz.

Claimed on 30 November 2026, before any shipped policy met the days of `confirmation`: `jemas` captures at
least 98 % of them, and more than greedy; `volatile` captures more than foresight with yesterday's prices.
Both held; then days of `volatile` lost a terminal price that told of what was to come, the policy was trained
anew, and its claim is measured again on the same days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.learning.policies.trained import SHIPPED
from stepwatt.learning.training.families import Family
from stepwatt.scores.intervals import mean_interval

from .common import Record, begin, kept, parser, write_tables
from .days import spot_markets

STUDY = "shipped"
#: Every fourth test day, but for those that an earlier policy of `jemas` was looked at with (every eighth).
EVERY, TAKEN = 2, 4
#: The test days that are left: for a confirmation.
CONFIRMATION = "confirmation"


@dataclass(frozen=True)
class Shipped:
    """Days that a policy is for, and the planners beside it with the forecast that they plan on."""

    family: Family
    planners: Mapping[str, str | None]

    def days(self, split: str, quick: bool) -> list[tuple[Instance, Instance]]:
        """Days that nothing was chosen by, or of another split, each with the day before."""
        region = self.family.regions[0]
        among = self.family.days("test" if split == CONFIRMATION else split)
        left = 1 if split == CONFIRMATION else 0
        made = (day for n, day in enumerate(among) if n % EVERY == left and n % TAKEN)
        one = np.timedelta64(1, "D").astype(object)
        return [
            (self.family.instance(region, day, True), self.family.instance(region, day - one, False))
            for day in list(made)[:: 15 if quick else 1]
        ]


POLICIES = {
    "jemas": Shipped(Family(slot_minutes=5), {"foresight": "day-ahead", "greedy": None}),
    "volatile": Shipped(spot_markets(), {"foresight": "persistence", "greedy": None}),
}


def measured(name: str, day: Instance, before: Instance) -> Record:
    """What the policy earns (USD), and the share of jobs that it misses."""
    judged = sw.evaluate(day, sw.load_policy(name).schedule(day, before))
    if not judged.feasible:
        raise RuntimeError(f"{day.name}: {judged.violations}")
    missed = float(judged.lost.sum() / day.arrays().arrivals.sum())
    return {"utility": judged.utility, "miss_rate": missed}


def reference(name: str, day: Instance, before: Instance) -> Record:
    """Utilities (USD) of planners and of nothing done, and the bound."""
    utility = {}
    for planner, forecast in POLICIES[name].planners.items():
        history = before if forecast == "persistence" else None
        utility[planner] = sw.solve(day, planner, forecast=forecast, history=history).utility
    return {
        "utility": utility,
        "bound": sw.solve(day, "lp").bound,
        "all_off": sw.solve(day, "all-off").utility,
    }


def table(found: Mapping[str, Sequence[tuple[Record, Record]]], split: str) -> str:
    """Captured share of each row, mean with its interval over days, and the worst day."""
    lines = ["| days | policy | captured, mean [95 %] | worst day |", "| --- | --- | --- | --- |"]
    notes = []
    for name, days in found.items():
        known = [beside for _, beside in days]
        bound, nothing = (np.array([r[part] for r in known], dtype=float) for part in ("bound", "all_off"))
        earned = {f"`{name}`": [own["utility"] for own, _ in days]}
        for planner, forecast in POLICIES[name].planners.items():
            called = planner if forecast is None else f"{planner}, {forecast}"
            earned[called] = [beside["utility"][planner] for beside in known]
        for row, utility in earned.items():
            captured = 100 * (np.array(utility, dtype=float) - nothing) / (bound - nothing)
            mean = mean_interval(captured[None, :], 0)
            told = f"{mean.estimate:.2f} [{mean.low:.2f}, {mean.high:.2f}] %"
            lines.append(f"| {name} | {row} | {told} | {captured.min():.1f} % |")
        planner = next(iter(POLICIES[name].planners))
        own, other = (np.array(earned[row]) for row in list(earned)[:2])
        more = mean_interval((100 * (own - other) / (bound - nothing))[None, :], 0)
        missed = 100 * max(met["miss_rate"] for met, _ in days)
        minutes, last = POLICIES[name].family.slot_minutes, days[-1][0]["made"]
        notes.append(
            f"`{name}`: {len(days)} {split} days of slots of {minutes} minutes, at most {missed:.2f} % of a "
            f"day's jobs missed by the policy, which captures {more.estimate:+.1f} "
            f"[{more.low:+.1f}, {more.high:+.1f}] points beside {planner} "
            f"({last['machine']}, {last['date']})."
        )
    return "\n".join([*lines, "", f"Whole jobs. {' '.join(notes)}"]) + "\n"


def main() -> None:
    """Measure the days that are missing."""
    options = parser(__doc__)
    options.add_argument(
        "--split",
        choices=["test", "validation", CONFIRMATION],
        default="test",
        help="days to be judged by",
    )
    options.add_argument("--docs", action="store_true", help="write the table into the page")
    chosen = options.parse_args()
    folder = begin(STUDY, chosen) / (chosen.split if chosen.split != "test" else "")
    found: dict[str, list[tuple[Record, Record]]] = {}
    for name, what in POLICIES.items():
        if chosen.cells and name not in chosen.cells:
            continue
        if chosen.list:
            print(name)
            continue
        digest = hashlib.sha256((SHIPPED / f"{name}.npz").read_bytes()).hexdigest()[:16]
        found[name] = []
        for day, before in what.days(chosen.split, chosen.quick):
            date, about = day.start[:10], {"day": day.name}
            own = kept(
                folder / name,
                date,
                about | {"policy": digest},
                lambda name=name, day=day, before=before: measured(name, day, before),  # type: ignore[misc]
            )
            beside = kept(
                folder / name / "planners",
                date,
                about | {"planners": dict(what.planners)},
                lambda name=name, day=day, before=before: reference(name, day, before),  # type: ignore[misc]
            )
            found[name].append((own, beside))
    if not found:
        return
    told = table(found, chosen.split)
    print(told)
    if chosen.docs:
        write_tables("learning.md", "shipped", told)


if __name__ == "__main__":
    main()
