"""One instance after the other: how the next one begins, from a judged schedule of the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..instance.given import the_instance
from ..instance.instance import Instance
from .evaluate import Evaluation, evaluate
from .schedule import Schedule
from .windows import fresh_state, next_state

_SECOND = 1.0


def continued(inst: Instance, schedule: Schedule, following: Instance | None = None) -> Instance:
    """``following``, or the same instance again, begun as the schedule leaves ``inst``."""
    arrays = inst.arrays()
    following = following if following is None else the_instance(following, "following")
    a = replace(arrays, state=fresh_state(arrays))
    evaluation = evaluate(a, schedule)
    _check(inst, evaluation, following)
    file = (inst if following is None else following).to_dict()
    if following is None:
        file["start"] = inst.end_time.isoformat()
    left = next_state(a, evaluation)
    for j, site in enumerate(file["sites"].values()):
        grid, battery, unit = site["grid"], site.get("battery"), site.get("generator")
        grid["peak_so_far_mw"] = float(left.peak_mw[j])
        if battery is not None and battery["energy_mwh"] > 0:
            share = float(left.energy_mwh[j]) / battery["energy_mwh"]
            battery["soc_initial"] = min(max(share, battery["soc_min"]), battery["soc_max"])
        if unit is not None:
            unit["initially_on"] = bool(left.generator_on[j])
        if site["cooling"]["kind"] == "thermal":
            site["cooling"]["initial_c"] = float(left.temperature_c[j])
    file["backlog"] = _waiting(inst, left.backlog)
    return Instance.from_dict(file)


def _check(inst: Instance, evaluation: Evaluation, following: Instance | None) -> None:
    if not evaluation.feasible:
        family, broken = evaluation.worst
        raise InputError(field="schedule", value=f"{family} broken by {broken:g}", expected="a feasible one")
    for name, site in inst.sites.items():
        every = site.grid.demand_interval_slots
        if site.grid.demand_charge > 0 and inst.n_slots % every:
            field = f"sites.{name}.grid.demand_interval_slots"
            raise InputError(field=field, value=every, expected=f"a divisor of n_slots, {inst.n_slots}")
    if following is None:
        return
    for what in ("sites", "classes"):
        own, next_ones = list(getattr(inst, what)), list(getattr(following, what))
        if own != next_ones:
            raise InputError(field=f"following.{what}", value=next_ones, expected=f"the same, {own}")
    if abs((following.start_time - inst.end_time).total_seconds()) > _SECOND:
        raise InputError(
            field="following.start", value=following.start, expected=f"the end, {inst.end_time.isoformat()}"
        )


def _waiting(inst: Instance, backlog: Any) -> dict[str, dict[str, list[float]]]:
    """Jobs that wait, by origin and class, as the instance file has them; those without any are left out."""
    found: dict[str, dict[str, list[float]]] = {}
    for i, origin in enumerate(inst.sites):
        for k, name in enumerate(inst.classes):
            jobs = backlog[i, k]
            if jobs.any():
                upto = int(np.flatnonzero(jobs)[-1]) + 1
                found.setdefault(origin, {})[name] = jobs[:upto].tolist()
    return found
