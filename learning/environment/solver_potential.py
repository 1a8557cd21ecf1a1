"""The solver's potential: what the optimisation model says a state is still worth.

Φ(t, s) is the utility that the certified schedule still collects from slot t on, corrected by the dual prices
of what the state holds more (or less) than that schedule: stored energy, coolness, waiting jobs. It is an
upper bound on what is left to earn up to the tightness of the relaxation (linear duality).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.state import PlantState
from stepwatt.formulation.schedule.physics import metered_import
from stepwatt.solvers.interface.result import Result

Floats = NDArray[np.float64]


class Worth(Protocol):
    """Whatever says what states of a pool's instances are still worth."""

    def value(self, e: Engine, t: int, state: PlantState) -> Array:
        """(B,) USD still to come from slot t on."""
        ...

    def take(self, index: Array, engine: Engine) -> Self:
        """Of the chosen instances, possibly repeated."""
        ...

    def on(self, engine: Engine) -> Self:
        """The same as the engine's arrays."""
        ...


@dataclass(frozen=True)
class Potential:
    """Arrays over moments (T+1,N,...): USD still to come, dual prices, the schedule's own states."""

    still: Array  # (T+1,N)
    energy_value: Array  # (T+1,N,J) USD per MWh stored
    warmth_value: Array  # (T+1,N,J) USD per °C, at most 0
    waiting_value: Array  # (T+1,N,I,K) USD per job
    energy: Array
    temperature: Array
    waiting: Array
    enough: Array  # (T+1,N,J) MWh beyond which more is worth nothing

    def value(self, e: Engine, t: int, state: PlantState) -> Array:
        """(B,) USD."""
        counted = e.minimum(state.energy, self.enough[t])
        more = self.energy_value[t] * (counted - self.energy[t])
        more = more + self.warmth_value[t] * (state.temperature - self.temperature[t])
        queued = e.sum(self.waiting_value[t] * (state.waiting - self.waiting[t]), (-1, -2))
        return self.still[t] + e.sum(more) + queued

    def without_duals(self) -> Potential:
        """The same (of numpy arrays) where no state is worth more than another."""
        none = {f.name: 0.0 * getattr(self, f.name) for f in fields(self) if f.name.endswith("_value")}
        return replace(self, **none)

    def take(self, index: Array, engine: Engine) -> Potential:
        """The chosen instances."""
        return Potential(
            **{f.name: engine.batch_inside(getattr(self, f.name)[:, index], 1) for f in fields(self)}
        )

    def on(self, engine: Engine) -> Potential:
        """The same numbers as the engine's arrays."""
        return Potential(**{f.name: engine.asarray(getattr(self, f.name)) for f in fields(self)})


def potential_of(results: Sequence[Result]) -> Potential:
    """The potentials of solved instances, as numpy arrays. ``results`` need a schedule and dual prices."""
    parts = [_potential(result) for result in results]
    return Potential(**{name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]})


def booked(instances: Sequence[Instance]) -> Potential:
    """What the end of the day charges for energy that is missing then, charged when it goes, as numpy arrays.

    A learner whose horizon is an hour sells at once what will be charged at midnight.
    """
    parts = [inst.arrays() for inst in instances]
    moments, first = parts[0].n_slots + 1, parts[0]
    shape = (moments, len(parts), len(first.sites))

    def always(values: Sequence[Floats]) -> Floats:
        return np.broadcast_to(np.stack(values), shape).copy()

    nothing, queues = np.zeros(shape), np.zeros((*shape, len(first.classes)))
    return Potential(
        still=np.zeros(shape[:2]),
        energy_value=always([a.terminal_price for a in parts]),
        warmth_value=nothing,
        waiting_value=queues,
        energy=always([a.energy_reference_mwh for a in parts]),
        temperature=nothing,
        waiting=queues,
        enough=always([a.energy_reference_mwh for a in parts]),
    )


def _potential(result: Result) -> dict[str, Any]:
    a, judged, prices = result.instance.arrays(), result.evaluation, result.prices
    if judged is None or prices is None or result.schedule is None:
        raise ValueError("a potential needs a schedule with dual prices")
    earned = slot_utilities(result.instance, a, result)
    still = np.concatenate([earned[::-1].cumsum()[::-1], [0.0]])
    batteries, rooms = np.flatnonzero(a.battery), np.flatnonzero(a.thermal)
    shape = (a.n_slots + 1, len(a.sites))
    energy_value, warmth_value = np.zeros(shape), np.zeros(shape)
    # the price of what is there after slot t is the value at the beginning of slot t + 1
    energy_value[1:, batteries] = prices.stored_energy.to_numpy()
    warmth_value[1:, rooms] = -prices.coolness.to_numpy()
    energy_value[0], warmth_value[0] = energy_value[1], warmth_value[1]
    waiting_value = np.zeros((a.n_slots + 1, len(a.sites), len(a.classes)))
    waiting_value[1:] = prices.waiting_jobs.to_numpy().reshape(a.n_slots, len(a.sites), len(a.classes))
    waiting = np.zeros_like(waiting_value)
    waiting[1:] = judged.waiting.transpose(2, 0, 1)
    return {
        "still": still,
        "energy_value": energy_value,
        "warmth_value": warmth_value,
        "waiting_value": waiting_value,
        "energy": judged.energy_mwh.T,
        "temperature": judged.temperature_c.T,
        "waiting": waiting,
        "enough": np.full(shape, np.inf),
    }


def slot_utilities(inst: Instance, a: InstanceArrays, result: Result) -> Floats:
    """(T,) USD: the utility of a schedule slot by slot; what is charged at the end falls on the last one."""
    schedule, judged = result.schedule, result.evaluation
    if schedule is None or judged is None:
        raise ValueError("slot utilities need a schedule")
    dt = a.slot_hours
    per_job = a.options.revenue @ schedule.runs
    moved = np.einsum("k,ij,ijkt->t", a.payload_gb, a.transfer_cost, schedule.transfers)
    missed = np.einsum("k,ikt->t", a.miss_penalty, judged.lost)
    flows = a.import_cost * schedule.import_mw - a.export_price * schedule.export_mw
    flows = flows + a.wear_cost[:, None] * schedule.discharge_mw
    flows = flows + a.generator_cost[:, None] * schedule.generator_mw
    flows = flows + a.no_load_cost[:, None] * judged.generator_on
    before = np.concatenate([a.state.generator_on[:, None], judged.generator_on[:, :-1]], axis=1)
    starts = a.startup_cost @ (judged.generator_on & ~before)
    metered = metered_import(a, schedule.import_mw)
    peak = np.maximum.accumulate(np.maximum(metered, a.state.peak_mw[:, None]), axis=1)
    rise = np.diff(peak, axis=1, prepend=a.state.peak_mw[:, None])
    utility: Floats = per_job - moved - missed - dt * flows.sum(axis=0) - starts - a.demand_charge @ rise
    utility[-1] += judged.utility - utility.sum()
    return utility
