"""``sw.complete``: a schedule from elsewhere becomes one that can be judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.instance.given import the_instance
from stepwatt.formulation.plant.completing import Completion
from stepwatt.formulation.plant.completing import complete as completed

if TYPE_CHECKING:
    import pandas as pd


def complete(inst: Instance, decisions: Schedule | str | Path | pd.DataFrame) -> Completion:
    """Complete decisions by the plant: cooling within limits, grid, sun and wind; battery and generator rest.

    Args:
        inst: the instance.
        decisions: a CSV file or a table with columns ``slot`` or ``time``, ``site``, ``class``, ``jobs`` and,
            where there is a choice, ``model`` and ``steps``; ``origin`` and ``clock`` if you like. Or a
            schedule, whose flows are asked of the plant.

    Returns:
        ``schedule``, ``evaluation``, and ``cut``: a line for whatever could not be carried out.

    Raises:
        InputError: what cannot be read, with file, row, value and what was expected.
    """
    the_instance(inst)
    if isinstance(decisions, Schedule):
        return completed(inst, decisions)
    from stepwatt.data.schedule_csv import read_decisions

    return completed(inst, read_decisions(inst, decisions))
