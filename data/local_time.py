"""Clock time where the zones are: local calendar days of 23, 24 or 25 hours, and the local hour of a slot."""

from __future__ import annotations

import datetime as dt

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
    """IANA name of the zone's time zone."""
    if zone not in TIME_ZONES:
        raise InputError(field="zone", value=zone, expected="a zone listed in stepwatt.data.TIME_ZONES")
    return TIME_ZONES[zone]


def utc(start: str | dt.date) -> pd.Timestamp:
    """``start`` (ISO 8601 text, date or datetime) in UTC; a time without offset is taken as UTC."""
    try:
        stamp = pd.Timestamp(start)
        if not isinstance(stamp, pd.Timestamp):
            raise ValueError("not a time")
        return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    except (ValueError, TypeError) as error:
        raise InputError(field="start", value=start, expected="an ISO 8601 date or time") from error


def local_day(zone: str, day: str | dt.date, slot_minutes: int = 60) -> tuple[pd.Timestamp, int]:
    """Start (UTC) and number of slots of the calendar day ``day`` as clocks in ``zone`` show it.

    23 hours long when summer time begins, 25 when it ends, 24 otherwise.
    """
    if utc(day) != utc(day).normalize():
        raise InputError(field="start", value=day, expected="a date, for a local day")
    midnight = utc(day).tz_localize(None)
    start, end = (
        pd.Timestamp(midnight + pd.Timedelta(days=k)).tz_localize(time_zone(zone)).tz_convert("UTC")
        for k in (0, 1)
    )
    return start, int((end - start) / pd.Timedelta(minutes=slot_minutes))


def local_hour(zone: str, slots: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Local clock time (hours, 0 to 24) at the start of the UTC hour that each slot lies in."""
    local = slots.floor("h").tz_convert(time_zone(zone))
    return np.asarray(local.hour + local.minute / 60.0, dtype=float)
