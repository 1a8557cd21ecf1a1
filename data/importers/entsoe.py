"""ENTSO-E Transparency Platform: day-ahead prices, web exports of 2025 and before, and entsoe-py's series.

The export of 2025 has ``MTU (CET/CEST)`` (or UTC, WET/WEST, EET/EEST) with intervals ``26/10/2025 02:00:00
(CEST) - 26/10/2025 02:15:00 (CEST)``, ``Area``, ``Sequence`` and ``Day-ahead Price (EUR/MWh)``; before,
days came first with points between, without seconds and marks, the hour that comes twice in the order of
rows, and the area as the name of an empty column.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from ..tables.rows import Columns, Rows, rows_of
from ..tables.stamps import Moments, moments_of
from ..tables.table import Table, distinct
from ..tables.told import Told
from ..tables.units import unit_in
from .layout import Recognised, one_value, wanted

_TIME = re.compile(r"(?:MTU|Time)(?: \((.+)\))?")
_PRICE = re.compile(r"Day-ahead Price [\[(].+[\])]")
_INTERVAL = r"^(?P<start>.+?)(?: \((?P<mark>[A-Z]+)\))? - (?P<end>.+?)(?: \((?P<until>[A-Z]+)\))?$"
#: Hours east of UTC that marks of stamps stand for.
_MARKS = {"UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
_ZONES = {
    "UTC": "UTC",
    "CET/CEST": "Europe/Berlin",
    "WET/WEST": "Europe/Lisbon",
    "EET/EEST": "Europe/Helsinki",
}


def _columns(table: Table) -> tuple[str, str] | None:
    times = [column for column in table.columns if _TIME.fullmatch(column)]
    prices = [column for column in table.columns if _PRICE.fullmatch(column)]
    return (times[0], prices[0]) if len(times) == 1 and len(prices) == 1 else None


def recognises(table: Table) -> Recognised | None:
    """By the column of market time units and that of prices."""
    found = _columns(table)
    return found and Recognised(1.0, f"columns {found[0]}, {found[1]}")


def read(table: Table, told: Told) -> Rows:
    """Prices (EUR/MWh where the column says it), shown in the time zone that the export names."""
    found = _columns(table)
    if found is None:
        return _of_entsoe_py(table, told)
    time, price = found
    values, units = wanted(table, {"price": price}, {"price": unit_in(price, "price") or "EUR/MWh"}, told)
    named = _TIME.fullmatch(time)
    tz = _ZONES.get((named and named[1]) or "")
    areas = [column for column in table.columns if "|" in column]
    choosing = [column for column in ("Sequence", "Currency") if table.has(column)]
    zone = ("Area",) if table.has("Area") else ()
    table.load((time, *zone, *choosing), values.values(), told.where)
    starts, ends = _intervals(table, time)
    for column in choosing:
        one_value(table, column, told)
    columns = Columns(
        time=(time,), values=values, units=units, zone=zone, tz=tz, shown=tz, ambiguous="infer", firm=True
    )
    rows = rows_of(table, columns, told, starts=starts, ends=ends)
    if zone or len(areas) != 1:
        return rows
    return rows.relabelled({"": areas[0]}, {areas[0]: areas[0].split("|")[-1]})


def _intervals(table: Table, column: str) -> tuple[Moments, Moments]:
    """Starts and ends of ``start - end``, with or without marks of their offset."""
    codes, spelt = distinct(table.column(column))
    texts = pd.Series(spelt.astype(object), dtype="str").str.strip()
    parts = texts.str.extract(_INTERVAL)

    def refuse(bad: pd.Series, expected: str) -> None:
        if bad.any():
            rows = np.flatnonzero(bad.to_numpy(dtype=bool)[codes])
            text = texts.iloc[int(codes[rows[0]])]
            raise table.refused(column, int(rows[0]), text, expected, more=int(rows.size) - 1)

    refuse(
        parts["start"].isna(), "an interval, such as 26/10/2025 02:00:00 (CEST) - 26/10/2025 02:15:00 (CEST)"
    )
    marked = parts["mark"].notna()
    refuse(marked.ne(bool(marked.iloc[0])) | parts["until"].notna().ne(marked), "marks as in the rows before")
    found = []
    for name, mark in (("start", "mark"), ("end", "until")):
        shown = moments_of(table, column, parts[name], codes, dayfirst=True)
        if marked.iloc[0]:
            refuse(~parts[mark].isin(list(_MARKS)), f"a mark of {', '.join(_MARKS)}")
            hours = pd.to_timedelta(parts[mark].map(_MARKS).to_numpy(), unit="h")
            shown = Moments((shown.times - hours).tz_localize("UTC"), codes, True, shown.late)
        found.append(shown)
    return found[0], found[1]


def _of_entsoe_py(table: Table, told: Told) -> Rows:
    """The series that entsoe-py gives: an index with time zone, prices in EUR/MWh."""
    others = [column for column in table.columns if column != "time"]
    if not (table.is_frame and table.has("time") and others):
        raise table.wrong(
            "layout", "entsoe", f"columns MTU (…) and Day-ahead Price (…), not {', '.join(table.columns)}"
        )
    table.load(("time",))
    dtype: Any = table.column("time").dtype
    shown = str(dtype.tz) if isinstance(dtype, pd.DatetimeTZDtype) else None
    wide = "price" if len(others) > 1 else None
    values = {column: column for column in others} if wide else {"price": others[0]}
    columns = Columns(
        time=("time",), values=values, units={"price": "EUR/MWh"}, wide=wide, shown=shown, firm=False
    )
    return rows_of(table, columns, told)
