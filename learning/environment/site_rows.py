"""What a policy sees site by site: a row of numbers each, whose meaning does not depend on how many sites.

Rows are for networks that are shared by the sites (:mod:`..networks.by_site`). A row has, in this order:

* the site now: import cost, export price, renewables, outside warmth, what a cooled MWh costs, arrivals;
* its fixed sizes: battery, generator, demand charge, price of what is left at the end; per class what it
  costs to lose a job, and to move one to another site;
* per class three of its options by time, energy and revenue: the shortest, and those that earn most net of
  electricity at its price at the end and at a quarter of that;
* per class what a job would earn net of electricity, now and in blocks of the coming day;
* what GPU time is worth there, and what a job of the site earns, wherever it runs, at such prices
  (:mod:`.gpu_time_ahead`), now and in the blocks;
* the moment, and the blocks: cost and renewables against now, lowest and highest cost ahead, arrivals;
* where the task wants it, the recent past: cost, renewables and arrivals of its blocks against now;
* the state: stored energy, warmth, highest import so far, what waits at the site, by urgency, counted in
  jobs and in GPU time.

Money of options is in units of the class's best revenue anywhere. Jobs are in units of the flat observation,
a site's equal share of what the fleets can run; GPU time is that of so many jobs, as a share of the site's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import numbers_of, shape_of
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.planners.forecasts import Forecast, make_forecast, terminal_price_at

from .gpu_time_ahead import gpu_time_ahead
from .observation import BLOCKS, PRICE_SCALE, Slots, asked_for, in_place, moment
from .recent_past import recent_past

Floats = NDArray[np.float64]

#: Electricity per MWh of IT is at most so many MWh: a cooling that hardly works is none.
MOST_OVERHEAD = 5.0
#: To lose or to move a job costs at most so many times its class's best revenue: what costs more is not done.
MOST_COST = 5.0


def rows_outlook(
    instances: Sequence[Instance],
    information: str,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
    past_hours: Sequence[float] = (),
    slot: int | None = None,
) -> Floats:
    """(T,N,J·F) what actions cannot change; arguments as for :func:`.observation.outlook`."""
    past = [None] * len(instances) if histories is None else list(histories)
    columns = []
    for number, (inst, before) in enumerate(zip(instances, past, strict=True)):
        a = inst.arrays()
        history = None if before is None else before.arrays()
        believe = None
        if information != "none":
            believe = make_forecast(information, a, history, seed + number)
        asked = asked_for(a.n_slots, slot)
        rows = _believed_rows(inst, a, believe, asked)
        if past_hours:
            rows = np.concatenate([rows, _behind(a, history, past_hours)[asked]], axis=-1)
        columns.append(in_place(rows.reshape(len(rows), -1), asked, a.n_slots))
    return np.stack(columns, axis=1)


def observe_rows(e: Engine, problem: Problem, t: int, state: PlantState, seen: Array) -> Array:
    """(B,J,F') the rows in slot t; ``seen`` (B,J·F) is the slot's outlook. At t = T all slots are over."""
    after = min(t, problem.shape.n_slots - 1)
    known = state.waiting if t == problem.shape.n_slots else state.waiting + problem.arrivals[after]
    urgent = e.positive(known[..., None] - problem.recent[after]) * problem.per_job[..., None]
    charged = (state.energy - problem.energy_min) * problem.per_energy
    batch, sites = len(problem), problem.shape.sites
    seen = seen.reshape(batch, sites, -1)
    waiting = state.waiting * problem.per_job
    # the row begins with the GPU time of what is usually chosen
    usual = seen[..., : problem.shape.classes]
    parts = [
        seen,
        charged[..., None],
        ((state.temperature - problem.min_c) * problem.per_warmth)[..., None],
        (state.peak * problem.per_power)[..., None],
        waiting,
        waiting * usual,
        urgent.reshape(batch, sites, -1),
        (urgent * usual[..., None]).reshape(batch, sites, -1),
    ]
    if problem.shape.has_generator:
        parts.append(e.real(state.restart <= 0, charged)[..., None])
    return e.concat(parts)


def row_size(problem: Problem, outlook_size: int) -> int:
    """F', numbers of a row."""
    j, k = problem.shape.sites, problem.shape.classes
    urgencies = int(problem.recent.shape[-1])
    return outlook_size // j + 3 + 2 * k * (1 + urgencies) + problem.shape.has_generator


def _believed_rows(inst: Instance, a: InstanceArrays, believe: Forecast | None, asked: Slots) -> Floats:
    """(·,J,F) of the slots that are asked for, at the price at the end that is believed in each."""
    believed = np.stack([terminal_price_at(a, believe, t) for t in asked.tolist()])
    prices, of_slot = np.unique(believed, axis=0, return_inverse=True)
    rows = [
        _rows(inst, replace(a, terminal_price=price), believe, asked[of_slot == number])
        for number, price in enumerate(prices)
    ]
    return np.concatenate(rows)[np.argsort(np.argsort(of_slot, kind="stable"), kind="stable")]


def _rows(inst: Instance, a: InstanceArrays, believe: Forecast | None, asked: Slots) -> Floats:
    """(·,J,F) of the slots that are asked for."""
    size = numbers_of(a, shape_of(a))
    power = size["site_power"][:, None]
    options = _Options(a, size)
    overhead = np.minimum(np.where(a.thermal[:, None], 1 + 1 / np.maximum(a.cop, 1e-6), a.pue), MOST_OVERHEAD)
    told = options.told()
    usual, shortest = told[0][:, :, None], told[3][:, :, None]
    jobs = a.arrivals / size["job_scale"][0][None, :, None]
    now = [
        a.import_cost / PRICE_SCALE,
        a.export_price / PRICE_SCALE,
        a.renewable_mw / power,
        np.where(a.thermal[:, None], a.outside_c / 30, 0.0),
        overhead - 1,
        *jobs.swapaxes(0, 1),
        (jobs * usual).sum(axis=1),
        (jobs * shortest).sum(axis=1),
    ]
    fixed = [
        a.energy_max_mwh / size["site_power"] / 4,
        a.battery_power_mw / size["site_power"],
        a.generator_max_mw / size["site_power"],
        a.demand_charge / 1e3,
        a.terminal_price / PRICE_SCALE,
    ]
    slots, sites, k = len(asked), len(a.sites), len(a.classes)
    series = np.stack([*now, *options.net(a.import_cost * overhead)], axis=-1).swapaxes(0, 1)
    scarce = options.scarce((a.import_cost * overhead).T[asked], a.arrivals.transpose(2, 0, 1)[asked])
    parts = [
        np.broadcast_to(np.concatenate(told, axis=1), (slots, sites, 9 * k)),
        series[asked],
        np.broadcast_to(np.stack(fixed, axis=-1), (slots, sites, len(fixed))),
        np.broadcast_to(options.elsewhere(), (slots, sites, 2 * k)),
        np.broadcast_to(moment(inst)[asked, None], (slots, sites, 5)),
        scarce,
    ]
    if believe is not None:
        parts.append(_ahead(a, size, options, overhead, believe, asked))
    return np.concatenate(parts, axis=-1)


class _Options:
    """What the options of each site and class take and bring: (J,K,O) each, nothing where there is none."""

    def __init__(self, a: InstanceArrays, size: dict[str, Any]):
        there = size["row"] >= 0
        best = np.where(there, size["revenue"], 0.0).max((0, 2))[:, None]
        self.revenue = np.where(there, size["revenue"], 0.0) / np.where(best > 0, best, 1.0)
        # MWh a job times this is a job's electricity at 1 USD/MWh in units of the class's best revenue
        self.energy = np.where(there, size["energy"], 0.0) / np.where(best > 0, best, 1.0)
        share = size["job_scale"][0] / np.maximum(size["fleet_seconds"], 1e-9)[:, None]
        self.time = np.where(there, size["seconds"], 0.0) * share[..., None]
        self.there = there
        self.price = a.terminal_price[:, None]
        self.scale = size["job_scale"][0]
        worth = best[:, 0] * np.where(there.any((0, 2)), self.scale, 0.0)
        self.weight = worth / worth.mean() if worth.any() else worth
        per_best = np.where(best[:, 0] > 0, 1 / np.where(best > 0, best, 1.0)[:, 0], 0.0)
        self.lost = np.minimum(a.miss_penalty * per_best, MOST_COST)
        moving = np.minimum(a.transfer_cost[:, :, None] * (a.payload_gb * per_best), MOST_COST)
        self.moving = np.where(a.transfer_allowed[:, :, None], moving, MOST_COST)

    def told(self) -> list[Floats]:
        """GPU time, electricity and revenue (J,K) of the option that earns most at the price at the end, of
        the shortest, and of the one that earns most at a quarter of the price."""
        cost = self.energy * self.price[..., None]
        scores = (self.revenue - cost, -self.time, self.revenue - cost / 4)
        picks = [np.where(self.there, score, -np.inf).argmax(-1)[..., None] for score in scores]
        return [
            np.take_along_axis(values, pick, -1)[..., 0]
            for pick in picks
            for values in (self.time, cost, self.revenue)
        ]

    def scarce(self, cost: Floats, arrivals: Floats) -> Floats:
        """(B,J,1+K) the price of GPU time in blocks with a cost (B,J) of electricity and arrivals
        (B,I,K) a slot, and what a site's jobs of each class earn at it."""
        net = np.where(self.there, self.revenue - self.energy * cost[:, :, None, None], -np.inf)
        time = np.where(self.there, self.time, 0.0)
        found = gpu_time_ahead(net, time, arrivals / self.scale, self.weight, self.moving, self.lost)
        return np.concatenate([found.price[..., None], found.earned], axis=-1)

    def elsewhere(self) -> Floats:
        """(J,2·K) what it costs to lose a job, and to have it run elsewhere (the mean of other sites)."""
        sites = len(self.moving)
        away = self.moving.sum(1) / max(sites - 1, 1)
        return np.concatenate([np.broadcast_to(self.lost, away.shape), away], axis=1)

    def net(self, cost: Floats) -> Floats:
        """(K,J,·) the most that a job earns at a cost (J,·) of electricity, at least 0."""
        earned = self.revenue[..., None] - self.energy[..., None] * cost[:, None, None, :]
        found: Floats = np.maximum(earned.max(axis=2), 0.0).swapaxes(0, 1)
        return found


def _behind(a: InstanceArrays, history: InstanceArrays | None, hours: Sequence[float]) -> Floats:
    """(T,J,·) blocks of the past against now."""
    size, past = numbers_of(a, shape_of(a)), recent_past(a, history, hours)
    jobs = past.arrivals / (size["job_scale"][0] * len(a.sites))
    jobs = jobs.reshape(a.n_slots, 1, -1)
    blocks = [
        (past.cost / PRICE_SCALE).swapaxes(1, 2),
        (past.renewable / size["site_power"]).swapaxes(1, 2),
        np.broadcast_to(jobs, (a.n_slots, len(a.sites), jobs.shape[-1])),
    ]
    return np.concatenate(blocks, axis=-1)


def _ahead(
    a: InstanceArrays,
    size: dict[str, Any],
    options: _Options,
    overhead: Floats,
    believe: Forecast,
    asked: Slots,
) -> Floats:
    """(·,J,·) blocks of the forecast against now; what lies beyond the horizon is as now."""
    ends = [max(1, round(hours / a.slot_hours)) for hours in BLOCKS]
    power, share = size["site_power"], size["job_scale"][0] * len(a.sites)
    rows, block_costs, block_jobs = [], [], []
    for t in asked.tolist():
        stop = min(a.n_slots, t + 1 + ends[-1])
        now = a.import_cost[:, t]
        jobs_now = a.arrivals[:, :, t]
        cost = sun = jobs = None
        if stop > t + 1:
            belief = believe(t, t + 1, stop)
            cost = belief["import_price"] + a.carbon_price / 1000 * belief["carbon_kg_per_mwh"]
            sun, jobs = belief["renewable_mw"], belief["arrivals"]
        parts: list[Floats] = []
        costs, coming, start = [], [], 0
        for end in ends:
            if cost is None or sun is None or jobs is None or start >= cost.shape[1]:
                parts += [np.zeros(len(power)), np.zeros(len(power))]
                parts += [np.zeros(len(power))] * len(a.classes)
                costs.append(now)
                coming.append(jobs_now)
            else:
                inside = slice(start, end)
                costs.append(cost[:, inside].mean(axis=1))
                coming.append(jobs[..., inside].mean(axis=-1))
                parts.append((costs[-1] - now) / PRICE_SCALE)
                parts.append((sun[:, inside].mean(axis=1) - a.renewable_mw[:, t]) / power)
                change = (coming[-1] - jobs_now).sum(axis=0) / share
                parts += [np.full(len(power), one) for one in change]
            start = end
        low, high = (now, now) if cost is None else (cost.min(axis=1), cost.max(axis=1))
        parts += [(low - now) / PRICE_SCALE, (high - now) / PRICE_SCALE]
        costs = [one * overhead[:, t] for one in costs]
        block_costs.append(costs)
        block_jobs.append(coming)
        ahead = np.stack([*costs, low * overhead[:, t]], axis=-1)
        net = options.net(ahead).transpose(1, 0, 2).reshape(len(power), -1)
        rows.append(np.concatenate([np.stack(parts, axis=-1), net], axis=-1))
    scarce = options.scarce(
        np.array(block_costs).reshape(-1, len(power)), np.array(block_jobs).reshape(-1, *a.arrivals.shape[:2])
    )
    scarce = scarce.reshape(len(asked), len(ends), len(power), -1).swapaxes(1, 2)
    return np.concatenate([np.array(rows), scarce.reshape(len(asked), len(power), -1)], axis=-1)
