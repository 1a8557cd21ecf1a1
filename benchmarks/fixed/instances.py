"""The instances: small, so that no search needs a limit of time."""

from __future__ import annotations

from typing import Any

import stepwatt as sw

from .running import ROOT

EXAMPLES = tuple(f"example-{number}" for number in range(8))
JEMAS = ("half-hours", "five-minutes", "engines", "fluid")
START, BEFORE = "2018-06-12T06:00", "2018-06-11T18:00"

#: USD per MW of the highest import.
DEMAND_CHARGE = 333.0
GENERATOR = {
    "max_mw": 0.08,
    "min_mw": 0.03,
    "fuel_cost": 55.0,
    "no_load_cost": 1.0,
    "startup_cost": 4.0,
    "carbon_kg_per_mwh": 480.0,
}


def instance(name: str) -> sw.Instance:
    """By name: one of :data:`JEMAS` or :data:`EXAMPLES`."""
    if name == "half-hours":
        return half_hours(START)
    if name == "five-minutes":
        return sw.scenario("jemas", start="2018-06-12T16:00", zones=("DE", "FR", "DK"), n_slots=12)
    if name == "fluid":
        return half_hours(START, integral_jobs=False)
    if name == "engines":
        return _with_engines(sw.scenario("jemas", start="2018-06-12T12:00", n_slots=6, slot_minutes=60))
    return sw.load(ROOT / "tests" / "examples" / f"{name}.json")


def half_hours(start: str, n_slots: int = 24, **more: Any) -> sw.Instance:
    """Half-hour slots in three countries."""
    zones = ("DE", "FR", "DK")
    return sw.scenario("jemas", start=start, zones=zones, n_slots=n_slots, slot_minutes=30, **more)


def days(**more: Any) -> list[sw.Instance]:
    """Two fluid half days."""
    return [half_hours(day, integral_jobs=False, **more) for day in (START, "2018-11-20T06:00")]


def histories() -> list[sw.Instance]:
    """What comes before :func:`days`."""
    return [half_hours(day, integral_jobs=False) for day in (BEFORE, "2018-11-19T18:00")]


def too_hot() -> sw.Instance:
    """One whose first room cannot be held."""
    file = half_hours(START, n_slots=8).to_dict()
    cooling = file["sites"]["DE"]["cooling"]
    cooling |= {"max_power_mw": 0.0, "outside_c": [40.0] * 8}
    return sw.Instance.from_dict(file)


def _with_engines(inst: sw.Instance) -> sw.Instance:
    file = inst.to_dict()
    for site in file["sites"].values():
        site["grid"]["demand_charge"] = DEMAND_CHARGE
        site["generator"] = dict(GENERATOR)
    return sw.Instance.from_dict(file)
