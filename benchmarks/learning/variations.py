"""What studies c and d share: methods and policies on the same days as one thing about them is varied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from stepwatt.formulation import Instance

from .common import Record, kept, trained_policies
from .days import Spread
from .methods import SEEDS, learned, of_convergence
from .playing import by_method, by_policies

PLAIN = ("oracle", "greedy")
LEARNED = ("cloned-refined", "sac-dense-solver-potential")
#: Days are as many as make a picture, not a claim.
TEST_EVERY = 24

#: Instances (whole jobs) of a case on the days of a spread.
Case = Callable[[Spread], Sequence[Instance]]


def run_cases(cases: dict[str, Case], folder: Path, only: Sequence[str], quick: bool) -> None:
    """One result per case: every method on the same days."""
    spread = Spread(test=60 if quick else TEST_EVERY)
    policies = [cell for cell in learned(2 if quick else SEEDS, quick) if cell.name in LEARNED]
    policies += of_convergence(folder.parent, quick)
    for name, case in cases.items():
        if only and name not in only:
            continue

        def play(case: Case = case) -> Record:
            instances = list(case(spread))
            found = {method: by_method(method, instances, instances) for method in PLAIN}
            bound = found["oracle"].pop("bound")
            for cell in policies:
                task, runs = trained_policies(cell)
                found[cell.name] = by_policies(task, runs[:SEEDS], instances)
            return {"bound": bound, "methods": found}

        plan = {"every": spread.test, "policies": {cell.name: cell.described() for cell in policies}}
        kept(folder, name, plan, play)
