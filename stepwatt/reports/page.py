"""``report``: one self-contained HTML page that works offline, on a phone, on a desktop and on paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from stepwatt.formulation import InputError
from stepwatt.formulation.files import write_text
from stepwatt.reports.facts import KIND_LABELS
from stepwatt.solvers import Result
from stepwatt.solvers.methods import method_note, proves_bound

from ..scores.intervals import LEVEL
from ..scores.record import Case, Entry, case_of
from ..scores.scores import Scores
from .facts import instance_facts
from .figures.panel import Shown
from .figures.registry import FIGURES, Figure
from .tables import COLUMNS, cells, headings, money, percent, statistics_cells, statistics_headings

#: Schedules shown in detail; each adds some 200 kB.
MOST_DETAILS = 3


class Scored(Protocol):
    """What holds scores, as a :class:`stepwatt.Comparison` does."""

    @property
    def scores(self) -> Scores:
        """What the policies are worth."""
        ...


def report(what: Result | Scores | Scored, path: str | Path, *, number: int = 0) -> None:
    """Write the report of a result or a comparison; single schedules are those of instance ``number``.

    Raises:
        InputError: no instance of that number, or a place that cannot be written.
    """
    if isinstance(what, Result):
        what = comparison_of(what)
    comparison = what if isinstance(what, Scores) else what.scores
    if not 0 <= number < len(comparison.cases):
        expected = f"a number between 0 and {len(comparison.cases) - 1}"
        raise InputError(field="number", value=number, expected=expected)
    write_text(path, html(comparison, number))


def comparison_of(result: Result) -> Scores:
    """A comparison of one policy on one instance."""
    entry = Entry(
        policy=result.method,
        method=result.method,
        status=str(result.status),
        seconds=result.seconds.total,
        schedule=result.schedule,
        evaluation=result.evaluation,
        bound=result.bound if proves_bound(result.method) and not result.extra else None,
    )
    case = case_of(result.instance, (entry,))
    return Scores((Case(**{**vars(case), "prices": result.prices}),), entry.policy)


def html(comparison: Scores, number: int = 0) -> str:
    """The page as text."""
    import jinja2
    from plotly.offline import get_plotlyjs

    case = comparison.cases[number]
    overview = list(_overview(comparison))
    details: list[dict[str, Any]] = [
        {
            "policy": entry.policy,
            "what": method_note(entry.method).what,
            "facts": _runs(comparison, entry) + _entry_facts(case, entry),
            "panels": list(_details(case, entry)),
        }
        for entry in _shown(comparison, case)
    ]
    drawn = {f"o-{panel['key']}": panel["figure"] for panel in overview if panel["figure"]}
    for place, detail in enumerate(details):
        drawn |= {
            f"d{place}-{panel['key']}": panel["figure"] for panel in detail["panels"] if panel["figure"]
        }
    loader = jinja2.PackageLoader("stepwatt")
    page = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return page.get_template("report.html").render(
        title=case.instance.name or "schedule",
        count=len(comparison.cases),
        facts=instance_facts(case.instance),
        headline=list(_headline(comparison, case)),
        headings=headings(comparison),
        currency=comparison.currency,
        numeric=range(2, 2 + len(COLUMNS)),
        rows=_table(comparison),
        statistics=_statistics(comparison) if comparison.several else None,
        notes=_notes(comparison),
        overview=overview,
        details=details,
        figures=_script_safe(drawn),
        plotly=get_plotlyjs(),
    )


def _script_safe(value: Any) -> str:
    """JSON that may stand inside a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _overview(comparison: Scores) -> Iterator[dict[str, Any]]:
    wanted = ("comparison", "several") if comparison.several else ("comparison",)
    for name, figure in FIGURES.items():
        if figure.needs in wanted:
            yield _panel(name, figure, comparison)


def _statistics(comparison: Scores) -> dict[str, Any]:
    return {
        "headings": statistics_headings(comparison),
        "rows": statistics_cells(comparison),
        "reference": comparison.reference,
        "level": round(100 * LEVEL),
    }


def _details(case: Case, entry: Entry) -> Iterator[dict[str, Any]]:
    if entry.schedule is None or entry.evaluation is None:
        return
    shown = Shown(case.instance, entry.schedule, entry.evaluation, case.prices)
    for name, figure in FIGURES.items():
        if figure.needs == "schedule":
            yield _panel(name, figure, shown)


