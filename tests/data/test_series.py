"""The embedded year, windows of it, local calendar days, and the importer of the user's own CSV."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from places import ROOT

from stepwatt.data import (
    TIME_ZONES,
    as_series,
    covered,
    load_europe_2018,
    local_day,
    read_series,
    scenario,
    window,
    zone_list,
)
from stepwatt.data.building.slots import horizon
from stepwatt.data.embedded import EUROPE_2018_USD_PER_EUR
from stepwatt.formulation import InputError

SHARED = ROOT.parent / "shared" / "data"
JUNE = pd.Timestamp("2018-06-12", tz="UTC")


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "expected" in text
    return text


def flat(hours: int = 48, /, **changed: object) -> pd.DataFrame:
    times = pd.date_range("2023-01-01", periods=hours, freq="h", tz="UTC").strftime("%Y-%m-%dT%H:%MZ")
    columns = {
        "timestamp_utc": times,
        "region": "HOME",
        "price_usd_per_mwh": np.arange(hours, dtype=float) - 5,
        "carbon_lca_g_per_kwh": 300.0,
        "pv_cf": 0.2,
        "wind_cf": 0.3,
    }
    return pd.DataFrame(columns | changed)


def test_the_embedded_year_has_every_hour_of_six_zones_and_no_gaps() -> None:
    series = load_europe_2018()
    assert zone_list(series) == ["AT", "CZ", "DE", "DK", "FR", "NL"]
    assert [len(series.loc[[zone]]) for zone in zone_list(series)] == [8760] * 6
    assert not series.isna().to_numpy().any()
    for zone in zone_list(series):
        first, end = covered(series, zone)
        assert (str(first), str(end)) == ("2017-12-31 23:00:00+00:00", "2018-12-31 23:00:00+00:00")


def test_the_embedded_year_shows_the_published_annual_means() -> None:
    """Means of price (EUR/MWh) and of the capacity factors as published for these zones and this year."""
    mean = load_europe_2018().groupby("zone").mean()
    eur = mean["price_usd_per_mwh"] / EUROPE_2018_USD_PER_EUR
    assert mean.index[2] == "DE"
    assert eur[["DE", "FR", "NL", "DK"]].round(1).tolist() == [44.5, 50.2, 52.5, 44.1]
    assert mean[["pv_cf", "wind_cf"]].round(3).to_numpy()[2].tolist() == [0.110, 0.219]


def test_the_embedded_year_is_what_the_source_table_says() -> None:
    source = as_series(pd.read_csv(shared("europe_hourly_2018.csv.gz")))
    pd.testing.assert_frame_equal(load_europe_2018(), source)


def test_a_caller_cannot_spoil_the_embedded_year_for_the_next_one() -> None:
    series = load_europe_2018()
    series.loc[:, "price_usd_per_mwh"] = 0.0
    assert load_europe_2018()["price_usd_per_mwh"].mean() > 40


def test_the_embedded_file_is_small_and_carries_no_time_or_name_of_its_making() -> None:
    raw = (ROOT / "data" / "europe_hourly_2018.csv.gz").read_bytes()
    assert len(raw) < 1_000_000
    flags, made = raw[3], raw[4:8]
    assert (flags, made) == (0, b"\0\0\0\0")
    assert hashlib.sha256(raw).hexdigest().startswith("add566b047850d25")


@pytest.mark.parametrize("file", ["NOTICE", "data/README.md"])
def test_both_sources_are_attributed_with_their_licence(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for attribution in (
        "Bundesnetzagentur | SMARD.de",
        "ENTSO-E Transparency Platform",
        "CC BY 4.0",
        "1.181",
    ):
        assert attribution in text


def test_hourly_values_are_held_within_the_hour() -> None:
    series = load_europe_2018()
    price = window(series, "DE", JUNE, 24, 5)["price_usd_per_mwh"]
    assert price.nunique() == 2
    assert price.iloc[0] == price.iloc[11] == series.loc[("DE", JUNE), "price_usd_per_mwh"]
    assert price.iloc[12] == series.loc[("DE", JUNE + pd.Timedelta(hours=1)), "price_usd_per_mwh"]


@pytest.mark.parametrize("slot_minutes", [5, 15, 30, 60])
def test_a_days_energy_does_not_depend_on_the_slot_length(slot_minutes: int) -> None:
    series = load_europe_2018()
    german = series.loc[["DE"]].droplevel("zone")
    hourly = german[(german.index >= JUNE) & (german.index < JUNE + pd.Timedelta(days=1))].sum()
    rows = window(series, "DE", JUNE, 24 * 60 // slot_minutes, slot_minutes)
    pd.testing.assert_series_equal(rows.sum() * slot_minutes / 60, hourly)


def test_a_window_may_start_inside_an_hour() -> None:
    rows = window(load_europe_2018(), "FR", JUNE + pd.Timedelta(minutes=45), 2, 15)
    assert rows.index[1] == JUNE + pd.Timedelta(hours=1)


@pytest.mark.parametrize(
    ("day", "hours", "start"),
    [
        ("2018-03-25", 23, "2018-03-24 23:00:00+00:00"),
        ("2018-06-12", 24, "2018-06-11 22:00:00+00:00"),
        ("2018-10-28", 25, "2018-10-27 22:00:00+00:00"),
    ],
)
def test_a_local_day_follows_daylight_saving(day: str, hours: int, start: str) -> None:
    first, n_slots = local_day("DE", day, 15)
    assert (str(first), n_slots) == (start, 4 * hours)
    assert len(window(load_europe_2018(), "DE", first, n_slots, 15)) == 4 * hours


def test_the_local_days_of_a_year_tile_it() -> None:
    days = [local_day("DE", day.date(), 60) for day in pd.date_range("2018-01-01", "2018-12-31")]
    assert sum(hours for _, hours in days) == 8760
    for (start, hours), (following, _) in pairwise(days):
        assert start + pd.Timedelta(hours=hours) == following


@pytest.mark.parametrize(
    ("zone", "start", "n_slots", "slot_minutes", "told"),
    [
        ("XX", "2018-06-12", 24, 60, "zone = 'XX': expected one of AT, CZ, DE, DK, FR, NL"),
        ("DE", "2017-12-31", 24, 60, "start = '2017-12-31T00:00Z + 24 slots of 60 min'"),
        ("DE", "2018-12-31", 24, 60, "2017-12-31T23:00Z .. 2018-12-31T23:00Z"),
        ("DE", "2018-06-12", 24, 7, "slot_minutes = 7"),
        ("DE", "2018-06-12", 24, 0, "slot_minutes = 0"),
        ("DE", "2018-06-12", 0, 60, "n_slots = 0"),
        (
            "DE",
            "2018-06-12T00:10",
            4,
            15,
            "start = '2018-06-12T00:10:00Z': expected a multiple of 15 minutes",
        ),
    ],
)
def test_a_window_that_cannot_be_had_is_refused_in_one_line(
    zone: str, start: str, n_slots: int, slot_minutes: int, told: str
) -> None:
    with pytest.raises(InputError) as error:
        window(load_europe_2018(), zone, pd.Timestamp(start, tz="UTC"), n_slots, slot_minutes)
    assert told in one_line(error)


@pytest.mark.parametrize(
    ("name", "day", "hours", "start"),
    [
        ("America/Sao_Paulo", "2018-11-04", 23, "2018-11-04 03:00"),  # no midnight
        ("America/Sao_Paulo", "2018-02-17", 25, "2018-02-17 02:00"),  # 23 o'clock twice
        ("Atlantic/Azores", "2018-03-25", 23, "2018-03-25 01:00"),  # no midnight
        ("Atlantic/Azores", "2018-10-28", 25, "2018-10-28 00:00"),  # midnight twice
        ("America/Santiago", "2018-08-12", 23, "2018-08-12 04:00"),
        ("Africa/Cairo", "2023-04-28", 23, "2023-04-27 22:00"),
        ("America/Havana", "2018-03-11", 23, "2018-03-11 05:00"),
        ("America/Havana", "2018-11-04", 25, "2018-11-04 04:00"),
        ("Australia/Lord_Howe", "2018-04-02", 24, "2018-04-01 13:30"),
    ],
)
def test_a_local_day_begins_with_the_first_instant_that_has_the_date(
    name: str, day: str, hours: int, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TIME_ZONES, "HERE", name)
    first, n_slots = local_day("HERE", day)
    assert (str(first), n_slots) == (f"{start}:00+00:00", hours)
    assert str(first.tz_convert(name).date()) == day
    assert str((first - pd.Timedelta(seconds=1)).tz_convert(name).date()) < day
    built = horizon(day, 1, None, "1h", name, "USD")
    assert (built.start, built.count) == (first, hours)


def test_the_built_in_zone_without_a_midnight_has_its_day() -> None:
    assert (
        str(local_day("BR-SP", "2018-11-04", 30)) == "(Timestamp('2018-11-04 03:00:00+0000', tz='UTC'), 46)"
    )


@pytest.mark.parametrize(
    ("zone", "last", "skipped"),
    [("Pacific/Apia", "2011-12-29", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-20", "1993-08-21")],
)
def test_where_the_date_line_takes_a_day_the_one_before_has_24_hours(
    zone: str, last: str, skipped: str
) -> None:
    assert local_day(zone, last)[1] == 24
    assert horizon(last, 1, None, "1h", zone, "USD").count == 24
    assert horizon(last, 2, None, "1h", zone, "USD").count == 24
    with pytest.raises(InputError, match=f"start = '{skipped}': expected a date that {zone} has"):
        horizon(skipped, 1, None, "1h", zone, "USD")


def test_slots_divide_the_local_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIME_ZONES, "HERE", "Australia/Lord_Howe")
    with pytest.raises(InputError) as error:
        local_day("HERE", "2018-10-07", 60)
    assert "slot_minutes = 60: expected minutes that divide the 23.5 hours of 2018-10-07" in one_line(error)
    assert local_day("HERE", "2018-10-07", 30)[1] == 47


def test_a_date_that_a_zone_never_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIME_ZONES, "HERE", "Pacific/Apia")
    with pytest.raises(InputError, match="a date that Pacific/Apia has"):
        local_day("HERE", "2011-12-30")


@pytest.mark.parametrize(
    "start", ["05.06.2018", "06/05/2018", "5 June 2018", "2018", "now", "", 5, None, pd.NaT]
)
@pytest.mark.parametrize("slots", [3, "local-day"])
def test_a_start_that_is_no_iso_8601_is_refused(start: Any, slots: Any) -> None:
    with pytest.raises(InputError, match=r"start = .*expected an ISO 8601 date or time"):
        scenario("jemas", start=start, n_slots=slots)


@pytest.mark.parametrize(
    "start",
    ["2018-06-12", "20180612", "2018-06-12T02:00+02:00", dt.date(2018, 6, 12), np.datetime64("2018-06-12")],
)
def test_a_start_in_iso_8601_or_of_python_is_taken(start: Any) -> None:
    assert scenario("jemas", start=start, n_slots=1).start == "2018-06-12T00:00:00Z"


def times(begin: str, step: str, count: int = 48) -> pd.DatetimeIndex:
    return pd.date_range(begin, periods=count, freq=step, tz="UTC")


def quarters(count: int = 96) -> pd.DataFrame:
    """Prices 0, 1, 2, … by the quarter of an hour."""
    return flat(count).assign(
        timestamp_utc=times("2023-01-01", "15min", count),
        price_usd_per_mwh=np.arange(count, dtype=float),
    )


def doors(table: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """The same series through every door."""
    path = folder / "series.csv"
    table.to_csv(path, index=False)
    indexed = table.rename(columns={"region": "zone"}).set_index(["zone", "timestamp_utc"])
    return {"file": path, "name": str(path), "table": table, "indexed": indexed}


def through_every_door(table: pd.DataFrame, folder: Path, **words: Any) -> list[Any]:
    found: list[Any] = []
    for door in doors(table, folder).values():
        try:
            made = scenario(
                "jemas", zones=("HOME",), start="2023-01-01", series=door, temperature_swing=0, **words
            )
            found.append(made.sites["HOME"].grid.import_price)
        except InputError as error:
            found.append(str(error).removeprefix(f"{folder / 'series.csv'}: "))
    return found


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIME_ZONES, "HOME", "UTC")


@pytest.mark.parametrize(
    ("slot_minutes", "first"),
    [
        (5, [0, 0, 0, 1]),
        (10, [0, 0.5, 1, 2]),
        (15, [0, 1, 2, 3]),
        (30, [0.5, 2.5, 4.5, 6.5]),
        (60, [1.5, 5.5, 9.5, 13.5]),
    ],
)
def test_quarter_hourly_prices_are_used_as_they_are(
    slot_minutes: int, first: list[float], tmp_path: Path
) -> None:
    words = {"slot_minutes": slot_minutes, "n_slots": 24 * 60 // slot_minutes, "price_adder": 0.0}
    prices = through_every_door(quarters(), tmp_path, **words)
    for found in prices:
        assert found[:4] == pytest.approx(first)
        assert np.mean(found) == pytest.approx(47.5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.drop(index=7), "every hour once, none missing"),
        (lambda t: pd.concat([t, t.iloc[[7]]]), "every hour once, none missing"),
        (lambda t: t.assign(pv_cf=1.7), "pv_cf[0] = 1.7: expected a finite number from 0 to 1"),
        (lambda t: t.assign(price_usd_per_mwh=np.inf), "price_usd_per_mwh[0] = inf"),
        (lambda t: t.assign(wind_cf="many"), "wind_cf[0] = 'many'"),
        (lambda t: t.assign(temp_c=[np.nan] + [1.0] * 47), "temp_c[0] = nan"),
        (lambda t: t.assign(region=[None] + ["HOME"] * 47), "region[0] = nan: expected the name of a zone"),
        (lambda t: t.assign(timestamp_utc=["05.06.2018", *t.timestamp_utc[1:]]), "timestamp_utc"),
        (lambda t: t.drop(columns="pv_cf"), "a column pv_cf"),
        (lambda t: t.assign(timestamp_utc=times("2023-01-01", "7min")), "steps of 7 minutes"),
        (lambda t: t.assign(timestamp_utc=times("2023-01-01T00:05", "15min")), "multiples of 15 minutes"),
    ],
)
def test_every_door_refuses_the_same_with_the_same_words(
    change: Callable[[pd.DataFrame], pd.DataFrame], told: str, tmp_path: Path
) -> None:
    refusals = through_every_door(change(flat()), tmp_path, n_slots=3)
    assert all(isinstance(refusal, str) and told in refusal for refusal in refusals), refusals


def test_stamps_without_an_offset_are_utc_through_every_door(tmp_path: Path) -> None:
    naive = flat().assign(timestamp_utc=pd.date_range("2023-01-01", periods=48, freq="h"))
    found = through_every_door(naive, tmp_path, n_slots=3, price_adder=0.0)
    assert found == [[-5.0] * 3] * 4


@pytest.mark.parametrize("series", [5, 1.5, {"pv_cf": 0.1}, [1, 2], b"x", object()])
def test_what_is_no_series_at_all_is_refused(series: Any) -> None:
    with pytest.raises(InputError, match=r"series = .*: expected a DataFrame, or the name of a CSV file"):
        scenario("jemas", series=series)


def test_the_last_hour_of_the_year_is_still_inside() -> None:
    assert len(window(load_europe_2018(), "DE", pd.Timestamp("2018-12-31T22:00Z"), 12, 5)) == 12


def test_a_users_csv_is_read_whatever_its_order_and_extra_columns(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv.gz"
    flat(temp_c=4.5, comment="x").sample(frac=1, random_state=0).to_csv(path, index=False)
    series = read_series(path)
    assert series["price_usd_per_mwh"].tolist() == (np.arange(48.0) - 5).tolist()
    assert set(series["temp_c"]) == {4.5}
    assert "comment" not in series


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pv_cf": 1.2}, "pv_cf[0] = 1.2: expected a finite number from 0 to 1 (and 47 more)"),
        ({"carbon_lca_g_per_kwh": -1.0}, "carbon_lca_g_per_kwh[0]"),
        ({"price_usd_per_mwh": [1.0] * 47 + [np.nan]}, "price_usd_per_mwh[47]"),
        ({"wind_cf": "many"}, "wind_cf[0] = 'many'"),
        ({"temp_c": 300.0}, "temp_c[0] = 300.0"),
        ({"timestamp_utc": "noon"}, "timestamp_utc"),
        ({"timestamp_utc": "2023-01-01T00:00Z"}, "every hour once, none missing"),
    ],
)
def test_a_bad_cell_is_named_by_file_column_and_row(
    tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    path = tmp_path / "mine.csv"
    flat(**changed).to_csv(path, index=False)
    with pytest.raises(InputError) as error:
        read_series(path)
    assert told in one_line(error)
    assert str(error.value).startswith(str(path))


def test_a_missing_hour_column_or_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        as_series(flat().drop(index=7))
    assert "06:00:00+00:00 then 2023-01-01 08:00:00" in one_line(error)
    with pytest.raises(InputError) as error:
        as_series(flat().drop(columns="wind_cf"))
    assert "a column wind_cf" in one_line(error)
    with pytest.raises(InputError) as error:
        as_series(flat(0))
    assert "at least one" in one_line(error)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\xff" * 50, id="not gzip"),
        pytest.param(gzip.compress(b"region,pv_cf\n" * 99, mtime=0)[:40], id="cut short"),
        pytest.param(b"<!doctype html><p>Not found", id="a page"),
    ],
)
@pytest.mark.parametrize("ending", ["gz", "zip", "bz2", "xz", "zst", "tar", "tar.gz"])
def test_a_file_that_is_no_csv_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, ending: str
) -> None:
    path = tmp_path / f"mine.csv.{ending}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_series(path)
    assert one_line(error).startswith(f"{path}: (whole file) = ")


def test_the_world_series_of_2023_comes_with_its_13_regions_and_temperature() -> None:
    series = read_series(shared("world_hourly_2023.csv.gz"))
    assert len(zone_list(series)) == 13
    assert series.loc[["SG"]]["temp_c"].mean() == pytest.approx(27.3, abs=0.05)
