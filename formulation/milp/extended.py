"""The matrices of the model with constraints of a user's own.

The matrices stay ours; of the Pyomo model only the rows and columns that were added are taken, and bounds
that were tightened. So whatever a user's function does, no schedule counts that the instance has not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn import generate_standard_repn
from scipy.sparse import coo_array

from ..errors import InputError
from ..instance.arrays import InstanceArrays
from ..user_functions import called
from .linear_problem import Block, LinearProblem
from .matrices import linear_problem
from .own_constraints import EXPECTED, Extra, index_of, own_constraints, own_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: The name under which bounds that were tightened are told.
BOUNDS = "bounds"
#: How far a bound read back from Pyomo may differ from that of the matrices, relative.
_READ_BACK = 1e-9
#: What rounding may take from a constraint, relative to its terms; and to the most that these could be, where
#: they are next to nothing; what it may take from a whole number.
_ROUNDING, _NOISE, _WHOLE = 1e-6, 1e-9, 1e-5


@dataclass(frozen=True)
class Extended:
    """The problem with own rows and columns behind ``ours``.

    ``names`` are those of the own constraints, and ``bounds`` where bounds were tightened; ``rows`` the own
    rows; ``tightened`` the columns with tighter bounds, own ones included; ``whole`` those besides jobs and
    GPUs that must be whole for the own rows to mean what they say.
    """

    ours: LinearProblem
    problem: LinearProblem
    names: tuple[str, ...]
    rows: dict[str, Block]
    tightened: Ints
    whole: Ints

    def keeps(self, x: Floats) -> bool:
        """Whether a point keeps the own rows and bounds, but for rounding."""
        p, settled, tight = self.problem, x.copy(), self.tightened
        settled[self.whole] = np.round(x[self.whole])
        slack = _ROUNDING * np.maximum(1.0, np.abs(settled[tight]))
        inside = (settled[tight] >= p.lower[tight] - slack) & (settled[tight] <= p.upper[tight] + slack)
        if np.abs(settled - x).max(initial=0.0) > _WHOLE or not inside.all():
            return False
        ids = np.concatenate([np.empty(0, dtype=np.int64), *(block.ids for block in self.rows.values())])
        part = p.matrix.tocsr()[ids]
        used = part @ settled
        sizes = np.maximum(np.abs(p.lower), np.abs(p.upper))
        slack = abs(part) @ (_ROUNDING * np.abs(settled) + _NOISE * sizes)
        return bool(((used >= p.row_lower[ids] - slack) & (used <= p.row_upper[ids] + slack)).all())

    def without(self, *names: str) -> LinearProblem:
        """The problem with the own constraints of these names left open."""
        p = self.problem
        rows = [self.rows[name].ids for name in names if name in self.rows]
        ids = np.concatenate([np.empty(0, dtype=np.int64), *rows])
        row_lower, row_upper = p.row_lower.copy(), p.row_upper.copy()
        row_lower[ids], row_upper[ids] = -np.inf, np.inf
        lower, upper = p.lower.copy(), p.upper.copy()
        if BOUNDS in names:
            lower[: len(self.ours.lower)], upper[: len(self.ours.upper)] = self.ours.lower, self.ours.upper
        return replace(p, row_lower=row_lower, row_upper=row_upper, lower=lower, upper=upper)


def with_extra(a: InstanceArrays, extra: Extra) -> Extended:
    """The matrices of the model with the constraints that ``extra`` adds to its Pyomo statement.

    Raises:
        InputError: as :func:`.own_model`; nothing was added; a constraint that is not linear; a variable of
            the user's own without finite bounds; bounds that were loosened.
    """
    m, told = own_model(a, extra), called(extra)
    p = linear_problem(a)
    columns = _columns_of(m, p, told)
    found = _Rows(len(p.row_lower))
    for name, constraints in own_constraints(m).items():
        found.add(name, constraints, columns.number, told)
    names = (*found.blocks, *([BOUNDS] if columns.tight[: len(p.cost)].any() else []))
    if not names:
        raise InputError(field=told, value="nothing added", expected=EXPECTED)
    n_rows, n_columns = len(p.row_lower) + len(found.lower), len(columns.lower)
    ours = p.matrix.tocoo()
    rows, members = (np.array(part, dtype=np.int64) for part in (found.row, found.column))
    places = (np.append(ours.row, rows), np.append(ours.col, members))
    matrix = coo_array((np.append(ours.data, found.value), places), shape=(n_rows, n_columns)).tocsc()
    matrix.sort_indices()
    problem = replace(
        p,
        matrix=matrix,
        cost=np.append(p.cost, np.zeros(n_columns - len(p.cost))),
        lower=columns.lower,
        upper=columns.upper,
        row_lower=np.append(p.row_lower, found.lower),
        row_upper=np.append(p.row_upper, found.upper),
        integer=columns.integer,
        columns=p.columns | columns.added,
        rows=p.rows | found.blocks,
        varying=np.empty(0, dtype=np.int64),
    )
    must = np.zeros(n_columns, dtype=bool)
    must[members] = must[len(p.cost) :] = True
    must[p.ids("transfers", "runs", "gpus_on")] = False
    whole = np.flatnonzero(must & problem.integer)
    return Extended(p, problem, names, found.blocks, np.flatnonzero(columns.tight), whole)


@dataclass
class _Rows:
    """Own rows behind the first ``first`` ones, entry by entry."""

    first: int
    blocks: dict[str, Block] = field(default_factory=dict)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def add(self, name: str, constraints: list[Any], number: dict[int, int], told: str) -> None:
        begin = self.first + len(self.lower)
        labels = [index_of(constraint) for constraint in constraints]
        self.blocks[name] = Block(name, np.arange(begin, begin + len(labels)), partial(list, labels))
        for row, constraint in enumerate(constraints, begin):
            known = generate_standard_repn(constraint.body, compute_values=True)
            if not known.is_linear():
                expected = "a linear constraint"
                raise InputError(field=f"{told}: {constraint.name}", value="not linear", expected=expected)
            self.row += [row] * len(known.linear_vars)
            self.column += [number[id(variable)] for variable in known.linear_vars]
            self.value += [float(weight) for weight in known.linear_coefs]
            low, high = constraint.lower, constraint.upper
            self.lower.append(-np.inf if low is None else float(pyo.value(low) - known.constant))
            self.upper.append(np.inf if high is None else float(pyo.value(high) - known.constant))


@dataclass
class _Columns:
    """Our columns, then those that were added; ``number`` by the identity of the variable."""

    lower: Floats
    upper: Floats
    integer: Bools
    number: dict[int, int] = field(default_factory=dict)
    added: dict[str, Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tight = np.zeros(len(self.lower), dtype=bool)


def _columns_of(m: pyo.ConcreteModel, p: LinearProblem, told: str) -> _Columns:
    c = _Columns(p.lower.copy(), p.upper.copy(), p.integer.copy())
    for name, block in p.columns.items():
        ids = dict(zip(block.labels(), block.ids, strict=True))
        for variable in m.component(name).values():
            index = index_of(variable)
            column = int(ids[index] if block.ids.ndim == 1 else ids[index[:-1]][index[-1]])
            c.number[id(variable)] = column
            _tighten(c, column, variable, told)
    more: list[tuple[float, float, bool]] = []
    for variable in m.component_data_objects(pyo.Var, descend_into=True):
        if id(variable) in c.number:
            continue
        low, high = _bounds(variable)
        if not np.isfinite([low, high]).all():
            expected = "finite bounds, without which no bound on the utility can be proven"
            raise InputError(field=f"{told}: {variable.name}", value=[low, high], expected=expected)
        column = len(p.cost) + len(more)
        c.number[id(variable)] = column
        c.added[variable.name] = Block(variable.name, np.array([column]), partial(list, [()]))
        more.append((low, high, not variable.is_continuous()))
    c.lower = np.append(c.lower, [low for low, _, _ in more])
    c.upper = np.append(c.upper, [high for _, high, _ in more])
    c.integer = np.append(c.integer, np.array([whole for _, _, whole in more], dtype=bool))
    c.tight = np.append(c.tight, np.ones(len(more), dtype=bool))
    return c


def _bounds(variable: Any) -> tuple[float, float]:
    low, high = (variable.value, variable.value) if variable.fixed else variable.bounds
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def _tighten(c: _Columns, column: int, variable: Any, told: str) -> None:
    """Take over tighter bounds, and whole numbers, of one of our variables."""
    (low, high), ours = _bounds(variable), (float(c.lower[column]), float(c.upper[column]))
    slack_low, slack_high = (_READ_BACK * max(1.0, abs(side)) for side in ours)
    whole = variable.fixed or not variable.is_continuous()
    if low < ours[0] - slack_low or high > ours[1] + slack_high or (c.integer[column] and not whole):
        expected = f"bounds and whole numbers as they are, or tighter ({ours[0]:g} to {ours[1]:g})"
        raise InputError(field=f"{told}: {variable.name}", value=[low, high], expected=expected)
    if low > ours[0] + slack_low:
        c.lower[column], c.tight[column] = low, True
    if high < ours[1] - slack_high:
        c.upper[column], c.tight[column] = high, True
    if not variable.is_continuous() and not c.integer[column]:
        c.integer[column] = c.tight[column] = True
