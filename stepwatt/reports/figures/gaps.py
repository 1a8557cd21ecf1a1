"""How far each policy is from the bound, one dot per instance and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwatt.reports.facts import KIND_LABELS
from stepwatt.scores.scores import Scores

from ..tables import percent
from .panel import Panel, axis, colour, label, layout, numbers

if TYPE_CHECKING:
    from stepwatt.solvers.methods import Kind

_WORDS = (
    "{dots}he distance of the policy's utility from the bound, in % of the bound. "
    "Zero cannot be beaten. {bar}Compare a planner with other planners: those that know "
    "the day beforehand (optimum, restricted foresight) show what is lost, not what could have been "
    "decided."
)
_ORDER: tuple[Kind, ...] = ("optimum", "planner", "ablation", "yours")


def gap_panel(comparison: Scores) -> Panel:
    """Gaps per policy, in % of the bound."""
    table = comparison.table.dropna(subset=["gap"]).sort_values("gap", ascending=False)
    if table.empty:
        return Panel("There is no bound, or no schedule that may be scored.")
    traces: list[dict[str, Any]] = []
    order = [label(str(policy), 22) for policy in table.index]
    for number, kind in enumerate(_ORDER):
        mine = table[table["kind"] == kind]
        if mine.empty:
            continue
        names = [label(str(policy), 22) for policy in mine.index]
        words = KIND_LABELS[kind]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": words,
                "legendgroup": kind,
                "y": names,
                "x": numbers(100 * mine["gap"]),
                "marker": {"color": colour(number), "opacity": 0.75},
                "text": [percent(value) for value in mine["gap"]],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertemplate": "mean %{x:.4g} %<extra>%{y}</extra>",
            }
        )
        rows = comparison.results[comparison.results["policy"].isin(mine.index)]
        if comparison.several:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "legendgroup": kind,
                    "showlegend": False,
                    "y": [label(str(policy), 22) for policy in rows["policy"]],
                    "x": numbers(100 * rows["gap"]),
                    "text": [label(str(name), 60) for name in rows["instance"]],
                    "marker": {"color": "#1F2933", "size": 6, "opacity": 0.7},
                    "hovertemplate": "%{x:.4g} %<extra>%{text}</extra>",
                }
            )
    look = layout(
        130 + 28 * len(order),
        hovermode="closest",
        barmode="overlay",
        bargap=0.35,
        margin={"l": 58, "r": 70, "t": 24, "b": 42},
        xaxis=axis("gap, % of the bound", rangemode="tozero"),
        yaxis=axis(type="category", categoryorder="array", categoryarray=order, showgrid=False),
    )
    one = "one instance" if comparison.table["seeds"].max() == 1 else "one run on one instance"
    dots, bar = (f"Each dot is {one}: t", "The bar is the mean. ") if comparison.several else ("T", "")
    words = _WORDS.format(dots=dots, bar=bar)
    return Panel(words, {"data": traces, "layout": look})
