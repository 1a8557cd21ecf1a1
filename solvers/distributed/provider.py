"""One provider (ASP) in the exchange of jobs: its own problem, and its answers to prices and lots.

A provider is built from its own data alone (:class:`PrivateView`) and what all have announced. It may send
jobs to other hosts at the announced price of a job run there, and host jobs at the price of its own site;
who is on the other side it never sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.milp.linear_problem import Block, LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

from ..common.relaxation import solve_priced_by_rows
from ..common.trimming import trimmed
from ..highs.certificate import safe_bound
from ..highs.session import HighsSession, Outcome, Termination
from ..interface.errors import SolverError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class NoOperation(SolverError):
    """A provider's own site has no feasible operation, with or without jobs."""


@dataclass(frozen=True)
class PrivateView:
    """What one provider knows by itself.

    ``instance`` holds its own site, models and arrivals and the classes, which are common knowledge;
    ``transfer_cost`` (J,) USD/GB and ``link_gb_per_hour`` (J,) from its own place to every host.
    """

    place: int
    instance: Instance
    transfer_cost: Floats
    link_gb_per_hour: Floats


def private_view(inst: Instance, name: str) -> PrivateView:
    """The part of an instance that belongs to the provider of that name."""
    site = inst.sites[name]
    others = list(inst.sites)
    costs, links = inst.transfer_cost.get(name, {}), inst.link_gb_per_hour.get(name, {})
    alone = {
        "models": {model: inst.models[model] for model in site.models},
        "sites": {name: site},
        "arrivals": {name: inst.arrivals[name]},
        "backlog": {origin: jobs for origin, jobs in inst.backlog.items() if origin == name},
        "transfer_cost": {},
        "link_gb_per_hour": {},
    }
    return PrivateView(
        place=others.index(name),
        instance=inst.model_copy(update=alone),
        transfer_cost=np.array([costs.get(host, 0.0) for host in others]),
        link_gb_per_hour=np.array([links.get(host, np.inf) if host != name else np.inf for host in others]),
    )


@dataclass(frozen=True)
class Registration:
    """What a provider announces once: ``serves`` (K,) the classes it can host, ``most_orders`` (K,) jobs it
    will never order more of, rounded up to a power of two."""

    serves: Bools
    most_orders: Floats


def register(view: PrivateView) -> Registration:
    """The announcement of a provider."""
    a = view.instance.arrays()
    jobs = (a.arrivals.sum(axis=2) + a.state.backlog.sum(axis=2))[0]
    return Registration(
        serves=a.served()[0],
        most_orders=np.where(jobs > 0, 2.0 ** np.ceil(np.log2(np.maximum(jobs, 1e-9))), 0.0),
    )


