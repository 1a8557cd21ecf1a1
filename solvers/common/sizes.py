"""How large a model is, and how large one relaxation may be."""

from __future__ import annotations

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state, window

from ..interface.errors import SolverError

#: Columns beyond which one relaxation is solved in pieces.
LARGEST_PROBLEM = 250_000


def columns_per_slot(a: InstanceArrays) -> float:
    """Size of the model per slot."""
    slots = min(a.n_slots, 4)
    return len(linear_problem(window(a, 0, slots, fresh_state(a))).cost) / slots


def refuse_more_than(most: int, a: InstanceArrays, method: str) -> None:
    """Say that a method is not for so large an instance, before it takes all memory.

    Raises:
        SolverError: the model has more columns.
    """
    columns = columns_per_slot(a) * a.n_slots
    if columns > most:
        raise SolverError(
            f"method {method} is for models of at most {most:,} columns, this one has {columns:,.0f}: "
            "take oracle, rolling or greedy"
        )
