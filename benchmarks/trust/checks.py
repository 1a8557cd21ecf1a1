"""What must hold of every instance: names, tolerances, and why they are what they are."""

from __future__ import annotations

from .case import Case, Check, Complaint
from .of_environments import ROUNDING, environment, greedy_climb
from .of_solvers import (
    bounded,
    judges,
    milder,
    no_errors,
    optima,
    ordered,
    relaxed,
    replayed,
    round_trips,
    starved,
)
from .of_time import finer_slots, finer_worth, parts_of_a_day

CHECKS = (
    Check("no-errors", 0.0, "an operable instance has a feasible schedule by every method", no_errors),
    Check("judges", 1e-9, "the same sums in another order, as a share of what is at stake", judges),
    Check("bounded", ROUNDING, "the judge tolerates breaks of 1e-6, which can earn that share", bounded),
    Check("ordered", ROUNDING, "each relaxation contains the next; solvers are that accurate", ordered),
    Check("optima", ROUNDING, "one problem; bounds and schedules within the judge's tolerance", optima, 0.2),
    Check("relaxed", 1e-7, "one linear program, HiGHS's tolerances of 1e-9", relaxed, 0.3),
    Check("replayed", ROUNDING, "optima broken by the judge's tolerance lose that much", replayed, 0.4),
    Check("environment", 1e-8, "double precision; single precision 2e-4 where torch plays", environment, 0.2),
    Check("greedy-climb", ROUNDING, "as bounded", greedy_climb, 0.03),
    Check("finer-slots", 1e-9, "the same sums over more slots; of rooms a proven error", finer_slots, 0.5),
    Check("finer-worth", 1e-7, "two linear programs", finer_worth, 0.1),
    Check("parts-of-a-day", 1e-8, "windows round waiting jobs to 1e-9", parts_of_a_day, 0.4),
    Check("milder", ROUNDING, "as bounded", milder),
    Check("starved", 0.01, "what a site draws comes from somewhere, to a hundredth", starved),
    Check("round-trips", 0.0, "JSON keeps every bit of a number", round_trips, 0.5),
)


def complaints(case: Case, only: str | None = None) -> list[Complaint]:
    """All that does not hold of an instance; ``only`` one check where named."""
    return [
        Complaint(check.name, found)
        for place, check in enumerate(CHECKS)
        if only == check.name or (only is None and case.rng(100 + place).random() < check.share)
        for found in check.failures(case, check.tolerance)
    ]
