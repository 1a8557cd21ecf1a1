"""What a comparison comes to, in sentences about money and in a few cards."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING

from ..scores.scores import Scores
from .tables import money, percent

if TYPE_CHECKING:
    import pandas as pd

#: What an ablation leaves out.
LEVERS = {
    "local": "sending jobs to other sites",
    "no-renewables": "sun and wind",
    "fixed-steps": "choosing steps",
    "no-dvfs": "choosing clocks",
    "no-deferral": "letting jobs wait",
    "no-storage": "the batteries",
}


def amount(value: float) -> str:
    """Money for sentences: without cents where they do not matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def sentences(scores: Scores) -> Iterator[str]:
    """The money of today's practice, of the optimum, of the best planner, and what levers are worth of it."""
    table, unit = scores.table, scores.currency
    utility = table["utility"].dropna()
    all_off = next((name for name in utility.index if table.at[name, "method"] == "all-off"), None)
    own = [name for name in utility.index if table.at[name, "kind"] == "yours"]
    best = scores.best_policy if scores.best_policy in utility.index else None
    parts = [f"{name} {amount(utility[name])} {unit}" for name in own if name != best]
    if all_off not in (None, best):
        parts.append(f"all levers off {amount(utility[all_off])} {unit}")
    if best is not None:
        named = "the optimum" if table.at[best, "kind"] == "optimum" else best
        base = next((name for name in [*own, all_off] if name not in (None, best)), None)
        more = utility[best] - utility[base] if base is not None else 0.0
        than = "all levers off" if base == all_off else base
        told = f", {amount(more)} {unit} more than {than}" if more > 0.005 else ""
        parts.append(f"{named} {amount(utility[best])} {unit}{told}")
        mean = f", mean of {len(scores.cases)} instances" if len(scores.cases) > 1 else ""
        yield f"Utility{mean}: {'; '.join(parts)}."
    planner = scores.strongest_planner
    if planner is not None and best not in (None, planner):
        less = utility[best] - utility[planner]
        short = f"{amount(less)} {unit} less than" if less > 0.005 else "as much as"
        yield (
            f"The strongest planner that does not know the day beforehand, {planner}, gets "
            f"{amount(utility[planner])} {unit}, {short} {named}."
        )
    yield from _levers(scores, best)


def _levers(scores: Scores, optimum: str | None) -> Iterator[str]:
    table, unit = scores.table, scores.currency
    if optimum is None or table.at[optimum, "kind"] != "optimum":
        return
    certified: list[tuple[float, str]] = []
    difference: list[tuple[float, str]] = []
    for policy, row in table.iterrows():
        if row["method"] not in LEVERS or isnan(row["utility"]):
            continue
        name, ends = LEVERS[str(row["method"])], lever_ends(scores, optimum, str(policy))
        if ends is None:
            worth = max(table.at[optimum, "utility"] - row["utility"], 0.0)
            difference.append((-worth, f"{name} {amount(worth)}"))
        else:
            low, high = map(amount, ends)
            certified.append((-ends[1], f"{name} {low}" if low == high else f"{name} {low} to {high}"))
    for told, how in (
        (certified, "by proven bounds"),
        (difference, "as the difference of two schedules, neither of which need be the best"),
    ):
        if told:
            each = ", ".join(words for _, words in sorted(told))
            yield f"{unit} lost without each lever alone, {how} (they do not add up): {each}."


def lever_ends(scores: Scores, optimum: str, without: str) -> tuple[float, float] | None:
    """Between what a lever is worth, means over the instances; None where a bound is missing.

    The best with the lever is worth the optimum's utility to the bound; without it, likewise.
    """
    lows, highs = [], []
    for case in scores.cases:
        full, less = case.entry(optimum), case.entry(without)
        if case.bound is None or less.restricted_bound is None:
            return None
        if full.evaluation is None or less.evaluation is None:
            return None
        # a restriction never gains
        lows.append(max(0.0, full.evaluation.utility - less.restricted_bound))
        highs.append(max(0.0, case.bound - less.evaluation.utility))
    return sum(lows) / len(lows), sum(highs) / len(highs)


def cards(scores: Scores) -> Iterator[tuple[str, str, str]]:
    """Number, name and meaning of the few figures at the top; means where there are several instances."""
    table, unit, count = scores.table, scores.currency, len(scores.cases)
    mean = f"mean of {count} instances; " if count > 1 else ""
    best = scores.best_policy
    if best is not None:
        gap = _number(table, best, "gap")
        proof = "no bound proven" if isnan(gap) else f"at most {percent(max(gap, 0.0))} below the bound"
        yield f"{money(_number(table, best, 'utility'))} {unit}", f"utility of {best}", mean + proof
    bounds = [case.bound for case in scores.cases if case.bound is not None]
    if len(bounds) == count:
        by = ", ".join(dict.fromkeys(case.bound_by for case in scores.cases))
        meaning = f"{mean}no schedule can be worth more (proven by {by})"
        yield f"{money(sum(bounds) / count)} {unit}", "bound", meaning
    planner = scores.strongest_planner
    if planner is not None and table.at[planner, "method"] != "all-off":
        share = _number(table, planner, "captured_share")
        if not isnan(share):
            meaning = f"{mean}of what can be gained over all levers off, without knowing the future"
            yield percent(share), f"captured by {planner}", meaning
    zeros = [case.all_off for case in scores.cases if case.all_off is not None]
    if len(zeros) == count:
        meaning = f"{mean}what an operator without this toolkit gets"
        yield f"{money(sum(zeros) / count)} {unit}", "all levers off", meaning


def _number(table: pd.DataFrame, policy: str, column: str) -> float:
    return float(table[column].loc[policy])
