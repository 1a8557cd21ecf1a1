"""Named, scaled columns and rows for the conic relaxation, and sums over their members."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..instance.arrays import InstanceArrays
from .groups import Groups, Units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """A named constraint: ``kept`` marks the entries that exist, ``unit`` what its 1 stands for."""

    constraint: Any
    kept: Bools
    unit: float


@dataclass
class Builder:
    """What the parts of the relaxation add to: CVXPY ``columns`` (scaled), named ``rows``, money ``terms``.

    ``unnamed`` holds the signs of columns and the quality constraints; ``limits`` an upper bound of every
    variable, which the safe bound needs.
    """

    a: InstanceArrays
    groups: Groups
    units: Units
    columns: dict[str, Any] = field(default_factory=dict)
    column_units: dict[str, float] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    unnamed: list[Any] = field(default_factory=list)
    limits: dict[int, Floats] = field(default_factory=dict)

    @cached_property
    def present(self) -> Floats:
        """(I,K,T) the most jobs that can be there in a slot: arrivals and those still allowed to wait."""
        before = self.a.waiting_limit()[:, :, :-1]
        fresh = self.a.state.backlog.sum(axis=2)[:, :, None]
        return np.concatenate([fresh, before], axis=2) + self.a.arrivals

    @cached_property
    def job_limit(self) -> Floats:
        """(G,T) the most jobs a group can run: those that can come, at the fewest steps on all GPUs."""
        a, g = self.a, self.groups
        time = (a.gpus * a.seconds_per_gpu)[g.site]
        fits = np.divide(time, g.seconds_low, out=np.full(len(g), np.inf), where=g.seconds_low > 0)
        limit: Floats = np.minimum(self.present.sum(axis=0)[g.job_class], fits[:, None])
        return limit

    def column(
        self,
        name: str,
        upper: Floats,
        unit: float,
        *,
        limit: str | None = None,
        per: float | None = None,
        implied: Any = np.inf,
    ) -> Any:
        """Variables from 0 to ``upper`` (natural units); ``limit`` names a constraint that states this bound.

        The dual of the limit is in USD per ``unit`` or ``per``. Entries that can only be 0 are left out: a
        cone solver needs room between the bounds. ``implied`` bounds follow from the rows; they tighten the
        safe bound.
        """
        free = upper > 0
        size = int(free.sum())
        if size:
            variable = cp.Variable(size, name=name)
            self.unnamed.append(variable >= 0)
            self.limits[variable.id] = np.minimum(upper, implied)[free] / unit
            place = (np.flatnonzero(free.ravel()), np.arange(size))
            scatter = csr_array((np.ones(size), place), shape=(upper.size, size))
            whole = cp.reshape(scatter @ variable, upper.shape, order="C")
        else:
            whole = nothing(upper.shape)
        self.columns[name], self.column_units[name] = whole, unit
        if limit:
            self.at_most(limit, whole - upper / unit, free, per or unit)
        return whole

    def sites_of(self, column: str) -> list[str]:
        """The sites whose rows a column has, none where its rows are not sites."""
        a, everywhere = self.a, np.ones(len(self.a.sites), dtype=bool)
        storage, engines = a.battery & (a.battery_power_mw > 0), a.generator & (a.generator_max_mw > 0)
        at = dict.fromkeys(("gpus_on", "it_mw", "import_mw", "export_mw", "renewable_mw"), everywhere)
        at |= dict.fromkeys(("charge_mw", "discharge_mw", "energy_above_minimum_mwh"), storage)
        at |= dict.fromkeys(("generator_mw", "generator_on", "generator_start"), engines)
        at |= dict.fromkeys(("cooling_mw", "above_min_c"), a.thermal)
        here = at.get(column, ~everywhere)
        return [name for name, has in zip(a.sites, here, strict=True) if has]

    def at_most(self, name: str, excess: Any, kept: Bools, unit: float) -> None:
        """excess ≤ 0; its dual is the worth of one more unit allowed."""
        self._row(name, excess, kept, unit, equality=False)

    def equal(self, name: str, excess: Any, kept: Bools, unit: float) -> None:
        """excess = 0; its dual is the worth of one more unit in excess."""
        self._row(name, excess, kept, unit, equality=True)

    def _row(self, name: str, excess: Any, kept: Bools, unit: float, equality: bool) -> None:
        if kept.any():
            chosen = pick(excess, kept)
            self.rows[name] = Row(chosen == 0 if equality else chosen <= 0, kept, unit)


def nothing(shape: tuple[int, ...]) -> Any:
    """Zeros of a shape; without entries a numpy array, as CVXPY before 1.9 has no empty expressions."""
    zeros = np.zeros(shape)
    return cp.Constant(zeros) if zeros.size else zeros


def value_of(expression: Any) -> Floats:
    """The numbers of a solved expression, or of :func:`nothing`."""
    numbers: Floats = np.asarray(getattr(expression, "value", expression))
    return numbers


def pick(expression: Any, kept: Bools) -> Any:
    """The kept entries of a matrix expression, in row order."""
    flat = cp.reshape(expression, (kept.size,), order="C")
    index = np.flatnonzero(kept.ravel())
    place = (np.arange(len(index)), index)
    return csr_array((np.ones(len(index)), place), shape=(len(index), kept.size)) @ flat


def times(rows: Ints, n_rows: int, weights: Any, expression: Any) -> Any:
    """Σ of weighted rows of a (members, slots) expression, collected into ``n_rows``."""
    n, slots = expression.shape
    if n == 0:
        return nothing((n_rows, slots))
    entries = np.broadcast_to(np.asarray(weights, dtype=float), (n,))
    return csr_array((entries, (rows, np.arange(n))), shape=(n_rows, n)) @ expression


def total(weights: Floats, expression: Any) -> Any:
    """Σ weights·expression; weights (members,) or (members, slots)."""
    if 0 in expression.shape:
        return cp.Constant(0.0)
    return cp.sum(cp.multiply(weights if weights.ndim == 2 else weights[:, None], expression))


def before(expression: Any, start: Floats) -> Any:
    """The value one slot earlier, ``start`` (members,) before the first."""
    if expression.shape[1] == 1:
        return cp.Constant(start[:, None])
    return cp.hstack([start[:, None], expression[:, :-1]])
