"""Doors for members of every family that come from other packages or from a user's own code.

Each door takes the member, or decorates it: ``@sw.register_shaper("mine")``. Nothing heavy is loaded before
the member is asked for. An installed package calls the doors from an entry point of the group
``stepwatt.plugins``; then the command line knows its members, too. Every door raises InputError for a name
that is taken, or that has other signs than letters, digits, ``.``, ``_`` and ``-``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.records import SettingsRecord
from stepwatt.formulation.registry import announce

if TYPE_CHECKING:
    from stepwatt.data import Gives, Recognised
    from stepwatt.learning.agents import LearnsFrom
    from stepwatt.solvers.methods import Kind

    from .reports.figures.registry import Needs, Size

Thing = TypeVar("Thing", bound=Callable[..., Any])


class Decorator(Protocol):
    """Takes the thing below it, and gives it back as it is."""

    def __call__(self, thing: Thing, /) -> Thing:
        """The thing."""
        ...


def _enter(
    family: str,
    name: str,
    thing: Thing | None,
    member: Callable[[Thing], Any],
    apart_from: Iterable[str] = (),
) -> Any:
    """Announce the thing, or give back a decorator that does; ``member`` makes the family's member of it."""

    def enter(thing: Thing) -> Thing:
        if not callable(thing):
            raise InputError(field=family, value=thing, expected="something that can be called")
        announce(family, name, lambda: member(thing), apart_from=apart_from)
        return thing

    return enter if thing is None else enter(thing)


def _choose(field: str, value: Any, *names: str) -> None:
    if value not in names:
        raise InputError(field=field, value=value, expected=one_of(names, value))


def _check_settings(settings: Any) -> None:
    if not (isinstance(settings, type) and issubclass(settings, SettingsRecord)):
        raise InputError(field="settings", value=settings, expected="a class derived from SettingsRecord")


def _itself(thing: Thing) -> Thing:
    return thing


@overload
def register_method(
    name: str, run: Thing, *, kind: Kind = ..., what: str = ..., proves_bound: bool = ...
) -> Thing: ...
@overload
def register_method(
    name: str, *, kind: Kind = ..., what: str = ..., proves_bound: bool = ...
) -> Decorator: ...
def register_method(
    name: str, run: Thing | None = None, *, kind: Kind = "planner", what: str = "", proves_bound: bool = False
) -> Any:
    """A method of :func:`stepwatt.solve`: ``run(instance, settings) -> Result``.

    Args:
        name: its name, for ``solve(inst, NAME)``, ``compare`` and ``--method``.
        run: gets instance and :class:`stepwatt.solvers.Settings`, gives a :class:`stepwatt.solvers.Result`.
        kind: ``planner`` knows at most a forecast, ``optimum`` and ``ablation`` the whole day, ``bound`` is a
            relaxation; comparisons hold like against like.
        what: one line for readers of tables.
        proves_bound: whether the bound of its results holds for every schedule of the instance.
    """

    def member(run: Thing) -> Any:
        from stepwatt.solvers.methods import Method

        told = what or "a method from outside"
        return Method(run, kind, told, proves_bound=proves_bound, forecasts=None)

    _choose("kind", kind, "optimum", "bound", "planner", "ablation")
    return _enter("method", name, run, member, apart_from=["policy"])


@overload
def register_policy(name: str, make: Thing) -> Thing: ...
@overload
def register_policy(name: str) -> Decorator: ...
def register_policy(name: str, make: Thing | None = None) -> Any:
    """A policy of :func:`stepwatt.compare`: ``make()`` gives anything that ``compare`` takes for one.

    Args:
        name: its name, for ``compare(inst, {"x": NAME})`` and ``--policy``; methods have other names.
        make: called without arguments when the policy is used; it *gives* the policy, it is not the policy.
    """
    from stepwatt.solvers import METHODS

    return _enter("policy", name, make, _itself, apart_from=[METHODS.family])


@overload
def register_agent(
    name: str,
    build: Thing,
    *,
    settings: type[SettingsRecord],
    learns_from: LearnsFrom = ...,
) -> Thing: ...
@overload
def register_agent(
    name: str, *, settings: type[SettingsRecord], learns_from: LearnsFrom = ...
) -> Decorator: ...
def register_agent(
    name: str,
    build: Thing | None = None,
    *,
    settings: type[SettingsRecord],
    learns_from: LearnsFrom = "replay",
) -> Any:
    """An agent of :func:`stepwatt.train`: ``build(settings, obs_size, act_size, seeds, device)``.

    Args:
        name: its name, for ``train(algo=NAME)``.
        build: gives an agent of S = ``len(seeds)`` runs side by side, after one of the protocols in
            ``stepwatt.learning.agents``: an ``OffPolicyAgent`` learns from ``replay``, an ``OnPolicyAgent``
            from ``rollouts``.
        settings: class of its settings, derived from ``stepwatt.formulation.records.SettingsRecord``, with
            defaults for all.
        learns_from: as above.
    """

    def member(build: Thing) -> Any:
        from stepwatt.learning.agents import AgentKind

        return AgentKind(settings, build, learns_from)

    _check_settings(settings)
    _choose("learns_from", learns_from, "replay", "rollouts")
    return _enter("algo", name, build, member)


