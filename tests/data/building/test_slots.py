"""Series laid on slots: what holds, what is averaged, what is counted, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwatt.data import read_prices
from stepwatt.data.building.slots import Slots, horizon
from stepwatt.formulation import InputError

DAY = "2018-06-12"
START = pd.Timestamp("2025-06-12", tz="Europe/Oslo")


def slots(minutes: int, count: int, start: pd.Timestamp = START) -> Slots:
    return Slots(start, count, pd.Timedelta(minutes=minutes), "EUR")


def series(values: Any, every: str = "h", start: Any = START, **attrs: str) -> pd.Series:
    found = pd.Series(values, index=pd.date_range(start, periods=len(values), freq=every), dtype=float)
    found.attrs.update(attrs)
    return found


@given(
    st.lists(st.tuples(st.sampled_from([15, 30, 60]), st.floats(-500, 500)), min_size=2, max_size=30),
    st.sampled_from([5, 15, 20, 45, 60]),
    st.integers(0, 40),
)
def test_a_slot_has_the_mean_of_the_minutes_in_it(
    steps: list[tuple[int, float]], minutes: int, offset: int
) -> None:
    lengths = sorted((length for length, _ in steps), reverse=True)  # the resolution changes, there is no gap
    lengths[-1] = lengths[-2]
    lengths[0] = lengths[1]
    values = [value for _, value in steps]
    stamps = START + pd.to_timedelta(np.cumsum([0, *lengths[:-1]]), unit="min")
    by_minute = np.repeat(values, lengths)
    count = (len(by_minute) - offset) // minutes
    if count < 1:
        return
    begun = START + pd.Timedelta(minutes=offset)
    found = slots(minutes, count, begun).lay(pd.Series(values, index=stamps), "price")
    by_slot = by_minute[offset : offset + count * minutes].reshape(count, minutes)
    np.testing.assert_allclose(found, by_slot.mean(axis=1), rtol=1e-12, atol=1e-9)
    level = by_slot.min(axis=1) == by_slot.max(axis=1)
    assert (np.array(found)[level] == by_slot[level, 0]).all()  # a value that holds is met exactly


def test_numbers_hold_and_arrays_are_taken_as_they_are() -> None:
    assert slots(60, 3).lay(4.5, "price") == 4.5
    assert slots(60, 3).lay(np.array([1.0, 2.0, 3.0]), "price") == [1.0, 2.0, 3.0]


def test_zones_are_instants() -> None:
    prices = series(range(24)).tz_convert("UTC")
    assert slots(60, 2).lay(prices, "price") == [0.0, 1.0]


def test_energy_of_each_step_becomes_power_and_is_kept() -> None:
    """0.5 MWh in a quarter of an hour are 2 MW; an hour of such quarters is 2 MWh."""
    sun = series([0.5, 0.25, 0.0, 0.25], "15min", unit="MWh")
    assert slots(15, 4).lay(sun, "renewable_mw", "MW") == [2.0, 1.0, 0.0, 1.0]
    assert slots(60, 1).lay(sun, "renewable_mw", "MW") == [1.0]
    assert slots(60, 1).lay(series([250.0, 250.0], "30min", unit="kW"), "x", "MW") == [0.25]


def test_units_that_a_series_says_are_converted() -> None:
    cents = series([5.0, 6.0], unit="ct/kWh")
    assert slots(60, 2).lay(cents, "price", "USD/MWh") == pytest.approx([50.0, 60.0])
    assert slots(60, 2).lay(series([5.0, 6.0], unit="EUR/MWh"), "price", "USD/MWh") == [5.0, 6.0]
    with pytest.raises(InputError, match="expected money in EUR, or the rate of USD"):
        slots(60, 2).lay(series([5.0, 6.0], unit="USD/MWh"), "price", "USD/MWh")
    with pytest.raises(InputError, match=r"a quantity such as 1\.5 EUR/MWh"):
        slots(60, 2).lay(series([5.0, 6.0], unit="g/kWh"), "price", "USD/MWh")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=48), st.sampled_from([5, 15, 30, 60]))
def test_jobs_are_counted(jobs: list[int], minutes: int) -> None:
    arriving = pd.Series(jobs, index=pd.date_range(START, periods=len(jobs), freq="5min"))
    length = 5 if len(jobs) > 1 else 60  # a single stamp holds for an hour
    count = len(jobs) * length // minutes
    if count < 1 or minutes < length:
        return
    per = minutes // length
    found = slots(minutes, count).count_in(arriving, "arrivals")
    assert found == [float(sum(jobs[n * per : (n + 1) * per])) for n in range(count)]


def test_jobs_of_longer_steps_than_slots_are_refused() -> None:
    with pytest.raises(InputError, match="steps that each lie in one slot of 15 min"):
        slots(15, 4).count_in(series([10, 10]), "arrivals.oslo.urgent")


def cut(row: int) -> pd.Series:
    return series(range(24)).drop(START + pd.Timedelta(hours=row))


@pytest.mark.parametrize(
    ("given_series", "told"),
    [
        (
            cut(7),
            "p = 'nothing at 2025-06-12T07:00:00+02:00': expected values from 2025-06-12T00",
        ),
        (series(range(20)), "nothing at 2025-06-12T20:00:00+02:00"),
        (series(range(30), start=START + pd.Timedelta(hours=1)), "nothing at 2025-06-12T00:00:00+02:00"),
        (series([]), "nothing at 2025-06-12T00:00:00+02:00"),
        (series(range(24), start=START.tz_localize(None)), "a series whose index has a time zone"),
        (pd.Series(range(24)), "a series whose index has a time zone"),
        (series(range(24))[::-1], "expected stamps in order, each once"),
        (
            series([*range(11), np.nan, *range(12)]),
            "nan at 2025-06-12T11:00:00+02:00'",
        ),
        (series(range(24)).astype(str), "expected numbers"),
    ],
)
def test_what_does_not_cover_the_horizon_is_told_with_the_first_stamp(
    given_series: pd.Series, told: str
) -> None:
    with pytest.raises(InputError) as error:
        slots(60, 24).lay(given_series, "p")
    assert told in str(error.value)


@pytest.mark.parametrize("missing", [[2], [2, 4], [2, 4, 6], [2, 3, 5, 6], [4, 6]])
def test_hours_that_are_missing_one_after_the_other_are_gaps_at_both_doors(
    missing: list[int], tmp_path: Path
) -> None:
    """Steps of two hours in a row are no resolution where those around them are hours."""
    hours = pd.date_range(DAY, periods=9, freq="h", tz="UTC")
    series = pd.Series(np.arange(9.0), hours).drop(hours[missing])
    nothing = f"nothing at {hours[missing[0]].isoformat()}"
    with pytest.raises(InputError, match=re.escape(nothing)):
        Slots(hours[0], 8, pd.Timedelta(hours=1)).lay(series, "price")
    series.to_csv(tmp_path / "p.csv", header=["price"], index_label="when")
    with pytest.raises(InputError, match="nothing from 2018-06-12T0"):
        read_prices(tmp_path / "p.csv", time="when", value="price", unit="USD/MWh")


def test_a_day_of_hours_between_quarters_is_no_gap() -> None:
    quarters = pd.date_range(DAY, periods=3 * 96, freq="15min", tz="UTC")
    kept = quarters[(quarters.day != 13) | (quarters.minute == 0)]
    laid = Slots(quarters[0], 72, pd.Timedelta(hours=1)).lay(pd.Series(np.arange(len(kept)) * 1.0, kept), "p")
    assert laid[24:48] == [96.0 + n for n in range(24)]


def test_a_value_without_a_time_is_told() -> None:
    hours = pd.date_range(DAY, periods=8, freq="h", tz="UTC")
    series = pd.Series(np.arange(9.0), hours.append(pd.DatetimeIndex([pd.NaT], tz="UTC")))
    with pytest.raises(InputError, match="no time, at place 8"):
        Slots(hours[0], 8, pd.Timedelta(hours=1)).lay(series, "price")


@pytest.mark.parametrize("given", [set(range(8)), pd.DataFrame({str(n): [n] for n in range(8)})])
def test_numbers_in_no_order_are_no_jobs_of_slots(given: object) -> None:
    slots = Slots(pd.Timestamp(DAY, tz="UTC"), 8, pd.Timedelta(hours=1))
    with pytest.raises(InputError, match="one of each slot"):
        slots.count_in(given, "arrivals")


def test_a_change_from_hours_to_quarters_is_no_gap_and_days_of_25_hours_are_days() -> None:
    hours, quarters = series(range(12)), series(range(48), "15min", START + pd.Timedelta(hours=12))
    found = slots(60, 24).lay(pd.concat([hours, quarters]), "price")
    assert found[:13] == [*range(12), 1.5]
    october = pd.Timestamp("2025-10-24", tz="Europe/Oslo")
    days = pd.Series(range(5), index=pd.date_range(october, periods=5, freq="D"))
    assert slots(60, 97, october).lay(days, "price")[71:76] == [2.0, 2.0, 3.0, 3.0, 3.0]


def test_calendar_days_have_23_24_or_25_hours() -> None:
    def count(start: str, days: int = 1, **given: Any) -> int:
        return horizon(start, days, given.pop("hours", None), "30min", "Europe/Oslo", "EUR").count

    assert [count("2025-03-30"), count("2025-06-12"), count("2025-10-26")] == [46, 48, 50]
    assert count("2025-10-25", days=3) == 146
    assert count("2025-06-12T13:00", hours=2) == 4
    assert horizon("2025-06-12", 1, None, 60, None, "EUR").start.isoformat() == "2025-06-12T00:00:00+00:00"
    told = horizon("2025-06-12T00:00-05:00", 1, None, "1h", None, "EUR").start
    assert told.isoformat() == "2025-06-12T00:00:00-05:00"


@pytest.mark.parametrize(
    ("given_values", "field"),
    [
        ({"start": "12.06.2025"}, "start"),
        ({"slot": "7min"}, "slot"),
        ({"slot": "soon"}, "slot"),
        ({"slot": -5}, "slot"),
        ({"slot": True}, "slot"),
        ({"days": 0}, "days"),
        ({"days": 1.5}, "days"),
        ({"hours": -1}, "hours"),
        ({"timezone": "Oslo"}, "timezone"),
        ({"timezone": ""}, "timezone"),
    ],
)
def test_horizons_that_make_no_sense_are_one_line(given_values: dict[str, Any], field: str) -> None:
    usual = {"start": "2025-06-12", "days": 1, "hours": None, "slot": "15min", "timezone": "Europe/Oslo"}
    with pytest.raises(InputError) as error:
        horizon(**{**usual, **given_values}, currency="EUR")
    assert error.value.field == field
