"""Plain tables: what they say is read, what they leave open is refused with file, row, value and remedy."""

from __future__ import annotations

import bz2
import lzma
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stepwatt.data import read_carbon, read_jobs, read_prices, read_weather
from stepwatt.formulation import InputError

SAID = {"time": "t", "value": "p", "unit": "EUR/MWh"}


def table(folder: Path, *rows: str, header: str = "t;p", end: str = "\n") -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]) + end, encoding="utf-8")
    return path


def hours(count: int, day: str = "2026-01-14") -> list[str]:
    return [f"{day}T{hour:02d}:00Z;{40 + hour}" for hour in range(count)]


def refused(path: Path, told: str, **how: Any) -> None:
    with pytest.raises(InputError, match=re.escape(told)) as error:
        read_prices(path, **{**SAID, **how})
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["40", "41.5", "-3"], [40, 41.5, -3]),
        (["40", "41,5", "-3"], [40, 41.5, -3]),
        (["1.040,50", "41", "-3"], [1040.5, 41, -3]),
        (["1,040.50", "41", "-3"], [1040.5, 41, -3]),
        (["1 040,5", "41", "−3"], [1040.5, 41, -3]),
        (["4e1", "41", "+3."], [40, 41, 3]),
        (["0,250", "0,125", "0,5"], [0.25, 0.125, 0.5]),
    ],
)
def test_numbers_are_read_with_the_decimals_that_they_show(
    texts: list[str], values: list[float], tmp_path: Path
) -> None:
    rows = [f"2026-01-14T{hour:02d}:00Z;{text}" for hour, text in enumerate(texts)]
    assert read_prices(table(tmp_path, *rows), **SAID).tolist() == values


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["40", "41.5", "oops"], "p, line 4 = 'oops': expected a number"),
        (["40", "41.5", "1_000"], "p, line 4 = '1_000': expected a number"),
        (["40", "41.5", "12 EUR"], "p, line 4 = '12 EUR': expected a number"),
        (["40", "41,5", "41.5"], "p, line 4 = '41.5': expected a number"),
        (["40", "41", "inf"], "p, line 4 = 'inf': expected a number"),
        (["40", "41", "1e999"], "expected a finite number"),
        (["1,250", "2,500", "3,000"], "numbers that read in one way only; say decimal="),
        (["1.250", "2.500", "3.000"], "numbers that read in one way only; say decimal="),
        (["-", "n/e", ""], "p = 'no value': expected numbers"),
    ],
)
def test_what_is_no_number_or_two_is_refused(texts: list[str], told: str, tmp_path: Path) -> None:
    rows = [f"2026-01-14T{hour:02d}:00Z;{text}" for hour, text in enumerate(texts)]
    refused(table(tmp_path, *rows), told)


def test_the_decimal_sign_is_said_where_numbers_do_not_tell(tmp_path: Path) -> None:
    path = table(tmp_path, "2026-01-14T00:00Z;1,250", "2026-01-14T01:00Z;2,500")
    assert read_prices(path, decimal=",", **SAID).tolist() == [1.25, 2.5]
    assert read_prices(path, decimal=".", **SAID).tolist() == [1250, 2500]


def test_a_decimal_comma_between_commas_is_refused_as_a_field_too_many(tmp_path: Path) -> None:
    path = table(tmp_path, "2026-01-14T00:00Z,40", "2026-01-14T01:00Z,41,5", header="t,p")
    refused(path, "line 3 = '2026-01-14T01:00Z,41,5': expected 2 fields as in the header, found 3")
    refused(table(tmp_path, "2026-01-14T00:00Z,40", "2026-01-14T01", header="t,p"), "found 1")


@pytest.mark.parametrize(
    ("stamps", "how"),
    [
        (["2026-01-14 00:00", "2026-01-14 01:00"], {}),
        (["2026/1/14 0:00", "2026/1/14 1:00"], {}),
        (["14.01.2026 00:00", "14.01.2026 01:00"], {}),
        (["14-01-2026 00:00:00", "14-01-2026 01:00:00"], {}),
        (["01/14/2026 12:00 AM", "01/14/2026 1:00 AM"], {}),
        (["20260114 0000", "20260114 0100"], {"time_format": "%Y%m%d %H%M"}),
        (["1768348800", "1768352400"], {"time_format": "epoch_s"}),
        (["2026-01-13 24:00", "2026-01-14 01:00"], {"stamps": "start"}),
        (["2026-01-14 01:00", "2026-01-14 02:00"], {"stamps": "end"}),
        (["2026-01-14 01:00:00+01:00", "2026-01-14 02:00:00+01:00"], {}),
        (["2026-01-14 00:00 UTC", "2026-01-14 01:00 UTC"], {}),
    ],
)
def test_stamps_of_many_forms_are_read(stamps: list[str], how: dict[str, Any], tmp_path: Path) -> None:
    path = table(tmp_path, *(f"{stamp};4{n}" for n, stamp in enumerate(stamps)))
    prices = read_prices(path, tz="UTC", **SAID, **how)
    assert prices.index.tolist() == list(pd.date_range("2026-01-14", periods=2, freq="h", tz="UTC"))
    assert prices.tolist() == [40, 41]


