"""Which jobs travel: the sites on a circle, and arrows from where jobs arrive to where they run."""

from __future__ import annotations

from math import cos, hypot, pi, sin, sqrt
from typing import Any

from .panel import COLOURS, Panel, Shown, label, layout

_WORDS = (
    "Arrows go from where jobs arrive to where they run; the wider, the more jobs. The size of a circle is "
    "what a site runs. Places are not geographic. {rest}"
)
#: Arrows that a reader can still tell apart; the largest are drawn.
_MOST = 30
_WIDEST = 12.0


def flows_panel(shown: Shown) -> Panel:
    """Jobs between sites over the whole horizon, as arrows."""
    names = list(shown.instance.sites)
    jobs = shown.schedule.transfers.sum(axis=(2, 3))
    count = len(names)
    if count == 1:
        return Panel("There is one site.")
    least = 1e-9 * float(jobs.sum())
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j and jobs[i, j] > least]
    sent = [(float(jobs[i, j]), i, j) for i, j in pairs]
    if not sent:
        return Panel("Every job runs where it arrives.")
    drawn = sorted(sent, reverse=True)[:_MOST]
    most = drawn[0][0]
    places = [
        (cos(a), sin(a)) for a in (pi / 2 + 2 * pi * (n + (count == 2) / 2) / count for n in range(count))
    ]
    arrows, middles = [], []
    for amount, i, j in drawn:
        tail, head = _beside(places[i], places[j])
        arrows.append(
            {
                "x": head[0], "y": head[1], "ax": tail[0], "ay": tail[1],
                "xref": "x", "yref": "y", "axref": "x", "ayref": "y", "text": "", "showarrow": True,
                "arrowhead": 2, "arrowsize": 0.6 if amount > most / 4 else 1.0,
                "arrowwidth": round(max(_WIDEST * sqrt(amount / most), 1.0), 2),
                "arrowcolor": COLOURS["import"], "opacity": 0.8,
            }
        )  # fmt: skip
        told = f"{label(names[i])} to {label(names[j])}: {amount:,.0f} jobs"
        middles.append(((tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2, told))
    run = jobs.sum(axis=0)
    largest = max(float(run.max()), 1e-9)
    sites: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [round(x, 4) for x, _ in places],
        "y": [round(y, 4) for _, y in places],
        "text": [
            f"<b>{label(name, 12)}</b><br>{_short(amount)} run"
            for name, amount in zip(names, run, strict=True)
        ],
        "textposition": ["top center" if y > 0.1 else "bottom center" for _, y in places],
        "marker": {
            "size": [round(14 + 26 * sqrt(float(amount) / largest), 1) for amount in run],
            "color": COLOURS["it"],
            "line": {"width": 1.5, "color": COLOURS["ink"]},
        },
        "hovertemplate": [
            f"{label(name)}: {amount:,.0f} jobs run, {jobs[n, n]:,.0f} of them its own<extra></extra>"
            for n, (name, amount) in enumerate(zip(names, run, strict=True))
        ],
    }
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [round(x, 4) for x, _, _ in middles],
        "y": [round(y, 4) for _, y, _ in middles],
        "text": [told for *_, told in middles],
        "marker": {"size": 18, "color": COLOURS["import"], "opacity": 0.01},
        "hovertemplate": "%{text}<extra></extra>",
    }
    hidden = {"visible": False, "fixedrange": True}
    look = layout(
        330,
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={**hidden, "range": [-1.5, 1.5]},
        yaxis={**hidden, "range": [-1.5, 1.6], "scaleanchor": "x"},
        annotations=arrows,
    )
    rest = f"The {_MOST} largest of {len(sent)} are drawn." if len(sent) > _MOST else ""
    return Panel(_WORDS.format(rest=rest).strip(), {"data": [points, sites], "layout": look})


def _short(amount: float) -> str:
    """A count of jobs in a few signs."""
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if amount >= size:
            return f"{amount / size:.3g} {sign}"
    return f"{amount:.0f}"


def _beside(
    start: tuple[float, float], end: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """From one circle to the other, a little to the right, so that the way back is seen, too."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    far = hypot(dx, dy)
    aside = (0.07 * dy / far, -0.07 * dx / far)
    short = 0.2 / far

    def at(share: float) -> tuple[float, float]:
        return round(start[0] + share * dx + aside[0], 4), round(start[1] + share * dy + aside[1], 4)

    return at(short), at(1 - short)
