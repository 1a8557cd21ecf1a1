"""The parts of a page for one scope, that is all instances together or one of them: text, table, figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of
from stepwatt.reports.facts import KIND_LABELS
from stepwatt.solvers.methods import method_note

from ..scores.intervals import LEVEL
from ..scores.record import Case, Entry
from ..scores.scores import Scores
from .facts import instance_facts
from .figures.curves import curves_panel
from .figures.panel import Panel, Shown
from .figures.registry import FIGURES, Figure
from .summary import cards, sentences
from .tables import COLUMNS, cells, flagged, headings, percent, statistics_cells, statistics_headings
from .why import Explained

if TYPE_CHECKING:
    import pandas as pd

#: Schedules shown in detail if none are named; each adds some 30 kB.
MOST_DETAILS = 5


def check_detail(comparison: Scores, detail: Sequence[str] | None) -> None:
    """Refuse names of no policy.

    Raises:
        InputError: which names the policies.
    """
    for name in detail or ():
        if name not in comparison.policies:
            raise InputError(field="detail", value=name, expected=one_of(comparison.policies, name))


def scope(
    comparison: Scores,
    place: int,
    named: str,
    detail: Sequence[str] | None,
    learning: dict[str, Any] | None,
    explained: Explained | None = None,
) -> dict[str, Any]:
    """What the template is told; ``place`` numbers the instance, -1 for all of several.

    ``explained``: of a single instance, what schedules in detail are explained by.
    """
    case, single = comparison.cases[0], len(comparison.cases) == 1
    prefix = f"s{place}" if place >= 0 else "all"
    # a column of notes only where there are any
    noted = any(texts[-1] for texts in cells(comparison))
    overview = list(_overview(comparison)) + ([learning] if learning else [])
    details = (
        [_detail(comparison, case, entry) for entry in _shown(comparison, case, detail)] if single else []
    )
    groups = [
        (f"{prefix}-o", overview),
        *((f"{prefix}-d{n}", part["panels"]) for n, part in enumerate(details)),
    ]
    if explained is not None:
        for part, entry in zip(details, _shown(comparison, case, detail), strict=True):
            part["why"] = explained.part(entry)
    texts = {
        f"{prefix}-d{n}": part["why"]["texts"]
        for n, part in enumerate(details)
        if part["why"] and part["why"]["texts"]
    }
    drawn = {f"{group}-{panel['key']}": panel["figure"] for group, panels in groups for panel in panels}
    return {
        "place": place,
        "prefix": prefix,
        "named": named,
        "currency": comparison.currency,
        "facts": instance_facts(case.instance) if single else [],
        "sentences": list(sentences(comparison)),
        "cards": list(cards(comparison)),
        "headings": headings(comparison) if noted else headings(comparison)[:-1],
        "numeric": range(2, 2 + len(COLUMNS)),
        "rows": _table(comparison, noted),
        "statistics": _statistics(comparison, noted) if comparison.several else None,
        "notes": _notes(comparison),
        "overview": overview,
        "details": details,
        "pick": not single,
        "drawn": drawn,
        "texts": {"frame": explained.frame(), "of": texts} if explained and texts else None,
    }


def curves_part(table: pd.DataFrame) -> dict[str, Any] | None:
    """The panel of learning curves."""
    panel = curves_panel(table)
    return _part("curves", Figure("Learning curves", "comparison", lambda of: panel), panel)


def curves_scope(panel: dict[str, Any]) -> dict[str, Any]:
    """What the template is told where there are learning curves alone."""
    empty = ("facts", "sentences", "cards", "headings", "numeric", "rows", "notes", "details")
    found: dict[str, Any] = dict.fromkeys(empty, ())
    named = {"place": 0, "prefix": "s0", "named": "", "statistics": None, "pick": False, "texts": None}
    return found | named | {"overview": [panel], "drawn": {"s0-o-curves": panel["figure"]}}


def _overview(comparison: Scores) -> Iterator[dict[str, Any]]:
    wanted = ("comparison", "several") if comparison.several else ("comparison",)
    for name, figure in FIGURES.items():
        if figure.needs in wanted and (part := _part(name, figure, figure.draw(comparison))):
            yield part


def _statistics(comparison: Scores, noted: bool) -> dict[str, Any]:
    names, rows = statistics_headings(comparison), statistics_cells(comparison)
    unscored = flagged(comparison)
    return {
        "headings": names if noted else names[:-1],
        "numeric": range(1, len(names) - 1),
        "rows": [{"cells": row if noted else row[:-1], "flagged": row[0] in unscored} for row in rows],
        "reference": comparison.reference,
        "level": round(100 * LEVEL),
    }


def _detail(comparison: Scores, case: Case, entry: Entry) -> dict[str, Any]:
    panels, empty = [], []
    if entry.schedule is not None and entry.evaluation is not None:
        shown = Shown(case.instance, entry.schedule, entry.evaluation, case.prices)
        for name, figure in FIGURES.items():
            if figure.needs != "schedule":
                continue
            panel = figure.draw(shown)
            if part := _part(name, figure, panel):
                panels.append(part)
            else:
                empty.append(f"{figure.title}: {panel.words}")
    return {
        "policy": entry.policy,
        "what": method_note(entry.method).what,
        "facts": _runs(case, entry) + _entry_facts(entry),
        "panels": panels,
        "empty": empty,
        "why": None,
    }


def _part(name: str, figure: Figure, panel: Panel) -> dict[str, Any] | None:
    """None where nothing is drawn: a page has no empty places."""
    if panel.figure is None:
        return None
    return {
        "key": name,
        "title": figure.title,
        "size": figure.size,
        "words": panel.words,
        "figure": panel.figure,
        "height": panel.figure.get("layout", {}).get("height", 330),
    }


def _shown(comparison: Scores, case: Case, detail: Sequence[str] | None) -> list[Entry]:
    """Those asked for; else optimum, strongest planner, your own, all levers off."""
    if detail is not None:
        return [case.entry(name) for name in dict.fromkeys(detail)]
    own = [entry.policy for entry in case.entries if entry.method in ("schedule", "callable")]
    all_off = [entry.policy for entry in case.entries if entry.method == "all-off"]
    wanted = [comparison.best_policy, comparison.strongest_planner, *own]
    kept = [name for name in dict.fromkeys(wanted) if name is not None][: MOST_DETAILS - len(all_off)]
    found = [case.entry(name) for name in dict.fromkeys([*kept, *all_off])]
    usable = [entry for entry in found if entry.schedule is not None]
    return usable or [entry for entry in case.entries if entry.schedule is not None][:1]


def _table(comparison: Scores, noted: bool) -> list[dict[str, Any]]:
    strongest = comparison.strongest_planner
    table, unscored = comparison.table, flagged(comparison)
    rows = []
    for texts in cells(comparison):
        policy = texts[0]
        row = table.loc[policy]
        first = row["bound"] if row["kind"] == "bound" else row["utility"]
        values: list[Any] = [first, *(row[name] for name, *_ in COLUMNS[1:])]
        sorted_by: list[Any] = [
            policy,
            texts[1],
            *("" if isnan(v) else f"{v:.9g}" for v in values),
            texts[-1],
        ]
        rows.append(
            {
                "cells": list(zip(texts, sorted_by, strict=True))[: None if noted else -1],
                "what": method_note(str(row["method"])).what,
                "strongest": policy == strongest,
                "kind": str(row["kind"]),
                "flagged": policy in unscored,
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
    if flagged(comparison):
        notes.append(
            "A schedule that breaks a constraint gets no score: the note says which constraint, by how much."
        )
    if comparison.table["stopped"].any():
        notes.append(
            "Time limit: the method was not done when its time was over; with more it may do better."
        )
    return notes


def _runs(case: Case, entry: Entry) -> list[tuple[str, str]]:
    """Which run of several is shown."""
    count = sum(other.policy == entry.policy for other in case.entries)
    return [("shown", f"the first of {count} runs")] if count > 1 else []


def _entry_facts(entry: Entry) -> list[tuple[str, str]]:
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
