"""Price, carbon, sun and wind by zone: the embedded European year and the user's own series.

A *series* is a DataFrame indexed by (``zone``, ``timestamp_utc``), in steps that divide the hour (or hourly),
without gaps, with the columns

===========================  =========  ==============================================================
column                       unit       meaning
===========================  =========  ==============================================================
``price_usd_per_mwh``        USD/MWh    market price
``carbon_lca_g_per_kwh``     g CO2/kWh  life-cycle carbon intensity of the grid (equals kg/MWh)
``pv_cf``, ``wind_cf``       0..1       capacity factors of photovoltaics and wind
``temp_c`` (optional)        °C         outside air
===========================  =========  ==============================================================

Every stamp is the start of a step in UTC, so daylight saving never makes an hour ambiguous or missing. Zones
may differ in their steps.
"""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError

REQUIRED = ("price_usd_per_mwh", "carbon_lca_g_per_kwh", "pv_cf", "wind_cf")
OPTIONAL = ("temp_c",)
RANGES = {
    "carbon_lca_g_per_kwh": (0.0, np.inf),
    "pv_cf": (0.0, 1.0),
    "wind_cf": (0.0, 1.0),
    "temp_c": (-90.0, 70.0),
}
INDEX = ("zone", "timestamp_utc")
MINUTE = pd.Timedelta(minutes=1)


def as_series(table: pd.DataFrame) -> pd.DataFrame:
    """A series, every cell checked, from one, or from a table that also has ``timestamp_utc`` and ``region``.

    Stamps without an offset are UTC, as their name says.

    Raises:
        InputError: which names the column and the row, or the zone and the time.
    """
    flat = table
    if tuple(table.index.names) == INDEX:
        flat = table.reset_index().rename(columns={"zone": "region"})
    for column in ("timestamp_utc", "region", *REQUIRED):
        if list(flat.columns).count(column) != 1:
            raise InputError(
                field="columns", value=list(map(str, flat.columns)), expected=f"a column {column}, once"
            )
    if flat.empty:
        raise InputError(field="rows", value=0, expected="at least one")
    values = [*REQUIRED, *(column for column in OPTIONAL if column in flat.columns)]
    index = pd.MultiIndex.from_arrays([_zones(flat["region"]), _stamps(flat["timestamp_utc"])])
    numbers = {column: _numbers(flat[column], column) for column in values}
    series = pd.DataFrame(numbers, index=index).sort_index()
    for zone in zone_list(series):
        step_minutes(pd.DatetimeIndex(series.loc[zone].index), zone)
    return series


def _zones(column: pd.Series) -> pd.Index:
    codes, found = pd.factorize(column.astype(object), use_na_sentinel=False)
    for code, zone in enumerate(found):
        if not isinstance(zone, str | int) or isinstance(zone, bool) or not str(zone).strip():
            row = int(np.flatnonzero(codes == code)[0])
            raise InputError(field=f"region[{row}]", value=zone, expected="the name of a zone")
    return pd.Index([str(zone) for zone in found], name="zone").take(codes)


def _stamps(column: pd.Series) -> pd.DatetimeIndex:
    expected = "ISO 8601 times in UTC"
    known = isinstance(column.dtype, pd.DatetimeTZDtype | pd.StringDtype) or column.dtype.kind == "M"
    times = column.isna() if known else [not _is_time(stamp) for stamp in column]
    for row in np.flatnonzero(times):
        raise InputError(field=f"timestamp_utc[{row}]", value=column.tolist()[row], expected=expected)
    try:
        stamps = pd.to_datetime(column, utc=True, format="ISO8601")
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(field="timestamp_utc", value=str(error), expected=expected) from error
    return pd.DatetimeIndex(stamps, name="timestamp_utc")


def _numbers(column: pd.Series, name: str) -> NDArray[np.float64]:
    low, high = RANGES.get(name, (-np.inf, np.inf))
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"
    numbers = np.array(column if plain else [_number(value) for value in column], dtype=float)
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers < low) | (numbers > high))
    if bad.size:
        row = int(bad[0])
        expected = "a finite number" if np.isinf(low) else f"a finite number from {low:g} to {high:g}"
        raise InputError(
            field=f"{name}[{row}]", value=column.tolist()[row], expected=expected, more=bad.size - 1
        )
    return numbers


def _is_time(stamp: object) -> bool:
    return isinstance(stamp, str | dt.datetime | np.datetime64) and not pd.isna(stamp)


