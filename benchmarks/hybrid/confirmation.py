"""The command ``python -m benchmarks.hybrid.confirmation ROUND``: renewed foresight against rolling on test
days that nothing before has looked at.

Policies, days, measure and verdict of a round were fixed, and committed, before it was run. By set, the
difference of interquartile means of the gap to rolling with the same day-ahead forecasts, paired by day.
Confirmed is "no worse than rolling" where the interval reaches 0 or lies below, and the other targets where
they are met. The first round's code is in the history; its days were the other test days of the home region
and of unseen regions. Between the third and the fourth, plans in blocks were corrected, values of warmth
became exact and those of waiting jobs softer, on validation days.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stepwatt.formulation.files import write_text
from stepwatt.learning.training.families import Family
from stepwatt.scores.intervals import difference_interval
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy

from .cases import TRAINED_ON, Case, Days, cases, world
from .common import RESULTS, about
from .playing import played, renewed, solved

#: The home region that no set of the study takes test days from.
REGION = TRAINED_ON[1:]
#: Of unseen regions: positions of test days that the study takes are multiples of this; of those that are
#: left, from which one on.
TAKEN, FIRST = 30, 5
#: Zones of the world's series that no set of the study, and neither earlier round, takes.
FURTHER = ("US-MIDA-PJM,US-NY-NYIS,CA-ON", "AU-VIC,SG,IN-WE")


@dataclass(frozen=True)
class Round:
    """Which days, and after how many hours foresight is renewed."""

    unseen: Callable[[str, Case], Days]
    hours: float
    but: Mapping[str, float]
    """Hours by set, where they differ."""
    without: tuple[str, ...] = ()
    """Sets that have no days here."""


def other_days(name: str, case: Case) -> Days:
    """All test days of the second home region (every fourth of them in five-minute slots); of unseen regions
    every tenth day that no set takes and that the first round did not take."""
    if name == "unseen regions":
        family: Family = case.family.changed(every=1)
        count = len(family.days("test"))
        left = [n for n in range(count) if n % TAKEN][FIRST::10]
        places = [region * count + n for region in range(len(family.regions)) for n in left]
    else:
        family = case.family.changed(regions=REGION, every=4 if name == "five-minute slots" else 1)
        places = list(range(len(family.days("test"))))
    whole = family.instances("test"), family.histories("test")
    return Days(name, *(case.changed([part[n] for n in places]) for part in whole))


def other_regions(name: str, case: Case) -> Days:
    """Every second test day of further regions, every eighth in five-minute slots."""
    return further(case, slice(0, None, 8 if name == "five-minute slots" else 2))


def their_other_days(name: str, case: Case) -> Days:
    """The days between these."""
    return further(case, slice(3, None, 8) if name == "five-minute slots" else slice(1, None, 2))


def further(case: Case, which: slice) -> Days:
    """Of the test days of every further region, these."""
    parameters = {**case.family.parameters, **world(FURTHER)}
    family: Family = case.family.changed(regions=FURTHER, year=2023, every=1, parameters=parameters)
    one, days = dt.timedelta(days=1), family.days("test")[which]
    pairs = [(region, day) for region in FURTHER for day in days]
    whole = [[family.instance(region, day - past, False) for region, day in pairs] for past in (0 * one, one)]
    return Days("further regions", *(case.changed(part) for part in whole))


ROUNDS = {
    "second": Round(other_days, 2.0, {"demand charge": 3.0, "five-minute slots": 1.0}),
    "third": Round(other_regions, 3.0, {"five-minute slots": 1.0}, without=("unseen months",)),
    "fourth": Round(
        their_other_days,
        3.0,
        {"larger batteries": 2.0, "five-minute slots": 1.0},
        without=("unseen months",),
    ),
}


def kept(name: str) -> Path:
    """Where the figures of a round are."""
    return RESULTS / f"confirmation-{name}.json"


def measure(days: Days, hours: float) -> dict[str, object]:
    """Gaps % and misses of rolling and of the policy, day by day, and the difference."""
    begun = time.process_time()
    bound = np.array(solved(days, "oracle")["utility"])
    off, rolling = (np.array(solved(days, method)["utility"]) for method in ("all-off", "rolling day-ahead"))
    found = played(days, renewed(days, hours), ForesightPolicy(), timed=False)

    def gap(utility: object) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.asarray(100 * (bound - np.asarray(utility)) / np.abs(bound))

    beside = difference_interval(gap(found["utility"])[None], gap(rolling)[None], 0)
    return {
        "policy": f"renewed {hours:g} h",
        "days": [inst.name for inst in days.instances],
        "gap": gap(found["utility"]).tolist(),
        "rolling": gap(rolling).tolist(),
        "all-off": gap(off).tolist(),
        "miss": max(found["miss"]),
        "difference": [beside.estimate, beside.low, beside.high],
        "cpu_seconds": time.process_time() - begun,
    }


def main() -> None:
    """Measure, once, and keep the figures for the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hybrid.confirmation", description=__doc__)
    parser.add_argument("round", choices=tuple(ROUNDS))
    chosen = parser.parse_args().round
    torch.set_num_threads(1)
    plan, rows = ROUNDS[chosen], {}
    for name, case in cases(quick=False).items():
        if name not in plan.without:
            rows[name] = measure(plan.unseen(name, case), plan.but.get(name, plan.hours))
            print(name, "done", flush=True)
            told = json.dumps({"sets": rows, "about": about()}, indent=1) + "\n"
            write_text(kept(chosen), told)


if __name__ == "__main__":
    main()
