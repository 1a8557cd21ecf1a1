"""The slot's linear program under prices: columns in unit boxes, rows of size one, instances last.

minimise cost·x subject to A x = b, 0 ≤ x ≤ 1 for the box columns and w ≥ 0 for the options. Rows: supply of
jobs per (origin, class); balance of jobs per (class, site); per site GPU time, power and heat of the room;
links where one is limited. A column that cannot be used has no entries, and boxes of slack
columns are twice as wide as their rows, so that a program has an interior wherever its slot has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.plant.stacked import UNLIMITED, Problem
from stepwatt.formulation.plant.state import PlantState
from stepwatt.formulation.plant.step import battery_interval
from stepwatt.learning.environment.torch_engine import torch_engine

from ..slot_prices import SlotPrices, pieces
from .features import Features, make_features

GPU, POWER, HEAT = range(3)


@dataclass(frozen=True)
class Program:
    """Coefficients, with n sites, K classes, O options, instances B last; all dimensionless but the units.

    Box columns in this order: ``transfers`` (n,K,n), ``held`` (S,n,K), ``lost`` (n,K), ``sites`` (N,n), and
    ``links`` (n,n) slack when there are link rows.
    """

    cost: Tensor  # (columns,B) of the box columns
    option_cost: Tensor  # (n,K,O,B)
    features: Features  # of an option, per job
    open: Tensor  # (n,K,B) 1 or 0: whether the site can run the class at all
    job_seconds: Tensor  # (n,K,B) GPU row per GPU-second of an option
    job_power: Tensor  # (n,K,B) MW of IT power per MW of an option
    idle_power: Tensor  # (n,K,B) MW of IT power per GPU-second of an option
    power_entry: Tensor  # (2,n,B) power and heat rows per MW of IT power
    transfer_supply: Tensor  # (n,K,n,B) entries of transfers in supply, balance and link rows
    transfer_balance: Tensor
    transfer_link: Tensor | None
    held: Tensor  # (S,n,K,B) entries in the supply rows
    lost: Tensor  # (n,K,B)
    site: Tensor  # (3,N,n,B) entries of the site columns in GPU, power and heat rows
    site_pairs: Tensor  # (3,3,N,n,B) their products
    link_slack: Tensor | None  # (n,n,B)
    right: Tensor  # (rows,B)
    empty: Tensor  # (rows,B) 1 where a row has no entries
    # units, to come back from
    transfer_unit: Tensor  # (n,K,n,B) jobs
    held_unit: Tensor
    lost_unit: Tensor
    option_unit: Tensor  # (n,K,B) jobs
    site_unit: Tensor  # (N,n,B) MW or °C
    money: Tensor  # (B,) USD per unit of cost
    constant: Tensor  # (B,) USD
    row_unit: Tensor  # (3,n,B) GPU-seconds, MW, MW of heat
    generator_floor: Tensor  # (n,B) MW of generators that are on, below the column
    names: dict[str, slice]  # site columns

    def to(self, kind: torch.dtype) -> Program:
        """The same numbers in another precision."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        real = {n: v.to(kind) for n, v in values.items() if isinstance(v, Tensor) and v.is_floating_point()}
        return replace(self, **{**values, **real, "features": self.features.to(kind)})


