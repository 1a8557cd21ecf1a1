"""Settings as frozen dataclasses whose fields know their range; whatever does not fit is an InputError."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..formulation import InputError


def option(
    default: Any = MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    one_of: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field with its range: ``low`` and ``high`` belong to it, ``above`` does not."""
    return field(default=default, metadata={"low": low, "high": high, "above": above, "one_of": one_of})


@dataclass(frozen=True)
class Options:
    """Settings that are checked when they are made.

    Fields are int, float, bool, str, tuples of int or str, another ``Options``, or a mapping.
    Raises InputError that names field, value and expectation.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for one in fields(self):
            value = getattr(self, one.name)
            if not _fits(value, hints[one.name], one.metadata):
                raise InputError(
                    field=one.name, value=value, expected=_expected(hints[one.name], one.metadata)
                )


Some = TypeVar("Some", bound=Options)


def read_options(kind: type[Some], values: Mapping[str, Any], file: str | None = None) -> Some:
    """Settings of ``kind`` from what was read of a file or a command line.

    Raises InputError for an unknown name, a wrong type or a value out of range.
    """
    hints = get_type_hints(kind)
    known = {one.name for one in fields(kind)}
    for name, value in values.items():
        if name not in known:
            raise InputError(
                field=name, value=value, expected=f"one of the fields {', '.join(sorted(known))}", file=file
            )
    fitted = {name: _fitted(value, hints[name]) for name, value in values.items()}
    try:
        return kind(**fitted)
    except InputError as defect:
        if file is None:
            raise
        raise defect.in_file(file) from None


def plain(options: Options) -> dict[str, Any]:
    """The settings as nested dictionaries and lists, fit for JSON."""

    def simple(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: simple(one) for key, one in value.items()}
        return [simple(one) for one in value] if isinstance(value, tuple | list) else value

    result: dict[str, Any] = simple(dataclasses.asdict(options))
    return result


def _fitted(value: Any, hint: Any) -> Any:
    """The value as the field's type would hold it, where a file cannot say so (3 → 3.0, list → tuple)."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _fits(value: Any, hint: Any, ranges: Mapping[str, Any]) -> bool:
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(one, get_args(hint)[0], ranges) for one in value)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or value != value:
            return False
        low, high, above = ranges.get("low"), ranges.get("high"), ranges.get("above")
        return (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
        )
    if not isinstance(value, get_origin(hint) or hint):
        return False
    one_of = ranges.get("one_of")
    return one_of is None or value in one_of


def _expected(hint: Any, ranges: Mapping[str, Any]) -> str:
    if ranges.get("one_of") is not None:
        return f"one of {', '.join(ranges['one_of'])}"
    words = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
    one = get_args(hint)[0] if get_origin(hint) is tuple else hint
    text = words.get(one, f"{getattr(get_origin(one) or one, '__name__', one)}")
    if get_origin(hint) is tuple:
        text = f"a list, each {text}"
    bounds = [
        f"{sign} {ranges[name]:g}"
        for name, sign in (("low", "≥"), ("above", ">"), ("high", "≤"))
        if ranges.get(name) is not None
    ]
    return " ".join([text, " and ".join(bounds)]).strip()
