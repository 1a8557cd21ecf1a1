"""Jobs of a project folder: drawn around stated means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

from ..building.slots import Slots
from ..scenarios.arrivals import counts
from .sources import Sources

_DRAWN = ("per_hour", "peak_hour", "swing", "burstiness", "seed")


def jobs_of(
    table: Mapping[str, Any], path: str, slots: Slots, origin: int, sources: Sources
) -> dict[str, Any] | pd.DataFrame:
    """Jobs by class of one site, from its table.

    Raises:
        InputError: no means, or a number out of range.
    """
    for key, value in table.items():
        if key not in _DRAWN:
            raise InputError(field=f"{path}.{key}", value=value, expected=one_of(_DRAWN, key))
    return _drawn(table, path, slots, origin)


def _drawn(table: Mapping[str, Any], path: str, slots: Slots, origin: int) -> dict[str, Any]:
    """Poisson counts around a daily wave on the local clock, mixed by gamma noise."""
    means = table.get("per_hour")
    if not isinstance(means, Mapping) or not means:
        expected = "jobs an hour by class, such as { urgent = 400 }"
        raise InputError(field=f"{path}.per_hour", value=means, expected=expected)
    peak = _number(table, "peak_hour", 15.0, path, 0.0, 24.0)
    swing = _number(table, "swing", 0.4, path, 0.0, 1.0)
    burstiness = _number(table, "burstiness", 0.05, path, 0.0, 100.0)
    seed = table.get("seed", 0)
    if type(seed) is not int or seed < 0:
        raise InputError(field=f"{path}.seed", value=seed, expected="a whole number of at least 0")
    middle = pd.date_range(slots.start + slots.length / 2, periods=slots.count, freq=slots.length)
    hours = np.asarray(middle.hour + middle.minute / 60, dtype=float)
    wave = 1.0 + swing * np.cos(2 * np.pi * (hours - peak) / 24)
    found = {}
    for k, name in enumerate(means):
        mean = _number(means, name, 0.0, f"{path}.per_hour", 0.0, 1e9) * slots.hours
        # variance of the mean itself, as a share of its square
        shape = 1.0 / burstiness if burstiness > 0 else 1e12
        found[name] = counts(mean * wave, shape, seed, slots.start, origin, k).astype(float)
    return found


def _number(table: Mapping[str, Any], key: str, default: float, path: str, low: float, high: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        expected = f"a number from {low:g} to {high:g}"
        raise InputError(field=f"{path}.{key}", value=value, expected=expected)
    return float(value)
