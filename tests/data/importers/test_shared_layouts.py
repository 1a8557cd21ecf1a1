"""Files of the folder of layouts: read to the stated values or refused in one line; so are spoiled copies."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from places import SHARED

from stepwatt.data import IMPORTERS, ReadingNote, look, read_carbon, read_jobs, read_prices, read_weather
from stepwatt.formulation import InputError

FOLDER = SHARED / "layouts"
BERLIN = {"tz": "Europe/Berlin"}


class Case(NamedTuple):
    """How a file is read, and what it holds: steps, first and last start, the values there, the unit."""

    file: str
    read: Callable[..., Any]
    how: dict[str, Any]
    steps: int
    first: tuple[str, float]
    last: tuple[str, float]
    unit: str
    value: str


PRICE = "price_usd_per_mwh"
WINTER = ("2026-01-14T00:00Z", 40.0), ("2026-01-15T01:00Z", 65.0), "USD/MWh", PRICE
PLAIN = {"layout": "columns", "time": "timestamp_utc", "value": PRICE}
CASES = [
    Case("entsoe_dayahead_2025.csv", read_prices, {}, 100, ("2025-10-26T00:00+02:00", 40.0),
         ("2025-10-26T23:45+01:00", 21.0), "EUR/MWh", "Day-ahead Price (EUR/MWh)"),
    Case("ember_hourly.csv", read_prices, {}, 48, ("2025-06-01T00:00Z", 55.0), ("2025-06-02T23:00Z", 8.0),
         "EUR/MWh", "Price (EUR/MWhe)"),
    Case("gridstatus_ercot_spp.csv", read_prices, {}, 96, ("2025-03-09T06:00Z", -12.5),
         ("2025-03-10T05:45Z", 82.5), "USD/MWh", "SPP"),
    Case("gridstatus_caiso_lmp.csv", read_prices, {}, 24, ("2025-11-02T07:00Z", 30.0),
         ("2025-11-03T06:00Z", 53.0), "USD/MWh", "LMP"),
    # stamps are ends: the first five minutes of the year begin at midnight
    Case("aemo_price_and_demand.csv", read_prices, {}, 288, ("2025-01-01T00:00+10:00", 140.48),
         ("2025-01-01T23:55+10:00", -146.52), "AUD/MWh", "RRP"),
    Case("electricitymaps_DE_2025_hourly.csv", read_carbon, {}, 48, ("2025-06-01T00:00Z", 290.0),
         ("2025-06-02T23:00Z", 337.0), "g/kWh", "Carbon intensity gCO₂eq/kWh (Life cycle)"),
    Case("electricitymaps_DE_2025_hourly.csv", read_carbon, {"accounting": "direct"}, 48,
         ("2025-06-01T00:00Z", 250.0), ("2025-06-02T23:00Z", 297.0), "g/kWh",
         "Carbon intensity gCO₂eq/kWh (direct)"),
    Case("berlin_naive_autumn.csv", read_prices, {**BERLIN, "ambiguous": "infer"}, 25,
         ("2025-10-26T00:00+02:00", 40.0), ("2025-10-26T23:00+01:00", 64.0), "USD/MWh", PRICE),
    Case("berlin_naive_spring.csv", read_prices, BERLIN, 23, ("2025-03-30T00:00+01:00", 40.0),
         ("2025-03-30T23:00+02:00", 62.0), "USD/MWh", PRICE),
    Case("berlin_offset_autumn.csv", read_prices, BERLIN, 25, ("2025-10-26T00:00+02:00", 40.0),
         ("2025-10-26T23:00+01:00", 64.0), "USD/MWh", PRICE),
    Case("hour24.csv", read_prices, {"stamps": "start"}, 26, *WINTER),
    Case("hour24.csv", read_prices, {"stamps": "end"}, 26, ("2026-01-13T23:00Z", 40.0),
         ("2026-01-15T00:00Z", 65.0), "USD/MWh", PRICE),
    Case("dup.csv", read_prices, {"repeated": "last"}, 26, ("2026-01-14T00:00Z", 40.0),
         ("2026-01-15T01:00Z", 66.0), "USD/MWh", PRICE),
    Case("na.csv", read_prices, {"gaps": "interpolate"}, 26, *WINTER),
    Case("switch.csv", read_prices, {}, 96, ("2026-01-14T00:00Z", 40.0), ("2026-01-14T23:45Z", 99.0),
         "USD/MWh", PRICE),
    Case("quarter.csv", read_prices, {}, 104, ("2026-01-14T00:00Z", 40.0), ("2026-01-15T01:45Z", 143.0),
         "USD/MWh", PRICE),
    Case("dayfirst.csv", read_prices, {"dayfirst": True}, 26, *WINTER),
    Case("us.csv", read_prices, {"dayfirst": False}, 26, *WINTER),
    Case("cents.csv", read_prices, {"unit": "USD/kWh"}, 26, *WINTER),
    Case("semicolon.csv", read_prices, {}, 26, *WINTER),
    Case("epoch_ms.csv", read_prices, {"time_format": "epoch_ms"}, 26, *WINTER),
    Case("utf16.csv", read_prices, {}, 26, *WINTER),
    Case("crlf_bom.csv", read_prices, {}, 26, *WINTER),
    Case("blank_region.csv", read_prices, PLAIN, 26, *WINTER),
]  # fmt: skip
JOBS = {
    "azure_llm_2023.csv": ({"tz": "UTC", "every": "5min"}, {"jobs": [300, 300]}, "2023-11-16T18:15Z"),
    "burstgpt.csv": (
        {"start": "2025-06-12", "every": "15min"},
        {"ChatGPT": [15, 15, 3], "GPT-4": [8, 7, 2]},
        "2025-06-12T00:00Z",
    ),
    "image_generation_trace.csv": ({"tz": "UTC"}, {"sdxl_v1": [15, 15, 15, 5]}, "2024-10-12T10:00Z"),
}
REFUSED = {
    "berlin_naive_autumn.csv": ({}, "line 5 = '43 at 2025-10-26T02:00 UTC, 42 before'"),
    "berlin_naive_spring.csv": ({}, "nothing from 2025-03-30T02:00 to 2025-03-30T03:00 UTC"),
    "blank_region.csv": ({}, "region, line 2 = ''"),
    "cents.csv": ({}, "expected prices above 1 USD/MWh somewhere"),
    "dup.csv": ({}, "line 5 = '43 at 2026-01-14T02:00 UTC, 42 before'"),
    "epoch_ms.csv": ({}, 'expected time_format="epoch_ms", if 2026-01-14 00:00 UTC is meant'),
    "hour24.csv": ({}, 'say stamps="end"'),
    "na.csv": ({}, "price_usd_per_mwh, line 7 = 'no value'"),
}
IDS = [f"{case.file}-{n}" for n, case in enumerate(CASES)]


def path_of(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        pytest.skip("the folder of layouts is not beside this checkout")
    return path


def quietly(read: Callable[..., Any], path: Path, how: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        return read(path, **how)


def one_line(error: InputError, path: Path) -> None:
    text = str(error)
    assert "\n" not in text
    assert "expected" in text
    assert text.startswith(f"{path}: "), text


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_file_is_read_to_its_values(case: Case) -> None:
    found = quietly(case.read, path_of(case.file), case.how)
    assert len(found) == case.steps
    assert found.attrs["unit"] == case.unit
    for place, (when, value) in ((0, case.first), (-1, case.last)):
        assert found.index[place] == pd.Timestamp(when)
        assert found.iloc[place] == pytest.approx(value)
    assert found.index.tz is not None
    assert (found.index[1:] - found.index[:-1]).nunique() == 1


def test_hours_that_turn_into_quarters_are_held() -> None:
    prices = quietly(read_prices, path_of("switch.csv"), {})
    assert prices["2026-01-14T11:00Z":"2026-01-14T12:15Z"].tolist() == [51, 51, 51, 51, 52, 53]  # type: ignore[misc]
    assert prices.attrs["resolutions"] == [("2026-01-14T00:00Z", "1h"), ("2026-01-14T12:00Z", "15min")]


@pytest.mark.parametrize(
    ("rule", "value"),
    [("hold", 44.0), ("interpolate", 45.0), (0, 0.0)],
    ids=["hold", "interpolate", "number"],
)
def test_a_gap_is_filled_by_the_rule_and_reported(rule: Any, value: float) -> None:
    path = path_of("na.csv")
    with pytest.warns(ReadingNote, match=r"missing steps of 1h: 1.*2026-01-14T05:00Z to 2026-01-14T06:00Z"):
        prices = read_prices(path, gaps=rule)
    assert prices[pd.Timestamp("2026-01-14T05:00Z")] == value
    assert [(gap["from"], gap["steps"]) for gap in prices.attrs["gaps"]] == [("2026-01-14T05:00Z", 1)]


def test_weather_of_a_place_has_radiation_at_the_start_of_its_hour() -> None:
    """Radiation is the mean of the hour before its stamp, so 399 W/m² at 01:00 are those from 00:00 on."""
    weather = read_weather(path_of("open_meteo.csv"))
    assert weather.columns.tolist() == ["temp_air", "ghi", "wind_speed_100m"]
    assert weather.iloc[0].tolist() == pytest.approx([15, 399, 20 / 3.6])
    assert weather.iloc[-1].tolist() == pytest.approx([25, 353, 20 / 3.6])
    assert (len(weather), weather.index[0]) == (47, pd.Timestamp("2025-06-01T00:00Z"))
    assert weather.attrs["units"] == {"temp_air": "°C", "ghi": "W/m²", "wind_speed_100m": "m/s"}
    assert (weather.attrs["latitude"], weather.attrs["longitude"]) == (52.5, 13.4)


@pytest.mark.parametrize("file", JOBS)
def test_a_log_is_counted(file: str) -> None:
    how, expected, first = JOBS[file]
    jobs = read_jobs(path_of(file), **how)
    assert {name: jobs[name].tolist() for name in jobs} == expected
    assert jobs.index[0] == pd.Timestamp(first)
    assert jobs.attrs["unit"] == "jobs"


@pytest.mark.parametrize("file", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(file: str) -> None:
    how, told = REFUSED[file]
    path = path_of(file)
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        read_prices(path, **how)
    one_line(refused.value, path)


@pytest.mark.parametrize("file", ["azure_llm_2023.csv", "burstgpt.csv", "image_generation_trace.csv"])
def test_times_of_unknown_zone_are_refused(file: str) -> None:
    path = path_of(file)
    with pytest.raises(InputError, match=r"tz=|start=") as refused:
        read_jobs(path)
    one_line(refused.value, path)


def test_every_importer_reads_every_file_or_tells_why_not_in_one_line() -> None:
    path_of("na.csv")
    doors: dict[str, list[Callable[..., Any]]] = {
        "rows": [read_prices, read_carbon, read_weather],
        "jobs": [read_jobs],
    }
    count = 0
    for path in sorted(FOLDER.glob("*.csv")):
        for name, importer in IMPORTERS.items():
            for read in doors.get(importer.gives, []):
                try:
                    quietly(read, path, {"layout": name})
                except InputError as error:
                    one_line(error, path)
                count += 1
    assert count > 500


def test_every_file_is_looked_at() -> None:
    path_of("na.csv")
    for path in sorted(FOLDER.glob("*.csv")):
        seen = look(path)
        assert seen.layout is not None, path
        assert seen.quantities or seen.jobs or seen.refused


def text_of(path: Path) -> str:
    raw = path.read_bytes()
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    return text.replace("\r\n", "\n")


def spoilt(case: Case, tmp_path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    lines = text_of(path_of(case.file)).splitlines()
    path = tmp_path / case.file
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    return path


def read_rightly_or_refused(case: Case, path: Path) -> None:
    """What a spoiled copy gives is what the whole file gives at the same times."""
    whole = quietly(case.read, path_of(case.file), case.how)
    try:
        found = quietly(case.read, path, case.how)
    except InputError as error:
        one_line(error, path)
        return
    assert found.index.isin(whole.index).all()
    pd.testing.assert_series_equal(found, whole.loc[found.index], check_freq=False)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_shuffled_rows_are_put_in_order_or_refused(case: Case, tmp_path: Path) -> None:
    def shuffled(lines: list[str]) -> list[str]:
        rows = lines[1:]
        random.Random(0).shuffle(rows)
        return [lines[0], *rows]

    # of rows of one time the last one counts, which another order changes
    if "repeated" not in case.how:
        read_rightly_or_refused(case, spoilt(case, tmp_path, shuffled))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_doubled_rows_count_once_or_are_refused(case: Case, tmp_path: Path) -> None:
    rows_twice = spoilt(
        case, tmp_path, lambda lines: [lines[0], *(r for row in lines[1:] for r in (row, row))]
    )
    read_rightly_or_refused(case, rows_twice)
    file_twice = spoilt(case, tmp_path, lambda lines: [*lines, *lines])
    with pytest.raises(InputError, match=rf"line {len(text_of(path_of(case.file)).splitlines()) + 1}\b"):
        quietly(case.read, file_twice, case.how)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_file_that_ends_early_is_read_as_far_as_it_goes_or_refused(case: Case, tmp_path: Path) -> None:
    text = text_of(path_of(case.file))
    path = tmp_path / case.file
    for part in (0.37, 0.62, 0.8):
        cut = text[: int(len(text) * part)]
        # where a number may be cut, too, reading says so; the claim is of what comes before
        path.write_text(cut[: cut.rindex(",") if "," in cut else len(cut)], encoding="utf-8")
        read_rightly_or_refused(case, path)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_text_among_numbers_is_refused_with_its_line(case: Case, tmp_path: Path) -> None:
    whole = text_of(path_of(case.file)).splitlines()
    sign = ";" if ";" in whole[0] else ","
    at = [name.strip('"') for name in whole[0].split(sign)].index(case.value)

    def changed(lines: list[str]) -> list[str]:
        cells = lines[8].split(sign)
        cells[at] = "oops"
        return [*lines[:8], sign.join(cells), *lines[9:]]

    path = spoilt(case, tmp_path, changed)
    with pytest.raises(InputError, match=re.escape(f"{case.value}, line 9 = 'oops'")) as refused:
        quietly(case.read, path, case.how)
    one_line(refused.value, path)
