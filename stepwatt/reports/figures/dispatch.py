"""How each site is powered: supply stacked above zero, use stacked below."""

from __future__ import annotations

from typing import Any

import numpy as np

from .panel import COLOURS, Panel, Shown, held, stacked_rows, times

_WORDS = (
    "Above zero: where each site's power comes from. Below zero: where it goes. The two heights are equal"
    " in every slot, because no energy may appear or vanish. Look for charging and import when power is "
    "cheap, and for discharge and export when it is dear. Average power per slot in MW."
)


def dispatch_panel(shown: Shown) -> Panel:
    """Stacks of supply and use per site over time, in MW."""
    inst, schedule, judged = shown.instance, shown.schedule, shown.evaluation
    sites = list(inst.sites)
    cooling = judged.facility_mw - judged.it_mw
    supply = {
        "import": ("grid import", schedule.import_mw),
        "renewable": ("sun and wind", schedule.renewable_mw),
        "discharge": ("battery discharge", schedule.discharge_mw),
        "generator": ("generator", schedule.generator_mw),
    }
    use = {
        "it": ("computing", judged.it_mw),
        "cooling": ("cooling", cooling),
        "charge": ("battery charge", schedule.charge_mw),
        "export": ("grid export", schedule.export_mw),
    }
    highest, lowest = (
        float(np.sum([flow for _, flow in group.values()], axis=0).max()) for group in (supply, use)
    )
    span = (-lowest, highest)
    look, rows = stacked_rows(inst, sites, "MW", row_height=230, span=span)
    traces: list[dict[str, Any]] = []
    for sign, group in ((1.0, supply), (-1.0, use)):
        for key, (name, flow) in group.items():
            if not (flow > 1e-9).any():
                continue
            for j in range(len(sites)):
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "lines",
                        "name": name,
                        "legendgroup": key,
                        "showlegend": j == 0,
                        "stackgroup": f"{sign}-{j}",
                        "fillcolor": COLOURS[key],
                        "line": {"width": 0, "shape": "hv", "color": COLOURS[key]},
                        "hovertemplate": "%{y:.4f} MW",
                        **times(inst),
                        "y": held(sign * flow[j]),
                        **rows[j],
                    }
                )
    return Panel(_WORDS, {"data": traces, "layout": look})
