"""The series that come with the package: Europe in 2018."""

from __future__ import annotations

from functools import cache
from importlib import resources

import pandas as pd

from .importers.own_csv import read_series

EUROPE_2018 = "europe_hourly_2018.csv.gz"


EUROPE_2018_USD_PER_EUR = 1.181
"""Exchange rate (mean of 2018) with which the embedded EUR/MWh prices were converted to USD/MWh."""


@cache
def _europe_2018() -> pd.DataFrame:
    with resources.as_file(resources.files(__package__) / EUROPE_2018) as path:
        return read_series(path)


def load_europe_2018() -> pd.DataFrame:
    """The embedded series: AT, CZ, DE, DK, FR, NL, measured, the calendar year 2018 of central Europe.

    Covers 2017-12-31T23:00Z to 2018-12-31T22:00Z (8760 hours). Prices: Bundesnetzagentur | SMARD.de;
    generation, from which carbon and capacity factors follow: ENTSO-E Transparency Platform; both CC BY 4.0.
    The file is read once; each call returns its own copy.
    """
    return _europe_2018().copy()
