"""What is given: prices, sun and wind and jobs of an instance, and any table over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .panel import Panel, axis, colour, label, layout, numbers, stacked_rows, step_line

if TYPE_CHECKING:
    import pandas as pd

    from stepwatt.formulation import Instance

_WORDS = "What is given: the price of import, what sun and wind could give, and the jobs that arrive."


def instance_panel(inst: Instance) -> Panel:
    """Import price, sun and wind (MW) and arriving jobs over time, a line a site."""
    a = inst.arrays()
    subjects = {
        f"import price, {inst.currency}/MWh": a.import_price,
        "sun and wind, MW": a.renewable_mw,
        "arriving jobs": a.arrivals.sum(axis=1),
    }
    given = {name: values for name, values in subjects.items() if values.any()}
    if not given:
        return Panel("There are neither prices nor sun, wind or jobs.")
    look, rows = stacked_rows(inst, list(given), "", row_height=170)
    for row, name in enumerate(given):
        if not name.startswith("import price"):  # of an even row, ticks would tell decimals of jobs
            look[f"yaxis{row + 1 if row else ''}"]["rangemode"] = "tozero"
    traces = [
        step_line(inst, values[j], label(site), colour(j), legendgroup=site, showlegend=row == 0, **rows[row])
        for row, values in enumerate(given.values())
        for j, site in enumerate(a.sites)
    ]
    return Panel(_WORDS, {"data": traces, "layout": look})


def table_panel(table: pd.DataFrame) -> Panel:
    """A line a column over the index; of a time with a zone its wall clock."""
    if table.empty:
        return Panel("There are no values.")
    index = table.index
    zone = getattr(index, "tz", None)
    if hasattr(index, "tz_localize"):
        at: list[Any] = [time.isoformat(sep=" ") for time in index.tz_localize(None)]
    else:
        at = index.tolist()
    columns = table.select_dtypes("number")
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": label(str(name)),
            "x": at,
            "y": numbers(columns[name].astype(float)),
            "line": {"color": colour(number), "width": 1.6, "shape": "hv"},
        }
        for number, name in enumerate(columns)
    ]
    title = f"time ({zone})" if zone is not None else ""
    unit = str(table.attrs.get("unit", ""))
    return Panel("", {"data": traces, "layout": layout(360, xaxis=axis(title), yaxis=axis(label(unit)))})