class Asp:
    """A provider and its linear problem with doors to the market.

    Args:
        view: what is its own.
        registered: the announcements of all providers, in the order of the instance.

    Quantities and prices are tables over hosts, classes and slots, (J,K,T). A provider's *net* quantities are
    positive where it sends jobs to a host and negative where it hosts (its own row).
    """

    def __init__(self, view: PrivateView, registered: Sequence[Registration]) -> None:
        self.view = view
        self.place = view.place
        self.arrays = view.instance.arrays()
        serves = np.array([one.serves for one in registered])
        others = np.arange(len(registered)) != view.place
        foreign = sum(
            (one.most_orders for one, other in zip(registered, others, strict=True) if other),
            start=np.zeros(len(self.arrays.classes)),
        )
        self.host, self.sent_class = np.nonzero(serves & others[:, None])
        self.hosted_class = np.flatnonzero(serves[view.place] & (foreign > 0))
        self.shape = (len(registered), len(self.arrays.classes), self.arrays.n_slots)
        self.problem = _with_doors(self, foreign)
        self._at_prices: HighsSession | None = None
        self._at_lots: HighsSession | None = None

    def priced(self, prices: Floats) -> LinearProblem:
        """The own problem where a job run at a host brings its origin the price, and costs the host it."""
        cost = self.problem.cost.copy()
        cost[self.problem.columns["sent"].ids] += prices[self.host, self.sent_class]
        cost[self.problem.columns["hosted"].ids] -= prices[self.place, self.hosted_class]
        return replace(self.problem, cost=cost)

    def with_lots(self, sent: Floats, hosted: Floats) -> LinearProblem:
        """The own problem with trade agreed: ``sent`` (J,K,T) and ``hosted`` (K,T) jobs."""
        lower, upper = self.problem.lower.copy(), self.problem.upper.copy()
        for name, lots in (("sent", sent[self.host, self.sent_class]), ("hosted", hosted[self.hosted_class])):
            ids = self.problem.columns[name].ids
            lower[ids] = upper[ids] = lots
        return replace(self.problem, lower=lower, upper=upper)

    def opening(self) -> Floats:
        """(K,T) USD: what a job more at the own site would be worth without any trade.

        Raises:
            NoOperation: the site cannot be operated at all.
        """
        nothing = np.zeros(self.shape)
        session = HighsSession(self.with_lots(nothing, nothing[self.place]), relaxed=True)
        outcome = solve_priced_by_rows(session)
        if outcome.termination is Termination.INFEASIBLE:
            raise NoOperation(f"the site of provider {self.place} has no feasible operation")
        if outcome.row_dual is None:
            raise KeyboardInterrupt  # without a time limit, only Ctrl-C ends a solve before its optimum
        worth = np.zeros(self.shape[1:])
        served = np.flatnonzero(self.arrays.served()[0])
        worth[served] = outcome.row_dual[self.problem.rows["assignment"].ids]
        return worth

    def response(self, prices: Floats) -> tuple[float, Floats]:
        """The best profit at the prices (an upper bound in USD, safe against solver noise), and net jobs."""
        priced = self.priced(prices)
        self._at_prices = _refreshed(self._at_prices, priced)
        outcome = self._at_prices.solve()
        if outcome.row_dual is None or outcome.x is None:
            raise SolverError(f"provider {self.place} has no answer to the prices")
        return safe_bound(priced, outcome.row_dual), self.net(outcome.x)

    def whole_profit(self, prices: Floats, *, gap: float, seconds: float) -> float:
        """An upper bound (USD) on the best profit at the prices with whole jobs, GPUs and commitment."""
        fluid, _ = self.response(prices)
        whole = HighsSession(self.priced(prices), relaxed=False).solve(gap=gap, time_limit=seconds)
        return fluid if whole.bound is None else min(fluid, whole.bound)

    def worth(self, sent: Floats, hosted: Floats) -> float:
        """USD that the own site earns with trade agreed, payments left out, jobs fluid; -inf if it cannot."""
        outcome = self.plan(sent, hosted)
        return -np.inf if outcome.objective is None else outcome.objective

    def plan(self, sent: Floats, hosted: Floats) -> Outcome:
        """The fluid plan of the own site with trade agreed."""
        self._at_lots = _refreshed(self._at_lots, self.with_lots(sent, hosted))
        return self._at_lots.solve()

    def net(self, x: Floats) -> Floats:
        """(J,K,T) net jobs of a solution."""
        table = np.zeros(self.shape)
        table[self.host, self.sent_class] = x[self.problem.columns["sent"].ids]
        table[self.place, self.hosted_class] = -x[self.problem.columns["hosted"].ids]
        return table


def _refreshed(session: HighsSession | None, problem: LinearProblem) -> HighsSession:
    if session is None:
        return HighsSession(problem, relaxed=True)
    session.refresh(problem)
    return session


