"""One registry for every family of parts: the built-in members, and those that others bring along.

A family's ``registry.py`` holds an instance with the built-in members, a line each. Installed packages have
entry points of the group ``stepwatt.plugins``, callables or modules that register members when they are
loaded. That happens once, when a name is unknown or names are listed for the first time.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from .errors import InputError, one_line, one_of
from .user_functions import FAILURES

T = TypeVar("T")
Default = TypeVar("Default")

GROUP = "stepwatt.plugins"

#: Names stand in ``NAME=FILE``, in ``rolling:FORECAST`` and in lists with commas.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class PluginWarning(UserWarning):
    """An installed plug-in was left out, and why."""


@dataclass(frozen=True)
class _Entry:
    """``make`` is called when the member is first asked for; ``by`` is the plug-in, empty for other code."""

    make: Callable[[], Any]
    by: str


@dataclass
class _Outside:
    """What was registered from outside: family → name → entry.

    There is one for the process, as it has one set of plug-ins; it holds entries of families whose folder
    (with torch, say) nobody has asked for yet.
    """

    entries: dict[str, dict[str, _Entry]] = field(default_factory=dict)
    built_in: dict[str, frozenset[str]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    loaded: bool = False
    loading: str = ""


_outside = _Outside()


class Registry(Mapping[str, T]):
    """Members of a family by name, the built-in ones first; adding is all that can be done to it.

    Args:
        family: the name of the family, the field of errors.
        members: the built-in members.
    """

    def __init__(self, family: str, members: Mapping[str, T]) -> None:
        self.family, self._built_in = family, dict(members)
        self._made: dict[str, T] = {}
        _outside.built_in[family] = frozenset(members)
        added = _outside.entries.setdefault(family, {})
        for name in [name for name in added if name in members]:
            entry = added.pop(name)
            if not entry.by:
                raise _taken(family, name)
            _left_out(entry.by, str(_taken(family, name)))

    def register(self, name: str, member: T) -> None:
        """Add a member, for whoever looks from now on.

        Raises:
            InputError: a name that is taken, or that is not one of letters, digits, ``.``, ``_`` and ``-``.
        """
        announce(self.family, name, lambda: member)

    def names(self) -> tuple[str, ...]:
        """All names, the built-in ones first."""
        return tuple(self)

    def __getitem__(self, name: str) -> T:
        """The member of that name.

        Raises:
            InputError: there is none; the error lists those that there are.
        """
        self.check(name)
        if name in self._built_in:
            return self._built_in[name]
        if name not in self._made:
            self._made[name] = _outside.entries[self.family][name].make()
        return self._made[name]

    def check(self, name: Any) -> None:
        """Refuse a name that no member has.

        Raises:
            InputError: there is none of this name; the error lists those that there are.
        """
        if name not in self:
            raise InputError(field=self.family, value=name, expected=one_of(self, name))

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if not self._has(name):
            load_plugins()
        return self._has(name)

    def _has(self, name: str) -> bool:
        return name in self._built_in or name in _outside.entries[self.family]

    @overload
    def get(self, name: str, default: None = None, /) -> T | None: ...
    @overload
    def get(self, name: str, default: T | Default, /) -> T | Default: ...
    def get(self, name: str, default: T | Default | None = None, /) -> T | Default | None:
        """The member of that name, or the default."""
        if name not in self:
            return default
        return self[name]

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return iter((*self._built_in, *_outside.entries[self.family]))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __repr__(self) -> str:
        return f"Registry({self.family!r}, {', '.join(self)})"

    def by_hand(self, names: Iterable[str]) -> dict[str, T]:
        """Those of the names that code of this process registered: other processes must be told of them."""
        added = _outside.entries[self.family]
        return {name: self[name] for name in names if name in added and not added[name].by}

    def adopt(self, members: Mapping[str, T]) -> None:
        """Take over what :meth:`by_hand` gave in another process."""
        for name, member in members.items():
            if not self._has(name):
                self.register(name, member)


def announce(family: str, name: str, make: Callable[[], Any], *, apart_from: Iterable[str] = ()) -> None:
    """Add a member to a family that may not be loaded yet; ``make`` is called when it is first asked for.

    Args:
        family: the family's name.
        name: the member's.
        make: makes the member.
        apart_from: families whose names, too, are taken.

    Raises:
        InputError: a name that is taken, or that is not one of letters, digits, ``.``, ``_`` and ``-``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(field=family, value=name, expected="a name of letters, digits, '.', '_' and '-'")
    for other in (family, *apart_from):
        if name in _outside.entries.get(other, ()) or name in _outside.built_in.get(other, ()):
            raise _taken(family, name)
    _outside.entries.setdefault(family, {})[name] = _Entry(make, _outside.loading)


def _taken(family: str, name: str) -> InputError:
    return InputError(field=family, value=name, expected="a name that is not taken")


def load_plugins() -> None:
    """Let installed packages register their members; a package that fails is left out with a warning."""
    with _outside.lock:
        if _outside.loaded:
            return
        _outside.loaded = True  # at once: plug-ins may look into registries
        from importlib.metadata import entry_points

        points = [
            (f"{point.dist.name} {point.dist.version}" if point.dist else point.value, point)
            for point in entry_points(group=GROUP)
        ]
        for made_by, point in sorted(points, key=lambda pair: (pair[0], pair[1].name)):
            before = {family: dict(entries) for family, entries in _outside.entries.items()}
            _outside.loading = made_by
            try:
                found = point.load()
                if callable(found):
                    found()
            except FAILURES as error:  # whatever a stranger's code may raise: the other packages go on
                for family, entries in _outside.entries.items():
                    entries.clear()
                    entries.update(before.get(family, {}))
                told = error if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
                _left_out(made_by, str(told))
            finally:
                _outside.loading = ""


def _left_out(made_by: str, why: str) -> None:
    # told in the name of the package, not of a line here, which would print that line, too
    message = one_line(f"plug-in {made_by} was left out: {why}")
    warnings.warn_explicit(message, PluginWarning, filename=made_by, lineno=0)
