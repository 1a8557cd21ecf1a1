# ruff: noqa: E501 (rows as files have them)
"""Each layout on a few rows of its own, with invented numbers: recognised, and read to the stated values."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stepwatt.data import IMPORTERS, look, open_table, read_carbon, read_prices, read_weather
from stepwatt.data.importers.registry import recognised
from stepwatt.formulation import InputError

ENTSOE = """"MTU (CET/CEST)","Area","Sequence","Day-ahead Price (EUR/MWh)","Intraday Price (EUR/MWh)"
"26/10/2025 01:00:00 (CEST) - 26/10/2025 02:00:00 (CEST)","BZN|NO1","Sequence 1","40.00",""
"26/10/2025 02:00:00 (CEST) - 26/10/2025 02:00:00 (CET)","BZN|NO1","Sequence 1","41.50",""
"26/10/2025 02:00:00 (CET) - 26/10/2025 03:00:00 (CET)","BZN|NO1","Sequence 1","-42.00",""
"26/10/2025 03:00:00 (CET) - 26/10/2025 04:00:00 (CET)","BZN|NO1","Sequence 1","43.00",""
"""
ENTSOE_UTC = """"MTU (UTC)","Area","Sequence","Day-ahead Price (EUR/MWh)"
"25/10/2025 23:00:00 - 26/10/2025 00:00:00","BZN|FR","Without Sequence","40.00"
"26/10/2025 00:00:00 - 26/10/2025 01:00:00","BZN|FR","Without Sequence","41.50"
"""
# a skipped hour has an empty row, the hour that comes twice comes in order
ENTSOE_BEFORE_2025 = """"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"
"26.03.2023 00:00 - 26.03.2023 01:00","70.00","EUR",""
"26.03.2023 01:00 - 26.03.2023 02:00","71.00","EUR",""
"26.03.2023 02:00 - 26.03.2023 03:00","","EUR",""
"26.03.2023 03:00 - 26.03.2023 04:00","72.00","EUR",""
"26.03.2023 04:00 - 26.03.2023 05:00","73.00","EUR",""
"""
ENTSOE_AUTUMN_2023 = """"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"
"29.10.2023 01:00 - 29.10.2023 02:00","70.00","EUR",""
"29.10.2023 02:00 - 29.10.2023 03:00","71.00","EUR",""
"29.10.2023 02:00 - 29.10.2023 03:00","72.00","EUR",""
"29.10.2023 03:00 - 29.10.2023 04:00","73.00","EUR",""
"""
EMBER = """Country,ISO3 Code,Datetime (UTC),Datetime (Local),Price (EUR/MWhe)
Norway,NOR,2025-06-01 00:00:00,2025-06-01 02:00:00,55
Norway,NOR,2025-06-01 01:00:00,2025-06-01 03:00:00,54.25
France,FRA,2025-06-01 00:00:00,2025-06-01 02:00:00,31
France,FRA,2025-06-01 01:00:00,2025-06-01 03:00:00,30
"""
EMBER_DAILY = """Country,ISO3 Code,Date,Price (EUR/MWhe)
Norway,NOR,2025-10-25,55
Norway,NOR,2025-10-26,54.25
Norway,NOR,2025-10-27,53
"""
SMARD = """\ufeffDatum von;Datum bis;Deutschland/Luxemburg [€/MWh] Originalauflösungen;Norwegen 2 [€/MWh] Originalauflösungen
26.10.2025 01:45;26.10.2025 02:00;1.040,50;-
26.10.2025 02:00;26.10.2025 02:15;41;5,5
26.10.2025 02:15;26.10.2025 02:30;42;5,5
26.10.2025 02:30;26.10.2025 02:45;43;5,5
26.10.2025 02:45;26.10.2025 02:00;44;5,5
26.10.2025 02:00;26.10.2025 02:15;-45,25;5,5
26.10.2025 02:15;26.10.2025 02:30;46;5,5
26.10.2025 02:30;26.10.2025 02:45;47;5,5
26.10.2025 02:45;26.10.2025 03:00;48;5,5
26.10.2025 03:00;26.10.2025 03:15;49;5,5
"""
SMARD_ENGLISH = """Start date;End date;Germany/Luxembourg [€/MWh] Calculated resolutions
Mar 30, 2025 12:00 AM;Mar 30, 2025 1:00 AM;1,040.50
Mar 30, 2025 1:00 AM;Mar 30, 2025 3:00 AM;41.00
Mar 30, 2025 3:00 AM;Mar 30, 2025 4:00 AM;42.00
"""
# half hours before October 2021, five minutes since; stamps are ends
AEMO = """REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE
NSW1,2021/09/30 22:30:00,7000,10,TRADE
NSW1,2021/09/30 23:00:00,7000,20,TRADE
NSW1,2021/09/30 23:30:00,7000,30,TRADE
NSW1,2021/10/01 00:00:00,7000,40,TRADE
NSW1,2021/10/01 00:05:00,7000,51,TRADE
NSW1,2021/10/01 00:10:00,7000,52,TRADE
NSW1,2021/10/01 00:15:00,7000,53,TRADE
"""
GRIDSTATUS = """Time,Interval Start,Interval End,Market,Location,Location Type,LMP,Energy,Congestion,Loss
2025-11-02 01:00:00-04:00,2025-11-02 01:00:00-04:00,2025-11-02 01:00:00-05:00,DAY_AHEAD_HOURLY,WEST,Zone,31,30,0,1
2025-11-02 01:00:00-05:00,2025-11-02 01:00:00-05:00,2025-11-02 02:00:00-05:00,DAY_AHEAD_HOURLY,WEST,Zone,32,31,0,1
2025-11-02 02:00:00-05:00,2025-11-02 02:00:00-05:00,2025-11-02 03:00:00-05:00,DAY_AHEAD_HOURLY,WEST,Zone,33,32,0,1
"""
GRIDSTATUS_SERVICE = """interval_start_utc,interval_end_utc,market,location,location_type,lmp
2025-11-02T05:00:00+00:00,2025-11-02T05:05:00+00:00,REAL_TIME_5_MIN,HB_WEST,Hub,-3.5
2025-11-02T05:05:00+00:00,2025-11-02T05:10:00+00:00,REAL_TIME_5_MIN,HB_WEST,Hub,12
"""
CARBON = """Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle)
2025-06-01 00:00:00,Norway,Southeast Norway,NO-NO1,2,27.5
2025-06-01 01:00:00,Norway,Southeast Norway,NO-NO1,3,28
"""
CARBON_BEFORE_2024 = """Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA)
2022-06-01 00:00:00,Norway,Southeast Norway,NO-NO1,2,27.5
2022-06-01 01:00:00,Norway,Southeast Norway,NO-NO1,3,28
"""
OPEN_METEO = """latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation
59.9,10.75,12.0,7200,Europe/Oslo,GMT+2