def slot_program(
    problem: Problem,
    t: int,
    state: PlantState,
    prices: SlotPrices,
    committed: Tensor | None = None,
) -> Program:
    """The program of slot t. ``committed`` (B,n): generators on or off; None relaxes them."""
    e, hours = torch_engine(torch.float64), problem.shape.slot_hours
    last = _last
    at_hand = last(state.waiting + problem.arrivals[t])  # (n,K,B)
    may_wait = torch.minimum(last(problem.recent[t][..., 0]), at_hand)

    # options
    seconds, energy, revenue = last(problem.seconds), last(problem.energy), last(problem.revenue)
    gpu_time = last(problem.gpus * problem.per_gpu)
    idle = last(problem.idle_mw / problem.per_gpu)[:, None]
    take, give = (last(x) for x in battery_interval(e, problem, state))
    sun, sold = last(problem.renewable[t]), last(problem.export_limit)
    grid, fuel = last(problem.import_limit), last(problem.generator_max)
    fed = (sun + grid + give + fuel > 0)[:, None, None]
    usable = last(problem.row) >= 0
    if not bool(fed.all()) or not bool((gpu_time > 0).all()):
        timely = (seconds <= 0) | (gpu_time > 0)[:, None, None]
        usable = usable & timely & (fed | (energy <= 0) & (seconds <= 0))
    payload = last(problem.payload)  # (1,K,1,B)
    shut = (last(problem.link) <= 0).unsqueeze(1) & (payload > 0)
    open_to = last(problem.open) * ~shut
    reach = (open_to * at_hand[:, :, None]).sum(0).transpose(0, 1)  # (n,K,B)
    least = torch.where(usable, seconds, torch.inf).amin(2)
    fits = torch.where(least > 0, gpu_time[:, None] / least.clamp(min=1e-30), torch.inf)
    unit = torch.minimum(reach, fits) * usable.any(2)
    features = make_features(usable.double(), seconds, energy / hours)
    runs = unit > 0
    most = most_power(usable, seconds, energy / hours, gpu_time, idle, unit)

    # transfers
    transfer_unit = torch.minimum(open_to * at_hand[:, :, None], unit.transpose(0, 1)[None])

    # site columns: name -> (capacity, USD per unit, GPU, power, heat entry)
    pue, cop, thermal = last(problem.pue[t]), last(problem.cop[t]), last(problem.thermal)
    zero, one = torch.zeros_like(pue), torch.ones_like(pue)
    chill = last(problem.cooling_max) * thermal
    rate = torch.where(thermal > 0, last(problem.heat_rate), one)
    loss = last(problem.leak * (state.temperature - problem.outside[t]))
    to_floor = (last(problem.min_c - state.temperature) / rate + loss) * thermal
    warmest = (
        torch.maximum(last(problem.ceiling[t] - problem.min_c), -rate * (to_floor + cop * chill)) * thermal
    )
    need = most * pue + chill + take + 1e-9
    grid = torch.minimum(grid, need)
    level = torch.maximum(last(state.peak), last(prices.peak))
    below = torch.minimum(grid, level)
    above = grid - below
    price, charge = hours * last(problem.import_cost[t]), last(problem.demand_charge)
    standstill = state.restart + hours * problem.no_load_cost
    started = (last(standstill) - last(prices.running)).clamp(min=0)
    fuel_cost = hours * last(problem.generator_cost)
    if committed is None:
        free, floor = fuel, zero
        unit_cost = fuel_cost + torch.where(fuel > 0, started / fuel.clamp(min=1e-30), zero)
        standing = zero
    else:
        on = last(committed).to(fuel.dtype) * (fuel > 0)
        floor = last(problem.generator_min) * on
        free, unit_cost = fuel * on - floor, fuel_cost
        standing = (started + fuel_cost * floor) * on
    sold = torch.minimum(sold, sun + give + fuel)
    columns = [
        ("gpu", 2.0 * gpu_time, zero, one, zero, zero),
        ("below", below, price, zero, one, zero),
        ("above", above, price + charge, zero, one, zero),
        ("renewable", sun, zero, zero, one, zero),
        ("export", sold, -hours * last(problem.export_price[t]), zero, -one, zero),
        ("generator", free, unit_cost, zero, one, zero),
        ("cooling", chill, zero, zero, -one, -cop),
        ("mixed", (to_floor + cop * chill).clamp(min=0) * thermal, zero, zero, zero, thermal),
    ]
    low, high = pieces(problem.energy_min, problem.energy_max, prices.energy_ends)
    content = torch.maximum(torch.minimum(state.energy, problem.energy_max), problem.energy_min)[..., None]
    gains, losses = problem.charge_efficiency[..., None], problem.discharge_efficiency[..., None]
    room = (high - torch.maximum(low, content)).clamp(min=0) / (gains * hours)
    stock = (torch.minimum(high, content) - low).clamp(min=0) * losses / hours
    charged = _up_to(last(room), take.unsqueeze(1))
    discharged = _up_to(last(stock).flip(1), give.unsqueeze(1)).flip(1)
    for s in range(prices.energy.shape[-1]):
        value = hours * last(prices.energy[..., s])
        columns.append(("charge", charged[:, s], -value * last(problem.charge_efficiency), zero, -one, zero))
        worn = value / last(problem.discharge_efficiency) + hours * last(problem.wear_cost)
        columns.append(("discharge", discharged[:, s], worn, zero, one, zero))
    cool, warm = pieces(problem.min_c, _first(warmest) + problem.min_c, prices.warmth_ends)
    for s in range(prices.warmth.shape[-1]):
        width = last(warm[..., s] - cool[..., s]) * thermal
        columns.append(("warmth", width, last(prices.warmth[..., s]), zero, zero, -thermal / rate))
    names, site_unit, site_cost, entries = site_columns(
        columns, {"above": above, "export": sold, "generator": fuel}
    )

    # rows and their scales
    power_scale = (grid + sun + give + fuel + take + sold).clamp(min=1e-12)
    heat_scale = ((most + cop * chill + warmest / rate) * thermal).clamp(min=1e-12)
    scale = torch.stack([gpu_time.clamp(min=1e-12), power_scale, heat_scale])
    supply_scale = torch.where(at_hand > 0, at_hand, 1.0)
    balance_scale = torch.where(unit > 0, unit, 1.0)
    sites = entries * site_unit / scale[:, None]
    transfer_supply = transfer_unit / supply_scale[:, :, None]
    transfer_balance = -transfer_unit / balance_scale.transpose(0, 1)[None]
    right_sites = torch.stack([gpu_time, -floor, to_floor]) / scale
    parts = [at_hand / supply_scale, torch.zeros_like(unit).transpose(0, 1), right_sites]
    link_rows: tuple[Tensor | None, Tensor | None] = (None, None)
    moved_cost = last(problem.moving_cost)  # (n,K,n,B)
    if bool(((problem.link < UNLIMITED) & (problem.link > 0)).any()):
        link = last(problem.link)
        most = (payload * transfer_unit).sum(1)
        binding = (link > 0) & (link < most)
        link_scale = torch.where(binding, link, 1.0)
        transfer_unit_gb = payload * transfer_unit * binding.unsqueeze(1)
        link_rows = (transfer_unit_gb / link_scale.unsqueeze(1), 2.0 * binding.to(link.dtype))
        parts.append(binding.to(link.dtype))
    right = torch.cat([part.flatten(0, -2) for part in parts])

    # money
    lost_unit = 2.0 * at_hand
    lost_cost = last(problem.miss_penalty).expand_as(at_hand) * lost_unit
    fewer, more = pieces(torch.zeros_like(state.waiting), _first(may_wait), prices.waiting_ends)
    held_unit = last(more - fewer).movedim(2, 0)
    waiting = torch.maximum(last(prices.waiting).movedim(2, 0), -last(problem.miss_penalty))
    held_cost = -waiting * held_unit
    costs = [moved_cost * transfer_unit, held_cost, lost_cost, site_cost]
    if link_rows[1] is not None:
        costs.append(torch.zeros_like(link_rows[1]))
    cost = torch.cat([part.flatten(0, -2) for part in costs])
    most_revenue = (torch.where(usable, revenue.abs(), 0.0).amax(2) * unit).flatten(0, -2).amax(0)
    money = torch.maximum(cost.abs().amax(0), most_revenue).clamp(min=1e-12)
    held_entry, lost_entry = held_unit / supply_scale, lost_unit / supply_scale
    full = [
        (lost_entry > 0),
        runs.transpose(0, 1),
        torch.stack([sites[GPU].abs().sum(0), sites[POWER].abs().sum(0), sites[HEAT].abs().sum(0)]) > 0,
    ]
    if link_rows[1] is not None:
        full.append(link_rows[1] > 0)
    stored = torch.minimum(content, high) - low
    value = (prices.energy * stored.clamp(min=0)).sum((-1, -2))
    return Program(
        cost=cost / money,
        option_cost=torch.where(usable & runs[:, :, None], -revenue * (unit / money)[:, :, None], 1.0),
        features=features,
        open=runs.double(),
        job_seconds=unit / scale[GPU][:, None],
        job_power=unit,
        idle_power=unit * idle,
        power_entry=torch.stack([-pue / power_scale, thermal / heat_scale]),
        transfer_supply=transfer_supply,
        transfer_balance=transfer_balance,
        transfer_link=link_rows[0],
        held=held_entry,
        lost=lost_entry,
        site=sites,
        site_pairs=sites[:, None] * sites[None],
        link_slack=link_rows[1],
        right=right,
        empty=1.0 - torch.cat([part.flatten(0, -2) for part in full]).to(cost.dtype),
        transfer_unit=transfer_unit,
        held_unit=held_unit,
        lost_unit=lost_unit,
        option_unit=unit,
        site_unit=site_unit,
        money=money,
        constant=value - standing.sum(0),
        row_unit=scale,
        generator_floor=floor,
        names=names,
    )


