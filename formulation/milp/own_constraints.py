"""Constraints of a user's own: added to the Pyomo model, and from there to the matrices.

The matrices stay ours; of the Pyomo model only what was added is taken, and bounds that were tightened. So
whatever a user's function does, the problem has no schedule that the instance has not.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.common.log import LoggingIntercept
from pyomo.repn import generate_standard_repn
from scipy.sparse import coo_array

from ..errors import InputError
from ..instance.arrays import InstanceArrays
from .linear_problem import Block, LinearProblem
from .matrices import linear_problem
from .pyomo_docs import CONSTRAINTS, MONEY, PARAMS
from .pyomo_model import pyomo_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A function that adds constraints to the model it is given.
Extra = Callable[[Any], Any]

_EXPECTED = "a function that adds constraints to the model it is given"
#: Components that may be added.
_TAKEN = (pyo.Constraint, pyo.Var, pyo.Param, pyo.Set, pyo.RangeSet, pyo.Expression, pyo.Block, pyo.Suffix)
#: How far a bound read back from Pyomo may differ from that of the matrices.
_ROUNDING = 1e-9


def called(extra: Extra) -> str:
    """How errors name a user's function."""
    return f"extra {getattr(extra, '__name__', type(extra).__name__)}"


@dataclass(frozen=True)
class Extended:
    """The model with constraints of a user's own, and what of it is theirs.

    ``names`` are those of the constraints, and ``bounds`` where bounds were tightened; ``rows`` the rows that
    were added, under these names; ``whole`` the columns that must be whole for them to mean what they say.
    """

    problem: LinearProblem
    names: tuple[str, ...]
    rows: dict[str, Block]
    whole: Ints

    def keeps(self, x: Floats) -> bool:
        """Whether a point keeps the own rows and all bounds, but for rounding."""
        p = self.problem
        settled = x.copy()
        settled[self.whole] = np.round(x[self.whole])
        moved = np.abs(settled - x)[self.whole].max(initial=0.0)
        slack = 1e-6 * np.maximum(1.0, np.abs(settled))
        inside = (settled >= p.lower - slack) & (settled <= p.upper + slack)
        if moved > 1e-5 or not inside.all():
            return False
        ids = np.concatenate([np.empty(0, dtype=np.int64), *(block.ids for block in self.rows.values())])
        part = p.matrix.tocsr()[ids]
        used = part @ settled
        room = 1e-6 * (abs(part) @ np.abs(settled)) + 1e-9
        return bool(((used >= p.row_lower[ids] - room) & (used <= p.row_upper[ids] + room)).all())

    def without(self, names: set[str]) -> LinearProblem:
        """The problem with the own rows of some names left open."""
        p = self.problem
        lower, upper = p.row_lower.copy(), p.row_upper.copy()
        for name in names & set(self.rows):
            lower[self.rows[name].ids], upper[self.rows[name].ids] = -np.inf, np.inf
        return replace(p, row_lower=lower, row_upper=upper)


def with_extra(a: InstanceArrays, extra: Extra) -> Extended:
    """The matrices of the model with the constraints that ``extra`` adds to its Pyomo statement.

    Raises:
        InputError: as :func:`own_model`; a constraint that is not linear; a variable of the user's own
            without finite bounds; bounds that were loosened.
    """
    m, field = own_model(a, extra), called(extra)
    p = linear_problem(a)
    c = _columns(m, p, field)
    rows: dict[str, Block] = {}
    sides: list[tuple[float, float]] = []
    entries: list[tuple[int, int, float]] = []
    for name, constraints in own_constraints(m).items():
        first = len(p.row_lower) + len(sides)
        labels = [_index(constraint) for constraint in constraints]
        rows[name] = Block(name, np.arange(first, first + len(constraints)), partial(list, labels))
        for row, constraint in enumerate(constraints, first):
            known = _linear(constraint, field)
            entries += [
                (row, c.number[id(var)], float(weight))
                for var, weight in zip(known.linear_vars, known.linear_coefs, strict=True)
            ]
            low, high = (
                side if at is None else float(pyo.value(at)) - float(known.constant)
                for at, side in ((constraint.lower, -np.inf), (constraint.upper, np.inf))
            )
            sides.append((low, high))
    names = (*rows, *(["bounds"] if c.tightened else []))
    if not names:
        raise InputError(field=field, value="nothing added", expected=_EXPECTED)
    own_rows, own_columns, values = (np.array(part) for part in zip(*entries, strict=True)) if entries else (
        np.empty(0),
    ) * 3
    shape = (len(p.row_lower) + len(sides), len(c.lower))
    ours = p.matrix.tocoo()
    problem = replace(
        p,
        matrix=coo_array(
            (
                np.append(ours.data, values),
                (np.append(ours.row, own_rows).astype(int), np.append(ours.col, own_columns).astype(int)),
            ),
            shape=shape,
        ).tocsc(),
        cost=np.append(p.cost, np.zeros(len(c.lower) - len(p.cost))),
        lower=c.lower,
        upper=c.upper,
        row_lower=np.append(p.row_lower, [low for low, _ in sides]),
        row_upper=np.append(p.row_upper, [high for _, high in sides]),
        integer=c.integer,
        columns=p.columns | c.added,
        rows=p.rows | rows,
        varying=np.empty(0, dtype=np.int64),
    )
    must = np.zeros(len(c.lower), dtype=bool)
    must[len(p.cost) :] = True
    must[own_columns.astype(int)] = True
    must[p.ids("transfers", "runs", "gpus_on")] = False
    return Extended(problem, names, rows, np.flatnonzero(must & problem.integer))


