"""A whole horizon as one linear program, for many instances at once: slots' programs, tied by their states.

Columns and rows are those of :mod:`.program` with slots of all instances side by side (:mod:`.ties`), and
rows more per site for what its battery holds and, with demand charges, for what may be imported.

Jobs are fluid, generators may be partly on, and a battery may charge and discharge at once; left out are link
limits, and idle GPUs that are on to use power at negative prices, which the plant cannot be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stepwatt.formulation.plant.stacked import Problem

from .grid_terms import sale_price
from .interior_point.solving import solve_rows
from .programs.slot_program import GPU, HEAT, POWER, Program, flat, site_columns
from .programs.standing import most_power, options_of
from .programs.ties import STORE, TYING, DayRows, Ties

Numbers = NDArray[Any]

#: From this tolerance on, single precision is tried.
ROUGH = 0.01


@dataclass(frozen=True)
class DayPlan:
    """An optimal day: ``value`` and ``bound`` (N,) USD; by slot (T,N,...) ``it``, ``load`` and ``imported``
    MW, ``power`` USD/MWh and ``job`` (I,K) USD prices of power at the site and of one more job at hand,
    ``queue`` (I,K) jobs that wait after the slot, ``multipliers`` (·) USD of one more of each row's right
    side, from which a plan of the same days may begin."""

    value: Numbers
    bound: Numbers
    it: Numbers
    load: Numbers
    imported: Numbers
    power: Numbers
    job: Numbers
    queue: Numbers
    multipliers: Numbers

    def but(self, index: Numbers, other: DayPlan) -> DayPlan:
        """The same with other plans for the instances of that index."""
        parts: dict[str, Numbers] = {}
        for name, values in self.__dict__.items():
            parts[name] = values.copy()
            parts[name][(slice(None), index) if values.ndim > 1 else index] = getattr(other, name)
        return DayPlan(**parts)


def plan_day(
    problem: Problem, tolerance: float = 1e-6, moving: Numbers | None = None, begun: Numbers | None = None
) -> DayPlan:
    """The best that can be done if everything comes as the problem says.

    ``tolerance``: how far the plan may be from its bound, in units of the largest cost of a slot. At a rough
    one single precision will do; days for which it does not are planned again in double precision. ``moving``
    (T,N,I,K,J) USD per job stands for ``moving_cost`` where that changes from slot to slot. ``begun``
    (T,N,·): multipliers of another plan of these slots, which spare steps where little has changed since.
    """
    attempts: list[tuple[DTypeLike, Numbers | None]] = [(np.float64, None)]
    if tolerance >= ROUGH:
        attempts.insert(0, (np.float32, None))
    if begun is not None:
        attempts.insert(0, (attempts[0][0], begun))
    plan, near = _planned(problem, tolerance, moving, *attempts[0])
    for kind, start in attempts[1:]:
        if near.all():
            break
        left = np.flatnonzero(~near)
        some, first = (None if x is None else x[:, left] for x in (moving, start))
        again, there = _planned(problem.part(left), tolerance, some, kind, first)
        plan = plan.but(left, again)
        near[left] = there
    return plan


def _planned(
    problem: Problem, tolerance: float, moving: Numbers | None, kind: DTypeLike, begun: Numbers | None
) -> tuple[DayPlan, NDArray[np.bool_]]:
    """A plan, and for which instances (N,) it is as near to its bound as it should be."""
    slots, batch, hours = problem.shape.n_slots, len(problem), problem.shape.slot_hours
    rows = day_rows(problem, kind, moving)
    per_row = rows.p.money.astype(float) / _row_units(rows)
    with np.errstate(over="ignore"):  # one that has broken down may be beyond single precision
        start = None if begun is None else (begun.reshape(slots * batch, -1).T / per_row).astype(kind)
    found = solve_rows(rows, tolerance, start)
    p = rows.p
    _, held, _, sites, _ = rows.boxes(found.box)
    supply, _, prices, _ = rows.split(found.multipliers)

    def by_slot(values: Numbers) -> Numbers:
        """(T,N,...) of values (...,TB)."""
        apart = values.astype(float).reshape(*values.shape[:-1], slots, batch)
        return apart.transpose(-2, -1, *range(values.ndim - 1))

    def amount(name: str) -> Numbers:
        """(n,TB) MW."""
        place = p.names[name]
        found: Numbers = (sites[place] * p.site_unit[place]).sum(0)
        return found

    sums = p.features.sums(found.options)
    it = by_slot((p.job_power * sums[:, :, 2] + p.idle_power * sums[:, :, 1]).sum(1))
    scale = p.money / p.row_unit[POWER]
    plan = DayPlan(
        value=found.value[:batch].astype(float),
        bound=found.bound[:batch].astype(float),
        it=it,
        load=it * problem.pue + by_slot(amount("cooling")),
        imported=by_slot(amount("import")),
        power=by_slot(prices[POWER] * scale / hours),
        job=by_slot(-supply * p.money / rows.supply_unit),
        queue=by_slot((held * p.held_unit).sum(0)),
        multipliers=by_slot(found.multipliers * per_row),
    )
    return plan, found.residual[:batch] < tolerance


def _row_units(rows: DayRows) -> Numbers:
    """(rows,TB) jobs, GPU-seconds, MW or MWh that are one in a row."""
    p = rows.p
    jobs = np.where(p.option_unit > 0, p.option_unit, 1.0).swapaxes(0, 1)
    return flat([rows.supply_unit, jobs, p.row_unit])


def day_rows(problem: Problem, kind: DTypeLike = np.float64, moving: Numbers | None = None) -> DayRows:
    """The program of all slots, from how the instances begin."""
    slots, batch, hours = problem.shape.n_slots, len(problem), problem.shape.slot_hours

    def wide(series: Numbers) -> Numbers:
        """(...,TB) of (T,N,...)."""
        moved = series.transpose(*range(2, series.ndim), 0, 1).astype(kind, order="C")
        return moved.reshape(*moved.shape[:-2], slots * batch)

    def same(values: Numbers) -> Numbers:
        """(...,TB) of (N,...) that is the same in every slot."""
        moved = values.transpose(*range(1, values.ndim), 0)[..., None, :]
        repeated = np.broadcast_to(moved, (*moved.shape[:-2], slots, batch))
        found = repeated.reshape(*moved.shape[:-2], slots * batch)
        return found.astype(kind, copy=False) if values.dtype.kind == "f" else found

    def table(values: Numbers) -> Numbers:
        """The same, in one column where all instances have the same."""
        return same(values) if len(values) > 1 else values[0, ..., None].astype(kind)

    def first(values: Numbers) -> Numbers:
        """(...,TB) of (N,...) in slot 0, nothing later."""
        found = np.zeros((*values.shape[1:], slots * batch), kind)
        found[..., :batch] = values.transpose(*range(1, values.ndim), 0)
        return found

    coming = wide(problem.arrivals) + first(problem.first_waiting)
    limit = wide(problem.recent[..., 0])
    before = np.concatenate([np.zeros_like(limit[..., :batch]), limit[..., :-batch]], -1)
    at_hand = coming + before

    # options
    seconds, energy, revenue = table(problem.seconds), table(problem.energy), table(problem.revenue)
    gpu_time = same(problem.gpus * problem.per_gpu)
    idle = same(problem.idle_mw / problem.per_gpu)[:, None]
    usable = table(problem.row) >= 0
    if not (gpu_time > 0).all():
        usable = usable & ((seconds <= 0) | (gpu_time > 0)[:, None, None])
    open_to = same(problem.open)
    sent = open_to * at_hand[:, :, None]
    reach = sent.sum(0).swapaxes(0, 1)
    options = options_of(usable, seconds, energy / hours, revenue, gpu_time, idle)
    unit = np.minimum(reach, options.fit) * options.any
    runs = unit > 0
    most = most_power(options, gpu_time, unit)
    transfer_unit = np.minimum(sent, unit.swapaxes(0, 1))

    # sites
    pue, cop, thermal = wide(problem.pue), wide(problem.cop), same(problem.thermal)
    zero, one = np.zeros_like(pue), np.ones_like(pue)
    chill = same(problem.cooling_max) * thermal
    rate = np.where(thermal > 0, same(problem.heat_rate), one)
    leak = same(problem.leak)
    cold = same(problem.min_c)
    span = np.maximum(wide(problem.ceiling) - cold, 0.0) * thermal
    begun = (same(problem.first_temperature) - cold) * thermal
    inflow = leak * (cold - wide(problem.outside)) * thermal
    kept = (1 / rate - leak) * thermal
    is_first = first(np.ones_like(problem.thermal))
    to_floor = inflow - is_first * kept * begun
    power = same(problem.battery_power)
    capacity = same(problem.energy_max - problem.energy_min)
    stored = same(np.maximum(problem.first_energy - problem.energy_min, 0.0))
    up, down = same(problem.charge_efficiency), same(problem.discharge_efficiency)
    fuel = same(problem.generator_max)
    sun = wide(problem.renewable)
    grid = np.minimum(same(problem.import_limit), most * pue + chill + power + 1e-9)
    highest = np.tile(grid.reshape(-1, slots, batch).max(1), slots)
    sold = np.minimum(same(problem.export_limit), sun + power + fuel)
    standing = hours * same(problem.no_load_cost) / np.maximum(fuel, 1e-30) * (fuel > 0)
    is_last = is_first[..., ::-1]
    reference = same(np.maximum(problem.energy_reference - problem.energy_min, 0.0))
    due = np.minimum(reference, capacity)
    cool = np.minimum(np.maximum(same(problem.temperature_reference) - cold, 0.0) * thermal, span)
    mixed = np.maximum(to_floor + cop * chill, 0.0) * thermal + span * kept
    columns: list[tuple[Any, ...]] = [
        ("gpu", 2.0 * gpu_time, zero, one, zero, zero, zero),
        ("import", grid, hours * wide(problem.import_cost), zero, one, zero, zero),
        ("renewable", sun, zero, zero, one, zero, zero),
        ("export", sold, -hours * wide(sale_price(problem)), zero, -one, zero, zero),
        ("generator", fuel, hours * same(problem.generator_cost) + standing, zero, one, zero, zero),
        ("cooling", chill, zero, zero, -one, -cop, zero),
        ("mixed", mixed, zero, zero, zero, thermal, zero),
        ("charge", power, zero, zero, -one, zero, -hours * up),
        ("discharge", power, hours * same(problem.wear_cost), zero, one, zero, hours / down),
        ("stored", due, -is_last * same(problem.terminal_price), zero, zero, zero, one),
        ("stored", capacity - due, zero, zero, zero, zero, one),
        ("warm", cool, zero, zero, zero, -thermal / rate, zero),
        ("warm", span - cool, is_last * same(problem.terminal_heat_price), zero, zero, -thermal / rate, zero),
    ]
    if problem.shape.has_demand_charge:
        charge = same(problem.demand_charge)
        columns = [
            *[(*column, one if column[0] == "import" else zero) for column in columns],
            ("rise", is_first * highest, charge, zero, zero, zero, zero, zero),
            ("under", 2.0 * highest, zero, zero, zero, zero, zero, one),
        ]
    names, site_unit, site_cost, entries = site_columns(columns, {"export": sold, "generator": fuel})
    power_scale = np.maximum(grid + sun + power + fuel + sold, 1e-12)
    heat_scale = np.maximum((most + cop * chill) * thermal + span / rate, 1e-12)
    content_scale, grid_scale = np.where(capacity > 0, capacity, 1.0), np.maximum(grid, 1e-12)
    scales = [np.maximum(gpu_time, 1e-12), power_scale, heat_scale, content_scale, grid_scale]
    scale = np.stack(scales[: len(entries)])
    supply_scale = np.where(at_hand > 0, at_hand, 1.0)
    balance_scale = np.where(unit > 0, unit, 1.0)
    site = entries * site_unit / scale[:, None]

    def carry(values: Numbers) -> Numbers:
        """Values of the next slot (nothing behind the last)."""
        return np.concatenate([values[..., batch:], np.zeros_like(values[..., :batch])], -1)

    tying = {HEAT: kept, STORE: -one}
    ties = Ties(
        held=-limit * carry(1 / supply_scale),
        sites={row: site_unit[names[name]] * carry(tying[row] / scale[row]) for row, name in TYING.items()},
        waits=np.tile((limit > 0).any((0, 2)), len(limit)),
        rise=-highest / grid_scale if problem.shape.has_demand_charge else None,
    )
    begin = [gpu_time, zero, to_floor, is_first * stored, np.minimum(same(problem.first_peak), highest)]
    right_sites = np.stack(begin[: len(scale)]) / scale
    right = [coming / supply_scale, np.zeros_like(unit).swapaxes(0, 1), right_sites]
    lost_unit = 2.0 * at_hand
    costs = [
        (same(problem.moving_cost) if moving is None else wide(moving)) * transfer_unit,
        np.zeros_like(limit),
        same(problem.miss_penalty) * lost_unit,
        site_cost,
    ]
    cost = flat(costs)
    brings = (options.most_revenue * unit).max((0, 1))
    money = np.maximum(np.maximum(np.abs(cost).max(0), brings), 1e-12)
    money = np.tile(money.reshape(slots, batch).max(0), slots)
    full = [lost_unit > 0, runs.swapaxes(0, 1), (site != 0).any(1)]
    program = Program(
        cost=cost / money,
        option_cost=np.where(usable & runs[:, :, None], -revenue * (unit / money)[:, :, None], 1.0),
        features=options.features,
        open=runs.astype(kind),
        job_seconds=unit / scale[GPU][:, None],
        job_power=unit,
        idle_power=unit * idle,
        power_entry=np.stack([-pue / power_scale, thermal / heat_scale]),
        transfer_supply=transfer_unit / supply_scale[:, :, None],
        transfer_balance=-transfer_unit / balance_scale.swapaxes(0, 1),
        transfer_link=None,
        held=(limit / supply_scale)[None],
        lost=lost_unit / supply_scale,
        site=site,
        link_slack=None,
        right=flat(right),
        empty=1 - flat(full).astype(kind),
        transfer_unit=transfer_unit,
        held_unit=limit[None],
        lost_unit=lost_unit,
        option_unit=unit,
        site_unit=site_unit,
        money=money,
        constant=-(is_last * same(problem.terminal_price) * reference).sum(0),
        row_unit=scale,
        generator_floor=zero,
        names=names,
    )
    return DayRows(program, ties, supply_scale, slots)
