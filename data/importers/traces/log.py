"""Any log: the caller says which column is the time, which the class, and which the number of jobs."""

from __future__ import annotations

from ...tables.table import Table
from ...tables.told import Told
from .requests import Requests, requests_of


def read(table: Table, told: Told) -> Requests:
    """Requests by the columns that the caller names."""
    if not told.time and not (table.is_frame and table.has("time")):
        raise table.wrong("time", None, f"the column of times: time=, one of {', '.join(table.columns)}")
    return requests_of(table, told, time=("time",))
