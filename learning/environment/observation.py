"""What a policy may see: an explicit, named information set, the same as for rolling planners.

The vector, everything scaled by constants of the instance (prices by 100 USD/MWh):

* per site now: import cost, export price, renewables, state of charge, warmth of the room, outside warmth,
  generator on, highest import so far, and the site's fixed sizes (battery, generator, demand charge);
* per origin and class: arrivals, and what waits, by urgency;
* the moment: hour of the day, day of the week, how much of the horizon is left;
* with a forecast: per site the import cost and the renewables of blocks of the coming day against now, the
  lowest and highest cost ahead, and per class the arrivals ahead;
* where the task wants it, the recent past: as much of blocks of the last hours (:mod:`.recent_past`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance, InstanceArrays
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import numbers_of, shape_of
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.planners.forecasts import FORECASTS, make_forecast

from .recent_past import recent_past

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]

#: Information sets: no forecast, or one of the forecasts that rolling planners use.
INFORMATION = ("none", *FORECASTS)

#: Hours ahead at which forecast blocks end.
BLOCKS = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0)

PRICE_SCALE = 100.0


def outlook(
    instances: Sequence[Instance],
    information: str,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
    past_hours: Sequence[float] = (),
    slot: int | None = None,
) -> Floats:
    """(T,N,E) what the policy sees that its actions cannot change: now, the moment, the forecast, the past.

    ``histories`` are the days before, for ``persistence`` and the past, whose blocks begin ``past_hours``
    ago; ``seed`` + number of the instance draws the errors of ``day-ahead``. Where a ``slot`` is given, it
    alone is asked for: the others are 0.

    Raises:
        InputError: an unknown information set.
    """
    if information not in INFORMATION:
        raise InputError(field="information", value=information, expected=f"one of {', '.join(INFORMATION)}")
    past = [None] * len(instances) if histories is None else list(histories)
    columns = []
    for number, (inst, before) in enumerate(zip(instances, past, strict=True)):
        a = inst.arrays()
        asked = asked_for(a.n_slots, slot)
        parts = [_now(a)[asked], moment(inst)[asked]]
        history = None if before is None else before.arrays()
        if information != "none":
            parts.append(_ahead(a, information, history, seed + number, asked))
        if past_hours:
            parts.append(_behind(a, history, past_hours)[asked])
        columns.append(in_place(np.concatenate(parts, axis=1), asked, a.n_slots))
    return np.stack(columns, axis=1)


def observe(e: Engine, problem: Problem, t: int, state: PlantState, seen: Array) -> Array:
    """(B,O) the observation in slot t; ``seen`` (B,E) is the slot's outlook. At t = T all slots are over."""
    after = min(t, problem.shape.n_slots - 1)
    known = state.waiting if t == problem.shape.n_slots else state.waiting + problem.arrivals[after]
    urgent = e.positive(known[..., None] - problem.recent[after]) * problem.per_job[..., None]
    charged = (state.energy - problem.energy_min) * problem.per_energy
    batch = len(problem)
    parts = [
        seen,
        charged,
        (state.temperature - problem.min_c) * problem.per_warmth,
        state.peak * problem.per_power,
        (state.waiting * problem.per_job).reshape(batch, -1),
        urgent.reshape(batch, -1),
    ]
    if problem.shape.has_generator:
        parts.append(e.real(state.restart <= 0, charged))
    return e.concat(parts)


def observation_size(problem: Problem, outlook_size: int) -> int:
    """O."""
    j, k = problem.shape.sites, problem.shape.classes
    urgencies = int(problem.recent.shape[-1])
    return outlook_size + 3 * j + j * k * (1 + urgencies) + j * problem.shape.has_generator


def asked_for(slots: int, slot: int | None) -> Slots:
    """The slots that an outlook is asked for: one, or all."""
    return np.arange(slots) if slot is None else np.array([slot])


def in_place(rows: Floats, asked: Slots, slots: int) -> Floats:
    """(T,·) the rows of the slots that were asked for, 0 in the others."""
    found = np.zeros((slots, rows.shape[1]))
    found[asked] = rows
    return found


