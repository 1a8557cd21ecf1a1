"""How figures look, those of reports and others: colours, layout, axes, numbers."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

#: Colours near those of Okabe and Ito, but dark enough to be seen on white, and apart to every kind of eye
#: (tests/stepwatt/reports/test_colours.py measures both).
SERIES = ("#2161BA", "#C78700", "#00864C", "#E469A2", "#1E9ED5", "#B74600", "#683300", "#755895", "#4F5F6A")
_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _RED, _BROWN, _VIOLET, _GREY = SERIES

#: Colours by what is shown.
COLOURS = {
    "import": _BLUE,
    "renewable": _GREEN,
    "discharge": _PINK,
    "generator": _BROWN,
    "it": _ORANGE,
    "cooling": _SKY,
    "charge": _RED,
    "export": _GREY,
    "revenue": _GREEN,
    "bad": _RED,
    "ink": "#1F2933",
    "faint": "#66727E",
}


def numbers(values: Iterable[float]) -> list[float | None]:
    """Numbers with five digits, enough for any screen; no negative zero, and a hole where there is none."""
    return [float(f"{value:.5g}") + 0.0 if isfinite(value) else None for value in values]


def layout(height: int, **more: Any) -> dict[str, Any]:
    """The common look."""
    return {
        "height": height,
        "autosize": True,
        "margin": {"l": 58, "r": 14, "t": 24, "b": 42},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": COLOURS["ink"]},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hovermode": "x unified",
        "hoverlabel": {"font": {"size": 12}},
        # the page writes its own legend, which wraps on a phone
        "showlegend": False,
        "barmode": "stack",
        **more,
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with light grid lines."""
    base: dict[str, Any] = {"gridcolor": "#E4E7EB", "zerolinecolor": "#7B8794", "automargin": True}
    if title:
        base["title"] = {"text": title, "standoff": 8, "font": {"size": 13}}
    return {**base, **more}
