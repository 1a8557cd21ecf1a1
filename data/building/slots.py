"""The slots of a horizon, and numbers and series laid on them.

A value of a series holds from its stamp until the next one. A slot has the mean over its time (prices,
temperatures, power), so that energy is kept; a series in MWh is energy of each step and becomes power. Jobs
are counted: a slot has the sum of the steps in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, SupportsFloat
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError
from stepwatt.formulation.arguments import number, whole

from ..local_time import first_instant, utc
from ..units import Units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HOUR = 3_600_000_000_000  # ns

#: From this step on, steps are compared by the clock: days of 23 and 25 hours are days.
_BY_CLOCK = 6 * _HOUR


@dataclass(frozen=True)
class Slots:
    """``count`` slots of ``length`` from ``start`` (with a time zone) on; money is in ``currency``, other at
    ``rates``."""

    start: pd.Timestamp
    count: int
    length: pd.Timedelta
    currency: str = "USD"
    rates: Mapping[str, float] = field(default_factory=dict, hash=False)

    @cached_property
    def units(self) -> Units:
        """What converts series that say their unit."""
        return Units(self.currency, self.rates)

    @cached_property
    def edges(self) -> Ints:
        """(count + 1,) nanoseconds since 1970, UTC."""
        step = self.length.value
        return self.start.as_unit("ns").value + step * np.arange(self.count + 1, dtype=np.int64)

    @property
    def hours(self) -> float:
        """Length of a slot."""
        return self.length / pd.Timedelta(hours=1)

    def stamp(self, nanoseconds: int) -> str:
        """A time on the clock of the horizon."""
        return pd.Timestamp(nanoseconds, tz="UTC").tz_convert(self.start.tz).isoformat()

    def whole(self, minutes: float, name: str) -> int:
        """Slots in so many minutes, rounded down."""
        return (
            int(minutes * 60 * 1e9 // self.length.value) if minutes >= 0 else _refuse_negative(minutes, name)
        )

    def lay(self, value: Any, name: str, unit: str = "1") -> Any:
        """The mean of a series in each slot; numbers, lists and arrays as they are.

        Args:
            value: a number, a list or an array of one a slot, or a pandas Series whose index has a time zone.
            name: of the field, for errors.
            unit: of the field; a series that says its own (``attrs["unit"]``) is converted.

        Raises:
            InputError: a series that does not cover the horizon, with the first stamp that is missing, or has
                no time zone, stamps out of order, values that are no numbers, or another unit.
        """
        if not isinstance(value, pd.Series):
            if isinstance(value, bool | np.bool_):
                raise InputError(field=name, value=value, expected="numbers")
            if isinstance(value, np.ma.MaskedArray):  # what is masked is none
                value = np.ma.filled(value.astype(float), np.nan)
            return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        times, ends, values = self._steps(value, name)
        said = value.attrs.get("unit")
        if said is not None:
            values = self._converted(values, (ends - times) / _HOUR, str(said), unit, name)
        cuts = np.unique(np.concatenate([times, ends, self.edges]))
        cuts = cuts[(cuts >= self.edges[0]) & (cuts <= self.edges[-1])]
        pieces = values[np.searchsorted(times, cuts[:-1], side="right") - 1]
        first = np.searchsorted(cuts, self.edges[:-1])
        # the first piece is taken out so that a value that holds throughout is met exactly
        base = pieces[first]
        spread = (pieces - np.repeat(base, np.diff(np.append(first, len(pieces))))) * np.diff(cuts)
        laid: Floats = base + np.add.reduceat(spread, first) / self.length.value
        return laid.tolist()

    def count_in(self, value: Any, name: str) -> list[float]:
        """Jobs of each slot: the sum over the steps of a series in it; a number holds in every slot.

        Raises:
            InputError: as for :meth:`lay`, and steps that are longer than a slot or lie across two.
        """
        if not isinstance(value, pd.Series):
            given, expected = self.lay(value, name), "a number, or one of each slot"
            if isinstance(given, SupportsFloat) and not isinstance(given, str):
                return [number(given, name, expected)] * self.count
            unordered = isinstance(given, str | Mapping | Set | pd.DataFrame)
            if unordered or not isinstance(given, Iterable):
                raise InputError(field=name, value=given, expected=expected)
            return list(given)
        times, ends, values = self._steps(value, name)
        inside = (ends > self.edges[0]) & (times < self.edges[-1])
        times, ends, values = times[inside], ends[inside], values[inside]
        slot = np.searchsorted(self.edges, times, side="right") - 1
        # the end of a step that begins before the horizon lies in slot 0, its beginning in none
        across = np.flatnonzero((slot < 0) | (ends > self.edges[np.minimum(slot, self.count - 1) + 1]))
        if across.size:
            expected = f"jobs counted in steps that each lie in one slot of {_told(self.length)}"
            raise InputError(
                field=name, value=f"a step from {self.stamp(times[across[0]])}", expected=expected
            )
        found = np.zeros(self.count)
        np.add.at(found, slot, values)
        return found.tolist()

    def _steps(self, series: pd.Series, name: str) -> tuple[Ints, Ints, Floats]:
        """When each value begins and ends, and the values; checked as far as the horizon goes."""
        index = series.index
        if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
            expected = "a series whose index has a time zone: series.tz_localize('Europe/Oslo')"
            value = "stamps without one" if isinstance(index, pd.DatetimeIndex) else "an index of no times"
            raise InputError(field=name, value=value, expected=expected)
        if index.hasnans:
            told = f"no time, at place {int(np.flatnonzero(index.isna())[0])}"
            raise InputError(field=name, value=told, expected="a stamp of each value")
        times = index.as_unit("ns").asi8
        wrong = np.flatnonzero(np.diff(times) <= 0)
        if wrong.size:
            told = f"{self.stamp(times[wrong[0]])} then {self.stamp(times[wrong[0] + 1])}"
            raise InputError(field=name, value=told, expected="stamps in order, each once")
        ends = _ends(times, index)
        values = _numbers(series, name)
        self._check_cover(times, ends, name)
        used = (ends > self.edges[0]) & (times < self.edges[-1])
        missing = np.flatnonzero(used & ~np.isfinite(values))
        if missing.size:
            row = int(missing[0])
            raise InputError(
                field=name,
                value=f"{values[row]} at {self.stamp(times[row])}",
                expected="a finite number",
                more=missing.size - 1,
            )
        return times, ends, values

    def _check_cover(self, times: Ints, ends: Ints, name: str) -> None:
        """Refuse a series with no value somewhere in the horizon; the first such stamp is told."""
        first, last = int(self.edges[0]), int(self.edges[-1])
        begun = np.flatnonzero((ends > first) & (times < last))
        missing = first
        if begun.size and times[begun[0]] <= first:
            broken = np.flatnonzero(ends[begun[:-1]] < times[begun[1:]])
            missing = int(ends[begun[broken[0] if broken.size else -1]])
        if missing < last:
            expected = f"values from {self.stamp(first)} to {self.stamp(last)}"
            raise InputError(field=name, value=f"nothing at {self.stamp(missing)}", expected=expected)

    def _converted(self, values: Floats, hours: Floats, said: str, unit: str, name: str) -> Floats:
        units = self.units
        if unit == "MW" and units.is_energy(said):
            energy: Floats = units.converted(values, said, "MWh", name) / hours
            return energy
        found: Floats = units.converted(values, said, unit, name)
        return found


def _refuse_negative(minutes: float, name: str) -> int:
    raise InputError(field=name, value=minutes, expected="minutes, at least 0")


def _ends(times: Ints, index: pd.DatetimeIndex) -> Ints:
    """The end of each step: the next stamp, but for steps longer than those around them, gaps.

    The resolution may change; longer steps between shorter ones on both sides are gaps unless they go on
    for a day, and end as the shorter of their neighbours. The last step is as long as the one before; a
    single stamp holds for an hour.
    """
    if len(times) < 2:
        return times + _HOUR
    steps = np.diff(times)
    by_clock = np.diff(index.tz_localize(None).as_unit("ns").asi8)
    runs = np.flatnonzero(np.append(True, np.diff(steps) != 0))
    sizes, counts = steps[runs], np.diff(np.append(runs, len(steps)))
    # a longer step at an end is a gap if it is alone: more may be another resolution
    before = np.append(sizes[1] if len(sizes) > 1 and counts[0] == 1 else sizes[0], sizes[:-1])
    after = np.append(sizes[1:], sizes[-2] if len(sizes) > 1 and counts[-1] == 1 else sizes[-1])
    between = (sizes > before) & (sizes > after) & ((counts == 1) | (sizes * counts < 24 * _HOUR))
    daily = (steps >= _BY_CLOCK) & (np.abs(by_clock - np.median(by_clock)) < _HOUR // 4)
    gaps = np.repeat(between, counts) & ~daily
    lengths = np.where(gaps, np.repeat(np.minimum(before, after), counts), steps)
    ends: Ints = times + np.append(lengths, lengths[-1])
    return ends


def _numbers(series: pd.Series, name: str) -> Floats:
    if series.dtype.kind not in "iuf":
        raise InputError(field=name, value=f"a series of {series.dtype}", expected="numbers")
    return np.asarray(series.to_numpy(dtype=float, na_value=np.nan))


def horizon(
    start: str | dt.date, days: int, hours: float | None, slot: Any, timezone: str | None, currency: str
) -> Slots:
    """The slots of calendar days, or of hours, from a start.

    Raises:
        InputError: no date or time, no such zone, a length that slots do not divide.
    """
    length = slot_length(slot)
    first = begin(start, timezone)
    if hours is None:
        days = whole(days, "days", 1, 36_600)
        try:
            end = first_instant(_said(start, first) + pd.Timedelta(days=days), first.tz or dt.UTC)
        except (OverflowError, ValueError) as error:
            raise InputError(field="days", value=days, expected="an end before the year 2262") from error
    else:
        hours = number(hours, "hours", "a number above 0")
        if not 0 < hours < 1e6:
            raise InputError(field="hours", value=hours, expected="a number above 0")
        end = first + pd.Timedelta(hours=hours)
    span = (end - first).value
    if span % length.value or span < length.value:
        expected = f"a length that divides {span / _HOUR:g} hours"
        raise InputError(field="slot", value=_told(length), expected=expected)
    return Slots(first, span // length.value, length, currency)


def slot_length(slot: Any) -> pd.Timedelta:
    """The length of a slot from ``15min``, a number of minutes or a timedelta, in whole seconds."""
    expected = "a length such as 15min, or minutes"
    try:
        if isinstance(slot, bool) or not isinstance(slot, str | int | float | dt.timedelta):
            raise ValueError("no length")
        length = pd.Timedelta(minutes=slot) if isinstance(slot, int | float) else pd.Timedelta(slot)
    except (ValueError, OverflowError, TypeError) as error:
        raise InputError(field="slot", value=slot, expected=expected) from error
    if pd.isna(length) or length.value <= 0 or length.value % 1_000_000_000:
        raise InputError(field="slot", value=slot, expected=f"{expected}, in whole seconds")
    return length


def begin(start: str | dt.date, timezone: str | None) -> pd.Timestamp:
    """The start with its zone: a time without an offset is on the clock of ``timezone``, else UTC."""
    moment = utc(start)  # refuses what is no date or time
    said = dt.datetime.fromisoformat(start.strip()) if isinstance(start, str) else pd.Timestamp(start)
    if timezone is None:
        return moment if said.tzinfo is None else pd.Timestamp(said)
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        expected = "an IANA time zone such as Europe/Oslo"
        raise InputError(field="timezone", value=timezone, expected=expected) from error
    if said.tzinfo:
        return moment.tz_convert(zone)
    first = first_instant(moment.tz_localize(None), zone)
    if first.date() != moment.date():
        raise InputError(field="start", value=start, expected=f"a date that {timezone} has")
    return first


def _said(start: str | dt.date, first: pd.Timestamp) -> pd.Timestamp:
    """What clocks should show at the start: midnight, too, where they skip it and the day begins later."""
    given = dt.datetime.fromisoformat(start.strip()) if isinstance(start, str) else pd.Timestamp(start)
    return first.tz_localize(None) if given.tzinfo else pd.Timestamp(given)


def _told(length: pd.Timedelta) -> str:
    return f"{length.value / 60e9:g} min"
