"""Instances that callers hand in, checked at the door; where several may come, one is a list of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..errors import InputError
from .instance import Instance

_EXPECTED = "an Instance (sw.load reads one from a file)"


def the_instance(value: object, field: str = "instance") -> Instance:
    """The instance given.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, Instance):
        raise InputError(field=field, value=value, expected=_EXPECTED)
    return value


def the_instances(value: object, field: str = "instances", *, least: int = 1) -> list[Instance]:
    """The instances given, one alone as a list of one.

    Raises:
        InputError: fewer than ``least``, or something else.
    """
    given = list(instances_one_by_one(value, field))
    if len(given) < least:
        raise InputError(field=field, value=given, expected="at least one")
    return given


def instances_one_by_one(value: object, field: str = "instances") -> Iterator[Instance]:
    """The same without a list, for streams of any length.

    Raises:
        InputError: something that is no instance and holds none, at once; or holds something else, there.
    """
    if isinstance(value, Instance):
        return iter((value,))
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise InputError(field=field, value=value, expected=f"{_EXPECTED}, or a list of them")
    return (the_instance(one, f"{field}[{place}]") for place, one in enumerate(value))


def the_histories(value: object, count: int, field: str = "histories") -> list[Instance | None]:
    """The instance before each of ``count``, None where none is known; one alone is that of all.

    Raises:
        InputError: something else, or not one each.
    """
    if value is None or isinstance(value, Instance):
        return [value] * count
    expected = f"{count}, one per instance"
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise InputError(field=field, value=value, expected=expected)
    given = list(value)
    if len(given) != count:
        raise InputError(field=field, value=f"{len(given)} of them", expected=expected)
    return [
        None if one is None else the_instance(one, f"{field}[{place}]") for place, one in enumerate(given)
    ]
