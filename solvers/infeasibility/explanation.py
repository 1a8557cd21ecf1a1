"""An infeasible instance in its own names and units: what is short, what conflicts, what would be enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import Instance

from .elastic_room import Limit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Explanation:
    """Why no schedule exists, by how much and where.

    ``lines`` say what is short, the worst slot of each; ``shortages`` has every amount (columns site, slot,
    what, amount, unit): together the smallest that make the instance feasible, 1 °C weighing a little more
    than the electricity that cools a room by it in a slot. ``conflict`` are limits that cannot hold together,
    the earliest of each room; ``irreducible`` when none of them can be spared in any slot. ``remedies``
    (columns site, field, now, enough, unit): each alone makes its room feasible.
    """

    instance: str
    feasible: bool
    lines: tuple[str, ...]
    shortages: pd.DataFrame
    conflict: tuple[str, ...]
    irreducible: bool
    remedies: pd.DataFrame

    def __str__(self) -> str:
        if self.feasible:
            return "\n".join(self.lines)
        head = f"instance {self.instance!r} is infeasible even if every job is lost:"
        together = "cannot hold together" + ("" if self.irreducible else " (perhaps more than needed)")
        text = [head, *(f"  {line}" for line in self.lines)]
        text += [f"{together}:", *(f"  {line}" for line in self.conflict)]
        if len(self.remedies):
            text.append("enough for its site, each alone:")
            text += [
                f"  sites.{row.site}.{row.field} = {row.enough:g} instead of {row.now:g} {row.unit}".rstrip()
                for row in self.remedies.itertuples()
            ]
        return "\n".join(text)

    def to_dict(self) -> dict[str, Any]:
        """The content for machines."""
        return {
            "instance": self.instance,
            "feasible": self.feasible,
            "lines": list(self.lines),
            "shortages": self.shortages.to_dict("records"),
            "conflict": list(self.conflict),
            "irreducible": self.irreducible,
            "remedies": self.remedies.to_dict("records"),
        }


def shortage_line(
    inst: Instance, site: str, limit: Limit, amount: Floats, cooling_mw: Floats, *, least: bool
) -> str:
    """What one limit lacks, at its worst slot; ``least`` when no schedule has less there."""
    t = int(amount.argmax())
    by, bound = f"{amount[t]:.4g} {limit.unit}", f"{limit.values[t]:.6g} {limit.unit}"
    slot = f"slot {t} ({_time(inst, t)})"
    unit = inst.sites[site].generator
    idle = "all GPUs off" if unit is None or unit.min_mw == 0 else "GPUs and jobs as suits it best"
    told = {
        "room temperature": f"room of site {site}: temperature after {slot} exceeds max_c {bound} by "
        + ("at least " if least else "")
        + f"{by} even with {idle} and cooling at {cooling_mw[t]:.4g} MW",
        "import": f"site {site}: cooling lacks {by} of power in {slot}, with import_limit_mw {bound}",
        "battery minimum": f"battery of site {site}: content after {slot} falls {by} below soc_min, {bound}",
        "battery maximum": f"battery of site {site}: content after {slot} exceeds soc_max, {bound}, by {by}",
        "export": f"site {site}: in {slot} {by} of power can neither be used nor exported, "
        f"with export_limit_mw {bound}",
        "generator minimum": f"generator of site {site}: has to give {by} less than min_mw {bound} in {slot}",
    }[limit.what]
    short = amount > 0
    return told + (f"; in all {_slots(inst, short)}" if short.sum() > 1 else "")


def conflict_line(inst: Instance, site: str, limit: Limit, slots: Bools) -> str:
    """One member of a conflict: what is allowed, and in which slots."""
    values = limit.values[slots]
    low, high = f"{values.min():.6g}", f"{values.max():.6g}"
    bound = (low if low == high else f"{low} to {high}") + f" {limit.unit}"
    when = _slots(inst, slots)
    told = {
        "room temperature": f"room of site {site}: at most {bound} (max_c) after {when}",
        "start of the room": f"room of site {site}: {bound} at the start (initial_c)",
        "cooling power": f"cooling of site {site}: at most {bound} (max_power_mw) in {when}",
        "import": f"grid of site {site}: at most {bound} (import_limit_mw) in {when}",
        "export": f"grid of site {site}: at most {bound} out (export_limit_mw) in {when}",
        "renewable power": f"wind and sun of site {site}: at most {bound} (renewable_mw) in {when}",
        "battery discharge": f"battery of site {site}: at most {bound} out (power_mw) in {when}",
        "battery charge": f"battery of site {site}: at most {bound} in (power_mw) in {when}",
        "battery minimum": f"battery of site {site}: at least {bound} (soc_min) after {when}",
        "battery maximum": f"battery of site {site}: at most {bound} (soc_max) after {when}",
        "generator power": f"generator of site {site}: at most {bound} (max_mw) in {when}",
        "generator minimum": f"generator of site {site}: at least {bound} while on (min_mw) in {when}",
        "power of GPUs": f"GPUs of site {site}: cannot take more power than their jobs and idling, in {when}",
    }
    return told[limit.what]


def remedy(inst: Instance, site: str, limit: Limit, amount: float) -> dict[str, Any] | None:
    """The value of the limit's field that alone would be enough; None if no valid value is."""
    assert limit.field is not None
    now, change, unit = float(limit.values[0]), limit.sense * amount, limit.unit
    battery = inst.sites[site].battery
    if limit.field == "battery.soc_min":
        if battery is None or battery.energy_mwh == 0:
            return None
        now, change, unit = battery.soc_min, change / battery.energy_mwh, ""
    enough = _outwards(now + change, limit.sense)
    if enough < 0 and limit.unit != "°C":
        return None
    return {"site": site, "field": limit.field, "now": now, "enough": enough, "unit": unit}


def _outwards(value: float, sense: int) -> float:
    """Six digits, rounded to the safe side."""
    if value == 0:
        return 0.0
    digits = 5 - math.floor(math.log10(abs(value)))
    step = 10.0**-digits
    rounded = math.ceil(value / step + 1e-3) if sense > 0 else math.floor(value / step - 1e-3)
    return round(rounded * step, digits)


def _time(inst: Instance, slot: int) -> str:
    moment = inst.start_time + timedelta(hours=slot * inst.slot_hours)
    return f"{moment:%Y-%m-%d %H:%M}"


def _slots(inst: Instance, slots: Bools) -> str:
    """``slots 0–3, 7 (first to last time)``."""
    which = np.flatnonzero(slots)
    ranges = np.split(which, np.flatnonzero(np.diff(which) > 1) + 1)
    shown = [str(part[0]) if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in ranges]
    more = f", … {len(which)} slots" if len(shown) > 6 else ""
    times = _time(inst, int(which[0]))
    if len(which) == 1:
        return f"slot {shown[0]} ({times})"
    return f"slots {', '.join(shown[:6])}{more} ({times} to {_time(inst, int(which[-1]))})"
