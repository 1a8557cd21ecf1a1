"""What follows from a schedule's jobs and flows: queues, stored energy, temperatures, commitment."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from .schedule import Schedule

Floats = NDArray[np.float64]


Bools = NDArray[np.bool_]


#: A generator giving less than this (MW) counts as off.
GENERATOR_OFF_MW = 1e-9


def it_power(a: InstanceArrays, schedule: Schedule) -> Floats:
    """(J,T) MW: job energy above idle plus the idle draw of powered-on GPUs."""
    energy = per_site(a, a.options.energy_mwh[:, None] * schedule.runs)
    return energy / a.slot_hours + a.gpu_idle_mw[:, None] * schedule.gpus_on


def per_site(a: InstanceArrays, per_option: Floats) -> Floats:
    """(O,T) summed to (J,T)."""
    total = np.zeros((len(a.sites), a.n_slots))
    np.add.at(total, a.options.site, per_option)
    return total


def queue(a: InstanceArrays, schedule: Schedule) -> tuple[Floats, Floats, Floats]:
    """FIFO queues per origin and class: waiting after each slot, lost in it, and jobs run that nobody sent.

    All (I,K,T). Jobs are lost when their deadline passes, and at the end of the horizon.
    """
    run = schedule.transfers.sum(axis=1).cumsum(axis=2)
    due, arrived = _due_and_arrived(a)
    lost = np.maximum.accumulate(np.maximum(due - run, 0.0), axis=2)
    gone = run + lost
    excess = np.maximum(gone - arrived, 0.0)
    waiting = np.maximum(arrived - gone, 0.0)
    return waiting, np.diff(lost, axis=2, prepend=0.0), excess


def _due_and_arrived(a: InstanceArrays) -> tuple[Floats, Floats]:
    """Cumulative jobs (I,K,T) that must be gone after each slot, and that have come by then."""
    arrived = a.state.backlog.sum(axis=2)[:, :, None] + a.arrivals.cumsum(axis=2)
    return arrived - a.waiting_limit(), arrived


def energy_content(a: InstanceArrays, schedule: Schedule) -> Floats:
    """(J,T+1) MWh in the battery: e[t+1] = e[t] + Δ(η_c·c − d/η_d)."""
    gain = a.slot_hours * (
        a.charge_efficiency[:, None] * schedule.charge_mw
        - schedule.discharge_mw / a.discharge_efficiency[:, None]
    )
    start = a.state.energy_mwh[:, None]
    return np.concatenate([start, start + gain.cumsum(axis=1)], axis=1)


def room_temperature(a: InstanceArrays, it_mw: Floats, cooling_mw: Floats) -> Floats:
    """(J,T+1) °C; warm air is recirculated rather than let the room fall below its minimum."""
    theta = np.empty((len(a.sites), a.n_slots + 1))
    theta[:, 0] = a.state.temperature_c
    per_mw = np.where(a.thermal, a.slot_hours / a.heat_capacity, 0.0)
    heat = it_mw - a.cop * cooling_mw + a.leak_mw_per_c[:, None] * a.outside_c
    for t in range(a.n_slots):
        free = theta[:, t] + per_mw * (heat[:, t] - a.leak_mw_per_c * theta[:, t])
        theta[:, t + 1] = np.maximum(a.min_c, free)
    return np.where(a.thermal[:, None], theta, 0.0)


def metered_import(a: InstanceArrays, import_mw: Floats) -> Floats:
    """(J,T) MW: the mean import of each slot's metering interval, coming slots of it counted as none."""
    metered = a.meter_share * import_mw
    before = a.state.metered_mw
    if a.meters.any():
        for t in range(a.n_slots):
            metered[:, t] += np.where(a.meter_goes_on[:, t], before, 0.0)
            before = metered[:, t]
    return metered


def commitment(a: InstanceArrays, generator_mw: Floats) -> tuple[Bools, Bools]:
    """When the generator was on and when it started, both (J,T): the cheapest commitment that gives the flow.

    A pause may be run through at no load where ``min_mw`` allows it and that is cheaper than a new start.
    """
    on = generator_mw > GENERATOR_OFF_MW
    if not on.any():
        return on, on
    for j in np.flatnonzero((a.generator_min_mw == 0) & on.any(axis=1)):
        runs = np.flatnonzero(on[j])
        if a.state.generator_on[j]:
            runs = np.concatenate([[-1], runs])
        for before, after in itertools.pairwise(runs):
            if (after - before - 1) * a.slot_hours * a.no_load_cost[j] <= a.startup_cost[j]:
                on[j, before + 1 : after] = True
    was_on = np.concatenate([a.state.generator_on[:, None], on[:, :-1]], axis=1)
    return on, on & ~was_on
