"""The model of model.md in linopy: labelled arrays, as someone who likes linopy would write it.

Written from the instance arrays, apart from the library's own models, as a second opinion on them; the same
rows and columns, deadlines by bounded waiting variables included. Everything runs over all sites, with masks
where a site lacks the thing, so that no two arrays have to be aligned.
"""

from __future__ import annotations

from typing import Any

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from stepwatt.formulation import InstanceArrays, Schedule
from stepwatt.formulation.schedule.schedule import SITE_FLOWS


def linopy_model(a: InstanceArrays, scale: float = 1.0) -> linopy.Model:
    """The mixed-integer model; the objective is in 1/``scale`` USD."""
    m = linopy.Model()
    d = _Data(a)
    _jobs(m, a, d)
    _power(m, a, d)
    _objective(m, a, d, scale)
    return m


def linopy_schedule(m: linopy.Model, a: InstanceArrays) -> Schedule:
    """The decisions of a solved model."""

    def values(name: str, *dims: str) -> Any:
        return np.maximum(m.solution[name].transpose(*dims).fillna(0.0).to_numpy(), 0.0)

    return Schedule(
        transfers=values("transfers", "origin", "site", "job_class", "slot"),
        runs=values("runs", "option", "slot"),
        **{flow: values(flow, "site", "slot") for flow in SITE_FLOWS},
    )


class _Data:
    """Labels, and the arrays of the instance under them."""

    def __init__(self, a: InstanceArrays) -> None:
        self.site = pd.Index(a.sites, name="site")
        self.origin = pd.Index(a.sites, name="origin")
        self.job_class = pd.Index(a.classes, name="job_class")
        self.slot = pd.RangeIndex(a.n_slots, name="slot")
        self.option = pd.RangeIndex(len(a.options), name="option")
        self.per_slot = [self.site, self.slot]

    def of_site(self, values: Any) -> xr.DataArray:
        """(site)"""
        return xr.DataArray(values, coords=[self.site])

    def of_slot(self, values: Any) -> xr.DataArray:
        """(site, slot)"""
        return xr.DataArray(values, coords=[self.site, self.slot])

    def of_queue(self, values: Any) -> xr.DataArray:
        """(origin, job_class, slot)"""
        return xr.DataArray(values, coords=[self.origin, self.job_class, self.slot])

    def of_option(self, values: Any) -> xr.DataArray:
        """(option)"""
        return xr.DataArray(values, coords=[self.option])

    def everywhere(self, mask: Any) -> xr.DataArray:
        """(site, slot), true at the sites of ``mask`` (site)"""
        return self.of_slot(
            np.broadcast_to(np.asarray(mask)[:, None], (len(self.site), len(self.slot))).copy()
        )


