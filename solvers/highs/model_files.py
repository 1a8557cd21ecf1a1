"""Write the model of an instance for other solvers, as MPS or LP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import path_of
from stepwatt.formulation.files import make_room, replacing
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

from .session import SMALL_ENTRY, whole_bounds

FORMATS = ("mps", "lp")


def export(inst: Instance, path: str | Path, form: str) -> tuple[int, int]:
    """Write the model (maximise) with readable names such as ``import_mw(DE,0)``; columns and rows written.

    Raises:
        InputError: an unknown format, a place that cannot be written, or tiny numbers that solvers drop.
    """
    if form not in FORMATS:
        raise InputError(field="format", value=form, expected="one of " + ", ".join(FORMATS))
    import highspy

    make_room(path_of(path))
    problem = linear_problem(inst.arrays())
    highs = _silent()
    if highs.passModel(_lp(problem)) == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS refused the model")
    if dropped := problem.matrix.count_nonzero() - highs.getNumNz():
        expected = f"jobs of more time and energy: solvers drop what is below {SMALL_ENTRY:g}"
        raise InputError(field="model", value=f"{dropped} such entries", expected=expected)
    # HiGHS chooses the format by the ending
    with replacing(path, ending=f".{form}") as (partial,):
        # as bytes: a name that is no UTF-8, or a locale without it, leaves a text that cannot be handed on
        name: Any = os.fsencode(partial)
        highs.writeModel(name)
        if not _is_whole(name, highs):
            raise InputError(file=str(path), field="file", value="cut short", expected="room for the model")
    return len(problem.cost), len(problem.row_lower)


def _silent() -> Any:
    import highspy

    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("small_matrix_value", SMALL_ENTRY)
    return highs


def _is_whole(name: Any, written: Any) -> bool:
    """Whether a file holds the model that was written there; HiGHS says nothing of a full disk."""
    import highspy

    read = _silent()
    if read.readModel(name) == highspy.HighsStatus.kError:
        return False
    # not equal: LP files write a row with two bounds as two rows, and do not name what stands nowhere
    enough = read.getNumRow() >= written.getNumRow() and read.getNumNz() >= written.getNumNz()
    with open(name, "rb") as file:
        file.seek(-min(os.path.getsize(name), len("ENDATA\n")), os.SEEK_END)
        return bool(enough) and file.read().strip().endswith((b"ENDATA", b"end"))


def _lp(problem: LinearProblem) -> object:
    import highspy

    lp = highspy.HighsLp()
    lp.model_name_ = "stepwatt"
    lp.num_col_, lp.num_row_ = len(problem.cost), len(problem.row_lower)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.offset_ = problem.offset
    lower, upper = whole_bounds(problem.lower, problem.upper, problem.integer)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = problem.cost, lower, upper
    lp.row_lower_, lp.row_upper_ = problem.row_lower, problem.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = problem.matrix.indptr, problem.matrix.indices
    lp.a_matrix_.value_ = problem.matrix.data
    lp.col_names_ = portable_names(problem.column_names())
    lp.row_names_ = portable_names(problem.row_names())
    if problem.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[integer] for integer in problem.integer.tolist()]
    return lp


def portable_names(names: list[str]) -> list[str]:
    """Names that MPS and LP readers accept: no blanks or brackets, each once, none too long."""
    taken: set[str] = set()
    found = []
    for name in names:
        short = re.sub(r"[^A-Za-z0-9_.(),#]", "_", name.replace("[", "(").replace("]", ")"))[:200]
        unique, number = short, 1
        while unique in taken:
            number += 1
            unique = f"{short}#{number}"
        taken.add(unique)
        found.append(unique)
    return found