@pytest.mark.parametrize(
    ("stamps", "told"),
    [
        (
            ["05/06/2026 00:00", "05/06/2026 01:00"],
            "line 2 = '05/06/2026 00:00': expected a date that reads in one",
        ),
        (
            ["13/06/2026 00:00", "06/13/2026 01:00"],
            "line 3 = '06/13/2026 01:00': expected day and month in the order",
        ),
        (
            ["2026-01-14 00:00", "2026-01-14 01:00Z"],
            "line 3 = '2026-01-14 01:00Z': expected no offset from UTC",
        ),
        (
            ["2026-01-14 00:00", "2026-02-30 01:00"],
            "line 3 = '2026-02-30 01:00': expected a date and time that exist",
        ),
        (["2026-01-14 00:00", "yesterday"], "line 3 = 'yesterday': expected a date and time"),
        (["2026-01-14 00:00", ""], "line 3 = '': expected a time"),
        (["2026", "2027"], "line 2 = '2026': expected a date and time"),
        (["1768348800", "1768352400"], 'expected time_format="epoch_s", if 2026-01-14 00:00 UTC is meant'),
        (["2026-01-13 24:00", "2026-01-14 01:00"], 'say stamps="end"'),
        (["2026-01-14 00:00:30", "2026-01-14 01:00:30"], "expected whole minutes"),
        (
            ["2026-01-14 00:00", "2026-01-14 00:07"],
            "steps that divide the hour, or hours that divide the day",
        ),
    ],
)
def test_stamps_that_are_none_or_two_are_refused(stamps: list[str], told: str, tmp_path: Path) -> None:
    path = table(tmp_path, *(f"{stamp};4{n}" for n, stamp in enumerate(stamps)))
    with pytest.raises(InputError, match=re.escape(told)):
        read_prices(path, tz="UTC", **SAID)


def test_stamps_without_an_offset_need_a_time_zone(tmp_path: Path) -> None:
    path = table(tmp_path, "2026-01-14 00:00;40", "2026-01-14 01:00;41")
    refused(
        path, "t, line 2 = '2026-01-14 00:00:00': expected an offset from UTC, or the time zone of the stamps"
    )
    assert read_prices(path, tz="+05:30", **SAID).index[0] == pd.Timestamp("2026-01-14T00:00+05:30")
    with pytest.raises(InputError, match=r"tz = 'Europe/Olso': expected an IANA time zone"):
        read_prices(path, tz="Europe/Olso", **SAID)
    named = table(tmp_path, "2026-01-14 00:00;40", "2026-01-14 01:00;41", header="time (UTC);p")
    assert read_prices(named, **{**SAID, "time": "time (UTC)"}).index[0] == pd.Timestamp("2026-01-14T00:00Z")


def test_a_date_and_a_time_of_day_may_stand_apart(tmp_path: Path) -> None:
    path = table(tmp_path, "14.01.2026;00:00;40", "14.01.2026;01:00;41", header="day;hour;p")
    prices = read_prices(path, tz="Europe/Oslo", **{**SAID, "time": ["day", "hour"]})
    assert prices.index[0] == pd.Timestamp("2026-01-14T00:00+01:00")


