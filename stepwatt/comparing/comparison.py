"""Policies side by side on the same instances: what each is worth, and how far from the bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stepwatt.formulation.files import write_text

from ..reports.tables import cells, csv, headings, latex, markdown
from ..scores.file import load, text
from ..scores.record import Case
from ..scores.scores import Scores

if TYPE_CHECKING:
    import xarray
    from plotly.graph_objects import Figure

    from ..learning_curves import Curves


@dataclass(frozen=True)
class Comparison:
    """Cases with the same policies on each; made by :func:`stepwatt.compare`.

    ``results`` is one row per instance and run of a policy; ``table`` and ``statistics`` one row per policy,
    the latter with intervals and held against the policy ``reference``. ``scores`` holds them all.
    """

    cases: tuple[Case, ...]
    reference: str

    def __repr__(self) -> str:
        names = sorted({case.instance.name for case in self.cases})
        told = names[0] if len(names) == 1 else f"{len(self.cases)} instances"
        return f"<Comparison of {', '.join(self.policies)} on {told}>"

    def _repr_html_(self) -> str:
        """The table as reports have it, for notebooks."""
        shown = pd.DataFrame(cells(self.scores), columns=headings(self.scores))
        shown = shown if shown["note"].any() else shown.drop(columns="note")
        return str(shown.to_html(index=False))

    @cached_property
    def scores(self) -> Scores:
        """What the policies are worth."""
        return Scores(self.cases, self.reference)

    @property
    def policies(self) -> list[str]:
        """Names of the policies, in the order given."""
        return self.scores.policies

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.scores.currency

    @property
    def several(self) -> bool:
        """Whether there is anything to make statistics of: several instances or runs of a policy."""
        return self.scores.several

    @property
    def results(self) -> pd.DataFrame:
        """One row per instance and run of a policy (:attr:`.Scores.results`)."""
        return self.scores.results

    @property
    def table(self) -> pd.DataFrame:
        """One row per policy (:attr:`.Scores.table`)."""
        return self.scores.table

    @property
    def statistics(self) -> pd.DataFrame:
        """One row per policy with 95 % intervals (:attr:`.Scores.statistics`)."""
        return self.scores.statistics

    @property
    def strongest_planner(self) -> str | None:
        """The policy of highest mean utility among those that do not know the future; the one to beat."""
        return self.scores.strongest_planner

    @property
    def best_policy(self) -> str | None:
        """The policy whose schedule stands for the optimum: the best optimum, else the best of all."""
        return self.scores.best_policy

    def to_html(
        self,
        path: str | Path,
        *,
        number: int = 0,
        detail: Sequence[str] | None = None,
        curves: Curves | None = None,
        why: bool = False,
    ) -> None:
        """Write the self-contained report (:func:`stepwatt.report` says what the arguments are)."""
        from ..reports.page import report  # brings jinja2

        report(self.scores, path, number=number, detail=detail, curves=curves, why=why)

    def plot(self, figure: str = "gaps") -> Figure:
        """A figure of the report (plotly): ``gaps``, ``money``; of several runs ``seeds``, ``profile``."""
        from ..showing import plot

        return plot(self, figure=figure)

    def to_xarray(self) -> xarray.Dataset:
        """Every number of ``results`` (instance, policy, seed); needs the extra ``xarray``."""
        from ..showing import to_xarray

        return to_xarray(self)

    def to_markdown(self) -> str:
        """The table as Markdown, and that of the statistics where there are several instances or runs."""
        return markdown(self.scores)

    def to_latex(self) -> str:
        """The tables of :meth:`to_markdown` as LaTeX ``tabular`` (needs no package)."""
        return latex(self.scores)

    def to_csv(self, path: str | Path) -> None:
        """Write ``results``, one row per instance and run of a policy, at full precision."""
        write_text(path, csv(self.results))

    def save(self, path: str | Path) -> None:
        """Write the file ``stepwatt.comparison/1``: instances, schedules, bounds and prices."""
        write_text(path, text(self.scores))

    @classmethod
    def load(cls, path: str | Path) -> Comparison:
        """Read a file written by :meth:`save`; every schedule is judged anew.

        Raises:
            InputError: the file is unreadable or breaks the format.
        """
        scores = load(path)
        return cls(scores.cases, scores.reference)
