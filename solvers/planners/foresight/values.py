"""Dynamic programs around the plan of a day: what a site's stored energy, warmth and running generator are
still worth, slot by slot, everything else being as planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.solvers.response.grid_terms import sale_price

from .dynamic_programs import stored, warmed

Numbers = NDArray[Any]

#: Levels of the tables over what a battery holds, and over a room's warmth.
ENERGY_LEVELS = 161
WARMTH_LEVELS = 19
#: The same of what a battery holds where several slots share a block: with finer ones five-minute slots lose
#: 0.03 % more of what can be captured (in trials that no command keeps).
COARSE_ENERGY_LEVELS = 41


@dataclass(frozen=True)
class Commitment:
    """When generators run if imports cost what they cost: ``generated`` (T,N,J) MW, and ``running`` (T+1,N,J)
    USD that one is worth more at the beginning of each slot if it already runs."""

    generated: Numbers
    running: Numbers


def commit(problem: Problem, load: Numbers) -> Commitment:
    """The best on and off of each generator against the bill of its own site at loads (T,N,J) MW."""
    p, hours = problem, problem.shape.slot_hours
    low, high = p.generator_min, p.generator_max
    if not (high > 0).any():
        return Commitment(np.zeros_like(load), np.zeros((len(load) + 1, *high.shape), high.dtype))
    levels, stays, starts, running = [], [], [], [np.zeros_like(high)]
    on = off = np.zeros_like(high)
    for n in reversed(range(p.shape.n_slots)):
        net = load[n] - p.renewable[n]
        tried = np.stack([low, high, np.minimum(np.maximum(net, low), high)])
        saved = _bill(p, n, net) - _bill(p, n, net - tried) - p.generator_cost * tried
        best = saved.max(0)
        levels.append(np.take_along_axis(tried, saved.argmax(0)[None], axis=0)[0])
        brings = hours * (best - p.no_load_cost) + on
        stays.append(brings >= off)
        starts.append(brings - p.startup_cost > off)
        on, off = np.maximum(brings, off), np.maximum(brings - p.startup_cost, off)
        running.append(on - off)
    runs, generated = p.first_restart <= 0, []
    for level, stay, start in zip(levels[::-1], stays[::-1], starts[::-1], strict=True):
        runs = np.where(runs, stay, start) & (high > 0)
        generated.append(level * runs)
    return Commitment(np.stack(generated), np.stack(running[::-1]))


def unserved_price(problem: Problem) -> Numbers:
    """(N,J) USD per MWh that the grid would have to give beyond its limit: with a full grid all is earned."""
    most = problem.shape.slot_hours * np.maximum(problem.import_limit, 1e-9)
    found: Numbers = problem.money_scale[:, None] / most
    return found


def _bill(problem: Problem, n: int, net: Numbers) -> Numbers:
    """USD per hour of importing ``net`` (…,N,J) MW, or of selling what is left, as far as the grid goes."""
    p, sold = problem, np.maximum(sale_price(problem)[n], 0.0)
    beyond = unserved_price(p) * np.maximum(net - p.import_limit, 0.0)
    found: Numbers = np.where(
        net > 0, p.import_cost[n] * net + beyond, sold * np.maximum(net, -p.export_limit)
    )
    return found


def energy_values(problem: Problem, load: Numbers, peak: Numbers, levels: int = ENERGY_LEVELS) -> Numbers:
    """(T+1,N,J,G) USD that stored energy still earns from each slot's beginning on, at loads (T,N,J) MW that
    are not generated; import above ``peak`` (N,J) MW pays the demand charge."""
    p = problem
    site = (
        p.energy_min,
        p.energy_max,
        p.battery_power,
        p.charge_efficiency,
        p.discharge_efficiency,
        p.wear_cost,
        p.demand_charge,
        peak,
        p.terminal_price,
        p.energy_reference,
        p.import_limit,
        p.export_limit,
        unserved_price(p),
    )
    table = np.empty((p.shape.n_slots + 1, *peak.shape, levels))
    stored(
        _array(load - p.renewable),
        _array(p.import_cost),
        _array(sale_price(p)),
        _array(np.stack(site)),
        p.shape.slot_hours,
        table,
    )
    return table


def warmth_values(problem: Problem, it: Numbers, price: Numbers) -> Numbers:
    """(T+1,N,J,W) USD that is still to be paid for cooling (negative) from the beginning of each slot on, by
    warmth, at IT powers (T,N,J) MW and prices of power (T,N,J) USD/MWh."""
    p = problem
    # a forecast that cannot be kept cool pays dearly, so that it is avoided where it can be
    penalty = 200 * p.money_scale[:, None] / np.maximum(p.max_c - p.min_c, 1e-6)
    owed = p.terminal_heat_price * p.thermal
    site = (p.min_c, p.max_c, p.heat_rate, p.leak, p.cooling_max, p.thermal, owed)
    table = np.empty((p.shape.n_slots + 1, *p.leak.shape, WARMTH_LEVELS))
    warmed(
        _array(it),
        _array(price),
        _array(p.cop),
        _array(p.outside),
        _array(p.ceiling),
        _array(np.stack((*site, p.temperature_reference, penalty))),
        p.shape.slot_hours,
        table,
    )
    return table


def _array(values: Numbers) -> NDArray[np.float64]:
    return np.ascontiguousarray(values, np.float64)


def read(table: Numbers, low: Numbers, high: Numbers, at: Numbers) -> Numbers:
    """(N,J,M) values of tables (N,J,G) over [low, high] at points (N,J,M), linear in between."""
    levels = table.shape[-1]
    span = np.maximum(high - low, 1e-12)[..., None]
    place = np.minimum(np.maximum((at - low[..., None]) / span, 0.0), 1.0) * (levels - 1)
    below = np.minimum(np.floor(place), levels - 2)
    at_first, (instances, sites) = below.astype(np.int64), table.shape[:2]
    each, site = np.arange(instances)[:, None, None], np.arange(sites)[:, None]
    first, second = table[each, site, at_first], table[each, site, at_first + 1]
    found: Numbers = first + (place - below) * (second - first)
    return found


def slopes(table: Numbers, low: Numbers, high: Numbers, points: Numbers) -> Numbers:
    """(N,J,M) between rising points (N,J,M+1); an empty segment takes the slope of the one before it."""
    lengths = np.diff(points, axis=-1)
    full = lengths > 1e-3 * np.maximum(high - low, 1e-9)[..., None]
    slopes = np.diff(read(table, low, high, points), axis=-1) / np.where(full, lengths, 1.0)
    if full.all():
        return slopes
    # empty ones before the first full one take its slope
    before = np.maximum.accumulate(np.where(full, np.arange(full.shape[-1]), -1), axis=-1)
    first = np.where(full.any(-1), full.argmax(-1), full.shape[-1] - 1)[..., None]
    found: Numbers = np.take_along_axis(slopes, np.where(before < 0, first, before), axis=-1)
    return found