def site_columns(
    columns: Sequence[tuple[Any, ...]], most: Mapping[str, Tensor]
) -> tuple[dict[str, slice], Tensor, Tensor, Tensor]:
    """Places by name, units (N,n,B), USD per unit, and entries (R,N,n,B) of natural columns, sorted by name.

    A column: its name, unit, USD per natural unit, and its entry in each kind of site row. Of columns in
    ``most`` instances can have that (n,B) at most; those of which none can have any are left out.
    """
    absent = [name for name, amount in most.items() if not bool((amount > 0).any())]
    columns = sorted((c for c in columns if c[0] not in absent), key=lambda column: str(column[0]))
    names: dict[str, slice] = {}
    for n, column in enumerate(columns):
        names[column[0]] = slice(names.get(column[0], slice(n, n)).start, n + 1)
    units = torch.stack([column[1] for column in columns])
    cost = torch.stack([column[2] for column in columns]) * units
    entries = torch.stack([torch.stack(row) for row in zip(*(c[3:] for c in columns), strict=True)])
    return names, units, cost, entries


def _last(values: Tensor) -> Tensor:
    """Instances from the first to the last axis, in double precision where real."""
    moved = values.movedim(0, -1)
    return moved.double() if values.is_floating_point() else moved


def _first(values: Tensor) -> Tensor:
    return values.movedim(-1, 0)


def most_power(
    usable: Tensor, seconds: Tensor, megawatts: Tensor, gpu_time: Tensor, idle: Tensor, unit: Tensor
) -> Tensor:
    """(n,B) MW of IT power that the site's jobs can draw at most, or a little more."""
    timed = usable & (seconds > 0)
    density = torch.where(timed, megawatts / seconds.clamp(min=1e-30), 0.0).amax((1, 2)) + idle[:, 0]
    timeless = torch.where(usable & (seconds <= 0), megawatts, 0.0).amax(2) * unit
    one_class = (torch.where(timed, megawatts + idle[:, None] * seconds, 0.0).amax(2) * unit).sum(1)
    return torch.minimum(density * gpu_time, one_class) + timeless.sum(1)


def _up_to(parts: Tensor, most: Tensor) -> Tensor:
    """(n,S,B) parts, in order, cut where their sum reaches ``most`` (n,1,B)."""
    before = parts.cumsum(1) - parts
    return torch.minimum(parts, (most - before).clamp(min=0))
