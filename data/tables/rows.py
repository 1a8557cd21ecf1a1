"""Rows of a table as values over time by zone, read the way that a layout, or the caller, says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation.errors import listed, one_of

from .clocks import instants, time_zone
from .numbers import numbers
from .stamps import Moments, moments
from .table import Table, distinct
from .told import Ambiguous, Stamps, Told

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How a table's columns are to be read; what the caller says wins over what is said here.

    Attributes:
        time: the column of stamps, or those of date and time of day.
        values: columns by the quantity that they hold, or by zone where ``wide`` names the quantity of all.
        units: by quantity, where the layout or the column's name tells them.
        end: the column of the ends of intervals.
        zone: columns that name the zone, the one that labels it first.
        tz: time zone of stamps without an offset, and of the result.
        shown: time zone of the result where stamps have an offset.
        stamps, ambiguous, time_format, dayfirst, decimal: as in :class:`.told.How`.
        firm: whether the units are certain, so that the caller cannot mean another.
    """

    time: tuple[str, ...]
    values: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    wide: str | None = None
    end: str | None = None
    zone: tuple[str, ...] = ()
    tz: str | None = None
    shown: str | None = None
    stamps: Stamps = "start"
    ambiguous: Ambiguous | None = None
    time_format: str | None = None
    dayfirst: bool | None = None
    decimal: str | None = None
    firm: bool = True


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Values over time by zone, as a table holds them: in its order, with its gaps.

    Attributes:
        table: where they come from, for messages.
        time: name of the column of stamps.
        times: stamps of rows, UTC; ``ends`` of their intervals where the table has them.
        values: by quantity; NaN where there is none. ``columns`` has the column of each (of each zone, where
            zones have columns of their own); ``units`` the unit, where the table tells it.
        zones: names of zones, and ``zone`` the place of each row's among them; ``also`` their other names.
        tz: time zone of the result.
        stamps: what stamps stand for; ``before`` names the quantities of which they are the ends all the
            same.
        firm: whether the units are certain.
        assumed: whether stamps say no offset and the caller no time zone.
        about: what else the table says, of the place for example.
        rows: place of each row in the table, for messages.
    """

    table: Table
    time: str
    times: pd.DatetimeIndex
    values: Mapping[str, Floats]
    columns: Mapping[str, str]
    zones: Sequence[str]
    zone: NDArray[np.intp]
    tz: str
    units: Mapping[str, str] = field(default_factory=dict)
    ends: pd.DatetimeIndex | None = None
    also: Sequence[frozenset[str]] = ()
    stamps: Stamps = "start"
    before: frozenset[str] = frozenset()
    firm: bool = True
    assumed: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def relabelled(self, names: Mapping[str, str], codes: Mapping[str, str]) -> Rows:
        """The same, zones called by other names, and known by further ones."""
        zones = [names.get(zone, zone) for zone in self.zones]
        known = self.also or [frozenset[str]()] * len(zones)
        also = [more | {codes.get(zone, zone)} for zone, more in zip(zones, known, strict=True)]
        return replace(self, zones=zones, also=also)


def rows_of(
    table: Table,
    columns: Columns,
    told: Told,
    *,
    starts: Moments | None = None,
    ends: Moments | None = None,
) -> Rows:
    """The rows of a table.

    Args:
        table: which; where ``starts`` are given, with its columns loaded.
        columns: how to read it.
        told: what the caller said.
        starts: of intervals, where the layout spells them in a way of its own.
        ends: of intervals, likewise.

    Raises:
        InputError: which names the file, the row, the value and what was expected.
    """
    if starts is None:
        texts = (*columns.time, *((columns.end,) if columns.end else ()), *columns.zone)
        table.load(texts, columns.values.values(), told.where)
    decimal = told.decimal or columns.decimal
    values = {
        name: numbers(table, column, decimal=decimal, missing=told.missing)
        for name, column in columns.values.items()
    }
    zones, zone, also = named_zones(table, columns.zone)
    time_format = told.time_format or columns.time_format
    dayfirst = columns.dayfirst if told.dayfirst is None else told.dayfirst
    if starts is None:
        starts = moments(table, columns.time, time_format=time_format, dayfirst=dayfirst)
    if ends is None and columns.end is not None:
        ends = moments(table, (columns.end,), time_format=time_format, dayfirst=dayfirst)
    name = " ".join(columns.time)
    if starts.late and ends is None and told.stamps is None:
        expected = (
            'stamps that are clear: hour 24 is an end; say stamps="end", or "start" if it begins a step'
        )
        raise table.wrong(name, f"24:00 before {starts.by_row.max():%Y-%m-%d}", expected)
    blank = np.all([np.isnan(found) for found in values.values()], axis=0)
    times, kept = _placed(table, name, starts, columns, told, zone, blank)
    finished = None if ends is None else _ended(starts, ends, times, told.tz or columns.tz or "UTC")
    rows = np.flatnonzero(kept)
    long = Rows(
        table=table,
        time=name,
        times=times[rows],
        ends=None if finished is None else finished[rows],
        values={key: found[rows] for key, found in values.items()},
        columns=columns.values,
        units=columns.units,
        zones=zones,
        zone=zone[rows],
        also=also,
        tz=told.tz or columns.shown or columns.tz or "UTC",
        stamps=told.stamps or columns.stamps,
        firm=columns.firm,
        assumed=not starts.aware and told.tz is None,
        rows=rows,
    )
    return long if columns.wide is None else _zones_below(long, columns.wide)


def _zones_below(rows: Rows, quantity: str) -> Rows:
    """Of rows with a column a zone: the zones one below the other."""
    names = list(rows.values)
    count, size = len(names), len(rows.rows)
    again = np.tile(np.arange(size), count)
    return replace(
        rows,
        times=rows.times[again],
        ends=None if rows.ends is None else rows.ends[again],
        values={quantity: np.concatenate(list(rows.values.values()))},
        zones=names,
        zone=np.repeat(np.arange(count), size),
        also=[frozenset({rows.columns[name]}) for name in names],
        rows=rows.rows[again],
    )


def _placed(
    table: Table,
    name: str,
    shown: Moments,
    columns: Columns,
    told: Told,
    zone: NDArray[np.intp],
    blank: NDArray[np.bool_],
) -> tuple[pd.DatetimeIndex, NDArray[np.bool_]]:
    """The instants of rows, and which rows count."""
    if told.tz is not None:
        time_zone(told.tz)
    if shown.aware:
        return shown.by_row, np.ones(len(shown.codes), dtype=bool)
    tz = told.tz or columns.tz
    if tz is None:
        text = str(shown.times[shown.codes[0]])
        expected = 'an offset from UTC, or the time zone of the stamps: tz="Europe/Oslo", tz="UTC"'
        raise table.refused(name, 0, text, expected)
    ambiguous = told.ambiguous or columns.ambiguous
    return instants(table, name, shown, tz, groups=zone, ambiguous=ambiguous, blank=blank)


def _ended(starts: Moments, ends: Moments, times: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    """When intervals end. On the days that clocks change, what they show tells the shorter way to the end."""
    begin = times.as_unit("ns").asi8
    if ends.aware:
        return ends.by_row
    shown = ends.by_row.as_unit("ns").asi8
    lengths = [shown - starts.by_row.as_unit("ns").asi8] if not starts.aware else []
    for dst in (True, False):
        both = np.full(len(ends.times), dst)
        placed = ends.times.tz_localize(time_zone(tz), ambiguous=both, nonexistent="shift_forward")
        lengths.append(placed.tz_convert("UTC").as_unit("ns").asi8[ends.codes] - begin)
    never = np.iinfo(np.int64).max
    shortest = np.min([np.where(length > 0, length, never) for length in lengths], axis=0)
    return pd.DatetimeIndex(begin + np.where(shortest == never, 0, shortest), tz="UTC")


def named_zones(
    table: Table, columns: Sequence[str]
) -> tuple[list[str], NDArray[np.intp], list[frozenset[str]]]:
    """Names of the zones that columns tell, the zone of each row, and the other names of each zone."""
    if not columns:
        size = len(table.rows)
        return [""], np.zeros(size, dtype=np.intp), [frozenset()]
    codes, found = distinct(table.column(columns[0]))
    names = ["" if name is None or name != name else str(name).strip() for name in found]
    for number, name in enumerate(names):
        if not name:
            row = int(np.flatnonzero(codes == number)[0])
            expected = (
                'the name of a zone; say layout="columns" with time= and value= where there is one zone only'
            )
            raise table.refused(columns[0], row, name, expected)
    first = np.unique(codes, return_index=True)[1]
    also = [
        frozenset(
            part
            for column in columns
            for text in [str(table.column(column).iloc[int(row)]).strip()]
            for part in (text, text.split("|")[-1])
        )
        for row in first
    ]
    return names, np.asarray(codes, dtype=np.intp), also


def chosen_zones(rows: Rows, told: Told) -> list[tuple[str, int]]:
    """Label and place of each zone that is asked for; the only one where none is named.

    Raises:
        InputError: a zone that is not there, or several of which none is named.
    """
    if told.every_zone:
        return [(name, place) for place, name in enumerate(rows.zones)]
    if told.zone is None:
        if len(rows.zones) > 1:
            names = listed(rows.zones)
            expected = f'one zone, or which: zone="{rows.zones[0]}", a list of names, or zone="all"'
            raise rows.table.wrong("zones", names, expected)
        return [(rows.zones[0], 0)]
    if list(rows.zones) == [""]:
        if len(told.zone) > 1:
            raise rows.table.wrong("zone", list(told.zone), "zones that a column names: say zone_column=")
        return [(told.zone[0], 0)]
    wanted = []
    for name in told.zone:
        places = [
            place
            for place, (zone, also) in enumerate(zip(rows.zones, rows.also, strict=True))
            if name.casefold() in {zone.casefold(), *(other.casefold() for other in also)}
        ]
        if not places:
            raise rows.table.wrong("zone", name, one_of(rows.zones, name))
        if len(places) > 1:
            raise rows.table.wrong("zone", name, one_of([rows.zones[place] for place in places], name))
        wanted.append((name, places[0]))
    return wanted
