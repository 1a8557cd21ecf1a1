"""Some slots of a judged schedule as a problem of their own, while all others stay as they are."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from ..instance.arrays import InstanceArrays, State
from .evaluate import Evaluation, evaluate
from .schedule import Schedule
from .windows import Floats, first_slots, fresh_state, next_state, window


def excerpt(
    a: InstanceArrays, schedule: Schedule, judged: Evaluation, start: int, stop: int
) -> tuple[InstanceArrays, Schedule]:
    """Slots start .. stop−1 between what the schedule does before and after, and its part there.

    They begin as the schedule begins them. They end, unless with the horizon, with no less stored and no room
    warmer than in the schedule: what is missing costs more than it can bring. Jobs that wait beyond them
    are not theirs. A peak counts beyond the highest one outside. ``start`` and ``stop`` begin metering
    intervals (:func:`between_meters`).
    """
    state = fresh_state(a)
    if start > 0:
        before = window(a, 0, start, state)
        state = next_state(before, evaluate(before, first_slots(schedule, start)))
    outside = judged.metered_mw[:, stop:].max(axis=1, initial=0.0)
    state = replace(state, peak_mw=np.maximum(state.peak_mw, outside))
    inner = window(a, start, stop - start, state)
    part = Schedule(
        **{field.name: getattr(schedule, field.name)[..., start:stop] for field in fields(Schedule)}
    )
    if stop == a.n_slots:
        return inner, part
    left = next_state(inner, evaluate(inner, part))
    return _without_those_who_wait(inner, left), part


def _without_those_who_wait(inner: InstanceArrays, left: State) -> InstanceArrays:
    """The window closed, without the jobs that wait at its end, and its end held to the state left there."""
    ages = np.concatenate([inner.arrivals[:, :, ::-1], inner.state.backlog], axis=2)
    ages[:, :, : left.backlog.shape[2]] -= left.backlog
    ages = np.maximum(ages, 0.0)
    return replace(
        inner,
        arrivals=ages[:, :, : inner.n_slots][:, :, ::-1],
        state=replace(inner.state, backlog=ages[:, :, inner.n_slots :]),
        closes=True,
        energy_reference_mwh=left.energy_mwh,
        temperature_reference_c=left.temperature_c,
        terminal_price=_more_than_a_mwh_brings(inner),
    )


def _more_than_a_mwh_brings(a: InstanceArrays) -> Floats:
    """(J,) USD/MWh: twice what a MWh can save or earn in any slot."""
    o = a.options
    gained = o.revenue + a.miss_penalty[o.job_class]
    jobs = np.divide(gained, o.energy_mwh, out=np.zeros(len(o)), where=o.energy_mwh > 0).max(initial=0.0)
    power = np.maximum(a.import_cost, a.export_price).max(axis=1)
    saved = power + a.demand_charge / a.slot_hours + a.generator_cost
    started = np.where(a.generator, a.startup_cost + a.no_load_cost, 0.0) / a.slot_hours
    return np.asarray(2 * (np.maximum(saved, 0.0) + started + max(float(jobs), 0.0) + 1.0))


def between_meters(a: InstanceArrays, start: int, stop: int) -> tuple[int, int]:
    """The slots and as many more on both sides as no metering interval is cut."""
    goes_on = np.asarray(a.meter_goes_on[a.demand_charge > 0].any(axis=0))
    start, stop = max(0, start), min(a.n_slots, stop)
    while start > 0 and goes_on[start]:
        start -= 1
    while stop < a.n_slots and goes_on[stop]:
        stop += 1
    return start, stop
