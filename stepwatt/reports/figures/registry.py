"""The figures of a report by name, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from stepwatt.formulation.registry import Registry

from .dispatch import dispatch_panel
from .flows import flows_panel
from .gaps import gap_panel
from .jobs import jobs_panel
from .money import money_panel
from .panel import Panel
from .prices import prices_panel
from .profile import profile_panel
from .seeds import seeds_panel
from .state import charge_panel, temperature_panel
from .steps import clock_panel, steps_panel
from .transfers import transfers_panel

Needs = Literal["comparison", "several", "schedule"]
Size = Literal["wide", "half", "third"]


@dataclass(frozen=True)
class Figure:
    """A figure's heading, what it ``needs``, and how it is drawn.

    ``comparison``: ``draw`` gets the :class:`~stepwatt.scores.scores.Scores` of a comparison; ``several``:
    only those of several instances or runs of a policy; ``schedule``: a :class:`.panel.Shown` of each
    schedule in detail.
    """

    title: str
    needs: Needs
    draw: Callable[[Any], Panel]
    size: Size = "wide"


FIGURES: Registry[Figure] = Registry(
    "figure",
    {
        "gaps": Figure("Distance from the bound", "comparison", gap_panel),
        "seeds": Figure("Every seed", "several", seeds_panel, "half"),
        "profile": Figure("How often within a gap", "several", profile_panel, "half"),
        "money": Figure("Where the money comes from and goes", "comparison", money_panel),
        "dispatch": Figure("Power at each site", "schedule", dispatch_panel),
        "prices": Figure("Prices and the value of stored energy", "schedule", prices_panel),
        "charge": Figure("State of charge", "schedule", charge_panel, "half"),
        "temperature": Figure("Room temperature", "schedule", temperature_panel, "half"),
        "flows": Figure("Which jobs travel", "schedule", flows_panel, "half"),
        "transfers": Figure("Transfers between sites", "schedule", transfers_panel, "half"),
        "steps": Figure("Denoising steps", "schedule", steps_panel, "half"),
        "clocks": Figure("GPU clocks", "schedule", clock_panel, "half"),
        "jobs": Figure("Jobs waiting and missed", "schedule", jobs_panel),
    },
)
