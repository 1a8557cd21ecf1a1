"""Whatever series is written in a layout is read back, over the days on which clocks change."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from stepwatt.data import ReadingNote, read_prices

BERLIN = "Europe/Berlin"
#: The days of 2025 on which clocks in Berlin change, and a day on which they do not.
DAYS = ("2025-03-30", "2025-10-26", "2025-06-12")


class Written(NamedTuple):
    """A layout: how a series is written in it, and what must be said to read it."""

    text: Callable[[pd.Series], str]
    said: dict[str, str]


def ends(series: pd.Series) -> pd.DatetimeIndex:
    step = series.index[1] - series.index[0]
    return pd.DatetimeIndex(series.index) + step


def entsoe(series: pd.Series) -> str:
    stamps = [
        [f"{when:%d/%m/%Y %H:%M:%S} ({when.tzname()})" for when in times]
        for times in (series.index, ends(series))
    ]
    rows = [
        f'"{a} - {b}","BZN|DE-LU","Sequence 1","{v!r}"'
        for a, b, v in zip(*stamps, series.tolist(), strict=True)
    ]
    return '"MTU (CET/CEST)","Area","Sequence","Day-ahead Price (EUR/MWh)"\n' + "\n".join(rows) + "\n"


def entsoe_before_2025(series: pd.Series) -> str:
    stamps = [[f"{when:%d.%m.%Y %H:%M}" for when in times] for times in (series.index, ends(series))]
    rows = [f'"{a} - {b}","{v!r}","EUR",""' for a, b, v in zip(*stamps, series.tolist(), strict=True)]
    return '"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"\n' + "\n".join(rows) + "\n"


def german(value: float) -> str:
    whole, point, rest = f"{value:,.7f}".partition(".")
    return whole.replace(",", ".") + point.replace(".", ",") + rest


def smard(series: pd.Series) -> str:
    stamps = [[f"{when:%d.%m.%Y %H:%M}" for when in times] for times in (series.index, ends(series))]
    rows = [f"{a};{b};{german(v)}" for a, b, v in zip(*stamps, series.tolist(), strict=True)]
    return (
        "\ufeffDatum von;Datum bis;Deutschland/Luxemburg [€/MWh] Originalauflösungen\n"
        + "\n".join(rows)
        + "\n"
    )


def ember(series: pd.Series) -> str:
    utc = series.tz_convert("UTC")
    rows = [
        f"Germany,DEU,{when:%Y-%m-%d %H:%M:%S},{local:%Y-%m-%d %H:%M:%S},{value!r}"
        for when, local, value in zip(utc.index, series.index, utc.tolist(), strict=True)
    ]
    return "Country,ISO3 Code,Datetime (UTC),Datetime (Local),Price (EUR/MWhe)\n" + "\n".join(rows) + "\n"


def aemo(series: pd.Series) -> str:
    market = ends(series).tz_convert("Australia/Brisbane")
    rows = [
        f"SA1,{when:%Y/%m/%d %H:%M:%S},1379.47,{value!r},TRADE"
        for when, value in zip(market, series.tolist(), strict=True)
    ]
    return "REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE\n" + "\n".join(rows) + "\n"


def gridstatus(series: pd.Series) -> str:
    table = {
        "Time": series.index,
        "Interval Start": series.index,
        "Interval End": ends(series),
        "Market": "REAL_TIME_15_MIN",
        "Location": "HB_WEST",
        "SPP": series.to_numpy(),
    }
    made = io.StringIO()
    pd.DataFrame(table).to_csv(made, index=False)
    return made.getvalue()


def spreadsheet(series: pd.Series) -> str:
    rows = [
        f"{when:%m/%d/%Y},{when:%I:%M %p},{value!r}"
        for when, value in zip(series.index, series.tolist(), strict=True)
    ]
    return "day,hour,price (EUR/MWh)\n" + "\n".join(rows) + "\n"


PLAIN = {
    "time": ["day", "hour"],
    "value": "price (EUR/MWh)",
    "tz": BERLIN,
    "ambiguous": "infer",
    "dayfirst": False,
}
LAYOUTS: dict[str, Written] = {
    "entsoe": Written(entsoe, {}),
    "entsoe-before-2025": Written(entsoe_before_2025, {}),
    "smard": Written(smard, {}),
    "ember": Written(ember, {}),
    "aemo": Written(aemo, {}),
    "gridstatus": Written(gridstatus, {}),
    "spreadsheet": Written(spreadsheet, PLAIN),  # type: ignore[arg-type]
}


@st.composite
def series(draw: st.DrawFn) -> pd.Series:
    day = draw(st.sampled_from(DAYS))
    step = draw(st.sampled_from([5, 15, 30, 60]))
    start = pd.Timestamp(day, tz=BERLIN)
    times = pd.date_range(start, start + pd.DateOffset(days=1), freq=f"{step}min", inclusive="left")
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = np.round(numbers.normal(60, draw(st.sampled_from([0, 1, 80, 3000])), len(times)), 2)
    # some price is not below 1: such prices are those of a kWh
    values[0] = 4000.0 if step == 5 else -500.0
    return pd.Series(values, index=times)


@given(series=series(), layout=st.sampled_from(sorted(LAYOUTS)))
def test_a_series_written_in_a_layout_is_read_back(series: pd.Series, layout: str) -> None:
    text, said = LAYOUTS[layout]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(text(series), encoding="utf-8")
        found = read_prices(path, **said)  # type: ignore[arg-type]
    assert found.index.tolist() == series.index.tolist()
    np.testing.assert_allclose(found.to_numpy(), series.to_numpy(), rtol=0, atol=1e-9)


@given(series=series(), missing=st.sets(st.integers(4, 19), min_size=1, max_size=8))
@example(
    series=pd.Series(np.arange(25.0), index=pd.date_range("2025-10-26", periods=25, freq="h", tz=BERLIN)),
    missing={2, 3},
)
def test_gaps_are_found_where_rows_are_missing(series: pd.Series, missing: set[int]) -> None:
    """Between them, four rows in a row tell the resolution."""
    holed = series.drop(series.index[sorted(missing)])
    step = series.index[1] - series.index[0]
    holed = holed if len(holed) > 5 else series
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore", ReadingNote)
        path = Path(folder) / "table.csv"
        path.write_text(gridstatus_at(holed, step), encoding="utf-8")
        found = read_prices(path, gaps="hold")
    expected = holed.reindex(series.index).ffill()
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
    assert sum(gap["steps"] for gap in found.attrs["gaps"]) == len(series) - len(holed)


def gridstatus_at(series: pd.Series, step: pd.Timedelta) -> str:
    made = io.StringIO()
    times = pd.DatetimeIndex(series.index)
    table = {
        "Interval Start": times,
        "Interval End": times + step,
        "Location": "HB_WEST",
        "LMP": series.to_numpy(),
    }
    pd.DataFrame(table).to_csv(made, index=False)
    return made.getvalue()
