"""The recent past as a policy may see it: means over blocks of the last hours, against now.

Blocks are the mirror image of those of the forecast (:data:`.observation.BLOCKS`), and like them said in
hours, so that slots of any length are seen alike. What was before the first slot is known from the instance
before, where one is given. A block is the mean of what is known of it; where that is nothing, it is as now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, InstanceArrays

Floats = NDArray[np.float64]


class Past(NamedTuple):
    """Means over blocks of the past less what is now: import cost (T,P,J) in USD/MWh, renewables (T,P,J) in
    MW, arrivals of all origins together (T,P,K) in jobs a slot."""

    cost: Floats
    renewable: Floats
    arrivals: Floats


def recent_past(a: InstanceArrays, before: InstanceArrays | None, hours: Sequence[float]) -> Past:
    """What the blocks that begin so many ``hours`` ago (P,), and end where the one before begins, were like.

    Raises:
        InputError: an instance before of other sites, classes or slots.
    """
    if before is not None and (before.sites, before.classes, before.slot_hours) != (
        a.sites,
        a.classes,
        a.slot_hours,
    ):
        expected = "sites, classes and slots of the instance"
        raise InputError(field="history", value=list(before.sites), expected=expected)
    ends = [max(1, round(lag / a.slot_hours)) for lag in hours]
    # blocks shorter than a slot are that slot
    begins = [min(begin, end - 1) for begin, end in zip([0, *ends], ends, strict=False)]
    return Past(*(_blocks(now, past, begins, ends) for now, past in _series(a, before)))


def _series(a: InstanceArrays, before: InstanceArrays | None) -> list[tuple[Floats, Floats]]:
    """(·,T) series, and (·,H) what they were before."""

    def of(b: InstanceArrays) -> tuple[Floats, Floats, Floats]:
        return b.import_cost, b.renewable_mw, b.arrivals.sum(axis=0)

    return [(now, now[:, :0] if before is None else of(before)[n]) for n, now in enumerate(of(a))]


def _blocks(now: Floats, past: Floats, begins: Sequence[int], ends: Sequence[int]) -> Floats:
    """(T,P,·) means over the slots t − end … t − begin − 1, as far as they are known, less slot t."""
    known, slots = past.shape[1], np.arange(now.shape[1])
    sums = np.cumsum(np.concatenate([np.zeros_like(now[:, :1]), past, now], axis=1), axis=1)
    found = []
    for begin, end in zip(begins, ends, strict=True):
        first, stop = (np.maximum(known + slots - lag, 0) for lag in (end, begin))
        mean = (sums[:, stop] - sums[:, first]) / np.maximum(stop - first, 1)
        found.append(np.where(stop > first, mean - now, 0.0).T)
    return np.stack(found, axis=1)
