"""The policy that comes with the package, on days that nothing was chosen by, beside planners.

python -m benchmarks.learning.shipped [--quick] [--docs]

Five-minute days, whole jobs. The policy was trained and chosen on other months. A day is measured again when
the policy file or the day changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.learning.policies.trained import SHIPPED
from stepwatt.learning.training.families import Family
from stepwatt.scores.intervals import mean_interval

from .common import Record, begin, kept, parser, write_tables

STUDY = "shipped"
POLICY = "jemas"
#: Every fourth test day, but for those that an earlier policy was looked at with (every eighth).
EVERY, TAKEN = 2, 4
#: Methods of the package and the forecast that they plan on.
PLANNERS = {"foresight": "day-ahead", "greedy": None}


def days(quick: bool) -> list[Instance]:
    """Test days that nothing was chosen by."""
    family = Family(slot_minutes=5)
    found = [day for n, day in enumerate(family.days("test")) if n % EVERY == 0 and n % TAKEN]
    return [family.instance(family.regions[0], day, True) for day in (found[::15] if quick else found)]


def measured(day: Instance) -> Record:
    """Utilities (USD) of the policy and of planners, of nothing done, and the bound."""
    policy = sw.load_policy(POLICY)
    judged = sw.evaluate(day, policy.schedule(day))
    if not judged.feasible:
        raise RuntimeError(f"{day.name}: {judged.violations}")
    utility = {POLICY: judged.utility}
    for name, forecast in PLANNERS.items():
        utility[name] = sw.solve(day, name, forecast=forecast).utility
    return {
        "utility": utility,
        "miss_rate": float(judged.lost.sum() / day.arrays().arrivals.sum()),
        "bound": sw.solve(day, "lp").bound,
        "all_off": sw.solve(day, "all-off").utility,
    }


def table(records: Sequence[Record]) -> str:
    """Captured share of each row, mean with its interval over days, and the worst day."""
    bound, nothing = (np.array([r[name] for r in records], dtype=float) for name in ("bound", "all_off"))
    lines = ["| policy | captured, mean [95 %] | worst day |", "| --- | --- | --- |"]
    for name in (POLICY, *PLANNERS):
        utility = np.array([r["utility"][name] for r in records], dtype=float)
        captured = 100 * (utility - nothing) / (bound - nothing)
        mean = mean_interval(captured[None, :], 0)
        told = f"{mean.estimate:.2f} [{mean.low:.2f}, {mean.high:.2f}] %"
        lines.append(f"| {name} | {told} | {captured.min():.1f} % |")
    made = records[-1]["made"]
    missed = 100 * max(r["miss_rate"] for r in records)
    lines.append("")
    lines.append(
        f"{len(records)} days of months 3, 6, 9 and 12, five-minute slots, whole jobs; the policy misses at "
        f"most {missed:.2f} % of a day's jobs. {made['machine']}, {made['date']}."
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the days that are missing."""
    options = parser(__doc__)
    options.add_argument("--docs", action="store_true", help="write the table into the page")
    chosen = options.parse_args()
    folder = begin(STUDY, chosen)
    digest = hashlib.sha256((SHIPPED / f"{POLICY}.npz").read_bytes()).hexdigest()[:16]
    records = []
    for day in days(chosen.quick):
        name = day.start[:10]
        if chosen.list:
            print(name)
            continue
        records.append(kept(folder, name, {"policy": digest, "day": day.name}, lambda day=day: measured(day)))
    if not records:
        return
    print(table(records))
    if chosen.docs:
        write_tables("learning.md", "shipped", table(records))


if __name__ == "__main__":
    main()
