"""The command ``python -m benchmarks.hybrid.by_solve``: foresight as ``solve`` plays it, beside its cells.

Cells are played in the environment, where prices are actions and so are cut to the codec's box; the method
does not cut them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stepwatt.formulation import evaluate
from stepwatt.formulation.files import write_text
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy

from .cases import Case, Days, cases
from .common import RESULTS, TEST_SEED, about
from .tables import cell_file, gaps_of

KEPT = RESULTS / "by-solve.json"


def policy_of(method: str) -> ForesightPolicy | None:
    """The policy of a cell's name; None for those of other kinds."""
    kind, _, rest = method.partition(" ")
    if kind == "renewed":
        return ForesightPolicy(renewal_hours=float(rest.split()[0]), seed=TEST_SEED)
    return ForesightPolicy(rest or "day-ahead", 0.0, TEST_SEED) if kind == "foresight" else None


def measure(name: str, case: Case, days: Days, folder: Path = RESULTS) -> dict[str, list[float]]:
    """By policy: mean gap % of the cell and of the method, largest difference of a day, % of its bound."""
    found: dict[str, list[float]] = {}
    bound = json.loads(cell_file(name, "oracle", folder).read_text(encoding="utf-8"))
    for method in case.methods:
        policy = policy_of(method)
        if policy is None:
            continue
        cell = json.loads(cell_file(name, method, folder).read_text(encoding="utf-8"))
        past = days.histories if policy.information == "persistence" else None
        plans = policy.schedules(days.instances, past)
        earned = [evaluate(*pair).utility for pair in zip(days.instances, plans, strict=True)]
        played, solved = gaps_of(cell, bound)[0], gaps_of({"utility": earned}, bound)[0]
        found[method] = [float(played.mean()), float(solved.mean()), float(np.abs(played - solved).max())]
    return found


def main(kept: Path = KEPT) -> None:
    """Measure, and keep the figures for the report."""
    rows = {name: measure(name, case, case.days(name)) for name, case in cases(quick=False).items()}
    write_text(kept, json.dumps({"sets": rows, "about": about()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
