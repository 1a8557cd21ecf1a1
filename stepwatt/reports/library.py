"""The drawing library in a page: packed, and no more of it than the figures ask for."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

#: Kinds of traces that plotly.js's cartesian bundle draws.
CARTESIAN = frozenset(
    [
        "bar",
        "box",
        "contour",
        "heatmap",
        "histogram",
        "histogram2d",
        "histogram2dcontour",
        "image",
        "pie",
        "scatter",
        "scatterternary",
        "violin",
    ]
)


def packed_library(kinds: Iterable[str]) -> str:
    """plotly.js, gzip in base64: its cartesian bundle, or all of it where a figure asks for other traces."""
    if set(kinds) <= CARTESIAN:
        found = files("stepwatt.reports").joinpath("plotly", "plotly-cartesian.min.js.gz")
        return b64encode(found.read_bytes()).decode()
    from plotly.offline import get_plotlyjs

    return packed(get_plotlyjs())


def packed(text: str) -> str:
    """Text as gzip in base64, the same for the same text."""
    return b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode()


def packed_figures(figures: dict[str, Any]) -> str:
    """Figures as JSON, packed."""
    return packed(json.dumps(figures, allow_nan=False, separators=(",", ":")))


def kinds_of(figures: dict[str, Any]) -> set[str]:
    """The kinds of traces in figures."""
    return {trace.get("type", "scatter") for figure in figures.values() for trace in figure["data"]}
