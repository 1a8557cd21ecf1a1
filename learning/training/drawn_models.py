"""Days on which the models of the sites are drawn: for policies that are to play models nobody has seen yet.

One day in three is as it is. On the others figures are drawn around the instance's own: time and energy of a
step, and how soon quality rises; for each site's model, or, on one day in three, once for all of them, so
that the same runs everywhere. Arrivals stay, so that fleets are now idle and now too small.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from stepwatt.formulation import Instance

#: How often models stay as they are, and how often all others have the same one.
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
    alike = rng.random() < ALL_ALIKE
    of_all, rate = _factor(rng, TIME_OF_ALL), float(np.exp(rng.uniform(*np.log(RATE))))
    midpoint = rng.uniform(*MIDPOINT)

    def drawn() -> dict[str, Any]:
        model: dict[str, Any] = copy.deepcopy(known[rng.integers(len(known))])
        time, energy = of_all * _factor(rng, TIME), _factor(rng, ENERGY)
        for figure in ("seconds_fixed", "seconds_per_step"):
            model[figure] *= time
        for figure in ("joules_fixed", "joules_per_step"):
            model[figure] *= time * energy
        span = rng.uniform(*SPAN)
        for curve in model["quality"].values():
            if curve["kind"] == "sigmoid":
                curve["span"] *= span
                curve["rate"] *= rate
                curve["midpoint"] *= midpoint
        return model

    if alike:
        values["models"] = dict.fromkeys(models, drawn())
    else:
        values["models"] = {name: drawn() for name in models}
    return Instance.from_dict(values)


def _factor(rng: np.random.Generator, most: float) -> float:
    return float(np.exp(rng.uniform(-np.log(most), np.log(most))))
