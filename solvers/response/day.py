"""A whole horizon as one linear program, for many instances at once: slots' programs, tied by their states.

Columns and rows are those of :mod:`.program` with slots of all instances side by side (:mod:`.ties`), and
rows more per site for what its battery holds and, with demand charges, for what may be imported.

Jobs are fluid and generators may be partly on; link limits are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.plant.stacked import Problem

from .interior_point.choice import solve_rows
from .programs.features import make_features
from .programs.slot_program import GPU, HEAT, POWER, Program, most_power, site_columns
from .programs.ties import STORE, TYING, DayRows, Ties

#: From this tolerance on, single precision is tried.
ROUGH = 0.01


@dataclass(frozen=True)
class DayPlan:
    """An optimal day: ``value`` and ``bound`` (N,) USD; by slot (T,N,...) ``it``, ``load`` and ``imported``
    MW, ``power`` USD/MWh and ``job`` (I,K) USD prices of power at the site and of one more job at hand,
    ``queue`` (I,K) jobs that wait after the slot, ``multipliers`` (·) USD of one more of each row's right
    side, from which a plan of the same days may begin."""

    value: Tensor
    bound: Tensor
    it: Tensor
    load: Tensor
    imported: Tensor
    power: Tensor
    job: Tensor
    queue: Tensor
    multipliers: Tensor

    def but(self, index: Tensor, other: DayPlan) -> DayPlan:
        """The same with other plans for the instances of that index."""
        parts: dict[str, Tensor] = {}
        for name, values in self.__dict__.items():
            axis = 0 if values.dim() == 1 else 1
            parts[name] = values.index_copy(axis, index, getattr(other, name))
        return DayPlan(**parts)


def plan_day(
    problem: Problem, tolerance: float = 1e-6, moving: Tensor | None = None, begun: Tensor | None = None
) -> DayPlan:
    """The best that can be done if everything comes as the problem says.

    ``tolerance``: how far the plan may be from its bound, in units of the largest cost of a slot. At a rough
    one single precision will do; days for which it does not are planned again in double precision. ``moving``
    (T,N,I,K,J) USD per job stands for ``moving_cost`` where that changes from slot to slot. ``begun``
    (T,N,·): multipliers of another plan of these slots, which spare steps where little has changed since.
    """
    attempts: list[tuple[torch.dtype, Tensor | None]] = [(torch.float64, None)]
    if tolerance >= ROUGH:
        attempts.insert(0, (torch.float32, None))
    if begun is not None:
        attempts.insert(0, (attempts[0][0], begun))
    plan, near = _planned(problem, tolerance, moving, *attempts[0])
    for kind, start in attempts[1:]:
        if bool(near.all()):
            break
        left = (~near).nonzero()[:, 0]
        some, first = (None if x is None else x[:, left] for x in (moving, start))
        again, there = _planned(problem.part(left), tolerance, some, kind, first)
        plan = plan.but(left, again)
        near = near.index_put((left,), there)
    return plan


def _planned(
    problem: Problem, tolerance: float, moving: Tensor | None, kind: torch.dtype, begun: Tensor | None
) -> tuple[DayPlan, Tensor]:
    """A plan, and for which instances (N,) it is as near to its bound as it should be."""
    slots, batch, hours = problem.shape.n_slots, len(problem), problem.shape.slot_hours
    rows = day_rows(problem, kind, moving)
    per_row = rows.p.money / _row_units(rows)
    start = None if begun is None else begun.flatten(0, 1).t().to(kind) / per_row
    found = solve_rows(rows, tolerance, start)
    p = rows.p
    _, held, _, sites, _ = rows.boxes(found.box)
    supply, _, prices, _ = rows.split(found.multipliers)
    amounts = sites * p.site_unit

    def by_slot(values: Tensor) -> Tensor:
        """(T,N,...) of values (...,TB)."""
        return values.double().reshape(*values.shape[:-1], slots, batch).movedim((-2, -1), (0, 1))

    _, seconds, energy = p.features.sums(found.options).unbind(2)
    it = by_slot((p.job_power * energy + p.idle_power * seconds).sum(1))
    scale = p.money / p.row_unit
    plan = DayPlan(
        value=found.value[:batch].double(),
        bound=found.bound[:batch].double(),
        it=it,
        load=it * problem.pue + by_slot(amounts[p.names["cooling"]].sum(0)),
        imported=by_slot(amounts[p.names["import"]].sum(0)),
        power=by_slot(prices[POWER] * scale[POWER] / hours),
        job=by_slot(-supply * p.money / rows.supply_unit),
        queue=by_slot((held * p.held_unit).sum(0)),
        multipliers=by_slot(found.multipliers * per_row),
    )
    return plan, found.residual[:batch] < tolerance


def _row_units(rows: DayRows) -> Tensor:
    """(rows,TB) jobs, GPU-seconds, MW or MWh that are one in a row."""
    p = rows.p
    jobs = torch.where(p.option_unit > 0, p.option_unit, 1.0).transpose(0, 1)
    parts = (rows.supply_unit, jobs, p.row_unit)
    return torch.cat([part.flatten(0, 1) for part in parts])


def day_rows(problem: Problem, kind: torch.dtype = torch.float64, moving: Tensor | None = None) -> DayRows:
    """The program of all slots, from how the instances begin."""
    slots, batch, hours = problem.shape.n_slots, len(problem), problem.shape.slot_hours

    def wide(series: Tensor) -> Tensor:
        """(...,TB) of (T,N,...)."""
        return series.flatten(0, 1).movedim(0, -1).to(kind)

    def same(values: Tensor) -> Tensor:
        """(...,TB) of (N,...) that is the same in every slot; one column where it is in every instance."""
        moved = values.movedim(0, -1)
        moved = moved.to(kind) if values.is_floating_point() else moved
        return moved if len(values) == 1 and batch > 1 else moved.repeat(*[1] * (moved.dim() - 1), slots)

    def first(values: Tensor) -> Tensor:
        """(...,TB) of (N,...) in slot 0, nothing later."""
        moved = values.movedim(0, -1).to(kind)
        return torch.cat([moved, moved.new_zeros(*moved.shape[:-1], (slots - 1) * batch)], -1)

    coming = wide(problem.arrivals) + first(problem.first_waiting)
    limit = wide(problem.recent[..., 0])
    before = torch.cat([torch.zeros_like(limit[..., :batch]), limit[..., :-batch]], -1)
    at_hand = coming + before

    # options
    seconds, energy, revenue = same(problem.seconds), same(problem.energy), same(problem.revenue)
    gpu_time = same(problem.gpus * problem.per_gpu)
    idle = same(problem.idle_mw / problem.per_gpu)[:, None]
    usable = same(problem.row) >= 0
    if not bool((gpu_time > 0).all()):
        usable = usable & ((seconds <= 0) | (gpu_time > 0)[:, None, None])
    open_to = same(problem.open)
    reach = (open_to * at_hand[:, :, None]).sum(0).transpose(0, 1)
    least = torch.where(usable, seconds, torch.inf).amin(2)
    fits = torch.where(least > 0, gpu_time[:, None] / least.clamp(min=1e-30), torch.inf)
    unit = torch.minimum(reach, fits) * usable.any(2)
    features = make_features(usable.to(kind), seconds, energy / hours)
    runs = unit > 0
    most = most_power(usable, seconds, energy / hours, gpu_time, idle, unit)
    transfer_unit = torch.minimum(open_to * at_hand[:, :, None], unit.transpose(0, 1)[None])

    # sites
    pue, cop, thermal = wide(problem.pue), wide(problem.cop), same(problem.thermal)
    zero, one = torch.zeros_like(pue), torch.ones_like(pue)
    chill = same(problem.cooling_max) * thermal
    rate = torch.where(thermal > 0, same(problem.heat_rate), one)
    leak = same(problem.leak)
    cold = same(problem.min_c)
    span = (wide(problem.ceiling) - cold).clamp(min=0) * thermal
    begun = (same(problem.first_temperature) - cold) * thermal
    inflow = leak * (cold - wide(problem.outside)) * thermal
    kept = (1 / rate - leak) * thermal
    is_first = first(torch.ones_like(problem.thermal))
    to_floor = inflow - is_first * kept * begun
    power = same(problem.battery_power)
    capacity = same(problem.energy_max - problem.energy_min)
    stored = same((problem.first_energy - problem.energy_min).clamp(min=0))
    up, down = same(problem.charge_efficiency), same(problem.discharge_efficiency)
    fuel = same(problem.generator_max)
    sun = wide(problem.renewable)
    grid = torch.minimum(same(problem.import_limit), most * pue + chill + power + 1e-9)
    highest = grid.view(*grid.shape[:-1], slots, batch).amax(-2).repeat(1, slots)
    sold = torch.minimum(same(problem.export_limit), sun + power + fuel)
    standing = hours * same(problem.no_load_cost) / fuel.clamp(min=1e-30) * (fuel > 0)
    is_last = is_first.flip(-1)
    reference = same((problem.energy_reference - problem.energy_min).clamp(min=0))
    due = torch.minimum(reference, capacity)
    cool = torch.minimum((same(problem.temperature_reference) - cold).clamp(min=0) * thermal, span)
    mixed = (to_floor + cop * chill).clamp(min=0) * thermal + span * kept
    columns: list[tuple[Any, ...]] = [
        ("gpu", 2.0 * gpu_time, zero, one, zero, zero, zero),
        ("import", grid, hours * wide(problem.import_cost), zero, one, zero, zero),
        ("renewable", sun, zero, zero, one, zero, zero),
        ("export", sold, -hours * wide(problem.export_price), zero, -one, zero, zero),
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
    power_scale = (grid + sun + power + fuel + sold).clamp(min=1e-12)
    heat_scale = ((most + cop * chill) * thermal + span / rate).clamp(min=1e-12)
    content_scale, grid_scale = torch.where(capacity > 0, capacity, 1.0), grid.clamp(min=1e-12)
    scales = [gpu_time.clamp(min=1e-12), power_scale, heat_scale, content_scale, grid_scale]
    scale = torch.stack(scales[: len(entries)])
    supply_scale = torch.where(at_hand > 0, at_hand, 1.0)
    balance_scale = torch.where(unit > 0, unit, 1.0)
    site = entries * site_unit / scale[:, None]

    def carry(values: Tensor) -> Tensor:
        """Values of the next slot (nothing behind the last)."""
        return torch.cat([values[..., batch:], torch.zeros_like(values[..., :batch])], -1)

    tying = {HEAT: kept, STORE: -one}
    ties = Ties(
        held=-limit * carry(1 / supply_scale),
        sites={row: site_unit[names[name]] * carry(tying[row] / scale[row]) for row, name in TYING.items()},
        waits=(limit > 0).any(-1).any(0).repeat(len(limit)),
        rise=-highest / grid_scale if problem.shape.has_demand_charge else None,
    )
    begin = [gpu_time, zero, to_floor, is_first * stored, torch.minimum(same(problem.first_peak), highest)]
    right_sites = torch.stack(begin[: len(scale)]) / scale
    right = [coming / supply_scale, torch.zeros_like(unit).transpose(0, 1), right_sites]
    lost_unit = 2.0 * at_hand
    costs = [
        (same(problem.moving_cost) if moving is None else wide(moving)) * transfer_unit,
        torch.zeros_like(limit),
        same(problem.miss_penalty).expand_as(at_hand) * lost_unit,
        site_cost,
    ]
    cost = torch.cat([part.flatten(0, -2) for part in costs])
    brings = (torch.where(usable, revenue.abs(), 0.0).amax(2) * unit).flatten(0, -2).amax(0)
    money = torch.maximum(cost.abs().amax(0), brings).clamp(min=1e-12)
    money = money.view(slots, batch).amax(0).repeat(slots)
    full = [lost_unit > 0, runs.transpose(0, 1), site.abs().sum(1) > 0]
    program = Program(
        cost=cost / money,
        option_cost=torch.where(usable & runs[:, :, None], -revenue * (unit / money)[:, :, None], 1.0),
        features=features,
        open=runs.to(kind),
        job_seconds=unit / scale[GPU][:, None],
        job_power=unit,
        idle_power=unit * idle,
        power_entry=torch.stack([-pue / power_scale, thermal / heat_scale]),
        transfer_supply=transfer_unit / supply_scale[:, :, None],
        transfer_balance=-transfer_unit / balance_scale.transpose(0, 1)[None],
        transfer_link=None,
        held=(limit / supply_scale)[None],
        lost=lost_unit / supply_scale,
        site=site,
        site_pairs=site[:, None] * site[None],
        link_slack=None,
        right=torch.cat([part.flatten(0, -2) for part in right]),
        empty=1.0 - torch.cat([part.flatten(0, -2) for part in full]).to(cost.dtype),
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
