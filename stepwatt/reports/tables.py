"""The tables of a comparison as Markdown and LaTeX, and the columns that every printed table shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from stepwatt.reports.facts import KIND_LABELS

from ..scores.scores import Scores

Column = tuple[str, str, Callable[[float], str]]


def money(value: float) -> str:
    """USD with cents."""
    return f"{value:,.2f}"


def percent(value: float) -> str:
    """A share as a percentage with two decimals; small gaps keep two digits."""
    if 5e-9 <= abs(value) < 5e-5:
        return f"{100 * value:.{-math.floor(math.log10(100 * abs(value))) + 1}f} %"
    return f"{round(100 * value, 2) + 0.0:.2f} %"


def share(value: float) -> str:
    """A share as a percentage with two decimals; what is little is not called nothing."""
    return "< 0.01 %" if 0 < value < 5e-5 else percent(value)


def plain(value: float) -> str:
    """Three decimals."""
    return f"{value:.3f}"


def seconds(value: float) -> str:
    """Seconds with one decimal, more below one."""
    return f"{value:.1f}" if value >= 1 else f"{value:.3f}"


#: Column of ``Comparison.table``, heading (``{money}`` for the currency), how to write a number.
COLUMNS: tuple[Column, ...] = (
    ("utility", "utility, {money}", money),
    ("gap", "gap", percent),
    ("captured_share", "captured share", percent),
    ("energy_cost", "energy cost, {money}", money),
    ("energy_mwh", "energy, MWh", plain),
    ("carbon_t", "CO2, t", plain),
    ("miss_rate", "missed jobs", share),
    ("mean_quality", "mean quality", plain),
    ("seconds", "seconds", seconds),
)


#: What a terminal has no room for.
NOT_IN_TERMINALS = ("energy_mwh", "carbon_t")
IN_TERMINALS = tuple(column for column in COLUMNS if column[0] not in NOT_IN_TERMINALS)


def cells(comparison: Scores, columns: tuple[Column, ...] = COLUMNS) -> list[list[str]]:
    """Rows of text: policy, kind, then the columns, then the note; blank where a number may not be given.

    A relaxation has no utility of its own, so its bound stands there, marked with ≤.
    """
    rows = []
    for policy, row in comparison.table.iterrows():
        texts = [show(float(row[name])) if not math.isnan(row[name]) else "" for name, _, show in columns]
        if row["kind"] == "bound" and not math.isnan(row["bound"]):
            texts = [f"≤ {money(row['bound'])}", *[""] * (len(columns) - 2), texts[-1]]
        rows.append([str(policy), KIND_LABELS[row["kind"]], *texts, _note(row)])
    return rows


def flagged(comparison: Scores) -> set[str]:
    """Policies that are not scored; a relaxation breaks what it relaxes."""
    table = comparison.table
    return {str(policy) for policy in table.index[table["flag"].astype(bool) & (table["kind"] != "bound")]}


def _note(row: pd.Series[Any]) -> str:
    """Why there are no scores; or that the method was not done when its time was over."""
    runs, what = row["instances"] * row["seeds"], "instances" if row["seeds"] == 1 else "runs"
    if row["flag"] and row["kind"] != "bound":
        return str(row["flag"]) + (f" ({row['infeasible']} of {runs} {what} not scored)" if runs > 1 else "")
    if row["stopped"]:
        return "time limit" + (f" ({row['stopped']} of {runs} {what})" if runs > 1 else "")
    return ""


def headings(comparison: Scores, columns: tuple[Column, ...] = COLUMNS) -> list[str]:
    """Headings of :func:`cells`."""
    named = [heading.replace("{money}", comparison.currency) for _, heading, _ in columns]
    return ["policy", "kind", *named, "note"]


def statistics_cells(comparison: Scores) -> list[list[str]]:
    """Rows of text of ``Comparison.statistics``, without relaxations, which decide nothing."""
    rows = []
    for policy, row in comparison.statistics.iterrows():
        if row["kind"] == "bound":
            continue
        latency = row["seconds_per_slot"]
        texts = [
            str(row["seeds"]),
            str(row["instances"]),
            _interval(row, "gap", percent),
            _interval(row, "captured_share", percent),
            _interval(row, "miss_rate", share),
            "" if math.isnan(latency) else f"{latency:.2g}",
            _interval(row, "improvement", "{:.2f}".format),
            _interval(row, "difference", percent),
        ]
        rows.append([str(policy), *texts, _note(row)])
    return rows


def statistics_headings(comparison: Scores) -> list[str]:
    """Headings of :func:`statistics_cells`; all but the first and the last are of numbers."""
    reference = comparison.reference
    return [
        "policy",
        "seeds",
        "instances",
        "gap, IQM",
        "captured share, IQM",
        "missed jobs",
        "seconds per slot",
        f"P(better than {reference})",
        f"gap less that of {reference}",
        "note",
    ]


def _interval(row: pd.Series[Any], name: str, show: Callable[[float], str]) -> str:
    """``1.20 [1.10, 1.40] %``; blank where unknown, without brackets where nothing was sampled twice."""
    texts = [show(float(row[column])) for column in (name, f"{name}_low", f"{name}_high")]
    if math.isnan(row[name]):
        return ""
    if math.isnan(row[f"{name}_low"]):
        return texts[0]
    unit = " %" if texts[0].endswith(" %") else ""
    point, low, high = (text.removesuffix(" %") for text in texts)
    return f"{point} [{low}, {high}]{unit}"


def markdown(comparison: Scores) -> str:
    """Markdown tables: the policies, and their statistics where there are several instances or runs."""
    return "\n".join(_markdown(*table) for table in _tables(comparison))


def _tables(comparison: Scores) -> list[tuple[list[str], list[list[str]], str]]:
    """Headings, rows, and for each column l(eft) or r(ight)."""
    found = [(headings(comparison), cells(comparison), "ll" + "r" * len(COLUMNS) + "l")]
    if comparison.several:
        names = statistics_headings(comparison)
        found.append((names, statistics_cells(comparison), "l" + "r" * (len(names) - 2) + "l"))
    return found


def _markdown(names: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> str:
    ruler = ["---:" if side == "r" else "---" for side in sides]
    escaped = [[_md(text) for text in row] for row in [names, *rows]]
    lines = [" | ".join(row) for row in [escaped[0], ruler, *escaped[1:]]]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


#: What would end a cell, begin markup of HTML or code, or make a link: names may come from anywhere.
_MD = {"\\": "\\\\", "|": "\\|", "`": "\\`", "<": "&lt;", ">": "&gt;"}


def _md(text: str) -> str:
    plain = "".join(_MD.get(letter, letter) for letter in " ".join(text.split()))
    return plain.replace("](", "]\\(")


def csv(table: pd.DataFrame) -> str:
    """The table as CSV at full precision, without its index; no text of it is a formula to a spreadsheet."""
    plain = table.copy()
    for column in plain.columns:
        if not pd.api.types.is_numeric_dtype(plain[column]):
            plain[column] = [_no_formula(cell) for cell in plain[column]]
    return str(plain.to_csv(index=False, lineterminator="\n"))


def _no_formula(cell: Any) -> Any:
    """With an apostrophe before what a spreadsheet would compute, as OWASP has it ("CSV Injection")."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def latex(comparison: Scores) -> str:
    """The tables of :func:`markdown` as LaTeX ``tabular``."""
    return "\n".join(_latex(*table) for table in _tables(comparison))


def _latex(names: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> str:
    lines = [" & ".join(_tex(text) for text in row) + r" \\" for row in [names, *rows]]
    body = [lines[0], r"\hline", *lines[1:]]
    return "\n".join([rf"\begin{{tabular}}{{{sides}}}", *body, r"\end{tabular}"]) + "\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "≤": r"$\leq$",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in " ".join(text.split()))
