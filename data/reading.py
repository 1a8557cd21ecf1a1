"""Prices, carbon intensity and weather from files as people have them, as labelled pandas objects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Unpack

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of

from .importers.layout import WEATHER, is_of
from .importers.registry import layout_of
from .tables.clocks import time_zone
from .tables.grid import Gridded, Lining, named, shown_time
from .tables.notes import tell
from .tables.rows import Rows, chosen_zones
from .tables.table import Source, Table, open_table
from .tables.told import Gaps, How, Told, told
from .tables.units import Conversion, conversion

#: Prices of electricity lie above this somewhere, per MWh: below, they are per kWh.
_LEAST_PRICE = 1.0


def read_prices(
    source: Source,
    layout: str | None = None,
    *,
    zone: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    value: str | Sequence[str] | None = None,
    tz: str | None = None,
    unit: str | None = None,
    to: str | None = None,
    rate: float | None = None,
    gaps: Gaps | None = None,
    **how: Unpack[How],
) -> pd.Series | pd.DataFrame:
    """Electricity prices of a file or frame, by the start of their interval, in money per MWh.

    Args:
        source: a CSV (also packed, and of any usual encoding), or a frame of entsoe-py, gridstatus or your
            own.
        layout: who made it (``docs/data.md`` lists the layouts), or ``columns``; recognised where not said.
        zone: the zone wanted of a file with several, a list of them, or ``all``.
        time: column of stamps, or those of date and time of day, for ``columns``.
        value: column of prices; several are zones.
        tz: time zone of stamps without an offset, and of the result.
        unit: that the numbers are in, where the file does not say it: ``EUR/MWh``, ``USD/kWh``, ``EUR
            ct/kWh``.
        to: unit wanted; else the currency of the file, per MWh.
        rate: what one unit of the file's currency costs in the currency of ``to``.
        gaps: rule for missing steps: ``hold`` the last value, ``interpolate``, or a number to put there.
        how: more about the file, see :class:`stepwatt.data.How`.

    Returns:
        A Series, or a DataFrame with a column a zone where several are asked for, with regular, tz-aware
        starts. ``attrs`` has ``unit``, ``source``, ``layout``, ``resolution``, ``resolutions``, ``gaps``
        (those filled) and ``notes``; what a rule changed is also told as a
        :class:`stepwatt.data.ReadingNote`.

    Raises:
        InputError: with file, row, value and remedy: what cannot be read, or could be read in two ways.
    """
    said = told(zone=zone, time=time, value=value, how=dict(how), tz=tz, unit=unit, gaps=gaps)
    _check_money(to, rate)
    table, rows, name = read_rows(source, layout, said)
    if "price" not in rows.values:
        raise table.wrong("layout", name, f"one with prices; this has {', '.join(rows.values)}")
    change = _money(rows, said, name, to, rate)
    return _result(rows, "price", change, said, name)


def read_carbon(
    source: Source,
    layout: str | None = None,
    *,
    accounting: Literal["life-cycle", "direct"] = "life-cycle",
    zone: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    value: str | Sequence[str] | None = None,
    tz: str | None = None,
    unit: str | None = None,
    gaps: Gaps | None = None,
    **how: Unpack[How],
) -> pd.Series | pd.DataFrame:
    """Carbon intensity of electricity (g CO₂eq/kWh, which is kg/MWh) of a file or frame.

    Args as of :func:`read_prices`; ``accounting`` chooses where a file has both.

    Raises:
        InputError: as of :func:`read_prices`.
    """
    said = told(zone=zone, time=time, value=value, how=dict(how), tz=tz, unit=unit, gaps=gaps)
    if accounting not in ("life-cycle", "direct"):
        raise InputError(field="accounting", value=accounting, expected="life-cycle or direct")
    table, rows, name = read_rows(source, layout, said, quantity="carbon_intensity")
    column = "carbon_intensity_direct" if accounting == "direct" else "carbon_intensity"
    if column not in rows.values:
        raise table.wrong(
            "layout", name, f"one with carbon intensity ({accounting}); this has {', '.join(rows.values)}"
        )
    found = said.unit or rows.units.get(column)
    change = conversion("carbon_intensity", _known_unit(rows, column, found))
    result = _result(rows, column, change, said, name)
    result.attrs["accounting"] = accounting
    return result


def read_weather(
    source: Source,
    layout: str | None = None,
    *,
    zone: str | None = None,
    time: str | Sequence[str] | None = None,
    value: str | Sequence[str] | Mapping[str, str] | None = None,
    tz: str | None = None,
    gaps: Gaps | None = None,
    **how: Unpack[How],
) -> pd.DataFrame:
    """Weather of a file, in columns named as pvlib names them.

    ``temp_air`` (°C), ``ghi``, ``dni``, ``dhi`` (W/m²), ``wind_speed_10m`` and so on (m/s), over the time
    that all of them are known. ``attrs["units"]`` has the units, ``attrs`` also what the file says of the
    place.

    Args as of :func:`read_prices`; ``value`` chooses columns of the result, or tells which column of a plain
    table holds which of them: ``{"temp_air": "Outside (°C)"}``.

    Raises:
        InputError: as of :func:`read_prices`.
    """
    said = told(zone=zone, time=time, how=dict(how), tz=tz, gaps=gaps)
    if isinstance(value, Mapping):
        for quantity in value:
            if not is_of(str(quantity), "weather"):
                raise InputError(field="value", value=quantity, expected=one_of(WEATHER, quantity))
        said, value = replace(said, columns=dict(value)), list(value)
    table, rows, name = read_rows(source, layout, said, quantity="weather")
    wanted = told(value=value).value or tuple(
        q for q in rows.values if q in rows.units and is_of(q, "weather")
    )
    for quantity in wanted:
        if quantity not in rows.values:
            raise table.wrong("value", quantity, one_of(rows.values, quantity))
    if not wanted:
        raise table.wrong("layout", name, f"one with weather; this has {', '.join(rows.values)}")
    parts = {}
    for quantity in wanted:
        change = conversion(quantity, _known_unit(rows, quantity, rows.units.get(quantity)))
        part = _result(rows, quantity, change, said, name)
        if isinstance(part, pd.DataFrame):
            raise table.wrong("zone", list(part.columns), "one place")
        parts[quantity] = part
    first = next(iter(parts.values()))
    frame = pd.concat(parts, axis=1, join="inner")
    if frame.empty:
        raise table.wrong("rows", 0, "a time at which all columns are known")
    frame.attrs |= {
        **{key: first.attrs[key] for key in ("source", "layout", "resolution", "gaps", "notes")},
        "units": {quantity: part.attrs["unit"] for quantity, part in parts.items()},
    }
    frame.attrs.update(rows.about.items())
    frame.index.name = "time"
    return frame


def read_rows(
    source: Source, layout: str | None, said: Told, quantity: str = "price"
) -> tuple[Table, Rows, str]:
    """The table, its rows, and the name of its layout.

    Raises:
        InputError: a layout that is not known, or a table that has not the one said.
    """
    table = open_table(
        source,
        encoding=said.encoding,
        delimiter=said.delimiter,
        header=said.header,
        decimal=said.decimal,
    )
    name, importer = layout_of(table, layout, said, "rows")
    return table, importer.read(table, replace(said, quantity=quantity)), name


def _check_money(to: str | None, rate: float | None) -> None:
    if rate is None:
        return
    if to is None:
        raise InputError(field="rate", value=rate, expected='with to=, the unit it leads to: to="USD/MWh"')
    good = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
    if not good or not math.isfinite(rate) or rate <= 0:
        raise InputError(field="rate", value=rate, expected="a positive number")


def _known_unit(rows: Rows, quantity: str, unit: str | None) -> str:
    if unit is None:
        column = rows.columns.get(quantity, quantity)
        raise rows.table.wrong(f"unit of {column}", None, "the unit of its numbers: say unit=")
    return unit


def _money(rows: Rows, said: Told, layout: str, to: str | None, rate: float | None) -> Conversion:
    """What turns the numbers into the unit wanted."""
    table, stated = rows.table, rows.units.get("price")
    unit = _known_unit(rows, "price", said.unit or stated)
    change = conversion("price", unit)
    if said.unit is not None and stated is not None and conversion("price", stated) != change:
        if rows.firm:
            expected = f'{stated}, as the file says; or read it with layout="columns"'
            raise table.wrong("unit", said.unit, expected)
        table.notes.append(f"numbers are read as {said.unit}; the name of their column says {stated}")
    if said.unit is None and layout in ("columns", "stepwatt"):
        largest = float(np.nanmax(np.abs(rows.values["price"]), initial=0.0)) * change.factor
        if 0 < largest < _LEAST_PRICE:
            expected = f'prices above 1 {change.unit} somewhere; say unit="{unit}" if it is so, or per kWh'
            raise table.wrong("price", f"at most {largest:g}", expected)
    if to is None:
        return change
    wanted = conversion("price", to)
    if wanted.unit == change.unit:
        if rate is not None:
            raise table.wrong("rate", rate, f"no rate between {unit} and {to}")
        return Conversion(to, change.factor / wanted.factor)
    if rate is None:
        one, other = change.unit.split("/")[0], wanted.unit.split("/")[0]
        raise table.wrong("unit", unit, f"{to}; say rate=, the {other} that one {one} costs")
    return Conversion(to, change.factor * rate / wanted.factor)


def _result(
    rows: Rows, quantity: str, change: Conversion, said: Told, layout: str
) -> pd.Series | pd.DataFrame:
    """The zones that are asked for, one as a Series, several as columns over the time that all have."""
    parts = {}
    for label, place in chosen_zones(rows, said):
        parts[label] = zone_series(rows, quantity, label, place, change, said, layout)
    several = said.every_zone or (said.zone is not None and len(said.zone) > 1)
    if not several:
        return next(iter(parts.values()))
    steps = {label: part.index[1] - part.index[0] for label, part in parts.items() if len(part) > 1}
    shortest = min(steps.values(), default=None)
    held = {
        label: part if shortest is None or steps.get(label) == shortest else _held(part, shortest)
        for label, part in parts.items()
    }
    frame = pd.concat(held, axis=1, join="inner")
    if frame.empty:
        raise rows.table.wrong("zones", list(parts), "a time that all have")
    notes = list(
        dict.fromkeys(f"{label}: {note}" for label, part in parts.items() for note in part.attrs["notes"])
    )
    if any(len(part) != len(frame) for part in held.values()):
        notes.append(f"zones have different times; all have {frame.index[0]} to {frame.index[-1]}")
    finest = min(parts.values(), key=lambda part: pd.Timedelta(part.attrs["resolution"]))
    frame.attrs = {
        **finest.attrs,
        "gaps": [{"zone": label, **gap} for label, part in parts.items() for gap in part.attrs["gaps"]],
        "notes": notes,
    }
    frame.index.name = "time"
    return frame


def _held(part: pd.Series, step: pd.Timedelta) -> pd.Series:
    end = part.index[-1] + pd.Timedelta(part.attrs["resolution"])
    times = pd.date_range(part.index[0], end, freq=step, inclusive="left")
    return part.reindex(times, method="ffill")


def zone_series(
    rows: Rows, quantity: str, label: str, place: int, change: Conversion, said: Told, layout: str
) -> pd.Series:
    """One zone's values on regular starts."""
    own = np.flatnonzero(rows.zone == place) if len(rows.zones) > 1 else np.arange(len(rows.zone))
    column = rows.columns.get(rows.zones[place]) or rows.columns[quantity]
    lining = Lining(
        table=rows.table,
        column=column,
        time=rows.time,
        rows=rows.rows[own],
        stamps="end" if quantity in rows.before and rows.ends is None else rows.stamps,
        resolution=_seconds(said.resolution),
        repeated=said.repeated,
        gaps=said.gaps,
        assumed=rows.assumed,
    )
    times = rows.times[own]
    ends = None if rows.ends is None else rows.ends[own]
    zone = time_zone(rows.tz)
    local = times.tz_convert(zone)
    by_day = bool((local == local.normalize()).all()) and _apart(times) >= pd.Timedelta(hours=23)
    if by_day:
        # days of 23 and 25 hours are days
        times = local.tz_localize(None).tz_localize("UTC")
        ends = None if ends is None else times + (ends - rows.times[own]).round("D")
    laid = lining.lay(_epoch(times), None if ends is None else _epoch(ends), rows.values[quantity][own])
    begin = pd.Timestamp(int(laid.starts[0]), unit="s", tz="UTC")
    starts = pd.date_range(begin, periods=len(laid.starts), freq=pd.Timedelta(seconds=laid.seconds))
    if by_day:
        starts = starts.tz_localize(None).tz_localize(
            zone, nonexistent="shift_forward", ambiguous=np.full(len(starts), True)
        )
    else:
        starts = starts.tz_convert(zone)
    starts.name = "time"
    series = pd.Series(laid.values * change.factor + change.offset, index=starts, name=label or quantity)
    series.attrs.update(_about(rows, laid, change.unit, layout))
    for note in laid.notes:
        if not note.startswith("rows were not"):
            tell(rows.table.name, f"{label}: {note}" if label else note)
    return series


