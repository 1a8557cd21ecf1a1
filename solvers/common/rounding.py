"""From the fractional jobs of a relaxation to whole jobs next to them.

Slot by slot: what each queue sends follows the rounded cumulative plan (so errors do not add up), goes where
the plan sends it, and is generated with the plan's options; where whole jobs do not fit into the GPU time or
power of a site, jobs move to faster or thriftier options at the least loss. What still does not fit waits, or
runs at another site if it would be lost. Moves of one or two jobs then use the room that rounding has left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLACK = 1e-9

#: Moves that polish one site in one slot; the least gain of one as a share of the best job's profit, and as a
#: share of all jobs' profit.
_POLISHES, _WORTH, _WORTH_AMONG_MANY = 60, 1e-4, 1e-6
#: Moves that make room at one site in one slot; jobs that do not fit by then are dropped.
_SQUEEZES = 200


@dataclass(frozen=True)
class Plan:
    """Fractional jobs with what they are worth.

    ``transfers`` (I,J,K,T), ``runs`` (O,T), ``gpus_on`` (J,T) whole numbers; ``profit`` (O,T) USD per job at
    the relaxation's power prices; ``it_limit_mw`` (J,T) IT power the site can take (inf where not limited);
    ``gpu_cost`` (J,T) USD per GPU on, at the same prices.
    """

    transfers: Floats
    runs: Floats
    gpus_on: Floats
    profit: Floats
    it_limit_mw: Floats
    gpu_cost: Floats


def round_jobs(a: InstanceArrays, plan: Plan) -> tuple[Floats, Floats, Floats]:
    """Whole transfers (I,J,K,T), runs (O,T) and GPUs on (J,T) that keep queues, links, GPU time and power."""
    arrived = a.state.backlog.sum(axis=2)[:, :, None] + a.arrivals.cumsum(axis=2)
    due = arrived - a.waiting_limit()
    planned = np.round(plan.transfers.sum(axis=1).cumsum(axis=2))
    transfers, runs = np.zeros_like(plan.transfers), np.zeros_like(plan.runs)
    gpus_on = plan.gpus_on.copy()
    sent = np.zeros(arrived.shape[:2])
    lost = np.zeros(arrived.shape[:2])
    sites = [_Site(a, j) for j in range(len(a.sites))]
    link_gb = a.link_gb_per_hour * a.slot_hours
    limited = np.argwhere(np.isfinite(link_gb))
    served = a.served()
    for t in range(a.n_slots):
        ready = arrived[:, :, t] - sent - lost
        target = np.clip(planned[:, :, t] - sent, 0.0, ready)
        moving = _split(plan.transfers[:, :, :, t], target)
        for i, j in limited:
            _keep_link(moving[i], j, i, a, link_gb[i, j])
        stranded = np.zeros_like(sent)
        for site in sites:
            j = site.index
            coming = moving[:, j, :].sum(axis=0)
            if not coming.any():
                continue
            fitted, gpus = site.fit(coming, *_asked(plan, site, t), gpus_on[j, t])
            gpus_on[j, t] = gpus
            runs[site.rows, t] = fitted
            for k, surplus in enumerate(coming - site.per_class(fitted)):
                if surplus > 0:
                    stranded[:, k] += _send_back(moving[:, j, k], surplus)
        losing = np.minimum(stranded, due[:, :, t] - lost - sent - moving.sum(axis=1))
        for i, k in np.argwhere(losing > _SLACK):
            ways = [site for site in sites if a.transfer_allowed[i, site.index] and served[site.index, k]]
            left, count = np.floor(losing[i, k] + _SLACK), 1.0
            # more at a time as long as they find a place, then fewer: every turn places jobs or halves them
            while (count := min(count, left)) >= 1:
                if _elsewhere(a, plan, t, i, k, count, ways, moving, runs, gpus_on, link_gb):
                    left, count = left - count, 2 * count
                else:
                    count = np.floor(count / 2)
        transfers[:, :, :, t] = moving
        sent += moving.sum(axis=1)
        lost = np.maximum(lost, due[:, :, t] - sent)
    return transfers, runs, gpus_on


def _split(share: Floats, target: Floats) -> Floats:
    """Whole numbers along axis 1 that add up to ``target``, by largest remainder of ``share``."""
    whole = np.floor(share + _SLACK)
    remainder = share - whole
    missing = target - whole.sum(axis=1)
    for i, k in np.argwhere(missing != 0):
        rest = missing[i, k]
        ways = np.flatnonzero(share[i, :, k] > 0)
        while rest > 0 and len(ways):
            j, step = int(ways[np.argmax(remainder[i, ways, k])]), 1.0
            if remainder[i, j, k] <= 0:
                # far behind the plan: everything left goes the plan's main way
                j, step = int(np.argmax(share[i, :, k])), float(rest)
            whole[i, j, k] += step
            remainder[i, j, k] -= step
            rest -= step
        while rest < 0:
            loaded = np.flatnonzero(whole[i, :, k] > 0)
            j = int(loaded[np.argmin(remainder[i, loaded, k])])
            step = _too_many(-rest, float(whole[i, j, k]), len(loaded))
            whole[i, j, k] -= step
            remainder[i, j, k] += step
            rest += step
    return whole


def _too_many(rest: float, there: float, among: int) -> float:
    """How many to take off one of several: one by one in the end, before that as many as each has to give."""
    return min(rest, there, max(1.0, float(rest // among)))


def _keep_link(moving: Floats, j: int, i: int, a: InstanceArrays, capacity: float) -> None:
    """Take jobs off an overfull link: they stay at home where that can serve them, else wait."""
    served = a.served()[i]
    while (over := float(a.payload_gb @ moving[j]) - capacity) > _SLACK:
        loaded = np.flatnonzero((moving[j] > 0) & (a.payload_gb > 0))
        k = int(loaded[np.argmax(a.payload_gb[loaded])])
        count = min(moving[j, k], max(1.0, np.ceil(over / a.payload_gb[k] - _SLACK)))
        moving[j, k] -= count
        if served[k]:
            moving[i, k] += count


def _send_back(moving: Floats, surplus: float) -> Floats:
    """Leave jobs of one site and class waiting, the largest senders first; whose they are."""
    before = moving.copy()
    while surplus > 0:
        i = int(np.argmax(moving))
        count = min(surplus, moving[i])
        moving[i] -= count
        surplus -= count
    return before - moving


def _asked(plan: Plan, site: _Site, t: int) -> tuple[Floats, Floats, float, float]:
    """What the plan runs at a site, what jobs are worth there, the power they may draw, what a GPU costs."""
    j, rows = site.index, site.rows
    return plan.runs[rows, t], plan.profit[rows, t], float(plan.it_limit_mw[j, t]), float(plan.gpu_cost[j, t])


def _elsewhere(
    a: InstanceArrays,
    plan: Plan,
    t: int,
    i: int,
    k: int,
    count: float,
    ways: list[_Site],
    moving: Floats,
    runs: Floats,
    gpus_on: Floats,
    link_gb: Floats,
) -> bool:
    """Run jobs that would be lost where they do the least harm; whether that beats losing them."""
    least, chosen = -float(count * a.miss_penalty[k]), None
    for site in ways:
        j, rows = site.index, site.rows
        if a.payload_gb @ moving[i, j] + count * a.payload_gb[k] > link_gb[i, j] + _SLACK:
            continue
        coming = moving[:, j, :].sum(axis=0)
        coming[k] += count
        fitted, gpus = site.fit(coming, *_asked(plan, site, t), gpus_on[j, t])
        if (site.per_class(fitted) < coming).any():
            continue
        gain = plan.profit[rows, t] @ (fitted - runs[rows, t])
        gain -= count * a.transfer_cost[i, j] * a.payload_gb[k]
        gain -= plan.gpu_cost[j, t] * (gpus - gpus_on[j, t])
        if gain > least:
            least, chosen = gain, (site, fitted, gpus)
    if chosen is None:
        return False
    site, fitted, gpus = chosen
    moving[i, site.index, k] += count
    runs[site.rows, t], gpus_on[site.index, t] = fitted, gpus
    return True


def _room(capacity: float) -> float:
    """How far rounding of the sums may overstep a capacity."""
    return max(1e-10, 1e-14 * capacity)


class _Site:
    """The options of one site, and the ways to make a job of a class shorter or thriftier."""

    def __init__(self, a: InstanceArrays, index: int) -> None:
        self.index = index
        o = a.options
        self.rows = np.flatnonzero(o.site == index)
        self.classes = o.job_class[self.rows]
        self.penalty = a.miss_penalty[self.classes]
        self.seconds = o.seconds[self.rows]
        self.it_mw = o.energy_mwh[self.rows] / a.slot_hours
        self.n_classes = len(a.classes)
        self.per_gpu = float(a.seconds_per_gpu[index])
        self.idle_mw = float(a.gpu_idle_mw[index])
        self.gpus = float(a.gpus[index])
        same = self.classes[:, None] == self.classes[None, :]
        self.one, self.other = np.nonzero(same & ~np.eye(len(self.rows), dtype=bool))
        self.longer = self.seconds[self.other] - self.seconds[self.one]
        self.stronger = self.it_mw[self.other] - self.it_mw[self.one]

    def per_class(self, runs: Floats) -> Floats:
        return np.bincount(self.classes, weights=runs, minlength=self.n_classes).astype(float)

    def fit(
        self, coming: Floats, planned: Floats, profit: Floats, it_limit: float, gpu_cost: float, gpus: float
    ) -> tuple[Floats, float]:
        """Whole runs of as many of the coming jobs as fit, and the GPUs they need."""
        runs = self._by_remainder(coming, planned, profit)
        for _ in range(2):
            seconds, power = gpus * self.per_gpu, it_limit - self.idle_mw * gpus
            self._squeeze(runs, profit, seconds, power)
            needed = min(float(np.ceil(self.seconds @ runs / self.per_gpu - 1e-12)), self.gpus)
            if needed <= gpus or not runs.any():
                break
            fewer = runs.copy()
            self._shed(fewer, profit, self.seconds, seconds)
            if (profit + self.penalty) @ (runs - fewer) < gpu_cost * (needed - gpus):
                break  # some jobs less cost less than one GPU more
            gpus = needed
        seconds, power = gpus * self.per_gpu, it_limit - self.idle_mw * gpus
        self._shed(runs, profit, self.it_mw, power)
        self._shed(runs, profit, self.seconds, seconds)
        self._polish(runs, profit, seconds, power)
        return runs, gpus

    def _squeeze(self, runs: Floats, profit: Floats, seconds: float, power: float) -> None:
        """Move jobs to shorter or thriftier options until both capacities hold, at the least loss."""
        unit = np.array([self.seconds.max(initial=1e-12), self.it_mw.max(initial=1e-12)])
        slack = np.array([_room(seconds), _room(power)]) / unit
        for _ in range(_SQUEEZES):
            over = np.array([self.seconds @ runs - seconds, self.it_mw @ runs - power]) / unit
            if (over <= slack).all():
                return
            ways = np.flatnonzero(runs[self.one] >= 1)
            one, other = self.one[ways], self.other[ways]
            over = np.maximum(over, 0.0)[:, None]
            more = np.stack([self.longer[ways], self.stronger[ways]]) / unit[:, None]
            eased = (over - np.maximum(over + more, 0.0)).sum(axis=0)
            useful = eased > 1e-9
            if not useful.any():
                return
            rate = np.where(useful, profit[one] - profit[other], np.inf) / np.where(useful, eased, 1.0)
            way = int(np.argmin(rate))
            # as many at once as ease as much each
            saved = -more[:, way]
            eases = (saved > 0) & (over[:, 0] > slack)
            most = np.min(over[eases, 0] / saved[eases], initial=np.inf)
            count = min(runs[one[way]], max(1.0, np.floor(most)))
            runs[one[way]] -= count
            runs[other[way]] += count

    def _polish(self, runs: Floats, profit: Floats, seconds: float, power: float) -> None:
        """Move one or two jobs at a time to other options as long as that earns more and still fits."""
        size = np.abs(profit)
        least = max(_WORTH * float(size.max(initial=0.0)), _WORTH_AMONG_MANY * float(size @ runs))
        for _ in range(_POLISHES):
            room = seconds - self.seconds @ runs, power - self.it_mw @ runs
            ways = np.flatnonzero(runs[self.one] >= 1)
            better = profit[self.other[ways]] - profit[self.one[ways]]
            longer, stronger = self.longer[ways], self.stronger[ways]
            # the way that changes nothing makes single moves pairs
            longer, stronger, better = (np.append(v, 0.0) for v in (longer, stronger, better))
            fits = longer[:, None] + longer <= room[0]
            fits &= stronger[:, None] + stronger <= room[1]
            alone = np.append(np.where(runs[self.one[ways]] < 2, self.one[ways], -1), -2)
            fits &= (alone[:, None] != alone) | (alone < 0)
            total = np.where(fits, better[:, None] + better, 0.0)
            first, second = divmod(int(np.argmax(total)), len(total))
            if total[first, second] <= least:
                return
            moved = ways[[way for way in (first, second) if way < len(ways)]]
            # what pays best once pays best as long as it fits
            used = longer[first] + longer[second], stronger[first] + stronger[second]
            times = min((np.floor(r / u) for r, u in zip(room, used, strict=True) if u > 0), default=np.inf)
            taken = np.bincount(self.one[moved], minlength=len(runs))
            count = max(1.0, min(times, (runs // np.maximum(taken, 1))[taken > 0].min()))
            np.subtract.at(runs, self.one[moved], count)
            np.add.at(runs, self.other[moved], count)

    def _by_remainder(self, coming: Floats, planned: Floats, profit: Floats) -> Floats:
        runs = np.floor(planned + _SLACK)
        missing = coming - self.per_class(runs)
        for k in np.flatnonzero(missing):
            mine = np.flatnonzero(self.classes == k)
            remainder = planned[mine] - runs[mine]
            rest = missing[k]
            if rest > 0 and not planned[mine].any():
                runs[mine[np.argmax(profit[mine])]] += rest
                continue
            while rest > 0:
                best = int(np.argmax(remainder))
                step = 1.0 if remainder[best] > _SLACK else rest
                best = best if remainder[best] > _SLACK else int(np.argmax(planned[mine]))
                runs[mine[best]] += step
                remainder[best] -= step
                rest -= step
            while rest < 0:
                loaded = np.flatnonzero(runs[mine] > 0)
                worst = int(loaded[np.argmin(remainder[loaded])])
                step = _too_many(-rest, float(runs[mine[worst]]), len(loaded))
                runs[mine[worst]] -= step
                remainder[worst] += step
                rest += step
        return runs

    def _shed(self, runs: Floats, profit: Floats, use: Floats, capacity: float) -> None:
        """Drop jobs, the least profit per unit used first, until the capacity holds."""
        over = use @ runs - capacity
        while over > _room(capacity):
            loaded = np.flatnonzero((runs > 0) & (use > 0))
            if len(loaded) == 0:
                return
            worst = int(loaded[np.argmin(profit[loaded] / use[loaded])])
            count = min(runs[worst], max(1.0, np.ceil(over / use[worst] - _SLACK)))
            runs[worst] -= count
            over -= count * use[worst]
