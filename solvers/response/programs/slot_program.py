"""The slot's linear program under prices: columns in unit boxes, rows of size one, instances last.

minimise cost·x subject to A x = b, 0 ≤ x ≤ 1 for the box columns and w ≥ 0 for the options. Rows: supply of
jobs per (origin, class); balance of jobs per (class, site); per site GPU time, power and heat of the room;
links where one is limited. A column that cannot be used has no entries, and boxes of slack
columns are twice as wide as their rows, so that a program has an interior wherever its slot has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState
from stepwatt.formulation.plant.step import battery_interval

from ..grid_terms import metering_left, sale_price
from ..slot_prices import SlotPrices, pieces
from .features import Features
from .standing import Standing, last, most_power, options_of, standing_of

Numbers = NDArray[Any]

GPU, POWER, HEAT = range(3)


@dataclass(frozen=True)
class Program:
    """Coefficients, with n sites, K classes, O options, instances B last; all dimensionless but the units.

    Box columns in this order: ``transfers`` (n,K,n), ``held`` (S,n,K), ``lost`` (n,K), ``sites`` (N,n), and
    ``links`` (n,n) slack when there are link rows.
    """

    cost: Numbers  # (columns,B) of the box columns
    option_cost: Numbers  # (n,K,O,B)
    features: Features  # of an option, per job
    open: Numbers  # (n,K,B) 1 or 0: whether the site can run the class at all
    job_seconds: Numbers  # (n,K,B) GPU row per GPU-second of an option
    job_power: Numbers  # (n,K,B) MW of IT power per MW of an option
    idle_power: Numbers  # (n,K,B) MW of IT power per GPU-second of an option
    power_entry: Numbers  # (2,n,B) power and heat rows per MW of IT power
    transfer_supply: Numbers  # (n,K,n,B) entries of transfers in supply, balance and link rows
    transfer_balance: Numbers
    transfer_link: Numbers | None
    held: Numbers  # (S,n,K,B) entries in the supply rows
    lost: Numbers  # (n,K,B)
    site: Numbers  # (3,N,n,B) entries of the site columns in GPU, power and heat rows
    link_slack: Numbers | None  # (n,n,B)
    right: Numbers  # (rows,B)
    empty: Numbers  # (rows,B) 1 where a row has no entries
    # units, to come back from
    transfer_unit: Numbers  # (n,K,n,B) jobs
    held_unit: Numbers
    lost_unit: Numbers
    option_unit: Numbers  # (n,K,B) jobs
    site_unit: Numbers  # (N,n,B) MW or °C
    money: Numbers  # (B,) USD per unit of cost
    constant: Numbers  # (B,) USD
    row_unit: Numbers  # (3,n,B) GPU-seconds, MW, MW of heat
    generator_floor: Numbers  # (n,B) MW of generators that are on, below the column
    names: dict[str, slice]  # site columns


def slot_program(
    problem: Problem,
    t: int,
    state: PlantState,
    prices: SlotPrices,
    committed: Numbers | None = None,
    standing: Standing | None = None,
) -> Program:
    """The program of slot t. ``committed`` (B,n): generators on or off; None relaxes them. ``standing``: what
    of it is the same in all slots of the problem, if that is at hand."""
    e, hours = numpy_engine(), problem.shape.slot_hours
    s = standing_of(problem) if standing is None else standing
    at_hand = last(state.waiting + problem.arrivals[t])  # (n,K,B)
    may_wait = np.minimum(last(problem.recent[t][..., 0]), at_hand)

    # options
    revenue, gpu_time, idle = s.revenue, s.gpu_time, s.idle
    take, give = (last(x) for x in battery_interval(e, problem, state))
    sun, grid, fuel = last(problem.renewable[t]), s.grid, s.fuel
    fed = (sun + grid + give + fuel > 0)[:, None, None]
    options = s.options
    if not (fed.all() and (gpu_time > 0).all()):
        seconds, megawatts = s.seconds, s.megawatts
        timely = (seconds <= 0) | (gpu_time > 0)[:, None, None]
        usable = options.usable & timely & (fed | (megawatts <= 0) & (seconds <= 0))
        options = options_of(usable, seconds, megawatts, revenue, gpu_time, idle)
    sent = s.open_to * at_hand[:, :, None]
    reach = sent.sum(0).swapaxes(0, 1)  # (n,K,B)
    unit = np.minimum(reach, options.fit) * options.any
    runs = unit > 0
    most = most_power(options, gpu_time, unit)

    # transfers
    transfer_unit = np.minimum(sent, unit.swapaxes(0, 1))

    # site columns: name -> (capacity, USD per unit, GPU, power, heat entry)
    pue, cop, thermal = last(problem.pue[t]), last(problem.cop[t]), s.thermal
    zero, one = np.zeros_like(pue), np.ones_like(pue)
    chill, rate = s.chill, s.rate
    loss = last(problem.leak * (state.temperature - problem.outside[t]))
    to_floor = (last(problem.min_c - state.temperature) / rate + loss) * thermal
    warmest = np.maximum(last(problem.ceiling[t] - problem.min_c), -rate * (to_floor + cop * chill)) * thermal
    need = most * pue + chill + take + 1e-9
    grid = np.minimum(grid, need)
    level = np.maximum(last(state.peak), last(prices.peak))
    price, charge = hours * last(problem.import_cost[t]), s.demand_charge
    if problem.parts.meters:
        left = last(metering_left(problem, t))
        level = np.maximum(level - last(state.metered * problem.meter_goes_on[t]), 0.0) / left
        charge = charge * left
    below = np.minimum(grid, level)
    above = grid - below
    standstill = state.restart + hours * problem.no_load_cost
    started = np.maximum(last(standstill) - last(prices.running), 0.0)
    fuel_cost = s.fuel_cost
    if committed is None:
        free, floor = fuel, zero
        unit_cost = fuel_cost + np.where(fuel > 0, started / np.maximum(fuel, 1e-30), zero)
        idling = zero
    else:
        on = last(committed) * (fuel > 0)
        floor = last(problem.generator_min) * on
        free, unit_cost = fuel * on - floor, fuel_cost
        idling = (started + fuel_cost * floor) * on
    sold = np.minimum(s.export_limit, sun + give + fuel)
    columns = [
        ("gpu", 2.0 * gpu_time, zero, one, zero, zero),
        ("below", below, price, zero, one, zero),
        ("above", above, price + charge, zero, one, zero),
        ("renewable", sun, zero, zero, one, zero),
        ("export", sold, -hours * last(sale_price(problem, t)), zero, -one, zero),
        ("generator", free, unit_cost, zero, one, zero),
        ("cooling", chill, zero, zero, -one, -cop),
        ("mixed", np.maximum(to_floor + cop * chill, 0.0) * thermal, zero, zero, zero, thermal),
    ]
    low, high = pieces(problem.energy_min, problem.energy_max, prices.energy_ends)
    content = np.maximum(np.minimum(state.energy, problem.energy_max), problem.energy_min)[..., None]
    gains, losses = problem.charge_efficiency[..., None], problem.discharge_efficiency[..., None]
    room = np.maximum(high - np.maximum(low, content), 0.0) / (gains * hours)
    stock = np.maximum(np.minimum(high, content) - low, 0.0)
    charged = _up_to(last(room), take[:, None])
    discharged = _up_to(last(stock * losses / hours)[:, ::-1], give[:, None])[:, ::-1]
    prized = hours * last(prices.energy)
    earned, worn = -prized * s.charging[:, None], prized / s.discharging[:, None] + s.wear[:, None]
    cool, warm = pieces(problem.min_c, _first(warmest) + problem.min_c, prices.warmth_ends)
    widths, owed, cooled = last(warm - cool) * thermal[:, None], last(prices.warmth), -thermal / rate
    columns += [
        ("charge", _by_segment(charged), _by_segment(earned), zero, -one, zero),
        ("discharge", _by_segment(discharged), _by_segment(worn), zero, one, zero),
        ("warmth", _by_segment(widths), _by_segment(owed), zero, zero, cooled),
    ]
    names, site_unit, site_cost, entries = site_columns(
        columns, {"above": above, "export": sold, "generator": fuel}
    )

    # rows and their scales
    power_scale = np.maximum(grid + sun + give + fuel + take + sold, 1e-12)
    heat_scale = np.maximum((most + cop * chill + warmest / rate) * thermal, 1e-12)
    scale = np.stack([np.maximum(gpu_time, 1e-12), power_scale, heat_scale])
    supply_scale = np.where(at_hand > 0, at_hand, 1.0)
    balance_scale = np.where(unit > 0, unit, 1.0)
    sites = entries * site_unit / scale[:, None]
    transfer_supply = transfer_unit / supply_scale[:, :, None]
    transfer_balance = -transfer_unit / balance_scale.swapaxes(0, 1)
    right_sites = np.stack([gpu_time, -floor, to_floor]) / scale
    parts = [at_hand / supply_scale, np.zeros_like(unit).swapaxes(0, 1), right_sites]
    link_rows: tuple[Numbers | None, Numbers | None] = (None, None)
    payload, link = s.payload, s.link
    if s.limited:
        most = (payload * transfer_unit).sum(1)
        binding = (link > 0) & (link < most)
        link_scale = np.where(binding, link, 1.0)
        transfer_unit_gb = payload * transfer_unit * binding[:, None]
        link_rows = (transfer_unit_gb / link_scale[:, None], 2.0 * binding)
        parts.append(binding.astype(float))
    right = flat(parts)

    # money
    lost_unit = 2.0 * at_hand
    missed = s.missed
    fewer, more = pieces(np.zeros_like(state.waiting), _first(may_wait), prices.waiting_ends)
    held_unit = last(more - fewer).transpose(2, 0, 1, 3)
    waiting = np.maximum(last(prices.waiting).transpose(2, 0, 1, 3), -missed)
    held_cost = -waiting * held_unit
    costs = [s.moving_cost * transfer_unit, held_cost, missed * lost_unit, site_cost]
    if link_rows[1] is not None:
        costs.append(np.zeros_like(link_rows[1]))
    cost = flat(costs)
    most_revenue = (options.most_revenue * unit).max((0, 1))
    money = np.maximum(np.maximum(np.abs(cost).max(0), most_revenue), 1e-12)
    held_entry, lost_entry = held_unit / supply_scale, lost_unit / supply_scale
    full = [lost_entry > 0, runs.swapaxes(0, 1), (sites != 0).any(1)]
    if link_rows[1] is not None:
        full.append(link_rows[1] > 0)
    value = (prices.energy * stock).sum((-1, -2))
    return Program(
        cost=cost / money,
        option_cost=np.where(options.usable & runs[:, :, None], -revenue * (unit / money)[:, :, None], 1.0),
        features=options.features,
        open=runs.astype(float),
        job_seconds=unit / scale[GPU][:, None],
        job_power=unit,
        idle_power=unit * idle,
        power_entry=np.stack([-pue / power_scale, thermal / heat_scale]),
        transfer_supply=transfer_supply,
        transfer_balance=transfer_balance,
        transfer_link=link_rows[0],
        held=held_entry,
        lost=lost_entry,
        site=sites,
        link_slack=link_rows[1],
        right=right,
        empty=1.0 - flat(full),
        transfer_unit=transfer_unit,
        held_unit=held_unit,
        lost_unit=lost_unit,
        option_unit=unit,
        site_unit=site_unit,
        money=money,
        constant=value - idling.sum(0),
        row_unit=scale,
        generator_floor=floor,
        names=names,
    )


def site_columns(
    columns: Sequence[tuple[Any, ...]], most: Mapping[str, Numbers]
) -> tuple[dict[str, slice], Numbers, Numbers, Numbers]:
    """Places by name, units (N,n,B), USD per unit, and entries (R,N,n,B) of natural columns, sorted by name.

    A column: its name, unit, USD per natural unit, and its entry in each kind of site row, (n,B) each, or
    (S,n,B) for S columns of one name; the first is one. Of columns in ``most`` instances can have that (n,B)
    at most; those of which none can have any are left out.
    """
    absent = tuple(name for name, amount in most.items() if not (amount > 0).any())
    counts = tuple((column[0], len(column[1]) if column[1].ndim > 2 else 1) for column in columns)
    order, names, total = _places(counts, absent)
    kind = columns[0][1]
    table = np.empty((len(columns[0]) - 1, total, *kind.shape), kind.dtype)
    for number, place in order:
        for row, values in enumerate(columns[number][1:]):
            table[row, place] = values
    units, cost, entries = table[0], table[1], table[2:]
    return dict(names), units, cost * units, entries


@lru_cache(maxsize=64)
def _places(
    columns: tuple[tuple[str, int], ...], absent: tuple[str, ...]
) -> tuple[list[tuple[int, slice]], dict[str, slice], int]:
    """Columns but for those absent, sorted by name, each with its place; places by name; their number."""
    order, names, total = [], dict[str, slice](), 0
    for number in sorted(range(len(columns)), key=lambda n: columns[n][0]):
        name, count = columns[number]
        if name not in absent:
            order.append((number, slice(total, total + count)))
            total += count
            names[name] = slice(names[name].start if name in names else total - count, total)
    return order, names, total


def flat(parts: Sequence[Numbers]) -> Numbers:
    """(rows,B) of parts (...,B), one below the other."""
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def _first(values: Numbers) -> Numbers:
    return values.transpose(-1, *range(values.ndim - 1))


def _by_segment(values: Numbers) -> Numbers:
    """(S,n,B) of (n,S,B)."""
    return values.swapaxes(0, 1)


def _up_to(parts: Numbers, most: Numbers) -> Numbers:
    """(n,S,B) parts, in order, cut where their sum reaches ``most`` (n,1,B)."""
    before = parts.cumsum(1) - parts
    found: Numbers = np.minimum(parts, np.maximum(most - before, 0.0))
    return found
