"""Units as tables write them, and what turns them into the one unit that each quantity has here."""

from __future__ import annotations

import re
from typing import NamedTuple

from stepwatt.formulation import InputError


class Conversion(NamedTuple):
    """``factor · number + offset`` is in ``unit``."""

    unit: str
    factor: float = 1.0
    offset: float = 0.0


#: Quantities, and the unit that each is given in; names of weather as pvlib has them.
UNITS = {
    "price": "EUR/MWh",
    "carbon_intensity": "g/kWh",
    "temp_air": "°C",
    "ghi": "W/m²",
    "dni": "W/m²",
    "dhi": "W/m²",
    "wind_speed": "m/s",
    "pv_cf": "1",
    "wind_cf": "1",
}
_SIGNS = {"€": "EUR", "£": "GBP", "us$": "USD", "a$": "AUD", "c$": "CAD", "nz$": "NZD"}
_ENERGY = {"gwh": 1e-3, "mwh": 1.0, "kwh": 1e3, "wh": 1e6}
_MONEY = re.compile(
    r"(?P<currency>[a-z]{3}|€|£|us\$|a\$|c\$|nz\$)?\s*(?P<cent>ct|cents?|c|¢|p|pence|öre|øre)?"
    r"\s*(?:/|\bper\b)\s*(?P<energy>[gmk]?wh)(?:e|el)?",
    re.IGNORECASE,
)
_SNAKE = re.compile(r"(?:^|_)([a-z]{3})_(?:per_)?([gmk]?wh)(?:_|$)", re.IGNORECASE)
_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
_CARBON = re.compile(r"(k?g|t|lbs?)\s*(?:co[2₂](?:e|eq|-?eq)?)?\s*(?:/|per)\s*([mk]wh)", re.IGNORECASE)
_GRAMS = {"g": 1.0, "kg": 1e3, "t": 1e6, "lb": 453.59237, "lbs": 453.59237}
_OTHERS = {
    "temp_air": {"°c": (1.0, 0.0), "c": (1.0, 0.0), "°f": (5 / 9, -160 / 9), "k": (1.0, -273.15)},
    "irradiance": {"w/m²": (1.0, 0.0), "w/m2": (1.0, 0.0), "kw/m²": (1e3, 0.0), "kw/m2": (1e3, 0.0)},
    "wind_speed": {
        "m/s": (1.0, 0.0),
        "km/h": (1 / 3.6, 0.0),
        "mp/h": (0.44704, 0.0),
        "mph": (0.44704, 0.0),
        "kn": (1852 / 3600, 0.0),
        "kt": (1852 / 3600, 0.0),
    },
    "share": {"1": (1.0, 0.0), "%": (0.01, 0.0)},
}


def conversion(quantity: str, unit: str) -> Conversion:
    """What turns numbers of that unit into the quantity's own: money per MWh, g/kWh, °C, W/m², m/s, 1.

    Raises:
        InputError: no unit of that quantity.
    """
    text = unit.strip() if isinstance(unit, str) else ""
    found = _money(text) if quantity == "price" else _other(quantity, text)
    if found is None:
        expected = {
            "price": "money per energy, such as EUR/MWh, USD/kWh or EUR ct/kWh",
            "carbon_intensity": "mass per energy, such as g/kWh, kg/MWh or lb/MWh",
            "temp_air": "°C, °F or K",
            "wind_speed": "m/s, km/h, mph or kn",
        }.get(quantity, "W/m²" if quantity in ("ghi", "dni", "dhi") else "1 or %")
        raise InputError(field="unit", value=unit, expected=expected)
    return found


def _money(text: str) -> Conversion | None:
    found = _MONEY.fullmatch(text)
    if found is None:
        return None
    said, cent = found["currency"], (found["cent"] or "").lower()
    currency = "" if said is None else _SIGNS.get(said.lower(), said.upper())
    if not currency and cent in ("p", "pence"):
        currency = "GBP"
    if not currency:
        expected = "the currency, too: EUR ct/kWh, USD cent/kWh, SEK öre/kWh"
        raise InputError(field="unit", value=text, expected=expected)
    return Conversion(f"{currency}/MWh", _ENERGY[found["energy"].lower()] * (0.01 if cent else 1.0))


def _other(quantity: str, text: str) -> Conversion | None:
    own = UNITS.get(quantity.split("_at_")[0], "1")
    if quantity == "carbon_intensity":
        found = _CARBON.fullmatch(text)
        if found is None:
            return None
        per = 1.0 if found[2].lower() == "kwh" else 1e-3
        return Conversion(own, _GRAMS[found[1].lower()] * per)
    kind = quantity if quantity in _OTHERS else "wind_speed" if quantity.startswith("wind_speed") else "share"
    if quantity in ("ghi", "dni", "dhi"):
        kind = "irradiance"
    pair = _OTHERS[kind].get(text.lower())
    canonical = UNITS.get(kind, UNITS.get(quantity, "1"))
    return None if pair is None else Conversion(canonical, *pair)


def unit_in(header: str, quantity: str) -> str | None:
    """The unit that a column's name says in brackets, as ``Price (EUR/MWh)``, or as ``price_usd_per_mwh``."""
    for text in _BRACKETS.findall(header):
        try:
            if conversion(quantity, text):
                return str(text).strip()
        except InputError:
            continue
    snake = _SNAKE.search(header)
    if quantity == "price" and snake is not None and snake[1].upper() in _CURRENCIES:
        return f"{snake[1].upper()}/{snake[2]}"
    return None


_CURRENCIES = frozenset(
    [
        "EUR",
        "USD",
        "GBP",
        "AUD",
        "CAD",
        "NZD",
        "CHF",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "CZK",
        "HUF",
        "RON",
        "BGN",
        "JPY",
        "KRW",
        "SGD",
        "INR",
        "CNY",
        "BRL",
        "MXN",
        "ZAR",
        "TRY",
    ]
)