def _linear(constraint: Any, field: str) -> Any:
    known = generate_standard_repn(constraint.body, compute_values=True)
    if not known.is_linear():
        raise InputError(field=f"{field}: {constraint.name}", value="not linear", expected="a linear constraint")
    return known


def own_model(a: InstanceArrays, extra: Extra) -> pyo.ConcreteModel:
    """The Pyomo model with what ``extra`` adds.

    Raises:
        InputError: the function raises, adds what is neither a constraint nor what constraints are made of,
            or changes what is not its own: data, objective, constraints.
    """
    m = pyomo_model(a)
    field, before = called(extra), _ours(m)
    try:
        # Pyomo writes what goes wrong in a rule to its log, besides raising
        with LoggingIntercept(io.StringIO(), "pyomo"):
            extra(m)
    except Exception as error:
        told = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise InputError(field=field, value=told, expected=_EXPECTED) from error
    for component in m.component_objects(active=True, descend_into=True):
        if component.ctype not in _TAKEN and component is not m.component("utility"):
            kind, expected = component.ctype.__name__, "linear constraints, and what they are made of"
            raise InputError(field=f"{field}: {component.name}", value=kind, expected=expected)
    after = _ours(m)
    for name, were in before.items():
        if after.get(name) != were:
            expected = "left as it is: constraints may be added; data is changed in the instance"
            raise InputError(field=f"{field}: {name}", value="changed", expected=expected)
    return m


def _ours(m: pyo.ConcreteModel) -> dict[str, Any]:
    """What a user's function must leave as it is, told so that a change shows."""
    told: dict[str, Any] = {}
    for name in (*PARAMS, *CONSTRAINTS, *MONEY):
        component = m.component(name)
        if component is None:
            continue
        if component.ctype is pyo.Param:
            if component.mutable:
                told[name] = [pyo.value(entry) for entry in component.values()]
        else:
            held = "body" if component.ctype is pyo.Constraint else "expr"
            told[name] = [id(getattr(entry, held)) for entry in component.values()]
            told[name] += [entry.active for entry in component.values() if hasattr(entry, "active")]
    told["utility"] += [m.utility.sense] if "utility" in told else []
    return told


def own_constraints(m: pyo.ConcreteModel) -> dict[str, list[Any]]:
    """The constraints that were added, by the name of the component."""
    found: dict[str, list[Any]] = {}
    for entry in m.component_data_objects(pyo.Constraint, active=True, descend_into=True):
        name = entry.parent_component().name
        if name not in CONSTRAINTS:
            found.setdefault(name, []).append(entry)
    return found


def _index(entry: Any) -> tuple[Any, ...]:
    index = entry.index()
    return index if isinstance(index, tuple) else () if index is None else (index,)


@dataclass
class _Columns:
    """The columns of the Pyomo model: ours, then those that were added."""

    number: dict[int, int]
    lower: Floats
    upper: Floats
    integer: NDArray[np.bool_]
    added: dict[str, Block]
    tightened: bool


def _columns(m: pyo.ConcreteModel, p: LinearProblem, field: str) -> _Columns:
    found = _Columns({}, p.lower.copy(), p.upper.copy(), p.integer.copy(), {}, False)
    for name, block in p.columns.items():
        place = {label: ids for label, ids in zip(block.labels(), block.ids, strict=True)}
        for entry in m.component(name).values():
            index = _index(entry)
            column = int(place[index] if block.ids.ndim == 1 else place[index[:-1]][index[-1]])
            found.number[id(entry)] = column
            _take_bounds(entry, column, p, found, field)
    more: list[tuple[float, float, bool]] = []
    for entry in m.component_data_objects(pyo.Var, descend_into=True):
        if id(entry) in found.number:
            continue
        low, high = (entry.value, entry.value) if entry.fixed else entry.bounds
        if low is None or high is None or not np.isfinite([low, high]).all():
            expected = "finite bounds, without which no bound on the utility can be proven"
            raise InputError(field=f"{field}: {entry.name}", value=[low, high], expected=expected)
        number = len(p.cost) + len(more)
        found.number[id(entry)] = number
        found.added[entry.name] = Block(entry.name, np.array([number]), _unlabelled)
        more.append((float(low), float(high), not entry.is_continuous()))
    if more:
        low_side, high_side, whole = zip(*more, strict=True)
        found.lower, found.upper = np.append(found.lower, low_side), np.append(found.upper, high_side)
        found.integer = np.append(found.integer, np.array(whole, dtype=bool))
    return found


def _unlabelled() -> list[tuple[Any, ...]]:
    return [()]


def _take_bounds(entry: Any, column: int, p: LinearProblem, found: _Columns, field: str) -> None:
    """Tighter bounds, and whole numbers, of one of our variables."""
    low, high = (entry.value, entry.value) if entry.fixed else entry.bounds
    ours = p.lower[column], p.upper[column]
    slack = [_ROUNDING * max(1.0, abs(side)) for side in ours]
    loose = low is None or high is None or low < ours[0] - slack[0] or high > ours[1] + slack[1]
    if loose or (p.integer[column] and entry.is_continuous() and not entry.fixed):
        expected = "its bounds, or tighter ones: " + f"{ours[0]:g} to {ours[1]:g}"
        raise InputError(field=f"{field}: {entry.name}", value=[low, high], expected=expected)
    if low > ours[0] + slack[0]:
        found.lower[column], found.tightened = low, True
    if high < ours[1] - slack[1]:
        found.upper[column], found.tightened = high, True
    if not p.integer[column] and not entry.is_continuous():
        found.integer[column] = found.tightened = True
