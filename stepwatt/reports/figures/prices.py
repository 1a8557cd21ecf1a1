"""Grid prices against the value of stored energy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .panel import COLOURS, Panel, Shown, label, stacked_rows, step_line

_WORDS = (
    "Grid prices at each site, and what one more MWh in the battery would be worth after each slot. That "
    "value is the dual price of the linear relaxation. Read it as a threshold: where the import price "
    "(raised by the loss of charging) is below it, charging pays; where the export price or the import "
    "price that is avoided (less the loss of discharging and wear) is above it, discharging pays. It "
    "moves only when the battery runs full or empty."
)
_NO_VALUE = (
    "Grid prices at each site. The value of stored energy is the dual price of a relaxation; add `lp` to "
    "the policies to see it."
)


def prices_panel(shown: Shown) -> Panel:
    """Import and export price and the value of stored energy per site, per MWh."""
    inst, prices = shown.instance, shown.prices
    sites, unit = list(inst.sites), f"{label(inst.currency, 20)}/MWh"
    stored = prices.stored_energy if prices is not None else None
    drawn = [
        np.asarray(p)
        for site in inst.sites.values()
        for p in (site.grid.import_price, site.grid.export_price)
    ]
    if stored is not None and stored.size:
        drawn.append(stored.to_numpy())
    span = (min(float(values.min()) for values in drawn), max(float(values.max()) for values in drawn))
    look, rows = stacked_rows(inst, sites, unit, row_height=190, span=span)
    traces: list[dict[str, Any]] = []
    written = "%{y:.1f} " + unit
    for j, site in enumerate(inst.sites.values()):
        buy, sell = (
            np.broadcast_to(prices, inst.n_slots)
            for prices in (site.grid.import_price, site.grid.export_price)
        )
        curves = {"import price": (buy, COLOURS["import"]), "export price": (sell, COLOURS["export"])}
        for title, (values, shade) in curves.items():
            traces.append(
                step_line(
                    inst,
                    values,
                    title,
                    shade,
                    legendgroup=title,
                    showlegend=j == 0,
                    hovertemplate=written,
                    **rows[j],
                )
            )
    first = True
    for j, name in enumerate(sites):
        if stored is not None and name in stored.columns:
            title = "value of stored energy"
            line = step_line(inst, stored[name], title, COLOURS["discharge"], legendgroup=title, **rows[j])
            line |= {"showlegend": first, "hovertemplate": written}
            line["line"]["width"] = 2.4
            traces.append(line)
            first = False
    words = _WORDS if stored is not None else _NO_VALUE
    return Panel(words, {"data": traces, "layout": look})
