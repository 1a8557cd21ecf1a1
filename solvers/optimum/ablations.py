"""What each lever is worth: the oracle with one lever taken away, judged on the full instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, evaluate
from stepwatt.formulation.instance.options import Options

from ..interface.result import Result, Status
from ..interface.settings import Settings
from .oracle import oracle_on

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Restriction = Callable[[InstanceArrays], InstanceArrays]

#: Users of image services keep the default of 30 steps in nine of ten requests (facts: GenTD26 trace).
USUAL_STEPS = 30


def local(a: InstanceArrays) -> InstanceArrays:
    """No transfer: every job runs where it arrives."""
    return replace(a, transfer_allowed=np.eye(len(a.sites), dtype=bool))


def fixed_steps(a: InstanceArrays) -> InstanceArrays:
    """One step count per model, clock and class: the allowed one nearest to 30."""
    o = a.options
    return replace(a, options=_nearest(o, np.abs(o.steps - USUAL_STEPS), (o.model, o.clock)))


def no_dvfs(a: InstanceArrays) -> InstanceArrays:
    """One clock per site, model and class: the one nearest to the base clock that has an allowed option."""
    o = a.options
    speed = np.array([a.clock_speeds[j][f] for j, f in zip(o.site, o.clock, strict=True)])
    chosen = _nearest(o, np.abs(np.log(speed)), (o.model,))
    kept = set(zip(chosen.site, chosen.job_class, chosen.model, chosen.clock, strict=True))
    keys = zip(o.site, o.job_class, o.model, o.clock, strict=True)
    return replace(a, options=o.take(np.array([key in kept for key in keys], dtype=bool)))


def no_renewables(a: InstanceArrays) -> InstanceArrays:
    """No sun, no wind."""
    return replace(a, renewable_mw=np.zeros_like(a.renewable_mw))


def no_storage(a: InstanceArrays) -> InstanceArrays:
    """Batteries keep what they hold."""
    return replace(a, battery_power_mw=np.zeros_like(a.battery_power_mw))


def no_deferral(a: InstanceArrays) -> InstanceArrays:
    """Jobs run in the slot they arrive in, or are lost."""
    return replace(a, deadline=np.zeros_like(a.deadline))


def all_off(a: InstanceArrays) -> InstanceArrays:
    """What an operator without this toolkit does: local, 30 steps, one clock, no storage, no deferral."""
    return no_deferral(no_storage(fixed_steps(no_dvfs(local(a)))))


ABLATIONS: dict[str, Restriction] = {
    "local": local,
    "fixed-steps": fixed_steps,
    "no-dvfs": no_dvfs,
    "no-renewables": no_renewables,
    "no-storage": no_storage,
    "no-deferral": no_deferral,
    "all-off": all_off,
}


def ablation(name: str) -> Callable[[Instance, Settings], Result]:
    """The method of that name. Its bound holds only for schedules without the lever."""

    def method(inst: Instance, settings: Settings) -> Result:
        full = inst.arrays()
        restricted = ABLATIONS[name](full)
        result = oracle_on(inst, restricted, settings, name)
        if result.schedule is None:
            return replace(result, bound=None)
        runs = np.zeros((len(full.options), full.n_slots))
        runs[_rows_of(restricted.options, full.options)] = result.schedule.runs
        schedule = replace(result.schedule, runs=runs)
        return Result(
            inst,
            name,
            Status.FEASIBLE if result.status is Status.OPTIMAL else result.status,
            result.seconds,
            schedule=schedule,
            evaluation=evaluate(full, schedule),
            message=result.message,
            restricted_bound=result.bound,
        )

    return method


def _nearest(o: Options, distance: Floats | Ints, group: tuple[Ints, ...]) -> Options:
    """The options of least distance within each site, class and group; ties go to the first."""
    keys = np.stack([o.site, o.job_class, *group], axis=1)
    order = np.lexsort((np.arange(len(o)), distance))
    _, first = np.unique(keys[order], axis=0, return_index=True)
    return o.take(np.sort(order[first]))


def _rows_of(part: Options, whole: Options) -> Ints:
    def keys(o: Options) -> list[tuple[int, ...]]:
        return list(zip(o.site, o.job_class, o.model, o.steps, o.clock, strict=True))

    rows = {key: row for row, key in enumerate(keys(whole))}
    return np.array([rows[key] for key in keys(part)], dtype=np.int64)
