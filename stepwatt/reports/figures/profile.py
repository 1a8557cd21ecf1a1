"""How often each policy stays within a gap: performance profiles (Agarwal et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepwatt.scores.intervals import performance_profile
from stepwatt.scores.scores import Scores
from stepwatt.scores.statistics import SEED, score_matrix

from .gap_axis import gap_scale
from .panel import Panel, axis, colour, label, layout, numbers

_WORDS = (
    "For each gap, the share of runs (every seed on every instance) that stay at or below it, with 95 % "
    "bands. Higher is better; a curve that lies above another everywhere is better whatever gap matters. "
    "Policies with a schedule that may not be scored are not shown."
)
_POINTS = 80


def profile_panel(comparison: Scores) -> Panel:
    """Share of runs at or below each gap, per policy."""
    found = {policy: score_matrix(comparison, policy, "gap") for policy in comparison.policies}
    gaps = {policy: matrix for policy, matrix in found.items() if matrix is not None}
    if not gaps:
        return Panel("There is no bound, or no policy all of whose schedules are scored.")
    widest = max(float(matrix.max()) for matrix in gaps.values())
    scale, least = gap_scale([100 * float(gap) for matrix in gaps.values() for gap in matrix.ravel()])
    if "type" in scale:
        at = np.geomspace(least / 100, 1.05 * widest, _POINTS)
    else:
        at = np.linspace(0.0, max(1.05 * widest, 1e-6), _POINTS)
    traces: list[dict[str, Any]] = []
    for number, (policy, matrix) in enumerate(gaps.items()):
        profile = performance_profile(matrix, at, SEED)
        x, shade = numbers(100 * at), colour(number)
        band = numbers(100 * np.concatenate([profile.low, profile.high[::-1]]))
        common = {"type": "scatter", "mode": "lines", "legendgroup": policy}
        traces += [
            {
                **common,
                "x": x + x[::-1],
                "y": band,
                "fill": "toself",
                "fillcolor": shade,
                "opacity": 0.15,
                "line": {"width": 0, "color": shade, "shape": "linear"},
                "hoverinfo": "skip",
                "showlegend": False,
            },
            {
                **common,
                "name": label(policy, 22),
                "x": x,
                "y": numbers(100 * profile.share),
                "line": {"width": 2, "color": shade, "shape": "hv"},
                "hovertemplate": "%{y:.3g} % of runs",
            },
        ]
    look = layout(
        340,
        xaxis=axis("gap, % of the bound", **scale),
        yaxis=axis("% of runs", range=[-2, 102]),
    )
    return Panel(_WORDS, {"data": traces, "layout": look})
