"""The embedded year, windows of it, local calendar days, and the importer of the user's own CSV."""

from __future__ import annotations

import gzip
import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from places import ROOT

from stepwatt.data import as_series, covered, load_europe_2018, local_day, read_series, window, zone_list
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
    ],
)
def test_a_file_that_is_no_csv_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.csv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_series(path)
    assert one_line(error).startswith(f"{path}: (whole file) = ")


def test_the_world_series_of_2023_comes_with_its_13_regions_and_temperature() -> None:
    series = read_series(shared("world_hourly_2023.csv.gz"))
    assert len(zone_list(series)) == 13
    assert series.loc[["SG"]]["temp_c"].mean() == pytest.approx(27.3, abs=0.05)
