"""The linear relaxation: bound, fluid schedule and dual prices (method ``lp``)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance, InstanceArrays, evaluate
from stepwatt.formulation.errors import listed
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

from ..highs.certificate import safe_bound
from ..highs.session import HighsSession, Outcome, Termination
from ..interface.deadline import Deadline
from ..interface.dual_prices import Prices, labelled_prices
from ..interface.duals import Duals
from ..interface.errors import NoDecision
from ..interface.result import EXPLAINED, Result, Seconds, Status
from ..interface.settings import Settings
from .sizes import LARGEST_PROBLEM, columns_per_slot, refuse_more_than
from .trimming import trimmed, untrimmed

if TYPE_CHECKING:
    from stepwatt.formulation.milp.extended import Extended

Floats = NDArray[np.float64]

#: A model takes a kilobyte for a column, here and in HiGHS.
_MOST_COLUMNS = 3_000_000


@dataclass(frozen=True)
class Relaxation:
    """A solved relaxation: the session stays open for further work on the same model."""

    problem: LinearProblem
    session: HighsSession
    outcome: Outcome
    bound: float | None
    build_seconds: float


def solve_relaxation(
    a: InstanceArrays, deadline: Deadline | None = None, problem: LinearProblem | None = None
) -> Relaxation:
    """The LP of the arrays, solved, with a bound that holds whatever HiGHS says.

    ``problem``: theirs with constraints more.
    """
    begun = time.perf_counter()
    problem = linear_problem(a) if problem is None else problem
    session = HighsSession(problem, relaxed=True)
    built = time.perf_counter() - begun
    outcome = solve_priced_by_rows(session, deadline)
    bound = safe_bound(problem, outcome.row_dual) if outcome.row_dual is not None else None
    return Relaxation(problem, session, outcome, bound, built)


def solve_priced_by_rows(session: HighsSession, deadline: Deadline | None = None) -> Outcome:
    """Solve, and see to it that prices stand on rows.

    A solver may put the price of a full GPU or of a job that all want on a column's upper bound that rows
    imply, and the row's dual would then say that it is worth nothing. Such bounds are dropped, and the model
    is solved again from where it stands.
    """
    deadline = deadline or Deadline(None)
    outcome = session.solve(time_limit=deadline.left(), interruptible=True)
    implied = session.problem.ids("transfers", "runs", "lost", "it_mw")
    # a dropped bound may hand its price to the next one (from a transfer to the runs it feeds)
    while outcome.termination is Termination.OPTIMAL and outcome.row_dual is not None:
        assert outcome.x is not None
        p = session.problem
        full = outcome.x[implied] >= p.upper[implied] * (1 - 1e-9)
        held = session.reduced_cost()[implied] > 0
        priced = implied[full & held & (p.upper[implied] > p.lower[implied])]
        if len(priced) == 0:
            break
        session.change_bounds(priced, p.lower[priced], np.full(len(priced), np.inf))
        left = deadline.left()
        again = session.solve(time_limit=None if left is None else max(0.1, left), interruptible=True)
        if again.row_dual is None:
            break
        outcome = replace(again, seconds=outcome.seconds + again.seconds)
    return outcome


def dual_of(problem: LinearProblem, row_dual: Floats, name: str) -> Floats:
    """Duals of a block of rows, in its shape."""
    return row_dual[problem.rows[name].ids]


def prices_from_duals(inst: Instance, a: InstanceArrays, problem: LinearProblem, row_dual: Floats) -> Prices:
    """What one more unit of each thing is worth, from the duals of the linear relaxation."""
    return labelled_prices(inst, a, **price_arrays(a, problem, row_dual))


def price_arrays(a: InstanceArrays, problem: LinearProblem, row_dual: Floats) -> dict[str, Floats]:
    """The arguments of :func:`..interface.dual_prices.labelled_prices`."""
    at = problem.members
    shape = (len(a.sites), a.n_slots)
    stored, coolness = np.zeros(shape), np.zeros(shape)
    stored[at.batteries] = dual_of(problem, row_dual, "state_of_charge")
    coolness[at.rooms] = -dual_of(problem, row_dual, "room_heat")
    waiting = np.zeros((len(a.sites), len(a.classes), a.n_slots))
    waiting[at.queue_origin, at.queue_class] = dual_of(problem, row_dual, "waiting_balance")
    at_site = np.zeros_like(waiting)
    at_site[np.nonzero(a.served())] = dual_of(problem, row_dual, "assignment")
    return {
        "power": -dual_of(problem, row_dual, "power_balance") / a.slot_hours,
        "stored_energy": stored,
        "coolness": coolness,
        "gpu_time": 3600 * dual_of(problem, row_dual, "gpu_time"),
        "waiting_jobs": waiting,
        "job_at_site": at_site,
    }


def lp(inst: Instance, settings: Settings) -> Result:
    """Linear relaxation: jobs and GPUs fluid, battery mode and commitment fractional.

    The schedule is the relaxation's; for an instance of whole jobs its violations show what was relaxed.

    Raises:
        SolverError: a model of more than :data:`_MOST_COLUMNS` columns.
    """
    begun, deadline = time.perf_counter(), settings.deadline()
    whole = inst.arrays()
    own = extended(whole, settings)
    # with constraints of a user's own anything may matter
    cut = trimmed(whole) if own is None else untrimmed(whole)
    a = cut.arrays
    refuse_more_than(_MOST_COLUMNS, a, "lp")
    stated = time.perf_counter() - begun
    relaxed = solve_relaxation(a, deadline, None if own is None else own.problem)
    outcome, names = relaxed.outcome, () if own is None else own.names

    def seconds() -> Seconds:
        return Seconds(stated + relaxed.build_seconds, outcome.seconds, time.perf_counter() - begun)

    if outcome.termination is Termination.INFEASIBLE:
        message = EXPLAINED if own is None else no_schedule(a, own)
        return Result(inst, "lp", Status.INFEASIBLE, seconds(), extra=names, message=message)
    if outcome.x is None or outcome.row_dual is None:
        return Result(inst, "lp", Status.TIME_LIMIT, seconds(), bound=relaxed.bound, extra=names)
    schedule = relaxed.problem.schedule(a, outcome.x)
    result = Result(
        inst,
        "lp",
        Status.OPTIMAL if outcome.termination is Termination.OPTIMAL else Status.TIME_LIMIT,
        seconds(),
        schedule=schedule,
        evaluation=evaluate(a, schedule),
        bound=relaxed.bound,
        prices=prices_from_duals(inst, a, relaxed.problem, outcome.row_dual),
        duals=Duals(relaxed.problem, outcome.row_dual),
        extra=names,
    )
    return cut.judged(result, whole)


def extended(a: InstanceArrays, settings: Settings) -> Extended | None:
    """The model with the constraints that were asked for besides, None where none were.

    Raises:
        InputError: they cannot be used, or the model is too large for one piece.
    """
    if settings.extra is None:
        return None
    columns = columns_per_slot(a) * a.n_slots
    if columns > LARGEST_PROBLEM:
        most = a.n_slots * LARGEST_PROBLEM / columns
        expected = f"at most about {most:,.0f} slots: with own constraints a horizon is not solved in pieces"
        raise InputError(field="n_slots", value=a.n_slots, expected=expected)
    from stepwatt.formulation.milp.extended import with_extra

    return with_extra(a, settings.extra)


def no_schedule(a: InstanceArrays, own: Extended) -> str:
    """Why there is none, in a line: which own constraints cannot hold, or that there is none without them.

    Of those named each is needed: with any one left open, the relaxation has a solution.
    """

    def possible(*left_open: str) -> bool:
        end = solve_relaxation(a, problem=own.without(*left_open)).outcome.termination
        return end is not Termination.INFEASIBLE

    if possible():
        return f"no whole-number schedule keeps {listed(own.names)}"
    if not possible(*own.names):
        return EXPLAINED
    left_open: list[str] = []
    for name in own.names:
        if not possible(*left_open, name):
            left_open.append(name)
    needed = [name for name in own.names if name not in left_open]
    return f"no schedule keeps {listed(needed)}" + (" together" if len(needed) > 1 else "")


def infeasible_or_raise(
    inst: Instance,
    a: InstanceArrays,
    method: str,
    begun: float,
    stuck: NoDecision,
    deadline: Deadline | None = None,
) -> Result:
    """The result of a slot-by-slot method that got stuck: infeasible, if the instance is.

    Raises:
        NoDecision: the instance has schedules, or whether it has is open at the deadline; the method ran into
            a slot without a decision.
    """
    if solve_relaxation(a, deadline).outcome.termination is not Termination.INFEASIBLE:
        raise stuck
    total = time.perf_counter() - begun
    return Result(inst, method, Status.INFEASIBLE, Seconds(0.0, total, total), message=EXPLAINED)
