"""Study b: solvers, rules, ablations and learned policies on the same unseen days, with whole jobs.

python -m benchmarks.learning.methods [--cells 'cloned*'] [--quick]
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from . import convergence
from .common import Cell, Record, begin, kept, parser, run_cells, trained_policies
from .days import Spread
from .playing import METHODS, by_method, by_policies
from .reading import load

STUDY = "methods"
SEEDS = 5
#: Solvers take seconds a day: every so many test days.
TEST_EVERY = 8


def learned(seeds: int, quick: bool) -> list[Cell]:
    """What is trained for this study beside the cells of study a.

    From scratch: SAC with the dense reward, unshaped and shaped by the solver. Warm: cloned schedules of more
    days, as they are, refined through the plant, and trained on by SAC.
    """
    spread = Spread(train=20, validation=15, test=30) if quick else Spread()
    most = spread if quick else Spread(train=1)
    cloning, refining, steps = (100, 4, 1_500) if quick else (5_000, 1_200, 20_000)
    wide = {"hidden": [256, 256]}
    careful = {"cloning_weight": 10.0, "cloning_updates": 100_000, "initial_std": 0.05, "actor_rate": 1e-4}
    careful |= {"initial_temperature": 0.001, "target_entropy": -3.0}
    dense = {"reward": "dense"}
    scratch = convergence.training("sac", "none", seeds, steps)
    shaped = convergence.training("sac", "solver-potential", seeds, steps)
    warm = shaped | {"agent": wide | careful, "updates_per_step": 0.125}
    still = scratch | {"agent": wide}
    return [
        Cell("cloned", still, dense, most, cloning_updates=cloning, train=False),
        Cell(
            "cloned-refined",
            still,
            dense,
            most,
            cloning_updates=cloning,
            refining_updates=refining,
            train=False,
        ),
        Cell("sac-dense", scratch, dense, spread),
        Cell("sac-dense-solver-potential", shaped, dense, spread),
        Cell("cloned-sac-dense", warm, dense, most, cloning_updates=cloning),
    ]


def best_shaped(records: list[Record]) -> str:
    """The shaped SAC cell whose last policies have the lowest mean gap on validation days."""
    gaps = {
        record["cell"]: float(np.mean([row[-1] for row in record["curve"]["gap"]]))
        for record in records
        if record["cell"].startswith("sac-") and record["cell"] != "sac-none"
    }
    return min(gaps, key=gaps.__getitem__)


def main() -> None:
    """Run what is missing of the study."""
    chosen = parser(__doc__).parse_args()
    quick = chosen.quick
    seeds = chosen.seeds or (2 if quick else SEEDS)
    folder = begin(STUDY, chosen)
    cells = learned(seeds, quick)
    if chosen.list:
        print("\n".join([*METHODS, *(cell.name for cell in cells)]))
        return
    run_cells(
        cells,
        folder / "trained",
        only=chosen.cells,
        workers=chosen.workers,
        say=lambda text: print(text, flush=True),
    )
    family = (cells[0].spread if quick else Spread(test=TEST_EVERY)).family("test")
    instances, histories = family.instances("test", integral=True), family.histories("test")
    days = {"test_days": [inst.name for inst in instances]}
    for name in METHODS:
        plan = {"method": name, **days}
        if wanted(slug(name), chosen.cells):
            kept(folder, slug(name), plan, lambda name=name: by_method(name, instances, histories))  # type: ignore[misc]
    for cell in [*cells, *of_convergence(folder.parent, quick)]:
        plan = {"policies": cell.described(), **days}
        if wanted(cell.name, chosen.cells):
            kept(folder, cell.name, plan, lambda cell=cell: by_policies(*trained_policies(cell), instances))  # type: ignore[misc]


def wanted(name: str, patterns: Sequence[str]) -> bool:
    """Whether the name is chosen; without patterns all are."""
    return not patterns or any(fnmatch(name, pattern) for pattern in patterns)


def of_convergence(results: Path, quick: bool) -> list[Cell]:
    """Unshaped SAC and the best shaped one of study a, as far as that has come."""
    records = load(results / convergence.STUDY)
    seeds = next((len(record["seeds"]) for record in records.values()), 0)
    cells = {cell.name: cell for cell in convergence.cells(seeds, quick)} if seeds else {}
    names = [name for name in ("sac-none",) if name in records]
    if any(name.startswith("sac-") for name in records.keys() - {"sac-none"}):
        names.append(best_shaped(list(records.values())))
    return [cells[name] for name in names]


def slug(name: str) -> str:
    """A name fit for a file."""
    return name.replace(",", "").replace(" ", "-").lower()


if __name__ == "__main__":
    main()
