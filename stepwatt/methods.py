"""What each method is and what it may see, in plain words, for tables and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepwatt.solvers.methods import Kind, Method, Note

#: How tables name the kinds.
KIND_LABELS: dict[Kind, str] = {
    "optimum": "optimum",
    "bound": "bound",
    "planner": "planner",
    "ablation": "restricted foresight",
    "yours": "given schedule",
}

#: A planner that is no method of ``solve``: it needs the learning toolkit.
FORESIGHT = "foresight"

_RENEWED = "renewed every few hours; exact within each slot"
_FORESEEN: dict[str, tuple[Kind, str]] = {
    "day-ahead": ("planner", f"prices from a plan of the day-ahead forecast, {_RENEWED}"),
    "persistence": ("planner", f"prices from a plan of yesterday's profile, {_RENEWED}"),
    "perfect": ("ablation", f"prices from a plan of the day as it will be, {_RENEWED}"),
}


def method_note(method: str) -> Note:
    """The note on a method as :func:`compare` names it (``rolling:day-ahead`` for a named forecast)."""
    from stepwatt.solvers.methods import Note

    name, _, forecast = method.partition(":")
    if name == FORESIGHT:
        return Note(*_FORESEEN[forecast or "day-ahead"])
    known = _known(name)
    return Note("yours", "a schedule or policy of your own") if known is None else known.note(forecast)


def proves_bound(method: str) -> bool:
    """Whether the method's bound holds for the instance itself; others may prove one for a restricted one."""
    known = _known(method.partition(":")[0])
    return known is not None and known.proves_bound


def _known(name: str) -> Method | None:
    """The method of ``solve`` of that name; users' own schedules and policies have none."""
    from stepwatt.solvers import METHODS

    return None if name in ("", "schedule", "callable", FORESIGHT) else METHODS.get(name)
