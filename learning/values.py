"""Dynamic programs around the plan of a day: what a site's stored energy, warmth and running generator are
still worth, slot by slot, everything else being as planned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .problem import Problem

#: Levels of the tables over what a battery holds and over a room's warmth.
ENERGY_LEVELS = 41
WARMTH_LEVELS = 19
#: Shares of the battery's power that the program tries each way.
RATES = 4


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
    p, hours = problem, problem.shape.slot_hours
    low, high = p.energy_min, p.energy_max
    share = torch.linspace(0, 1, ENERGY_LEVELS, dtype=low.dtype)
    held = low[..., None] + (high - low)[..., None] * share
    value = -p.terminal_price[..., None] * (p.energy_reference[..., None] - held).clamp(min=0)
    cost, price, need = p.import_cost, p.export_price, load - p.renewable
    up, down = p.charge_efficiency[..., None, None], p.discharge_efficiency[..., None, None]
    power = p.battery_power[..., None, None]
    rates = power * torch.linspace(-1, 1, 2 * RATES + 1, dtype=low.dtype)
    most = (high[..., None] - held)[..., None] / (up * hours)
    least = -(held - low[..., None])[..., None] * down / hours
    wear, charge, highest = (x[..., None, None] for x in (p.wear_cost, p.demand_charge, peak))
    tables = [value]
    for n in reversed(range(p.shape.n_slots)):
        net = need[n][..., None, None]
        # the kinks where nothing is imported, and as much as before, are candidates of their own
        kinks = [-net, highest - net] if p.shape.has_demand_charge else [-net]
        tried = torch.cat([rates, *(torch.minimum(torch.maximum(x, -power), power) for x in kinks)], -1)
        tried = tried.expand(*held.shape, tried.shape[-1])
        tried = torch.minimum(torch.maximum(tried, least), most)
        after = held[..., None] + hours * torch.where(tried > 0, tried * up, tried / down)
        grid = net + tried
        sold = price[n][..., None, None].clamp(min=0)
        bill = torch.where(grid > 0, cost[n][..., None, None] * grid, sold * grid)
        bill = bill + wear * (-tried).clamp(min=0)
        if p.shape.has_demand_charge:
            bill = bill + charge / hours * (grid - highest).clamp(min=0)
        value = (read(value, low, high, after.flatten(2)).view_as(after) - hours * bill).amax(-1)
        tables.append(value)
    return torch.stack(tables[::-1])


def warmth_values(problem: Problem, it: Tensor, price: Tensor) -> Tensor:
    """(T+1,N,J,W) USD that is still to be paid for cooling (negative) from the beginning of each slot on, by
    warmth, at IT powers (T,N,J) MW and prices of power (T,N,J) USD/MWh."""
    p, hours = problem, problem.shape.slot_hours
    share = torch.linspace(0, 1, WARMTH_LEVELS, dtype=p.min_c.dtype)
    warm = p.min_c[..., None] + (p.max_c - p.min_c)[..., None] * share
    value = -p.terminal_heat_price[..., None] * (warm - p.temperature_reference[..., None]).clamp(min=0)
    value = value * p.thermal[..., None]
    rate = p.heat_rate.clamp(min=1e-12)[..., None, None]
    rise = (warm[:, :, None, :] - warm[..., None]) / rate
    tables = [value]
    for n in reversed(range(p.shape.n_slots)):
        loss = p.leak[..., None] * (warm - p.outside[n][..., None])
        needed = (it[n][..., None] - loss)[..., None] - rise
        needed = needed / p.cop[n][..., None, None].clamp(min=1e-6)
        closed = (needed > p.cooling_max[..., None, None] + 1e-9) | (
            warm[:, :, None, :] > p.ceiling[n][..., None, None] + 1e-9
        )
        paid = hours * price[n][..., None, None] * needed.clamp(min=0)
        # a forecast that cannot be kept cool pays dearly, so that it is avoided where it can be
        reached = value[..., None, :] - paid - closed * 10 * p.money_scale[:, None, None, None]
        value = reached.amax(-1) * p.thermal[..., None]
        tables.append(value)
    return torch.stack(tables[::-1])


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
