"""Ember, European wholesale electricity prices: hourly (stamps in UTC) and daily (dates of the country)."""

from __future__ import annotations

from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from .layout import Recognised, wanted

_PRICE = "Price (EUR/MWhe)"
_HOURS, _DAYS = "Datetime (UTC)", "Date"


def recognises(table: Table) -> Recognised | None:
    """By country, stamp and price."""
    for time in (_HOURS, _DAYS):
        if table.has("Country", time, _PRICE):
            return Recognised(1.0, f"columns Country, {time}, {_PRICE}")
    return None


def read(table: Table, told: Told) -> Rows:
    """Prices (EUR/MWh) by country, which is also known by its ISO code."""
    hourly = table.has(_HOURS)
    values, units = wanted(table, {"price": _PRICE}, {"price": "EUR/MWh"}, told)
    zone = ("Country", "ISO3 Code") if table.has("ISO3 Code") else ("Country",)
    time = _HOURS if hourly else _DAYS
    tz = "UTC" if hourly else None
    return rows_of(table, Columns(time=(time,), values=values, units=units, zone=zone, tz=tz), told)
