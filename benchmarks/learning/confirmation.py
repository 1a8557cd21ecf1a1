"""Confirmation of study b: the refined clone against greedy on test days that no study has looked at.

python -m benchmarks.learning.confirmation [--quick]

What is compared was fixed, and committed, before it was run: policies, days, measure and verdict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepwatt.scores.intervals import Interval, difference_interval

from .common import Cell, Record, begin, kept, parser, trained_policies
from .days import Spread
from .methods import SEEDS, learned
from .playing import by_policies, gaps, solved

STUDY = "confirmation"
POLICY = "cloned-refined"
#: Test days that studies took lie at multiples of these (here every 4th, 8th and 24th; every 10th, 15th and
#: 40th in the hybrid study).
TAKEN = (4, 5)


def unseen(quick: bool) -> list[dt.date]:
    """Test days that no study has looked at."""
    found = Spread(test=1).family("test").days("test")
    left = [day for n, day in enumerate(found) if all(n % every for every in TAKEN)]
    return left[::25] if quick else left


def compared(days: Sequence[dt.date], integral: bool, quick: bool) -> Record:
    """The policies of all seeds and greedy on the days, with the bounds that gaps are to."""
    family = Spread(test=1).family("test")
    instances = [family.instance(family.regions[0], day, integral) for day in days]
    bound, best = solved(instances, "oracle" if integral else "lp")
    _, greedy = solved(instances, "greedy")
    task, policies = trained_policies(_cell(quick))
    found = {"best": best, "greedy": greedy, POLICY: by_policies(task, policies, instances)}
    return {"days": [day.isoformat() for day in days], "bound": bound, "methods": found}


def differences(record: Record) -> tuple[Interval, Interval]:
    """Gap of the policy less greedy's in points: paired by day, and by calendar week, as days that follow
    each other are alike."""
    ours, greedy = (
        100 * gaps(record["methods"][name]["runs"], record["bound"]) for name in (POLICY, "greedy")
    )
    days = record["days"]
    weekly = difference_interval(by_week(days, ours), by_week(days, greedy), 0)
    return difference_interval(ours, greedy, 0), weekly


def by_week(days: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,N) of days in ISO form → (S,W) means of the calendar weeks that they lie in."""
    week = np.array([dt.date.fromisoformat(day).isocalendar().week for day in days])
    return np.stack([values[:, week == one].mean(1) for one in np.unique(week)], 1)


def weeks(days: Sequence[str]) -> int:
    """Calendar weeks that the days lie in."""
    return len({dt.date.fromisoformat(day).isocalendar().week for day in days})


def _cell(quick: bool) -> Cell:
    return next(cell for cell in learned(2 if quick else SEEDS, quick) if cell.name == POLICY)


def main() -> None:
    """Run what is missing."""
    chosen = parser(__doc__).parse_args()
    folder: Path = begin(STUDY, chosen)
    days = unseen(chosen.quick)
    for name, integral in (("whole", True), ("fluid", False)):
        if chosen.list:
            print(name)
            continue
        plan = {"policies": _cell(chosen.quick).described(), "days": [day.isoformat() for day in days]}
        record = kept(
            folder,
            name,
            plan,
            lambda integral=integral: compared(days, integral, chosen.quick),  # type: ignore[misc]
        )
        by_day, by_week = differences(record)
        print(f"{name}: {POLICY} less greedy, points: by day {by_day}, by week {by_week}")


if __name__ == "__main__":
    main()
