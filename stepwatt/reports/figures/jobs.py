"""What happens to the jobs: arriving, running, waiting, missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .panel import COLOURS, Panel, Shown, colour, held, label, stacked_rows, step_line, times

_WORDS = (
    "Top: jobs that arrive in each slot, and jobs that are run. Where run lies below arriving, patient "
    "jobs are put off to cheaper slots. Middle: jobs still waiting after each slot, by class. Bottom: "
    "jobs missed, that is lost because their deadline passed; each costs its miss penalty and its "
    "revenue."
)


def jobs_panel(shown: Shown) -> Panel:
    """Arriving and run, waiting and missed jobs per slot, all sites together."""
    inst, schedule, judged = shown.instance, shown.schedule, shown.evaluation
    a = inst.arrays()
    look, rows = stacked_rows(
        inst, ["arriving and run", "waiting", "missed"], "jobs", row_height=150, same_scale=False
    )
    for suffix in ("", "2", "3"):
        look[f"yaxis{suffix}"]["rangemode"] = "tozero"
    arriving = a.arrivals.sum(axis=(0, 1))
    run = schedule.runs.sum(axis=0)
    written = "%{y:,.0f} jobs"
    traces: list[dict[str, Any]] = [
        step_line(inst, arriving, "arriving", COLOURS["faint"], hovertemplate=written, **rows[0]),
        step_line(inst, run, "run", COLOURS["ink"], hovertemplate=written, **rows[0]),
    ]
    waiting, lost = judged.waiting.sum(axis=0), judged.lost.sum(axis=0)
    for k, name in enumerate(a.classes):
        shade = colour(k)
        for row, group, values in ((1, "waiting", waiting[k]), (2, "missed", lost[k])):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": label(name),
                    "legendgroup": f"class-{k}",
                    "showlegend": row == 1,
                    "stackgroup": group,
                    "fillcolor": shade,
                    "line": {"width": 0, "shape": "hv", "color": shade},
                    "hovertemplate": written,
                    **times(inst),
                    "y": held(values),
                    **rows[row],
                }
            )
    if not np.any(lost > 0.5):
        look["yaxis3"]["range"] = [0, 1]
    return Panel(_WORDS, {"data": traces, "layout": look})
