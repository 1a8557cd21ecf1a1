"""The instance as numpy arrays: what models, evaluator and learners compute with.

Axes: I origins and J sites (the same list), K classes, T slots. Units as in model.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .options import Options

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class State:
    """What the past leaves to slot 0: to an instance, and to a window of its horizon.

    ``energy_mwh`` (J,), ``temperature_c`` (J,), ``backlog`` (I,K,D) jobs that arrived a = 1..D slots ago and
    still wait, ``generator_on`` (J,), ``peak_mw`` (J,) highest metered import so far, already charged,
    ``metered_mw`` (J,) what earlier slots have added to the mean of the metering interval of the slot before.
    """

    energy_mwh: Floats
    temperature_c: Floats
    backlog: Floats
    generator_on: Bools
    peak_mw: Floats
    metered_mw: Floats


@dataclass(frozen=True)
class InstanceArrays:
    """All numbers of an instance; sites without battery, generator or thermal room hold zeros there."""

    sites: tuple[str, ...]
    classes: tuple[str, ...]
    models: tuple[str, ...]
    clocks: tuple[tuple[str, ...], ...]
    clock_speeds: tuple[tuple[float, ...], ...]  # relative to the base clock
    n_slots: int
    slot_hours: float
    integral_jobs: bool
    options: Options
    arrivals: Floats  # (I,K,T) jobs
    deadline: Ints  # (K,) slots
    miss_penalty: Floats  # (K,) USD per job
    payload_gb: Floats  # (K,)
    transfer_cost: Floats  # (I,J) USD/GB
    link_gb_per_hour: Floats  # (I,J), inf where unlimited
    transfer_allowed: Bools  # (I,J), all true in an instance file; ablations close pairs
    gpus: Ints  # (J,)
    gpu_idle_mw: Floats  # (J,) per powered-on GPU
    max_utilisation: Floats  # (J,)
    import_price: Floats  # (J,T) USD/MWh
    export_price: Floats  # (J,T)
    feeds_in: Bools  # (J,) whether export pays more than import costs in any slot of the horizon
    import_limit_mw: Floats  # (J,)
    export_limit_mw: Floats  # (J,)
    carbon_kg_per_mwh: Floats  # (J,T)
    carbon_price: float  # USD per tonne
    demand_charge: Floats  # (J,) USD/MW
    meters: Bools  # (J,) whether the meter averages over several slots
    meter_share: Floats  # (J,T) 1 / slots of the metering interval
    meter_goes_on: Bools  # (J,T) whether the slot lies in the interval of the slot before
    renewable_mw: Floats  # (J,T)
    pue: Floats  # (J,T), 1 at thermal sites
    thermal: Bools  # (J,)
    cop: Floats  # (J,T), 1 at pue sites
    cooling_max_mw: Floats  # (J,)
    heat_capacity: Floats  # (J,) MWh/°C, 1 at pue sites
    leak_mw_per_c: Floats  # (J,)
    outside_c: Floats  # (J,T)
    min_c: Floats  # (J,)
    max_c: Floats  # (J,)
    battery: Bools  # (J,)
    energy_min_mwh: Floats  # (J,)
    energy_max_mwh: Floats  # (J,)
    battery_power_mw: Floats  # (J,)
    charge_efficiency: Floats  # (J,), 1 without battery
    discharge_efficiency: Floats  # (J,), 1 without battery
    wear_cost: Floats  # (J,) USD per MWh discharged
    generator: Bools  # (J,)
    generator_max_mw: Floats  # (J,)
    generator_min_mw: Floats  # (J,)
    fuel_cost: Floats  # (J,) USD/MWh
    no_load_cost: Floats  # (J,) USD/h
    startup_cost: Floats  # (J,) USD
    generator_carbon: Floats  # (J,) kg/MWh
    terminal_price: Floats  # (J,) USD/MWh
    terminal_price_given: Bools  # (J,) whether the file says it; else it is the highest import price
    energy_reference_mwh: Floats  # (J,) content below which terminal_price is charged
    temperature_reference_c: Floats  # (J,) temperature above which it is charged
    state: State
    closes: bool = True  # jobs left after the last slot are lost; a window in mid-horizon lets them wait

    @property
    def either_way(self) -> Bools:
        """(J,T) whether the site may only import or export: where export pays more than import costs."""
        return self.export_price > self.import_price

    @property
    def import_cost(self) -> Floats:
        """(J,T) USD per imported MWh, carbon included."""
        return self.import_price + self.carbon_price / 1000 * self.carbon_kg_per_mwh

    @property
    def generator_cost(self) -> Floats:
        """(J,) USD per generated MWh, fuel and carbon."""
        return self.fuel_cost + self.carbon_price / 1000 * self.generator_carbon

    @property
    def terminal_heat_price(self) -> Floats:
        """(J,) USD per °C left above the reference: cooling it away at the last slot's COP."""
        return np.where(self.thermal, self.heat_capacity / self.cop[:, -1], 0.0) * self.terminal_price

    @property
    def seconds_per_gpu(self) -> Floats:
        """(J,) GPU-seconds that a powered-on GPU can give in a slot."""
        return 3600 * self.slot_hours * self.max_utilisation

    @property
    def most_it_mw(self) -> Floats:
        """(J,) IT power with every GPU on its hottest option; jobs that take no GPU time all at once."""
        o = self.options
        per_second = np.divide(o.energy_mwh, o.seconds, out=np.zeros(len(o)), where=o.seconds > 0)
        hottest, timeless = np.zeros(len(self.sites)), np.zeros(len(self.sites))
        np.maximum.at(hottest, o.site, per_second)
        free = o.seconds == 0
        jobs = self.arrivals.sum() + self.state.backlog.sum()
        np.add.at(timeless, o.site[free], o.energy_mwh[free] * jobs / self.slot_hours)
        per_gpu = hottest * self.seconds_per_gpu / self.slot_hours + self.gpu_idle_mw
        return self.gpus * per_gpu + timeless

    def served(self) -> Bools:
        """(J,K) whether the site has an option for the class."""
        table = np.zeros((len(self.sites), len(self.classes)), dtype=bool)
        table[self.options.site, self.options.job_class] = True
        return table

    def waiting_limit(self) -> Floats:
        """(I,K,T) jobs that may still wait after the slot: those that arrived in its last d slots."""
        past = self.state.backlog[:, :, ::-1]
        history = np.concatenate([past, self.arrivals], axis=2)
        total = np.concatenate([np.zeros((*history.shape[:2], 1)), np.cumsum(history, axis=2)], axis=2)
        last = np.arange(past.shape[2] + 1, history.shape[2] + 1)
        first = np.maximum(last[None, :] - self.deadline[:, None], 0)
        limit: Floats = total[:, :, last] - total[:, np.arange(len(self.deadline))[:, None], first]
        if self.closes:
            limit[:, :, -1] = 0.0
        return limit

    @property
    def longest_wait(self) -> int:
        """Slots that a job may ever have waited: those of its deadline, as far as horizon and backlog go."""
        given = int(self.state.backlog.shape[2])
        return max(given, min(int(self.deadline.max(initial=0)), given + self.n_slots))

    def with_state(self, state: State) -> InstanceArrays:
        """The same instance, begun from another state."""
        return replace(self, state=state)
