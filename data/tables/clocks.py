"""From what clocks show to instants: time zones, the hour that is skipped, and the hour that comes twice."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError

from .stamps import Moments
from .table import Table
from .told import Ambiguous

_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?")


def time_zone(name: str) -> dt.tzinfo:
    """The zone of an IANA name, or of an offset such as ``+10:00``.

    Raises:
        InputError: there is none.
    """
    found = _OFFSET.fullmatch(name) if isinstance(name, str) else None
    try:
        if found is not None:
            size = dt.timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
            return dt.timezone(-size if found[1] == "-" else size)
        if name.upper() in ("UTC", "Z", "GMT"):
            return ZoneInfo("UTC")
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        expected = "an IANA time zone, such as Europe/Oslo, or an offset, such as +10:00"
        raise InputError(field="tz", value=name, expected=expected) from None


def instants(
    table: Table,
    column: str,
    shown: Moments,
    tz: str,
    *,
    groups: NDArray[np.intp],
    ambiguous: Ambiguous | None,
    blank: NDArray[np.bool_],
) -> tuple[pd.DatetimeIndex, NDArray[np.bool_]]:
    """Instants (UTC) of times that clocks in ``tz`` show, and which rows count.

    Args:
        table: for messages.
        column: for messages.
        shown: the times, without offset.
        tz: time zone.
        groups: of rows whose order counts, one a zone.
        ambiguous: which of the two an hour is that clocks show twice.
        blank: rows without a value; where clocks skip their time they are left out.

    Raises:
        InputError: a time that clocks in ``tz`` never show, or show twice, and nothing tells which is meant.
    """
    zone = time_zone(tz)
    summer, winter = (
        shown.times.tz_localize(zone, ambiguous=np.full(len(shown.times), dst), nonexistent="NaT").tz_convert(
            "UTC"
        )
        for dst in (True, False)
    )
    skipped = np.asarray(summer.isna())[shown.codes]
    bad = np.flatnonzero(skipped & ~blank)
    if bad.size:
        row = int(bad[0])
        expected = f"a time that clocks in {tz} show: that hour is skipped; say the tz of the stamps"
        raise table.refused(column, row, str(shown.times[shown.codes[row]]), expected, more=int(bad.size) - 1)
    twice = (np.asarray(summer != winter) & ~np.asarray(summer.isna()))[shown.codes]
    second = np.zeros(len(shown.codes), dtype=bool)
    if twice.any() and ambiguous in ("infer", "winter"):
        second[twice] = True if ambiguous == "winter" else _second(table, column, shown, tz, groups, twice)
    elif twice.any() and ambiguous is None:
        rows = np.flatnonzero(twice)
        expected = (
            f'an offset: clocks in {tz} show this twice; say ambiguous="infer" (by the order of rows), '
        )
        expected += '"summer" or "winter"'
        text = str(shown.times[shown.codes[rows[0]]])
        raise table.refused(column, int(rows[0]), text, expected, more=int(rows.size) - 1)
    found = np.where(second, winter.as_unit("ns").asi8[shown.codes], summer.as_unit("ns").asi8[shown.codes])
    return pd.DatetimeIndex(found, tz="UTC"), ~skipped


def _second(
    table: Table,
    column: str,
    shown: Moments,
    tz: str,
    groups: NDArray[np.intp],
    twice: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Of rows in the doubled hour, those of the second time: rows of a zone are in order."""
    rows = np.flatnonzero(twice)
    times = shown.by_row.as_unit("ns").asi8
    frame = pd.DataFrame({"group": groups, "time": times, "twice": twice})
    ordered = frame[~frame["twice"]].groupby("group")["time"]
    for _, kept in ordered:
        falls = np.flatnonzero(np.diff(kept.to_numpy()) < 0)
        if falls.size:
            row = int(kept.index[falls[0] + 1])
            expected = f"rows in order of time, by which the doubled hour in {tz} is told apart"
            raise table.refused(column, row, str(shown.times[shown.codes[row]]), expected)
    frame = frame[twice]
    frame["day"] = frame["time"] // 86_400_000_000_000
    frame["nth"] = frame.groupby(["group", "time"]).cumcount()
    for _, hour in frame.groupby(["group", "day"]):
        counts = hour.groupby("time")["nth"].transform("size")
        wrong = np.flatnonzero(counts.to_numpy() != 2)
        order = hour["nth"] * 10**18 + (hour["time"] - hour["time"].min())
        if not wrong.size:
            wrong = np.flatnonzero(np.diff(order.to_numpy()) < 0) + 1
        if wrong.size:
            row = int(hour.index[wrong[0]])
            found = int(counts.iloc[wrong[0]])
            expected = f"the doubled hour in {tz} whole, twice, one after the other; or say ambiguous="
            expected += '"summer" or "winter"'
            told = f"{shown.times[shown.codes[row]]}, {found} times"
            raise table.refused(column, row, told, expected)
    return np.asarray(frame.loc[rows, "nth"] == 1)