def _jobs(m: linopy.Model, a: InstanceArrays, d: _Data) -> None:
    o, whole = a.options, a.integral_jobs
    may_wait = a.waiting_limit()
    old = a.state.backlog.sum(axis=2)
    present = d.of_queue(a.arrivals + np.concatenate([old[:, :, None], may_wait[:, :, :-1]], axis=2))
    served = xr.DataArray(a.served(), coords=[d.site, d.job_class])
    allowed = xr.DataArray(a.transfer_allowed, coords=[d.origin, d.site])
    route = (allowed & served).broadcast_like(xr.DataArray(np.zeros(a.n_slots), coords=[d.slot]))
    route = route.transpose("origin", "site", "job_class", "slot")
    most = present.expand_dims(site=d.site).transpose("origin", "site", "job_class", "slot")

    transfers = m.add_variables(0, most, mask=route, integer=whole, name="transfers")
    lost = m.add_variables(0, present, integer=whole, name="lost")
    waiting = m.add_variables(0, d.of_queue(may_wait), name="waiting")
    gpus = d.of_slot(np.repeat(a.gpus[:, None].astype(float), a.n_slots, axis=1))
    gpus_on = m.add_variables(0, gpus, integer=whole, name="gpus_on")
    with np.errstate(divide="ignore"):
        fits = (a.gpus * a.seconds_per_gpu)[o.site] / o.seconds
    coming = present.sum("origin").to_numpy()[o.job_class]
    runs_limit = xr.DataArray(np.minimum(coming, fits[:, None]), coords=[d.option, d.slot])
    runs = m.add_variables(0, runs_limit, integer=whole, name="runs")

    new = a.arrivals.copy()
    new[:, :, 0] += old
    left = waiting - waiting.shift(slot=1)
    m.add_constraints(left + lost + transfers.sum("site") == d.of_queue(new), name="waiting_balance")

    # linopy sums groups of options; (site, class) pairs are numbered as in a full table
    pair = d.of_option(o.site * len(a.classes) + o.job_class).rename("pair")
    pairs = pd.Index(np.unique(pair.to_numpy()), name="pair")
    received = transfers.sum("origin").stack(pair=("site", "job_class"))
    numbers = np.arange(len(a.sites) * len(a.classes))
    received = received.drop_vars(["pair", "site", "job_class"]).assign_coords(pair=numbers).sel(pair=pairs)
    m.add_constraints(runs.groupby(pair).sum() - received == 0, name="assignment")

    at = d.of_option(np.array(a.sites)[o.site]).rename("site")
    busy = (d.of_option(o.seconds) * runs).groupby(at).sum().reindex(site=d.site)
    m.add_constraints(busy - d.of_site(a.seconds_per_gpu) * gpus_on <= 0, name="gpu_time")

    timed = o.seconds > 0
    density = np.where(timed, o.energy_mwh / np.where(timed, o.seconds, 1.0), 0.0)
    hottest = np.array([density[o.site == j].max(initial=0.0) for j in range(len(a.sites))])
    free = np.array([o.energy_mwh[(o.site == j) & ~timed].sum() for j in range(len(a.sites))])
    full = a.gpus * (hottest * a.seconds_per_gpu / a.slot_hours + a.gpu_idle_mw)
    full = full + free * (a.arrivals.sum() + old.sum()) / a.slot_hours
    it_mw = m.add_variables(0, d.of_site(full), coords=d.per_slot, name="it_mw")
    drawn = (d.of_option(o.energy_mwh / a.slot_hours) * runs).groupby(at).sum().reindex(site=d.site)
    m.add_constraints(it_mw - drawn - d.of_site(a.gpu_idle_mw) * gpus_on == 0, name="it_power")

    limited = np.isfinite(a.link_gb_per_hour)
    if limited.any():
        payload = xr.DataArray(a.payload_gb, coords=[d.job_class])
        capacity = np.where(limited, a.link_gb_per_hour, 0.0) * a.slot_hours
        m.add_constraints(
            (payload * transfers).sum("job_class") <= xr.DataArray(capacity, coords=[d.origin, d.site]),
            mask=xr.DataArray(limited, coords=[d.origin, d.site]),
            name="link",
        )


