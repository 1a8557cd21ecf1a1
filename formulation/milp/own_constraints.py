"""Constraints of a user's own, added to the Pyomo model by a function, and nothing else changed by it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyomo.environ as pyo
from pyomo.common.log import LoggingIntercept

from ..errors import InputError
from ..instance.arrays import InstanceArrays
from ..user_functions import FAILURES, called, raised
from .pyomo_docs import CONSTRAINTS, MONEY, PARAMS, VARIABLES
from .pyomo_model import pyomo_model

#: A function that adds constraints to the model it is given.
Extra = Callable[[Any], Any]

EXPECTED = "a function that adds constraints to the model it is given"

#: Kinds of components that may be added.
_TAKEN = (pyo.Constraint, pyo.Var, pyo.Param, pyo.Set, pyo.RangeSet, pyo.Expression, pyo.Block, pyo.Suffix)


def own_model(a: InstanceArrays, extra: Extra) -> pyo.ConcreteModel:
    """The Pyomo model with what ``extra`` adds.

    Raises:
        InputError: the function raises, adds what is neither a constraint nor what constraints are made of,
            or changes what is not its own: data, objective, constraints.
    """
    m = pyomo_model(a, prices_change=False)
    field, before = called(extra), _ours(m)
    try:
        # Pyomo writes what goes wrong in a rule to its log, besides raising
        with LoggingIntercept(io.StringIO(), "pyomo"):
            extra(m)
    except FAILURES as error:
        raise raised(extra, error, EXPECTED) from error
    for component in m.component_objects(active=True, descend_into=True):
        if component.ctype not in _TAKEN and component is not m.component("utility"):
            kind, expected = component.ctype.__name__, "linear constraints, and what they are made of"
            raise InputError(field=f"{field}: {component.name}", value=kind, expected=expected)
    after = _ours(m)
    for name, were in before.items():
        if after.get(name) != were:
            expected = "left as it is: constraints may be added, data is changed in the instance"
            raise InputError(field=f"{field}: {name}", value="changed", expected=expected)
    return m


def own_constraints(m: pyo.ConcreteModel) -> dict[str, list[Any]]:
    """The constraints that were added, by the name of the component."""
    found: dict[str, list[Any]] = {}
    for entry in m.component_data_objects(pyo.Constraint, active=True, descend_into=True):
        name = entry.parent_component().name
        if name not in CONSTRAINTS:
            found.setdefault(name, []).append(entry)
    return found


def index_of(entry: Any) -> tuple[Any, ...]:
    """The index of a member of a component, empty of one that has a single member."""
    index = entry.index()
    return index if isinstance(index, tuple) else () if index is None else (index,)


def _ours(m: pyo.ConcreteModel) -> dict[str, list[Any]]:
    """What a user's function must leave as it is, told so that a change shows."""
    told: dict[str, list[Any]] = {}
    for name in (*PARAMS, *VARIABLES, *CONSTRAINTS, *MONEY):
        component = m.component(name)
        if component is None:
            continue
        if component.ctype is pyo.Param:
            told[name] = [pyo.value(entry) for entry in component.values()] if component.mutable else []
        elif component.ctype is pyo.Constraint:
            told[name] = [(id(entry.expr), entry.active) for entry in component.values()]
        elif component.ctype is pyo.Var:
            told[name] = [id(component), len(component)]
        else:
            told[name] = [id(component.expr), component.active, getattr(component, "sense", None)]
    return told
