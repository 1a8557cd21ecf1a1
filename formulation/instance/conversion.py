"""From an instance's records to arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arrays import InstanceArrays, State
from .options import enumerate_options
from .useful import ABSURD

if TYPE_CHECKING:
    from .instance import Instance

Floats = NDArray[np.float64]

#: A job that takes so many times what a site has in a slot will never run.
_MANY = 10.0


def instance_arrays(inst: Instance) -> InstanceArrays:
    """The arrays of an instance file."""
    sites, classes = list(inst.sites), list(inst.classes)
    specs = list(inst.sites.values())
    class_specs = list(inst.classes.values())
    rooms = [site.cooling if site.cooling.kind == "thermal" else None for site in specs]
    batteries = [site.battery for site in specs]
    generators = [site.generator for site in specs]
    grids = [site.grid for site in specs]

    def per_site(values: list[float]) -> Floats:
        return np.array(values, dtype=float)

    def per_slot(series: list[list[float] | float]) -> Floats:
        return np.array([np.broadcast_to(values, inst.n_slots) for values in series], dtype=float)

    import_price = per_slot([grid.import_price for grid in grids])
    export_price = per_slot([grid.export_price for grid in grids])
    interval = np.array([grid.demand_interval_slots for grid in grids], dtype=np.int64)

    # limits that rounding has crossed meet
    energy_min = per_site([b.soc_min * b.energy_mwh if b else 0.0 for b in batteries])
    energy_max = np.maximum(energy_min, [b.soc_max * b.energy_mwh if b else 0.0 for b in batteries])
    initial_energy = per_site([b.soc_initial * b.energy_mwh if b else 0.0 for b in batteries])
    initial_energy = np.clip(initial_energy, energy_min, energy_max)
    initial_c = per_site([room.initial_c if room else 0.0 for room in rooms])
    start = State(
        energy_mwh=initial_energy,
        temperature_c=initial_c,
        backlog=_backlog(inst, sites, classes),
        generator_on=np.array([g is not None and g.initially_on for g in generators]),
        peak_mw=per_site([grid.peak_so_far_mw for grid in grids]),
        metered_mw=np.zeros(len(sites)),
    )
    arrays = InstanceArrays(
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
        export_price=export_price,
        feeds_in=np.any(export_price > import_price, axis=1),
        import_limit_mw=per_site([grid.import_limit_mw for grid in grids]),
        export_limit_mw=per_site([grid.export_limit_mw for grid in grids]),
        carbon_kg_per_mwh=per_slot([grid.carbon_kg_per_mwh for grid in grids]),
        carbon_price=inst.carbon_price,
        demand_charge=per_site([grid.demand_charge for grid in grids]),
        meters=interval > 1,
        meter_share=_meter_share(interval, inst.n_slots),
        meter_goes_on=np.arange(inst.n_slots) % interval[:, None] > 0,
        renewable_mw=per_slot([site.renewable_mw for site in specs]),
        pue=per_slot([site.cooling.pue if site.cooling.kind == "pue" else 1.0 for site in specs]),
        thermal=np.array([room is not None for room in rooms]),
        cop=per_slot([room.cop if room else 1.0 for room in rooms]),
        cooling_max_mw=per_site([room.max_power_mw if room else 0.0 for room in rooms]),
        heat_capacity=per_site([room.heat_capacity_mwh_per_c if room else 1.0 for room in rooms]),
        leak_mw_per_c=per_site([room.leak_mw_per_c if room else 0.0 for room in rooms]),
        outside_c=per_slot([room.outside_c if room else 0.0 for room in rooms]),
        min_c=per_site([room.min_c if room else 0.0 for room in rooms]),
        max_c=per_site([max(room.min_c, room.max_c) if room else 0.0 for room in rooms]),
        battery=np.array([b is not None for b in batteries]),
        energy_min_mwh=energy_min,
        energy_max_mwh=energy_max,
        battery_power_mw=per_site([b.power_mw if b else 0.0 for b in batteries]),
        charge_efficiency=per_site([b.charge_efficiency if b else 1.0 for b in batteries]),
        discharge_efficiency=per_site([b.discharge_efficiency if b else 1.0 for b in batteries]),
        wear_cost=per_site([b.wear_cost if b else 0.0 for b in batteries]),
        generator=np.array([g is not None for g in generators]),
        generator_max_mw=per_site([max(g.min_mw, g.max_mw) if g else 0.0 for g in generators]),
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
        terminal_price_given=np.array([site.terminal_price is not None for site in specs]),
        energy_reference_mwh=initial_energy,
        temperature_reference_c=initial_c,
        state=start,
        closes=inst.closes,
    )
    return _possible(arrays)


def _possible(a: InstanceArrays) -> InstanceArrays:
    """The arrays without what is far beyond all power and time: digits drown beside it.

    Cooling plants take what power comes (where none does, their size says why they fail), and whole jobs of
    which not one could run are no choice.
    """
    o = a.options
    comes = a.import_limit_mw + a.renewable_mw.max(axis=1) + a.generator_max_mw + a.battery_power_mw
    absurd = (comes > 0) & (a.cooling_max_mw > ABSURD * comes)
    cooling = np.where(absurd, comes, a.cooling_max_mw)
    if a.integral_jobs:
        energy, time = comes * a.slot_hours, a.gpus * a.seconds_per_gpu
        impossible = (energy > 0)[o.site] & (o.energy_mwh > _MANY * energy[o.site])
        impossible |= (time > 0)[o.site] & (o.seconds > _MANY * time[o.site])
        o = o.take(~impossible)
    return replace(a, options=o, cooling_max_mw=cooling)


def _backlog(inst: Instance, sites: list[str], classes: list[str]) -> Floats:
    """(I,K,D) jobs that arrived 1..D slots before slot 0 and still wait."""
    given = [inst.backlog.get(i, {}).get(k, []) for i in sites for k in classes]
    backlog = np.zeros((len(given), max(map(len, given), default=0)))
    for row, waiting in zip(backlog, given, strict=True):
        row[: len(waiting)] = waiting
    return backlog.reshape(len(sites), len(classes), -1)


def _meter_share(interval: NDArray[np.int64], n_slots: int) -> Floats:
    """(J,T) 1 / slots of the metering interval that a slot lies in; the last one may be cut."""
    begun = np.arange(n_slots) // interval[:, None] * interval[:, None]
    share: Floats = 1.0 / np.minimum(interval[:, None], n_slots - begun)
    return share


def _network(table: dict[str, dict[str, float]], sites: list[str], missing: float) -> Floats:
    matrix = np.array([[table.get(i, {}).get(j, missing) for j in sites] for i in sites], dtype=float)
    np.fill_diagonal(matrix, missing)
    return matrix
