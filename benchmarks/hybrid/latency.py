"""The command ``python -m benchmarks.hybrid.latency``: how many times less a decision costs than rolling's.

Every round times both on the same days, one after the other, so that what else the machine does strikes
both; the report has the medians and the ranges of the rounds.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from stepwatt.formulation.files import write_text
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy

from .cases import Case, cases
from .common import LARGE_BATCH, RESULTS, about
from .playing import played_at_once, renewed, solved

KEPT = RESULTS / "latency.json"
ROUNDS = 5
#: Hours after which foresight is renewed, by set; half-hour slots otherwise.
HOURS = (1.0, 2.0, 3.0)
BUT = {"five-minute slots": (1.0,)}


def measure(name: str, case: Case, rounds: int = ROUNDS, size: int = LARGE_BATCH) -> dict[str, list[float]]:
    """CPU seconds per decision, round by round, of rolling and of each policy."""
    days = case.days(name)
    policies = {f"renewed {hours:g} h": renewed(days, hours) for hours in BUT.get(name, HOURS)}
    found: dict[str, list[float]] = {"rolling": [], **{policy: [] for policy in policies}}
    for _ in range(rounds):
        found["rolling"].append(solved(days, "rolling day-ahead")["seconds_1"])
        for policy, task in policies.items():
            found[policy].append(played_at_once(days, task, ForesightPolicy(), size).seconds)
    return found


def main(kept: Path = KEPT) -> None:
    """Measure, and keep the figures for the report."""
    torch.set_num_threads(1)
    rows: dict[str, dict[str, list[float]]] = {}
    for name, case in cases(quick=False).items():
        rows[name] = measure(name, case)
        print(name, rows[name], flush=True)
        write_text(kept, json.dumps({"sets": rows, "about": about()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
