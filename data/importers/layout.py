"""What the files of layouts share: how sure a layout is of a table, and which of its columns are wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..tables.table import Table
from ..tables.told import Told
from ..tables.units import unit_in

#: Quantities of weather, as pvlib names them; of wind, with the height of the speed.
WEATHER = ("temp_air", "ghi", "dni", "dhi", "wind_speed_10m", "wind_speed_100m")
_UTC = re.compile(r"(?<![a-z])utc(?![a-z])", re.IGNORECASE)


class Recognised(NamedTuple):
    """That a table has a layout: how sure (0 to 1), and by what."""

    sure: float
    why: str


def by_columns(table: Table, *columns: str) -> Recognised | None:
    """Certainty where a table has all of these columns."""
    return Recognised(1.0, f"columns {', '.join(columns)}") if table.has(*columns) else None


def wanted(
    table: Table, values: Mapping[str, str], units: Mapping[str, str], told: Told
) -> tuple[dict[str, str], dict[str, str]]:
    """Of the columns by quantity, those that the caller wants, and their units.

    A column that the caller names takes the place of the layout's.
    """
    if told.value and told.quantity not in ("all", "weather"):
        table.check("value", *told.value)
        if len(told.value) > 1:
            raise table.wrong("value", list(told.value), "one column: zones are rows in this layout")
        unit = unit_in(told.value[0], told.quantity) or units.get(told.quantity)
        return {told.quantity: told.value[0]}, {} if unit is None else {told.quantity: unit}
    chosen = {q: column for q, column in values.items() if told.quantity == "all" or is_of(q, told.quantity)}
    kept = chosen or dict(values)
    return kept, {quantity: unit for quantity, unit in units.items() if quantity in kept}


def is_of(quantity: str, family: str) -> bool:
    """Whether a quantity is what is asked for: itself, one of the weather, one kind of carbon accounting."""
    if family == "weather":
        return quantity in WEATHER or re.fullmatch(r"wind_speed_\d+m", quantity) is not None
    return quantity == family or quantity.startswith(f"{family}_")


def utc_by_name(column: str) -> str | None:
    """UTC, where the name of a column of stamps says so."""
    return "UTC" if _UTC.search(column) else None


def one_value(table: Table, column: str, told: Told) -> None:
    """Refuse a table whose rows differ in a column by which the caller did not choose."""
    if column not in table.columns or column in (told.where or {}):
        return
    found = sorted({str(value).strip() for value in table.column(column).unique()})
    if len(found) > 1:
        expected = f'rows of one {column}; choose by where={{"{column}": "{found[0]}"}}'
        raise table.wrong(column, ", ".join(found), expected)
