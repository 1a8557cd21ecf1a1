"""Slots decided at random: every choice is drawn from what the rules leave open, without any solver.

Of the jobs that may wait a random number runs, at random sites, by random options; battery, cooling,
generator and export take random places in their ranges. No job is lost that fits in at its leanest: where
GPUs or power run short, jobs move to the option of their class that needs least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule, State, evaluate
from stepwatt.formulation.schedule.windows import Slots

from ..interface.errors import NoDecision
from .slot_by_slot import Decision

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLACK = 1e-9


class Drawer:
    """Draws the decisions of slots; ``rng`` is drawn from in the order of the calls."""

    cut_short = False

    def __init__(self, a: InstanceArrays, rng: np.random.Generator) -> None:
        self._slots = Slots(a)
        self._rng = rng
        o, n_classes = a.options, len(a.classes)
        group = o.site * n_classes + o.job_class
        sizes = np.bincount(group, minlength=len(a.sites) * n_classes)
        width = max(1, int(sizes.max(initial=0)))
        # the options of each site and class in one row, to the right: a draw's remainder goes to the last
        self._table = np.full((len(sizes), width), -1)
        self._table[group, width - np.cumsum(sizes)[group] + np.arange(len(o))] = np.arange(len(o))

    def decide(self, t: int, state: State) -> Decision:
        """Draw slot t.

        Raises:
            NoDecision: a site cannot be kept within its limits with no GPU on.
        """
        alone = self._slots.alone(t, state)
        energy = _Energy(alone)
        if (energy.most_it_mw < -_SLACK).any():
            raise NoDecision(f"slot {t} has no feasible decision")
        transfers, runs, gpus_on = self._jobs(alone, np.maximum(energy.most_it_mw, 0.0))
        drawn = np.bincount(
            alone.options.site, alone.options.energy_mwh * runs / alone.slot_hours, len(alone.sites)
        )
        flows = energy.draw(self._rng, drawn + alone.gpu_idle_mw * gpus_on)
        schedule = Schedule(
            transfers=transfers[..., None],
            runs=runs[:, None],
            gpus_on=gpus_on[:, None],
            **{name: values[:, None] for name, values in flows.items()},
        )
        return alone, schedule, evaluate(alone, schedule)

    def _jobs(self, a: InstanceArrays, most_it_mw: Floats) -> tuple[Floats, Floats, Floats]:
        """Transfers (I,J,K), runs (O,) and GPUs on (J,) of one slot."""
        o, n = a.options, len(a.sites)
        per_gpu = a.seconds_per_gpu
        # a job takes GPU time, and power with its share of the GPU; the last GPU may be shared by few
        use = np.stack(
            [o.seconds, o.energy_mwh / a.slot_hours + (a.gpu_idle_mw / per_gpu)[o.site] * o.seconds], axis=1
        )
        spare = a.gpu_idle_mw if a.integral_jobs else 0.0
        capacity = np.stack([a.gpus * per_gpu, np.maximum(most_it_mw - spare, 0.0)], axis=1)
        share = np.divide(
            use, capacity[o.site], out=np.where(use > 0, np.inf, 0.0), where=capacity[o.site] > 0
        )
        leanest = self._leanest(share.max(axis=1))
        unserved = np.full((1, 2), np.inf)
        transfers = self._places(a, np.concatenate([use, unserved])[leanest].reshape(n, -1, 2), capacity)
        runs = self._options(a, transfers.sum(axis=0).ravel())
        lean = np.repeat(leanest, (self._table >= 0).sum(axis=1))
        for j in range(n):
            self._fit(runs, np.flatnonzero(o.site == j), lean, use, capacity[j])
        needed = np.bincount(o.site, o.seconds * runs, n) / per_gpu
        gpus_on = np.minimum(np.ceil(needed - _SLACK), a.gpus) if a.integral_jobs else needed
        return transfers, runs, gpus_on

    def _leanest(self, share: Floats) -> Ints:
        """Per site and class, the option that takes the least share of the site; −1 where there is none."""
        share = np.minimum(share, np.finfo(float).max)
        padded = np.where(self._table >= 0, np.append(share, np.inf)[self._table], np.inf)
        leanest: Ints = self._table[np.arange(len(self._table)), padded.argmin(axis=1)]
        return leanest

    def _places(self, a: InstanceArrays, use: Floats, capacity: Floats) -> Floats:
        """(I,J,K) where jobs run: what is due, and a random part of what may wait, as far as they fit."""
        rng, whole = self._rng, a.integral_jobs
        present = a.state.backlog.sum(axis=2) + a.arrivals[:, :, 0]
        may_wait = np.minimum(a.waiting_limit()[:, :, 0], present)
        willing = rng.uniform(0.0, may_wait + whole)
        willing = np.minimum(np.floor(willing), may_wait) if whole else willing
        links = a.link_gb_per_hour * a.slot_hours
        ways = a.transfer_allowed[:, None, :] & a.served().T
        served = ways.any(axis=2)
        due, willing = (present - may_wait) * served, willing * served
        weights = rng.random(ways.shape) * ways
        split = _split(rng, (due + willing).ravel(), weights.reshape(-1, len(a.sites)), whole)
        transfers = split.reshape(ways.shape).transpose(0, 2, 1)
        needed = np.einsum("ijk,jkr->jr", transfers, np.where(np.isfinite(use), use, 0.0))
        if (needed <= capacity).all() and (transfers @ a.payload_gb <= links).all():
            return transfers
        return self._squeezed_in(a, (due, willing), weights, use, capacity, links)

    def _squeezed_in(
        self,
        a: InstanceArrays,
        amounts: tuple[Floats, Floats],
        weights: Floats,
        use: Floats,
        capacity: Floats,
        links: Floats,
    ) -> Floats:
        """(I,J,K) as many jobs as fit, placed one origin and class after the other, in random order."""
        rng, whole = self._rng, a.integral_jobs
        room, links = capacity.copy(), links.copy()
        transfers = np.zeros((len(a.sites), *use.shape[:2]))
        for amount in amounts:
            for i, k in rng.permutation(np.argwhere(amount > 0)):
                ways = np.flatnonzero(weights[i, k])
                each = np.column_stack([use[ways, k], np.full(len(ways), a.payload_gb[k])])
                left = np.column_stack([room[ways], links[i, ways]])
                fits = np.divide(left, each, out=np.full_like(each, np.inf), where=each > 0).min(axis=1)
                fits = np.maximum(np.floor(fits + _SLACK) if whole else fits, 0.0)
                wanted = _split(rng, amount[i, k], weights[i : i + 1, k, ways], whole)[0]
                taken = np.minimum(wanted, fits)
                rest = amount[i, k] - taken.sum()
                free = np.minimum(fits - taken, rest)
                taken += np.clip(rest - (free.cumsum() - free), 0.0, free)
                transfers[i, ways, k] += taken
                room[ways] -= taken[:, None] * use[ways, k]
                links[i, ways] -= taken * a.payload_gb[k]
        return transfers

    def _options(self, a: InstanceArrays, coming: Floats) -> Floats:
        """(O,) the jobs of each site and class, by random options."""
        there = self._table >= 0
        weights = np.where(there, self._rng.random(there.shape), 0.0)
        runs = np.zeros(len(a.options))
        runs[self._table[there]] = _split(self._rng, coming, weights, a.integral_jobs)[there]
        return runs

    def _fit(self, runs: Floats, rows: Ints, lean: Ints, use: Floats, capacity: Floats) -> None:
        """Move jobs of a site to their leanest options, in random order, until they fit."""
        over = runs[rows] @ use[rows] - capacity
        slack = _SLACK * capacity
        if (over <= slack).all():
            return
        rows = self._rng.permutation(rows[(runs[rows] > 0) & (lean[rows] != rows)])
        moved, saved = runs[rows], use[rows] - use[lean[rows]]
        left = over - (moved[:, None] * saved).cumsum(axis=0)
        enough = (left <= slack).all(axis=1)
        if enough.any():
            last = int(enough.argmax())
            # of the last option only as many as it takes
            before = left[last] + moved[last] * saved[last]
            useful = (before > 0) & (saved[last] > 0)
            count = np.ceil(np.max(before[useful] / saved[last, useful], initial=0.0))
            moved[last] = min(moved[last], count)
            moved[last + 1 :] = 0.0
        runs[rows] -= moved
        np.add.at(runs, lean[rows], moved)


def _split(rng: np.random.Generator, amount: Floats | float, weights: Floats, whole: bool) -> Floats:
    """(N,W) the amounts (N,) split at random by weights (N,W), into whole numbers if asked for."""
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    if whole:
        drawn: Floats = rng.multinomial(np.atleast_1d(amount).astype(np.int64), share).astype(float)
        return drawn
    parts: Floats = np.atleast_1d(amount)[:, None] * share
    return parts


class _Energy:
    """What a slot leaves open on the energy side, all (J,)."""

    def __init__(self, a: InstanceArrays) -> None:
        dt, stored = a.slot_hours, a.state.energy_mwh
        self._a = a
        self._charge = np.minimum(
            a.battery_power_mw, np.maximum(a.energy_max_mwh - stored, 0.0) / (a.charge_efficiency * dt)
        )
        self._discharge = np.minimum(
            a.battery_power_mw, np.maximum(stored - a.energy_min_mwh, 0.0) * a.discharge_efficiency / dt
        )
        self._steady = a.import_limit_mw + a.renewable_mw[:, 0]
        # a generator that cannot idle needs somewhere to put its least power
        self._generator = a.generator & (a.generator_min_mw <= self._steady + a.export_limit_mw)
        self._given = self._steady + np.where(self._generator, a.generator_max_mw, 0.0)
        leaking = a.leak_mw_per_c * (a.state.temperature_c - a.outside_c[:, 0])
        # heat that may stay in the room, at most and at least, MW
        self._absorbed, self._wanted = (
            leaking + (limit - a.state.temperature_c) * a.heat_capacity / dt for limit in (a.max_c, a.min_c)
        )
        supply, cop = self._given + self._discharge, a.cop[:, 0]
        cooled = np.minimum(supply, (supply * cop + self._absorbed) / (1 + cop))
        cooled = np.minimum(cooled, self._absorbed + cop * a.cooling_max_mw)
        #: IT power that can be fed and cooled.
        self.most_it_mw = np.where(a.thermal, cooled, supply / a.pue[:, 0])

    def draw(self, rng: np.random.Generator, it_mw: Floats) -> dict[str, Floats]:
        """Flows in MW around an IT power."""
        a, cop = self._a, self._a.cop[:, 0]
        least = np.clip((it_mw - self._absorbed) / cop, 0.0, a.cooling_max_mw)
        most = np.minimum(a.cooling_max_mw, self._given + self._discharge - it_mw)
        most = np.maximum(least, np.minimum(most, (it_mw - self._wanted) / cop))
        cooling = np.where(a.thermal, rng.uniform(least, most), 0.0)
        use = np.where(a.thermal, it_mw + cooling, a.pue[:, 0] * it_mw)
        low = np.maximum(-self._discharge, -a.export_limit_mw - use)
        stored = rng.uniform(low, np.maximum(low, np.minimum(self._charge, self._given - use)))
        need = use + stored
        # all it can give may be needed, and a hair of rounding more
        low = np.maximum(a.generator_min_mw, np.minimum(need - self._steady, a.generator_max_mw))
        high = np.minimum(a.generator_max_mw, need + a.export_limit_mw)
        on = self._generator & (low <= high) & ((need > self._steady) | (rng.random(len(use)) < 0.5))
        generator = np.where(on, rng.uniform(low, np.maximum(low, high)), 0.0)
        need = need - generator
        low = np.clip(need, 0.0, a.renewable_mw[:, 0])
        exported = np.maximum(a.export_limit_mw - np.maximum(-need, 0.0), 0.0)
        high = np.minimum(a.renewable_mw[:, 0], np.maximum(need, 0.0) + exported)
        renewable = rng.uniform(low, np.maximum(low, high))
        return {
            "import_mw": np.maximum(need - renewable, 0.0),
            "export_mw": np.maximum(renewable - need, 0.0),
            "renewable_mw": renewable,
            "charge_mw": np.maximum(stored, 0.0),
            "discharge_mw": np.maximum(-stored, 0.0),
            "generator_mw": generator,
            "cooling_mw": cooling,
        }
