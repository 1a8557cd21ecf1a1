"""Part ``compare``: four routes side by side on instances of growing size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..cases import Case
from ..profiles import Profile
from ..reporting import figures
from ..reporting.fit import power_law
from ..reporting.section import Section, Verdict, middle, number, share, table
from ..runner import Cell, Record

TITLES = {
    "raw": "raw HiGHS LP (relaxation only)",
    "ours": "oracle",
    "linopy": "linopy + HiGHS MIP",
    "pyomo": "Pyomo + HiGHS MIP",
}
#: Relative difference at which two layers contradict each other.
AGREE = 1e-6


def cells(profile: Profile) -> list[Cell]:
    """Routes innermost, so that those of one instance run back to back; repetitions outside them."""
    cases = [Case(f"{n} slots, 3 sites", n, start=start) for n in profile.sizes for start in profile.starts]
    cases += [Case(f"{n} slots, 6 sites", n, sites=6, start=profile.starts[0]) for n in profile.wide_sizes]
    return [
        Cell(
            "compare",
            "compare",
            case,
            {"route": route, "gap": profile.gap, "time_limit": _limit(case, profile)},
            repetition,
            limit=_limit(case, profile),
        )
        for case in cases
        for repetition in range(profile.repetitions)
        for route in profile.layers
    ]


def _limit(case: Case, profile: Profile) -> float:
    """Seconds that a route may take on a case."""
    return profile.time_limit if case.n_slots == max(profile.sizes) else profile.short_limit


def wanted(cell: Cell, records: dict[str, Record]) -> bool:
    """What ran into its time limit once is not repeated."""
    if cell.repetition == 0 or cell.options["route"] not in ("linopy", "pyomo"):
        return True
    first = Cell(cell.part, cell.kind, cell.case, cell.options, 0, cell.limit)
    record = records.get(first.key)
    return record is not None and record["status"] == "ok" and _closed(record)


def report(records: list[Record], profile: Profile, folder: Path) -> Section:
    """Table, scaling fit, figure, verdicts."""
    section = Section("Side by side")
    done = [r for r in records if r["status"] == "ok"]
    section.void += list(contradictions(done))
    names = list(dict.fromkeys(r["case"]["name"] for r in records))
    rows = []
    for name in names:
        for route in profile.layers:
            here = [r for r in records if r["case"]["name"] == name and r["options"]["route"] == route]
            if here:
                rows.append(_row(name, route, here))
    size = max(profile.sizes)
    shorter = f" ({profile.short_limit:g} s below {size} slots)" if min(profile.sizes) < size else ""
    section.say(
        f"Medians over starts and repetitions, seconds of wall-clock, one thread; gap asked for "
        f"{profile.gap:g}, time limit {profile.time_limit:g} s for every route{shorter}. Memory is the "
        "peak above the level after imports. A route that reached its time limit was not repeated; `closed` "
        "counts the runs that reached the gap.",
        table(
            ("instance, route", "build", "hand-over", "solve", "total", "memory MB", "worst gap", "closed"),
            rows,
        ),
    )
    points = [
        (r["case"]["n_slots"], r["values"]["total"]) for r in _of(done, "ours") if r["case"]["sites"] == 3
    ]
    law = power_law(*zip(*points, strict=True)) if points else None
    if law:
        section.say(f"Total time of the oracle at three sites grows as slots to the power {law}.")
    if figures.compare(done, law, folder / "compare.svg"):
        section.say("![time and memory by size](compare.svg)")
    section.verdicts += _verdicts(records, profile)
    return section


def contradictions(done: list[Record]) -> Iterator[str]:
    """Where a layer's objective is not what the judge says, or one layer's schedule beats another's bound."""
    groups: dict[str, list[Record]] = {}
    for record in done:
        groups.setdefault(str(sorted(record["case"].items())), []).append(record)
    for group in groups.values():
        name = f"{group[0]['case']['name']} from {group[0]['case']['start']}"
        sizes = {}
        for record in group:
            route, values = record["options"]["route"], record["values"]
            objective, utility = values["objective"], values["utility"]
            off = 0.0 if None in (objective, utility) else (objective - utility) / max(1.0, abs(utility))
            # an incumbent short of the optimum may hold idle slack (energy missing, heat left): undersold
            if off > AGREE or (off < -AGREE and _closed(record)):
                yield f"{name}: {route} claims {objective}, its schedule is worth {utility}"
            if route != "raw" and values["excess"] is not None and values["excess"] > 1:
                yield f"{name}: the schedule of {route} is infeasible ({values['excess']:.1f} tolerances)"
            if "columns" in values:
                sizes[values["columns"], values["rows"], values["nonzeros"]] = route
        if len(sizes) > 1:
            yield f"{name}: different problems (columns, rows, nonzeros): {sizes}"
        bounds = [
            (r["values"]["bound"], r["options"]["route"]) for r in group if r["values"]["bound"] is not None
        ]
        found = [
            (r["values"]["utility"], r["options"]["route"])
            for r in group
            if r["options"]["route"] != "raw" and r["values"]["utility"] is not None
        ]
        if bounds and found:
            (bound, claims), (utility, finds) = min(bounds), max(found)
            if utility > bound + AGREE * max(1.0, abs(bound)):
                yield f"{name}: {finds} found {utility}, above the bound {bound} of {claims}"