def test_times_that_clocks_skip_or_show_twice_are_refused_or_said(tmp_path: Path) -> None:
    oslo = {"tz": "Europe/Oslo"}
    skipped = table(tmp_path, "2025-03-30 01:00;40", "2025-03-30 02:00;41", "2025-03-30 03:00;42")
    refused(
        skipped, "line 3 = '2025-03-30 02:00:00': expected a time that clocks in Europe/Oslo show", **oslo
    )
    once = table(tmp_path, "2025-10-26 00:00;40", "2025-10-26 01:00;41", "2025-10-26 02:00;42")
    refused(
        once,
        "line 4 = '2025-10-26 02:00:00': expected an offset: clocks in Europe/Oslo show this twice",
        **oslo,
    )
    refused(once, "2025-10-26 02:00:00, 1 times", ambiguous="infer", **oslo)
    assert read_prices(once, ambiguous="summer", **SAID, **oslo).index[-1] == pd.Timestamp(
        "2025-10-26T02:00+02:00"
    )
    rows = ["2025-10-26 02:00;42", "2025-10-26 02:15;43", "2025-10-26 02:00;44", "2025-10-26 02:15;45"]
    halves = [row.replace(":15", ":30") for row in rows]
    twice = table(tmp_path, *halves)
    assert read_prices(twice, ambiguous="infer", **SAID, **oslo).tolist() == [42, 43, 44, 45]
    refused(table(tmp_path, *sorted(halves)), "one after the other", ambiguous="infer", **oslo)
    shuffled = table(tmp_path, "2025-10-26 05:00;1", "2025-10-26 04:00;1", *halves)
    refused(shuffled, "expected rows in order of time", ambiguous="infer", **oslo)


@pytest.mark.parametrize(
    ("unit", "factor", "result"),
    [
        ("EUR/MWh", 1, "EUR/MWh"),
        ("€/MWh", 1, "EUR/MWh"),
        ("USD/kWh", 1000, "USD/MWh"),
        ("EUR ct/kWh", 10, "EUR/MWh"),
        ("p/kWh", 10, "GBP/MWh"),
        ("SEK öre/kWh", 10, "SEK/MWh"),
        ("NOK/GWh", 0.001, "NOK/MWh"),
    ],
)
def test_prices_are_given_per_mwh(unit: str, factor: float, result: str, tmp_path: Path) -> None:
    prices = read_prices(table(tmp_path, *hours(3)), **{**SAID, "unit": unit})
    assert prices.tolist() == pytest.approx([40 * factor, 41 * factor, 42 * factor])
    assert prices.attrs["unit"] == result


def test_currencies_change_by_a_stated_rate(tmp_path: Path) -> None:
    path = table(tmp_path, *hours(2))
    prices = read_prices(path, to="USD/MWh", rate=1.1, **SAID)
    assert prices.tolist() == pytest.approx([44, 45.1])
    assert prices.attrs["unit"] == "USD/MWh"
    assert read_prices(path, to="EUR/kWh", **SAID).tolist() == pytest.approx([0.04, 0.041])
    refused(path, "expected USD/MWh; say rate=, the USD that one EUR costs", to="USD/MWh")
    refused(path, "expected no rate between EUR/MWh and EUR/kWh", to="EUR/kWh", rate=2)
    for rate, to in ((0, "USD/MWh"), (float("nan"), "USD/MWh"), (True, "USD/MWh"), (1.1, None)):
        with pytest.raises(InputError, match=r"rate = "):
            read_prices(path, to=to, rate=rate, **SAID)


def test_a_unit_is_stated_by_the_caller_or_by_the_name_of_the_column(tmp_path: Path) -> None:
    refused(
        table(tmp_path, *hours(2)), "unit of p = None: expected the unit of its numbers: say unit=", unit=None
    )
    refused_unit = {**SAID, "unit": "ct/kWh"}
    with pytest.raises(InputError, match=r"expected the currency, too"):
        read_prices(table(tmp_path, *hours(2)), **refused_unit)
    named = table(tmp_path, *hours(2), header="t;Spot [NOK/MWh]")
    assert read_prices(named, time="t", value="Spot [NOK/MWh]").attrs["unit"] == "NOK/MWh"
    small = table(tmp_path, "2026-01-14T00:00Z;0.04", "2026-01-14T01:00Z;0.05", header="t;Spot [NOK/MWh]")
    with pytest.raises(InputError, match=r"expected prices above 1 NOK/MWh somewhere"):
        read_prices(small, time="t", value="Spot [NOK/MWh]")
    assert read_prices(small, time="t", value="Spot [NOK/MWh]", unit="NOK/kWh").tolist() == [40, 50]


def test_missing_rows_and_values_are_gaps(tmp_path: Path) -> None:
    rows = hours(8)
    for absent in ([*rows[:3], *rows[5:]], [*rows[:3], rows[3][:18], rows[4][:18] + "n/e", *rows[5:]]):
        path = table(tmp_path, *absent)
        refused(path, 'fill gaps by a rule, gaps="hold", "interpolate" or a number')
        with pytest.warns(UserWarning, match=r"missing steps of 1h: 2, filled by interpolate"):
            prices = read_prices(path, gaps="interpolate", **SAID)
        assert prices.tolist() == [40, 41, 42, 43, 44, 45, 46, 47]
        assert prices.attrs["gaps"] == [
            {"from": "2026-01-14T03:00Z", "to": "2026-01-14T05:00Z", "steps": 2, "rule": "interpolate"}
        ]
    with pytest.raises(InputError, match=r"gaps = 'fill': expected hold, interpolate, or the number"):
        read_prices(path, gaps="fill", **SAID)  # type: ignore[arg-type]


