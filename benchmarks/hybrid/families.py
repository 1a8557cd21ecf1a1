"""Where foresight is no worse than rolling: ``python -m benchmarks.hybrid.families [--days N]``.

The families of docs/hybrid.md ("Where it holds"): Europe, spot regions, batteries as large as they are
built, horizons of three days. ``--days`` days of each, drawn without looking; a line of JSON per day in
``results/families.jsonl``, and a day that has one is not measured again. ``--workers N`` at a time.
``--again METHOD`` measures one of the two planners anew on the days there are, where its line is of another
commit.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.files import write_files
from stepwatt.scores.intervals import Interval, mean_interval
from stepwatt.solvers.many import Many

from ..telling import told
from .cases import WORLD, world
from .common import RESULTS, about

KEPT = RESULTS / "families.jsonl"
FORECASTS = ("day-ahead", "persistence")
PLANNERS = ("rolling", "foresight")
SPOT, ELSEWHERE = "AU-NSW,CA-ON,SG", "US-TEX-ERCO,US-CAL-CISO,AU-VIC"
SEED = 20261129


def _big_battery(site: dict[str, Any]) -> None:
    """Half as much again as a site takes, for eight hours, at 5 USD/MWh of wear."""
    site["battery"] |= {"power_mw": 0.288, "energy_mwh": 2.304, "wear_cost": 5.0}


def _as_is(site: dict[str, Any]) -> None:
    """Nothing is changed."""


@dataclass(frozen=True)
class FamilyOfDays:
    """Days of ``zones``, each of ``days`` days in half-hours, with the day before."""

    zones: str
    year: int
    days: int = 1
    change: Callable[[dict[str, Any]], None] = _as_is

    def instance(self, day: dt.date, days: int) -> Instance:
        """So many days from that one on."""
        series = {} if self.year == 2018 else world((self.zones,))
        data = sw.scenario(
            "jemas",
            start=day.isoformat(),
            zones=self.zones.split(","),
            n_slots=48 * days,
            slot_minutes=30,
            **series,
        ).to_dict()
        for site in data["sites"].values():
            self.change(site)
        return Instance.from_dict(data)

    def drawn(self, count: int) -> list[dt.date]:
        """Days of the year, without repetition, with room for the day before and those after."""
        rng = np.random.default_rng(SEED)
        chosen = rng.choice(365 - 2 - self.days, size=count, replace=False)
        return [dt.date(self.year, 1, 3) + dt.timedelta(days=int(n)) for n in chosen]


FAMILIES = {
    "DE, FR, DK 2018": FamilyOfDays("DE,FR,DK", 2018),
    "AU-NSW, CA-ON, SG 2023": FamilyOfDays(SPOT, 2023),
    "the same, big battery": FamilyOfDays(SPOT, 2023, change=_big_battery),
    "ERCOT, CAISO, AU-VIC 2023": FamilyOfDays(ELSEWHERE, 2023),
    "those, big battery": FamilyOfDays(ELSEWHERE, 2023, change=_big_battery),
    "AU-NSW, CA-ON, SG 2023, big battery, 3 days": FamilyOfDays(SPOT, 2023, 3, _big_battery),
}


def measured(item: tuple[str, dt.date]) -> dict[str, Any]:
    """Utilities (USD) of one start: the bound, all levers off, and every method with every forecast."""
    name, day = item
    family = FAMILIES[name]
    inst, before = family.instance(day, family.days), family.instance(day - dt.timedelta(days=1), 1)
    bound = sw.solve(inst, "lp").bound
    found: dict[str, Any] = {"family": name, "day": day.isoformat(), "bound": bound}
    found["all-off"] = sw.solve(inst, "all-off").utility
    found["greedy"] = sw.solve(inst, "greedy").utility
    for method in PLANNERS:
        found |= _planned(inst, before, method)
    return found


def _planned(inst: Instance, before: Instance, method: str) -> dict[str, float]:
    """What a planner reaches with every forecast."""
    return {
        f"{method} {forecast}": sw.solve(inst, method, forecast=forecast, history=before, seed=0).utility
        for forecast in FORECASTS
    }


def measured_again(item: tuple[dict[str, Any], str]) -> dict[str, Any]:
    """The line of a day with one of the planners measured anew."""
    row, method = item
    family, day = FAMILIES[row["family"]], dt.date.fromisoformat(row["day"])
    inst, before = family.instance(day, family.days), family.instance(day - dt.timedelta(days=1), 1)
    return row | _planned(inst, before, method) | {f"about {method}": about()}


def _again(rows: list[dict[str, Any]], method: str, workers: int) -> None:
    now = about()["git"]
    old = [n for n, row in enumerate(rows) if row.get(f"about {method}", row["about"])["git"] != now]
    for item, found in Many(measured_again, workers).run([(rows[n], method) for n in old]):
        rows[old[item]] = found
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_files({KEPT: text.encode()})


def lost(rows: Sequence[dict[str, Any]], method: str) -> list[float]:
    """Shares lost of what can be captured, in percent."""
    return [100 * (row["bound"] - row[method]) / (row["bound"] - row["all-off"]) for row in rows]


def apart(rows: Sequence[dict[str, Any]], forecast: str) -> Interval:
    """How much more foresight loses than rolling, paired by day."""
    rolling, foresight = (lost(rows, f"{method} {forecast}") for method in PLANNERS)
    return mean_interval([np.subtract(foresight, rolling)], 0)


def measured_days() -> dict[str, list[dict[str, Any]]]:
    """What has been measured, by family."""
    rows = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]
    by_family = {name: [row for row in rows if row["family"] == name] for name in FAMILIES}
    return {name: own for name, own in by_family.items() if own}


def no_worse() -> str:
    """In how many cells of the table foresight is no worse than rolling."""
    found = [apart(rows, forecast).low <= 0 for rows in measured_days().values() for forecast in FORECASTS]
    return f"{sum(found)} of {len(found)} cells"


def table() -> list[str]:
    """Markdown of what has been measured: shares lost of what can be captured, in percent."""
    lines = [
        "| family | days | greedy | rolling, day-ahead | foresight, day-ahead | difference (95 %) "
        "| rolling, persistence | foresight, persistence | difference (95 %) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, own in measured_days().items():
        cells = [name, str(len(own)), f"{np.mean(lost(own, 'greedy')):.1f}"]
        for forecast in FORECASTS:
            cells += [f"{np.mean(lost(own, f'{method} {forecast}')):.2f}" for method in PLANNERS]
            more = apart(own, forecast)
            cells.append(f"{more.estimate:+.2f} ({more.low:+.2f} … {more.high:+.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def section() -> list[str]:
    """The part of docs/hybrid.md, empty where nothing has been measured."""
    if not KEPT.exists():
        return []
    last = json.loads(KEPT.read_text(encoding="utf-8").splitlines()[-1])
    where = last.get("about foresight", last["about"])
    return [
        "## Where it holds",
        "",
        "Lost of what can be captured (bound − all levers off), in percent, means over drawn days; the "
        "difference is foresight − rolling with the same forecast, paired by day. Both renew as they do by "
        "default, foresight every hour, rolling in every slot.",
        "",
        *table(),
        "",
        f"No worse where the interval reaches 0, in {no_worse()}; elsewhere it is worse by the points that "
        "stand there. Spot regions publish no prices a day ahead: `day-ahead` grants there what nobody "
        "knows.",
        "",
        f"Command: `python -m benchmarks.hybrid.families`. Days drawn with seed {SEED}, forecasts with "
        f"seed 0; {where['machine']}, {where['date']}.",
        "",
    ]


def main() -> None:
    """Measure what has not been measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=40, help="of each family")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", choices=PLANNERS)
    chosen = parser.parse_args()
    KEPT.touch()
    rows = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]
    if chosen.again:
        _again(rows, chosen.again, chosen.workers)
        print("\n".join(table()))
        return
    done = {(row["family"], row["day"]) for row in rows}
    items = [
        (name, day)
        for name, family in FAMILIES.items()
        if family.year == 2018 or WORLD.exists()
        for day in family.drawn(chosen.days)
        if (name, day.isoformat()) not in done
    ]
    for _, found in Many(measured, chosen.workers).run(items):
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found | {"about": about()}) + "\n")
    print("\n".join(table()))


if __name__ == "__main__":
    sys.exit(told(main))
