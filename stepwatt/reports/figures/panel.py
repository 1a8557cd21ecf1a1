"""What every figure of a report shares: the panel, the time axis, rows of one axis pair per site.

Figures are plain dictionaries in the form plotly.js draws; times are given as start and step, which keeps
reports small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from stepwatt.formulation import Evaluation, Instance, Schedule

from ...appearance import COLOURS as COLOURS
from ...appearance import SERIES as SERIES
from ...appearance import axis as axis
from ...appearance import layout as layout
from ...appearance import numbers as numbers

if TYPE_CHECKING:
    from stepwatt.solvers.interface.dual_prices import Prices


@dataclass(frozen=True)
class Panel:
    """A figure ``{"data": […], "layout": {…}}`` and the words that explain it; without one they say why."""

    words: str
    figure: dict[str, Any] | None = None


@dataclass(frozen=True)
class Shown:
    """A judged schedule of an instance; ``prices`` are None where no relaxation was solved."""

    instance: Instance
    schedule: Schedule
    evaluation: Evaluation
    prices: Prices | None = None


def label(name: str, longest: int = 24) -> str:
    """A name from a file as plotly text: markup in it is shown, not obeyed, and it is cut where too long."""
    return escape(name if len(name) <= longest else name[: longest - 1] + "…", quote=False)


def colour(number: int) -> str:
    """A colour of the series."""
    return SERIES[number % len(SERIES)]


def times(inst: Instance) -> dict[str, Any]:
    """Start and step of the slots on a date axis, in the instance's own wall-clock time."""
    first = inst.start_time.replace(tzinfo=None)
    return {"x0": first.isoformat(sep=" "), "dx": inst.slot_hours * 3_600_000}


def held(values: Iterable[float]) -> list[float | None]:
    """Values of slots for a step line: the last one is held to the end of its slot."""
    found = numbers(values)
    return [*found, found[-1]] if found else found


def zone_label(inst: Instance) -> str:
    """How times are to be read: ``UTC`` or ``UTC+02:00``."""
    offset = inst.start_time.strftime("%z")
    return "UTC" if offset in ("+0000", "") else f"UTC{offset[:3]}:{offset[3:5]}"


def step_line(inst: Instance, values: Iterable[float], name: str, shade: str, **more: Any) -> dict[str, Any]:
    """A line that is constant within each slot."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        **times(inst),
        "y": held(values),
        "line": {"color": shade, "width": 1.6, "shape": "hv"},
        **more,
    }


def time_axis(inst: Instance, **more: Any) -> dict[str, Any]:
    """The date axis: the whole horizon, so that it is the same in all figures."""
    first = inst.start_time.replace(tzinfo=None)
    last = first + timedelta(hours=inst.n_slots * inst.slot_hours)
    ends = [first.isoformat(sep=" "), last.isoformat(sep=" ")]
    return axis(f"time ({zone_label(inst)})", type="date", range=ends, nticks=7, **more)


def stacked_rows(
    inst: Instance,
    names: list[str],
    unit: str,
    *,
    row_height: int,
    span: tuple[float, float] | None = None,
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """A layout with one row per name, each with labels of the same time, and the axes of each row's traces.

    ``span`` holds the least and the largest value of all rows, where they are to have one scale.
    """
    count = len(names)
    height = 110 + row_height * count
    space = 46 / height if count > 1 else 0.0
    each = (1 - space * (count - 1)) / count
    found = layout(height)
    found["annotations"] = []
    brief = "%H:%M" if inst.n_slots * inst.slot_hours <= 48 else "%-d %b"
    rows = []
    for number, name in enumerate(names):
        suffix = "" if number == 0 else str(number + 1)
        top = 1 - number * (each + space)
        found[f"yaxis{suffix}"] = axis(unit, domain=[max(top - each, 0.0), top], anchor=f"x{suffix}")
        found[f"xaxis{suffix}"] = time_axis(inst, anchor=f"y{suffix}")
        if number:
            found[f"xaxis{suffix}"]["matches"] = "x"
        if number < count - 1:
            del found[f"xaxis{suffix}"]["title"]
            found[f"xaxis{suffix}"]["tickformat"] = brief
        if span is not None:
            slack = 0.06 * max(span[1] - span[0], 1e-6)
            found[f"yaxis{suffix}"]["range"] = numbers((span[0] - slack, span[1] + slack))
        found["annotations"].append(
            {
                "text": f"<b>{label(name)}</b>",
                "xref": "paper",
                "yref": "paper",
                "x": 0.0,
                "y": top,
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
        rows.append({"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
    return found, rows
