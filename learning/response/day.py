"""A whole horizon as one linear program, for many instances at once: slots' programs, tied by their states.

Columns and rows are those of :mod:`.program` with the slots of all instances side by side, and a row more per
site for what its battery holds. What a slot leaves (waiting jobs, stored energy, warmth) enters two slots, so
the normal matrix is block tridiagonal. Everything within slots is eliminated for all of them at once; only
the rows that tie slots together are then factored one after the other, as in a Riccati recursion.

Jobs are fluid and generators may be partly on; link limits are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..problem import Problem
from .features import make_features
from .interior import Rows, site_blocks, solve_rows, taken
from .program import GPU, HEAT, POWER, Program, most_power, site_columns

#: Site rows behind those of a slot: content of the battery; with demand charges, highest import so far and
#: what may be imported without raising it.
STORE, RISE, CAP = 3, 4, 5
#: The column that ties a site row to the next slot's.
_TYING = {HEAT: "warm", STORE: "stored", RISE: "peak"}
#: From this tolerance on, single precision is tried.
ROUGH = 0.01
#: What is added to the scaled diagonal.
_RIDGE = {torch.float64: 1e-13, torch.float32: 1e-7}


@dataclass(frozen=True)
class Ties:
    """What a slot leaves, as entries in the rows of the next one (0 behind the last slot): ``held`` (n,K,TB)
    in supply; ``sites`` (·,n,TB) by kind of site row. ``waits`` (n·K,): whether such jobs may wait."""

    held: Tensor
    sites: dict[int, Tensor]
    waits: Tensor


@dataclass(frozen=True)
class DayPlan:
    """An optimal day: ``value`` and ``bound`` (N,) USD; by slot (T,N,...) ``it``, ``load`` and ``imported``
    MW, ``power`` USD/MWh and ``job`` (I,K) USD prices of power at the site and of one more job at hand,
    ``queue`` (I,K) jobs that wait after the slot."""

    value: Tensor
    bound: Tensor
    it: Tensor
    load: Tensor
    imported: Tensor
    power: Tensor
    job: Tensor
    queue: Tensor


def plan_day(problem: Problem, tolerance: float = 1e-6) -> DayPlan:
    """The best that can be done if everything comes as the problem says.

    ``tolerance``: how far the plan may be from its bound, in units of the largest cost of a slot. At a rough
    one single precision will do; where it does not, the days are planned again in double precision.
    """
    slots, batch, hours = problem.shape.n_slots, len(problem), problem.shape.slot_hours
    for kind in (torch.float32, torch.float64) if tolerance >= ROUGH else (torch.float64,):
        rows = day_rows(problem, kind)
        found = solve_rows(rows, tolerance)
        if bool((found.residual < tolerance).all()):
            break
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
    return DayPlan(
        value=found.value[:batch].double(),
        bound=found.bound[:batch].double(),
        it=it,
        load=it * problem.pue + by_slot(amounts[p.names["cooling"]].sum(0)),
        imported=by_slot(amounts[p.names["import"]].sum(0)),
        power=by_slot(prices[POWER] * scale[POWER] / hours),
        job=by_slot(-supply * p.money / rows.supply_unit),
        queue=by_slot((held * p.held_unit).sum(0)),
    )


class DayRows(Rows):
    """Products with the matrix of a whole horizon."""

    def __init__(self, p: Program, ties: Ties, supply_unit: Tensor, blocks: int):
        super().__init__(p)
        self.ties, self.blocks, self.supply_unit = ties, blocks, supply_unit
        self.batch = p.money.shape[-1] // blocks

    def normal(self, box: Tensor, options: Tensor) -> DayNormal:
        """The factored normal matrix."""
        return DayNormal(self, box, options)

    def taken(self, index: Tensor) -> DayRows:
        """Those of the chosen columns: all slots of the chosen instances."""
        sites = {kind: entry[..., index] for kind, entry in self.ties.sites.items()}
        ties = Ties(self.ties.held[..., index], sites, self.ties.waits)
        return DayRows(taken(self.p, index), ties, self.supply_unit[..., index], self.blocks)

    def total(self, values: Tensor) -> Tensor:
        """(TB,) sums over an instance's slots, at each of them."""
        return values.view(self.blocks, -1).sum(0).repeat(self.blocks)

    def least(self, values: Tensor) -> Tensor:
        """(TB,) the least of an instance's slots, at each of them."""
        return values.view(self.blocks, -1).amin(0).repeat(self.blocks)

    def priced(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Aᵀy for box columns and options."""
        box, options = super().priced(rows)
        supply, _, sites, _ = self.split(rows)
        _, held, _, own, _ = self.boxes(box)
        held[0] += self.ties.held * self.next(supply)
        for kind, entry in self.ties.sites.items():
            own[self.p.names[_TYING[kind]]] += entry * self.next(sites[kind])
        return box, options

    def used(self, box: Tensor, options: Tensor) -> Tensor:
        """A x (rows,TB)."""
        rows = super().used(box, options)
        _, held, _, own, _ = self.boxes(box)
        supply, _, sites, _ = self.split(rows)
        supply += self.before(self.ties.held * held[0])
        for kind, entry in self.ties.sites.items():
            sites[kind] += self.before((entry * own[self.p.names[_TYING[kind]]]).sum(0))
        return rows

    def next(self, values: Tensor) -> Tensor:
        """(...,TB) what the next slot has."""
        return torch.cat([values[..., self.batch :], torch.zeros_like(values[..., : self.batch])], -1)

    def before(self, values: Tensor) -> Tensor:
        """(...,TB) what the slot before has."""
        return torch.cat([torch.zeros_like(values[..., : self.batch]), values[..., : -self.batch]], -1)


class DayNormal:
    """The factored normal matrix A D Aᵀ, block tridiagonal over slots."""

    def __init__(self, rows: DayRows, box: Tensor, options: Tensor):
        p, n, k, ties = rows.p, rows.sites, rows.classes, rows.ties
        self.rows = rows
        transfers, held, lost, sites, _ = rows.boxes(box)
        empty_supply, empty_balance, empty_sites, _ = rows.split(p.empty)
        jk, size = n * k, p.right.shape[0]
        columns = box.shape[-1]
        matrix = box.new_zeros(size, size, columns)
        tied = held[0] * ties.held
        tied_sites = {kind: entry * sites[p.names[_TYING[kind]]] for kind, entry in ties.sites.items()}
        to_supply = p.transfer_supply * transfers
        supply = p.held.square() * held + rows.before(ties.held * tied)
        supply = supply.sum(0) + p.lost.square() * lost + (p.transfer_supply * to_supply).sum(2)
        matrix[:jk, :jk].diagonal(dim1=0, dim2=1).copy_((supply + empty_supply).reshape(jk, columns).t())
        across = (p.transfer_balance * to_supply).permute(1, 2, 0, 3)  # (K,n balance,n supply,·)
        part = matrix[jk : 2 * jk, :jk].view(k, n, n, k, columns)
        part.diagonal(dim1=0, dim2=3).copy_(across.permute(1, 2, 3, 0))
        j1, *squares = p.features.squares(options).unbind(2)
        balance = (p.transfer_balance.square() * transfers).sum(0) + (p.open * j1).transpose(0, 1)
        matrix[jk : 2 * jk, jk : 2 * jk].diagonal(dim1=0, dim2=1).copy_(
            (balance + empty_balance).reshape(jk, columns).t()
        )
        crossed, corner = site_blocks(p, sites, tuple(squares))
        part = matrix[2 * jk : 2 * jk + 3 * n, jk : 2 * jk].view(3, n, k, n, columns)
        part.diagonal(dim1=1, dim2=3).copy_(crossed.permute(0, 2, 3, 1))
        for kind, entry in ties.sites.items():
            corner[kind, kind] += rows.before((entry * tied_sites[kind]).sum(0))
        corner.diagonal().add_(empty_sites.permute(1, 2, 0))
        part = matrix[2 * jk :, 2 * jk :].view(len(p.site), n, len(p.site), n, columns)
        part.diagonal(dim1=1, dim2=3).copy_(corner.permute(0, 1, 3, 2))
        scale = matrix.diagonal().t().rsqrt()
        matrix.mul_(scale[:, None]).mul_(scale)
        matrix.diagonal().fill_(1.0 + _RIDGE[matrix.dtype])
        self.scale = scale
        # supply and balance were filled below the diagonal only
        matrix[:jk, jk : 2 * jk] = matrix[jk : 2 * jk, :jk].transpose(0, 1)
        matrix[jk : 2 * jk, 2 * jk :] = matrix[2 * jk :, jk : 2 * jk].transpose(0, 1)
        # supply rows of classes that never wait are alone on the diagonal
        self.alone: list[tuple[slice, slice, Tensor]] = []
        kept = torch.ones(size, dtype=torch.bool)
        for c in (~ties.waits.view(n, k)[0]).nonzero()[:, 0].tolist():
            here, there = slice(c, jk, k), slice(jk + c * n, jk + (c + 1) * n)
            entry = matrix[there, here].clone()  # (n balance,n supply,·)
            matrix[there, there] -= (entry[:, None] * entry).sum(2)
            self.alone.append((here, there, entry))
            kept[here] = False
        # rows that tie slots together come last
        is_tie = torch.zeros(size, dtype=torch.bool)
        is_tie[:jk] = ties.waits
        is_tie[2 * jk + HEAT * n :] = True
        self.ties, self.inner = is_tie.nonzero()[:, 0], (~is_tie & kept).nonzero()[:, 0]
        order, cut = torch.cat([self.inner, self.ties]), len(self.inner)
        whole = matrix[order[:, None], order].permute(2, 0, 1).contiguous()
        self.lower = whole[:, cut:, :cut]
        self.factor = torch.linalg.cholesky_ex(whole[:, :cut, :cut])[0]
        self.back = torch.cholesky_solve(self.lower.transpose(1, 2), self.factor)  # (·,inner,ties)
        own = whole[:, cut:, cut:] - self.lower @ self.back
        # entries between a slot's ties and the next one's
        waiting = int(ties.waits.sum())
        between = box.new_zeros(len(self.ties), len(self.ties), columns)
        between[:waiting, :waiting].diagonal(dim1=0, dim2=1).copy_(
            (p.held[0] * tied).reshape(jk, columns)[ties.waits].t()
        )
        kinds = range(HEAT, len(p.site))
        part = between[waiting:, waiting:].view(len(kinds), n, len(kinds), n, columns)
        for at, kind in enumerate(kinds):
            for after in ties.sites:
                entry = (p.site[kind][p.names[_TYING[after]]] * tied_sites[after]).sum(0)
                part[at, :, after - HEAT].diagonal(dim1=0, dim2=1).copy_(entry.t())
        between *= scale[self.ties][:, None]
        between *= rows.next(scale[self.ties])
        blocks, batch = rows.blocks, rows.batch
        self.between = between.permute(2, 0, 1).reshape(blocks, batch, *between.shape[:2])
        own = own.view(blocks, batch, *own.shape[1:])
        inverses: list[Tensor] = []
        for t in range(blocks):
            now = own[t]
            if t:
                tie = self.between[t - 1]
                now = now - tie.transpose(1, 2) @ inverses[-1] @ tie
            factor = torch.linalg.cholesky_ex(now)[0]
            # an instance that has broken down must not stop the others
            factor.diagonal(dim1=1, dim2=2).clamp_(min=torch.finfo(factor.dtype).tiny)
            inverses.append(torch.cholesky_inverse(factor))
        self.inverses = inverses

    def solve(self, right: Tensor) -> Tensor:
        """y of A D Aᵀ y = right, (rows,TB)."""
        blocks, batch = self.rows.blocks, self.rows.batch
        rows = right * self.scale
        for here, there, entry in self.alone:
            rows[there] -= (entry * rows[here]).sum(1)
        scaled = rows.t()  # (TB,rows)
        inner = torch.cholesky_solve(scaled[:, self.inner, None], self.factor)
        rest = scaled[:, self.ties, None] - self.lower @ inner
        rest = rest.view(blocks, batch, -1, 1)
        carried = [rest[0]]
        for t in range(1, blocks):
            tie = self.between[t - 1].transpose(1, 2)
            carried.append(rest[t] - tie @ (self.inverses[t - 1] @ carried[-1]))
        found = [self.inverses[-1] @ carried[-1]]
        for t in reversed(range(blocks - 1)):
            found.append(self.inverses[t] @ (carried[t] - self.between[t] @ found[-1]))
        ties = torch.stack(found[::-1]).view(blocks * batch, -1, 1)
        inner = inner - self.back @ ties
        rows[self.ties], rows[self.inner] = ties[..., 0].t(), inner[..., 0].t()
        for here, there, entry in self.alone:
            rows[here] -= (entry * rows[there][:, None]).sum(0)
        return rows * self.scale


def day_rows(problem: Problem, kind: torch.dtype = torch.float64) -> DayRows:
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
        highest = grid.view(*grid.shape[:-1], slots, batch).amax(-2).repeat(1, slots)
        rows = [(*column, zero, one if column[0] == "import" else zero) for column in columns]
        columns = [
            *rows,
            ("peak", highest, zero, zero, zero, zero, zero, one, -one),
            ("rise", highest, charge, zero, zero, zero, zero, -one, zero),
            ("under", 2.0 * highest, zero, zero, zero, zero, zero, zero, one),
        ]
    names, site_unit, site_cost, entries = site_columns(columns)
    power_scale = (grid + sun + power + fuel + sold).clamp(min=1e-12)
    heat_scale = ((most + cop * chill) * thermal + span / rate).clamp(min=1e-12)
    content_scale, grid_scale = torch.where(capacity > 0, capacity, 1.0), grid.clamp(min=1e-12)
    scales = [gpu_time.clamp(min=1e-12), power_scale, heat_scale, content_scale, grid_scale, grid_scale]
    scale = torch.stack(scales[: len(entries)])
    supply_scale = torch.where(at_hand > 0, at_hand, 1.0)
    balance_scale = torch.where(unit > 0, unit, 1.0)
    site = entries * site_unit / scale[:, None]

    def carry(values: Tensor) -> Tensor:
        """Values of the next slot (nothing behind the last)."""
        return torch.cat([values[..., batch:], torch.zeros_like(values[..., :batch])], -1)

    tying = {HEAT: kept, STORE: -one, RISE: -one}
    ties = Ties(
        held=-limit * carry(1 / supply_scale),
        sites={
            row: site_unit[names[name]] * carry(tying[row] / scale[row])
            for row, name in _TYING.items()
            if row < len(scale)
        },
        waits=(limit > 0).any(-1).any(0).repeat(len(limit)),
    )
    begin = [gpu_time, zero, to_floor, is_first * stored, first(problem.first_peak), zero]
    right_sites = torch.stack(begin[: len(scale)]) / scale
    right = [coming / supply_scale, torch.zeros_like(unit).transpose(0, 1), right_sites]
    lost_unit = 2.0 * at_hand
    costs = [
        same(problem.moving_cost) * transfer_unit,
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
