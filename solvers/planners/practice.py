"""Today's practice, said in an operator's words: a policy that plays its rules through the plant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance, InstanceArrays, Schedule
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.playing import played
from stepwatt.formulation.plant.site_physics import cooling_limits, heat_loss
from stepwatt.formulation.plant.stacked import Problem, site_arrays
from stepwatt.formulation.plant.state import PlantState, Request

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Route = Literal["home", "nearest", "cheapest"]


@dataclass(frozen=True)
class Rules:
    """A policy of fixed rules; :func:`stepwatt.rules` says what they mean.

    Raises:
        InputError: an unknown route, or hours that are none.
    """

    model: str | None = None
    steps: int = 30
    clock: str | None = None
    route: Route = "home"
    charge: str | None = None
    discharge: str | None = None
    setpoint: float | None = None

    def __post_init__(self) -> None:
        if self.route not in get_args(Route):
            raise InputError(field="route", value=self.route, expected=one_of(get_args(Route), self.route))
        for field in ("charge", "discharge"):
            _hours(getattr(self, field), field)

    def fingerprint(self) -> bytes:
        """What tells them from other rules."""
        return repr(self).encode()

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """What these rules do on the instance; they look at nothing but the slot.

        Raises:
            InputError: a model or clock that no site of the instance has.
        """
        a = instance.arrays()
        option = self._options(a)
        battery = self._battery(instance)

        def ask(problem: Problem, t: int, state: PlantState) -> Request:
            at_hand = np.asarray(state.waiting + problem.arrivals[t])[0]
            transfers = self._sent(a, t, option, at_hand)
            mix = _mix(problem, option)
            sent = transfers.sum(axis=0).T  # (J,K)
            it_mw = (np.asarray(problem.power * mix[None]).sum(axis=-1)[0] * sent).sum(axis=-1)[None]
            return Request(
                transfers=transfers[None],
                mix=mix[None],
                cooling=self._cooling(problem, t, state, it_mw),
                battery=battery[:, t][None] * np.asarray(problem.battery_power),
                generator=np.zeros((1, len(a.sites))),
            )

        return played(instance, ask)[0]

    def _options(self, a: InstanceArrays) -> NDArray[np.int64]:
        """(J,K) row of the option that runs a class at a site; −1 where the rules leave none."""
        if self.model is not None and self.model not in a.models:
            raise InputError(field="model", value=self.model, expected=one_of(a.models, self.model))
        clocks = sorted({name for names in a.clocks for name in names})
        if self.clock is not None and self.clock not in clocks:
            raise InputError(field="clock", value=self.clock, expected=one_of(clocks, self.clock))
        o = a.options
        found = np.full((len(a.sites), len(a.classes)), -1, dtype=np.int64)
        for j, k in np.ndindex(*found.shape):
            rows = np.flatnonzero((o.site == j) & (o.job_class == k))
            if self.model is not None:
                rows = rows[o.model[rows] == a.models.index(self.model)]
            if not len(rows):
                continue
            rows = rows[o.model[rows] == o.model[rows[0]]]
            speeds = np.array(a.clock_speeds[j])[o.clock[rows]]
            wrong = np.abs(speeds - 1.0)
            if self.clock in a.clocks[j]:
                wrong = (o.clock[rows] != a.clocks[j].index(self.clock)).astype(float)
            # the step count comes first, then the clock
            found[j, k] = rows[np.lexsort((wrong, np.abs(o.steps[rows] - self.steps)))[0]]
        return found

    def _sent(self, a: InstanceArrays, t: int, option: NDArray[np.int64], at_hand: Floats) -> Floats:
        """(I,K,J) jobs: where the route leads, and on to the next site where one has no GPU time left."""
        sent = np.zeros((len(a.sites), len(a.classes), len(a.sites)))
        left = a.gpus * a.seconds_per_gpu
        for i, k in np.argwhere(at_hand > 0):
            cost = a.transfer_cost[i] * a.payload_gb[k]
            if self.route == "cheapest":
                cost = cost + a.import_cost[:, t] * a.options.energy_mwh[option[:, k]]
            order = np.argsort(cost, kind="stable")
            order = np.array([i]) if self.route == "home" else order
            waiting = at_hand[i, k]
            for j in order:
                if option[j, k] < 0 or not a.transfer_allowed[i, j]:
                    continue
                seconds = a.options.seconds[option[j, k]]
                fits = left[j] / seconds if seconds > 0 else waiting
                jobs = min(waiting, np.floor(fits + 1e-9) if a.integral_jobs else fits)
                sent[i, k, j] = jobs
                left[j] -= jobs * seconds
                waiting -= jobs
        return sent

    def _battery(self, inst: Instance) -> Floats:
        """(J,T) 1 in charging hours, −1 in discharging ones; all others where only charging ones are said."""
        charge, discharge = _hours(self.charge, "charge"), _hours(self.discharge, "discharge")
        start = inst.start_time
        middle = timedelta(hours=inst.slot_hours / 2)
        asked = np.zeros(inst.n_slots)
        for t in range(inst.n_slots):
            moment = start.timestamp() + (timedelta(hours=inst.slot_hours) * t + middle).total_seconds()
            clock = type(start).fromtimestamp(moment, start.tzinfo)
            minute = clock.hour * 60 + clock.minute + clock.second / 60
            if charge and _within(minute, charge):
                asked[t] = 1.0
            elif (discharge and _within(minute, discharge)) or (charge and not discharge):
                asked[t] = -1.0
        return np.broadcast_to(asked, (len(inst.sites), inst.n_slots)).copy()

    def _cooling(self, problem: Problem, t: int, state: PlantState, it_mw: Floats) -> Floats:
        """(1,J) MW that bring the room to the set point, without one the least that the ceiling allows."""
        if self.setpoint is None:
            return it_mw * 0.0
        return setpoint_cooling(problem, t, state, it_mw, np.full_like(it_mw, self.setpoint))


def setpoint_cooling(problem: Problem, t: int, state: PlantState, it_mw: Floats, setpoint: Floats) -> Floats:
    """(1,J) MW that bring the rooms to the set points (1,J) °C over the slot."""
    site = site_arrays(problem, t)._replace(min_c=setpoint)
    loss = heat_loss(site, state.temperature)
    wanted: Floats = cooling_limits(numpy_engine(), site, state.temperature, loss, it_mw)[1]
    return wanted


def nearest_clock(a: InstanceArrays, rows: NDArray[np.int64]) -> int:
    """The clock whose speed is nearest 1 among options of one site."""
    speeds = np.array(a.clock_speeds[a.options.site[rows[0]]])[a.options.clock[rows]]
    return int(a.options.clock[rows[np.argmin(np.abs(speeds - 1.0))]])


def _mix(problem: Problem, option: NDArray[np.int64]) -> Floats:
    """(J,K,F·C) 1 at the option's place."""
    row = np.asarray(problem.row)[0]
    here = row == option[..., None]
    mix: Floats = np.zeros(row.shape)
    np.put_along_axis(mix, here.argmax(axis=-1)[..., None], 1.0, axis=-1)
    return mix


def _hours(said: str | None, field: str) -> tuple[int, int] | None:
    if said is None:
        return None
    found = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)", said)
    if not found:
        raise InputError(field=field, value=said, expected='hours of the day such as "23:00-05:00"')
    h, m, to_h, to_m = map(int, found.groups())
    return h * 60 + m, to_h * 60 + to_m


def _within(minute: float, hours: tuple[int, int]) -> bool:
    first, last = hours
    return first <= minute < last if first < last else minute >= first or minute < last
