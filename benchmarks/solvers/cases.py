"""The instances that are measured: variations of the scenario ``jemas``, described by a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from stepwatt.formulation import Instance

#: Hourly series of 13 regions, beside the checkout; Europe 2018 stands in where it is absent.
WORLD = Path(__file__).resolve().parents[3] / "shared" / "data" / "world_hourly_2023.csv.gz"


@dataclass(frozen=True)
class Case:
    """``sites`` beyond the regions of the series repeat them, shifted by some hours; ``classes`` beyond the
    scenario's own repeat those at other prices, sharing their arrivals."""

    name: str
    n_slots: int
    slot_minutes: int = 5
    sites: int = 3
    classes: int = 3
    start: str = "2018-06-12"
    series: str = "europe"
    seed: int = 0

    def instance(self) -> Instance:
        """The instance."""
        from stepwatt.data.scenarios.registry import scenario

        parameters: dict[str, Any] = {
            "start": self.start,
            "n_slots": self.n_slots,
            "slot_minutes": self.slot_minutes,
            "seed": self.seed,
        }
        if self.series == "europe" and self.sites == 3:
            inst = scenario("jemas", **parameters)
        else:
            table, zones = _zones(self.series, self.sites)
            inst = scenario("jemas", zones=zones, series=table, **parameters)
        return inst if len(inst.classes) == self.classes else _with_classes(inst, self.classes)


def hourly(name: str, n_slots: int, sites: int, **fields: Any) -> Case:
    """A case of one-hour slots on the widest series there is."""
    if WORLD.exists():
        fields = {"start": "2023-01-01", "series": "world"} | fields
    else:
        fields = {"start": "2017-12-31T23:00Z", "series": "europe"} | fields
    return Case(name, n_slots, slot_minutes=60, sites=sites, **fields)


def _zones(series: str, sites: int) -> tuple[pd.DataFrame, list[str]]:
    import numpy as np
    import pandas as pd

    from stepwatt.data.embedded import load_europe_2018
    from stepwatt.data.importers.own_csv import read_series
    from stepwatt.data.local_time import TIME_ZONES
    from stepwatt.data.series import zone_list

    table = read_series(WORLD) if series == "world" else load_europe_2018()
    known = zone_list(table)
    zones = known[:sites]
    parts = {zone: table.loc[zone] for zone in zones}
    for i in range(len(known), sites):
        source, copy = known[i % len(known)], f"{known[i % len(known)]}-{i // len(known) + 1}"
        rows = table.loc[source]
        parts[copy] = rows.set_axis(rows.index).apply(np.roll, shift=5 * (i // len(known)))
        TIME_ZONES[copy] = TIME_ZONES[source]
        zones.append(copy)
    return pd.concat(parts, names=["zone", "timestamp_utc"]), zones


def _with_classes(inst: Instance, count: int) -> Instance:
    from stepwatt.formulation import Instance as Instances

    data = inst.to_dict()
    base = list(data["classes"])
    members: dict[str, list[str]] = {name: [] for name in base}
    classes: dict[str, Any] = {}
    for c in range(count):
        source = base[c % len(base)]
        name = source if c < len(base) else f"{source}-{c // len(base) + 1}"
        fields, factor = dict(data["classes"][source]), 1 + 0.1 * (c // len(base))
        for price in ("quality_price", "miss_penalty"):
            fields[price] *= factor
        classes[name] = fields
        members[source].append(name)
    data["classes"] = classes
    for model in data["models"].values():
        curves = model["quality"]
        for source, names in members.items():
            if source in curves:
                curves |= dict.fromkeys(names, curves[source])
    for origin, by_class in data["arrivals"].items():
        shares: dict[str, list[int]] = {}
        for source, names in members.items():
            for n, name in enumerate(names):
                shares[name] = [(jobs + n) // len(names) for jobs in by_class[source]]
        data["arrivals"][origin] = {name: shares[name] for name in classes}
    return Instances.from_dict(data)
