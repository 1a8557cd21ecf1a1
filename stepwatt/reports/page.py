"""``report``: one self-contained HTML page that works offline, on a phone, on a desktop and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stepwatt.formulation import InputError
from stepwatt.formulation.arguments import flag
from stepwatt.formulation.files import write_text
from stepwatt.solvers import Result
from stepwatt.solvers.methods import proves_bound

from ..scores.record import Case, Entry, case_of
from ..scores.scores import Scores
from .library import kinds_of, packed_figures, packed_library
from .parts import check_detail, curves_part, curves_scope, scope
from .why import Explained

if TYPE_CHECKING:
    import pandas as pd

#: Bytes of a page; single instances are added to the overview of several as long as they fit.
LARGEST = 1_500_000
#: Bytes around a scope in the page: its element, its entry in the list of those that can be picked.
_AROUND = 1_000
#: Bytes that the text of a scope takes at most, where it is not known yet.
_TEXT = 60_000


class Scored(Protocol):
    """What holds scores, as a :class:`stepwatt.Comparison` does."""

    @property
    def scores(self) -> Scores:
        """What the policies are worth."""
        ...


class Logged(Protocol):
    """What holds learning curves, as :class:`stepwatt.Curves` does."""

    @property
    def table(self) -> pd.DataFrame:
        """A row per run, kind, metric, seed and step."""
        ...


def report(
    what: Result | Scores | Scored,
    path: str | Path,
    *,
    number: int = 0,
    detail: Sequence[str] | None = None,
    curves: Logged | None = None,
    why: bool = False,
) -> None:
    """Write the report of a result or a comparison.

    Args:
        what: the result or comparison.
        path: the file.
        number: of several instances, the one that can be picked first; others follow as far as a page of
            1.5 MB has room.
        detail: policies whose schedules are shown in detail; if not given, the optimum, the strongest
            planner, your own, and all levers off.
        curves: learning curves to be shown, too.
        why: whether schedules in detail are explained: a reason for every slot and site, and the dearest
            decisions (:func:`stepwatt.why`, :func:`stepwatt.where_lost`). Takes seconds for a day of 288
            slots, and for each schedule.

    Raises:
        InputError: neither a result nor a comparison, no instance of that number, no policy of that name, or
            a place that cannot be written.
    """
    if isinstance(what, Result):
        what = comparison_of(what)
    comparison = what if isinstance(what, Scores) else getattr(what, "scores", None)
    if not isinstance(comparison, Scores):
        raise InputError(field="report", value=what, expected="a result or a comparison")
    why = flag(why, "why")
    write_text(path, html(comparison, number, detail=detail, curves=curves, why=why))


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


def html(
    comparison: Scores,
    number: int = 0,
    *,
    detail: Sequence[str] | None = None,
    curves: Logged | None = None,
    why: bool = False,
) -> str:
    """The page as text.

    Raises:
        InputError: no instance of that number, or no policy of that name.
    """
    import jinja2

    count = len(comparison.cases)
    if not 0 <= number < count:
        raise InputError(field="number", value=number, expected=f"a number between 0 and {count - 1}")
    check_detail(comparison, detail)
    loader = jinja2.PackageLoader("stepwatt")
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    part = pages.get_template("report-scope.html")
    kinds: set[str] = set()
    shown: list[dict[str, Any]] = []
    room = (
        LARGEST - len(packed_library(())) - len(pages.get_template("report.html").render(_frame(comparison)))
    )
    for found in _scopes(comparison, number, detail, curves, why):
        found["figures"], found["reasons"] = packed_figures(found["drawn"]), ""
        if found["texts"] is not None:
            found["reasons"] = packed_figures(found["texts"])
            if len(found["reasons"]) + len(found["figures"]) + _TEXT > room:
                found["reasons"], found["texts"] = "", None
        found["html"] = part.render(found)
        room -= len(found["html"].encode()) + len(found["figures"]) + len(found["reasons"]) + _AROUND
        if room < 0 and len(shown) > (count > 1):
            break
        kinds |= kinds_of(found["drawn"])
        shown.append(found)
    shown.sort(key=lambda found: int(found["place"]))
    frame = {"scopes": shown, "library": packed_library(kinds), "missing": count - len(shown) + (count > 1)}
    return pages.get_template("report.html").render(_frame(comparison) | frame)


def curves_html(curves: Logged) -> str:
    """A page of learning curves alone."""
    import jinja2

    panel, runs = curves_part(curves.table), list(dict.fromkeys(curves.table["run"]))
    if panel is None:
        raise InputError(field="runs", value=runs, expected="a log with at least one line")
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("stepwatt"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    found = curves_scope(panel)
    found["html"] = pages.get_template("report-scope.html").render(found)
    found["figures"], found["reasons"] = packed_figures(found["drawn"]), ""
    frame = {"title": ", ".join(runs), "count": 1, "currency": "", "missing": 0, "scopes": [found]}
    return pages.get_template("report.html").render(frame | {"library": packed_library(())})


def _frame(comparison: Scores) -> dict[str, Any]:
    count = len(comparison.cases)
    title = comparison.cases[0].instance.name if count == 1 else f"{count} instances"
    frame = {"title": title or "schedule", "count": count, "currency": comparison.currency}
    return frame | {"scopes": [], "library": "", "missing": 0}


def _scopes(
    comparison: Scores, number: int, detail: Sequence[str] | None, curves: Logged | None, why: bool
) -> Iterator[dict[str, Any]]:
    """All instances together, then single ones; first the one that was asked for."""
    learning = None if curves is None else curves_part(curves.table)
    if len(comparison.cases) == 1:
        yield scope(comparison, 0, "", detail, learning, Explained(comparison.cases[0]) if why else None)
        return
    yield scope(comparison, -1, f"all {len(comparison.cases)} instances", (), learning)
    others = [place for place in range(len(comparison.cases)) if place != number]
    for place in [number, *others]:
        case = comparison.cases[place]
        alone = Scores((case,), comparison.reference)
        named = case.instance.name or f"instance {place}"
        yield scope(alone, place, named, detail, None, Explained(case) if why else None)


__all__ = ["comparison_of", "html", "report"]
