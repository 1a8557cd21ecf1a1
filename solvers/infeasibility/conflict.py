"""Which limits cannot hold together: a deletion filter over limits, then over their slots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .elastic_room import ElasticRoom, Limit

Bools = NDArray[np.bool_]

#: Limits are let go in this order, so that those that say most remain.
_DISPENSABLE = (
    "power of GPUs", "battery charge", "battery maximum", "export", "renewable power", "battery discharge",
    "generator power", "start of the room", "battery minimum", "generator minimum", "import", "cooling power",
    "room temperature",
)  # fmt: skip


@dataclass(frozen=True)
class Conflict:
    """Limits with the slots (T,) in which they are needed for the conflict.

    ``irreducible``: without any one limit in any one slot the rest could hold; false when the filter ended
    early, with a conflict that may hold more than needed.
    """

    members: list[tuple[Limit, Bools]]
    irreducible: bool


def find_conflict(room: ElasticRoom, n_slots: int, questions: int) -> Conflict:
    """A conflict that ends as early as possible, of the limits that the order of deletion leaves.

    Args:
        room: a room that cannot be held.
        n_slots: of its instance.
        questions: how often the model may be asked; each takes a solve from where it stands.

    Raises:
        SolverError: the solver failed.
    """
    search = _Filter(room, n_slots, questions)
    try:
        search.end_early()
        order = sorted(range(len(room.limits)), key=lambda i: _DISPENSABLE.index(room.limits[i].what))
        for i in order:
            search.drop(i, 0, n_slots, halve=False)
        for i in reversed(order):
            search.drop(i, 0, n_slots, halve=True)
    except _NoMoreQuestions:
        pass
    members = [(limit, slots) for limit, slots in zip(room.limits, search.enforced, strict=True)]
    return Conflict([(limit, slots) for limit, slots in members if slots.any()], search.left > 0)


class _NoMoreQuestions(Exception):
    """The filter has asked as often as it may."""


class _Filter:
    """What is still enforced, (limits, T); it conflicts after every step."""

    def __init__(self, room: ElasticRoom, n_slots: int, questions: int) -> None:
        self.enforced = np.ones((len(room.limits), n_slots), dtype=bool)
        self.left = questions
        self._room = room

    def end_early(self) -> None:
        """Let go everything after the slot by which the conflict is there."""
        holds, conflicts = 0, self.enforced.shape[1]
        while conflicts - holds > 1:
            middle = (holds + conflicts) // 2
            trial = self.enforced.copy()
            trial[:, middle:] = False
            if self._keeps(trial):
                conflicts = middle
            else:
                holds = middle

    def drop(self, limit: int, first: int, end: int, *, halve: bool) -> None:
        """Let slots of a limit go if the conflict does not need them, or those of them that it does not."""
        trial = self.enforced.copy()
        trial[limit, first:end] = False
        if np.array_equal(trial, self.enforced) or self._keeps(trial) or not halve or end - first == 1:
            return
        middle = (first + end) // 2
        self.drop(limit, first, middle, halve=True)
        self.drop(limit, middle, end, halve=True)

    def _keeps(self, trial: Bools) -> bool:
        if self.left == 0:
            raise _NoMoreQuestions
        self.left -= 1
        conflicts = self._room.conflicting(trial)
        if conflicts is None:
            self.left = 0
            raise _NoMoreQuestions
        if conflicts:
            self.enforced = trial
        return conflicts
