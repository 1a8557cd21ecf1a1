"""Dynamic programs around the plan of a day: what a site's stored energy, warmth and running generator are
still worth, slot by slot, everything else being as planned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stepwatt.formulation.plant.stacked import Problem

from .dynamic_programs import stored, warmed

#: Levels of the tables over what a battery holds and over a room's warmth.
ENERGY_LEVELS = 41
WARMTH_LEVELS = 19


@dataclass(frozen=True)
class Commitment:
    """When generators run if imports cost what they cost: ``generated`` (T,N,J) MW, and ``running`` (T+1,N,J)
    USD that one is worth more at the beginning of each slot if it already runs."""

    generated: Tensor
    running: Tensor


def commit(problem: Problem, load: Tensor) -> Commitment:
    """The best on and off of each generator against the bill of its own site at loads (T,N,J) MW."""
    p, hours = problem, problem.shape.slot_hours
    low, high = p.generator_min, p.generator_max
    if not bool((high > 0).any()):
        return Commitment(torch.zeros_like(load), torch.zeros(len(load) + 1, *high.shape, dtype=high.dtype))
    levels, stays, starts, running = [], [], [], [torch.zeros_like(high)]
    on = off = torch.zeros_like(high)
    for n in reversed(range(p.shape.n_slots)):
        net = load[n] - p.renewable[n]
        tried = torch.stack([low, high, torch.minimum(torch.maximum(net, low), high)])
        saved = _bill(p, n, net) - _bill(p, n, net - tried) - p.generator_cost * tried
        best, which = saved.max(0)
        levels.append(tried.gather(0, which[None])[0])
        brings = hours * (best - p.no_load_cost) + on
        stays.append(brings >= off)
        starts.append(brings - p.startup_cost > off)
        on, off = torch.maximum(brings, off), torch.maximum(brings - p.startup_cost, off)
        running.append(on - off)
    runs, generated = p.first_restart <= 0, []
    for level, stay, start in zip(levels[::-1], stays[::-1], starts[::-1], strict=True):
        runs = torch.where(runs, stay, start) & (high > 0)
        generated.append(level * runs)
    return Commitment(torch.stack(generated), torch.stack(running[::-1]))


def _bill(problem: Problem, n: int, net: Tensor) -> Tensor:
    """USD per hour of importing ``net`` (…,N,J) MW, or of selling what is left."""
    return torch.where(net > 0, problem.import_cost[n] * net, problem.export_price[n].clamp(min=0) * net)


def energy_values(problem: Problem, load: Tensor, peak: Tensor) -> Tensor:
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
    )
    table = torch.empty(p.shape.n_slots + 1, *peak.shape, ENERGY_LEVELS, dtype=torch.float64)
    stored(
        _array(load - p.renewable),
        _array(p.import_cost),
        _array(p.export_price),
        _array(torch.stack(site)),
        p.shape.slot_hours,
        table.numpy(),
    )
    return table


def warmth_values(problem: Problem, it: Tensor, price: Tensor) -> Tensor:
    """(T+1,N,J,W) USD that is still to be paid for cooling (negative) from the beginning of each slot on, by
    warmth, at IT powers (T,N,J) MW and prices of power (T,N,J) USD/MWh."""
    p = problem
    # a forecast that cannot be kept cool pays dearly, so that it is avoided where it can be
    penalty = 200 * p.money_scale[:, None] / (p.max_c - p.min_c).clamp(min=1e-6)
    owed = p.terminal_heat_price * p.thermal
    site = (p.min_c, p.max_c, p.heat_rate, p.leak, p.cooling_max, p.thermal, owed)
    table = torch.empty(p.shape.n_slots + 1, *p.leak.shape, WARMTH_LEVELS, dtype=torch.float64)
    warmed(
        _array(it),
        _array(price),
        _array(p.cop),
        _array(p.outside),
        _array(p.ceiling),
        _array(torch.stack((*site, p.temperature_reference, penalty))),
        p.shape.slot_hours,
        table.numpy(),
    )
    return table


def _array(values: Tensor) -> NDArray[np.float64]:
    found: NDArray[np.float64] = values.double().contiguous().numpy()
    return found


def read(table: Tensor, low: Tensor, high: Tensor, at: Tensor) -> Tensor:
    """(N,J,M) values of tables (N,J,G) over [low, high] at points (N,J,M), linear in between."""
    levels = table.shape[-1]
    span = (high - low).clamp(min=1e-12)[..., None]
    place = ((at - low[..., None]) / span).clamp(0, 1) * (levels - 1)
    below = place.floor().long().clamp(max=levels - 2)
    return torch.lerp(table.gather(-1, below), table.gather(-1, below + 1), place - below)


def slopes(table: Tensor, low: Tensor, high: Tensor, points: Tensor) -> Tensor:
    """(N,J,M) between rising points (N,J,M+1); an empty segment takes the slope of the one before it."""
    lengths = points.diff(dim=-1)
    full = lengths > 1e-3 * (high - low).clamp(min=1e-9)[..., None]
    slopes = read(table, low, high, points).diff(dim=-1) / torch.where(full, lengths, 1.0)
    parts = list(slopes.unbind(-1))
    for n in reversed(range(len(parts) - 1)):
        parts[n] = torch.where(full[..., n], parts[n], parts[n + 1])
    for n in range(1, len(parts)):
        parts[n] = torch.where(full[..., n], parts[n], parts[n - 1])
    return torch.stack(parts, -1)
