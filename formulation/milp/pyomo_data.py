"""Sets and Params of the Pyomo model: the instance under the names of model.md."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pyomo.environ as pyo

from ..instance.arrays import InstanceArrays
from .linear_problem import members_of


def add_sets(m: pyo.ConcreteModel, a: InstanceArrays, *, prices_change: bool) -> None:
    """SITES (also origins), CLASSES, SLOTS; OPTIONS (site, class, model, steps, clock) and their projection
    SERVED (site, class); ROUTES (origin, site, class); sites that have a BATTERY, GENERATOR, thermal ROOM or
    demand charge (PEAK), METERS that average over several slots, and prices that pay for FEEDING IN more than
    import costs; LINKS (origin, site) of limited capacity that a route uses. Where ``prices_change``, every
    site has a PEAK, and all that can import and export FEED IN."""
    at = members_of(a)
    names = a.sites
    routes = [
        (names[i], names[j], a.classes[k])
        for i, j, k in zip(at.origin, at.target, at.moved_class, strict=True)
    ]
    used = {(i, j) for i, j, _ in routes}
    links = [(names[i], names[j]) for i, j in zip(*at.links, strict=True)]
    options = option_names(a)
    m.SITES = pyo.Set(initialize=names)
    m.CLASSES = pyo.Set(initialize=a.classes)
    m.SLOTS = pyo.RangeSet(0, a.n_slots - 1)
    m.QUEUES = m.SITES * m.CLASSES
    m.OPTIONS = pyo.Set(dimen=5, initialize=options)
    m.SERVED = pyo.Set(dimen=2, initialize=list(dict.fromkeys(option[:2] for option in options)))
    m.ROUTES = pyo.Set(dimen=3, initialize=routes)
    subsets = {"BATTERIES": at.batteries, "GENERATORS": at.generators, "ROOMS": at.rooms, "PEAKS": at.peaks}
    subsets |= {"METERS": at.meters, "FEEDS_IN": at.feeds_in}
    if prices_change:
        both = (a.import_limit_mw > 0) & (a.export_limit_mw > 0)
        subsets |= {"PEAKS": np.arange(len(names)), "METERS": np.flatnonzero(a.meters)}
        subsets["FEEDS_IN"] = np.flatnonzero(both)
    for name, members in subsets.items():
        m.add_component(name, pyo.Set(initialize=[names[j] for j in members]))
    m.LINKS = pyo.Set(dimen=2, initialize=[link for link in links if link in used])


def option_names(a: InstanceArrays) -> list[tuple[str, str, str, int, str]]:
    """Site, class, model, steps and clock of every option."""
    o = a.options
    return [
        (a.sites[j], a.classes[k], a.models[m], int(s), a.clocks[j][f])
        for j, k, m, s, f in zip(o.site, o.job_class, o.model, o.steps, o.clock, strict=True)
    ]


def _param(over: Iterable[Hashable], values: Any, *sets: Any, mutable: bool = False) -> pyo.Param:
    flat = np.asarray(values, dtype=float).ravel().tolist()
    return pyo.Param(*sets, initialize=dict(zip(over, flat, strict=True)), within=pyo.Any, mutable=mutable)


def add_job_data(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Arrivals, queues, classes, options and the network (model.md, "Sets and data" and "Options").

    ``present[i,k,t]`` is the most jobs that can be there in a slot: arrivals and those still allowed to wait.
    """
    queue_slots = [(i, k, t) for i in a.sites for k in a.classes for t in range(a.n_slots)]
    queues = [(i, k) for i in a.sites for k in a.classes]
    pairs = [(i, j) for i in a.sites for j in a.sites]
    backlog = a.state.backlog.sum(axis=2)
    limit = a.waiting_limit()
    before = np.concatenate([backlog[:, :, None], limit[:, :, :-1]], axis=2)
    m.slot_hours = pyo.Param(initialize=a.slot_hours)
    m.arrivals = _param(queue_slots, a.arrivals, m.QUEUES, m.SLOTS)
    m.backlog = _param(queues, backlog, m.QUEUES)
    m.waiting_limit = _param(queue_slots, limit, m.QUEUES, m.SLOTS)
    m.present = _param(queue_slots, before + a.arrivals, m.QUEUES, m.SLOTS)
    m.penalty_per_job = _param(a.classes, a.miss_penalty, m.CLASSES, mutable=True)
    m.payload_gb = _param(a.classes, a.payload_gb, m.CLASSES)
    m.transfer_cost = _param(pairs, a.transfer_cost, m.SITES, m.SITES, mutable=True)
    m.link_gb_per_hour = _param(pairs, a.link_gb_per_hour, m.SITES, m.SITES)
    m.option_quality = _param(m.OPTIONS, a.options.quality, m.OPTIONS)
    m.option_revenue = _param(m.OPTIONS, a.options.revenue, m.OPTIONS, mutable=True)
    m.option_seconds = _param(m.OPTIONS, a.options.seconds, m.OPTIONS)
    m.option_energy_mwh = _param(m.OPTIONS, a.options.energy_mwh, m.OPTIONS)


def add_power_data(m: pyo.ConcreteModel, a: InstanceArrays) -> None:
    """Sites: one Param per field of model.md, under the name in :class:`..instance.arrays.InstanceArrays`."""
    site_slots = [(j, t) for j in a.sites for t in range(a.n_slots)]
    for name in ("import_price", "export_price", "carbon_kg_per_mwh"):
        m.add_component(name, _param(site_slots, getattr(a, name), m.SITES, m.SLOTS, mutable=True))
    m.renewable_available_mw = _param(site_slots, a.renewable_mw, m.SITES, m.SLOTS, mutable=True)
    for name in ("pue", "cop", "outside_c", "meter_share"):
        m.add_component(name, _param(site_slots, getattr(a, name), m.SITES, m.SLOTS))
    money = ("demand_charge", "wear_cost", "fuel_cost", "no_load_cost", "startup_cost", "generator_carbon")
    for name in (*money, "terminal_price"):
        m.add_component(name, _param(a.sites, getattr(a, name), m.SITES, mutable=True))
    physics = ("gpus", "gpu_idle_mw", "max_utilisation", "import_limit_mw", "export_limit_mw")
    rooms = ("cooling_max_mw", "heat_capacity", "leak_mw_per_c", "min_c", "max_c", "temperature_reference_c")
    batteries = ("energy_min_mwh", "energy_max_mwh", "battery_power_mw", "energy_reference_mwh")
    others = ("charge_efficiency", "discharge_efficiency", "generator_max_mw", "generator_min_mw")
    for name in (*physics, *rooms, *batteries, *others):
        m.add_component(name, _param(a.sites, getattr(a, name), m.SITES))
    m.carbon_price = pyo.Param(initialize=a.carbon_price, mutable=True)