time,temperature_2m (°F),shortwave_radiation (W/m²),shortwave_radiation_instant (W/m²),wind_speed_10m (m/s),wind_speed_100m (km/h),rain (mm)
2025-10-26T01:00,50,100,90,4,36,0
2025-10-26T02:00,59,110,91,5,72,0
2025-10-26T03:00,68,120,92,6,108,0
"""
OWN = """timestamp_utc,region,price_usd_per_mwh,carbon_lca_g_per_kwh,pv_cf,wind_cf,temp_c
2023-01-01T00:00Z,HOME,-5,300,0.2,0.3,7
2023-01-01T01:00Z,HOME,-4,300,0.2,0.3,8
"""
PRICES: dict[str, tuple[str, str, str, dict[str, float], dict[str, Any]]] = {
    "entsoe": ("entsoe", ENTSOE, "EUR/MWh", {
        "2025-10-25T23:00Z": 40, "2025-10-26T00:00Z": 41.5, "2025-10-26T01:00Z": -42, "2025-10-26T02:00Z": 43,
    }, {}),
    "entsoe in UTC": ("entsoe", ENTSOE_UTC, "EUR/MWh", {"2025-10-25T23:00Z": 40, "2025-10-26T00:00Z": 41.5}, {}),
    "entsoe, spring before 2025": ("entsoe", ENTSOE_BEFORE_2025, "EUR/MWh", {
        "2023-03-25T23:00Z": 70, "2023-03-26T00:00Z": 71, "2023-03-26T01:00Z": 72, "2023-03-26T02:00Z": 73,
    }, {"zone": "DE-LU"}),
    "entsoe, autumn before 2025": ("entsoe", ENTSOE_AUTUMN_2023, "EUR/MWh", {
        "2023-10-28T23:00Z": 70, "2023-10-29T00:00Z": 71, "2023-10-29T01:00Z": 72, "2023-10-29T02:00Z": 73,
    }, {}),
    "ember": ("ember", EMBER, "EUR/MWh", {"2025-06-01T00:00Z": 55, "2025-06-01T01:00Z": 54.25}, {"zone": "NOR"}),
    "ember by day": ("ember", EMBER_DAILY, "EUR/MWh", {
        "2025-10-24T22:00Z": 55, "2025-10-25T22:00Z": 54.25, "2025-10-26T23:00Z": 53,
    }, {"tz": "Europe/Oslo"}),
    "smard": ("smard", SMARD, "EUR/MWh", {
        "2025-10-25T23:45Z": 1040.5, "2025-10-26T00:00Z": 41, "2025-10-26T00:15Z": 42, "2025-10-26T00:30Z": 43,
        "2025-10-26T00:45Z": 44, "2025-10-26T01:00Z": -45.25, "2025-10-26T01:15Z": 46, "2025-10-26T01:30Z": 47,
        "2025-10-26T01:45Z": 48, "2025-10-26T02:00Z": 49,
    }, {"zone": "DE-LU"}),
    "smard in English": ("smard", SMARD_ENGLISH, "EUR/MWh", {
        "2025-03-29T23:00Z": 1040.5, "2025-03-30T00:00Z": 41, "2025-03-30T01:00Z": 42,
    }, {}),
    "gridstatus": ("gridstatus", GRIDSTATUS, "USD/MWh", {
        "2025-11-02T05:00Z": 31, "2025-11-02T06:00Z": 32, "2025-11-02T07:00Z": 33,
    }, {}),
    "gridstatus, service": ("gridstatus", GRIDSTATUS_SERVICE, "USD/MWh", {
        "2025-11-02T05:00Z": -3.5, "2025-11-02T05:05Z": 12,
    }, {}),
    "stepwatt": ("stepwatt", OWN, "USD/MWh", {"2023-01-01T00:00Z": -5, "2023-01-01T01:00Z": -4}, {}),
}  # fmt: skip


def written(folder: Path, text: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def as_utc(series: pd.Series) -> dict[str, float]:
    return {f"{when:%Y-%m-%dT%H:%MZ}": value for when, value in series.tz_convert("UTC").items()}  # type: ignore[str-format]


@pytest.mark.parametrize("name", PRICES)
def test_prices_are_recognised_and_read(name: str, tmp_path: Path) -> None:
    layout, text, unit, values, how = PRICES[name]
    path = written(tmp_path, text)
    assert [found for found, _ in recognised(open_table(path), "rows", "jobs")] == [layout]
    prices = read_prices(path, **how)
    assert as_utc(prices) == values
    assert (prices.attrs["unit"], prices.attrs["layout"], prices.attrs["source"]) == (unit, layout, str(path))
    pd.testing.assert_series_equal(read_prices(path, layout, **how), prices)


def test_half_hours_that_turn_into_five_minutes_are_held(tmp_path: Path) -> None:
    path = written(tmp_path, AEMO)
    with pytest.warns(UserWarning, match=r"30min from 2021-09-30T12:00, 5min from 2021-09-30T14:00"):
        prices = read_prices(path)
    assert prices.index[0] == pd.Timestamp("2021-09-30T22:00+10:00")
    assert prices.tolist() == [*np.repeat([10, 20, 30, 40], 6), 51, 52, 53]
    assert (prices.attrs["resolution"], prices.attrs["unit"]) == ("5min", "AUD/MWh")


@pytest.mark.parametrize("text", [CARBON, CARBON_BEFORE_2024], ids=["2025", "2022"])
def test_carbon_intensity_is_of_the_life_cycle_or_direct(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    carbon = read_carbon(path, zone="NO-NO1")
    assert carbon.tolist() == [27.5, 28.0]
    assert (carbon.attrs["unit"], carbon.attrs["accounting"]) == ("g/kWh", "life-cycle")
    assert read_carbon(path, accounting="direct").tolist() == [2.0, 3.0]


def test_weather_is_in_the_units_of_pvlib_and_in_the_one_offset_of_the_file(tmp_path: Path) -> None:
    """The file's offset holds for all stamps, also after the night in which clocks change."""
    path = written(tmp_path, OPEN_METEO)
    weather = read_weather(path, tz="Europe/Oslo")
    assert weather.index.tz_convert("UTC")[0] == pd.Timestamp("2025-10-25T23:00Z")
    assert weather["temp_air"].tolist() == pytest.approx([10.0, 15.0, 20.0])
    assert weather["wind_speed_10m"].tolist() == [4.0, 5.0, 6.0]
    assert weather["wind_speed_100m"].tolist() == pytest.approx([10.0, 20.0, 30.0])
    assert weather["ghi"].tolist() == [90.0, 91.0, 92.0]


