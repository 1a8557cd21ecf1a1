"""Stamps as tables spell them: ISO 8601, day or month first, twelve hours, hour 24, counts since 1970."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .table import Table, distinct

_ISO = r"\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?$"
_PARTED = r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[T ,]+(\S.*))?$"
_MONTH = r"^[A-Z][a-z]{2} \d{1,2}, \d{4}"
_TWELVE = r"^(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp])\.?[Mm]\.?$"
_LATE = r"^(.*[T ])24(:?00)?(:?00)?((?:\.0+)?(?:Z|[+-].*)?)$"
_EPOCH: dict[str, Literal["s", "ms"]] = {"epoch_s": "s", "epoch_ms": "ms"}


class Moments(NamedTuple):
    """Times of rows: in UTC where the stamps say their offset, else as clocks show them (``aware`` false).

    ``times`` are the distinct ones, ``codes`` the place of each row's among them. ``late``: hour 24 occurs.
    """

    times: pd.DatetimeIndex
    codes: NDArray[np.intp]
    aware: bool
    late: bool

    @property
    def by_row(self) -> pd.DatetimeIndex:
        """The time of each row."""
        return self.times.take(self.codes)


def moments(
    table: Table, columns: tuple[str, ...], *, time_format: str | None = None, dayfirst: bool | None = None
) -> Moments:
    """The times that a column holds, or two columns that hold a date and a time of day.

    Raises:
        InputError: a cell is no time, or the order of day and month, or the unit of a count, is not clear.
    """
    first = table.column(columns[0])
    if len(columns) == 1 and pd.api.types.is_datetime64_any_dtype(first.dtype):
        if first.isna().any():
            raise table.refused(columns[0], int(np.flatnonzero(first.isna())[0]), None, "a time")
        aware = isinstance(first.dtype, pd.DatetimeTZDtype)
        codes, found = pd.factorize(first.dt.tz_convert("UTC") if aware else first)
        return Moments(pd.DatetimeIndex(found), codes, aware, False)
    cells = first.astype(object)
    for column in columns[1:]:
        cells = cells.astype(str).str.strip() + " " + table.column(column).astype(str).str.strip()
    codes, spelt = distinct(cells)
    texts = pd.Series(
        ["" if text is None or text != text else str(text).strip() for text in spelt], dtype="str"
    )
    return moments_of(table, " ".join(columns), texts, codes, time_format=time_format, dayfirst=dayfirst)


def moments_of(
    table: Table,
    name: str,
    texts: pd.Series,
    codes: NDArray[np.intp],
    *,
    time_format: str | None = None,
    dayfirst: bool | None = None,
) -> Moments:
    """The times that distinct texts spell; ``codes`` are the place of each row's text.

    Raises:
        InputError: as of :func:`moments`.
    """
    written = _Written(table, name, codes)
    written.refuse(texts, texts.eq(""), "a time")
    found = _read(written, texts, time_format, dayfirst)
    years = found.times.year
    # what lies beyond, nanoseconds do not reach
    written.refuse(texts, pd.Series((years < 1678) | (years > 2261)), "a time in the years 1678 to 2261")
    return found


def _read(written: _Written, texts: pd.Series, time_format: str | None, dayfirst: bool | None) -> Moments:
    if time_format is not None:
        return written.formatted(texts, time_format)
    # the first one tells the form, and the others must have it
    first = str(texts.iloc[0])
    if re.fullmatch(r"\d{9,14}", first):
        unit = "epoch_ms" if len(first) > 11 else "epoch_s"
        meant = pd.Timestamp(int(first), unit=_EPOCH[unit])
        everything = pd.Series(True, index=texts.index)
        written.refuse(texts, everything, f'time_format="{unit}", if {meant:%Y-%m-%d %H:%M} UTC is meant')
    if re.match(_PARTED, first):
        texts = written.year_first(texts, dayfirst)
    elif re.match(_MONTH, first):
        return written.formatted(texts, "%b %d, %Y %I:%M %p" if ":" in first else "%b %d, %Y")
    return written.iso(texts)


@dataclass(frozen=True)
class _Written:
    """The distinct texts of a column, and which row has which."""

    table: Table
    name: str
    codes: NDArray[np.intp]

    def refuse(self, texts: pd.Series, bad: pd.Series, expected: str) -> None:
        """Tell of the first row whose text is bad, if there is one."""
        if bad.any():
            rows = np.flatnonzero(bad.to_numpy(dtype=bool)[self.codes])
            text = texts.iloc[int(self.codes[rows[0]])]
            raise self.table.refused(self.name, int(rows[0]), text, expected, more=int(rows.size) - 1)

    def formatted(self, texts: pd.Series, time_format: str) -> Moments:
        """Times of one stated format."""
        if time_format in _EPOCH:
            self.refuse(texts, ~texts.str.fullmatch(r"-?\d{1,14}"), "a whole number, as time_format says")
            times = pd.to_datetime(texts.astype("int64"), unit=_EPOCH[time_format], utc=True)
            return Moments(pd.DatetimeIndex(times), self.codes, True, False)
        aware = "%z" in time_format or "%Z" in time_format
        try:
            found = pd.to_datetime(texts, format=time_format, errors="coerce", utc=aware)
        except ValueError as error:
            raise self.table.wrong("time_format", time_format, f"a format of strptime ({error})") from error
        self.refuse(texts, found.isna(), f"a time of the form {time_format}")
        return Moments(pd.DatetimeIndex(found), self.codes, aware, False)

    def year_first(self, texts: pd.Series, dayfirst: bool | None) -> pd.Series:
        """Dates as ISO 8601 of dates with the day or the month first; which of both must be clear."""
        parts = texts.str.extract(_PARTED)
        self.refuse(texts, parts[0].isna(), f"a time of the form of {texts[0]!r}")
        one, two = parts[0].astype(int), parts[2].astype(int)
        days, months = one.gt(12), two.gt(12)
        if dayfirst is None:
            if days.any() and months.any():
                later = months if int(days.to_numpy().argmax()) < int(months.to_numpy().argmax()) else days
                self.refuse(texts, later, "day and month in the order of the rows before")
            everything = pd.Series(not (days.any() or months.any()), index=texts.index)
            self.refuse(texts, everything, "a date that reads in one way only; say dayfirst=True or False")
            dayfirst = bool(days.any())
        day, month = (0, 2) if dayfirst else (2, 0)
        dates = parts[3] + "-" + parts[month].str.zfill(2) + "-" + parts[day].str.zfill(2)
        rest = parts[4].fillna("")
        twelve = rest.str.extract(_TWELVE)
        half = twelve[3].notna()
        if half.any():
            hours = twelve[0].where(half, "0").astype(int)
            afternoon = twelve[3].str.lower().eq("p")
            self.refuse(texts, half & ~hours.between(1, 12), "an hour from 1 to 12")
            hours = hours % 12 + 12 * afternoon
            clock = hours.astype(str).str.zfill(2) + ":" + twelve[1] + ":" + twelve[2].fillna("00")
            rest = rest.where(~half, clock)
        return dates + (" " + rest).where(rest.ne(""), "")

    def iso(self, texts: pd.Series) -> Moments:
        """Times of ISO 8601 and what is close to it: slashes, a blank for the T, hour 24."""
        alike = _alike(texts)
        if alike is not None:
            times = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=alike)
            if not times.isna().any():
                return Moments(pd.DatetimeIndex(times), self.codes, alike, False)
        plain = texts.str.replace("/", "-", regex=False)
        self.refuse(texts, ~plain.str.match(_ISO), "a date and time, such as 2025-10-26T00:00+02:00")
        plain = plain.str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
        clock = plain.str.slice(10)
        offsets = clock.str.contains("[Zz+-]")
        aware = bool(offsets.iloc[0])
        expected = (
            "an offset from UTC, as the rows before" if aware else "no offset from UTC, as the rows before"
        )
        self.refuse(texts, offsets.ne(aware), expected)
        late = clock.str.contains("24") & plain.str.match(_LATE)
        if late.any():
            midnight = plain.str.replace(_LATE, r"\g<1>00:00\g<4>", regex=True)
            plain = plain.where(~late, midnight)
        times = pd.to_datetime(plain, format="ISO8601", errors="coerce", utc=aware)
        self.refuse(texts, times.isna(), "a date and time that exist, such as 2025-10-26T00:00+02:00")
        if late.any():
            times = times + pd.to_timedelta(late.astype(int), unit="D")
        return Moments(pd.DatetimeIndex(times), self.codes, aware, bool(late.any()))


def _alike(texts: pd.Series) -> bool | None:
    """Whether all say an offset, or all none; None where they are not plain stamps of one length."""
    letters = np.array(texts, dtype="U")
    size = letters.dtype.itemsize // 4
    if not 16 <= size <= 35 or (np.char.str_len(letters) != size).any():
        return None
    signs = letters.view("U1").reshape(len(letters), size)
    shape = {4: "-", 7: "-", 13: ":"}
    if (
        any((signs[:, at] != sign).any() for at, sign in shape.items())
        or not np.isin(signs[:, 10], ["T", " "]).all()
    ):
        return None
    # hour 24 is none to pandas
    if ((signs[:, 11] == "2") & (signs[:, 12] == "4")).any():
        return None
    offsets = np.asarray(np.isin(signs[:, 16:], ["Z", "+", "-"]).any(axis=1))
    return bool(offsets.all()) if offsets.all() or not offsets.any() else None
