"""The conic relaxation as a method: a looser bound with continuous steps, its schedule and its prices."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import SITE_FLOWS, Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.conic.groups import Groups
from stepwatt.formulation.conic.model import ConicModel, ConicSolverError
from stepwatt.formulation.errors import listed
from stepwatt.formulation.milp.linear_problem import members_of

from ..common.relaxation import lp
from ..common.sizes import refuse_more_than
from ..common.trimming import trimmed
from ..interface.dual_prices import Prices, labelled_prices
from ..interface.result import Result, Seconds, Status
from ..interface.settings import Settings

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: An interior point factors all of the model at once, and looks at the clock between its steps only.
_MOST_COLUMNS = 2_000_000
_TRICKLE_MW = 1e-6
#: Clarabel takes no time limit of nothing.
_LEAST_SECONDS = 1e-3

#: Ends of Clarabel that are answers.
_ENDS = {
    "PrimalInfeasible": Status.INFEASIBLE,
    "AlmostPrimalInfeasible": Status.INFEASIBLE,
    "MaxTime": Status.TIME_LIMIT,
}


def conic(inst: Instance, settings: Settings) -> Result:
    """Conic relaxation: fluid jobs, continuous steps (Clarabel).

    The schedule mixes the two allowed step counts around each continuous one, which takes the same GPU time
    and energy, so its evaluated utility can lie a little below the bound.

    Where Clarabel gets stuck, whatever is tried, or calls infeasible what has schedules, the bound is that of
    the linear relaxation, and said to be.

    Raises:
        SolverError: a linear model of more than :data:`_MOST_COLUMNS` columns.
    """
    begun, deadline = time.perf_counter(), settings.deadline()
    a = inst.arrays()
    refuse_more_than(_MOST_COLUMNS, a, "conic")
    # with constraints of a user's own anything may matter
    useful = a if settings.extra else trimmed(a).arrays
    limits = {name: getattr(useful, name) for name in ("import_limit_mw", "export_limit_mw")}
    model = ConicModel(inst, replace(a, **limits), settings.extra)
    built = time.perf_counter() - begun
    left = deadline.left()
    limit = {} if left is None else {"time_limit": max(left, _LEAST_SECONDS)}
    try:
        solution = model.solve(**limit)
    except ConicSolverError as failed:
        # with huge numbers Clarabel may call infeasible what is not: the simplex method has the last word
        denied = _ENDS.get(failed.status) is Status.INFEASIBLE and not model.own
        if failed.status not in _ENDS or denied:
            linear = lp(inst, replace(settings, extra=None))
            if linear.status is Status.INFEASIBLE:
                return replace(linear, method="conic")
            if not model.own:
                return replace(linear, method="conic", message=f"{failed}; this is the linear relaxation")
            message = f"{failed}; this is the bound of the linear relaxation without {listed(model.own)}"
            bound, took = linear.bound, linear.seconds
            end = Status.TIME_LIMIT
            return Result(inst, "conic", end, took, bound=bound, extra=model.own, message=message)
        total = time.perf_counter() - begun
        status, seconds = _ENDS[failed.status], Seconds(built, total - built, total)
        none = f"no schedule keeps {listed(model.own)}, or there is none without" if model.own else ""
        message = none if status is Status.INFEASIBLE else ""
        return Result(inst, "conic", status, seconds, extra=model.own, message=message)
    schedule = _schedule(a, model.groups, solution.flows)
    total = time.perf_counter() - begun
    return Result(
        inst,
        "conic",
        Status.OPTIMAL,
        Seconds(built, total - built, total),
        schedule=schedule,
        evaluation=evaluate(a, schedule),
        bound=solution.value,
        prices=_prices(inst, a, solution.duals),
        duals={name: dual if dual.ndim else float(dual) for name, dual in solution.duals.items()},
        extra=model.own,
    )


def _everywhere(values: dict[str, Floats], name: str, sites: Bools, n_slots: int) -> Floats:
    """(J,T) from rows that exist at some sites only; zero elsewhere and where no constraint was needed."""
    whole = np.zeros((len(sites), n_slots))
    if name in values:
        whole[sites] = np.nan_to_num(values[name])
    return whole


def _schedule(a: InstanceArrays, groups: Groups, flows: dict[str, Floats]) -> Schedule:
    n, k, t = len(a.sites), len(a.classes), a.n_slots
    members = members_of(a)
    transfers = np.zeros((n, n, k, t))
    every_transfer = np.ones(len(members.origin), dtype=bool)
    moved = np.maximum(_everywhere(flows, "transfers", every_transfer, t), 0.0)
    transfers[members.origin, members.target, members.moved_class] = moved
    storage = a.battery & (a.battery_power_mw > 0)
    engines = a.generator & (a.generator_max_mw > 0)
    sites = {"charge_mw": storage, "discharge_mw": storage, "generator_mw": engines, "cooling_mw": a.thermal}
    all_sites = np.ones(n, dtype=bool)
    by_site = {
        name: np.maximum(_everywhere(flows, name, sites.get(name, all_sites), t), 0.0) for name in SITE_FLOWS
    }
    # an interior-point solution leaves a trickle everywhere
    trickle = np.minimum(by_site["charge_mw"], by_site["discharge_mw"])
    trickle[trickle > _TRICKLE_MW] = 0.0
    for name in ("charge_mw", "discharge_mw"):
        by_site[name] -= trickle
    every_group = np.ones(len(groups), dtype=bool)
    jobs, extra = (np.maximum(_everywhere(flows, name, every_group, t), 0.0) for name in ("jobs", "extra"))
    runs = _runs(a, groups, jobs, extra)
    kept = _present(a, transfers)
    at_site, of_class = a.options.site, a.options.job_class
    runs *= _ratio(kept.sum(axis=0), transfers.sum(axis=0))[at_site, of_class]
    return Schedule(transfers=kept, runs=runs, **by_site)


def _present(a: InstanceArrays, transfers: Floats) -> Floats:
    """The transfers less the trickle of jobs that have not come yet, or are lost already."""
    sent = transfers.sum(axis=1)
    come = a.state.backlog.sum(axis=2)[:, :, None] + a.arrivals.cumsum(axis=2)
    due = come - a.waiting_limit()
    run, lost = np.zeros(sent.shape[:2]), np.zeros(sent.shape[:2])
    share = np.ones_like(sent)
    for t in range(a.n_slots):
        there = np.clip(come[:, :, t] - run - lost, 0.0, sent[:, :, t])
        share[:, :, t] = _ratio(there, sent[:, :, t])
        run += there
        lost = np.maximum(lost, due[:, :, t] - run)
    kept: Floats = transfers * share[:, None]
    return kept


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)


def _runs(a: InstanceArrays, groups: Groups, jobs: Floats, extra: Floats) -> Floats:
    """(O,T) jobs per allowed step count, next to the continuous steps of each group."""
    o = a.options
    runs = np.zeros((len(o), a.n_slots))
    slots = np.arange(a.n_slots)
    for g in range(len(groups)):
        rows = np.flatnonzero(
            (o.site == groups.site[g])
            & (o.job_class == groups.job_class[g])
            & (o.model == groups.model[g])
            & (o.clock == groups.clock[g])
        )
        rows = rows[np.argsort(o.steps[rows])]
        if len(rows) == 1:
            runs[rows[0]] = jobs[g]
            continue
        low, high = o.steps[rows[0]], o.steps[rows[-1]]
        share = np.divide(extra[g], jobs[g], out=np.zeros(a.n_slots), where=jobs[g] > 0)
        steps = low + (high - low) * np.clip(share, 0.0, 1.0)
        above = np.clip(np.searchsorted(o.steps[rows], steps), 1, len(rows) - 1)
        span = o.steps[rows[above]] - o.steps[rows[above - 1]]
        upper = np.clip((steps - o.steps[rows[above - 1]]) / span, 0.0, 1.0) * jobs[g]
        runs[rows[above], slots] += upper
        runs[rows[above - 1], slots] += jobs[g] - upper
    return runs


def _prices(inst: Instance, a: InstanceArrays, duals: dict[str, Floats]) -> Prices:
    n, k, t = len(a.sites), len(a.classes), a.n_slots
    all_sites = np.ones(n, dtype=bool)
    every_queue = np.ones(n * k, dtype=bool)
    storage = a.battery & (a.battery_power_mw > 0)
    return labelled_prices(
        inst,
        a,
        power=_everywhere(duals, "power_balance", all_sites, t),
        stored_energy=_everywhere(duals, "state_of_charge", storage, t),
        coolness=_everywhere(duals, "room_heat", a.thermal, t),
        gpu_time=3600 * _everywhere(duals, "gpu_time", all_sites, t),
        waiting_jobs=_everywhere(duals, "waiting_balance", every_queue, t).reshape(n, k, t),
        job_at_site=_everywhere(duals, "assignment", every_queue, t).reshape(n, k, t),
    )
