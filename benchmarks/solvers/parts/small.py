"""Part ``small``: many small random instances with every feature, a few seconds each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

from ..profiles import Profile
from ..reporting import figures
from ..reporting.section import Section, Verdict, share, table
from ..runner import Cell, Record


def cells(profile: Profile) -> list[Cell]:
    """Batches, so that one process draws and solves several."""
    batch = min(profile.small_batch, profile.small)
    return [
        Cell(
            "small",
            "small",
            None,
            {"first": first, "count": min(batch, profile.small - first), "gap": profile.gap}
            # the solver looks at the clock between its steps: it is asked for less time than it may use
            | {"time_limit": 0.9 * profile.small_limit},
            limit=profile.small_limit * batch,
        )
        for first in range(0, profile.small, batch)
    ]


def report(records: list[Record], profile: Profile, folder: Path) -> Section:
    """Gaps, histogram, the worst with their features."""
    section = Section("Small instances with every feature")
    rows = [row for r in records if r["status"] == "ok" for row in r["values"]["rows"]]
    lost = sum(r["options"]["count"] for r in records if r["status"] != "ok")
    target = (
        f"{profile.small} small instances: median gap at most 1e-4, worst at most 1e-3, within "
        f"{profile.small_limit:g} s each"
    )
    if not rows:
        section.verdicts.append(Verdict(target, None if not lost else f"{lost} failed"))
        return section
    for row in rows:
        if row["gap"] is not None and row["gap"] < -1e-9:
            section.void.append(f"instance {row['index']}: utility above its bound, gap {row['gap']}")
        if row["utility"] is not None and not row["feasible"]:
            section.void.append(f"instance {row['index']}: its schedule is not feasible")
    # the gap is relative to a bound that may be near zero; an instance without schedule has none at all
    gaps = [float("inf") if row["gap"] is None else row["gap"] for row in rows]
    seconds = [row["seconds"] for row in rows]
    within = [sum(gap <= limit for gap in gaps) for limit in (1e-4, 1e-3)]
    text = (
        f"median {median(gaps):.1e}, worst {max(gaps):.1e}, {within[0]}/{len(rows)} within 1e-4, "
        f"{within[1]}/{len(rows)} within 1e-3; {median(seconds):.2f} s in the middle, at most "
        f"{max(seconds):.1f} s" + (f"; {lost} lost to failed processes" if lost else "")
    )
    in_time = max(seconds) <= profile.small_limit
    met = median(gaps) <= 1e-4 and max(gaps) <= 1e-3 and in_time and not lost
    section.verdicts.append(Verdict(target, text, met))
    worst = sorted(zip(gaps, rows, strict=True), key=lambda pair: -pair[0])[:10]
    section.say(
        "Drawn by `tests/strategies.py`: 5 to 20 slots, 2 to 4 sites, 40 to 160 GPUs a site, features by "
        "chance, all but `fluid`, without which jobs are whole numbers (seeds `[2605, index]`). "
        f"{text[0].upper()}{text[1:]}. The worst:",
        table(
            ("features", "index", "slots", "sites", "GPUs", "gap", "seconds", "bound USD"),
            [
                [
                    ", ".join(row["features"]), str(row["index"]), str(row["n_slots"]), str(row["n_sites"]),
                    str(row["gpus"]), share(gap), f"{row['seconds']:.2f}",
                    "–" if row["bound"] is None else f"{row['bound']:.4g}",
                ]
                for gap, row in worst
            ],
        ),
    )  # fmt: skip
    behind = Counter(
        name for gap, row in zip(gaps, rows, strict=True) if gap > 1e-4 for name in row["features"]
    )
    overall = Counter(name for row in rows for name in row["features"])
    if behind:
        common = sorted(behind, key=lambda name: -behind[name] / overall[name])[:6]
        listed = ", ".join(f"{name} {behind[name]} of {overall[name]}" for name in common)
        section.say(f"Share of instances above 1e-4, by feature: {listed}.")
    if figures.histogram(gaps, folder / "small.svg"):
        section.say("![gaps of the small instances](small.svg)")
    return section
