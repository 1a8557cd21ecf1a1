"""Quantities as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwatt.data.units import Units
from stepwatt.formulation import InputError

UNITS = Units("EUR", {"USD": 0.9})


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("600 kWh", "MWh", 0.6),
        ("2 MW", "MW", 2.0),
        ("2MW", "MW", 2.0),
        ("50 EUR/MWh", "USD/MWh", 50.0),
        ("5 ct/kWh", "USD/MWh", 50.0),
        ("0.05 €/kWh", "USD/MWh", 50.0),
        ("100 USD/MWh", "USD/MWh", 90.0),
        ("12 EUR/kW", "USD/MW", 12_000.0),
        ("380 g/kWh", "kg/MWh", 380.0),
        ("24 °C", "°C", 24.0),
        ("300.15 K", "°C", 27.0),
        ("77 °F", "°C", 25.0),
        ("5 kW/°C", "MW/°C", 0.005),
        ("90 %", "1", 0.9),
        ("0.9", "1", 0.9),
        ("3 h", "min", 180.0),
        ("1.5 MB", "GB", 0.0015),
        ("1e3 kW", "MW", 1.0),
        ("-5 EUR/MWh", "USD/MWh", -5.0),
        ("42.3 J/step", "J/step", 42.3),
    ],
)
def test_a_quantity_is_read_in_the_unit_of_the_field(text: str, unit: str, value: float) -> None:
    assert UNITS.read(text, unit, "x") == pytest.approx(value, rel=1e-12)


@given(st.floats(0, 1e9, allow_nan=False), st.sampled_from(["kWh", "MWh", "GWh"]))
def test_there_and_back_is_the_same(value: float, unit: str) -> None:
    there = UNITS.converted(value, unit, "MWh", "x")
    assert UNITS.converted(there, "MWh", unit, "x") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "told"),
    [
        ("600", "MWh", "a unit behind the number, a quantity such as 1.5 MWh"),
        ("600 kW", "MWh", "a quantity such as 1.5 MWh"),
        ("2 mW", "MW", "a quantity such as 1.5 MW"),
        ("2 KW", "MW", "a quantity such as 1.5 MW"),
        ("5 m", "min", "a quantity such as 1.5 min"),
        ("50 NOK/MWh", "USD/MWh", "money in EUR, or the rate of NOK under exchange"),
        ("much", "MW", "a quantity such as 1.5 MW"),
        ("", "MW", "a quantity such as 1.5 MW"),
        ("1,5 MW", "MW", "a number with a decimal point and no separators"),
        ("1.000.000 W", "MW", "a number with a decimal point and no separators"),
        ("5 W/0", "MW", "a quantity such as 1.5 MW"),
        ("5 W**999999999", "MW", "a quantity such as 1.5 MW"),
        ("5 __import__('os')", "MW", "a quantity such as 1.5 MW"),
        ("5 " + "W*" * 50 + "W", "MW", "a quantity such as 1.5 MW"),
    ],
)
def test_what_is_no_such_quantity_is_one_line(text: str, unit: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        UNITS.read(text, unit, "sites.oslo.x")
    assert told in str(error.value)
    assert error.value.field == "sites.oslo.x"


@pytest.mark.parametrize("rate", [0, -1, True, float("nan"), "0.9"])
def test_rates_are_numbers_above_0(rate: float) -> None:
    with pytest.raises(InputError, match="exchange"):
        Units("EUR", {"USD": rate})