def test_frames_of_entsoe_py_and_gridstatus_are_read_without_them(tmp_path: Path) -> None:
    times = pd.date_range("2025-10-26", periods=25, freq="h", tz="Europe/Oslo")
    queried = pd.Series(np.arange(25.0), index=times)
    prices = read_prices(queried, "entsoe")
    assert (prices.tolist(), str(prices.index.tz)) == (queried.tolist(), "Europe/Oslo")
    assert (prices.attrs["unit"], prices.attrs["source"]) == ("EUR/MWh", "(frame)")
    saved = pd.read_csv(written(tmp_path, GRIDSTATUS))
    frame = saved.assign(**{
        column: pd.to_datetime(saved[column], utc=True).dt.tz_convert("US/Eastern")
        for column in ("Time", "Interval Start", "Interval End")
    })  # fmt: skip
    prices = read_prices(frame)
    assert prices.tolist() == [31.0, 32.0, 33.0]
    assert str(prices.index.tz) == "US/Eastern"
    # a slice of rows keeps labels that are no positions
    assert read_prices(frame.iloc[1:]).tolist() == [32.0, 33.0]
    assert read_prices(saved).tolist() == [31.0, 32.0, 33.0]


def test_several_zones_are_refused_or_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, EMBER)
    with pytest.raises(
        InputError, match=r'zones = .Norway, France.: expected one zone, or which: zone="Norway"'
    ):
        read_prices(path)
    both = read_prices(path, zone="all")
    assert both.to_dict("list") == {"Norway": [55, 54.25], "France": [31, 30]}
    assert (both.attrs["unit"], both.attrs["resolution"]) == ("EUR/MWh", "1h")
    assert read_prices(path, zone=["FRA"]).name == "FRA"
    assert list(read_prices(path, zone=["FRA", "Norway"])) == ["FRA", "Norway"]
    with pytest.raises(
        InputError, match=r"zone = .Fance.: expected one of Norway, France; did you mean France"
    ):
        read_prices(path, zone="Fance")