def _power(m: linopy.Model, a: InstanceArrays, d: _Data) -> None:
    dt, last = a.slot_hours, a.n_slots - 1
    battery, generator, room = (d.everywhere(mask) for mask in (a.battery, a.generator, a.thermal))
    peaks = d.everywhere(a.demand_charge > 0)
    it_mw = m.variables["it_mw"]

    def flow(name: str, upper: Any, mask: xr.DataArray | None = None, **options: Any) -> linopy.Variable:
        return m.add_variables(0, d.of_site(upper), coords=d.per_slot, mask=mask, name=name, **options)

    import_mw = flow("import_mw", a.import_limit_mw)
    export_mw = flow("export_mw", a.export_limit_mw)
    renewable_mw = m.add_variables(0, d.of_slot(a.renewable_mw), name="renewable_mw")
    most = np.maximum(a.import_limit_mw, a.state.peak_mw)
    charged = d.of_site(a.demand_charge > 0)
    peak = m.add_variables(d.of_site(a.state.peak_mw), d.of_site(most), mask=charged, name="peak_mw")
    m.add_constraints(import_mw - peak <= 0, mask=peaks, name="peak")

    power = d.of_site(a.battery_power_mw)
    charge = flow("charge_mw", a.battery_power_mw, battery)
    discharge = flow("discharge_mw", a.battery_power_mw, battery)
    charging = m.add_variables(binary=True, coords=d.per_slot, mask=battery, name="charging")
    content = (d.of_site(a.energy_min_mwh), d.of_site(a.energy_max_mwh))
    energy = m.add_variables(*content, coords=d.per_slot, mask=battery, name="energy_mwh")
    deep = d.of_site(np.maximum(a.energy_reference_mwh - a.energy_min_mwh, 0.0))
    missing = m.add_variables(0, deep, mask=d.of_site(a.battery), name="energy_missing_mwh")
    stored = dt * d.of_site(a.charge_efficiency) * charge
    drawn = dt / d.of_site(a.discharge_efficiency) * discharge
    start = np.zeros((len(a.sites), a.n_slots))
    start[:, 0] = a.state.energy_mwh
    m.add_constraints(
        energy - energy.shift(slot=1) - stored + drawn == d.of_slot(start),
        mask=battery,
        name="state_of_charge",
    )
    m.add_constraints(charge - power * charging <= 0, mask=battery, name="charge_mode")
    m.add_constraints(discharge + power * charging <= power, mask=battery, name="discharge_mode")
    m.add_constraints(
        missing + energy.sel(slot=last, drop=True) >= d.of_site(a.energy_reference_mwh),
        mask=d.of_site(a.battery),
        name="terminal_energy",
    )

    unit_mw = flow("generator_mw", a.generator_max_mw, generator)
    on = m.add_variables(binary=True, coords=d.per_slot, mask=generator, name="generator_on")
    begins = m.add_variables(0, 1, coords=d.per_slot, mask=generator, name="generator_start")
    m.add_constraints(unit_mw - d.of_site(a.generator_max_mw) * on <= 0, mask=generator, name="maximum")
    m.add_constraints(unit_mw - d.of_site(a.generator_min_mw) * on >= 0, mask=generator, name="minimum")
    was_on = np.zeros((len(a.sites), a.n_slots))
    was_on[:, 0] = a.state.generator_on
    m.add_constraints(on - on.shift(slot=1) - begins <= d.of_slot(was_on), mask=generator, name="starting")

    cooling = flow("cooling_mw", a.cooling_max_mw, room)
    span = (d.of_site(a.min_c), d.of_site(a.max_c))
    temperature = m.add_variables(*span, coords=d.per_slot, mask=room, name="temperature_c")
    hotter = d.of_site(np.maximum(a.max_c - a.temperature_reference_c, 0.0))
    leftover = m.add_variables(0, hotter, mask=d.of_site(a.thermal), name="heat_leftover_c")
    per_mw = dt / a.heat_capacity
    leak = per_mw * a.leak_mw_per_c
    inflow = leak[:, None] * a.outside_c
    inflow[:, 0] += (1 - leak) * a.state.temperature_c
    heating = d.of_site(per_mw) * it_mw - d.of_slot(per_mw[:, None] * a.cop) * cooling
    kept = d.of_site(1 - leak) * temperature.shift(slot=1)
    m.add_constraints(temperature - kept - heating >= d.of_slot(inflow), mask=room, name="room_heat")
    m.add_constraints(
        leftover - temperature.sel(slot=last, drop=True) >= d.of_site(-a.temperature_reference_c),
        mask=d.of_site(a.thermal),
        name="terminal_heat",
    )

    supply = import_mw + renewable_mw + discharge + unit_mw
    use = d.of_slot(a.pue) * it_mw + cooling + charge + export_mw
    m.add_constraints(supply - use == 0, name="power_balance")


def _objective(m: linopy.Model, a: InstanceArrays, d: _Data, scale: float) -> None:
    dt, v = a.slot_hours, m.variables
    payload = xr.DataArray(a.payload_gb, coords=[d.job_class])
    moving = xr.DataArray(a.transfer_cost, coords=[d.origin, d.site]) * payload
    penalty = xr.DataArray(a.miss_penalty, coords=[d.job_class])
    terms = [
        scale * d.of_option(a.options.revenue) * v["runs"],
        -scale * moving * v["transfers"],
        -scale * penalty * v["lost"],
        -scale * dt * d.of_slot(a.import_cost) * v["import_mw"],
        scale * dt * d.of_slot(a.export_price) * v["export_mw"],
        -scale * dt * d.of_site(a.wear_cost) * v["discharge_mw"],
        -scale * dt * d.of_site(a.generator_cost) * v["generator_mw"],
        -scale * dt * d.of_site(a.no_load_cost) * v["generator_on"],
        -scale * d.of_site(a.startup_cost) * v["generator_start"],
        -scale * d.of_site(a.demand_charge) * v["peak_mw"],
        -scale * d.of_site(a.terminal_price) * v["energy_missing_mwh"],
        -scale * d.of_site(a.terminal_heat_price) * v["heat_leftover_c"],
    ]
    m.add_objective(sum(term.sum() for term in terms[1:]) + terms[0].sum(), sense="max")
