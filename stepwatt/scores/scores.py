"""What a comparison is: every policy's scores on every case, in one table, and statistics of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from stepwatt.formulation import InputError, Instance
from stepwatt.solvers.methods import Kind

from .record import Case, energy_cost
from .statistics import statistics_table


def check_currency(instances: Sequence[Instance]) -> None:
    """Refuse to add up money of different kinds.

    Raises:
        InputError: instances in more than one currency.
    """
    named = sorted({inst.currency for inst in instances})
    if len(named) > 1:
        raise InputError(field="currency", value=", ".join(named), expected="instances of one currency")


@dataclass(frozen=True)
class Scores:
    """Cases with the same policies on each.

    ``results`` is one row per instance and run of a policy; ``table`` and ``statistics`` one row per policy,
    the latter with intervals and held against the policy ``reference``.
    """

    cases: tuple[Case, ...]
    reference: str

    @property
    def policies(self) -> list[str]:
        """Names of the policies, in the order given."""
        return list(dict.fromkeys(entry.policy for entry in self.cases[0].entries))

    def __post_init__(self) -> None:
        check_currency([case.instance for case in self.cases])

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.cases[0].instance.currency

    @property
    def several(self) -> bool:
        """Whether there is anything to make statistics of: several instances or runs of a policy."""
        return len(self.cases) > 1 or len(self.cases[0].entries) > len(self.policies)

    @cached_property
    def results(self) -> pd.DataFrame:
        """Long form. Money in ``currency``, ``seconds`` wall clock, shares between 0 and 1.

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
        counts those schedules and ``flag`` says what the first of them breaks. ``bound`` is the policy's own,
        ``stopped`` counts runs that the time limit ended.
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


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    """One row of the table from the rows of one policy."""
    flags = [flag for flag in rows["flag"] if flag]
    scores = [
        "utility",
        "gap",
        "captured_share",
        "energy_cost",
        "energy_mwh",
        "carbon_t",
        "miss_rate",
        "mean_quality",
    ]
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
        "energy_mwh": mean["energy_mwh"],
        "carbon_t": mean["carbon_t"],
        "miss_rate": mean["miss_rate"],
        "mean_quality": mean["mean_quality"],
        "seconds": rows["seconds"].mean(),
        "instances": rows["number"].nunique(),
        "seeds": rows["seed"].nunique(),
        "infeasible": len(flags),
        "flag": flags[0] if flags else "",
        "stopped": int((rows["status"] == "time_limit").sum()),
    }
