"""How large a model is, and how large one relaxation may be."""

from __future__ import annotations

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.formulation.schedule.windows import fresh_state, window

#: Columns beyond which one relaxation is solved in pieces.
LARGEST_PROBLEM = 250_000


def columns_per_slot(a: InstanceArrays) -> float:
    """Size of the model per slot."""
    slots = min(a.n_slots, 4)
    return len(linear_problem(window(a, 0, slots, fresh_state(a))).cost) / slots