def _number(value: object) -> float:
    """The number that a cell is or spells; else none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | np.number):
        return np.nan
    try:
        return np.nan if isinstance(value, str) and "_" in value else float(value)
    except (ValueError, OverflowError):
        return np.nan


def step_minutes(times: pd.DatetimeIndex, zone: str) -> int:
    """Minutes between the stamps of a zone, sorted; a single one counts as an hour.

    Raises:
        InputError: steps that do not divide the hour or do not begin on it, a time missing or given twice.
    """
    field = f"timestamp_utc of {zone}"
    gaps = np.diff(times.tz_convert(None).to_numpy()) / np.timedelta64(1, "m")
    sizes, counts = np.unique(gaps[gaps > 0], return_counts=True)
    minutes = float(sizes[counts.argmax()]) if sizes.size else 60.0
    if minutes < 1 or 60 % minutes:
        value = f"steps of {minutes:g} minutes"
        raise InputError(field=field, value=value, expected="whole hours, or steps that divide the hour")
    whole = int(minutes)
    if times[0] != times[0].floor(f"{whole}min"):
        expected = "full hours" if whole == 60 else f"multiples of {whole} minutes"
        raise InputError(field=field, value=str(times[0]), expected=expected)
    wrong = np.flatnonzero(gaps != whole)
    if wrong.size:
        value = f"{times[wrong[0]]} then {times[wrong[0] + 1]}"
        name = "hour" if whole == 60 else f"{whole} minutes"
        raise InputError(field=field, value=value, expected=f"every {name} once, none missing")
    return whole


def zone_list(series: pd.DataFrame) -> list[str]:
    """The zones of a series, sorted."""
    return sorted(series.index.unique("zone"))


def covered(series: pd.DataFrame, zone: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First time of a zone and the end of its last step (UTC)."""
    rows, minutes = _of_zone(series, zone)
    return rows.index[0], rows.index[-1] + minutes * MINUTE


def _of_zone(series: pd.DataFrame, zone: str) -> tuple[pd.DataFrame, int]:
    """The rows of a zone, checked, and the minutes of a step."""
    if tuple(series.index.names) != INDEX:
        raise InputError(field="series", value=list(series.index.names), expected=f"an index of {INDEX}")
    try:
        place = series.index.get_loc(zone)
    except (KeyError, TypeError) as error:
        raise InputError(
            field="zone", value=zone, expected="one of " + ", ".join(zone_list(series))
        ) from error
    its_own = series.iloc[slice(place, place + 1) if isinstance(place, int) else place]
    rows = its_own.droplevel("zone")
    times = rows.index
    if not isinstance(times, pd.DatetimeIndex) or times.tz is None or not times.is_monotonic_increasing:
        rows = as_series(its_own).droplevel("zone")
    for column in [*REQUIRED, *(column for column in OPTIONAL if column in rows)]:
        if column not in rows:
            raise InputError(field="columns", value=list(rows.columns), expected=f"a column {column}")
        _numbers(rows[column], column)
    return rows, step_minutes(pd.DatetimeIndex(rows.index), zone)


def window(
    series: pd.DataFrame, zone: str, start: pd.Timestamp, n_slots: int, slot_minutes: int
) -> pd.DataFrame:
    """The rows of ``zone`` for ``n_slots`` slots of ``slot_minutes`` from ``start``, indexed by slot start.

    A value holds within its step, and a slot has the mean over its time: means over whole hours depend on
    neither length. ``start`` must lie on the slot grid of its hour, and ``slot_minutes`` must divide 60.

    Raises:
        InputError: a zone or a time that the series does not have, or a series that breaks its rules.
    """
    check_grid(start, n_slots, slot_minutes)
    rows, step = _of_zone(series, zone)
    slots = pd.date_range(start, periods=n_slots, freq=slot_minutes * MINUTE, name="slot")
    first, end = rows.index[0], rows.index[-1] + step * MINUTE
    if start < first or slots[-1] + slot_minutes * MINUTE > end:
        value = f"{start:%Y-%m-%dT%H:%MZ} + {n_slots} slots of {slot_minutes} min"
        expected = (
            f"a window inside {first:%Y-%m-%dT%H:%MZ} .. {end:%Y-%m-%dT%H:%MZ}, the times known for {zone}"
        )
        raise InputError(field="start", value=value, expected=expected)
    part = math.gcd(step, slot_minutes)
    parts = pd.date_range(start, periods=n_slots * slot_minutes // part, freq=part * MINUTE)
    held = rows.to_numpy()[(parts - first) // (step * MINUTE)]
    if slot_minutes > part:
        held = held.reshape(n_slots, slot_minutes // part, -1).mean(axis=1)
    return pd.DataFrame(held, index=slots, columns=rows.columns)


def check_grid(start: pd.Timestamp, n_slots: int, slot_minutes: int) -> None:
    """Slots must divide the hour and the first one must start on their grid; the error is one line."""
    if type(slot_minutes) is not int or slot_minutes < 1 or 60 % slot_minutes:
        raise InputError(
            field="slot_minutes", value=slot_minutes, expected="a whole number of minutes that divides 60"
        )
    if type(n_slots) is not int or n_slots < 1:
        raise InputError(field="n_slots", value=n_slots, expected="a whole number of at least 1")
    if start != start.floor(f"{slot_minutes}min"):
        value = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        raise InputError(
            field="start", value=value, expected=f"a multiple of {slot_minutes} minutes after the hour"
        )
