"""A part of the report: text, verdicts on targets, and what makes its comparison void."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

Cells = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Verdict:
    """One target, what was measured (None: nothing was), and whether it is met."""

    target: str
    measured: str | None
    met: bool = False

    @property
    def word(self) -> str:
        """Yes, no, or a dash."""
        return "–" if self.measured is None else "yes" if self.met else "no"

    @property
    def line(self) -> str:
        """One line for people."""
        if self.measured is None:
            return f"NOT MEASURED  {self.target}"
        return f"{'MET         ' if self.met else 'NOT MET     '}  {self.target}: {self.measured}"


@dataclass
class Section:
    """``void``: contradictions between the layers; a section that has any proves nothing."""

    title: str
    lines: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    void: list[str] = field(default_factory=list)

    def say(self, *paragraphs: str) -> None:
        """Add paragraphs of Markdown."""
        for paragraph in paragraphs:
            self.lines += [paragraph, ""]


def table(head: Sequence[str], rows: Cells) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what is there; None when nothing is."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, or a dash."""
    if value is None:
        return "–"
    return f"{value:.{digits - 1}e}" if value and abs(value) < 1e-3 else f"{value:.{digits}g}"


def share(value: float | None) -> str:
    """A relative gap."""
    return "–" if value is None else f"{value:.1e}"
