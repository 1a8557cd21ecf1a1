"""Part ``scale``: from a day to a year, and from three sites to twenty."""

from __future__ import annotations

from pathlib import Path

from ..profiles import Profile
from ..reporting import figures
from ..reporting.fit import power_law
from ..reporting.section import Section, Verdict, number, share, table
from ..runner import Cell, Record

LIMIT_MB = 8 * 1024


def cells(profile: Profile, method: str = "oracle") -> list[Cell]:
    """Short ones first."""
    options = {"method": method, "gap": profile.scale_gap, "time_limit": profile.scale_limit}
    return [
        Cell("scale", "scale", case, options, limit=profile.scale_limit)
        for case in sorted((*profile.growth, *profile.large), key=lambda case: case.n_slots * case.sites**2)
    ]


def report(records: list[Record], profile: Profile, folder: Path) -> Section:
    """Table, exponents, verdicts on growth and on the longest horizon."""
    section = Section("Scale")
    rows = []
    for record in records:
        values, name = record["values"] or {}, record["case"]["name"]
        if record["status"] == "ok" and values["utility"] is not None and not values["feasible"]:
            section.void.append(f"{name}: its schedule is not feasible")
        if record["status"] == "ok" and values["gap"] is not None and values["gap"] < -1e-9:
            section.void.append(f"{name}: utility above its bound")
        rows.append(
            [
                name, number(values.get("total")), number(values.get("cpu")), number(record["peak_mb"]),
                share(values.get("gap")), values.get("status", record["status"]),
            ]
        )  # fmt: skip
    section.say(
        f"Gap asked for {profile.scale_gap:g}, time limit {profile.scale_limit:g} s; memory is the peak of "
        "the process with all its children, Python and libraries included.",
        table(("instance", "seconds", "CPU seconds", "peak MB", "gap", "status"), rows),
    )
    names = [case.name for case in profile.growth]
    grown = [r for r in records if r["status"] == "ok" and r["case"]["name"] in names]
    target = "time and memory grow with an exponent of at most 1.15 from a day to a year"
    slots = [r["case"]["n_slots"] for r in grown]
    time_law = power_law(slots, [r["values"]["total"] for r in grown])
    memory_law = power_law(slots, [max(1.0, r["peak_mb"] - r["imported_mb"]) for r in grown])
    closed = all(r["values"]["status"] == "optimal" for r in grown)
    if time_law and memory_law and len(grown) >= 3:
        text = f"time {time_law}, memory above imports {memory_law}, {len(grown)} of {len(names)} lengths" + (
            "" if closed else ", not all of them to the gap"
        )
        whole = closed and len(grown) == len(names)
        met = whole and time_law.exponent <= 1.15 and memory_law.exponent <= 1.15
        section.verdicts.append(Verdict(target, text, met))
        if figures.growth(grown, time_law, memory_law, folder / "scale.svg"):
            section.say("![time and memory by length](scale.svg)")
    else:
        section.verdicts.append(Verdict(target, None))
    longest = max(profile.growth, key=lambda case: case.n_slots)
    target = f"{longest.name}: gap at most 1e-3 within 30 minutes and 8 GiB"
    last = next((r for r in records if r["case"]["name"] == longest.name), None)
    if last is None:
        section.verdicts.append(Verdict(target, None))
    elif last["status"] != "ok":
        section.verdicts.append(Verdict(target, f"{last['status']} after {last['wall']:.0f} s"))
    else:
        values = last["values"]
        met = (
            values["gap"] is not None
            and values["gap"] <= 1e-3
            and values["total"] <= 1800
            and last["peak_mb"] <= LIMIT_MB
        )
        text = f"gap {share(values['gap'])} in {values['total']:.0f} s, peak {last['peak_mb']:.0f} MB"
        section.verdicts.append(Verdict(target, text, met))
    return section
