"""Where jobs come from and where they run."""

from __future__ import annotations

from .panel import SERIES, Panel, Shown, axis, label, layout

_WORDS = (
    "Share of each origin's jobs that ran at each site (hover for counts). The diagonal is work done at "
    "home; off the diagonal, jobs were sent away because another site had cheaper power, a better suited "
    "model or free GPUs, and that was worth the transfer cost."
)


def transfers_panel(shown: Shown) -> Panel:
    """Heat map of jobs from origin to site over the whole horizon."""
    inst, schedule = shown.instance, shown.schedule
    names = [label(name, 14) for name in inst.sites]
    jobs = schedule.transfers.sum(axis=(2, 3))
    totals = jobs.sum(axis=1, keepdims=True)
    share = 100 * jobs / totals.clip(min=1e-12)
    if len(names) == 1:
        return Panel("There is one site.")
    if not totals.any():
        return Panel("No job was run.")
    figure = {
        "data": [
            {
                "type": "heatmap",
                "x": names,
                "y": names,
                "z": share.round(2).tolist(),
                "customdata": jobs.round(1).tolist(),
                "zmin": 0,
                "zmax": 100,
                "colorscale": [[0, "#F7FBFF"], [1, SERIES[0]]],
                "texttemplate": "%{z:.0f} %",
                "hovertemplate": "from %{y} to %{x}: %{customdata:,} jobs (%{z:.1f} %)<extra></extra>",
                "xgap": 2,
                "ygap": 2,
                "showscale": False,
            }
        ],
        "layout": layout(
            330,
            hovermode="closest",
            xaxis=axis("runs at", type="category", showgrid=False),
            yaxis=axis("arrives at", type="category", autorange="reversed", showgrid=False),
        ),
    }
    return Panel(_WORDS, figure)