def test_rows_of_several_kinds_are_refused_or_chosen(tmp_path: Path) -> None:
    markets = GRIDSTATUS + GRIDSTATUS.split("\n", 1)[1].replace(
        "DAY_AHEAD_HOURLY", "REAL_TIME_HOURLY"
    ).replace("Zone,3", "Zone,9")
    path = written(tmp_path, markets)
    with pytest.raises(InputError, match=r'choose by where={"Market": "DAY_AHEAD_HOURLY"}'):
        read_prices(path)
    assert read_prices(path, where={"Market": "REAL_TIME_HOURLY"}).tolist() == [91.0, 92.0, 93.0]
    with pytest.raises(InputError, match=r"a value that rows have: DAY_AHEAD_HOURLY, REAL_TIME_HOURLY"):
        read_prices(path, where={"Market": "DAM"})
    sequences = (
        ENTSOE + '"26/10/2025 03:00:00 (CET) - 26/10/2025 04:00:00 (CET)","BZN|NO1","Sequence 2","9",""\n'
    )
    path = written(tmp_path, sequences)
    with pytest.raises(InputError, match=r'where={"Sequence": "Sequence 1"}'):
        read_prices(path)
    assert len(read_prices(path, where={"Sequence": "Sequence 1"})) == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_a_mark_and_line_ends_of_any_kind_are_read(encoding: str, tmp_path: Path) -> None:
    for ends in ("\n", "\r\n", "\r"):
        path = tmp_path / "table.csv"
        path.write_bytes(EMBER.replace("\n", ends).encode(encoding))
        assert read_prices(path, zone="Norway").tolist() == [55, 54.25]


