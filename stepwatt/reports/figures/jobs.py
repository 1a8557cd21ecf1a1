"""What happens to the jobs: arriving, running, waiting, missed."""

from __future__ import annotations

from typing import Any

from .panel import COLOURS, Panel, Shown, colour, held, label, stacked_rows, step_line, times

_RUN = (
    "Jobs that arrive in each slot, and jobs that are run. Where run lies below arriving, patient jobs are "
    "put off to cheaper slots. "
)
_WAITING = "Waiting: jobs that still wait after each slot, by class. "
_MISSED = "Missed: jobs whose deadline passed; each costs its miss penalty and its revenue. "
_NONE = "No job is missed. "
#: Fewer jobs are rounding.
_LEAST = 1e-6


def jobs_panel(shown: Shown) -> Panel:
    """Arriving and run jobs per slot, all sites together; waiting and missed ones where there are any."""
    inst, schedule, judged = shown.instance, shown.schedule, shown.evaluation
    a = inst.arrays()
    waiting, lost = judged.waiting.sum(axis=0), judged.lost.sum(axis=0)
    stacks = {name: jobs for name, jobs in (("waiting", waiting), ("missed", lost)) if jobs.sum() > _LEAST}
    look, rows = stacked_rows(inst, ["arriving and run", *stacks], "jobs", row_height=170)
    for number in range(len(rows)):
        look[f"yaxis{number + 1 if number else ''}"]["rangemode"] = "tozero"
    arriving = a.arrivals.sum(axis=(0, 1))
    run = schedule.runs.sum(axis=0)
    written = "%{y:,.0f} jobs"
    traces: list[dict[str, Any]] = [
        step_line(inst, arriving, "arriving", COLOURS["faint"], hovertemplate=written, **rows[0]),
        step_line(inst, run, "run", COLOURS["ink"], hovertemplate=written, **rows[0]),
    ]
    told = set()
    for row, (group, jobs) in enumerate(stacks.items(), start=1):
        for k, name in enumerate(a.classes):
            if jobs[k].sum() <= _LEAST:
                continue
            shade = colour(k)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": label(name),
                    "legendgroup": f"class-{k}",
                    "showlegend": k not in told,
                    "stackgroup": group,
                    "fillcolor": shade,
                    "line": {"width": 0, "shape": "hv", "color": shade},
                    "hovertemplate": written,
                    **times(inst),
                    "y": held(jobs[k]),
                    **rows[row],
                }
            )
            told.add(k)
    words = _RUN + (_WAITING if "waiting" in stacks else "") + (_MISSED if "missed" in stacks else _NONE)
    return Panel(words.strip(), {"data": traces, "layout": look})
