"""What was decided at a site in a slot, and what could have been done in its place, as bounds on the model.

Every alternative says how many jobs it moves, and what it costs at the prices of the relaxation. It keeps to
what the rest of the schedule leaves room for in time: jobs wait no longer than their deadlines allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, InstanceArrays, Schedule
from stepwatt.solvers.optimum.losses import whole_vector
from stepwatt.solvers.optimum.regret import Forced, Priced

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Jobs, and MW, that count as none.
NONE_JOBS, NONE_MW = 1e-6, 1e-7


@dataclass(frozen=True)
class Alternative:
    """Another decision for ``amount`` jobs (or MW): ``loss`` USD for all of them, at the prices.

    ``kind``: option, site, time, lost, run, idle, charge, discharge, off or on; ``slot``, ``site`` and
    ``option`` say where, when and how.
    """

    kind: str
    amount: float
    loss: float
    forced: Forced
    slot: int
    site: int
    option: int | None = None


@dataclass(frozen=True)
class Decided:
    """A decision: ``kind`` is runs, sent, waits, lost, battery or generator; ``option`` the one of most jobs.

    ``money`` USD per job (or MWh) at the prices; its entries but ``left`` add up to that.
    """

    kind: str
    amount: float
    money: dict[str, float]
    alternatives: tuple[Alternative, ...]
    job_class: int | None = None
    option: int | None = None
    of_option: float = 0.0
    site: int | None = None


@dataclass
class _Bounds:
    """Bounds gathered column by column, from what the schedule does."""

    x: Floats
    upper: Floats
    new: dict[int, tuple[float, float]] = field(default_factory=dict)

    def take(self, column: int, amount: float) -> None:
        """That much less than the schedule has."""
        self.new[column] = (0.0, max(0.0, float(self.x[column]) - amount))

    def give(self, column: int, amount: float) -> None:
        """At least that much more."""
        least = float(self.x[column]) + amount
        self.new[column] = (least, max(least, float(self.upper[column])))

    def forced(self) -> Forced:
        columns = np.array(list(self.new), dtype=np.int64)
        ends = np.array(list(self.new.values())).reshape(-1, 2)
        return Forced(columns, ends[:, 0], ends[:, 1])


class Alternatives:
    """Decisions of a judged schedule at the prices of a relaxation."""

    def __init__(self, priced: Priced, schedule: Schedule, judged: Evaluation) -> None:
        self.priced, self.schedule, self.judged = priced, schedule, judged
        self.a: InstanceArrays = priced.a
        p, a = priced.problem, self.a
        self.x = whole_vector(p, a, schedule, judged)
        at, shape = p.members, (len(a.sites), len(a.sites), len(a.classes))
        self._way = np.full(shape, -1)
        self._way[at.origin, at.target, at.moved_class] = np.arange(len(at.origin))
        self._limit = a.waiting_limit()
        self.values = priced.job_values
        self._options_of = [
            [np.flatnonzero((a.options.site == j) & (a.options.job_class == k)) for k in range(shape[2])]
            for j in range(shape[0])
        ]
        best = (len(a.sites), len(a.classes), a.n_slots)
        # what a job leaves at most at the site in the slot, with which option, and how many more could run
        self.best, self.best_option = np.full(best, -np.inf), np.full(best, -1)
        self._room = np.zeros(best)
        for j, k in np.ndindex(best[:2]):
            if len(rows := self._options_of[j][k]):
                self.best[j, k] = self.values[rows].max(axis=0)
                self.best_option[j, k] = rows[self.values[rows].argmax(axis=0)]
                self._room[j, k] = self._more(j, rows)
        # (I,J,K,T) what is left of that where the job comes from
        self._net = np.where(self._way[..., None] >= 0, self.best[None] - priced.moving, -np.inf)

    def at(self, j: int, t: int) -> Iterator[Decided]:
        """What was decided at site j in slot t, the jobs first."""
        s, judged = self.schedule, self.judged
        for k in range(len(self.a.classes)):
            if s.transfers[:, j, k, t].sum() > NONE_JOBS:
                yield self._runs(j, k, t)
        for k in range(len(self.a.classes)):
            for target in range(len(self.a.sites)):
                if target != j and s.transfers[j, target, k, t] > NONE_JOBS:
                    yield self._sent(j, target, k, t)
        for k in range(len(self.a.classes)):
            if judged.waiting[j, k, t] > NONE_JOBS:
                yield self._held(j, k, t, "waits", judged.waiting[j, k, t], self.priced.waiting[j, k, t])
            if judged.lost[j, k, t] > NONE_JOBS:
                yield self._held(j, k, t, "lost", judged.lost[j, k, t], -self.a.miss_penalty[k])
        yield from self._plant(j, t)

    def main(self, j: int, t: int) -> Iterator[Decided]:
        """The jobs that bring most there, and the plant: what is told where few words are to do."""
        s, o = self.schedule, self.a.options
        brought = [float(o.revenue[rows] @ s.runs[rows, t]) for rows in self._options_of[j]]
        most = int(np.argmax(brought))
        if s.transfers[:, j, most, t].sum() > NONE_JOBS:
            yield self._runs(j, most, t)
        yield from self._plant(j, t)

    def _plant(self, j: int, t: int) -> Iterator[Decided]:
        if self.a.battery[j]:
            yield self._battery(j, t)
        if self.a.generator[j]:
            yield self._generator(j, t)

    def _runs(self, j: int, k: int, t: int) -> Decided:
        s, o = self.schedule, self.a.options
        rows, jobs = self._options_of[j][k], s.transfers[:, j, k, t]
        row = int(rows[s.runs[rows, t].argmax()])
        total = float(jobs.sum())
        moved = float(jobs @ self.priced.moving[:, j, k, t]) / total
        money = {
            "revenue": float(o.revenue[row]),
            "gpu_time": -float(o.seconds[row] * self.priced.gpu_time[j, t]),
            "power": -float(o.energy_mwh[row] * self.priced.it_power[j, t]),
            "transfer": -moved,
        }
        money["left"] = sum(money.values())
        values = self.values[:, t]
        mean = float(values[rows] @ s.runs[rows, t]) / max(float(s.runs[rows, t].sum()), NONE_JOBS)
        nets = mean - self.priced.moving[:, j, k, t]
        found = [*self._options(rows, row, t), *self._moves(jobs, nets, j, k, t)]
        return Decided("runs", total, money, _ranked(found), k, row, of_option=float(s.runs[row, t]), site=j)

    def _sent(self, i: int, j: int, k: int, t: int) -> Decided:
        runs = self._runs(j, k, t)
        assert runs.option is not None
        n = float(self.schedule.transfers[i, j, k, t])
        moved = float(self.priced.moving[i, j, k, t])
        value = float(self.values[runs.option, t])
        jobs = np.zeros(len(self.a.sites))
        jobs[i] = n
        nets = np.full(len(jobs), value - moved)
        money = {**runs.money, "transfer": -moved, "left": value - moved}
        found = self._moves(jobs, nets, j, k, t)
        return Decided("sent", n, money, _ranked(found), k, runs.option, site=j)

    def _held(self, i: int, k: int, t: int, kind: str, jobs: float, value: float) -> Decided:
        """Jobs that are not run: they could be, here or elsewhere."""
        p, found = self.priced.problem, []
        queue = p.columns["waiting" if kind == "waits" else "lost"].ids[i * len(self.a.classes) + k, t]
        for j in range(len(self.a.sites)):
            net, option = float(self._net[i, j, k, t]), int(self.best_option[j, k, t])
            n = float(self._whole(np.minimum(jobs, self._room[j, k, t])))
            if np.isfinite(net) and n > NONE_JOBS:
                b = self._bounds()
                b.take(queue, n)
                b.give(self._transfer(i, j, k, t), n)
                found.append(Alternative("run", n, n * (value - net), b.forced(), t, j, option))
        return Decided(kind, jobs, {"left": float(value)}, _ranked(found), k, site=i)

    def _options(self, rows: Ints, row: int, t: int) -> Iterator[Alternative]:
        s, o = self.schedule, self.a.options
        others = rows[s.runs[rows, t] <= NONE_JOBS]
        if len(others) == 0:
            return
        other = int(others[self.values[others, t].argmax()])
        n = float(s.runs[row, t])
        if o.seconds[other] > 0:
            j = int(o.site[row])
            n = min(n, float(self._whole(self.a.gpus[j] * self.a.seconds_per_gpu[j] / o.seconds[other])))
        if n <= NONE_JOBS:
            return
        ids, b = self.priced.problem.columns["runs"].ids, self._bounds()
        b.take(ids[row, t], n)
        b.give(ids[other, t], n)
        loss = n * float(self.values[row, t] - self.values[other, t])
        yield Alternative("option", n, loss, b.forced(), t, int(o.site[row]), other)

    def _moves(self, jobs: Floats, nets: Floats, j: int, k: int, t: int) -> list[Alternative]:
        """The jobs (I,) elsewhere, at another time, or not at all; ``nets`` (I,) USD each leaves now."""
        a, place = self.a, (j, k, t)
        now, loss = self._moved(jobs[None], nets, k, np.array([t]))
        found = [
            self._move(now[0, target], float(loss[0, target]), place, target, t, "site")
            for target in range(len(a.sites))
            if target != j and now[0, target].sum() > NONE_JOBS
        ]
        first, last = max(0, t - int(a.deadline[k])), min(a.n_slots - 1, t + int(a.deadline[k]))
        for slots in (np.arange(first, t), np.arange(t + 1, last + 1)):
            if len(slots) == 0:
                continue
            moved, losses = self._moved(self._movable(jobs, k, t, slots), nets, k, slots)
            many = moved.sum(axis=2)
            some = many > NONE_JOBS
            if not some.any():
                continue
            each = np.where(some, losses, np.inf) / np.where(some, many, 1.0)
            s, target = np.unravel_index(each.argmin(), each.shape)
            told = (int(target), int(slots[s]), "time")
            found.append(self._move(moved[s, target], float(losses[s, target]), place, *told))
        b, queues = self._bounds(), self.priced.problem.columns["lost"].ids
        for i in np.flatnonzero(jobs > NONE_JOBS):
            b.take(self._transfer(i, j, k, t), jobs[i])
            b.give(queues[i * len(a.classes) + k, t], jobs[i])
        all_lost = float(jobs @ (nets + a.miss_penalty[k]))
        found.append(Alternative("lost", float(jobs.sum()), all_lost, b.forced(), t, j))
        return found

    def _moved(self, jobs: Floats, nets: Floats, k: int, slots: Ints) -> tuple[Floats, Floats]:
        """(S,J,I) how many of the jobs (S,I) fit at each site in each slot, and (S,J) USD lost by it all.

        The origins that lose least go first; other classes give way.
        """
        net = self._net[:, :, k, slots].transpose(2, 1, 0)
        known = np.isfinite(net)
        there = np.where(known, jobs[:, None, :], 0.0)
        less = np.where(known, nets - np.where(known, net, 0.0), np.inf)
        room = self._whole(np.minimum(there.sum(axis=2), self._room[:, k, slots].T))
        order = np.argsort(less, axis=2, kind="stable")
        ordered = np.take_along_axis(there, order, axis=2)
        before = np.cumsum(ordered, axis=2) - ordered
        moved = np.zeros_like(there)
        np.put_along_axis(moved, order, np.clip(room[..., None] - before, 0.0, ordered), axis=2)
        return moved, (moved * np.where(moved > 0, less, 0.0)).sum(axis=2)

    def _move(
        self, moved: Floats, loss: float, place: tuple[int, int, int], target: int, slot: int, kind: str
    ) -> Alternative:
        j, k, t = place
        b = self._bounds()
        for i in np.flatnonzero(moved > NONE_JOBS):
            b.take(self._transfer(i, j, k, t), moved[i])
            b.give(self._transfer(i, target, k, slot), moved[i])
        option = int(self.best_option[target, k, slot])
        return Alternative(kind, float(moved.sum()), loss, b.forced(), slot, target, option)

    def _movable(self, jobs: Floats, k: int, t: int, slots: Ints) -> Floats:
        """(S,I) how many of the jobs the queues let run in the slots, all before t or all after it."""
        waiting = self.judged.waiting[:, k]
        if slots[0] > t:
            between = (self._limit[:, k] - waiting)[:, t : slots[-1]]
            room = np.minimum.accumulate(between, axis=1)
        else:
            room = np.minimum.accumulate(waiting[:, slots[0] : t][:, ::-1], axis=1)[:, ::-1]
        return self._whole(np.minimum(jobs, np.maximum(room.T, 0.0)))

    def _more(self, j: int, rows: Ints) -> Floats:
        """(T,) how many more jobs the site's GPUs can run with the quickest of the options."""
        least = float(self.a.options.seconds[rows].min())
        if least <= 0:
            return np.full(self.a.n_slots, np.inf)
        most = self.a.gpus[j] * self.a.seconds_per_gpu[j] / least - self.schedule.runs[rows].sum(axis=0)
        return np.asarray(np.maximum(most, 0.0))

    def _whole(self, jobs: Floats) -> Floats:
        return np.floor(jobs + NONE_JOBS) if self.a.integral_jobs else jobs

    def _transfer(self, i: int | np.integer[Any], j: int, k: int, t: int) -> int:
        return int(self.priced.problem.columns["transfers"].ids[self._way[i, j, k], t])

    def _bounds(self) -> _Bounds:
        return _Bounds(self.x, self.priced.problem.upper)

    def _battery(self, j: int, t: int) -> Decided:
        a, pr, s, p = self.a, self.priced, self.schedule, self.priced.problem
        row, dt = int(np.flatnonzero(p.members.batteries == j)[0]), a.slot_hours
        into, out = (int(p.columns[name].ids[row, t]) for name in ("charge_mw", "discharge_mw"))
        c, d = float(s.charge_mw[j, t]), float(s.discharge_mw[j, t])
        # USD per MWh of power bought or given
        charging = float(a.charge_efficiency[j] * pr.stored[j, t] - pr.power[j, t])
        giving = float(pr.power[j, t] - pr.stored[j, t] / a.discharge_efficiency[j] - a.wear_cost[j])
        now, held = dt * (c * charging + d * giving), float(self.judged.energy_mwh[j, t])
        most = float(a.battery_power_mw[j])
        take = min(most, max(0.0, float(a.energy_max_mwh[j]) - held) / (dt * float(a.charge_efficiency[j])))
        give = min(most, max(0.0, held - float(a.energy_min_mwh[j])) * float(a.discharge_efficiency[j]) / dt)
        found = []
        for kind, levels in {"idle": (0.0, 0.0), "charge": (take, 0.0), "discharge": (0.0, give)}.items():
            more = {"idle": c + d > NONE_MW, "charge": take > c + NONE_MW, "discharge": give > d + NONE_MW}
            if not more[kind]:
                continue
            forced = Forced(np.array([into, out]), np.array(levels), np.array(levels))
            loss = now - dt * (levels[0] * charging + levels[1] * giving)
            found.append(Alternative(kind, sum(levels), loss, forced, t, j))
        money = {
            "power": float(pr.power[j, t]),
            "stored": float(pr.stored[j, t]),
            "left": charging if c > NONE_MW else giving if d > NONE_MW else max(charging, giving),
        }
        return Decided("battery", c - d, money, _ranked(found), site=j)

    def _generator(self, j: int, t: int) -> Decided:
        a, pr, p = self.a, self.priced, self.priced.problem
        row, dt = int(np.flatnonzero(p.members.generators == j)[0]), a.slot_hours
        power = float(self.schedule.generator_mw[j, t])
        per_mwh = float(pr.power[j, t] - a.generator_cost[j])
        on, flow = (int(p.columns[name].ids[row, t]) for name in ("generator_on", "generator_mw"))
        if power > NONE_MW:
            forced = Forced(np.array([on, flow]), np.zeros(2), np.zeros(2))
            loss = dt * (power * per_mwh - float(a.no_load_cost[j]))
            other = Alternative("off", 0.0, loss, forced, t, j)
        else:
            level = float(a.generator_max_mw[j] if per_mwh > 0 else a.generator_min_mw[j])
            forced = Forced(np.array([on, flow]), np.array([1.0, level]), np.array([1.0, level]))
            loss = dt * (float(a.no_load_cost[j]) - level * per_mwh)
            other = Alternative("on", level, loss, forced, t, j)
        money = {"power": float(pr.power[j, t]), "fuel": -float(a.generator_cost[j]), "left": per_mwh}
        return Decided("generator", power, money, (other,), site=j)


def _ranked(found: list[Alternative]) -> tuple[Alternative, ...]:
    """The least loss for a job first."""
    return tuple(sorted(found, key=lambda one: one.loss / max(one.amount, NONE_JOBS)))
