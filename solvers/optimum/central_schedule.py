"""The optimal schedule that lies in the middle of all optimal ones of a fluid instance.

Many optima are tied: which of two equal sites runs a job, when a battery charges within hours of one price. A
vertex of the relaxation picks one of them at random, so to speak, and the next day another; what imitates
schedules learns better from the middle, which moves with the data as little as an optimum can.
"""

from __future__ import annotations

from stepwatt.formulation import Instance, Schedule, evaluate
from stepwatt.formulation.milp.matrices import linear_problem

from ..common.solutions import clean_schedule
from ..highs.session import HighsSession
from ..interface.errors import SolverError
from ..interface.result import relative_gap

#: Relative distance from the bound at which a schedule still counts as optimal.
OPTIMAL = 1e-6


def central_schedule(inst: Instance, bound: float) -> Schedule:
    """The schedule, which earns ``bound`` (USD, of the relaxation of the same instance) but for 1e-6 of it.

    Raises:
        SolverError: none was found, as with instances whose relaxation no schedule reaches.
    """
    a = inst.arrays()
    session = HighsSession(linear_problem(a), relaxed=True)
    schedule = clean_schedule(a, session.problem, session.interior_point())
    judged = evaluate(a, schedule)
    if judged.broken or relative_gap(bound, judged.utility) > OPTIMAL:
        raise SolverError(
            f"the middle of the optima of {inst.name} earns {judged.utility} USD where {bound} is the bound"
        )
    return schedule
