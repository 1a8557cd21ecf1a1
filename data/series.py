"""Hourly price, carbon, sun and wind by zone: the embedded European year and the user's own CSV.

A *series* is a DataFrame indexed by (``zone``, ``timestamp_utc``), hourly and without gaps, with the columns

===========================  =========  ==============================================================
column                       unit       meaning
===========================  =========  ==============================================================
``price_usd_per_mwh``        USD/MWh    market price
``carbon_lca_g_per_kwh``     g CO2/kWh  life-cycle carbon intensity of the grid (equals kg/MWh)
``pv_cf``, ``wind_cf``       0..1       capacity factors of photovoltaics and wind
``temp_c`` (optional)        °C         outside air
===========================  =========  ==============================================================

Every stamp is the start of an hour in UTC, so daylight saving never makes an hour ambiguous or missing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError

REQUIRED = ("price_usd_per_mwh", "carbon_lca_g_per_kwh", "pv_cf", "wind_cf")
OPTIONAL = ("temp_c",)
RANGES = {
    "carbon_lca_g_per_kwh": (0.0, np.inf),
    "pv_cf": (0.0, 1.0),
    "wind_cf": (0.0, 1.0),
    "temp_c": (-90.0, 70.0),
}
HOUR = pd.Timedelta(hours=1)


def as_series(flat: pd.DataFrame) -> pd.DataFrame:
    """A series from a table with ``timestamp_utc``, ``region`` and the columns; every cell is checked."""
    for column in ("timestamp_utc", "region", *REQUIRED):
        if column not in flat.columns:
            raise InputError(
                field="columns", value=list(map(str, flat.columns)), expected=f"a column {column}"
            )
    if flat.empty:
        raise InputError(field="rows", value=0, expected="at least one")
    values = [*REQUIRED, *(column for column in OPTIONAL if column in flat.columns)]
    try:
        stamps = pd.to_datetime(flat["timestamp_utc"], utc=True, format="ISO8601")
    except ValueError as error:
        raise InputError(field="timestamp_utc", value=str(error), expected="ISO 8601 times in UTC") from error
    for column in values:
        _check_column(flat[column], column)
    zones = pd.Index(flat["region"].astype(str), name="zone")
    index = pd.MultiIndex.from_arrays([zones, pd.DatetimeIndex(stamps, name="timestamp_utc")])
    series = flat[values].astype(float).set_axis(index).sort_index()
    for zone in zone_list(series):
        _check_hours(series, zone)
    return series


def _check_column(column: pd.Series, name: str) -> None:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    low, high = RANGES.get(name, (-np.inf, np.inf))
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers < low) | (numbers > high))
    if bad.size:
        row = int(bad[0])
        expected = "a finite number" if np.isinf(low) else f"a finite number from {low:g} to {high:g}"
        raise InputError(
            field=f"{name}[{row}]", value=column.tolist()[row], expected=expected, more=bad.size - 1
        )


def _check_hours(series: pd.DataFrame, zone: str) -> None:
    times = series.loc[zone].index
    if times[0] != times[0].floor("h"):
        raise InputError(field=f"timestamp_utc of {zone}", value=str(times[0]), expected="full hours")
    steps = np.flatnonzero(times[1:] - times[:-1] != HOUR)
    if steps.size:
        value = f"{times[steps[0]]} then {times[steps[0] + 1]}"
        raise InputError(
            field=f"timestamp_utc of {zone}", value=value, expected="every hour once, none missing"
        )


def zone_list(series: pd.DataFrame) -> list[str]:
    """The zones of a series, sorted."""
    return sorted(series.index.unique("zone"))


def covered(series: pd.DataFrame, zone: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First hour of a zone and the end of its last hour (UTC)."""
    times = _of_zone(series, zone).index
    return times[0], times[-1] + HOUR


def _of_zone(series: pd.DataFrame, zone: str) -> pd.DataFrame:
    if zone not in series.index.unique("zone"):
        raise InputError(field="zone", value=zone, expected="one of " + ", ".join(zone_list(series)))
    return series.loc[[zone]].droplevel("zone")


def window(
    series: pd.DataFrame, zone: str, start: pd.Timestamp, n_slots: int, slot_minutes: int
) -> pd.DataFrame:
    """The rows of ``zone`` for ``n_slots`` slots of ``slot_minutes`` from ``start``, indexed by slot start.

    Hourly values are held within the hour, so means over whole hours do not depend on the slot length.
    ``start`` must lie on the slot grid of its hour, and ``slot_minutes`` must divide 60.
    """
    check_grid(start, n_slots, slot_minutes)
    hours = _of_zone(series, zone)
    slots = pd.date_range(start, periods=n_slots, freq=pd.Timedelta(minutes=slot_minutes), name="slot")
    first, end = hours.index[0], hours.index[-1] + HOUR
    if start < first or slots[-1] >= end:
        value = f"{start:%Y-%m-%dT%H:%MZ} + {n_slots} slots of {slot_minutes} min"
        expected = (
            f"a window inside {first:%Y-%m-%dT%H:%MZ} .. {end:%Y-%m-%dT%H:%MZ}, the hours known for {zone}"
        )
        raise InputError(field="start", value=value, expected=expected)
    return hours.loc[slots.floor("h")].set_axis(slots)


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
