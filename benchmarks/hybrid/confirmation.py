"""The command ``python -m benchmarks.hybrid.confirmation``: renewed foresight against rolling on test days
that the study has not looked at.

Policies, days, measure and verdict were fixed, and committed, before it was run: foresight renewed every two
hours, every three with demand charges and every hour in five-minute slots; all test days of the second home
region, of which the study takes none (every fourth of them in five-minute slots), and of unseen regions every
tenth day that no set takes and that an earlier confirmation did not take; by set, the difference of
interquartile means of the gap to rolling with the same day-ahead forecasts, paired by day. Confirmed is "no
worse than rolling" where the interval reaches 0 or lies below, and the other targets where they are met.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stepwatt.learning.codecs import PricedCodec
from stepwatt.learning.families import Family
from stepwatt.learning.problem import shape_of
from stepwatt.learning.statistics import difference_interval

from .__main__ import PRICED, RESULTS, about, played, solved
from .cases import TRAINED_ON, Case, Days, cases

KEPT = RESULTS / "confirmation.json"
#: The home region that no set of the study takes test days from.
REGION = TRAINED_ON[1:]
#: Of unseen regions: positions of test days that the study takes are multiples of this; of those that are
#: left, from which one on, and every so many.
TAKEN, FIRST = 30, 5
#: Every so many test days, by set.
EVERY = {"unseen regions": 10, "five-minute slots": 4}
#: Hours after which foresight is renewed.
HOURS = {"demand charge": 3.0, "five-minute slots": 1.0}


def unseen(name: str, case: Case) -> Days:
    """The days of a set that the study does not take."""
    every = EVERY.get(name, 1)
    if name == "unseen regions":
        family: Family = replace(case.family, every=1)
        count = len(family.days("test"))
        left = [n for n in range(count) if n % TAKEN][FIRST::every]
        places = [region * count + n for region in range(len(family.regions)) for n in left]
    else:
        family = replace(case.family, regions=REGION, every=every)
        places = list(range(len(family.days("test"))))
    whole = family.instances("test"), family.histories("test")
    return Days(name, *(case.changed([part[n] for n in places]) for part in whole))


def measure(name: str, case: Case) -> dict[str, object]:
    """Gaps % and misses of rolling and of the policy, day by day, and the difference."""
    begun = time.process_time()
    days = unseen(name, case)
    first = days.instances[0]
    hours = HOURS.get(name, 2.0)
    size = PricedCodec(shape_of(first.arrays())).size
    task = replace(PRICED, renewal=round(hours / first.slot_hours))
    bound = np.array(solved(days, "oracle")["utility"])
    off, rolling = (np.array(solved(days, method)["utility"]) for method in ("all-off", "rolling day-ahead"))
    found = played(days, task, lambda seen: torch.zeros(len(seen), size, dtype=seen.dtype), timed=False)

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


def main(kept: Path = KEPT) -> None:
    """Measure, once, and keep the figures for the report."""
    torch.set_num_threads(1)
    rows: dict[str, object] = {}
    for name, case in cases(quick=False).items():
        rows[name] = measure(name, case)
        print(name, "done", flush=True)
        kept.write_text(json.dumps({"sets": rows, "about": about()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
