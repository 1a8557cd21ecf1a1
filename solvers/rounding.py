"""From the fractional jobs of a relaxation to whole jobs next to them.

Slot by slot: what each queue sends follows the rounded cumulative plan (so errors do not add up), goes where
the plan sends it, and is generated with the plan's options; where whole jobs do not fit into the GPU time or
power of a site, jobs move to faster or thriftier options at the least loss; what still does not fit waits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLACK = 1e-9


@dataclass(frozen=True)
class Plan:
    """Fractional jobs with what they are worth.

    ``transfers`` (I,J,K,T), ``runs`` (O,T), ``gpus_on`` (J,T) whole numbers; ``profit`` (O,T) USD per job at
    the relaxation's power prices; ``it_limit_mw`` (J,T) IT power the site can take (inf where not limited).
    """

    transfers: Floats
    runs: Floats
    gpus_on: Floats
    profit: Floats
    it_limit_mw: Floats


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
    for t in range(a.n_slots):
        ready = arrived[:, :, t] - sent - lost
        target = np.clip(planned[:, :, t] - sent, 0.0, ready)
        moving = _split(plan.transfers[:, :, :, t], target)
        for i, j in limited:
            _keep_link(moving[i], j, i, a, link_gb[i, j])
        for site in sites:
            j = site.index
            coming = moving[:, j, :].sum(axis=0)
            if not coming.any():
                continue
            fitted, gpus = site.fit(
                coming,
                plan.runs[site.rows, t],
                plan.profit[site.rows, t],
                gpus_on[j, t],
                plan.it_limit_mw[j, t],
            )
            gpus_on[j, t] = gpus
            runs[site.rows, t] = fitted
            for k, surplus in enumerate(coming - site.per_class(fitted)):
                if surplus > 0:
                    _send_back(moving[:, j, k], surplus)
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
            step = min(1.0, -rest)
            whole[i, j, k] -= step
            remainder[i, j, k] += step
            rest += step
    return whole


def _keep_link(moving: Floats, j: int, i: int, a: InstanceArrays, capacity: float) -> None:
    """Take jobs off an overfull link: they stay at home where that can serve them, else wait."""
    served = a.served()[i]
    while (over := float(a.payload_gb @ moving[j]) - capacity) > _SLACK:
        loaded = np.flatnonzero((moving[j] > 0) & (a.payload_gb > 0))
        k = int(loaded[np.argmax(a.payload_gb[loaded])])
        count = min(moving[j, k], np.ceil(over / a.payload_gb[k] - _SLACK))
        moving[j, k] -= count
        if served[k]:
            moving[i, k] += count


def _send_back(moving: Floats, surplus: float) -> None:
    """Leave jobs of one site and class waiting, the largest senders first."""
    while surplus > 0:
        i = int(np.argmax(moving))
        count = min(surplus, moving[i])
        moving[i] -= count
        surplus -= count


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
        self.seconds = o.seconds[self.rows]
        self.it_mw = o.energy_mwh[self.rows] / a.slot_hours
        self.n_classes = len(a.classes)
        self.per_gpu = float(a.seconds_per_gpu[index])
        self.idle_mw = float(a.gpu_idle_mw[index])
        self.gpus = float(a.gpus[index])
        same = self.classes[:, None] == self.classes[None, :]
        self.saved_seconds = np.where(same, self.seconds[:, None] - self.seconds[None, :], -1.0)
        self.saved_mw = np.where(same, self.it_mw[:, None] - self.it_mw[None, :], -1.0)

    def per_class(self, runs: Floats) -> Floats:
        return np.bincount(self.classes, weights=runs, minlength=self.n_classes).astype(float)

    def fit(
        self, coming: Floats, planned: Floats, profit: Floats, gpus: float, it_limit: float
    ) -> tuple[Floats, float]:
        """Whole runs of as many of the coming jobs as fit, and the GPUs they need."""
        runs = self._by_remainder(coming, planned, profit)
        self._swap(runs, profit, self.seconds, self.saved_seconds, gpus * self.per_gpu)
        needed = float(np.ceil(self.seconds @ runs / self.per_gpu - 1e-12))
        gpus = max(gpus, min(needed, self.gpus)) if runs.any() else gpus
        self._shed(runs, profit, self.seconds, gpus * self.per_gpu)
        if np.isfinite(it_limit):
            power = it_limit - self.idle_mw * gpus
            self._swap(runs, profit, self.it_mw, self.saved_mw, power)
            self._swap(runs, profit, self.seconds, self.saved_seconds, gpus * self.per_gpu)
            self._shed(runs, profit, self.it_mw, power)
            self._shed(runs, profit, self.seconds, gpus * self.per_gpu)
        return runs, gpus

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
                step = min(1.0, -rest)
                runs[mine[worst]] -= step
                remainder[worst] += step
                rest += step
        return runs

    def _swap(self, runs: Floats, profit: Floats, use: Floats, saved: Floats, capacity: float) -> None:
        """Move jobs to options that use less until the capacity holds, at the least loss per unit saved."""
        over = use @ runs - capacity
        if over <= _room(capacity):
            return
        loss = profit[:, None] - profit[None, :]
        rate = np.where(saved > 1e-12, loss / np.maximum(saved, 1e-12), np.inf)
        while over > _room(capacity):
            rates = np.where((runs > 0)[:, None], rate, np.inf)
            # what overshoots the need gives away more than its rate says
            rates = np.where(saved > over, loss / over, rates) if np.isfinite(rates).any() else rates
            rates = np.where((runs > 0)[:, None] & (saved > 1e-12), rates, np.inf)
            flat = int(np.argmin(rates))
            slow, fast = divmod(flat, len(runs))
            if not np.isfinite(rates[slow, fast]):
                return
            count = min(runs[slow], max(1.0, np.floor(over / saved[slow, fast])))
            runs[slow] -= count
            runs[fast] += count
            over -= count * saved[slow, fast]

    def _shed(self, runs: Floats, profit: Floats, use: Floats, capacity: float) -> None:
        """Drop jobs, the least profit per unit used first, until the capacity holds."""
        over = use @ runs - capacity
        while over > _room(capacity):
            loaded = np.flatnonzero((runs > 0) & (use > 0))
            if len(loaded) == 0:
                return
            worst = int(loaded[np.argmin(profit[loaded] / use[loaded])])
            count = min(runs[worst], np.ceil(over / use[worst] - _SLACK))
            runs[worst] -= count
            over -= count * use[worst]
