"""How trained policies came to be what they are: learning curves, a line a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .panel import Panel, axis, colour, label, layout, numbers

if TYPE_CHECKING:
    import pandas as pd

_WORDS = (
    "Each line is one seed. Top: what the policy is worth on days that it is not trained on (mean utility). "
    "Bottom: what it is paid while it learns (mean reward per slot), exploration included. A top line that "
    "falls while the bottom one rises is a policy that learns its training days by heart."
)
#: Kind of record, metric and unit of each row.
_ROWS = (("validation", "utility", "utility"), ("training", "reward", "reward"))


def curves_panel(table: pd.DataFrame) -> Panel:
    """Validation utility and training reward over steps; ``table`` is that of :class:`stepwatt.Curves`."""
    shown = [
        (kind, unit, rows)
        for kind, metric, unit in _ROWS
        if not (rows := table[(table["kind"] == kind) & (table["metric"] == metric)]).empty
    ]
    if not shown:
        return Panel("The logs hold no line yet.")
    height = 100 + 200 * len(shown)
    look = layout(height, hovermode="closest", annotations=[])
    space = 46 / height
    each = (1 - space * (len(shown) - 1)) / len(shown)
    traces: list[dict[str, Any]] = []
    told = set()
    runs = list(dict.fromkeys(table["run"]))
    for number, (kind, unit, rows) in enumerate(shown):
        suffix = "" if number == 0 else str(number + 1)
        top = 1 - number * (each + space)
        look[f"yaxis{suffix}"] = axis(unit, domain=[max(top - each, 0.0), top], anchor=f"x{suffix}")
        last = number == len(shown) - 1
        title = "steps of the environment, one seed" if last else ""
        look[f"xaxis{suffix}"] = axis(title, anchor=f"y{suffix}", rangemode="tozero")
        if number:
            look[f"xaxis{suffix}"]["matches"] = "x"
        look["annotations"].append(
            {
                "text": f"<b>{kind}</b>",
                "xref": "paper", "yref": "paper", "x": 0.0, "y": top,
                "xanchor": "left", "yanchor": "bottom", "showarrow": False,
            }
        )  # fmt: skip
        for (run, seed), line in rows.groupby(["run", "seed"], sort=False):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if len(line) < 3 else "lines",
                    "name": label(str(run)),
                    "legendgroup": str(run),
                    "showlegend": run not in told,
                    "x": [int(step) for step in line["env_steps"]],
                    "y": numbers(line["value"]),
                    "line": {"color": colour(runs.index(run)), "width": 1.6},
                    "opacity": 0.75,
                    "hovertemplate": f"{label(str(run))}, seed {seed}: %{{y:.5g}} at %{{x:,}}<extra></extra>",
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                }
            )
            told.add(run)
    return Panel(_WORDS, {"data": traces, "layout": look})
