"""What the parts of the study share: seeds, sizes, where results are kept, how a cell tells of itself."""

from __future__ import annotations

import datetime as dt
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from stepwatt.formulation.manifest import made
from stepwatt.learning.environment.task import TaskSettings

ROOT = Path(__file__).resolve().parents[2]


RESULTS = Path(__file__).resolve().parent / "results"


GENERATIONS, QUICK_GENERATIONS = 16, 2


#: Days side by side where the latency of a batch is measured; the large batch for some methods only.
BATCH, LARGE_BATCH = 64, 1024


LARGE = ("foresight", "renewed 4 h", "renewed 3 h", "renewed 2 h", "renewed 1 h", "priced", "priced network")


TRAIN_SEED, VALIDATION_SEED, TEST_SEED = 100, 5_000, 9_000


#: Seeds of the training.
SEEDS = (0, 1, 2)


PRICED = TaskSettings(codec="priced", reward="dense", foresight=True)


DIRECT = TaskSettings(codec="direct", reward="dense")


NETWORK = TaskSettings(codec="priced", reward="dense")


#: The code that runs, which is that of the moment it was read.
COMMIT = subprocess.run(
    ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.strip()


def about() -> dict[str, Any]:
    """Where and when."""
    return made() | {
        "date": dt.date.today().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "torch": torch.__version__,
        "git": COMMIT,
    }
