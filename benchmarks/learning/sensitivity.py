"""Study e: what the settings of the literal jemas agent do: W, M, η, and the condition on (s,a).

python -m benchmarks.learning.sensitivity [--seeds 3] [--cells 'eta-*'] [--quick]
"""

from __future__ import annotations

from typing import Any

from . import convergence
from .common import Cell, begin, parser, run_cells
from .days import Spread

STUDY = "sensitivity"
SEEDS = 3
ENV_STEPS = 8_000
BASE: dict[str, Any] = {"steps": 5, "latent": 128, "weight": 0.4, "update_every": 4}


def variants() -> dict[str, dict[str, Any]]:
    """One setting changed at a time from the paper's W = 5, M = 128, η = 0.4."""
    made: dict[str, dict[str, Any]] = {"W5-M128-eta0.4": {}}
    made |= {f"W-{w}": {"steps": w} for w in (3, 7)}
    made |= {f"M-{m}": {"latent": m} for m in (64, 256)}
    made["unconditioned"] = {"conditioned": False}
    made |= {f"eta-0.{n}": {"weight": n / 10} for n in (1, 8, 2, 6, 3, 5, 7)}
    return made


def cells(seeds: int, quick: bool) -> list[Cell]:
    """One cell per variant."""
    spread = Spread(train=20, validation=15, test=30) if quick else Spread()
    steps = 1_500 if quick else ENV_STEPS
    made = []
    for name, changed in variants().items():
        training = convergence.training("sac", "jemas", seeds, steps) | {"shaping": BASE | changed}
        made.append(Cell(name, training, spread=spread))
    return made


def main() -> None:
    """Run what is missing of the study."""
    chosen = parser(__doc__).parse_args()
    folder = begin(STUDY, chosen)
    plans = cells(chosen.seeds or (2 if chosen.quick else SEEDS), chosen.quick)
    if chosen.list:
        print("\n".join(cell.name for cell in plans))
        return
    run_cells(
        plans, folder, only=chosen.cells, workers=chosen.workers, say=lambda text: print(text, flush=True)
    )


if __name__ == "__main__":
    main()
