"""Panels as plotly figures, for notebooks and prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figures.panel import Panel

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def figure(panel: Panel, title: str) -> Figure:
    """The panel as a figure of its own, with legend; its words where there is nothing to draw."""
    import plotly.graph_objects as go

    given = panel.figure or {
        "data": [],
        "layout": {"annotations": [{"text": panel.words, "showarrow": False}]},
    }
    found = go.Figure(given)
    height = found.layout.height
    height = 450 if height is None else height + 76
    found.update_layout(
        title={"text": title, "yref": "container", "y": 0.97, "yanchor": "top"},
        showlegend=len({trace.name for trace in found.data} - {None}) > 1,
        # above the headings of rows
        legend={"orientation": "h", "yanchor": "bottom", "y": 1 + 20 / (height - 140)},
        margin={"t": 100},
        height=height,
    )
    return found