def test_other_encodings_are_said(tmp_path: Path) -> None:
    path = tmp_path / "smard.csv"
    path.write_bytes(SMARD.removeprefix("\ufeff").encode("cp1252"))
    with pytest.raises(InputError, match=r"line 1 = b'.x80'.*say encoding=.cp1252"):
        read_prices(path)
    assert len(read_prices(path, zone="DE-LU", encoding="cp1252")) == 10
    path.write_bytes(EMBER.encode("utf-16-le"))
    with pytest.raises(InputError, match=r"say encoding=.utf-16-le"):
        read_prices(path)


def test_packed_files_are_read_and_workbooks_refused(tmp_path: Path) -> None:
    packed = tmp_path / "prices.csv.gz"
    packed.write_bytes(gzip.compress(EMBER.encode()))
    archive = tmp_path / "prices.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("Norway.csv", EMBER)
    for path in (packed, archive):
        assert read_prices(path, zone="France").tolist() == [31, 30]
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("[Content_Types].xml", "")
    with pytest.raises(InputError, match=r"an Excel workbook.*save the sheet as CSV"):
        read_prices(archive)
    packed.write_bytes(gzip.compress(EMBER.encode())[:40])
    with pytest.raises(InputError, match=r"a readable file"):
        read_prices(packed)


def test_unknown_tables_and_layouts_are_told_what_there_is(tmp_path: Path) -> None:
    path = written(tmp_path, "when,what\n2025-01-01,1\n")
    with pytest.raises(
        InputError,
        match=r"columns = .when, what.: expected a layout that is known \(entsoe, ember.*docs/plugins\.md says how",
    ):
        read_prices(path)
    with pytest.raises(
        InputError, match=r"layout = .entso.*did you mean entsoe\?; docs/plugins\.md says how"
    ):
        read_prices(path, "entso")
    with pytest.raises(InputError, match=r"did you mean ambiguous"):
        read_prices(path, ambigous="infer")  # type: ignore[call-arg]
    for name, importer in IMPORTERS.items():
        if importer.gives == "rows":
            with pytest.raises(InputError):
                read_prices(path, name)


def test_a_look_tells_layout_zones_span_resolution_and_gaps(tmp_path: Path) -> None:
    lines = ENTSOE.splitlines()
    seen = look(written(tmp_path, "\n".join([*lines[:2], *lines[3:]]) + "\n"))
    assert seen.layout == "entsoe"
    zone = seen.quantities["price"]["zones"]["BZN|NO1"]
    assert zone["from"] == "2025-10-26T01:00:00+02:00"
    assert zone["to"] == "2025-10-26T04:00:00+01:00"
    assert (zone["steps"], zone["resolution"], zone["also"]) == (4, "1h", ["NO1"])
    assert [gap["steps"] for gap in zone["gaps"]] == [1]
    assert seen.quantities["price"]["unit"] == "EUR/MWh"
