"""The figures; without matplotlib there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from .fit import PowerLaw

COLOURS = {"raw": "#7f7f7f", "ours": "#0b6e4f", "linopy": "#c46a00", "pyomo": "#a4262c"}
PANELS: tuple[tuple[str, Callable[[dict[str, Any]], float]], ...] = (
    ("build and hand-over, s", lambda r: r["values"]["build"] + r["values"]["hand_over"]),
    ("solve, s", lambda r: r["values"]["solve"]),
    ("total, s", lambda r: r["values"]["total"]),
    ("memory above imports, MB", lambda r: max(1.0, r["peak_mb"] - r["imported_mb"])),
    ("gap reached", lambda r: max(1e-7, r["values"]["gap"] or 0.0)),
)


def compare(done: list[dict[str, Any]], law: PowerLaw | None, path: Path) -> bool:
    """Time, memory and gap over the number of slots, three sites; whether it was drawn."""
    done = [r for r in done if r["case"]["sites"] == 3 and r["values"]["gap"] is not None]
    pyplot = _pyplot()
    if pyplot is None or not done:
        return False
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(3.2 * len(PANELS), 3.2), constrained_layout=True)
    for axis, (title, value) in zip(axes, PANELS, strict=True):
        for route, colour in COLOURS.items():
            here = [r for r in done if r["options"]["route"] == route]
            if route == "raw" and title.startswith("gap"):
                continue
            slots = sorted({r["case"]["n_slots"] for r in here})
            middles = [median(value(r) for r in here if r["case"]["n_slots"] == n) for n in slots]
            axis.loglog(slots, middles, "o-", color=colour, label=route, markersize=4)
        if law and title.startswith("total"):
            slots = sorted({r["case"]["n_slots"] for r in done})
            fitted = [law.factor * n**law.exponent for n in slots]
            axis.loglog(slots, fitted, ":", color=COLOURS["ours"], label=f"slots^{law.exponent:.2f}")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("slots")
        axis.grid(alpha=0.3)
    axes[2].legend(fontsize=8)
    return _save(figure, path)


def histogram(gaps: list[float], path: Path) -> bool:
    """How often which gap; whether it was drawn."""
    pyplot = _pyplot()
    if pyplot is None:
        return False
    import numpy as np

    figure, axis = pyplot.subplots(figsize=(5, 3), constrained_layout=True)
    edges = np.logspace(-7, 0, 29)
    axis.hist(np.clip(gaps, edges[0], edges[-1]), bins=edges, color=COLOURS["ours"])
    axis.set_xscale("log")
    for target in (1e-4, 1e-3):
        axis.axvline(target, color=COLOURS["pyomo"], linestyle=":")
    axis.set_xlabel("certified gap (at or below 1e-7 on the left)")
    axis.set_ylabel("instances")
    return _save(figure, path)


def growth(grown: list[dict[str, Any]], time_law: PowerLaw, memory_law: PowerLaw, path: Path) -> bool:
    """Time and memory over the length of the horizon; whether it was drawn."""
    pyplot = _pyplot()
    if pyplot is None:
        return False
    grown = sorted(grown, key=lambda r: r["case"]["n_slots"])
    slots = [r["case"]["n_slots"] for r in grown]
    panels = (
        ("total, s", [r["values"]["total"] for r in grown], time_law),
        ("memory above imports, MB", [max(1.0, r["peak_mb"] - r["imported_mb"]) for r in grown], memory_law),
    )
    figure, axes = pyplot.subplots(1, 2, figsize=(7, 3.2), constrained_layout=True)
    for axis, (title, values, law) in zip(axes, panels, strict=True):
        axis.loglog(slots, values, "o-", color=COLOURS["ours"])
        axis.loglog(
            slots, [law.factor * n**law.exponent for n in slots], ":", label=f"slots^{law.exponent:.2f}"
        )
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("slots")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    return _save(figure, path)


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "stepwatt"
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    return True
