"""Confirmation of the study of sites, on the test days that its policies have not met.

python -m benchmarks.learning.sites_confirmation [--cells '4 sites'] [--quick] [--docs]

Claimed on 30 November 2026, before any policy of that study met these days: in every case the gap of
``drawn models`` is at most twice that at home. Days, cases, seeds (two more than the study had), measure and
verdict were fixed, and committed, before it was run. Shipped policies have met most of these days, in slots
of five minutes; nothing here was chosen by that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.files import write_text
from stepwatt.scores.intervals import Interval, mean_interval

from .common import Record, begin, kept, parser
from .confirmation import by_week, weeks
from .sites import CASES, EVERY, Case, gaps, instances, played, policy

STUDY = "sites-confirmation"
POLICY = "drawn models"
SEEDS = 5
#: What is claimed of every case: the gap in units of home's.
TIMES = 2.0

Floats = NDArray[np.float64]


def unseen(case: Case, quick: bool) -> list[Instance]:
    """The case's test days but those of the study."""
    left = [day for n, day in enumerate(instances(case, "test", 1)) if n % EVERY["test"]]
    return left[::34] if quick else left


def verdict(excess: Interval) -> str:
    """``holds`` where the whole interval lies below zero, ``fails`` where none of it does."""
    if excess.high <= 0:
        return "holds"
    return "fails" if excess.low > 0 else "undecided"


def excess(case: Record, home: Record) -> Interval:
    """Gap less :data:`TIMES` that at home, as share of the bound: mean and two-way interval over seeds and
    calendar weeks, paired by both."""
    mine, theirs = (by_week(record["days"], _gaps(record)) for record in (case, home))
    return mean_interval(mine - TIMES * theirs, 0)


def _gaps(record: Record) -> Floats:
    found = gaps(record, POLICY)
    assert found is not None
    return found


def table(records: Mapping[str, Record]) -> str:
    """A row per case; ``home`` is among the records."""
    home = records["home"]
    lines = [
        f"| case | gap | of home | gap less {TIMES:g} x home [95 %] | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, record in records.items():
        gap, found = _gaps(record), excess(record, home)
        told = "" if name == "home" else verdict(found)
        between = f"{found.estimate:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
        lines.append(
            f"| {name} | {gap.mean():.4f} | {gap.mean() / _gaps(home).mean():.2f} x | {between} | {told} |"
        )
    made, most = [record["made"] for record in records.values()], max(r["missed"] for r in records.values())
    machines, dates = (sorted({one[what] for one in made}) for what in ("machine", "date"))
    seeds, days = _gaps(home).shape
    lines += [
        "",
        f"{days} test days of each case in {weeks(home['days'])} weeks, half-hour slots, whole jobs, {seeds} "
        f"seeds; policies miss at most {100 * most:.2f} % of a day's jobs. {' and '.join(machines)}; "
        f"{', '.join(dates)}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train what the cache has not, then look once; with --docs, write the table beside the results."""
    options = parser(__doc__)
    options.add_argument("--docs", action="store_true", help="write the table beside the results")
    chosen = options.parse_args()
    if chosen.list:
        print("\n".join(CASES))
        return
    folder, seeds = begin(STUDY, chosen), range(chosen.seeds or (2 if chosen.quick else SEEDS))
    cases = {
        name: CASES[name] for name in CASES if name == "home" or not chosen.cells or name in chosen.cells
    }
    policies = [policy(POLICY, seed, chosen.quick) for seed in seeds]
    digests = [hashlib.sha256(one.fingerprint()).hexdigest()[:16] for one in policies]

    def met(case: Case) -> Record:
        days = unseen(case, chosen.quick)
        found = [played(days, one) for one in policies]
        return {
            "days": [day.start[:10] for day in days],
            "bound": [sw.solve(day, "lp").bound for day in days],
            "utility": {POLICY: [one["utility"] for one in found]},
            "missed": max(one["missed"] for one in found),
        }

    records = {}
    for name, case in cases.items():
        plan = {"case": [case.zones, dict(case.taken)], "policies": digests, "quick": chosen.quick}
        records[name] = kept(folder, name.replace(" ", "-"), plan, lambda case=case: met(case))  # type: ignore[misc]
    told = table(records)
    print(told)
    if chosen.docs:
        write_text(folder / "table.md", told)


if __name__ == "__main__":
    main()
