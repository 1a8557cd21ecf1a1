"""The instance as numpy arrays: what models, evaluator and learners compute with.

Axes: I origins and J sites (the same list), K classes, T slots. Units as in model.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .options import Options, enumerate_options

if TYPE_CHECKING:
    from .instance import Instance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class State:
    """What the past leaves to slot 0. An instance starts fresh; windows of a horizon carry the rest.

    ``energy_mwh`` (J,), ``temperature_c`` (J,), ``backlog`` (I,K,D) jobs that arrived a = 1..D slots ago and
    still wait, ``generator_on`` (J,), ``peak_mw`` (J,) highest import so far, already charged.
    """

    energy_mwh: Floats
    temperature_c: Floats
    backlog: Floats
    generator_on: Bools
    peak_mw: Floats


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
    import_limit_mw: Floats  # (J,)
    export_limit_mw: Floats  # (J,)
    carbon_kg_per_mwh: Floats  # (J,T)
    carbon_price: float  # USD per tonne
    demand_charge: Floats  # (J,) USD/MW
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
    energy_reference_mwh: Floats  # (J,) content below which terminal_price is charged
    temperature_reference_c: Floats  # (J,) temperature above which it is charged
    state: State
    closes: bool = True  # jobs left after the last slot are lost; a window in mid-horizon lets them wait

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

    def with_state(self, state: State) -> InstanceArrays:
        """The same instance, begun from another state."""
        return replace(self, state=state)


def instance_arrays(inst: Instance) -> InstanceArrays:
    """The arrays of an instance file."""
    sites, classes = list(inst.sites), list(inst.classes)
    specs = list(inst.sites.values())
    class_specs = list(inst.classes.values())
    rooms = [site.cooling if site.cooling.kind == "thermal" else None for site in specs]
    batteries = [site.battery for site in specs]
    generators = [site.generator for site in specs]
    flat = [0.0] * inst.n_slots
    ones = [1.0] * inst.n_slots

    def per_site(values: list[float]) -> Floats:
        return np.array(values, dtype=float)

    import_price = np.array([site.grid.import_price for site in specs], dtype=float)
    initial_energy = per_site([b.soc_initial * b.energy_mwh if b else 0.0 for b in batteries])
    initial_c = per_site([room.initial_c if room else 0.0 for room in rooms])
    start = State(
        energy_mwh=initial_energy,
        temperature_c=initial_c,
        backlog=np.zeros((len(sites), len(classes), 0)),
        generator_on=np.zeros(len(sites), dtype=bool),
        peak_mw=np.zeros(len(sites)),
    )
    return InstanceArrays(
        sites=tuple(sites),
        classes=tuple(classes),
        models=tuple(inst.models),
        clocks=tuple(tuple(clock.name for clock in site.clocks) for site in specs),
        clock_speeds=tuple(tuple(clock.speed for clock in site.clocks) for site in specs),
        n_slots=inst.n_slots,
        slot_hours=inst.slot_hours,
        integral_jobs=inst.integral_jobs,
        options=enumerate_options(inst),
        arrivals=np.array([[inst.arrivals[i][k] for k in classes] for i in sites], dtype=float),
        deadline=np.array([k.deadline_slots for k in class_specs], dtype=np.int64),
        miss_penalty=per_site([k.miss_penalty for k in class_specs]),
        payload_gb=per_site([k.payload_gb for k in class_specs]),
        transfer_cost=_network(inst.transfer_cost, sites, missing=0.0),
        link_gb_per_hour=_network(inst.link_gb_per_hour, sites, missing=np.inf),
        transfer_allowed=np.ones((len(sites), len(sites)), dtype=bool),
        gpus=np.array([site.gpus for site in specs], dtype=np.int64),
        gpu_idle_mw=per_site([site.gpu_idle_watts / 1e6 for site in specs]),
        max_utilisation=per_site([site.max_utilisation for site in specs]),
        import_price=import_price,
        export_price=np.array([site.grid.export_price for site in specs], dtype=float),
        import_limit_mw=per_site([site.grid.import_limit_mw for site in specs]),
        export_limit_mw=per_site([site.grid.export_limit_mw for site in specs]),
        carbon_kg_per_mwh=np.array([site.grid.carbon_kg_per_mwh for site in specs], dtype=float),
        carbon_price=inst.carbon_price,
        demand_charge=per_site([site.grid.demand_charge for site in specs]),
        renewable_mw=np.array([site.renewable_mw for site in specs], dtype=float),
        pue=np.array([site.cooling.pue if site.cooling.kind == "pue" else ones for site in specs]),
        thermal=np.array([room is not None for room in rooms]),
        cop=np.array([room.cop if room else ones for room in rooms], dtype=float),
        cooling_max_mw=per_site([room.max_power_mw if room else 0.0 for room in rooms]),
        heat_capacity=per_site([room.heat_capacity_mwh_per_c if room else 1.0 for room in rooms]),
        leak_mw_per_c=per_site([room.leak_mw_per_c if room else 0.0 for room in rooms]),
        outside_c=np.array([room.outside_c if room else flat for room in rooms], dtype=float),
        min_c=per_site([room.min_c if room else 0.0 for room in rooms]),
        max_c=per_site([room.max_c if room else 0.0 for room in rooms]),
        battery=np.array([b is not None for b in batteries]),
        energy_min_mwh=per_site([b.soc_min * b.energy_mwh if b else 0.0 for b in batteries]),
        energy_max_mwh=per_site([b.soc_max * b.energy_mwh if b else 0.0 for b in batteries]),
        battery_power_mw=per_site([b.power_mw if b else 0.0 for b in batteries]),
        charge_efficiency=per_site([b.charge_efficiency if b else 1.0 for b in batteries]),
        discharge_efficiency=per_site([b.discharge_efficiency if b else 1.0 for b in batteries]),
        wear_cost=per_site([b.wear_cost if b else 0.0 for b in batteries]),
        generator=np.array([g is not None for g in generators]),
        generator_max_mw=per_site([g.max_mw if g else 0.0 for g in generators]),
        generator_min_mw=per_site([g.min_mw if g else 0.0 for g in generators]),
        fuel_cost=per_site([g.fuel_cost if g else 0.0 for g in generators]),
        no_load_cost=per_site([g.no_load_cost if g else 0.0 for g in generators]),
        startup_cost=per_site([g.startup_cost if g else 0.0 for g in generators]),
        generator_carbon=per_site([g.carbon_kg_per_mwh if g else 0.0 for g in generators]),
        terminal_price=per_site(
            [
                max(0.0, *prices) if site.terminal_price is None else site.terminal_price
                for site, prices in zip(specs, import_price, strict=True)
            ]
        ),
        energy_reference_mwh=initial_energy,
        temperature_reference_c=initial_c,
        state=start,
    )


def _network(table: dict[str, dict[str, float]], sites: list[str], missing: float) -> Floats:
    matrix = np.array([[table.get(i, {}).get(j, missing) for j in sites] for i in sites], dtype=float)
    np.fill_diagonal(matrix, missing)
    return matrix
