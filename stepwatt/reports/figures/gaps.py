"""How far each policy is from the bound, one dot per policy and small ones for instances and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwatt.reports.facts import KIND_LABELS
from stepwatt.scores.scores import Scores

from ..tables import percent
from .gap_axis import gap_scale
from .panel import COLOURS, Panel, axis, colour, label, layout, numbers

if TYPE_CHECKING:
    from stepwatt.solvers.methods import Kind

_WORDS = (
    "The distance of the policy's utility from the bound, in % of the bound; further left is better. {scale}"
    "{dots}Compare a planner with other planners: those that know the day beforehand (optimum, restricted "
    "foresight) show what is lost, not what could have been decided."
)
_LOGARITHMIC = (
    "Every line to the right is ten times as far; what lies at {least} % or below stands at the left edge. "
)
_ORDER: tuple[Kind, ...] = ("optimum", "planner", "ablation", "yours")


def gap_panel(comparison: Scores) -> Panel:
    """Gaps per policy, in % of the bound, on an axis that tells small ones apart beside large ones."""
    table = comparison.table.dropna(subset=["gap"]).sort_values("gap", ascending=False)
    if table.empty:
        return Panel("There is no bound, or no schedule that may be scored.")
    order = [label(str(policy), 22) for policy in table.index]
    runs = comparison.results.dropna(subset=["gap"])
    runs = runs[runs["policy"].isin(table.index)]
    shown = [*(100 * table["gap"]), *(100 * runs["gap"])] if comparison.several else list(100 * table["gap"])
    scale, least = gap_scale(shown)
    traces: list[dict[str, Any]] = []
    if comparison.several:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "showlegend": False,
                "y": [label(str(policy), 22) for policy in runs["policy"]],
                "x": numbers((100 * runs["gap"]).clip(lower=least)),
                "text": [
                    f"{label(str(name), 60)}: {percent(gap)}"
                    for name, gap in zip(runs["instance"], runs["gap"], strict=True)
                ],
                "marker": {"color": COLOURS["faint"], "size": 5, "opacity": 0.6},
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    farthest = runs.groupby("policy")["gap"].max()
    for number, kind in enumerate(_ORDER):
        mine = table[table["kind"] == kind]
        if mine.empty:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": KIND_LABELS[kind],
                "legendgroup": kind,
                "y": [label(str(policy), 22) for policy in mine.index],
                "x": numbers((100 * mine["gap"]).clip(lower=least)),
                "marker": {"color": colour(number), "size": 12},
                "text": [percent(value) for value in mine["gap"]],
                "cliponaxis": False,
                "hovertemplate": "%{text}<extra>%{y}</extra>",
            }
        )
        traces.append(
            {  # beside the farthest dot, so that none covers it
                "type": "scatter",
                "mode": "text",
                "showlegend": False,
                "legendgroup": kind,
                "hoverinfo": "skip",
                "y": [label(str(policy), 22) for policy in mine.index],
                "x": numbers((100 * farthest[mine.index]).clip(lower=least)),
                "text": [f"  {percent(value)}" for value in mine["gap"]],
                "textposition": "middle right",
                "cliponaxis": False,
            }
        )
    look = layout(
        110 + 28 * len(order),
        hovermode="closest",
        margin={"l": 58, "r": 78, "t": 24, "b": 42},
        xaxis=axis("gap, % of the bound", zeroline=False, **scale),
        yaxis=axis(type="category", categoryorder="array", categoryarray=order),
    )
    one = "one instance" if comparison.table["seeds"].max() == 1 else "one run on one instance"
    dots = f"Each small dot is {one}, each large one the mean. " if comparison.several else ""
    told = _LOGARITHMIC.format(least=f"{least:g}") if "type" in scale else "Zero cannot be beaten. "
    return Panel(_WORDS.format(dots=dots, scale=told), {"data": traces, "layout": look})
