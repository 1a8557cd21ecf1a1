"""gridstatus: frames of prices, day-ahead and real time, as they are, saved as CSV, or from its web service.

``Interval Start``, ``Interval End``, ``Market``, ``Location`` and ``LMP`` (or ``SPP``), or the same in
small letters with ``interval_start_utc``. Prices of the markets of the United States; of others say the
unit.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..tables.rows import Columns, Rows, rows_of
from ..tables.stamps import moments
from ..tables.table import Table
from ..tables.told import Told
from .layout import Recognised, one_value, wanted

#: start, end, market, location, prices
_SPELT = (
    ("Interval Start", "Interval End", "Market", "Location", ("LMP", "SPP", "Price")),
    ("interval_start_utc", "interval_end_utc", "market", "location", ("lmp", "spp", "price")),
)


def _found(table: Table) -> tuple[tuple[str, str, str, str], str] | None:
    for *names, prices in _SPELT:
        start, end, market, location = names
        price = next((price for price in prices if table.has(price)), None)
        if price is not None and table.has(start) and (table.has(end) or table.has(location)):
            return (start, end, market, location), price
    return None


def recognises(table: Table) -> Recognised | None:
    """By the start of intervals and a column of prices."""
    found = _found(table)
    return found and Recognised(1.0, f"columns {found[0][0]}, {found[1]}")


def read(table: Table, told: Told) -> Rows:
    """Prices (USD/MWh where not said otherwise) by location; several markets must be told apart."""
    found = _found(table)
    if found is None:
        expected = f"columns Interval Start and LMP or SPP, not {', '.join(table.columns)}"
        raise table.wrong("layout", "gridstatus", expected)
    (start, end, market, location), price = found
    values, units = wanted(table, {"price": price}, {"price": "USD/MWh"}, told)
    zone = (location,) if table.has(location) else ()
    bounds = (start, end) if table.has(end) else (start,)
    choosing = (market,) if table.has(market) else ()
    table.load((*bounds, *zone, *choosing), values.values(), told.where)
    parsed = [moments(table, (column,), time_format=told.time_format) for column in bounds]
    for column in choosing:
        one_value(table, column, told)
    dtype: Any = table.column(start).dtype
    shown = str(dtype.tz) if isinstance(dtype, pd.DatetimeTZDtype) else None
    columns = Columns(
        time=(start,),
        values=values,
        units=units,
        zone=zone,
        tz="UTC" if start.endswith("utc") else None,
        shown=shown,
        firm=False,
    )
    return rows_of(table, columns, told, starts=parsed[0], ends=parsed[1] if len(parsed) > 1 else None)
