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
    inner = (450 if height is None else height + 70) - 130
    found.update_layout(
        title=title,
        showlegend=len({trace.name for trace in found.data} - {None}) > 1,
        # above the headings of rows
        legend={"orientation": "h", "yanchor": "bottom", "y": 1 + 20 / inner},
        margin={"t": 90},
        height=None if height is None else height + 70,
    )
    return found
