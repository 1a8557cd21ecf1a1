"""The certified oracle: a bound from relaxations, a schedule next to it, and the distance between them.

1. Linear relaxation: bound and prices.
2. Whole GPUs, then whole jobs next to the relaxation (:mod:`.rounding`), then the energy side solved again
   with jobs fixed. On instances with many jobs per slot this already closes the gap.
3. Where the relaxation is loose (generator commitment, battery mode, few GPUs), a MIP in which only jobs stay
   fluid: a tighter bound, and whole GPUs to round from.
4. Where whole jobs are coarse, small MIPs over a few slots improve the schedule and tighten the bound
   (:mod:`.neighbourhoods`).
5. If the gap is still open, HiGHS gets the whole MIP with that incumbent, for the time that is left.

Horizons too long for one relaxation are solved in pieces (:mod:`.long_horizon`).
"""

from __future__ import annotations

import time

from stepwatt.formulation import Evaluation, Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.schedule.windows import fresh_state

from ..common.relaxation import extended, no_schedule, prices_from_duals, solve_relaxation
from ..common.sizes import LARGEST_PROBLEM, columns_per_slot
from ..common.trimming import trimmed
from ..highs.session import Termination
from ..interface.duals import Duals
from ..interface.result import EXPLAINED, INTERRUPTED, Result, Seconds, Status
from ..interface.settings import Settings
from ..planners.going_on import gone_on
from .long_horizon import solve_long
from .search import Search

#: What the plant does by itself.
_ALONE = ": jobs run where they arrive, with the shortest options"


def oracle(inst: Instance, settings: Settings) -> Result:
    """Perfect foresight, certified: the best schedule found and a proven bound on every schedule.

    Status ``optimal`` when the gap asked for was reached, ``time_limit`` when time ran out before,
    ``feasible`` when it was interrupted or the longest blocks of a long horizon do not reach the gap (the
    message says which), ``infeasible`` when no schedule exists.
    """
    a = inst.arrays()
    if settings.extra is not None:
        # with constraints of a user's own anything may matter, so nothing is trimmed
        return _oracle(inst, a, settings, "oracle")
    return oracle_on(inst, a, settings, "oracle")


def oracle_on(inst: Instance, a: InstanceArrays, settings: Settings, method: str) -> Result:
    """The oracle on arrays that may restrict those of ``inst`` (ablations)."""
    cut = trimmed(a)
    return cut.judged(_oracle(inst, cut.arrays, settings, method), a)


def _oracle(inst: Instance, a: InstanceArrays, settings: Settings, method: str) -> Result:
    if settings.extra is None and columns_per_slot(a) * a.n_slots > LARGEST_PROBLEM:
        return solve_long(inst, a, settings, method)
    begun, deadline = time.perf_counter(), settings.deadline()
    if settings.extra is not None:
        settings.progress(0.0, "own constraints, in Pyomo")
    own = extended(a, settings)
    names = () if own is None else own.names
    stated = time.perf_counter() - begun
    settings.progress(0.0, "linear relaxation")
    relaxed = solve_relaxation(a, deadline, None if own is None else own.problem)

    def seconds() -> Seconds:
        total, build = time.perf_counter() - begun, stated + relaxed.build_seconds
        return Seconds(build, total - build, total)

    outcome = relaxed.outcome
    if outcome.termination is Termination.INFEASIBLE:
        message = EXPLAINED if own is None else no_schedule(a, own)
        return Result(inst, method, Status.INFEASIBLE, seconds(), extra=names, message=message)
    if outcome.x is None or outcome.row_dual is None or relaxed.bound is None:
        if own is None:
            return _undecided(inst, a, method, seconds())
        message = "stopped in the relaxation"
        return Result(inst, method, Status.TIME_LIMIT, seconds(), extra=names, message=message)
    search = Search(a, relaxed.problem, settings, deadline, relaxed.bound, own)
    search.interrupted = outcome.termination is Termination.INTERRUPTED
    prices = prices_from_duals(inst, a, relaxed.problem, outcome.row_dual)
    if search.run(relaxed) is Termination.INFEASIBLE:
        message = f"no whole-number solution; {EXPLAINED}" if own is None else no_schedule(a, own)
        return Result(inst, method, Status.INFEASIBLE, seconds(), extra=names, message=message)
    if search.closed:
        status = Status.OPTIMAL
    elif search.interrupted:
        status = Status.FEASIBLE
    else:
        status = Status.TIME_LIMIT
    settings.progress(1.0, "done")
    schedule, evaluation = search.schedule, search.evaluation
    message = INTERRUPTED if search.interrupted else ""
    if schedule is None and own is None and not search.interrupted:
        schedule, evaluation = _by_itself(a)
        message = f"stopped before the first schedule{_ALONE if schedule else ''}"
    return Result(
        inst,
        method,
        status,
        seconds(),
        schedule=schedule,
        evaluation=evaluation,
        bound=search.bound,
        prices=prices,
        duals=Duals(relaxed.problem, outcome.row_dual),
        extra=names,
        message=message,
    )


def _undecided(inst: Instance, a: InstanceArrays, method: str, seconds: Seconds) -> Result:
    """The result of a search that ends before its first relaxation: what the plant does by itself."""
    schedule, evaluation = _by_itself(a)
    message = f"stopped in the relaxation{_ALONE}"
    if schedule is None:
        return Result(inst, method, Status.TIME_LIMIT, seconds, message="stopped in the relaxation")
    return Result(
        inst,
        method,
        Status.TIME_LIMIT,
        seconds,
        schedule=schedule,
        evaluation=evaluation,
        message=message,
    )


def _by_itself(a: InstanceArrays) -> tuple[Schedule, Evaluation] | tuple[None, None]:
    """What the plant does where nobody decides, if the judge accepts it."""
    schedule = gone_on(a, 0, fresh_state(a), None)
    evaluation = evaluate(a, schedule)
    return (schedule, evaluation) if evaluation.feasible else (None, None)
