"""Values of an instance changed by path, as in ``sites.oslo.battery.energy_mwh``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from ..errors import InputError, one_of

#: Tables that need not name every site or class.
_SPARSE = ("backlog", "link_gb_per_hour")

_ENTRY = re.compile(r"\[(\d+)\]")


def put(data: dict[str, Any], kind: type[BaseModel], changes: Mapping[str, Any]) -> None:
    """Put values into the content of an instance file, by path (:meth:`.Instance.replace`).

    Raises:
        InputError: a path that leads nowhere.
    """
    if not isinstance(changes, Mapping):
        raise InputError(field="changes", value=changes, expected="values by path, {path: value, …}")
    for path, value in changes.items():
        sparse = isinstance(path, str) and path.partition(".")[0] in _SPARSE
        new = [*data["sites"], *data["classes"]] if sparse else []
        places = list(_places(data, kind, str(path), str(path), new))
        if not places:  # a star of nothing
            raise InputError(field=str(path), value=value, expected="a path to at least one value")
        for holder, key in places:
            holder[key] = plain(value)


def plain(value: Any) -> Any:
    """Records, arrays and numbers of numpy as an instance file holds them."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    convert = getattr(value, "tolist", None)  # arrays, numbers of numpy, columns of pandas
    return value if convert is None else convert()


def _places(node: Any, kind: Any, rest: str, path: str, new: list[str]) -> Iterator[tuple[Any, Any]]:
    """Where the path leads: a holder and a key for each place; ``*`` stands for every name of a table.

    ``kind`` is the type of ``node``, ``rest`` the part of the path below it, ``new`` are names that may come
    into a table. Names may hold dots themselves, so that the longest that the path goes on with is taken.
    """
    if not isinstance(node, dict):
        where = path[: len(path) - len(rest)].rstrip(".")
        raise InputError(field=path, value=node, expected=f"a table where {where} is")
    fields = _fields(kind, node)
    star, dot, after = rest.partition(".")
    if star == "*" and fields is None:
        for name in node:
            yield from _places(node[name], get_args(kind)[1], after, path, new) if dot else [(node, name)]
        return
    known = [*node, *(name for name in new if name not in node)] if fields is None else list(fields)
    name = max((name for name in known if _goes_on(rest, name)), key=len, default=None)
    if name is None:
        word = re.split(r"[.\[]", rest)[0]
        raise InputError(field=path, value=word, expected=one_of(known, word))
    inner = get_args(kind)[1] if fields is None else fields[name]
    after = rest[len(name) :]
    if not after:
        yield node, name
    elif after.startswith("["):
        yield _entry(node.get(name), after, path)
    else:
        below = node.setdefault(name, {}) if get_origin(inner) is dict else node.get(name)
        yield from _places(below, inner, after[1:], path, new)


def _goes_on(rest: str, name: str) -> bool:
    return rest == name or rest.startswith((f"{name}.", f"{name}["))


def _entry(values: Any, word: str, path: str) -> tuple[Any, int]:
    match = _ENTRY.fullmatch(word)
    if not isinstance(values, list) or match is None:
        raise InputError(field=path, value=values, expected="a list, to replace an entry of it")
    place = int(match[1])
    if place >= len(values):
        raise InputError(field=path, value=place, expected=f"a place from 0 to {len(values) - 1}")
    return values, place


def _fields(kind: Any, node: dict[str, Any]) -> dict[str, Any] | None:
    """The types of a record's fields by their names in the file; None for a table of names."""
    if get_origin(kind) is dict:
        return None
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    options = [bare, *get_args(bare)]
    records = [one for one in options if isinstance(one, type) and issubclass(one, BaseModel)]
    same = [one for one in records if node.get("kind") in _kinds(one)] or records
    return {field.alias or name: field.annotation for name, field in same[0].model_fields.items()}


def _kinds(record: type[BaseModel]) -> tuple[Any, ...]:
    """What the field ``kind`` of the record may be, where it is one of several."""
    return get_args(record.model_fields["kind"].annotation) if "kind" in record.model_fields else ()
