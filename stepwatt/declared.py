"""``sw.policy`` and ``sw.planner``: what a callable of one's own is given is declared, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from stepwatt.formulation import Instance, Schedule

if TYPE_CHECKING:
    from stepwatt.learning.policies.observed import ObservationPolicy


@overload
def policy(act: Callable[[Any], Any], *, information: str = ..., codec: str = ...) -> ObservationPolicy: ...
@overload
def policy(
    *, information: str = ..., codec: str = ...
) -> Callable[[Callable[[Any], Any]], ObservationPolicy]: ...
def policy(
    act: Callable[[Any], Any] | None = None, *, information: str = "day-ahead", codec: str = "direct"
) -> Any:
    """A callable that decides slot by slot, for :func:`stepwatt.compare`; as a decorator, too.

    Args:
        act: is given an observation by name (``obs.price["oslo"]``, ``obs.jobs_waiting``), and gives back an
            action by name (``{"steps": 20, "battery_mw": {"oslo": -0.1}}``), or numbers in [-1,1] for the
            codec. docs/environment.md has all names.
        information: ``none``, ``persistence``, ``day-ahead`` or ``perfect``: what it is told of the future.
        codec: how numbers are read where it answers with those.

    Raises:
        InputError: no information or codec of that name.
    """
    from stepwatt.learning.environment.task import TaskSettings
    from stepwatt.learning.policies.observed import ObservationPolicy

    task = TaskSettings(information=information, codec=codec)
    if act is None:
        return lambda act: ObservationPolicy(act, task)
    return ObservationPolicy(act, task)


class Planner:
    """A callable ``(instance) -> Schedule`` that says so."""

    def __init__(self, plan: Callable[[Instance], Schedule]):
        self.plan = plan

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """What it plans."""
        return self.plan(instance)


def planner(plan: Callable[[Instance], Schedule]) -> Planner:
    """A callable that plans whole instances, for :func:`stepwatt.compare`: ``(instance) -> Schedule``.

    A callable that is not declared is taken for one.
    """
    return Planner(plan)
