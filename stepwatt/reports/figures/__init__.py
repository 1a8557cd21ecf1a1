"""The figures of a report, one subject per file; each returns a panel of plain words and figure."""

from .curves import curves_panel
from .dispatch import dispatch_panel
from .flows import flows_panel
from .gaps import gap_panel
from .jobs import jobs_panel
from .money import money_panel
from .panel import Panel, Shown
from .prices import prices_panel
from .profile import profile_panel
from .registry import FIGURES, Figure
from .seeds import seeds_panel
from .state import charge_panel, temperature_panel
from .steps import clock_panel, steps_panel
from .transfers import transfers_panel

__all__ = [
    "FIGURES",
    "Figure",
    "Panel",
    "Shown",
    "charge_panel",
    "clock_panel",
    "curves_panel",
    "dispatch_panel",
    "flows_panel",
    "gap_panel",
    "jobs_panel",
    "money_panel",
    "prices_panel",
    "profile_panel",
    "seeds_panel",
    "steps_panel",
    "temperature_panel",
    "transfers_panel",
]
