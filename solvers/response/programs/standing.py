"""What a slot's program takes from the problem alone: the same in every slot, so it is made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.plant.stacked import UNLIMITED, Problem

from .features import Features, make_features

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Options:
    """Of options (n,K,O,B) that can be used (B may be 1): ``features``; by class (n,K,B)
    whether there is ``any``, jobs that ``fit`` into the GPU time, ``timed`` MW of IT power a job at
    most and ``timeless`` MW of those that take no time, ``revenue`` at most; ``density`` (n,B) MW per
    GPU-second at most."""

    usable: Numbers
    features: Features
    any: Numbers
    fit: Numbers
    timed: Numbers
    timeless: Numbers
    density: Numbers
    most_revenue: Numbers


@dataclass(frozen=True)
class Standing:
    """Instances innermost, in double precision (:func:`last`)."""

    problem: Problem
    seconds: Numbers
    megawatts: Numbers
    revenue: Numbers
    gpu_time: Numbers
    idle: Numbers
    grid: Numbers
    fuel: Numbers
    export_limit: Numbers
    payload: Numbers
    link: Numbers
    limited: bool
    open_to: Numbers
    moving_cost: Numbers
    missed: Numbers
    thermal: Numbers
    chill: Numbers
    rate: Numbers
    demand_charge: Numbers
    fuel_cost: Numbers
    charging: Numbers
    discharging: Numbers
    wear: Numbers
    options: Options


def standing_of(problem: Problem) -> Standing:
    """What stays."""
    p, hours = problem, problem.shape.slot_hours
    seconds, megawatts, revenue = last(p.seconds), last(p.energy) / hours, last(p.revenue)
    gpu_time, idle = last(p.gpus * p.per_gpu), last(p.idle_mw / p.per_gpu)[:, None]
    payload, thermal = last(p.payload), last(p.thermal)  # (1,K,1,B), (n,B)
    shut = (last(p.link) <= 0)[:, None] & (payload > 0)
    usable = last(p.row) >= 0
    return Standing(
        problem,
        seconds=seconds,
        megawatts=megawatts,
        revenue=revenue,
        gpu_time=gpu_time,
        idle=idle,
        grid=last(p.import_limit),
        fuel=last(p.generator_max),
        export_limit=last(p.export_limit),
        payload=payload,
        link=last(p.link),
        limited=bool(((p.link < UNLIMITED) & (p.link > 0)).any()),
        open_to=last(p.open) * ~shut,
        moving_cost=last(p.moving_cost),
        missed=last(p.miss_penalty),
        thermal=thermal,
        chill=last(p.cooling_max) * thermal,
        rate=np.where(thermal > 0, last(p.heat_rate), np.ones_like(thermal)),
        demand_charge=last(p.demand_charge),
        fuel_cost=hours * last(p.generator_cost),
        charging=last(p.charge_efficiency),
        discharging=last(p.discharge_efficiency),
        wear=hours * last(p.wear_cost),
        options=options_of(usable, seconds, megawatts, revenue, gpu_time, idle),
    )


def options_of(
    usable: Numbers,
    seconds: Numbers,
    megawatts: Numbers,
    revenue: Numbers,
    gpu_time: Numbers,
    idle: Numbers,
) -> Options:
    """What follows from which options can be used."""
    least = np.where(usable, seconds, np.inf).min(2)
    timed, timeless = usable & (seconds > 0), usable & (seconds <= 0)
    density = np.where(timed, megawatts / np.maximum(seconds, 1e-30), 0.0).max((1, 2))
    return Options(
        usable,
        features=make_features(usable.astype(seconds.dtype), seconds, megawatts),
        any=np.logical_or.reduce(usable, axis=2),
        fit=np.where(least > 0, gpu_time[:, None] / np.maximum(least, 1e-30), np.inf),
        timed=np.where(timed, megawatts + idle[:, None] * seconds, 0.0).max(2),
        timeless=np.where(timeless, megawatts, 0.0).max(2),
        density=density + idle[:, 0],
        most_revenue=np.where(usable, np.abs(revenue), 0.0).max(2),
    )


def most_power(options: Options, gpu_time: Numbers, unit: Numbers) -> Numbers:
    """(n,B) MW of IT power that the site's jobs can draw at most, or a little more; ``unit`` (n,K,B) jobs."""
    one_class = (options.timed * unit).sum(1)
    found: Numbers = np.minimum(options.density * gpu_time, one_class) + (options.timeless * unit).sum(1)
    return found


def last(values: Numbers) -> Numbers:
    """Instances from the first to the last axis, innermost in memory, in double precision where real."""
    kind = np.float64 if values.dtype.kind == "f" else values.dtype
    return np.ascontiguousarray(values.transpose(*range(1, values.ndim), 0), kind)
