"""The command ``python -m benchmarks.hybrid.validation``: foresight against rolling on validation days.

Where test days are few their intervals are wide; these are more days, but prices were tuned on some of them.
"""

from __future__ import annotations

import json

import numpy as np
import torch

import stepwatt as sw
from stepwatt.formulation.files import write_text
from stepwatt.learning.training.families import Family
from stepwatt.scores.intervals import difference_interval

from .cases import TRAINED_ON, Case, cases
from .causes import gaps
from .common import RESULTS, VALIDATION_SEED, about

KEPT = RESULTS / "validation.json"
#: Every so many validation days of the home region, by set.
EVERY = {
    "unseen months": 1,
    "larger batteries": 1,
    "demand charge": 2,
    "generator": 2,
    "five-minute slots": 2,
}
#: Hours after which the rest of the day is planned again; 0 plans once.
RENEWED = {"foresight": 0.0, "renewed 4 h": 4.0, "renewed 3 h": 3.0, "renewed 2 h": 2.0, "renewed 1 h": 1.0}


def measure(case: Case, every: int) -> dict[str, object]:
    """Mean gap % of rolling, and by policy its mean gap % and the difference to rolling's."""
    family: Family = case.family.changed(regions=TRAINED_ON[:1], every=every)
    instances = case.changed(family.instances("validation"))
    bound = np.array([sw.solve(inst, "lp").bound for inst in instances])
    earned = [
        sw.solve(inst, "rolling", forecast="day-ahead", seed=VALIDATION_SEED + number).utility
        for number, inst in enumerate(instances)
    ]
    rolling = 100 * (bound - np.array(earned)) / np.abs(bound)
    found: dict[str, object] = {"days": len(instances), "rolling": float(rolling.mean())}
    for name, hours in RENEWED.items():
        gap = gaps(instances, "day-ahead", bound, renewal=round(hours / instances[0].slot_hours))
        beside = difference_interval(gap[None], rolling[None], 0)
        found[name] = [float(gap.mean()), beside.estimate, beside.low, beside.high]
    return found


def main() -> None:
    """Measure, and keep the figures for the report."""
    torch.set_num_threads(1)
    sets = cases(quick=False)
    rows = {}
    for name, every in EVERY.items():
        rows[name] = measure(sets[name], every)
        print(name, rows[name], flush=True)
    write_text(KEPT, json.dumps({"sets": rows, "about": about()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
