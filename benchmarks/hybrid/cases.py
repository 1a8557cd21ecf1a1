"""The sets of days that methods are compared on: unseen months and regions, and the levers that vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stepwatt.formulation import Instance
from stepwatt.learning.training.families import Family

WORLD = Path(__file__).resolve().parents[3] / "shared" / "data" / "world_hourly_2023.csv.gz"

TRAINED_ON = ("DE,FR,DK", "NL,AT,CZ")
ELSEWHERE = ("US-CAL-CISO,DE-LU,JP-TK", "US-TEX-ERCO,AU-NSW,KR")

#: USD per MW of a day's highest import: a thirtieth of 10 USD per kW and month.
DEMAND_CHARGE = 333.0
#: A gas engine of two fifths of a site's capacity.
GENERATOR = {
    "max_mw": 0.08,
    "min_mw": 0.03,
    "fuel_cost": 55.0,
    "no_load_cost": 1.0,
    "startup_cost": 4.0,
    "carbon_kg_per_mwh": 480.0,
}

PLANNERS = ("oracle", "all-off", "greedy", "rolling persistence", "rolling day-ahead")
FORESIGHT = (
    "foresight persistence",
    "foresight",
    "renewed 4 h",
    "renewed 3 h",
    "renewed 2 h",
    "renewed 1 h",
)
EVERYTHING = (
    *PLANNERS,
    "rolling perfect",
    "direct cloned",
    "priced network",
    *FORESIGHT,
    "priced persistence",
    "priced",
)
#: Where days are long.
UNTRAINED = (*PLANNERS, *FORESIGHT)
TRAINED = (*PLANNERS, "direct cloned", "priced network", *FORESIGHT, "priced persistence", "priced")


@dataclass(frozen=True)
class Days:
    """Test days: the instances and the days before them."""

    name: str
    instances: list[Instance]
    histories: list[Instance]


@dataclass(frozen=True)
class Case:
    """A set of test days: what the instances are drawn from, what is changed in them, who is measured."""

    family: Family
    methods: tuple[str, ...]
    change: Callable[[dict[str, Any]], None] | None = None

    def days(self, name: str) -> Days:
        """The test days."""
        found = (self.family.instances("test"), self.family.histories("test"))
        return Days(name, *(self.changed(part) for part in found))

    @property
    def kind(self) -> str:
        """What tells apart the files of policies that were trained for sets of other actions."""
        return "" if self.change is None else self.change.__name__.replace("_", "-")

    def training(self, every: int, split: str, regions: tuple[str, ...] = TRAINED_ON) -> list[Instance]:
        """Days to train on: of the plain scenario, with what this set changes in its sites."""
        return self.changed(Family(regions=regions, every=every).instances(split))

    def changed(self, instances: list[Instance]) -> list[Instance]:
        """The instances with what this set changes in them."""
        return [self._changed(inst) for inst in instances]

    def _changed(self, inst: Instance) -> Instance:
        if self.change is None:
            return inst
        data = inst.to_dict()
        for site in data["sites"].values():
            self.change(site)
        return Instance.from_dict(data)


def _charged(site: dict[str, Any]) -> None:
    site["grid"]["demand_charge"] = DEMAND_CHARGE


def _with_generator(site: dict[str, Any]) -> None:
    site["generator"] = dict(GENERATOR)


def world(regions: tuple[str, ...]) -> dict[str, Any]:
    """Parameters of families over the world's series, of these regions only."""
    series = pd.read_csv(WORLD)
    zones = {zone for region in regions for zone in region.split(",")}
    return {"series": series[series["region"].isin(zones)]}


def cases(quick: bool) -> dict[str, Case]:
    """By name. Without the world's series there are no unseen regions."""

    def at_home(every: int, **more: Any) -> Family:
        return Family(regions=TRAINED_ON[:1], every=60 if quick else every, **more)

    found = {"unseen months": Case(at_home(10), EVERYTHING)}
    if WORLD.exists():
        every = 60 if quick else 30
        family = Family(regions=ELSEWHERE, year=2023, every=every, parameters=world(ELSEWHERE))
        found["unseen regions"] = Case(family, EVERYTHING)
    larger = {"battery_power": 0.8, "battery_hours": 8.0}
    return found | {
        "larger batteries": Case(at_home(15, parameters=larger), TRAINED),
        "demand charge": Case(at_home(15), TRAINED, _charged),
        "generator": Case(at_home(15), TRAINED, _with_generator),
        "five-minute slots": Case(at_home(40, slot_minutes=5), UNTRAINED),
    }
