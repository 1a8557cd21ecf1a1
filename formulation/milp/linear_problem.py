"""A mixed-integer linear problem whose columns and rows come in named blocks, and the builder of one.

Blocks carry the names of the Pyomo model's variables and constraints; their second axis, if any, is slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from ..schedule.schedule import SITE_FLOWS, Schedule

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Labels = Callable[[], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Block:
    """Columns or rows of one name: ``ids`` has shape (members, slots) or (members,)."""

    name: str
    ids: Ints
    labels: Labels

    def names(self) -> list[str]:
        """One name per id, for example ``import_mw[a,3]``."""
        labels = self.labels()
        if self.ids.ndim == 1:
            return [f"{self.name}[{_joined(label)}]" for label in labels]
        return [f"{self.name}[{_joined((*label, t))}]" for label in labels for t in range(self.ids.shape[1])]


def _joined(parts: tuple[Any, ...]) -> str:
    return ",".join(str(part) for part in parts)


@dataclass(frozen=True)
class LinearProblem:
    """maximise cost·x + offset, row_lower ≤ A x ≤ row_upper, lower ≤ x ≤ upper, some x integer.

    ``columns`` and ``rows`` map names to blocks of indices. Members of a block: see :class:`Members`.
    """

    matrix: csc_array
    cost: Floats
    offset: float
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    integer: Bools
    columns: dict[str, Block]
    rows: dict[str, Block]
    members: Members
    varying: Ints  # positions in matrix.data of the entries that differ from slot to slot (PUE and COP)

    def ids(self, *names: str) -> Ints:
        """The columns of some blocks, one after the other."""
        return np.concatenate([self.columns[name].ids.ravel() for name in names])

    def column_names(self) -> list[str]:
        """One name per column."""
        return [name for block in self.columns.values() for name in block.names()]

    def row_names(self) -> list[str]:
        """One name per row."""
        return [name for block in self.rows.values() for name in block.names()]

    def schedule(self, a: InstanceArrays, x: Floats) -> Schedule:
        """The decisions in a solution vector; solver noise below zero is cut off."""
        n, k, t = len(a.sites), len(a.classes), a.n_slots
        at = self.members
        transfers = np.zeros((n, n, k, t))
        transfers[at.origin, at.target, at.moved_class] = x[self.columns["transfers"].ids]
        flows = {}
        for flow in SITE_FLOWS:
            values = np.zeros((n, t))
            values[at.of_flow(flow)] = x[self.columns[flow].ids]
            flows[flow] = np.maximum(values, 0.0)
        runs = np.maximum(x[self.columns["runs"].ids], 0.0)
        return Schedule(transfers=np.maximum(transfers, 0.0), runs=runs, **flows)

    def vector(self, a: InstanceArrays, s: Schedule) -> Floats:
        """The solution vector of a schedule's own decisions, zero elsewhere (for warm starts and tests)."""
        at = self.members
        x = np.zeros(len(self.cost))
        x[self.columns["transfers"].ids] = s.transfers[at.origin, at.target, at.moved_class]
        x[self.columns["runs"].ids] = s.runs
        for flow in SITE_FLOWS:
            x[self.columns[flow].ids] = getattr(s, flow)[at.of_flow(flow)]
        return x


@dataclass(frozen=True)
class Members:
    """Which origins, sites and classes the first axis of each block runs over."""

    origin: Ints  # of transfers
    target: Ints
    moved_class: Ints
    queue_origin: Ints  # of waiting and lost: every origin and class
    queue_class: Ints
    batteries: Ints
    generators: Ints
    rooms: Ints
    peaks: Ints  # sites with a demand charge
    meters: Ints  # those whose meter averages over several slots
    feeds_in: Ints  # sites where export may pay more than import costs
    links: tuple[Ints, Ints]
    all_sites: Ints

    def of_flow(self, flow: str) -> Ints:
        """The sites that a site flow exists at."""
        subset = {
            "charge_mw": self.batteries,
            "discharge_mw": self.batteries,
            "generator_mw": self.generators,
            "cooling_mw": self.rooms,
        }
        return subset.get(flow, self.all_sites)


def members_of(a: InstanceArrays) -> Members:
    """The sets of the model (model.md, "Sets and data")."""
    n, k = len(a.sites), len(a.classes)
    queue = np.ones((n, k), dtype=bool)
    served = a.served()
    origin, target, moved = np.nonzero(a.transfer_allowed[:, :, None] & served[None, :, :])
    limited = np.isfinite(a.link_gb_per_hour)
    return Members(
        origin=origin,
        target=target,
        moved_class=moved,
        queue_origin=np.nonzero(queue)[0],
        queue_class=np.nonzero(queue)[1],
        batteries=np.flatnonzero(a.battery),
        generators=np.flatnonzero(a.generator),
        rooms=np.flatnonzero(a.thermal),
        peaks=np.flatnonzero(a.demand_charge > 0),
        meters=np.flatnonzero((a.demand_charge > 0) & a.meters),
        feeds_in=np.flatnonzero(a.feeds_in),
        links=(np.nonzero(limited)[0], np.nonzero(limited)[1]),
        all_sites=np.arange(n),
    )
