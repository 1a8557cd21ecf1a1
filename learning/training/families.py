"""Families of instances to learn from: one scenario over regions and days, split by time.

Whole months are kept for the test (looked at once per study); of the others the last days are for validation
(all tuning and model choice), with a day between them and what is trained on.
"""

from __future__ import annotations

import datetime as dt
import os
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from stepwatt.data import SCENARIOS, read_series, scenario
from stepwatt.formulation import Instance
from stepwatt.formulation.records import SettingsRecord, member

from ..options import Count, Texts
from .drawn_models import with_drawn_models

TEST_MONTHS = (3, 6, 9, 12)
#: Day of the month from which a training month's days are for validation; the day before, and the first day
#: of every month, are left out: no day that is trained on has a neighbour in another split.
VALIDATION_FROM = 25

SPLITS = ("train", "validation", "test")


class Family(SettingsRecord):
    """The instances to train, tune and test a policy on: days of one year in one or more regions."""

    scenario: Annotated[str, member(SCENARIOS)] = "jemas"
    """Name of the scenario."""
    regions: Texts = ("DE,FR,DK",)
    """Zones of the sites, joined by commas; one text per region. Regions of one family have equally many."""
    year: Annotated[int, Field(ge=1900, le=2200)] = 2018
    """The year of the series."""
    slot_minutes: Annotated[int, Field(ge=1, le=60)] = 30
    """Minutes of a slot; episodes are days."""
    every: Count = 1
    """Take every so many days of a split: 1 takes all."""
    models: Literal["own", "drawn"] = "own"
    """``drawn``: figures of the models that differ from day to day and region to region, so that a policy
    that sees them (``task.view="sites"``) learns what they mean; a day's are always the same."""
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    """Further parameters of the scenario, such as volatility or gpus."""

    def days(self, split: str) -> list[dt.date]:
        """The days of a split, in order.

        The first day of the year only serves as history; the last one is not whole in series whose year is
        that of another time zone.
        """
        first = dt.date(self.year, 1, 2)
        count = (dt.date(self.year, 12, 31) - first).days
        chosen = [day for n in range(count) if self._split(day := first + dt.timedelta(days=n)) == split]
        return chosen[:: self.every]

    def instances(self, split: str, *, integral: bool = False) -> list[Instance]:
        """The instances of a split, regions one after the other; fluid unless whole jobs are asked for."""
        days = self.days(split)
        return [self.instance(region, day, integral) for region in self.regions for day in days]

    def histories(self, split: str) -> list[Instance]:
        """The day before each instance of a split."""
        one = dt.timedelta(days=1)
        days = self.days(split)
        return [self.instance(region, day - one, False) for region in self.regions for day in days]

    def instance(self, region: str, day: dt.date, integral: bool) -> Instance:
        """One day of one region."""
        parameters = dict(self.parameters)
        if isinstance(parameters.get("series"), str):
            file = parameters["series"]
            parameters["series"] = _series(file, os.stat(file).st_mtime_ns if os.path.exists(file) else None)
        made = scenario(
            self.scenario,
            start=day.isoformat(),
            zones=region.split(","),
            n_slots=24 * 60 // self.slot_minutes,
            slot_minutes=self.slot_minutes,
            integral_jobs=integral,
            **parameters,
        )
        if self.models == "own":
            return made
        return with_drawn_models(made, np.random.default_rng([day.toordinal(), zlib.crc32(region.encode())]))

    @staticmethod
    def _split(day: dt.date) -> str:
        if day.month in TEST_MONTHS:
            return "test"
        if day.day >= VALIDATION_FROM:
            return "validation"
        return "train" if 1 < day.day < VALIDATION_FROM - 1 else "left out"


@lru_cache(maxsize=2)
def _series(file: str, changed: int | None) -> pd.DataFrame:
    """A family's days read their file once, and again when it has changed."""
    return read_series(file)