@overload
def register_shaper(name: str, make: Thing, *, settings: type[SettingsRecord] = ...) -> Thing: ...
@overload
def register_shaper(name: str, *, settings: type[SettingsRecord] = ...) -> Decorator: ...
def register_shaper(
    name: str, make: Thing | None = None, *, settings: type[SettingsRecord] = SettingsRecord
) -> Any:
    """A reward shaper: ``make(obs_size, act_size, seeds, settings, device)``.

    Args:
        name: its name, for ``train(shaping=NAME)``.
        make: gives a :class:`stepwatt.learning.shapers.Shaper` for S = ``len(seeds)`` runs.
        settings: class of its settings (the table ``shaping``), derived from
            ``stepwatt.formulation.records.SettingsRecord``; that itself where there is nothing to set.
    """

    def member(make: Thing) -> Any:
        from stepwatt.learning.shapers import ShaperKind

        return ShaperKind(settings, make)

    _check_settings(settings)
    return _enter("shaper", name, make, member)


@overload
def register_codec(name: str, make: Thing) -> Thing: ...
@overload
def register_codec(name: str) -> Decorator: ...
def register_codec(name: str, make: Thing | None = None) -> Any:
    """A codec, which turns actions in [-1,1]^d into requests: ``make(shape)``.

    Args:
        name: its name, for ``train(codec=NAME)``.
        make: gives a :class:`stepwatt.learning.codecs.Codec` for instances of that shape.
    """
    return _enter("codec", name, make, _itself)


@overload
def register_reward(name: str, pay: Thing) -> Thing: ...
@overload
def register_reward(name: str) -> Decorator: ...
def register_reward(name: str, pay: Thing | None = None) -> Any:
    """A reward, what is paid for a slot: ``pay(slot) -> (B,)``.

    Args:
        name: its name, for ``train(reward=NAME)``.
        pay: gets a :class:`stepwatt.learning.environment.rewards.Slot`, gives what each of B environments
            is paid, in units of a slot's typical revenue (``slot.earned`` is the utility in that unit).
    """
    return _enter("reward", name, pay, _itself)


@overload
def register_scenario(name: str, build: Thing) -> Thing: ...
@overload
def register_scenario(name: str) -> Decorator: ...
def register_scenario(name: str, build: Thing | None = None) -> Any:
    """A scenario: ``build(**parameters) -> Instance``.

    Args:
        name: its name, for ``scenario(NAME)`` and the command of that name.
        build: takes keyword parameters. Of those that the command line has, ``start``, ``zones``,
            ``n_slots``, ``slot_minutes``, ``seed`` and ``series``, it gets the ones that it takes; training
            gives ``start``, ``zones``, ``n_slots``, ``slot_minutes`` and ``integral_jobs``, all of them.
    """
    return _enter("scenario", name, build, _itself)


@overload
def register_importer(
    name: str,
    read: Thing,
    *,
    gives: Gives = ...,
    recognises: Callable[..., Recognised | None] | None = ...,
    title: str = ...,
) -> Thing: ...
@overload
def register_importer(
    name: str,
    *,
    gives: Gives = ...,
    recognises: Callable[..., Recognised | None] | None = ...,
    title: str = ...,
) -> Decorator: ...
def register_importer(
    name: str,
    read: Thing | None = None,
    *,
    gives: Gives = "series",
    recognises: Callable[..., Recognised | None] | None = None,
    title: str = "",
) -> Any:
    """An importer of files: ``read(path)``, or ``read(table, told)`` where it gives ``rows`` or ``jobs``.

    Args:
        name: its name, for ``read_prices(path, NAME)`` and its like, ``stepwatt scenario --importer NAME``
            and ``stepwatt quality fit``.
        read: gives a series (a DataFrame as ``stepwatt.data.as_series`` makes it) or points (steps, quality);
            of a :class:`stepwatt.data.Table` and what the caller said, rows (as ``stepwatt.data.rows_of``
            makes them) or jobs. Raises InputError for a file that it cannot use.
        gives: which of these.
        recognises: ``recognises(table)`` gives :class:`stepwatt.data.Recognised`, how sure the table is of
            this layout and why, or None; without it, the layout is used by name only.
        title: what it reads, in a line.
    """

    def member(read: Thing) -> Any:
        from stepwatt.data import Importer

        return Importer(read, gives, recognises, title)

    _choose("gives", gives, "series", "points", "rows", "jobs")
    if recognises is not None and not callable(recognises):
        raise InputError(field="recognises", value=recognises, expected="something that can be called")
    return _enter("importer", name, read, member)


@overload
def register_figure(name: str, draw: Thing, *, title: str, needs: Needs = ..., size: Size = ...) -> Thing: ...
@overload
def register_figure(name: str, *, title: str, needs: Needs = ..., size: Size = ...) -> Decorator: ...
def register_figure(
    name: str, draw: Thing | None = None, *, title: str, needs: Needs = "comparison", size: Size = "wide"
) -> Any:
    """A figure of every report: ``draw(of)`` gives a :class:`stepwatt.reports.figures.Panel`.

    Args:
        name: its name, unique within the page.
        draw: draws a comparison or schedule, as plotly's JSON in plain lists and numbers.
        title: its heading.
        needs: ``comparison``, ``several`` (drawn only of comparisons of several instances or runs), or
            ``schedule``: drawn for each schedule in detail, of a :class:`stepwatt.reports.figures.Shown`.
        size: ``wide``, ``half`` or ``third`` of the page's width.
    """

    def member(draw: Thing) -> Any:
        from .reports.figures.registry import Figure

        return Figure(title, needs, draw, size)

    _choose("needs", needs, "comparison", "several", "schedule")
    _choose("size", size, "wide", "half", "third")
    return _enter("figure", name, draw, member)
