"""How jobs are generated: denoising steps and GPU clocks."""

from __future__ import annotations

import numpy as np

from .panel import Panel, Shown, axis, colour, label, layout, numbers

_STEPS = (
    "How many jobs were generated with how many denoising steps, by model. More steps cost GPU time and "
    "energy and raise quality by less and less, so the best count moves with the price of power and the "
    "pressure on the GPUs."
)
_CLOCKS = (
    "Share of each site's jobs run at each GPU clock. A lower clock saves energy per job and takes "
    "longer; a higher one finishes more jobs on the same GPUs."
)


def steps_panel(shown: Shown) -> Panel:
    """Histogram of denoising steps, jobs stacked by model."""
    inst, schedule = shown.instance, shown.schedule
    o = inst.arrays().options
    jobs = schedule.runs.sum(axis=1)
    if not jobs.any():
        return Panel("No job was run.")
    counts = sorted({int(steps) for steps in o.steps[jobs > 0]})
    traces = []
    for m, name in enumerate(inst.models):
        mine = [float(jobs[(o.model == m) & (o.steps == steps)].sum()) for steps in counts]
        if any(mine):
            traces.append(
                {
                    "type": "bar",
                    "name": label(name),
                    "x": [str(steps) for steps in counts],
                    "y": numbers(mine),
                    "marker": {"color": colour(m)},
                    "hovertemplate": "%{y:,.0f} jobs",
                }
            )
    look = layout(330, xaxis=axis("denoising steps", type="category"), yaxis=axis("jobs"), bargap=0.15)
    return Panel(_STEPS, {"data": traces, "layout": look})


def clock_panel(shown: Shown) -> Panel:
    """Shares of GPU clocks per site, in %."""
    inst, schedule = shown.instance, shown.schedule
    a = inst.arrays()
    o, jobs = a.options, schedule.runs.sum(axis=1)
    if not jobs.any():
        return Panel("No job was run.")
    names = list(dict.fromkeys(name for clocks in a.clocks for name in clocks))
    if len(names) == 1:
        return Panel(f"GPUs have one clock level, {names[0]}.")
    total = np.array([jobs[o.site == j].sum() for j in range(len(a.sites))])
    sites = [label(name, 14) for name in a.sites]
    traces = []
    for number, name in enumerate(names):
        mine = np.zeros(len(a.sites))
        for j, clocks in enumerate(a.clocks):
            if name in clocks:
                mine[j] = jobs[(o.site == j) & (o.clock == clocks.index(name))].sum()
        share = 100 * mine / total.clip(min=1e-12)
        traces.append(
            {
                "type": "bar",
                "name": label(name),
                "x": sites,
                "y": numbers(share),
                "marker": {"color": colour(number + 3)},
                "hovertemplate": "%{y:.1f} %",
            }
        )
    look = layout(330, xaxis=axis("", type="category"), yaxis=axis("% of jobs", range=[0, 100]), bargap=0.4)
    return Panel(_CLOCKS, {"data": traces, "layout": look})
