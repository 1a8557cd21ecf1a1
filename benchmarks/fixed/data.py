"""The data: what scenarios make, and the catalogue behind them."""

from __future__ import annotations

from typing import Any

import stepwatt as sw

from .digests import whole
from .instances import JEMAS, days, instance
from .running import Items


def _local_day() -> Any:
    """A day of 23 hours, of other zones."""
    made = sw.scenario("jemas", start="2018-03-25", zones=("NL", "AT"), n_slots="local-day", seed=3, gpus=96)
    return whole(made.to_dict())


ITEMS: Items = {
    **{name: lambda name=name: whole(instance(name).to_dict()) for name in JEMAS},  # type: ignore[misc]
    "volatile days": lambda: whole([inst.to_dict() for inst in days(volatility=2.0)]),
    "local day": _local_day,
    "catalogue": lambda: whole(sw.data.catalogue_table()),
    "series": lambda: whole(sw.data.load_europe_2018().describe()),
}
