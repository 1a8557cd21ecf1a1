"""Policies side by side on the same instances: what each is worth, and how far from the bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stepwatt.formulation import Evaluation, Instance, Schedule

from .methods import PROVES_BOUND, Kind, method_note

if TYPE_CHECKING:
    from stepwatt.solvers.prices import Prices

#: Money terms that are the energy side of the utility (model.md); export is income.
ENERGY_COSTS = ("import", "carbon", "wear", "fuel", "startup", "demand", "terminal")


@dataclass(frozen=True)
class Entry:
    """One policy on one instance: what it decided and what the judge says of it.

    ``method`` is a method name, or ``schedule`` or ``callable`` for the user's own; ``bound`` (USD) is set
    only where the method proves one for this instance; ``seconds`` is wall-clock time to the schedule;
    ``seed`` numbers the runs of a policy made several times.
    """

    policy: str
    method: str
    status: str
    seconds: float
    schedule: Schedule | None
    evaluation: Evaluation | None
    bound: float | None = None
    seed: int = 0

    @property
    def kind(self) -> Kind:
        """What the row may be compared with."""
        return method_note(self.method).kind

    @property
    def scored(self) -> bool:
        """Whether there is a schedule that breaks no constraint: only then does its utility count."""
        return self.evaluation is not None and self.evaluation.feasible

    @property
    def flag(self) -> str:
        """Why the schedule is not scored, empty when it is: the constraint family and by how much."""
        if self.evaluation is None:
            return "no schedule"
        if self.evaluation.feasible:
            return ""
        family, amount = self.evaluation.worst
        return f"breaks {family} by {amount:.3g}"


@dataclass(frozen=True)
class Case:
    """One instance with all policies on it; ``bound`` (USD) is the best proven one, by ``bound_by``.

    ``all_off`` (USD) is the utility of the operator without this toolkit, the zero of the captured share.
    """

    instance: Instance
    entries: tuple[Entry, ...]
    bound: float | None
    bound_by: str
    all_off: float | None
    prices: Prices | None = None

    def entry(self, policy: str) -> Entry:
        """The entry of a policy; its first run where there are several."""
        return next(entry for entry in self.entries if entry.policy == policy)

    def gap(self, entry: Entry) -> float:
        """(bound − utility)/max(|bound|, 1e-9); NaN where it may not be scored."""
        if self.bound is None or entry.evaluation is None or not entry.scored:
            return float("nan")
        return (self.bound - entry.evaluation.utility) / max(abs(self.bound), 1e-9)

    def captured_share(self, entry: Entry) -> float:
        """(utility − all-off)/(bound − all-off); NaN where not scored or nothing can be gained."""
        if self.bound is None or self.all_off is None or entry.evaluation is None or not entry.scored:
            return float("nan")
        room = self.bound - self.all_off
        return (entry.evaluation.utility - self.all_off) / room if room > 1e-9 else float("nan")


@dataclass(frozen=True)
class Comparison:
    """Cases with the same policies on each; made by :func:`stepwatt.compare`.

    ``results`` is one row per instance and run of a policy; ``table`` and ``statistics`` one row per policy,
    the latter with intervals and held against the policy ``reference``.
    """

    cases: tuple[Case, ...]
    reference: str

    @property
    def policies(self) -> list[str]:
        """Names of the policies, in the order given."""
        return list(dict.fromkeys(entry.policy for entry in self.cases[0].entries))

    @property
    def several(self) -> bool:
        """Whether there is anything to make statistics of: several instances or runs of a policy."""
        return len(self.cases) > 1 or len(self.cases[0].entries) > len(self.policies)

    @cached_property
    def results(self) -> pd.DataFrame:
        """Long form. Money in USD, ``seconds`` wall clock, shares between 0 and 1.

        ``utility``, ``gap`` and ``captured_share`` are NaN where ``flag`` says why they may not be scored.
        """
        return pd.DataFrame(list(self._rows()))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for number, case in enumerate(self.cases):
            for entry in case.entries:
                judged = entry.evaluation
                known = judged if entry.scored else None
                yield {
                    "instance": case.instance.name or f"instance {number}",
                    "number": number,
                    "policy": entry.policy,
                    "seed": entry.seed,
                    "method": entry.method,
                    "kind": entry.kind,
                    "status": entry.status,
                    "flag": entry.flag,
                    "utility": known.utility if known else float("nan"),
                    "bound": case.bound if case.bound is not None else float("nan"),
                    "bound_by": case.bound_by,
                    "own_bound": entry.bound if entry.bound is not None else float("nan"),
                    "gap": case.gap(entry),
                    "captured_share": case.captured_share(entry),
                    "energy_cost": energy_cost(known) if known else float("nan"),
                    "seconds": entry.seconds,
                    "seconds_per_slot": entry.seconds / case.instance.n_slots,
                    **({f"money_{k}": v for k, v in known.breakdown.items()} if known else {}),
                    **(known.metrics if known else {}),
                }

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per policy; means over instances and runs, with medians of utility, gap, captured share.

        A policy with a schedule that breaks a constraint on any instance has NaN scores: ``infeasible``
        counts those schedules and ``flag`` says what the first of them breaks. ``bound`` is the policy's own.
        """
        rows = self.results.groupby("policy", sort=False)
        return pd.DataFrame([_summary(rows.get_group(policy)) for policy in self.policies]).set_index(
            "policy"
        )

    @cached_property
    def statistics(self) -> pd.DataFrame:
        """One row per policy with 95 % intervals (columns ``_low``, ``_high``) over seeds and instances.

        ``gap`` and ``captured_share`` are interquartile means, ``miss_rate`` and ``seconds_per_slot`` means;
        ``improvement`` is the probability of a lower gap than the reference's on the same instance, and
        ``difference`` the gap less the reference's. NaN where a score is missing (see ``table``).
        """
        from .comparison_statistics import statistics_table

        return statistics_table(self)

    @property
    def strongest_planner(self) -> str | None:
        """The policy of highest mean utility among those that do not know the future; the one to beat."""
        return self._best(("planner",))

    @property
    def best_policy(self) -> str | None:
        """The policy whose schedule stands for the optimum: the best optimum, else the best of all."""
        return self._best(("optimum",)) or self._best(("planner", "ablation", "yours"))

    def _best(self, kinds: tuple[Kind, ...]) -> str | None:
        table = self.table
        utility = table.loc[table["kind"].isin(kinds), "utility"].dropna()
        return None if utility.empty else str(utility.idxmax())

    def to_html(self, path: str | Path, *, number: int = 0) -> None:
        """Write the self-contained report; details are those of instance ``number``."""
        from .page import report

        report(self, path, number=number)

    def to_markdown(self) -> str:
        """The table as Markdown, and that of the statistics where there are several instances or runs."""
        from .tables import markdown

        return markdown(self)

    def to_latex(self) -> str:
        """The tables of :meth:`to_markdown` as LaTeX ``tabular`` (needs no package)."""
        from .tables import latex

        return latex(self)

    def to_csv(self, path: str | Path) -> None:
        """Write ``results``, one row per instance and run of a policy, at full precision."""
        from .files import write_text

        write_text(path, self.results.to_csv(index=False, lineterminator="\n"))

    def save(self, path: str | Path) -> None:
        """Write the file ``stepwatt.comparison/1``: instances, schedules, bounds and prices."""
        from .comparison_file import save

        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Comparison:
        """Read a file written by :meth:`save`; every schedule is judged anew.

        Raises:
            InputError: the file is unreadable or breaks the format.
        """
        from .comparison_file import load

        return load(path)


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    """One row of the table from the rows of one policy."""
    flags = [flag for flag in rows["flag"] if flag]
    scores = ["utility", "gap", "captured_share", "energy_cost", "miss_rate", "mean_quality"]
    known = rows.reindex(columns=scores) if not flags else pd.DataFrame(float("nan"), rows.index, scores)
    mean, median = known.mean(), known.median()
    first = rows.iloc[0]
    return {
        "policy": first["policy"],
        "method": first["method"],
        "kind": first["kind"],
        "utility": mean["utility"],
        "utility_median": median["utility"],
        "bound": rows["own_bound"].mean(),
        "gap": mean["gap"],
        "gap_median": median["gap"],
        "captured_share": mean["captured_share"],
        "captured_share_median": median["captured_share"],
        "energy_cost": mean["energy_cost"],
        "miss_rate": mean["miss_rate"],
        "mean_quality": mean["mean_quality"],
        "seconds": rows["seconds"].mean(),
        "instances": rows["number"].nunique(),
        "seeds": rows["seed"].nunique(),
        "infeasible": len(flags),
        "flag": flags[0] if flags else "",
    }


def energy_cost(evaluation: Evaluation) -> float:
    """USD for energy: import, carbon, wear, fuel, start-ups, demand and terminal charges, less export."""
    money = evaluation.breakdown
    return sum(money[name] for name in ENERGY_COSTS) - money["export"]


def case_of(instance: Instance, entries: tuple[Entry, ...], bounding: tuple[Entry, ...] = ()) -> Case:
    """A case from entries; ``bounding`` are further ones that only serve for the bound and the zero.

    The bound is the lowest one proven by a method in :data:`PROVES_BOUND`.
    """
    known = entries + bounding
    proven = [e for e in known if e.bound is not None and e.method in PROVES_BOUND]
    best = min(proven, key=lambda e: e.bound or 0.0) if proven else None
    zero = next((e for e in known if e.method == "all-off" and e.scored), None)
    return Case(
        instance=instance,
        entries=entries,
        bound=best.bound if best else None,
        bound_by=best.method if best else "",
        all_off=zero.evaluation.utility if zero and zero.evaluation else None,
    )
