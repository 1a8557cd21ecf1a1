"""A user's own callable that decides slot by slot, as a planner of whole instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.plant.stacking import shape_of

from ..codecs import CODECS
from ..environment.actions import finite_action
from ..environment.play import plan
from ..environment.task import TaskSettings


class ObservationPolicy:
    """A callable ``(observation) -> action`` of the user's as a planner of whole instances.

    The observation is an array (O,), the action one of (A,), cut to [-1,1], coded and informed as ``task``
    says (default: direct codec, day-ahead information; docs/environment.md has both tables).

    Raises:
        InputError: an action of the wrong size, or of other than finite numbers.
    """

    def __init__(self, act: Callable[[Any], Any], task: TaskSettings | None = None):
        self.act, self.task = act, TaskSettings() if task is None else task

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """The schedule that comes of asking it slot by slot; ``history`` is the day before."""
        size = CODECS[self.task.codec](shape_of(instance.arrays())).size

        def ask(observations: Any) -> Any:
            return finite_action(self.act(observations[0]), (size,))[None]

        return plan([instance], ask, self.task, histories=[history])[0]
