"""Whole jobs after the exchange: each provider plans its own site again, with the agreed lots as given.

Jobs sent away leave the queue before planning; jobs hosted come as classes of their own that cannot wait.
What is left is an ordinary one-site instance, which the oracle solves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, Schedule

from ..interface.errors import SolverError
from ..interface.settings import Settings
from ..optimum.oracle import oracle_on
from .provider import Asp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Confirmed:
    """What a provider sends after all, ``sent`` (J,K,T) jobs, and the arrivals it keeps, ``kept`` (K,T)."""

    sent: Floats
    kept: Floats


@dataclass(frozen=True)
class OwnPlan:
    """A provider's plan: ``home`` (K,T) own jobs run at home and ``hosted`` (K,T) for others.

    ``home_revenue`` USD, ``hosted_revenue`` (K,T) USD; ``runs`` (O,T) of both over the site's options;
    ``schedule`` and ``evaluation`` of the site, in which hosted jobs are classes of their own and jobs sent
    away do not appear.
    """

    home: Floats
    hosted: Floats
    home_revenue: float
    hosted_revenue: Floats
    runs: Floats
    schedule: Schedule
    evaluation: Evaluation


def planned_home(asp: Asp, sent: Floats, hosted: Floats) -> Floats:
    """(K,T) own jobs that run at home in the fluid plan for the lots, in whole numbers where jobs are whole.

    Raises:
        SolverError: the lots cannot be kept.
    """
    fluid = asp.plan(sent, hosted)
    if fluid.x is None:
        raise SolverError(f"provider {asp.place} cannot keep its lots")
    home = np.zeros(asp.shape[1:])
    home[asp.problem.members.moved_class] = fluid.x[asp.problem.columns["transfers"].ids]
    if not asp.arrays.integral_jobs:
        return home
    return np.diff(np.round(home.cumsum(axis=1)), axis=1, prepend=0.0)


def confirm(asp: Asp, sent: Floats, home: Floats) -> Confirmed:
    """The lots ``sent`` (J,K,T) as far as jobs are there and links carry them.

    Jobs sent are the oldest that the plan to run ``home`` (K,T) jobs leaves, and others where these fall
    short, so that what is kept still allows the plan.
    """
    a = asp.arrays
    load = np.einsum("k,jkt->jt", a.payload_gb, sent)
    capacity = (asp.view.link_gb_per_hour * a.slot_hours)[:, None]
    fits = np.divide(capacity, load, out=np.ones_like(load), where=load > capacity)
    confirmed = sent * fits[:, None, :]
    if a.integral_jobs:
        confirmed = np.floor(confirmed)
    kept = a.arrivals[0].copy()
    for k, wait in enumerate(a.deadline):
        ready = kept[k].copy()
        for t in range(a.n_slots):
            window = slice(max(0, t - int(wait)), t + 1)
            wanted = float(confirmed[:, k, t].sum())
            away = _oldest(ready[window], wanted)
            ready[window] -= away
            away += _oldest(kept[k, window] - away, wanted - float(away.sum()))
            kept[k, window] -= away
            ready[window] = np.minimum(ready[window], kept[k, window])
            ready[window] -= _oldest(ready[window], home[k, t])
            confirmed[:, k, t] = _oldest(confirmed[:, k, t], float(away.sum()))
    return Confirmed(confirmed, kept)


def _oldest(there: Floats, jobs: float) -> Floats:
    """How many are taken at each place of a line when ``jobs`` leave, the first ones first."""
    before = np.concatenate([[0.0], there.cumsum()[:-1]])
    taken: Floats = np.clip(jobs - before, 0.0, there)
    return taken


def own_plan(asp: Asp, kept: Floats, hosted: Floats, settings: Settings) -> OwnPlan:
    """The best plan found for the arrivals kept and the jobs hosted, both (K,T).

    Raises:
        SolverError: no plan was found.
    """
    a = asp.arrays
    n_classes, o = len(a.classes), a.options
    twice = o.take(np.tile(np.arange(len(o)), 2))
    twice.job_class[len(o) :] += n_classes
    both = replace(
        a,
        classes=(*a.classes, *(f"{name}, hosted" for name in a.classes)),
        options=twice,
        arrivals=np.concatenate([kept, hosted])[None],
        deadline=np.concatenate([a.deadline, np.zeros_like(a.deadline)]),
        miss_penalty=np.tile(a.miss_penalty, 2),
        payload_gb=np.tile(a.payload_gb, 2),
        state=replace(a.state, backlog=np.concatenate([a.state.backlog, 0 * a.state.backlog], axis=1)),
    )
    result = oracle_on(asp.view.instance, both, settings, "distributed")
    if result.schedule is None or result.evaluation is None:
        raise SolverError(f"provider {asp.place} found no plan for its lots: {result.status}")
    found = result.schedule
    own, foreign = found.runs[: len(o)], found.runs[len(o) :]
    revenue = np.zeros((n_classes, a.n_slots))
    np.add.at(revenue, o.job_class, foreign * o.revenue[:, None])
    return OwnPlan(
        home=found.transfers[0, 0, :n_classes],
        hosted=found.transfers[0, 0, n_classes:],
        home_revenue=float(o.revenue @ own.sum(axis=1)),
        hosted_revenue=revenue,
        runs=own + foreign,
        schedule=found,
        evaluation=result.evaluation,
    )
