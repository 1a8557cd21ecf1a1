"""Part ``build``: writing the model down and handing it over, against a matrix written by hand and Pyomo."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from ..cases import Case
from ..profiles import Profile
from ..reporting.section import Section, Verdict, number, table
from ..runner import Cell, Record

TITLES = {"hand": "matrices by hand", "ours": "linear_problem", "linopy": "linopy", "pyomo": "Pyomo"}


def cells(profile: Profile) -> list[Cell]:
    """Layers innermost; slow layers build once per process."""
    case = Case(f"{profile.build_size} slots, 3 sites", profile.build_size)
    proof = Cell("build", "same_matrices", case)
    return [proof] + [
        Cell(
            "build",
            "build",
            case,
            {"layer": layer, "times": profile.build_times if layer in ("hand", "ours") else 1},
            repetition,
        )
        for repetition in range(profile.repetitions)
        for layer in TITLES
        if layer != "linopy" or layer in profile.layers
    ]


def report(records: list[Record], profile: Profile, folder: Path) -> Section:
    """Seconds and ratios."""
    section = Section("Building and handing over")
    proof = next((r for r in records if r["kind"] == "same_matrices"), None)
    if proof and proof["status"] == "ok":
        difference = proof["values"]["difference"]
        section.say(f"Both matrices are the same entry by entry (largest difference {difference:.0e}).")
    elif proof:
        section.void.append("the matrices written by hand are not those of the library")
    seconds: dict[str, list[float]] = {}
    for record in records:
        if record["kind"] == "build" and record["status"] == "ok":
            seconds.setdefault(record["options"]["layer"], []).append(median(record["values"]["seconds"]))
    each = {layer: median(values) for layer, values in seconds.items()}
    size = f"jemas, {profile.build_size} slots"
    targets = {
        "hand": f"{size}: building and handing over at most 1.5 x of the matrices by hand",
        "pyomo": f"{size}: building and handing over at least 20 x faster than Pyomo",
    }
    if not {"hand", "ours", "pyomo"} <= each.keys():
        section.verdicts += [Verdict(target, None) for target in targets.values()]
        return section
    section.say(
        f"{size}, from the instance arrays to a HiGHS that is ready to run: median of {profile.repetitions} "
        f"processes, each the median of {profile.build_times} builds (linopy and Pyomo: one).",
        table(
            ("layer", "seconds", "x by hand"),
            [
                [TITLES[layer], number(value), f"{value / each['hand']:.2f}"]
                for layer, value in sorted(each.items(), key=lambda item: item[1])
            ],
        ),
    )
    by_hand, pyomo = each["ours"] / each["hand"], each["pyomo"] / each["ours"]
    section.verdicts += [
        Verdict(targets["hand"], f"{by_hand:.2f} x", by_hand <= 1.5),
        Verdict(targets["pyomo"], f"{pyomo:.0f} x", pyomo >= 20),
    ]
    return section
