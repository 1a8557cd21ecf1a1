"""A user's own callable that decides slot by slot, as a planner of whole instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepwatt.formulation import Instance, Schedule
from stepwatt.formulation.arguments import finite
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.solvers.planners.forecasts import make_forecast

from ..environment.task import TaskSettings
from ..environment.world import World, pool_for
from .named_action import request_of
from .named_observation import Observation


class ObservationPolicy:
    """A callable ``(observation) -> action`` of the user's as a planner of whole instances.

    It is given an :class:`.Observation`, and answers with a named action
    (:data:`.named_action.SAID`), or with the box (A,), cut to [-1,1], coded as ``task`` says. ``task`` says
    what it is informed of, too (default: direct codec, day-ahead information). ``mark`` stands for all that
    it does, where its maker vouches for that.

    Raises:
        InputError: an action of the wrong size, of other than finite numbers, or of unknown names.
    """

    def __init__(
        self, act: Callable[[Any], Any], task: TaskSettings | None = None, mark: bytes | None = None
    ):
        self.act, self.task, self.mark = act, TaskSettings() if task is None else task, mark

    @property
    def kind(self) -> str:
        """What comparisons hold it against: planners, unless it is told what will be."""
        return "ablation" if self.task.information == "perfect" else "planner"

    def fingerprint(self) -> bytes | None:
        """Changes with whatever it does; None where nobody vouches for that."""
        return self.mark

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """The schedule that comes of asking it slot by slot; ``history`` is the day before."""
        engine, task, a = numpy_engine(), self.task, instance.arrays()
        pool = pool_for(task, [instance], engine, histories=[history])
        world = World(pool, engine, task, integral=instance.integral_jobs)
        past = None if history is None else history.arrays()
        known = task.information != "none"
        believe = make_forecast(task.information, a, past, 0) if known else None
        problem, requests, outcomes = world.drawn.problem, [], []
        while not world.over:
            t, state, vector = world.t, world.state, world.observation()[0]
            said = self.act(Observation(instance, problem, t, state, vector, believe))
            if isinstance(said, Mapping):
                request = request_of(a, problem, t, state, said)
            else:
                request = world.request(finite(said, "action", (world.act_size,))[None])
            requests.append(request)
            outcomes.append(world.carry_out(request))
        return schedules([a], problem, requests, outcomes)[0]