def _about(rows: Rows, laid: Gridded, unit: str, layout: str) -> dict[str, Any]:
    return {
        "unit": unit,
        "source": rows.table.name,
        "layout": layout,
        "resolution": named(laid.seconds),
        "resolutions": [(shown_time(start) + "Z", named(length)) for start, length in laid.resolutions],
        "gaps": laid.gaps,
        "notes": [*rows.table.notes, *laid.notes],
    }


def _apart(times: pd.DatetimeIndex) -> pd.Timedelta:
    """The least distance of different times."""
    distinct = times.unique().sort_values()
    return pd.Timedelta(min(np.diff(distinct.to_numpy()), default=np.timedelta64(0, "s")))


def _epoch(times: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    nanoseconds = times.as_unit("ns").asi8
    # what is no whole second is no whole minute either, and is told as that
    return np.asarray(
        np.where(nanoseconds % 10**9, nanoseconds // 10**9 // 60 * 60 + 1, nanoseconds // 10**9)
    )


def _seconds(resolution: str | None) -> int | None:
    if resolution is None:
        return None
    try:
        seconds = pd.Timedelta(resolution).total_seconds()
    except (ValueError, TypeError):
        seconds = 0.0
    if seconds < 60 or seconds % 60:
        raise InputError(
            field="resolution", value=resolution, expected="whole minutes, such as 15min, 1h or 1D"
        )
    return int(seconds)
