"""Electricity Maps: carbon intensity of zones, direct and over the life cycle, stamps in UTC."""

from __future__ import annotations

import re

from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from .layout import Recognised, wanted

_TIME = "Datetime (UTC)"
_CARBON = re.compile(r"carbon intensity gco[2₂]\s?(?:eq)?/kwh \((direct|life cycle|lca)\)", re.IGNORECASE)
_ZONE = ("zone id", "zone name", "country")


def _carbon(table: Table) -> dict[str, str]:
    found = {column: _CARBON.fullmatch(column) for column in table.columns}
    kinds = {match[1].lower(): column for column, match in found.items() if match is not None}
    names = {"life cycle": "carbon_intensity", "lca": "carbon_intensity", "direct": "carbon_intensity_direct"}
    return {names[kind]: column for kind, column in kinds.items()}


def recognises(table: Table) -> Recognised | None:
    """By the stamp and a column of carbon intensity."""
    found = _carbon(table)
    if not (table.has(_TIME) and found):
        return None
    return Recognised(1.0, f"columns {_TIME}, {next(iter(found.values()))}")


def read(table: Table, told: Told) -> Rows:
    """Carbon intensity (g/kWh): ``carbon_intensity`` over the life cycle, ``carbon_intensity_direct``."""
    found = _carbon(table)
    if not found or not table.has(_TIME):
        raise table.wrong(
            "layout", "electricity-maps", f"a column Carbon intensity …, not {', '.join(table.columns)}"
        )
    values, units = wanted(table, found, dict.fromkeys(found, "g/kWh"), told)
    zone = tuple(column for name in _ZONE for column in table.columns if column.lower() == name)
    return rows_of(table, Columns(time=(_TIME,), values=values, units=units, zone=zone, tz="UTC"), told)
