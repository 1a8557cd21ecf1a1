"""Coordination without disclosure: providers trade jobs at prices, each solving its own problem alone.

Prices and the trade asked for go out; each provider answers with the trade it proposes, the profit it could
make at the prices (their sum bounds every schedule), and what its site earns with the lots of the round
before (their sum is what the trade is worth). At the end every provider plans whole jobs for the best lots.
Mathematics, messages and what they disclose: docs/distributed.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.arguments import whole
from stepwatt.formulation.instance.given import the_instance
from stepwatt.formulation.schedule.schedule import SITE_FLOWS

from ..common.sizes import refuse_more_than
from ..interface.deadline import Deadline
from ..interface.errors import SolverError
from ..interface.result import INTERRUPTED, Result, Seconds, Status, relative_gap
from ..interface.settings import Settings, silent
from .market import Lots
from .provider import Asp, NoOperation
from .rounds import Exchange
from .settlement import OwnPlan, confirm, own_plan, planned_home

Floats = NDArray[np.float64]

#: Rounds of questions and answers at most.
ROUNDS = 50
#: Share of the gap asked for that fluid jobs may use up; the rest is for whole jobs.
_FLUID_SHARE = 0.8
#: All providers keep their models at hand, several each.
_MOST_COLUMNS = 1_000_000
#: Relative gain that the judge's tolerance for rounding may allow.
_JUDGED = 1e-6
#: Gap to which each provider plans whole jobs, and the seconds it may take: as many at most, so few at least.
_PLAN_GAP, _PLAN_SECONDS, _LEAST_SECONDS = 1e-4, 30.0, 1.0
#: Share of the time limit that the rounds may use up; the rest is for the plans.
_ROUNDS_SHARE = 0.6


@dataclass(frozen=True)
class Distribution:
    """How the exchange went, and what it led to.

    ``result`` with schedule, bound and gap; ``prices`` (J,K,T) USD that an origin gets from the host per
    job, those of the best bound; ``lots`` agreed; ``plans`` of the providers (none if infeasible);
    ``history`` one row per round: best ``bound`` and best ``worth`` so far, of lots with fluid jobs (USD),
    and ``imbalance`` (share of the jobs offered); ``messages`` what was said, by kind.
    """

    result: Result
    asps: tuple[Asp, ...]
    prices: Floats
    lots: Lots
    plans: tuple[OwnPlan, ...]
    history: pd.DataFrame
    messages: pd.DataFrame

    def __repr__(self) -> str:
        return f"<Distribution among {len(self.asps)} providers after {self.rounds} rounds: {self.result!r}>"

    @property
    def rounds(self) -> int:
        """Rounds of questions and answers."""
        return len(self.history)


def distribute(inst: Instance, settings: Settings | None = None, *, rounds: int = ROUNDS) -> Distribution:
    """Schedule the jobs of all providers by an exchange of prices, each keeping its own data.

    Args:
        inst: the instance; each provider is built from its own part of it.
        settings: ``gap`` ends the rounds (default 0.5 %), so does most of ``time_limit``; the round begun
            is ended, and every provider has a second at least to plan its jobs, which may come on top.
        rounds: of questions and answers at most.

    Raises:
        InputError: fewer than one round.
        SolverError: a provider's solver failed; a model of more than :data:`_MOST_COLUMNS` columns.
    """
    the_instance(inst)
    rounds = whole(rounds, "rounds", 1)
    refuse_more_than(_MOST_COLUMNS, inst.arrays(), "distributed")
    settings = settings or Settings(gap=5e-3)
    begun, deadline = time.perf_counter(), settings.deadline()
    rounds_end = deadline.part(_ROUNDS_SHARE)
    exchange = Exchange(inst)
    built = time.perf_counter() - begun
    interrupted = False
    try:
        exchange.open()
        while (
            exchange.rounds < rounds and exchange.gap > _FLUID_SHARE * settings.gap and not rounds_end.passed
        ):
            settings.progress(
                0.9 * exchange.rounds / rounds, f"round {exchange.rounds + 1}, at most {rounds}"
            )
            exchange.ask()
    except NoOperation as why:
        seconds = Seconds(built, *[time.perf_counter() - begun] * 2)
        result = Result(inst, "distributed", Status.INFEASIBLE, seconds, message=str(why))
        return _ended(exchange, result, exchange.lots, ())
    except KeyboardInterrupt:
        interrupted = True
    settings.progress(0.9, "whole jobs")
    lots, plans = _settle(exchange, settings, deadline)
    a = inst.arrays()
    schedule = joint_schedule(a, lots, plans)
    evaluation = evaluate(a, schedule)
    unsure = exchange.gap <= settings.gap < relative_gap(exchange.bound, evaluation.utility)
    if unsure and not interrupted and not deadline.passed:
        # fluid jobs are close enough: what is left is that jobs are whole, so let the bound know it
        settings.progress(0.95, "whole profits")
        share = deadline.within(_PLAN_SECONDS, 1 / len(exchange.asps))
        exchange.tighten(gap=_FLUID_SHARE * settings.gap, seconds=share)
    bound = exchange.bound if np.isfinite(exchange.bound) else None
    if bound is not None and evaluation.feasible and bound < evaluation.utility:
        if relative_gap(bound, evaluation.utility) < -_JUDGED:
            raise SolverError(f"bound {bound} below the utility {evaluation.utility} of a schedule")
        bound = evaluation.utility  # what the judge's tolerance for rounding allows
    closed = bound is not None and relative_gap(bound, evaluation.utility) <= settings.gap
    total = time.perf_counter() - begun
    result = Result(
        inst,
        "distributed",
        Status.OPTIMAL
        if closed and evaluation.feasible
        else Status.TIME_LIMIT
        if rounds_end.passed
        else Status.FEASIBLE,
        Seconds(built, total - built, total),
        schedule=schedule,
        evaluation=evaluation,
        bound=bound,
        message=INTERRUPTED if interrupted else f"{exchange.rounds} rounds",
    )
    return _ended(exchange, result, lots, plans)


def distributed(inst: Instance, settings: Settings) -> Result:
    """The method: the exchange's schedule and bound. ``optimal`` when the gap asked for was certified."""
    return distribute(inst, settings).result


