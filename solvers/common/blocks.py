"""Instances and queues in fewer, longer slots."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.schedule.windows import SERIES, calendar_of_blocks

Numbers = NDArray[Any]


def coarser(a: InstanceArrays, size: int) -> InstanceArrays:
    """The instance with ``size`` slots as one: their means, and all their jobs."""
    if size == 1:
        return a

    def means(name: str) -> NDArray[np.float64]:
        values: NDArray[np.float64] = getattr(a, name)
        blocks: NDArray[np.float64] = values.reshape(*values.shape[:-1], -1, size).mean(-1)
        return blocks

    series: dict[str, Any] = {name: means(name) for name in SERIES}
    series |= calendar_of_blocks(a, np.arange(0, a.n_slots, size))
    series["arrivals"] = series["arrivals"] * size
    waiting = in_blocks(a.state.backlog, size)
    return replace(
        a,
        n_slots=a.n_slots // size,
        slot_hours=a.slot_hours * size,
        deadline=np.round(a.deadline / size).astype(np.int64),
        state=replace(a.state, backlog=waiting),
        **series,
    )


def in_blocks(backlog: Numbers, size: int) -> Numbers:
    """(...,D) jobs by age, newest first, as (...,⌈D/size⌉) jobs by age in blocks of ``size`` slots."""
    whole = np.pad(backlog, [*[(0, 0)] * (backlog.ndim - 1), (0, -backlog.shape[-1] % size)])
    found: Numbers = whole.reshape(*whole.shape[:-1], -1, size).sum(-1)
    return found
