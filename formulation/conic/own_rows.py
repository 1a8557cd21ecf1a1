"""Constraints of a user's own in CVXPY: affine in the relaxation's columns, so that its bound stays safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cvxpy as cp
import numpy as np

from ..errors import InputError
from ..user_functions import FAILURES, called, raised
from .builder import Row

#: A function that is given the model, and gives back constraints by name.
Extra = Callable[[Any], Any]

EXPECTED = "a function that gives back CVXPY constraints by name"


def own_rows(model: Any, extra: Extra, taken: Mapping[str, Row], limits: Mapping[int, Any]) -> dict[str, Row]:
    """The rows that ``extra`` gives back of the model; ``limits`` are by the model's own variables.

    Raises:
        InputError: it raises; what it gives back is no mapping of names to ``==``, ``<=`` and ``>=`` that are
            affine in the columns of the model; a name that is ``taken``.
    """
    field = called(extra)
    try:
        given = extra(model)
    except FAILURES as error:
        raise raised(extra, error, EXPECTED) from error
    if not isinstance(given, Mapping) or not given:
        raise InputError(field=field, value=given, expected=EXPECTED)
    rows: dict[str, Row] = {}
    for name, constraint in given.items():
        where = f"{field}: {name}"
        if not isinstance(name, str) or name in taken:
            raise InputError(field=where, value=name, expected="a name that no constraint of the model has")
        if not isinstance(constraint, cp.constraints.Inequality | cp.constraints.Equality):
            expected = "a constraint: ==, <= or >= of CVXPY expressions"
            raise InputError(field=where, value=type(constraint).__name__, expected=expected)
        known = all(variable.id in limits for variable in constraint.variables())
        if not known or not all(side.is_affine() for side in constraint.args):
            expected = "affine in the columns of the model, for which the bound is proven"
            raise InputError(field=where, value=str(constraint), expected=expected)
        rows[name] = Row(constraint, np.ones(constraint.shape, dtype=bool), 1.0)
    return rows
