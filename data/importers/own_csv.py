"""A caller's own series from a CSV file, whole or a quantity of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stepwatt.formulation import InputError

from ..series import as_series
from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from .layout import Recognised, by_columns, wanted


def read_series(path: str | Path) -> pd.DataFrame:
    """A series from a CSV (gzip allowed) with ``timestamp_utc``, ``region`` and the columns of a series.

    Further columns are ignored. Raises ``InputError`` (one line, naming file and field) for anything else.
    """
    try:
        # a path, so that pandas fetches nothing from the net
        flat = pd.read_csv(Path(path), keep_default_na=False, na_values=[""], dtype={"region": str})
    except Exception as error:  # every archive and codec has errors of its own for what is none of theirs
        told = isinstance(error, OSError) and error.strerror
        reason = told or f"{type(error).__name__}: {error}"
        raise InputError(
            file=str(path), field="(whole file)", value=reason, expected="a readable CSV"
        ) from error
    try:
        return as_series(flat)
    except InputError as error:
        raise error.in_file(str(path)) from error


_QUANTITIES = {
    "price": ("price_usd_per_mwh", "USD/MWh"),
    "carbon_intensity": ("carbon_lca_g_per_kwh", "g/kWh"),
    "pv_cf": ("pv_cf", "1"),
    "wind_cf": ("wind_cf", "1"),
    "temp_air": ("temp_c", "°C"),
}


def recognises(table: Table) -> Recognised | None:
    """By the stamp, the region and the price of a series."""
    return by_columns(table, "timestamp_utc", "region", "price_usd_per_mwh")


def read(table: Table, told: Told) -> Rows:
    """One quantity of a series by zone; stamps without an offset are UTC, as their name says."""
    found = {q: column for q, (column, _) in _QUANTITIES.items() if table.has(column)}
    values, units = wanted(table, found, {q: _QUANTITIES[q][1] for q in found}, told)
    columns = Columns(
        time=("timestamp_utc",), values=values, units=units, zone=("region",), tz="UTC", firm=False
    )
    return rows_of(table, columns, told)
