"""Every seed of every policy as a dot: what the luck of training is worth."""

from __future__ import annotations

from math import isnan
from typing import Any

from stepwatt.scores.intervals import iqm
from stepwatt.scores.scores import Scores
from stepwatt.scores.statistics import score_matrix

from ..tables import percent
from .gap_axis import gap_scale
from .panel import COLOURS, Panel, axis, colour, label, layout, numbers

_WORDS = (
    "Each dot is one seed: the interquartile mean of its gaps over the instances. The diamond is that of all "
    "seeds together, the line its 95 % interval over seeds and instances."
)


def seeds_panel(comparison: Scores) -> Panel:
    """Interquartile mean of the gaps of each seed, in % of the bound."""
    found = {policy: score_matrix(comparison, policy, "gap") for policy in comparison.policies}
    table = comparison.statistics.dropna(subset=["gap"]).sort_values("gap", ascending=False)
    if table.empty:
        return Panel("There is no bound, or no policy all of whose schedules are scored.")
    order = [label(str(policy), 22) for policy in table.index]
    runs = [
        (label(str(policy), 22), seed, iqm(gaps[None, :]))
        for policy in table.index
        if (matrix := found[str(policy)]) is not None
        for seed, gaps in enumerate(matrix)
    ]
    ends = [value for name in ("gap", "gap_low", "gap_high") for value in 100 * table[name].dropna()]
    scale, least = gap_scale([*(100 * gap for *_, gap in runs), *ends])
    shown = (100 * table["gap"]).clip(lower=least)
    error: dict[str, Any] = {"type": "data", "symmetric": False, "color": COLOURS["ink"], "thickness": 1.5}
    for side, column, sign in (("array", "gap_high", 1), ("arrayminus", "gap_low", -1)):
        widths = (sign * ((100 * table[column]).clip(lower=least) - shown)).tolist()
        error[side] = numbers(0.0 if isnan(width) else width for width in widths)
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "y": [name for name, _, _ in runs],
            "x": numbers(max(100 * gap, least) for _, _, gap in runs),
            "text": [f"seed {seed}" for _, seed, _ in runs],
            "marker": {"color": colour(0), "size": 8, "opacity": 0.6},
            "hovertemplate": "%{x:.4g} %<extra>%{text}</extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "y": order,
            "x": numbers(shown),
            "text": [percent(gap) for gap in table["gap"]],
            "error_x": error,
            "marker": {
                "symbol": "diamond",
                "size": 10,
                "color": "white",
                "line": {"width": 2, "color": COLOURS["ink"]},
            },
            "hovertemplate": "%{text}<extra>all seeds</extra>",
        },
    ]
    look = layout(
        130 + 28 * len(order),
        hovermode="closest",
        xaxis=axis("gap, % of the bound", zeroline=False, **scale),
        yaxis=axis(type="category", categoryorder="array", categoryarray=order, showgrid=False),
    )
    return Panel(_WORDS, {"data": traces, "layout": look})
