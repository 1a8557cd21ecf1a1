"""Plain tables: the caller says which column is what."""

from __future__ import annotations

from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from ..tables.units import unit_in
from .layout import utc_by_name


def read(table: Table, told: Told) -> Rows:
    """Rows by the columns that the caller names; time zone and unit as said, or as their names say."""
    quantity = "price" if told.quantity == "all" else told.quantity
    time = told.time or (("time",) if table.is_frame and table.has("time") else ())
    if not time:
        raise table.wrong("time", None, f"the column of stamps: time=, one of {', '.join(table.columns)}")
    values = dict(told.columns or {})
    if not values and told.value:
        values = dict.fromkeys(told.value, "") if len(told.value) > 1 else {quantity: told.value[0]}
        values = {name: column or name for name, column in values.items()}
    if not values:
        others = [column for column in table.columns if column not in time]
        raise table.wrong("value", None, f"the column of values: value=, one of {', '.join(others)}")
    zone = () if told.zone_column is None else (told.zone_column,)
    table.check("columns", *time, *values.values(), *zone)
    wide = quantity if len(told.value) > 1 and not told.columns else None
    units = {}
    for name, column in values.items():
        unit = unit_in(column, wide or name)
        if unit is not None:
            units[wide or name] = unit
    shown = None
    if table.is_frame:
        table.load(time)
        zone_of_frame = getattr(table.column(time[0]).dtype, "tz", None)
        shown = None if zone_of_frame is None else str(zone_of_frame)
    tz = utc_by_name(" ".join(time))
    return rows_of(
        table,
        Columns(time=time, values=values, units=units, wide=wide, zone=zone, tz=tz, shown=shown, firm=False),
        told,
    )