def _ended(exchange: Exchange, result: Result, lots: Lots, plans: tuple[OwnPlan, ...]) -> Distribution:
    return Distribution(
        result=result,
        asps=exchange.asps,
        prices=exchange.prices,
        lots=lots,
        plans=plans,
        history=exchange.history(),
        messages=exchange.post.table(),
    )


def _settle(exchange: Exchange, settings: Settings, deadline: Deadline) -> tuple[Lots, tuple[OwnPlan, ...]]:
    """Lots confirmed by their origins and every provider's plan for them, of whole jobs where jobs are whole.

    Where it matters how lots are rounded, the way that is worth more to all is taken.
    """
    asps, agreed, post = exchange.asps, exchange.lots, exchange.post
    homes = [planned_home(asp, agreed.sent[asp.place], agreed.hosted[asp.place]) for asp in asps]
    best: tuple[float, Lots, tuple[OwnPlan, ...]] | None = None
    ways = agreed.whole() if asps[0].arrays.integral_jobs else [agreed]
    for way, lots in enumerate(ways):
        confirmed = []
        for asp, home in zip(asps, homes, strict=True):
            post.send("lots", lots.sent[asp.place])
            confirmed.append(confirm(asp, lots.sent[asp.place], home))
            post.send("confirmation", confirmed[-1].sent)
        trade = Lots(np.array([one.sent for one in confirmed]))
        plans, worth = [], 0.0
        for number, (asp, one) in enumerate(zip(asps, confirmed, strict=True)):
            post.send("lots", trade.hosted[asp.place])
            share = 1 / ((len(ways) - way) * len(asps) - number)
            seconds = max(_LEAST_SECONDS, deadline.within(_PLAN_SECONDS, share))
            alone = replace(settings, gap=_PLAN_GAP, time_limit=seconds, progress=silent)
            plans.append(own_plan(asp, one.kept, trade.hosted[asp.place], alone))
            earned = plans[-1].evaluation.utility - transfer_cost(asp, one.sent)
            post.send("worth", earned)
            post.send("delivery", plans[-1].hosted, plans[-1].hosted_revenue)
            worth += earned
        if best is None or worth > best[0]:
            best = worth, trade, tuple(plans)
    assert best is not None
    return best[1], best[2]


def transfer_cost(asp: Asp, sent: Floats) -> float:
    """USD that a provider pays for moving jobs, ``sent`` (J,K,T)."""
    return float(np.einsum("j,k,jkt->", asp.view.transfer_cost, asp.arrays.payload_gb, sent))


def joint_schedule(a: InstanceArrays, lots: Lots, plans: Sequence[OwnPlan]) -> Schedule:
    """The schedule that the plans make together. Where a host runs less than its lots, later origins wait."""
    n = len(a.sites)
    runs = np.zeros((len(a.options), a.n_slots))
    transfers = np.zeros((n, n, len(a.classes), a.n_slots))
    flows = {name: np.zeros((n, a.n_slots)) for name in SITE_FLOWS}
    for j, plan in enumerate(plans):
        runs[a.options.site == j] = plan.runs
        left = plan.hosted.copy()
        for i in range(n):
            transfers[i, j] = np.minimum(lots.sent[i, j], left)
            left -= transfers[i, j]
        transfers[j, j] = plan.home
        for name in SITE_FLOWS:
            flows[name][j] = getattr(plan.schedule, name)[0]
    return Schedule(transfers=transfers, runs=runs, **flows)
