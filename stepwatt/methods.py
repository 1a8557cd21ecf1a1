"""What each method is and what it may see, in plain words, for tables and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["optimum", "bound", "planner", "ablation", "yours"]

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
#: Methods whose bound holds for the instance itself. The others may prove one for a restricted problem only.
PROVES_BOUND = ("oracle", "pyomo", "conic", "lp", "distributed")


@dataclass(frozen=True)
class Method:
    """``kind`` says what a row may be compared with; ``what`` is one line for readers.

    ``optimum`` and ``ablation`` know the whole day beforehand; a ``planner`` knows at most a forecast.
    """

    kind: Kind
    what: str


_NOTES = {
    "oracle": Method("optimum", "knows the whole day beforehand; certified with a bound"),
    "pyomo": Method("optimum", "the same optimum, from the explicit Pyomo model"),
    "lp": Method("bound", "linear relaxation: no schedule can be worth more"),
    "conic": Method(
        "bound", "relaxation with continuous steps and divisible jobs: no schedule can be worth more"
    ),
    "greedy": Method("planner", "exact within each slot, never looks ahead"),
    "local": Method("ablation", "optimum without transfers: every job runs where it arrives"),
    "fixed-steps": Method("ablation", "optimum with 30 denoising steps for every job"),
    "no-dvfs": Method("ablation", "optimum with GPUs at one clock"),
    "no-renewables": Method("ablation", "optimum without wind and sun"),
    "no-storage": Method("ablation", "optimum without batteries"),
    "no-deferral": Method(
        "ablation", "optimum without waiting: every job runs in the slot in which it arrives"
    ),
    "all-off": Method(
        "planner",
        "what an operator without this toolkit does: local, 30 steps, one clock, no battery, at once",
    ),
    "distributed": Method(
        "optimum", "the optimum as providers reach it by trading jobs at prices, each with its own data only"
    ),
    "random": Method("planner", "random choices within the rules"),
}
_RENEWED = "renewed every few hours; exact within each slot"
_FORESEEN = {
    "day-ahead": Method("planner", f"prices from a plan of the day-ahead forecast, {_RENEWED}"),
    "persistence": Method("planner", f"prices from a plan of yesterday's profile, {_RENEWED}"),
    "perfect": Method("ablation", f"prices from a plan of the day as it will be, {_RENEWED}"),
}
_FORECASTS = {
    "persistence": Method("planner", "plans ahead on yesterday's profile, again and again"),
    "day-ahead": Method("planner", "plans ahead on day-ahead prices and forecasts with their usual errors"),
    "none": Method("planner", "plans ahead without a forecast"),
    "perfect": Method("ablation", "plans ahead on a perfect forecast, but not to the end of the day"),
}


def method_note(method: str) -> Method:
    """The note on a method as :func:`compare` names it (``rolling:day-ahead`` for a named forecast)."""
    name, _, forecast = method.partition(":")
    if name == "rolling":
        return _FORECASTS.get(
            forecast or "persistence", Method("planner", f"plans ahead on the {forecast} forecast")
        )
    if name == FORESIGHT:
        return _FORESEEN[forecast or "day-ahead"]
    return _NOTES.get(method, Method("yours", "a schedule or policy of your own"))