def _closed(record: Record) -> bool:
    """Whether the run reached the gap that was asked for."""
    return bool(record["status"] == "ok" and record["values"]["status"] == "optimal")


def _of(records: list[Record], route: str) -> list[Record]:
    return [r for r in records if r["options"]["route"] == route]


def _row(name: str, route: str, here: list[Record]) -> list[str]:
    done = [r for r in here if r["status"] == "ok"]
    times = [
        number(middle([r["values"][key] for r in done])) for key in ("build", "hand_over", "solve", "total")
    ]
    memory = middle([r["peak_mb"] - r["imported_mb"] for r in done])
    gaps = [r["values"]["gap"] for r in done]
    worst = None if None in gaps or len(done) < len(here) else max(gaps, default=None)
    found = share(worst) if worst is not None else "none"
    closed = f"{sum(map(_closed, here))}/{len(here)}"
    return [f"{name}: {TITLES[route]}", *times, number(memory), "(LP)" if route == "raw" else found, closed]


def _verdicts(records: list[Record], profile: Profile) -> Iterator[Verdict]:
    size = max(profile.sizes)
    here = [r for r in records if r["case"]["n_slots"] == size and r["case"]["sites"] == 3]
    ours = [r for r in _of(here, "ours") if _closed(r)]
    raw = {(r["case"]["start"], r["repetition"]): r for r in _of(here, "raw") if r["status"] == "ok"}
    ratios = [
        r["values"]["total"] / raw[r["case"]["start"], r["repetition"]]["values"]["solve"]
        for r in ours
        if (r["case"]["start"], r["repetition"]) in raw
    ]
    gaps = [r["values"]["gap"] for r in ours]
    target = f"jemas, {size} slots: certified gap {profile.gap:g} in at most 3 x the raw LP solve"
    if not ratios:
        yield Verdict(target, None if not _of(here, "ours") else f"the gap {profile.gap:g} was not reached")
    else:
        text = (
            f"{middle(ratios):.2f} x (worst {max(ratios):.2f}, {len(ratios)} runs), worst gap "
            f"{max(gaps):.1e}, {len(ours)}/{len(_of(here, 'ours'))} closed"
        )
        met = (middle(ratios) or 9) <= 3 and len(ours) == len(_of(here, "ours"))
        yield Verdict(target, text, met)
    target = f"jemas, {size} slots: at least 20 x faster than plain Pyomo + HiGHS MIP (or its time limit)"
    speed, reached = [], 0
    for start in {r["case"]["start"] for r in here}:
        mine = middle([r["values"]["total"] for r in ours if r["case"]["start"] == start])
        theirs = [r for r in _of(here, "pyomo") if r["case"]["start"] == start and r["status"] != "failed"]
        if mine and theirs:
            closed = middle([r["values"]["total"] for r in theirs if _closed(r)])
            reached += closed is not None
            speed.append((closed or profile.time_limit) / mine)
    if not speed:
        yield Verdict(target, None)
    else:
        text = (
            f"{'at least ' if reached < len(speed) else ''}{middle(speed):.0f} x (least {min(speed):.0f}); "
            f"Pyomo reached the gap in {reached} of {len(speed)} starts, limit {profile.time_limit:g} s"
        )
        yield Verdict(target, text, (middle(speed) or 0) >= 20)