def _panel(name: str, figure: Figure, of: Scores | Shown) -> dict[str, Any]:
    drawn = figure.draw(of)
    height = (drawn.figure or {}).get("layout", {}).get("height", 330)
    return {
        "key": name,
        "title": figure.title,
        "size": figure.size,
        "words": drawn.words,
        "figure": drawn.figure,
        "height": height,
    }


def _shown(comparison: Scores, case: Case) -> list[Entry]:
    """Worth a closer look: the optimum, the strongest planner, the operator without a toolkit."""
    all_off = [entry.policy for entry in case.entries if entry.method == "all-off"]
    wanted = [comparison.best_policy, comparison.strongest_planner, *all_off]
    names = [name for name in dict.fromkeys(wanted) if name is not None]
    found = [case.entry(name) for name in names]
    usable = [entry for entry in found if entry.schedule is not None]
    return usable[:MOST_DETAILS] or [entry for entry in case.entries if entry.schedule is not None][:1]


def _table(comparison: Scores) -> list[dict[str, Any]]:
    strongest = comparison.strongest_planner
    table = comparison.table
    rows = []
    for texts in cells(comparison):
        policy = texts[0]
        rows.append(
            {
                "cells": texts,
                "what": method_note(str(table.at[policy, "method"])).what,
                "strongest": policy == strongest,
                "kind": str(table.at[policy, "kind"]),
                "flagged": bool(texts[-1]),
            }
        )
    return rows


def _notes(comparison: Scores) -> list[str]:
    """What the highlighted rows mean, only where there are such rows."""
    notes = []
    if comparison.strongest_planner:
        notes.append(
            f"Highlighted: {comparison.strongest_planner}, the strongest planner that does not know the "
            "future. A new policy has to beat this one to be worth its trouble."
        )
    if (comparison.table["flag"].astype(bool) & (comparison.table["kind"] != "bound")).any():
        notes.append(
            "A schedule that breaks a constraint gets no score: the note says which constraint, by how much."
        )
    return notes


def _headline(comparison: Scores, case: Case) -> Iterator[tuple[str, str, str]]:
    """Number, unit and meaning of the few figures at the top."""
    best = case.entry(comparison.best_policy) if comparison.best_policy else None
    if best is not None and best.evaluation is not None and best.scored:
        gap = case.gap(best)
        proof = f"at most {percent(max(gap, 0.0))} below the bound" if gap == gap else "no bound proven"
        yield f"{money(best.evaluation.utility)} {comparison.currency}", f"utility of {best.policy}", proof
    if case.bound is not None:
        yield (
            f"{money(case.bound)} {comparison.currency}",
            "bound",
            f"no schedule can be worth more (proven by {case.bound_by})",
        )
    name = comparison.strongest_planner
    if name is not None and case.bound is not None and case.entry(name).scored:
        share = case.captured_share(case.entry(name))
        if share == share and case.entry(name).method != "all-off":
            meaning = "of what can be gained over all levers off, without knowing the future"
            yield percent(share), f"captured by {name}", meaning
    if case.all_off is not None:
        least = f"{money(case.all_off)} {comparison.currency}"
        yield least, "all levers off", "what an operator without this toolkit gets"


def _runs(comparison: Scores, entry: Entry) -> list[tuple[str, str]]:
    """Which run of several is shown."""
    count = sum(other.policy == entry.policy for other in comparison.cases[0].entries)
    return [("shown", f"the first of {count} runs")] if count > 1 else []


def _entry_facts(case: Case, entry: Entry) -> list[tuple[str, str]]:
    judged = entry.evaluation
    if judged is None:
        return []
    m = judged.metrics
    found = [
        ("kind", KIND_LABELS[entry.kind]),
        ("jobs run", f"{m['jobs'] - m['missed']:,.0f} of {m['jobs']:,.0f}"),
        ("mean steps", f"{m['mean_steps']:.1f}"),
        ("jobs sent away", percent(m["transfer_share"])),
        ("site energy", f"{m['energy_mwh']:.2f} MWh"),
        ("carbon", f"{m['carbon_t']:.3f} t"),
        ("sun and wind in supply", percent(m["renewable_share"])),
        ("GPU utilisation", percent(m["gpu_utilisation"])),
    ]
    return [("not scored", entry.flag), *found] if entry.flag else found


__all__ = ["comparison_of", "html", "report"]
