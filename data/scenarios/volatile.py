"""The scenario "volatile": spot markets and a big battery, where planning ahead is worth something."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from stepwatt.formulation import InputError, Instance

from .jemas import jemas

#: Battery power as a share of a site's cap, hours at it, USD per MWh discharged.
BATTERY = {"battery_power": 1.5, "battery_hours": 8.0, "battery_wear_cost": 5.0}


def volatile(
    *,
    series: pd.DataFrame | str | Path | None = None,
    start: str | dt.date = "2023-07-04",
    zones: Sequence[str] = ("AU-NSW", "CA-ON", "SG"),
    n_slots: int | Literal["local-day"] = 48,
    slot_minutes: int = 30,
    seed: int = 0,
    **parameters: Any,
) -> Instance:
    """As jemas, with prices of spot markets and a battery of 1.5·cap for 8 h that wears little.

    Such markets (AU-NSW, CA-ON, SG, ERCOT in real time) publish no price a day ahead: policies are to be
    given none (``persistence``). Their series may not be handed on with the package.

    Args:
        series: of spot prices: a series, a table or a CSV as in ``stepwatt.data.series``.
        start: as for jemas, as all that follow.
        zones: of the series.
        n_slots: one to three days are meant.
        slot_minutes: length of a slot.
        seed: of the arrivals.
        parameters: whatever jemas takes.

    Raises:
        InputError: no series, or what jemas refuses.
    """
    if series is None:
        expected = f"prices of spot markets with the zones {', '.join(zones)} (--series FILE)"
        raise InputError(field="series", value="(missing)", expected=expected)
    inst = jemas(
        series=series,
        start=start,
        zones=zones,
        n_slots=n_slots,
        slot_minutes=slot_minutes,
        seed=seed,
        **{**BATTERY, **parameters},
    )
    return inst.replace({"name": inst.name.replace("jemas", "volatile", 1)})
