"""From solution vectors to schedules: battery modes, whole jobs, and the last noise of a solver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule
from stepwatt.formulation.milp.linear_problem import LinearProblem

from ..highs.session import Outcome
from .rounding import Plan, round_jobs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_OVERLAP_MW = 1e-7

#: Columns of the modes that binaries choose.
MODES = ("charging", "importing", "generator_on")


def mode_columns(a: InstanceArrays, p: LinearProblem, x: Floats) -> Ints:
    """Binaries that matter: commitment, and modes where the point does both of what excludes each other."""
    overlap = np.minimum(x[p.columns["charge_mw"].ids], x[p.columns["discharge_mw"].ids]) > _OVERLAP_MW
    j = p.members.feeds_in
    both = np.minimum(x[p.columns["import_mw"].ids[j]], x[p.columns["export_mw"].ids[j]]) > _OVERLAP_MW
    return np.concatenate(
        [
            p.columns["charging"].ids[overlap],
            p.columns["importing"].ids[both & a.either_way[j]],
            p.columns["generator_on"].ids.ravel(),
        ]
    )


def with_modes(p: LinearProblem, x: Floats) -> Floats:
    """The point with modes of batteries and grid that say what the flows do."""
    settled = x.copy()
    settled[p.ids("charging")] = x[p.ids("charge_mw")] > x[p.ids("discharge_mw")]
    j = p.members.feeds_in
    importing = x[p.columns["import_mw"].ids[j]] > x[p.columns["export_mw"].ids[j]]
    settled[p.columns["importing"].ids] = importing
    return settled


def whole_jobs(
    a: InstanceArrays, p: LinearProblem, outcome: Outcome, *, limited: bool, spare: bool = False
) -> Floats:
    """The point of a relaxation with whole jobs and GPUs next to its own, energy columns left as they are.

    ``limited``: a site draws no more power for jobs than in the relaxation. ``spare``: GPUs are rounded up.
    """
    assert outcome.x is not None
    assert outcome.row_dual is not None
    fluid = p.schedule(a, outcome.x)
    power_price = -outcome.row_dual[p.rows["it_power"].ids]
    it_mw = outcome.x[p.columns["it_mw"].ids]
    o = a.options
    plan = Plan(
        transfers=fluid.transfers,
        runs=fluid.runs,
        gpus_on=np.ceil(fluid.gpus_on - 1e-9) if spare else np.round(fluid.gpus_on),
        profit=o.revenue[:, None] - power_price[o.site] * (o.energy_mwh / a.slot_hours)[:, None],
        it_limit_mw=it_mw if limited else np.full_like(it_mw, np.inf),
        gpu_cost=power_price * a.gpu_idle_mw[:, None],
    )
    transfers, runs, gpus_on = round_jobs(a, plan)
    x = outcome.x.copy()
    at = p.members
    x[p.columns["transfers"].ids] = transfers[at.origin, at.target, at.moved_class]
    x[p.columns["runs"].ids] = runs
    x[p.columns["gpus_on"].ids] = gpus_on
    return x


def clean_schedule(a: InstanceArrays, p: LinearProblem, x: Floats) -> Schedule:
    """The schedule of a solution: whole counts, one mode a slot, nothing from a generator that is off."""
    schedule = p.schedule(a, x)
    on = np.zeros((len(a.sites), a.n_slots))
    on[p.members.generators] = x[p.columns["generator_on"].ids]
    generator_mw = np.where(on > 0.5, schedule.generator_mw, 0.0)
    both = np.minimum(schedule.charge_mw, schedule.discharge_mw)
    both[both > _OVERLAP_MW] = 0.0
    round_trip = np.where(a.either_way, np.minimum(schedule.import_mw, schedule.export_mw), 0.0)
    round_trip[round_trip > _OVERLAP_MW] = 0.0
    clean = replace(
        schedule,
        generator_mw=generator_mw,
        charge_mw=schedule.charge_mw - both,
        discharge_mw=schedule.discharge_mw - both,
        import_mw=schedule.import_mw - round_trip,
        export_mw=schedule.export_mw - round_trip,
    )
    if not a.integral_jobs:
        return clean
    return replace(
        clean,
        transfers=np.round(clean.transfers),
        runs=np.round(clean.runs),
        gpus_on=np.round(clean.gpus_on),
    )