def test_rows_without_values_at_the_ends_are_left_out_and_told(tmp_path: Path) -> None:
    path = table(tmp_path, "2026-01-13T23:00Z;", *hours(2), "2026-01-14T02:00Z;-", "2026-01-14T03:00Z;")
    with pytest.warns(UserWarning, match=r"rows without a value at the ends, left out: 3"):
        assert read_prices(path, **SAID).tolist() == [40, 41]


def test_rows_that_repeat_need_a_rule_where_they_differ(tmp_path: Path) -> None:
    rows = hours(4)
    with pytest.warns(UserWarning, match=r"rows that repeat a time: 1, with the same value"):
        assert read_prices(table(tmp_path, *rows, rows[1]), **SAID).tolist() == [40, 41, 42, 43]
    path = table(tmp_path, *rows, rows[1] + ".5")
    refused(path, "p, line 6 = '41.5 at 2026-01-14T01:00 UTC, 41 before': expected one value a time")
    for rule, value in (("first", 41), ("last", 41.5), ("mean", 41.25)):
        with pytest.warns(UserWarning, match=f"the {rule} counts"):
            assert read_prices(path, repeated=rule, **SAID).tolist() == [40, value, 42, 43]


@pytest.mark.parametrize(
    ("minutes", "name"), [(1, "1min"), (5, "5min"), (15, "15min"), (60, "1h"), (180, "3h")]
)
def test_resolutions_from_a_minute_on_are_told(minutes: int, name: str, tmp_path: Path) -> None:
    times = pd.date_range("2026-01-14", periods=5, freq=f"{minutes}min", tz="UTC")
    path = table(tmp_path, *(f"{when:%Y-%m-%dT%H:%MZ};{n}" for n, when in enumerate(times, 1)))
    prices = read_prices(path, **SAID)
    assert prices.attrs["resolution"] == name
    assert prices.index.tolist() == times.tolist()


def test_one_row_needs_the_time_that_it_stands_for(tmp_path: Path) -> None:
    path = table(tmp_path, *hours(1))
    refused(path, 'expected at least two rows, or how long one stands for: resolution="1h"')
    assert read_prices(path, resolution="1h", **SAID).attrs["resolution"] == "1h"
    for wrong in ("soon", "30s", "90s"):
        with pytest.raises(InputError, match=r"resolution = .*expected whole minutes"):
            read_prices(path, resolution=wrong, **SAID)


def test_columns_are_zones_where_several_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, "2026-01-14T00:00Z;1;2", "2026-01-14T01:00Z;3;4", header="t;NO1;NO2")
    both = read_prices(path, time="t", value=["NO1", "NO2"], unit="EUR/MWh", zone="all")
    assert both.to_dict("list") == {"NO1": [1, 3], "NO2": [2, 4]}
    one = read_prices(path, time="t", value=["NO1", "NO2"], unit="EUR/MWh", zone="NO2")
    assert (one.tolist(), one.name) == ([2, 4], "NO2")


def test_zones_of_different_spans_and_steps_share_the_time_that_all_have(tmp_path: Path) -> None:
    rows = [f"2026-01-14T0{h}:00Z;A;{h}" for h in range(5)]
    rows += [f"2026-01-14T0{h}:{m:02d}Z;B;{h * 100 + m}" for h in range(2, 4) for m in (0, 30)]
    path = table(tmp_path, *rows, header="t;z;p")
    both = read_prices(path, zone="all", zone_column="z", **SAID)
    assert both.to_dict("list") == {"A": [2, 2, 3, 3], "B": [200, 230, 300, 330]}
    assert both.attrs["resolution"] == "30min"


def test_names_of_columns_are_checked(tmp_path: Path) -> None:
    path = table(tmp_path, *hours(2))
    refused(path, "columns = 'price': expected one of t, p", value="price")
    doubled = table(tmp_path, "2026-01-14T00:00Z;1;2", header="t;p;p")
    refused(doubled, "expected a column of one name; 2 are called so")
    refused(table(tmp_path, end=""), "rows = 0: expected at least one below the header")
    titled = table(tmp_path, "t;p", *hours(2), header="Spot prices of Oslo")
    assert read_prices(titled, header=2, **SAID).tolist() == [40, 41]


