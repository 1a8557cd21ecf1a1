"""Jobs of a project folder: counted in a log of requests, or drawn around stated means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

from ..building.slots import Slots
from ..jobs import read_jobs
from ..scenarios.arrivals import counts
from ..tables.told import How

_DRAWN = ("per_hour", "peak_hour", "swing", "burstiness", "seed")

#: Of a log: what readers take, which class each of its names is, and whether nothing came before and after.
_READ = ("layout", "time", "job_class", "tz", "start", "count", *How.__annotations__)
_COUNTED = ("file", "classes", "quiet_outside", *_READ)


def jobs_of(
    table: Mapping[str, Any], path: str, slots: Slots, origin: int, folder: Path
) -> dict[str, Any] | pd.DataFrame:
    """Jobs by class of one site, from its table.

    Raises:
        InputError: no means, or a number out of range.
    """
    known = _COUNTED if "file" in table else ("file", *_DRAWN)
    for key, value in table.items():
        if key not in known:
            raise InputError(field=f"{path}.{key}", value=value, expected=one_of(known, key))
    return _counted(table, path, slots, folder) if "file" in table else _drawn(table, path, slots, origin)


def _counted(table: Mapping[str, Any], path: str, slots: Slots, folder: Path) -> pd.DataFrame:
    """Requests of a log by slot, under the names of the classes here."""
    how = {key: value for key, value in table.items() if key in _READ}
    file = table["file"]
    if not isinstance(file, str) or not file:
        raise InputError(field=f"{path}.file", value=file, expected="the name of a file in the folder")
    found = read_jobs(folder / file, every=f"{slots.length.value / 60e9:g}min", **how)
    names = table.get("classes", {})
    if not isinstance(names, Mapping):
        expected = 'a class for each name in the log, such as { chat = "interactive" }'
        raise InputError(field=f"{path}.classes", value=names, expected=expected)
    for name in names:
        if name not in found.columns:
            raise InputError(field=f"{path}.classes.{name}", value=name, expected=one_of(found.columns, name))
    named = found.rename(columns=dict(names)).T.groupby(level=0).sum().T
    if table.get("quiet_outside", False):
        stamps = pd.DatetimeIndex(pd.to_datetime(slots.edges[:-1], utc=True)).tz_convert(slots.start.tz)
        named = named.reindex(stamps.union(pd.DatetimeIndex(named.index)), fill_value=0)
    return named


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
