"""SMARD (Bundesnetzagentur), downloads of wholesale prices in German and in English.

``Datum von;Datum bis;Deutschland/Luxemburg [€/MWh] Originalauflösungen;…`` with a decimal comma and ``-``
for no value; ``Start date;End date;Germany/Luxembourg [€/MWh] Original resolutions;…`` with ``Oct 26, 2025
2:00 AM``. Stamps are German time; the hour that comes twice is told apart by the order of rows.
"""

from __future__ import annotations

import re

from ..tables.rows import Columns, Rows, rows_of
from ..tables.table import Table
from ..tables.told import Told
from .layout import Recognised

_PRICE = re.compile(r"(.+?) \[€/MWh\].*")
_LANGUAGES = (
    (("Datum von",), "Datum bis", ","),
    (("Start date",), "End date", "."),
    (("Datum", "Anfang"), None, ","),
)
_CODES = {
    "Deutschland/Luxemburg": "DE-LU",
    "Germany/Luxembourg": "DE-LU",
    "DE/AT/LU": "DE-AT-LU",
    "Belgien": "BE",
    "Belgium": "BE",
    "Dänemark 1": "DK1",
    "Denmark 1": "DK1",
    "Dänemark 2": "DK2",
    "Denmark 2": "DK2",
    "Frankreich": "FR",
    "France": "FR",
    "Italien (Nord)": "IT-NORD",
    "Northern Italy": "IT-NORD",
    "Niederlande": "NL",
    "Netherlands": "NL",
    "Norwegen 2": "NO2",
    "Norway 2": "NO2",
    "Österreich": "AT",
    "Austria": "AT",
    "Polen": "PL",
    "Poland": "PL",
    "Schweden 4": "SE4",
    "Sweden 4": "SE4",
    "Schweiz": "CH",
    "Switzerland": "CH",
    "Slowenien": "SI",
    "Slovenia": "SI",
    "Tschechien": "CZ",
    "Czech Republic": "CZ",
    "Ungarn": "HU",
    "Hungary": "HU",
}


def _prices(table: Table) -> dict[str, str]:
    found = {column: _PRICE.fullmatch(column) for column in table.columns}
    return {match[1]: column for column, match in found.items() if match is not None}


def recognises(table: Table) -> Recognised | None:
    """By the columns of times and a column in €/MWh."""
    for time, end, _ in _LANGUAGES:
        needed = (*time, end) if end else time
        if table.has(*needed) and _prices(table):
            return Recognised(1.0, f"columns {', '.join(needed)} and prices in [€/MWh]")
    return None


def read(table: Table, told: Told) -> Rows:
    """Prices (EUR/MWh), a zone a column, known by SMARD's name and by the code of the bidding zone."""
    spoken = next((words for words in _LANGUAGES if table.has(*words[0])), None)
    prices = _prices(table)
    if spoken is None or not prices:
        raise table.wrong(
            "layout", "smard", f"columns Datum von and … [€/MWh], not {', '.join(table.columns)}"
        )
    time, end, decimal = spoken
    if told.value:
        table.check("value", *told.value)
        prices = {zone: column for zone, column in prices.items() if column in told.value} or {
            column: column for column in told.value
        }
    columns = Columns(
        time=time,
        end=end,
        values=prices,
        units={"price": "EUR/MWh"},
        wide="price",
        tz="Europe/Berlin",
        ambiguous="infer",
        dayfirst=True,
        decimal=decimal,
    )
    return rows_of(table, columns, told).relabelled({}, _CODES)