def test_carbon_and_weather_of_plain_tables(tmp_path: Path) -> None:
    path = table(tmp_path, *hours(2), header="t;Grid carbon (kg/MWh)")
    assert read_carbon(path, time="t", value="Grid carbon (kg/MWh)").tolist() == [40, 41]
    pounds = read_carbon(path, time="t", value="Grid carbon (kg/MWh)", unit="lb/MWh")
    assert pounds.tolist() == pytest.approx([40 * 0.45359237, 41 * 0.45359237])
    path = table(tmp_path, "2026-01-14T00:00Z;50;3", "2026-01-14T01:00Z;59;4", header="t;Out (°F);Mast (m/s)")
    weather = read_weather(path, time="t", value={"temp_air": "Out (°F)", "wind_speed_80m": "Mast (m/s)"})
    assert weather["temp_air"].tolist() == pytest.approx([10, 15])
    assert weather["wind_speed_80m"].tolist() == [3, 4]
    with pytest.raises(InputError, match=r"value = 'heat': expected one of temp_air"):
        read_weather(path, time="t", value={"heat": "Out (°F)"})


@pytest.mark.parametrize(
    "packed",
    [bz2.compress(b"t;p"), lzma.compress(b"t;p"), b"7z\xbc\xaf\x27\x1c00"],
    ids=["bzip2", "xz", "7-zip"],
)
def test_what_is_packed_otherwise_is_no_text_in_another_encoding(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(packed)
    for said in ({}, {"encoding": "latin-1"}):
        with pytest.raises(InputError, match=r"file = 'an? .* archive': .*unpack it"):
            read_prices(path, **SAID, **said)


def test_files_that_are_none_are_told_in_one_line(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"\x89HDF\r\n", b"\xff\xff\xff", bytes(range(256)), b'"a'):
        path = tmp_path / "odd.csv"
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            read_prices(path)
        assert str(error.value).startswith(f"{path}: ")
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(InputError, match=r"file = "):
            read_prices(path)
    with pytest.raises(InputError, match=r"source = 3: expected a path, a DataFrame or a Series"):
        read_prices(3)  # type: ignore[arg-type]


def test_true_is_no_price_of_one(tmp_path: Path) -> None:
    """pandas reads it so where a whole column says it and commas part the fields."""
    rows = [f"2026-01-14T{hour:02d}:00Z,True" for hour in range(3)]
    refused(table(tmp_path, *rows, header="t,p"), "p, line 2 = 'True': expected a number (and 2 more)")
    ones = [f"2026-01-14T{hour:02d}:00Z,{hour % 2}" for hour in range(3)]
    assert read_prices(table(tmp_path, *ones, header="t,p"), **SAID).tolist() == [0, 1, 0]


@pytest.mark.parametrize("year", ["0001", "1677", "2262", "9999"])
def test_years_that_no_nanosecond_counts_are_refused(year: str, tmp_path: Path) -> None:
    rows = [f"{year}-01-14T{hour:02d}:00Z;{hour}" for hour in range(3)]
    refused(table(tmp_path, *rows), "expected a time in the years 1678 to 2261 (and 2 more)")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(
            (word, 3)
            for word in ("tz", "unit", "time_format", "resolution", "encoding", "delimiter", "steps")
        ),
        *((word, ["x"]) for word in ("time_format", "encoding", "zone_column", "job_class", "count")),
        *(("dayfirst", value) for value in (3, "x", [])),
        ("encoding", b"utf-8"),
        ("encoding", ""),
        ("zone", []),
        ("gaps", float("inf")),
    ],
    ids=str,
)
def test_a_word_of_another_kind_is_told_whether_it_is_needed_or_not(
    word: str, value: Any, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("time,price\n2025-06-01 00:00,50\n2025-06-01 01:00,51\n", encoding="utf-8")
    how: dict[str, Any] = {"time": "time", "value": "price", "tz": "UTC", "unit": "EUR/MWh", word: value}
    with pytest.raises(InputError, match=rf"^{word} = "):
        read_prices(table, **how)


def test_jobs_have_no_zones_to_choose() -> None:
    with pytest.raises(InputError, match=r"^how to read = 'zone': expected one of tz, "):
        read_jobs(pd.DataFrame({"time": ["2025-06-01"]}), zone="DE")  # type: ignore[call-arg]
