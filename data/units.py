"""Units of what people write: ``2 MW``, ``600 kWh``, ``50 EUR/MWh``; read by pint, in a small vocabulary.

The vocabulary is that of power, energy, heat, carbon, data, time and one currency, so that a slip (``mW``,
``m``) is unknown rather than something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from stepwatt.formulation import InputError

_DEFINED = (
    "kilo- = 1e3 = k-",
    "mega- = 1e6 = M-",
    "giga- = 1e9 = G-",
    "second = [time] = s = sec = seconds",
    "minute = 60 * second = min = minutes",
    "hour = 60 * minute = h = hours",
    "day = 24 * hour = d = days",
    "month = 730.5 * hour = months",
    "watt = [power] = W",
    "watt_hour = watt * hour = Wh",
    "joule = watt * second = J",
    "gram = [mass] = g",
    "tonne = 1e6 * gram = t",
    "byte = [information] = B",
    "kelvin = [temperature]; offset: 0 = K",
    "degree_Celsius = kelvin; offset: 273.15 = degC",
    "degree_Fahrenheit = 5 / 9 * kelvin; offset: 233.15 + 200 / 9 = degF",
    "percent = 0.01 = pct",
    "step = [step] = steps",
)

_QUANTITY = re.compile(r"\s*([+-]?[\d.,_]*\d[\d.,_]*(?:[eE][+-]?\d+)?)\s*(.*?)\s*")

#: Names with ``/`` and ``*`` between.
_UNIT = re.compile(r"[A-Za-z°]{1,20}(?:\s*[*/]\s*[A-Za-z°]{1,20}){0,3}")

#: Three capital letters are a currency where they are no unit.
_CURRENCY = re.compile(r"\b[A-Z]{3}\b")


class Units:
    """Reads quantities; money is that of one currency, and others at stated rates.

    Args:
        currency: a label such as EUR.
        rates: what one unit of another currency is worth in it, by label.

    Raises:
        InputError: a rate that is no number above 0.
    """

    def __init__(self, currency: str = "USD", rates: Mapping[str, float] | None = None) -> None:
        import pint

        self.currency, self.rates = currency, dict(rates or {})
        self._registry: Any = pint.UnitRegistry(None)
        for line in _DEFINED:
            self._registry.define(line)
        self._registry.define("money = [money]")
        self._registry.define("cent = 0.01 * money = ct")
        for name, rate in self.rates.items():
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
                expected = f"how many {currency} one {name} is, above 0"
                raise InputError(field=f"exchange.{name}", value=rate, expected=expected)
            self._registry.define(f"money_{name} = {rate!r} * money")

    def read(self, text: str, unit: str, field: str) -> float:
        """The number of a quantity such as ``600 kWh`` in ``unit``.

        Raises:
            InputError: no number, no unit, one that is not known or of another kind.
        """
        match = _QUANTITY.fullmatch(text)
        if match is None:
            raise InputError(field=field, value=text, expected=self._example(unit))
        number, said = match.groups()
        try:
            value = float(number.replace("_", ""))
        except ValueError:
            expected = f"a number with a decimal point and no separators, {self._example(unit)}"
            raise InputError(field=field, value=text, expected=expected) from None
        if not said and unit != "1":
            raise InputError(
                field=field, value=text, expected=f"a unit behind the number, {self._example(unit)}"
            )
        return float(self.converted(value, said or "1", unit, field))

    def converted(self, value: Any, said: str, unit: str, field: str) -> Any:
        """A number or an array in ``said``, given in ``unit``.

        Raises:
            InputError: a unit that is not known, or of another kind.
        """
        unit = unit.replace("USD", self.currency)  # whatever the currency is
        if said == unit:
            return value
        import pint

        try:
            found = self._registry.Quantity(value, self._parsed(said, field))
            return found.to(self._parsed(unit, field)).magnitude
        except InputError:
            raise
        except (pint.PintError, AttributeError, TypeError, ValueError, ZeroDivisionError, RecursionError):
            raise InputError(field=field, value=said, expected=self._example(unit)) from None

    def is_energy(self, said: str) -> bool:
        """Whether a unit is one of energy."""
        try:
            self.converted(1.0, said, "MWh", "unit")
        except InputError:
            return False
        return True

    def _parsed(self, unit: str, field: str) -> Any:
        """A unit of the registry, with money of other currencies at their rates."""

        def money(match: re.Match[str]) -> str:
            name = match[0]
            if name == self.currency:
                return "money"
            if name not in self.rates:
                expected = f"money in {self.currency}, or the rate of {name} under exchange"
                raise InputError(field=field, value=unit, expected=expected)
            return f"money_{name}"

        text = unit.replace("€", "EUR").replace("%", "percent").replace("·", "*")
        if text != "1" and not _UNIT.fullmatch(text):  # pint evaluates whatever it is given
            raise ValueError(unit)
        text = _CURRENCY.sub(money, text)
        text = "degC" if text in ("°C", "C") else "degF" if text == "°F" else text.replace("°C", "K")
        return self._registry.parse_units("" if text == "1" else text)

    def _example(self, unit: str) -> str:
        shown = {"1": "a number, or one in %", "°C": "a temperature such as 24 °C"}
        said = unit.replace("USD", self.currency)
        return shown.get(unit, f"a quantity such as 1.5 {said}")
