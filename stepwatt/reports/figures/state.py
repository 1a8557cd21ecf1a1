"""What the sites carry from slot to slot: energy in batteries, warmth in rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance

from .panel import Panel, Shown, axis, colour, label, layout, numbers, time_axis, times

Floats = NDArray[np.float64]

_CHARGE = (
    "Energy in the battery as a share of its size. Dotted lines: the least and the most allowed. Energy "
    "missing at the end against the start is charged at the terminal price, so emptying the battery is no"
    " free lunch."
)
_TEMPERATURE = (
    "Air temperature of each cooled room. Dotted lines: the allowed range. Letting the room warm up saves"
    " cooling power now and costs it later, so the room is a small store of cold."
)


def charge_panel(shown: Shown) -> Panel:
    """State of charge over time, in % of battery size."""
    inst, judged = shown.instance, shown.evaluation
    limits: dict[int, tuple[float, float]] = {}
    curves: dict[int, Floats] = {}
    for j, site in enumerate(inst.sites.values()):
        if site.battery is not None and site.battery.energy_mwh > 0:
            limits[j] = (100 * site.battery.soc_min, 100 * site.battery.soc_max)
            curves[j] = 100 * judged.energy_mwh[j] / site.battery.energy_mwh
    if not curves:
        return Panel("No site has a battery.")
    return Panel(_CHARGE, _lines(inst, curves, limits, "%", lambda v: f"{v:.0f} %"))


def temperature_panel(shown: Shown) -> Panel:
    """Room temperature over time, in °C."""
    inst, judged = shown.instance, shown.evaluation
    limits: dict[int, tuple[float, float]] = {}
    curves: dict[int, Floats] = {}
    for j, site in enumerate(inst.sites.values()):
        if site.cooling.kind == "thermal":
            limits[j] = (site.cooling.min_c, site.cooling.max_c)
            curves[j] = judged.temperature_c[j]
    if not curves:
        words = "No site's cooling is a decision: facility power is a known multiple of computing power."
        return Panel(words)
    figure = _lines(inst, curves, limits, "°C", lambda v: f"{v:g} °C")
    return Panel(_TEMPERATURE, figure)


def _lines(
    inst: Instance,
    curves: dict[int, Floats],
    limits: dict[int, tuple[float, float]],
    unit: str,
    write: Callable[[float], str],
) -> dict[str, Any]:
    names = list(inst.sites)
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": label(names[j]),
            **times(inst),
            "y": numbers(values),
            "line": {"color": colour(j), "width": 1.8},
            "hovertemplate": "%{y:.2f} " + unit,
        }
        for j, values in curves.items()
    ]
    levels = sorted({level for pair in limits.values() for level in pair})
    shapes = [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": level,
            "y1": level,
            "line": {"dash": "dot", "width": 1.2, "color": "#5F6B76"},
        }
        for level in levels
    ]
    lowest = min(levels[0], *(float(values.min()) for values in curves.values()))
    highest = max(levels[-1], *(float(values.max()) for values in curves.values()))
    slack = 0.06 * max(highest - lowest, 1e-6)
    look = layout(
        330,
        xaxis=time_axis(inst),
        yaxis=axis(unit, range=[lowest - slack, highest + slack]),
        shapes=shapes,
        annotations=[
            {
                "text": write(level),
                "xref": "paper",
                "x": 1,
                "xanchor": "right",
                "y": level,
                "yanchor": "bottom" if level == levels[0] else "top",
                "showarrow": False,
                "font": {"size": 11, "color": "#5F6B76"},
            }
            for level in levels
        ],
    )
    return {"data": traces, "layout": look}
