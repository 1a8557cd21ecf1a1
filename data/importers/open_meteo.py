"""Open-Meteo: the CSV of one place, a block about the place before the block of hourly variables.

Stamps are in the offset that the first block names: the service applies one offset to all of them, that of
the day of the request, also where the zone has summer time (issue 488 of open-meteo/open-meteo). Radiation
is the mean of the hour *before* its stamp (documentation of the variables), all else holds at it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..tables.opening import cells
from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from ..tables.units import conversion
from .layout import Recognised, wanted

_VARIABLE = re.compile(r"([a-z0-9_]+) \((.+)\)")
_RADIATION = {
    "shortwave_radiation": "ghi",
    "direct_normal_irradiance": "dni",
    "diffuse_radiation": "dhi",
}
_INSTANT = {f"{name}_instant": quantity for name, quantity in _RADIATION.items()}


def _place(table: Table) -> dict[str, str] | None:
    """What the first block says, of the first place."""
    blocks = [cells(line, ",") for line in table.lines[:2]]
    if len(blocks) < 2 or "utc_offset_seconds" not in blocks[0]:
        return None
    return dict(zip(blocks[0], blocks[1], strict=False))


def recognises(table: Table) -> Recognised | None:
    """By the block about the place."""
    if _place(table) is None:
        return None
    return Recognised(1.0, "a first block with latitude, longitude, utc_offset_seconds")


def read(table: Table, told: Told) -> Rows:
    """Weather (°C, W/m², m/s): ``temp_air``, ``ghi``, ``dni``, ``dhi``, ``wind_speed_100m`` and so on."""
    place = _place(table)
    line = next(
        (n for n, text in enumerate(table.lines, 1) if re.match(r'"?(location_id,)?time,', text)), None
    )
    if place is None or line is None:
        raise table.wrong("layout", "open-meteo", "a block about the place, then one that begins with time")
    below = table.at_line(line)
    if below.has("location_id"):
        raise table.wrong("location_id", "several places", "a file of one place")
    found, units = {}, {}
    for column in below.columns:
        match = _VARIABLE.fullmatch(column)
        quantity = None if match is None else _quantity(match[1])
        if match is not None and quantity is not None:
            conversion(quantity, match[2])
            found[quantity], units[quantity] = column, match[2]
    values, units = wanted(below, found, units, told)
    if not values:
        raise table.wrong(
            "layout", "open-meteo", f"a variable that is known here, not {', '.join(below.columns)}"
        )
    try:
        seconds = int(place["utc_offset_seconds"])
        about = {"latitude": float(place["latitude"]), "longitude": float(place["longitude"])}
    except (ValueError, KeyError):
        raise table.wrong(
            "line 2", table.lines[1], "numbers for latitude, longitude, utc_offset_seconds"
        ) from None
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    tz = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    rows = rows_of(below, Columns(time=("time",), values=values, units=units, tz=tz), replace(told, tz=None))
    before = frozenset(q for q, column in values.items() if _RADIATION.get(column.split(" ")[0]) == q)
    return replace(rows, before=before, about=about, tz=told.tz or ("UTC" if not seconds else tz))


def _quantity(variable: str) -> str | None:
    if variable == "temperature_2m":
        return "temp_air"
    if re.fullmatch(r"wind_?speed_\d+m", variable):
        return variable.replace("windspeed", "wind_speed")
    return _RADIATION.get(variable) or _INSTANT.get(variable)
