"""Clock time where the zones are: local calendar days of 23, 24 or 25 hours, and the local hour of a slot."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError

TIME_ZONES = {
    "AT": "Europe/Vienna",
    "CZ": "Europe/Prague",
    "DE": "Europe/Berlin",
    "DK": "Europe/Copenhagen",
    "FR": "Europe/Paris",
    "NL": "Europe/Amsterdam",
    "AU-NSW": "Australia/Sydney",
    "AU-VIC": "Australia/Melbourne",
    "BR-SP": "America/Sao_Paulo",
    "CA-ON": "America/Toronto",
    "DE-LU": "Europe/Berlin",
    "IN-WE": "Asia/Kolkata",
    "JP-TK": "Asia/Tokyo",
    "KR": "Asia/Seoul",
    "SG": "Asia/Singapore",
    "US-CAL-CISO": "America/Los_Angeles",
    "US-MIDA-PJM": "America/New_York",
    "US-NY-NYIS": "America/New_York",
    "US-TEX-ERCO": "America/Chicago",
}
"""IANA time zone of each zone; add an entry to use a zone of your own with local days or a local climate."""


def time_zone(zone: str) -> str:
    """IANA name of the zone's time zone; such a name stands for itself."""
    if isinstance(zone, str) and zone in TIME_ZONES:
        return TIME_ZONES[zone]
    try:
        if not isinstance(zone, str) or ("/" not in zone and zone != "UTC"):
            raise ValueError("no such name")
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        expected = "a zone listed in stepwatt.data.TIME_ZONES, or an IANA time zone such as Europe/Oslo"
        raise InputError(field="zone", value=zone, expected=expected) from error
    return zone


def utc(start: str | dt.date) -> pd.Timestamp:
    """``start`` (ISO 8601 text, date or datetime) in UTC; a time without offset is taken as UTC.

    Raises:
        InputError: anything else, such as 05.06.2018, which is a day in June here and in May there.
    """
    try:
        if isinstance(start, str):
            start_given: dt.date = dt.datetime.fromisoformat(start.strip())
        elif isinstance(start, dt.date | np.datetime64):
            start_given = start
        else:
            raise ValueError("no date")
        stamp = pd.Timestamp(start_given)
        if not isinstance(stamp, pd.Timestamp):
            raise ValueError("no time")
        return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(field="start", value=start, expected="an ISO 8601 date or time") from error


def local_day(zone: str, day: str | dt.date, slot_minutes: int = 60) -> tuple[pd.Timestamp, int]:
    """Start (UTC) and number of slots of the calendar day ``day`` as clocks in ``zone`` show it.

    It begins with the first instant that has the date: where clocks skip midnight, later than that, and where
    they show it twice, the first time. 23 hours long when summer time begins, 25 when it ends, 24 otherwise.

    Raises:
        InputError: no date, a date that the zone never had, or slots that do not divide the day.
    """
    if utc(day) != utc(day).normalize():
        raise InputError(field="start", value=day, expected="a date, for a local day")
    midnight = utc(day).tz_localize(None)
    clock = ZoneInfo(time_zone(zone))
    start, end = (first_instant(midnight + pd.Timedelta(days=k), clock) for k in (0, 1))
    if start.date() != midnight.date():
        expected = f"a date that {time_zone(zone)} has"
        raise InputError(field="start", value=day, expected=expected)
    minutes = (end - start) / pd.Timedelta(minutes=1)
    if minutes % slot_minutes:
        expected = (
            f"minutes that divide the {minutes / 60:g} hours of {midnight:%Y-%m-%d} in {time_zone(zone)}"
        )
        raise InputError(field="slot_minutes", value=slot_minutes, expected=expected)
    return start.tz_convert("UTC"), int(minutes // slot_minutes)


def first_instant(local: pd.Timestamp, clock: dt.tzinfo) -> pd.Timestamp:
    """The first instant from a local time on; of two that clocks show, the earlier one.

    Where clocks skip that time it is sought: pandas is an hour off where they skip a day, at the date line.
    """
    shown = local.tz_localize(clock, nonexistent="NaT", ambiguous=True)
    if not pd.isna(shown):
        return shown
    before, after = (local.tz_localize("UTC") + pd.Timedelta(days=days) for days in (-2, 2))
    while after - before > pd.Timedelta(seconds=1):
        middle = (before + (after - before) / 2).floor("s")
        if middle.tz_convert(clock).tz_localize(None) < local:
            before = middle
        else:
            after = middle
    return after.tz_convert(clock)


def local_hour(zone: str, slots: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Local clock time (hours, 0 to 24) at the start of the UTC hour that each slot lies in."""
    local = slots.floor("h").tz_convert(time_zone(zone))
    return np.asarray(local.hour + local.minute / 60.0, dtype=float)