def _now(a: InstanceArrays) -> Floats:
    """(T,·) prices, renewables, weather, arrivals, and the fixed sizes of the sites."""
    size = numbers_of(a, shape_of(a))
    power = size["site_power"][:, None]
    arrivals = (a.arrivals / size["job_scale"][0][None, :, None]).reshape(-1, a.n_slots)
    fixed = np.concatenate(
        [
            a.energy_max_mwh / size["site_power"] / 4,
            a.battery_power_mw / size["site_power"],
            a.generator_max_mw / size["site_power"],
            a.demand_charge / 1e3,
        ]
    )
    series = [
        a.import_cost / PRICE_SCALE,
        a.export_price / PRICE_SCALE,
        a.renewable_mw / power,
        np.where(a.thermal[:, None], a.outside_c / 30, 0.0),
        arrivals,
        np.tile(fixed[:, None], (1, a.n_slots)),
    ]
    return np.concatenate(series, axis=0).T


def moment(inst: Instance) -> Floats:
    """(T,5) hour of the day and day of the week on their circles, share of the horizon that is left."""
    times = [inst.start_time + timedelta(hours=t * inst.slot_hours) for t in range(inst.n_slots)]
    hour = np.array([2 * np.pi * (m.hour + m.minute / 60) / 24 for m in times])
    day = np.array([2 * np.pi * m.weekday() / 7 for m in times])
    left = 1 - np.arange(inst.n_slots) / inst.n_slots
    return np.stack([np.sin(hour), np.cos(hour), np.sin(day), np.cos(day), left], axis=1)


def _ahead(
    a: InstanceArrays, information: str, history: InstanceArrays | None, seed: int, asked: Slots
) -> Floats:
    """(·,·) forecast blocks against now; what lies beyond the horizon is as now."""
    size = numbers_of(a, shape_of(a))
    believe = make_forecast(information, a, history, seed)
    ends = [max(1, round(hours / a.slot_hours)) for hours in BLOCKS]
    rows = []
    for t in asked.tolist():
        stop = min(a.n_slots, t + 1 + ends[-1])
        belief = believe(t, t + 1, stop) if stop > t + 1 else None
        rows.append(_blocks(a, size, t, belief, ends))
    return np.array(rows)


def _behind(a: InstanceArrays, history: InstanceArrays | None, hours: Sequence[float]) -> Floats:
    """(T,·) blocks of the past against now."""
    size, past = numbers_of(a, shape_of(a)), recent_past(a, history, hours)
    blocks = [
        past.cost / PRICE_SCALE,
        past.renewable / size["site_power"],
        past.arrivals / (size["job_scale"][0] * len(a.sites)),
    ]
    return np.concatenate(blocks, axis=-1).reshape(a.n_slots, -1)


def _blocks(
    a: InstanceArrays, size: dict[str, Floats], t: int, belief: dict[str, Floats] | None, ends: list[int]
) -> Floats:
    cost_now = a.import_cost[:, t]
    sun_now = a.renewable_mw[:, t]
    jobs_now = a.arrivals[:, :, t].sum(axis=0)
    if belief is None:
        return np.zeros(len(a.sites) * (2 * len(ends) + 2) + len(a.classes) * len(ends))
    cost = belief["import_price"] + a.carbon_price / 1000 * belief["carbon_kg_per_mwh"]
    blocks: list[Floats] = []
    start = 0
    for end in ends:
        inside = slice(start, min(end, cost.shape[1]))
        if inside.start >= cost.shape[1]:
            blocks.append(np.zeros(2 * len(a.sites) + len(a.classes)))
        else:
            price = (cost[:, inside].mean(axis=1) - cost_now) / PRICE_SCALE
            sun = (belief["renewable_mw"][:, inside].mean(axis=1) - sun_now) / size["site_power"]
            jobs = (belief["arrivals"][:, :, inside].sum(axis=0).mean(axis=1) - jobs_now) / (
                size["job_scale"][0] * len(a.sites)
            )
            blocks.append(np.concatenate([price, sun, jobs]))
        start = end
    low = (cost.min(axis=1) - cost_now) / PRICE_SCALE
    high = (cost.max(axis=1) - cost_now) / PRICE_SCALE
    return np.concatenate([*blocks, low, high])