def _with_doors(asp: Asp, foreign: Floats) -> LinearProblem:
    """The matrices of the own site, with columns for jobs sent to each host and for jobs hosted.

    ``sent`` (host and class, slots) leaves the queue and uses the link; ``hosted`` (class, slots) has to be
    run. ``foreign`` (K,) jobs are all that the others may order.
    """
    from scipy.sparse import coo_array, hstack, vstack

    view, a = asp.view, asp.arrays
    # useful limits have to leave room for the jobs of others
    visited = replace(a, arrivals=a.arrivals + foreign[None, :, None])
    trim = trimmed(visited).arrays
    own = replace(trim, arrivals=a.arrivals)
    p = linear_problem(own)
    t, n = a.n_slots, len(p.cost)
    sent = n + np.arange(len(asp.host) * t).reshape(-1, t)
    hosted = n + sent.size + np.arange(len(asp.hosted_class) * t).reshape(-1, t)
    limited = np.flatnonzero(np.isfinite(view.link_gb_per_hour))
    links = len(p.row_lower) + np.arange(len(limited) * t).reshape(-1, t)

    row_of_class = np.zeros(len(a.classes), dtype=np.int64)
    row_of_class[np.flatnonzero(a.served()[0])] = np.arange(int(a.served()[0].sum()))
    on_link = np.flatnonzero(np.isin(asp.host, limited))
    entries = [
        (p.rows["waiting_balance"].ids[asp.sent_class], sent, 1.0),
        (p.rows["assignment"].ids[row_of_class[asp.hosted_class]], hosted, -1.0),
        (
            links[np.searchsorted(limited, asp.host[on_link])],
            sent[on_link],
            a.payload_gb[asp.sent_class[on_link]][:, None],
        ),
    ]
    spread = [np.broadcast_arrays(rows, ids, np.asarray(value)) for rows, ids, value in entries]
    rows, ids, values = (np.concatenate([part[axis].ravel() for part in spread]) for axis in range(3))
    doors = coo_array(
        (values.astype(float), (rows, ids - n)),
        shape=(len(p.row_lower) + links.size, sent.size + hosted.size),
    )
    below = coo_array((links.size, n))
    matrix = hstack([vstack([p.matrix, below]), doors]).tocsc()
    matrix.sort_indices()

    waits = own.state.backlog.sum(axis=2, keepdims=True)
    present = np.concatenate([waits, own.waiting_limit()[:, :, :-1]], axis=2)
    present = (present + own.arrivals)[0]
    o = own.options
    fits = np.divide(
        own.gpus[0] * own.seconds_per_gpu[0], o.seconds, out=np.full(len(o), np.inf), where=o.seconds > 0
    )
    capacity = np.zeros(len(a.classes))
    np.maximum.at(capacity, o.job_class, fits)
    upper = p.upper.copy()
    upper[p.columns["runs"].ids] = np.minimum(
        fits[:, None], present[o.job_class] + foreign[o.job_class, None]
    )
    upper[p.columns["it_mw"].ids] = replace(own, arrivals=visited.arrivals).most_it_mw[:, None]
    cost_sent = -view.transfer_cost[asp.host] * a.payload_gb[asp.sent_class]
    most_hosted = np.minimum(capacity, foreign)[asp.hosted_class]
    zeros = np.zeros(sent.size + hosted.size)
    columns = p.columns | {
        "sent": Block("sent", sent, lambda: list(zip(asp.host, asp.sent_class, strict=True))),
        "hosted": Block("hosted", hosted, lambda: [(k,) for k in asp.hosted_class]),
    }
    link_rows = Block("links", links, lambda: [(j,) for j in limited])
    return replace(
        p,
        matrix=matrix,
        cost=np.concatenate([p.cost, np.repeat(cost_sent, t), np.zeros(hosted.size)]),
        lower=np.concatenate([p.lower, zeros]),
        upper=np.concatenate([upper, present[asp.sent_class].ravel(), np.repeat(most_hosted, t)]),
        row_lower=np.concatenate([p.row_lower, np.full(links.size, -np.inf)]),
        row_upper=np.concatenate([p.row_upper, np.repeat(view.link_gb_per_hour[limited] * a.slot_hours, t)]),
        integer=np.concatenate([p.integer, np.full(len(zeros), a.integral_jobs)]),
        columns=columns,
        rows=p.rows | {"links": link_rows},
    )
