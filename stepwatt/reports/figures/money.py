"""Where the utility of each policy comes from."""

from __future__ import annotations

from typing import Any

from stepwatt.scores.scores import Scores

from .panel import COLOURS, SERIES, Panel, axis, label, layout, numbers

_WORDS = (
    "Income to the right of zero, costs to the left; the diamond is what remains, the utility. "
    "{mean}Policies whose schedule breaks a constraint, and relaxations, are not shown: their money is "
    "not real."
)

#: Money term, its name for readers, sign, colour.
_TERMS = (
    ("revenue", "service revenue", 1, COLOURS["revenue"]),
    ("export", "grid export", 1, COLOURS["export"]),
    ("import", "grid import", -1, COLOURS["import"]),
    ("carbon", "carbon", -1, COLOURS["ink"]),
    ("wear", "battery wear", -1, COLOURS["discharge"]),
    ("fuel", "generator fuel", -1, COLOURS["generator"]),
    ("startup", "generator starts", -1, SERIES[4]),
    ("demand", "demand charge", -1, SERIES[7]),
    ("transfer", "transfers", -1, COLOURS["it"]),
    ("miss_penalty", "missed jobs", -1, COLOURS["bad"]),
    ("terminal", "energy and heat owed at the end", -1, COLOURS["faint"]),
)


def money_panel(comparison: Scores) -> Panel:
    """Stacked bars of the money terms per policy, in USD (means over instances)."""
    rows, unit = comparison.results, label(comparison.currency, 20)
    table = comparison.table["utility"].dropna().sort_values()
    if table.empty:
        return Panel("No schedule may be scored.")
    terms = [f"money_{name}" for name, *_ in _TERMS]
    means = rows.groupby("policy")[terms].mean().loc[table.index]
    names = [label(str(policy), 22) for policy in table.index]
    traces: list[dict[str, Any]] = []
    for name, words, sign, shade in _TERMS:
        values = sign * means[f"money_{name}"]
        if (values.abs() > 1e-9).any():
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": words,
                    "y": names,
                    "x": numbers(values),
                    "marker": {"color": shade},
                    "hovertemplate": "%{x:,.2f} " + unit,
                }
            )
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "utility",
            "y": names,
            "x": numbers(table),
            "marker": {
                "symbol": "diamond",
                "size": 10,
                "color": "white",
                "line": {"width": 2, "color": "#1F2933"},
            },
            "hovertemplate": "%{x:,.2f} " + unit,
        }
    )
    look = layout(
        150 + 34 * len(names),
        barmode="relative",
        hovermode="y unified",
        bargap=0.35,
        xaxis=axis(unit),
        yaxis=axis(type="category", showgrid=False),
    )
    count = len(comparison.cases)
    mean = f"Means over {count} instances. " if count > 1 else ""
    return Panel(_WORDS.format(mean=mean), {"data": traces, "layout": look})
