"""Windows of a horizon: the same arrays from a later slot, begun from the state the past has left."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays, State
from .evaluate import Evaluation
from .schedule import Schedule

Floats = NDArray[np.float64]

#: Arrays of an instance that run over slots (last axis).
SERIES = (
    "arrivals",
    "import_price",
    "export_price",
    "carbon_kg_per_mwh",
    "renewable_mw",
    "pue",
    "cop",
    "outside_c",
)

#: What is known of every slot: when the meter begins anew.
CALENDAR = ("meter_share", "meter_goes_on")


def calendar_of_blocks(a: InstanceArrays, firsts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The calendar of blocks of slots from ``firsts`` on: one that holds an interval is metered alone."""
    share = np.minimum(np.add.reduceat(a.meter_share, firsts, axis=1), 1.0)
    return {"meter_share": share, "meter_goes_on": a.meter_goes_on[:, firsts] & (share < 1)}


def fresh_state(a: InstanceArrays) -> State:
    """The start of the instance, with room for the backlog that windows carry."""
    given = a.state.backlog
    backlog = np.zeros((*given.shape[:2], a.longest_wait))
    backlog[:, :, : given.shape[2]] = given
    return replace(a.state, backlog=backlog)


def window(a: InstanceArrays, start: int, length: int, state: State) -> InstanceArrays:
    """Slots start .. start+length−1; jobs may wait beyond the last one unless the horizon ends there."""
    stop = start + length
    series = {name: getattr(a, name)[..., start:stop] for name in (*SERIES, *CALENDAR)}
    return replace(a, n_slots=length, state=state, closes=a.closes and stop == a.n_slots, **series)


def next_state(a: InstanceArrays, evaluation: Evaluation) -> State:
    """What a judged window leaves to the slot after it; queues are FIFO, so the newest jobs remain."""
    waiting = np.round(evaluation.waiting[:, :, -1], 9)
    backlog = np.zeros_like(a.state.backlog)
    ages = np.concatenate([a.arrivals[:, :, ::-1], a.state.backlog], axis=2)
    rest = waiting
    for age in range(backlog.shape[2]):
        # beyond the deadline nobody waits: what seems to is what rounding has added
        backlog[:, :, age] = np.where(age < a.deadline, np.minimum(rest, ages[:, :, age]), 0.0)
        rest = rest - backlog[:, :, age]
    return State(
        energy_mwh=np.clip(evaluation.energy_mwh[:, -1], a.energy_min_mwh, a.energy_max_mwh),
        temperature_c=evaluation.temperature_c[:, -1],
        backlog=backlog,
        generator_on=evaluation.generator_on[:, -1],
        peak_mw=evaluation.peak_mw,
        metered_mw=evaluation.metered_mw[:, -1],
    )


def joined(parts: list[Schedule]) -> Schedule:
    """Schedules of successive windows as one."""
    return Schedule(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts], axis=-1)
            for field in fields(Schedule)
        }
    )


def first_slots(schedule: Schedule, count: int) -> Schedule:
    """The beginning of a schedule."""
    return Schedule(**{field.name: getattr(schedule, field.name)[..., :count] for field in fields(Schedule)})


def safe_temperature(a: InstanceArrays) -> Floats:
    """(J,T+1) °C: the warmest a room may be at each moment and still be held below max_c with no GPU on.

    Cooling is counted on only as far as grid and renewables can feed it.
    """
    warmest = np.tile(a.max_c[:, None], (1, a.n_slots + 1))
    per_mw = np.where(a.thermal, a.slot_hours / a.heat_capacity, 0.0)
    keep = 1 - per_mw * a.leak_mw_per_c
    cooling = np.minimum(a.cooling_max_mw[:, None], a.import_limit_mw[:, None] + a.renewable_mw)
    for t in range(a.n_slots - 1, 0, -1):
        drop = per_mw * (a.cop[:, t] * cooling[:, t] - a.leak_mw_per_c * a.outside_c[:, t])
        least = np.where(keep > 0, (warmest[:, t + 1] + drop) / np.where(keep > 0, keep, 1.0), np.inf)
        warmest[:, t] = np.minimum(a.max_c, np.maximum(least, a.min_c))
    return warmest


class Slots:
    """Single slots of a horizon, each left no warmer than the coming ones can bear.

    This guard against overheating is the only look into the future: it reads the weather (COP, outside
    temperature, renewables) of later slots, so that no later slot is without a feasible decision.
    """

    def __init__(self, a: InstanceArrays) -> None:
        self._a = a
        self._warmest = safe_temperature(a)

    def alone(self, t: int, state: State) -> InstanceArrays:
        """Slot t as its own instance."""
        return replace(window(self._a, t, 1, state), max_c=self._warmest[:, t + 1])
