"""Several items, each solved; alone, the work itself tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from stepwatt.solvers.interface.settings import Progress, silent
from stepwatt.solvers.many import Many, WorkerDied, in_order, on_cluster

from ..console import part_of

T = TypeVar("T")
R = TypeVar("R")


def one_by_one(
    work: Callable[[Progress, T], R], items: Mapping[str, T], workers: int, told: Progress
) -> list[R]:
    """What ``work`` makes of each item, in their order, with so many in work at a time.

    Raises:
        WorkerDied: the worker of an item died twice.
    """
    told(0.0, "")
    if workers == 1 and not on_cluster():
        of_many = len(items) > 1
        return [
            work(part_of(told, number, len(items), name if of_many else ""), item)
            for number, (name, item) in enumerate(items.items())
        ]
    answers = []
    for answer in Many(partial(work, silent), workers).run(items.values()):
        answers.append(answer)
        told(len(answers) / len(items), f"{len(answers)} of {len(items)}")
    found: list[R] = []
    for one in in_order(answers):
        if isinstance(one, WorkerDied):
            raise one
        found.append(one)
    return found
