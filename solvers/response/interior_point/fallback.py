"""What the compiled method does not take (:func:`.solving.compilable`), solved by that of tensors."""

from __future__ import annotations

from ..programs.slot_program import Program
from ..programs.ties import DayRows
from . import tensors as interior
from .solution import Solution
from .tensors_rows import program_of, rows_of


def solve(p: Program, tolerance: float) -> Solution:
    """The optimum of a slot's program (:func:`.interior.solve`)."""
    return _arrays(interior.solve(program_of(p), tolerance))


def solve_rows(rows: DayRows, tolerance: float) -> Solution:
    """The same of a whole horizon."""
    return _arrays(interior.solve_rows(rows_of(rows), tolerance))


def _arrays(found: interior.Solution) -> Solution:
    return Solution(**{name: values.numpy() for name, values in found.__dict__.items()})
