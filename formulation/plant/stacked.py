"""Instances of one shape stacked side by side: what the batched environment computes with.

Axes: N instances, I origins and J sites (the same), K classes, T slots, C option choices, F clocks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine import Array, Engine, Tables
from .site_numbers import FIXED, SLOT_SERIES, Parts, Site

Floats = NDArray[np.float64]

#: Shares of a deadline for which waiting jobs are told apart by urgency.
URGENCY = (0.0, 1 / 3, 2 / 3)

#: Stands for "no limit" where arithmetic must stay finite.
UNLIMITED = 1e15


@dataclass(frozen=True)
class Shape:
    """What instances must share to stand in one batch, and the hours that turn power into energy."""

    sites: int
    classes: int
    n_slots: int
    slot_hours: float
    choices: int
    clocks: int
    has_generator: bool
    has_demand_charge: bool

    def family(self) -> dict[str, Any]:
        """What a policy is tied to: everything but the length of the horizon."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        del named["n_slots"]
        return named


@dataclass(frozen=True)
class Problem:
    """The numbers of N instances; units as in ``InstanceArrays``, power MW, energy MWh, money USD.

    Series lead with (T,N) so that a slot is one view. Options are tables (N,J,K,F·C) over clock and choice (a
    pair of model and steps, by rising GPU time): ``seconds``, ``energy``, ``power``, ``revenue``, ``row`` (in
    ``InstanceArrays.options``, −1 where there is none); their first axis is 1 where all instances have the
    same.
    """

    shape: Shape
    parts: Parts
    # series, (T,N,...)
    arrivals: Array  # (T,N,I,K)
    recent: Array  # (T,N,I,K,U) jobs that may still wait after the slot, by urgency
    import_cost: Array  # (T,N,J) carbon included
    export_price: Array
    renewable: Array
    from_outside: Array  # with what the grid can deliver
    pue: Array
    cop: Array
    outside: Array
    ceiling: Array  # (T,N,J) warmest allowed after the slot
    either_way: Array  # (T,N,J) 1 where a site may only import or export
    meter_share: Array  # (T,N,J) what a MW of import adds to the mean of its metering interval
    meter_goes_on: Array  # (T,N,J) 1 where the slot lies in the interval of the slot before
    # classes and network
    miss_penalty: Array  # (N,1,K)
    payload: Array  # (N,1,K,1)
    moving_cost: Array  # (N,I,K,J) USD per job
    link: Array  # (N,I,J) GB per slot
    open: Array  # (N,I,K,J) 1 where jobs of the origin and class may go
    closed: Array  # (N,I,K,J) what makes a closed way's logit hopeless
    home: Array  # (N,I,K,J) shares: the origin itself, or all open sites alike where it cannot
    # options
    seconds: Array
    energy: Array
    power: Array  # MW of IT power for a job a slot, with the GPUs that are on for it
    revenue: Array
    row: Array
    more_seconds: Array  # what the next longer option of the clock takes and brings more; 0 for the longest
    more_energy: Array
    more_power: Array
    more_revenue: Array
    shortest: Array  # (N,J,K,F) GPU-seconds of the shortest option, and of the longest beyond that
    span: Array
    last_choice: Array  # (N,J,K,F) number of choices less one, as a real number
    # sites, (N,J)
    gpus: Array
    idle_mw: Array
    per_gpu: Array  # GPU-seconds a slot
    fleet_seconds: Array  # of all GPUs
    import_limit: Array
    export_limit: Array
    demand_charge: Array
    thermal: Array  # 1 or 0
    cooling_max: Array
    heat_rate: Array  # °C per MW over one slot
    mw_per_degree: Array  # its inverse; 1 without a room
    leak: Array
    min_c: Array
    max_c: Array
    energy_min: Array
    energy_max: Array
    battery_power: Array
    fill_mw: Array  # MW that put one MWh into the battery over a slot, and MW that one MWh gives
    drain_mw: Array
    filled: Array  # MWh that a MW of charging puts in, and that a MW of discharging takes out
    drained: Array
    charge_efficiency: Array
    discharge_efficiency: Array
    wear_cost: Array
    generator_max: Array
    generator_min: Array
    generator_cost: Array
    no_load_cost: Array
    startup_cost: Array
    idle_cost: Array  # of a pause of one slot: running idle, or a start where it cannot
    terminal_price: Array
    terminal_heat_price: Array
    energy_reference: Array
    temperature_reference: Array
    # how the instance begins
    first_energy: Array
    first_temperature: Array
    first_waiting: Array  # (N,I,K)
    first_restart: Array
    first_peak: Array
    first_metered: Array
    # scales for observations and rewards
    headroom: Array  # (N,J) MW that stay free of IT power, against rounding
    site_power: Array  # (N,J) largest IT power; without GPUs, the mean of the other sites
    per_power: Array  # (N,J) its inverse
    per_energy: Array  # (N,J) inverse of what the battery can hold
    per_warmth: Array  # (N,J) inverse of the room's span; 0 without a room
    per_job: Array  # (N,1,K) inverse of job_scale
    job_scale: Array  # (N,1,K) jobs a slot: an equal share of what the fleet can run
    money_scale: Array  # (N,) USD a slot: revenue of that many jobs; 1 where nothing can be earned

    def __len__(self) -> int:
        return int(self.gpus.shape[0])

    @cached_property
    def plain_sites(self) -> list[list[Site]]:
        """The sites of each slot as plain numbers (numpy only)."""
        return plain_sites(self)

    @cached_property
    def of_clock(self) -> Tables:
        """``shortest``, ``span`` and ``last_choice`` by clock."""
        return Tables((self.shortest, self.span, self.last_choice))

    @cached_property
    def of_option(self) -> Tables:
        """``seconds``, ``power`` and ``revenue`` by option, and what the next longer one has more of each."""
        names = ("seconds", "power", "revenue")
        return Tables([getattr(self, more + name) for more in ("", "more_") for name in names])

    @cached_property
    def of_run(self) -> Tables:
        """``seconds``, ``energy`` and ``revenue`` likewise."""
        names = ("seconds", "energy", "revenue")
        return Tables([getattr(self, more + name) for more in ("", "more_") for name in names])

    def part(self, some: slice | Array) -> Problem:
        """The instances of that slice, without a copy, or index (N',), on the same engine."""
        chosen: dict[str, Any] = {name: getattr(self, name)[:, some] for name in SERIES}
        for name in (field.name for field in fields(self) if field.name not in ("shape", "parts", *SERIES)):
            values = getattr(self, name)
            chosen[name] = values if name in TABLES and len(values) == 1 else values[some]
        return replace(self, **chosen)

    def take(self, index: Array, engine: Engine) -> Problem:
        """The instances of that index (N',), possibly repeated."""
        chosen: dict[str, Any] = {"shape": self.shape, "parts": self.parts}
        for name in SERIES:
            chosen[name] = engine.batch_inside(getattr(self, name)[:, index], 1)
        for field in fields(self):
            if field.name in TABLES and len(getattr(self, field.name)) == 1:
                chosen[field.name] = getattr(self, field.name)
            elif field.name not in chosen:
                chosen[field.name] = engine.batch_inside(getattr(self, field.name)[index], 0)
        return Problem(**chosen)


SERIES = ("arrivals", "recent", *SLOT_SERIES)

_OF_OPTIONS = ("seconds", "energy", "power", "revenue")
TABLES = (*_OF_OPTIONS, *(f"more_{name}" for name in _OF_OPTIONS), "row", "shortest", "span", "last_choice")


def site_arrays(problem: Problem, t: int) -> Site:
    """All sites of all instances in slot t, (B,J) each."""
    fixed = [getattr(problem, name) for name in FIXED]
    return Site(*fixed, *[getattr(problem, name)[t] for name in SLOT_SERIES])


def plain_sites(problem: Problem) -> list[list[Site]]:
    """[t][b·J + j] the same as plain numbers; for numpy arrays."""
    fixed = np.stack([np.asarray(getattr(problem, name)).ravel() for name in FIXED], axis=-1).tolist()
    series = np.stack(
        [getattr(problem, name).reshape(problem.shape.n_slots, -1) for name in SLOT_SERIES], axis=-1
    )
    return [[Site(*own, *now) for own, now in zip(fixed, slot, strict=True)] for slot in series.tolist()]
