"""``sw.policy`` and ``sw.planner``: what a callable of one's own is given is declared, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from stepwatt.formulation import InputError, Instance, Schedule

if TYPE_CHECKING:
    from stepwatt.learning.policies.observed import ObservationPolicy


@overload
def policy(
    act: Callable[[Any], Any], *, information: str = ..., codec: str = ..., version: str | None = ...
) -> ObservationPolicy: ...
@overload
def policy(
    *, information: str = ..., codec: str = ..., version: str | None = ...
) -> Callable[[Callable[[Any], Any]], ObservationPolicy]: ...
def policy(
    act: Callable[[Any], Any] | None = None,
    *,
    information: str = "day-ahead",
    codec: str = "direct",
    version: str | None = None,
) -> Any:
    """A callable that decides slot by slot, for :func:`stepwatt.compare`; as a decorator, too.

    Args:
        act: is given an observation by name (``obs.price["oslo"]``, ``obs.jobs_waiting``), and gives back an
            action by name (``{"steps": 20, "battery_mw": {"oslo": -0.1}}``), or numbers in [-1,1] for the
            codec. docs/environment.md has all names.
        information: ``none``, ``persistence``, ``day-ahead`` or ``perfect``: what it is told of the future.
        codec: how numbers are read where it answers with those.
        version: a name for all that it does, to be changed with it: ``compare(keep=)`` then keeps its runs.
            Code may depend on anything, so nobody but you can tell whether it is still the same.

    Raises:
        InputError: no information or codec of that name, or a version that is no text.
    """
    from stepwatt.learning.environment.task import TaskSettings
    from stepwatt.learning.policies.observed import ObservationPolicy

    task = TaskSettings(information=information, codec=codec)

    def declared(act: Callable[[Any], Any]) -> ObservationPolicy:
        return ObservationPolicy(act, task, _mark(act, version, information, codec))

    return declared if act is None else declared(act)


class Planner:
    """A callable ``(instance) -> Schedule`` that says so."""

    def __init__(self, plan: Callable[[Instance], Schedule], mark: bytes | None = None):
        self.plan, self.mark = plan, mark

    def fingerprint(self) -> bytes | None:
        """Changes with whatever it does; None where nobody vouches for that."""
        return self.mark

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """What it plans."""
        return self.plan(instance)


def planner(plan: Callable[[Instance], Schedule], *, version: str | None = None) -> Planner:
    """A callable that plans whole instances, for :func:`stepwatt.compare`: ``(instance) -> Schedule``.

    A callable that is not declared is taken for one. ``version`` as in :func:`policy`.

    Raises:
        InputError: a version that is no text.
    """
    return Planner(plan, _mark(plan, version))


def _mark(code: Callable[..., Any], version: str | None, *more: str) -> bytes | None:
    if version is None:
        return None
    if not isinstance(version, str) or not version:
        raise InputError(field="version", value=version, expected="a text, such as '1'")
    named = code if hasattr(code, "__qualname__") else type(code)
    return "\0".join((named.__module__, named.__qualname__, version, *more)).encode()
