"""The scenario "volatile": spot markets and a big battery, where planning ahead is worth something."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from stepwatt.formulation import InputError, Instance

from ..series import covered
from .jemas import jemas, series_of

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
    given none (``persistence``). So energy that is missing at the end is charged at the highest price of the
    day before (where the series has none, at that of slot 0): a horizon's own highest price, which stands for
    a terminal price elsewhere, would tell rules of what is to come. Series of such markets may not be handed
    on with the package.

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
    table = series_of(series)
    further: dict[str, Any] = {"series": table, "zones": zones, "slot_minutes": slot_minutes, "seed": seed}
    further |= {**BATTERY, **parameters}
    values = jemas(start=start, n_slots=n_slots, **further).to_dict()
    values["name"] = values["name"].replace("jemas", "volatile", 1)
    yesterday = pd.Timestamp(values["start"]) - pd.Timedelta(days=1)
    known, slots = values["sites"], 1
    if all(covered(table, zone)[0] <= yesterday for zone in known):
        slots = 24 * 60 // slot_minutes
        known = jemas(start=str(yesterday), n_slots=slots, **further).to_dict()["sites"]
    for zone, site in values["sites"].items():
        site["terminal_price"] = max(0.0, *known[zone]["grid"]["import_price"][:slots])
    return Instance.from_dict(values)
