"""AEMO, aggregated price and demand of the Australian market: stamps are ends of intervals, in market time.

Market time is UTC+10 all year; intervals are of 30 minutes before October 2021, of 5 minutes since.
"""

from __future__ import annotations

from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from .layout import Recognised, by_columns, wanted


def recognises(table: Table) -> Recognised | None:
    """By region, date of settlement and regional reference price."""
    return by_columns(table, "REGION", "SETTLEMENTDATE", "RRP")


def read(table: Table, told: Told) -> Rows:
    """Regional reference prices (AUD/MWh) by region."""
    values, units = wanted(table, {"price": "RRP"}, {"price": "AUD/MWh"}, told)
    columns = Columns(
        time=("SETTLEMENTDATE",),
        values=values,
        units=units,
        zone=("REGION",),
        # the zone of Queensland, which has no summer time
        tz="Australia/Brisbane",
        stamps="end",
        dayfirst=True,
    )
    return rows_of(table, columns, told)
