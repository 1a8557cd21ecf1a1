"""Kept results and the curves in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .common import Record

Floats = NDArray[np.float64]


def load(folder: Path) -> dict[str, Record]:
    """The records of a folder by name."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def curve(record: Record, axis: str) -> tuple[Floats, Floats]:
    """Places (K,) on an axis and the share of the bound that each run earns there (S,K)."""
    at = np.array(record["curve"][axis], dtype=float)
    if axis == "cpu_seconds":
        at = at / len(record["seeds"])
    share = 1.0 - np.array(record["curve"]["gap"], dtype=float)
    # before the first update several evaluations lie on one place: the last of them stays
    kept = np.append(np.diff(at) > 0, True)
    return at[kept], share[:, kept]
