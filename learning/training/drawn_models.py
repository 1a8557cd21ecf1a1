"""Days on which the models of the sites are drawn: for policies that are to play models nobody has seen yet.

One day in three is as it is. On the others each site's model is one of the instance's (on one day in three
the same everywhere) with figures drawn around it: time and energy of a step, and how soon quality rises.
Arrivals stay, so that fleets are now idle and now too small.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from stepwatt.formulation import Instance

#: How often models stay as they are, and how often all sites draw theirs around the same one.
AS_IT_IS, ALL_ALIKE = 1 / 3, 1 / 3
#: Largest factor, or its inverse, on the time of all models together, on the time of each, on energy.
TIME_OF_ALL, TIME, ENERGY = 2.0, 1.5, 1.6
#: Factors on how fast a sigmoid quality rises, on the steps where it does, and on what it reaches.
RATE, MIDPOINT, SPAN = (0.8, 3.0), (0.5, 1.1), (0.85, 1.15)


def with_drawn_models(instance: Instance, rng: np.random.Generator) -> Instance:
    """The instance with other figures of its models, on every day of which no draw says that it stays."""
    if rng.random() < AS_IT_IS:
        return instance
    values = instance.to_dict()
    models: dict[str, Any] = values["models"]
    known = list(models.values())
    alike = known[rng.integers(len(known))] if rng.random() < ALL_ALIKE else None
    of_all, rate = _factor(rng, TIME_OF_ALL), np.exp(rng.uniform(*np.log(RATE)))
    midpoint = rng.uniform(*MIDPOINT)
    for name in models:
        drawn = copy.deepcopy(known[rng.integers(len(known))] if alike is None else alike)
        time, energy = of_all * _factor(rng, TIME), _factor(rng, ENERGY)
        for figure in ("seconds_fixed", "seconds_per_step"):
            drawn[figure] *= time
        for figure in ("joules_fixed", "joules_per_step"):
            drawn[figure] *= time * energy
        span = rng.uniform(*SPAN)
        for curve in drawn["quality"].values():
            if curve["kind"] == "sigmoid":
                curve["span"] *= span
                curve["rate"] *= rate
                curve["midpoint"] *= midpoint
        models[name] = drawn
    return Instance.from_dict(values)


def _factor(rng: np.random.Generator, most: float) -> float:
    return float(np.exp(rng.uniform(-np.log(most), np.log(most))))
