"""Instances to try, each from a seed and a number: every feature, days after days, numbers at the edges."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from stepwatt.formulation import Instance

from .edges import at_the_edges

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from strategies import FEATURES, RARE, SLOT_HOURS, random_file

File = dict[str, Any]


#: The share whose numbers lie at the edges of what is accepted.
EXTREME = 0.2

#: How many slots and sites: mostly few, so that many are tried.
SLOTS, SITES = (0.2, 0.35, 0.23, 0.14, 0.05, 0.03), (0.45, 0.4, 0.15)


def drawn_file(seed: int, number: int) -> File:
    """The instance file of that number."""
    return drawn(seed, number)[0]


def drawn(seed: int, number: int) -> tuple[File, list[str]]:
    """The instance file of that number, and what it was meant to have."""
    rng = np.random.default_rng([seed, number])
    few = rng.random() < 0.3  # where all features come together little of any is left
    share = 0.15 if few else 0.45
    features = [name for name in FEATURES if rng.random() < (0.12 if name in RARE else share)]
    file = random_file(
        rng,
        n_slots=1 + int(rng.choice(len(SLOTS), p=SLOTS)),
        n_sites=1 + int(rng.choice(len(SITES), p=SITES)),
        slot_hours=float(rng.choice(SLOT_HOURS)),
        features=features,
    )
    file["closes"] = bool(rng.random() < 0.85)
    features += [] if file["closes"] else ["does not close"]
    features += ["constant weather"] if _calm(file, np.random.default_rng([seed, number, 1])) else []
    if rng.random() < 0.15:
        file, features = _after(file), [*features, "after another"]
    edges = np.random.default_rng([seed, number, 2])
    if edges.random() < EXTREME:
        return at_the_edges(file, edges), [*features, "extreme"]
    return file, features


def _calm(file: File, rng: np.random.Generator) -> bool:
    """Whether some site now has one number for a series of its cooling."""
    calm = False
    for site in file["sites"].values():
        for name in ("pue", "cop", "outside_c"):
            if name in site["cooling"] and rng.random() < 0.15:
                site["cooling"][name] = site["cooling"][name][0]
                calm = True
    return calm


def _after(file: File) -> File:
    """The instance that begins where this one ends, run slot by slot; itself where that cannot be."""
    from stepwatt.solvers import solve

    for site in file["sites"].values():
        site["grid"]["demand_interval_slots"] = 1
    first = Instance.from_dict({**file, "closes": False})
    result = solve(first, "greedy")
    return file if result.schedule is None else first.after(result.schedule).to_dict() | {"closes": True}
