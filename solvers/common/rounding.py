"""From the fractional jobs of a relaxation to whole jobs next to them.

Slot by slot: what each queue sends follows the rounded cumulative plan (so errors do not add up), goes where
the plan sends it, and is generated with the plan's options; where whole jobs do not fit into the GPU time or
power of a site, jobs move to faster or thriftier options at the least loss. What still does not fit waits, or
runs at another site if it would be lost. Moves of one or two jobs then use the room that rounding has left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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

    def slot(self, t: int) -> Slot:
        """What it says of slot t."""
        return Slot(
            transfers=self.transfers[:, :, :, t],
            runs=self.runs[:, t],
            gpus_on=self.gpus_on[:, t],
            profit=self.profit[:, t],
            it_limit_mw=self.it_limit_mw[:, t],
            gpu_cost=self.gpu_cost[:, t],
        )


@dataclass(frozen=True)
class Slot:
    """A :class:`Plan` of one slot, without the axis T."""

    transfers: Floats
    runs: Floats
    gpus_on: Floats
    profit: Floats
    it_limit_mw: Floats
    gpu_cost: Floats

    def asked(self, site: Site) -> tuple[Floats, Floats, float, float]:
        """What is run at a site, what jobs are worth there, the power they may draw, what a GPU costs."""
        j, rows = site.index, site.rows
        return self.runs[rows], self.profit[rows], float(self.it_limit_mw[j]), float(self.gpu_cost[j])


def round_jobs(a: InstanceArrays, plan: Plan) -> tuple[Floats, Floats, Floats]:
    """Whole transfers (I,J,K,T), runs (O,T) and GPUs on (J,T) that keep queues, links, GPU time and power."""
    arrived = a.state.backlog.sum(axis=2)[:, :, None] + a.arrivals.cumsum(axis=2)
    due = arrived - a.waiting_limit()
    planned = np.round(plan.transfers.sum(axis=1).cumsum(axis=2))
    transfers, runs = np.zeros_like(plan.transfers), np.zeros_like(plan.runs)
    gpus_on = plan.gpus_on.copy()
    sent = np.zeros(arrived.shape[:2])
    lost = np.zeros(arrived.shape[:2])
    rounding = Rounding.of(a)
    for t in range(a.n_slots):
        ready = arrived[:, :, t] - sent - lost
        target = np.clip(planned[:, :, t] - sent, 0.0, ready)
        now = rounding.slot(plan.slot(t), target, due[:, :, t] - lost - sent)
        transfers[:, :, :, t], runs[:, t], gpus_on[:, t] = now.transfers, now.runs, now.gpus_on
        sent += now.transfers.sum(axis=1)
        lost = np.maximum(lost, due[:, :, t] - sent)
    return transfers, runs, gpus_on


@dataclass(frozen=True)
class Rounding:
    """What rounding reads of an instance: options site by site, ``penalty`` (K,) USD and ``payload_gb`` (K,)
    of a job, ``moving_cost`` (I,J,K) USD per job, ``link_gb`` (I,J) a slot (inf where not limited), ``open``
    (I,J,K) where jobs may go, ``served`` (J,K)."""

    sites: list[Site]
    penalty: Floats
    payload_gb: Floats
    moving_cost: Floats
    link_gb: Floats
    open: NDArray[np.bool_]
    served: NDArray[np.bool_]

    @classmethod
    def of(cls, a: InstanceArrays) -> Rounding:
        """That of an instance."""
        o, served = a.options, a.served()
        sites = []
        for j in range(len(a.sites)):
            rows = np.flatnonzero(o.site == j)
            sites.append(
                Site(
                    index=j,
                    rows=rows,
                    classes=o.job_class[rows],
                    penalty=a.miss_penalty,
                    seconds=o.seconds[rows],
                    it_mw=o.energy_mwh[rows] / a.slot_hours,
                    per_gpu=float(a.seconds_per_gpu[j]),
                    idle_mw=float(a.gpu_idle_mw[j]),
                    gpus=float(a.gpus[j]),
                )
            )
        return cls(
            sites=sites,
            penalty=a.miss_penalty,
            payload_gb=a.payload_gb,
            moving_cost=a.transfer_cost[:, :, None] * a.payload_gb,
            link_gb=a.link_gb_per_hour * a.slot_hours,
            open=a.transfer_allowed[:, :, None] & served,
            served=served,
        )

    def slot(self, plan: Slot, target: Floats, due: Floats) -> Slot:
        """Whole jobs and GPUs of a slot next to its plan: ``target`` (I,K) whole jobs are to be sent, ``due``
        (I,K) of them would be lost otherwise."""
        runs, gpus_on = np.zeros_like(plan.runs), plan.gpus_on.copy()
        moving = _split(plan.transfers, target)
        for i, j in np.argwhere(np.isfinite(self.link_gb)):
            self._keep_link(moving[i], j, i)
        stranded = np.zeros_like(target)
        for site in self.sites:
            j = site.index
            coming = moving[:, j, :].sum(axis=0)
            if not coming.any():
                continue
            fitted, gpus = site.fit(coming, *plan.asked(site), gpus_on[j])
            gpus_on[j] = gpus
            runs[site.rows] = fitted
            for k, surplus in enumerate(coming - site.per_class(fitted)):
                if surplus > 0:
                    stranded[:, k] += _send_back(moving[:, j, k], surplus)
        found = replace(plan, transfers=moving, runs=runs, gpus_on=gpus_on)
        losing = np.minimum(stranded, due - moving.sum(axis=1))
        for i, k in np.argwhere(losing > _SLACK):
            left, count = np.floor(losing[i, k] + _SLACK), 1.0
            # more at a time as long as they find a place, then fewer: every turn places jobs or halves them
            while (count := min(count, left)) >= 1:
                if self._elsewhere(plan, i, k, count, found):
                    left, count = left - count, 2 * count
                else:
                    count = np.floor(count / 2)
        return found

    def _keep_link(self, moving: Floats, j: int, i: int) -> None:
        """Take jobs off an overfull link: they stay at home where that can serve them, else wait."""
        served, payload, capacity = self.served[i], self.payload_gb, self.link_gb[i, j]
        while (over := float(payload @ moving[j]) - capacity) > _SLACK:
            loaded = np.flatnonzero((moving[j] > 0) & (payload > 0))
            k = int(loaded[np.argmax(payload[loaded])])
            count = min(moving[j, k], max(1.0, np.ceil(over / payload[k] - _SLACK)))
            moving[j, k] -= count
            if served[k]:
                moving[i, k] += count

    def _elsewhere(self, plan: Slot, i: int, k: int, count: float, found: Slot) -> bool:
        """Run jobs that would be lost where they do the least harm; whether that beats losing them."""
        moving, runs, gpus_on = found.transfers, found.runs, found.gpus_on
        payload, chosen = self.payload_gb, None
        least = -float(count * self.penalty[k])
        for site in self.sites:
            j, rows = site.index, site.rows
            if not self.open[i, j, k]:
                continue
            if payload @ moving[i, j] + count * payload[k] > self.link_gb[i, j] + _SLACK:
                continue
            coming = moving[:, j, :].sum(axis=0)
            coming[k] += count
            fitted, gpus = site.fit(coming, *plan.asked(site), gpus_on[j])
            if (site.per_class(fitted) < coming).any():
                continue
            gain = float(plan.profit[rows] @ (fitted - runs[rows]))
            gain -= float(count * self.moving_cost[i, j, k])
            gain -= float(plan.gpu_cost[j] * (gpus - gpus_on[j]))
            if gain > least:
                least, chosen = gain, (site, fitted, gpus)
        if chosen is None:
            return False
        site, fitted, gpus = chosen
        moving[i, site.index, k] += count
        runs[site.rows], gpus_on[site.index] = fitted, gpus
        return True


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


def _send_back(moving: Floats, surplus: float) -> Floats:
    """Leave jobs of one site and class waiting, the largest senders first; whose they are."""
    before = moving.copy()
    while surplus > 0:
        i = int(np.argmax(moving))
        count = min(surplus, moving[i])
        moving[i] -= count
        surplus -= count
    return before - moving


def _room(capacity: float) -> float:
    """How far rounding of the sums may overstep a capacity."""
    return max(1e-10, 1e-14 * capacity)


class Site:
    """The options of one site, and the ways to make a job of a class shorter or thriftier.

    ``rows`` (n,) of the options, their ``classes``, GPU-``seconds`` and ``it_mw`` a job; ``penalty`` (K,)
    USD; ``per_gpu`` GPU-seconds of each of the ``gpus``, which draw ``idle_mw``.
    """

    def __init__(
        self,
        *,
        index: int,
        rows: Ints,
        classes: Ints,
        penalty: Floats,
        seconds: Floats,
        it_mw: Floats,
        per_gpu: float,
        idle_mw: float,
        gpus: float,
    ) -> None:
        self.index, self.rows, self.classes = index, rows, classes
        self.penalty, self.n_classes = penalty[classes], len(penalty)
        self.seconds, self.it_mw = seconds, it_mw
        self.per_gpu, self.idle_mw, self.gpus = per_gpu, idle_mw, gpus
        same = classes[:, None] == classes[None, :]
        self.one, self.other = np.nonzero(same & ~np.eye(len(rows), dtype=bool))
        self.longer = seconds[self.other] - seconds[self.one]
        self.stronger = it_mw[self.other] - it_mw[self.one]

    def per_class(self, runs: Floats) -> Floats:
        """(K,) jobs of runs (n,)."""
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
