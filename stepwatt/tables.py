"""The comparison table as Markdown and LaTeX, and the columns that every printed table shares."""

from __future__ import annotations

import math
from collections.abc import Callable

from .comparison import Comparison
from .methods import KIND_LABELS

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


#: Column of ``Comparison.table``, heading, how to write a number.
COLUMNS: tuple[Column, ...] = (
    ("utility", "utility, USD", money),
    ("gap", "gap", percent),
    ("captured_share", "captured share", percent),
    ("energy_cost", "energy cost, USD", money),
    ("miss_rate", "missed jobs", share),
    ("mean_quality", "mean quality", plain),
    ("seconds", "seconds", seconds),
)


def cells(comparison: Comparison) -> list[list[str]]:
    """Rows of text: policy, kind, then :data:`COLUMNS`, then the flag; blank where a number may not be given.

    A relaxation has no utility of its own, so its bound stands there, marked with ≤.
    """
    rows = []
    for policy, row in comparison.table.iterrows():
        texts = [show(float(row[name])) if not math.isnan(row[name]) else "" for name, _, show in COLUMNS]
        if row["kind"] == "bound" and not math.isnan(row["bound"]):
            texts = [f"≤ {money(row['bound'])}", *[""] * (len(COLUMNS) - 2), texts[-1]]
        flag = "" if row["kind"] == "bound" else _flag(row["flag"], row["infeasible"], row["instances"])
        rows.append([str(policy), KIND_LABELS[row["kind"]], *texts, flag])
    return rows


def _flag(flag: str, infeasible: int, instances: int) -> str:
    if not flag or instances == 1:
        return flag
    return f"{flag} ({infeasible} of {instances} instances not scored)"


def headings() -> list[str]:
    """Headings of :func:`cells`."""
    return ["policy", "kind", *[heading for _, heading, _ in COLUMNS], "note"]


def markdown(comparison: Comparison) -> str:
    """A Markdown table."""
    rows = [[text.replace("|", "\\|") for text in row] for row in cells(comparison)]
    ruler = ["---", "---", *["---:"] * len(COLUMNS), "---"]
    lines = [" | ".join(row) for row in [headings(), ruler, *rows]]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def latex(comparison: Comparison) -> str:
    """A LaTeX ``tabular``."""
    lines = [" & ".join(_tex(text) for text in row) + r" \\" for row in [headings(), *cells(comparison)]]
    body = [lines[0], r"\hline", *lines[1:]]
    columns = "ll" + "r" * len(COLUMNS) + "l"
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]) + "\n"


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
    return "".join(_TEX.get(letter, letter) for letter in text)
