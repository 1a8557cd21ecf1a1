"""What a slot's response rejected: per site the best other decision for its main jobs, and its regret.

By weak duality at the response's own multipliers: the plan's bound, with n jobs forced onto a column of
reduced cost r, falls by n·r at least. So the regret is at least n·r less the distance of bound and objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import Problem

from .programs.rows import Rows
from .programs.slot_program import GPU
from .slot import Plan

Numbers = NDArray[Any]

#: Jobs, as a share of what a site can run, that count as none.
_NONE = 1e-6


class Kind(IntEnum):
    """What could have been done instead."""

    OPTION = 0
    SITE = 1
    WAIT = 2
    LOST = 3
    NOTHING = 4


@dataclass(frozen=True)
class Rejected:
    """Per instance and site (B,J): the class that brings most there, its ``jobs``, its main ``option`` (index
    into the tables), money per job at the prices (``revenue``, ``gpu_time``, ``power``), and the best other
    decision: ``kind``, ``instead`` (an option, or a site; else −1), how many jobs it moves (``moved``), the
    ``loss`` USD per job at the prices, and the ``regret`` USD that all of them cost at least.

    ``origin`` (B,J): whose jobs would go elsewhere, wait or be lost.
    """

    job_class: Numbers
    jobs: Numbers
    option: Numbers
    origin: Numbers
    revenue: Numbers
    gpu_time: Numbers
    power: Numbers
    kind: Numbers
    instead: Numbers
    moved: Numbers
    loss: Numbers
    regret: Numbers


def rejected(problem: Problem, plan: Plan) -> Rejected:
    """The best rejected alternatives of a plan, all instances and sites at once."""
    p, found = plan.relaxed
    rows, money = Rows(p), p.money
    supply, balance, sites, links = rows.split(found.multipliers)
    count, sites_n = p.money.shape[-1], problem.shape.sites
    b, j = np.arange(count)[:, None], np.arange(sites_n)[None, :]

    def per_job(reduced: Numbers, unit: Numbers) -> Numbers:
        """USD per job of a column, instances first; infinite where it cannot be used."""
        usd = np.divide(reduced * money, unit, out=np.full(np.shape(unit), np.inf), where=unit > 0)
        first: Numbers = usd.transpose(-1, *range(usd.ndim - 1))
        return first

    # options, USD per job (B,J,K,O)
    single = p.features.single if not p.features.shared else p.features.single[..., None]
    mw = p.job_power[:, :, None] * single[:, :, 2] + p.idle_power[:, :, None] * single[:, :, 1]
    timed = p.job_seconds[:, :, None] * single[:, :, 1] * sites[GPU][:, None, None]
    powered = mw * (p.power_entry * sites[1:3]).sum(0)[:, None, None]
    of_balance = balance.swapaxes(0, 1)[:, :, None] * single[:, :, 0]
    unit = np.broadcast_to(p.option_unit[:, :, None], timed.shape)
    usable = np.broadcast_to(p.open[:, :, None] * p.features.usable() > 0, timed.shape)
    reduced = per_job(np.where(usable, p.option_cost - of_balance - timed - powered, np.inf), unit)
    gpu_time, power = -per_job(-timed, unit), -per_job(-powered, unit)

    request = plan.request
    assert request.mix is not None
    jobs = request.transfers.sum(1).swapaxes(1, 2)  # (B,J,K)
    runs = jobs[..., None] * request.mix
    brings = np.where(problem.row >= 0, problem.revenue, 0.0)
    k = (runs * brings).sum(-1).argmax(-1)  # (B,J)
    mine = runs[b, j, k]  # (B,J,O)
    option, n = mine.argmax(-1), jobs[b, j, k]
    some = n > _NONE * np.maximum(p.option_unit.transpose(2, 0, 1)[b, j, k], 1e-30)
    coming = request.transfers.transpose(0, 3, 2, 1)[b, j, k]  # (B,J,I)
    origin = coming.argmax(-1)
    moved = coming[b, j, origin]

    losses, amounts, instead = [], [], []

    # another option
    here = reduced[b, j, k]
    best = np.minimum(here.min(-1, keepdims=True), 0.0)
    extra = np.where(mine <= _NONE * n[..., None], here - best, np.inf)
    other = extra.argmin(-1)
    seconds = np.broadcast_to(problem.seconds, (count, *problem.seconds.shape[1:]))[b, j, k, other]
    fits = np.where(seconds > 0, problem.fleet_seconds / np.maximum(seconds, 1e-30), np.inf)
    losses.append(extra[b, j, other])
    amounts.append(np.minimum(mine[b, j, option], fits))
    instead.append(other)

    # another site
    way = p.cost[rows.columns[0]].reshape(p.transfer_unit.shape) - supply[:, :, None] * p.transfer_supply
    way = way - balance.swapaxes(0, 1).transpose(1, 0, 2)[None] * p.transfer_balance
    if links is not None and p.transfer_link is not None:
        way = way - links[:, None] * p.transfer_link
    moving = per_job(way, p.transfer_unit)[b, origin, k]  # (B,J,J')
    moving = np.where(np.arange(sites_n) == j[..., None], np.inf, np.maximum(moving, 0.0))
    target = moving.argmin(-1)
    losses.append(moving[b, j, target])
    amounts.append(np.minimum(moved, p.transfer_unit.transpose(3, 0, 1, 2)[b, origin, k, target]))
    instead.append(target)

    # waiting: the pieces of the queue's value fill in their order
    held = rows.boxes(p.cost)[1] - supply * p.held
    pieces = p.held_unit.transpose(3, 1, 2, 0)[b, origin, k]  # (B,J,S)
    held_loss = per_job(held, p.held_unit).transpose(0, 2, 3, 1)[b, origin, k]
    waiting = (rows.boxes(found.box)[1] * p.held_unit).transpose(3, 1, 2, 0)[b, origin, k].sum(-1)
    more = np.clip(pieces.sum(-1) - waiting, 0.0, moved)
    filled = np.clip((waiting + more)[..., None] - (pieces.cumsum(-1) - pieces), 0.0, pieces)
    cost = np.where(filled > 0, np.maximum(held_loss, 0.0), 0.0) * filled
    losses.append(np.divide(cost.sum(-1), more, out=np.full(more.shape, np.inf), where=more > 0))
    amounts.append(more)
    instead.append(np.full_like(k, -1))

    # not at all
    lost = per_job(rows.boxes(p.cost)[2] - supply * p.lost, p.lost_unit)[b, origin, k]
    losses.append(np.maximum(lost, 0.0))
    amounts.append(moved)
    instead.append(np.full_like(k, -1))

    loss, amount = np.stack(losses), np.stack(amounts)
    loss = np.where(amount > _NONE * n, loss, np.inf)
    kind = loss.argmin(0)

    def chosen(values: Numbers) -> Numbers:
        picked: Numbers = np.take_along_axis(values, kind[None], 0)[0]
        return picked

    per, many = chosen(loss), chosen(amount)
    possible = some & np.isfinite(per)
    per, many = np.where(possible, per, 0.0), np.where(possible, many, 0.0)
    return Rejected(
        job_class=k,
        jobs=np.where(some, n, 0.0),
        option=option,
        origin=origin,
        revenue=np.broadcast_to(brings, runs.shape)[b, j, k, option],
        gpu_time=np.where(some, gpu_time[b, j, k, option], 0.0),
        power=np.where(some, power[b, j, k, option], 0.0),
        kind=np.where(possible, kind, Kind.NOTHING),
        instead=chosen(np.stack(instead)),
        moved=many,
        loss=per,
        regret=many * per - np.maximum(plan.bound - plan.objective, 0.0)[:, None],
    )
