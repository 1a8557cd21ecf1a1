"""What every record of a file shares: strict types, bounded finite numbers, defects told in one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from .arguments import path_of
from .errors import InputError, field_path, one_of
from .files import told_as_unwritable, write_text

#: Larger numbers are slips of units, and beside them no solver has digits left for the rest.
LARGEST = 1e9

#: What people write for "no limit": what nobody can use of it is left out before solving.
UNLIMITED = 1e12

#: Smaller positive numbers are slips of units too, and overflow when divided by.
SMALLEST = 1e-12

#: By so much computed numbers may miss a limit or a whole number: 0.1 + 0.2 is above 0.3.
ROUNDING = 1e-9


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("text", "printable characters")
    return text


def _at_least(limit: float) -> BeforeValidator:
    """Annotates a number that rounding may have left below the limit."""
    return BeforeValidator(lambda x: limit if type(x) is float and limit - ROUNDING <= x < limit else x)


def _at_most(limit: float) -> BeforeValidator:
    """Annotates a number that rounding may have left above the limit."""
    return BeforeValidator(lambda x: limit if type(x) is float and limit < x <= limit + ROUNDING else x)


Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False), _at_least(0.0)]
Capacity = Annotated[float, Field(ge=0, le=UNLIMITED, allow_inf_nan=False), _at_least(0.0)]
Factor = Annotated[float, Field(ge=1e-4, le=1e4, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=-273.15, le=10_000, allow_inf_nan=False)]
HeatCapacity = Annotated[float, Field(ge=1e-9, le=1e6, allow_inf_nan=False)]
Computed = Annotated[float, Field(allow_inf_nan=False)]
Pue = Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False), _at_least(1.0)]
Positive = Annotated[float, Field(ge=SMALLEST, le=LARGEST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), _at_least(0.0), _at_most(1.0)]
Efficiency = Annotated[float, Field(ge=SMALLEST, le=1, allow_inf_nan=False), _at_most(1.0)]
Text = Annotated[str, AfterValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


def about(meaning: str, unit: str = "", equation: str = "") -> Any:
    """Annotates a field with what readers are told of it: docs/fields.md, JSON Schema, ``describe``.

    Args:
        meaning: one line.
        unit: of its numbers; ``USD`` stands for the currency of the instance.
        equation: where it stands in the model, in the symbols of model.md.
    """
    extra: dict[str, Any] = {"unit": unit} if unit else {}
    return Field(description=meaning, json_schema_extra=extra | ({"equation": equation} if equation else {}))


# no name in a file can be one of these
_LIST, _NUMBER = "\0list", "\0number"


def _list_or_number(value: Any) -> str:
    return _LIST if isinstance(value, list | tuple) else _NUMBER


_T = TypeVar("_T")

#: A list of such numbers, or one of them that holds throughout.
NumberOrList = Annotated[
    Annotated[_T, Tag(_NUMBER)] | Annotated[list[_T], Tag(_LIST)], Discriminator(_list_or_number)
]


class Record(BaseModel):
    """A frozen part of a file: unknown fields, wrong types and non-finite numbers are errors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SettingsRecord(Record):
    """Settings, by hand or from tables of a file: whatever does not fit is an InputError."""

    if not TYPE_CHECKING:  # the type checker knows the fields

        def __init__(self, /, **values: Any) -> None:
            for name, value in values.items():
                if name not in type(self).model_fields:
                    known = one_of(type(self).model_fields, name)
                    expected = known.replace("one of", "one of the fields", 1)
                    if not type(self).model_fields:
                        expected = "no settings: there are none"
                    raise InputError(field=name, value=value, expected=expected)
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise _with_range(as_input_error(error, values), error, type(self)) from None

    @classmethod
    def read(cls, values: Any, file: str | None = None) -> Self:
        """Settings from a table.

        Raises:
            InputError: no table, an unknown name, a wrong type, a value out of range.
        """
        try:
            if not isinstance(values, Mapping):
                raise InputError(field=field_path(()), value=values, expected="a table")
            return cls(**values)
        except InputError as defect:
            raise defect if file is None else defect.in_file(file) from None

    def changed(self, **values: Any) -> Self:
        """The same with other values, checked like all.

        Raises:
            InputError: as for new settings.
        """
        return type(self)(**{**dict(self), **values})

    def plain(self) -> dict[str, Any]:
        """Nested dictionaries and lists, fit for JSON."""
        return self.model_dump(mode="json")


def _with_range(told: InputError, error: ValidationError, model: type[BaseModel]) -> InputError:
    """The same defect; where a number or a type is wrong, with the whole range of what is allowed."""
    first = error.errors(include_url=False)[0]
    if first["type"] in ("defect", "value_error", "missing"):
        return told
    schema: Any = model.model_json_schema()
    for part in first["loc"]:
        if isinstance(part, int):
            schema = schema.get("items", {})
        elif part in schema.get("properties", {}):
            schema = schema["properties"][part]
    expected = _range(schema) or told.expected
    return InputError(field=told.field, value=told.value, expected=expected, more=told.more)


def _range(schema: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in words: ``an integer ≥ 1 and ≤ 8``; empty where it says nothing."""
    if "anyOf" in schema:
        return " or ".join(_range(one) for one in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kinds = {
        "integer": "an integer",
        "number": "a number",
        "boolean": "true or false",
        "string": "a text",
        "array": "a list",
        "object": "a table",
        "null": "nothing",
    }
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
        "minItems": "of length ≥",
        "maxItems": "of length ≤",
    }
    bounds = [f"{sign} {schema[name]:g}" for name, sign in signs.items() if name in schema]
    each = f", each {_range(schema['items'])}" if schema.get("items") else ""
    return f"{kinds.get(schema.get('type', ''), '')} {' and '.join(bounds)}".strip() + each


def member(names: Collection[str]) -> BeforeValidator:
    """Annotates a text that must be one of the names, which may grow (a registry)."""

    def check(name: Any) -> Any:
        if name not in names:
            raise defect((), name, one_of(names, name))
        return name

    return BeforeValidator(check)


class _Missing:
    def __repr__(self) -> str:
        return "(missing)"


MISSING = _Missing()


def defect(path: tuple[str | int, ...], value: Any, expected: str, more: int = 0) -> PydanticCustomError:
    """A consistency defect, raised inside a validator; ``path`` is relative to the record validated."""
    context = {"path": path, "value": value, "expected": expected, "more": more}
    return PydanticCustomError("defect", "{expected}", context)


def as_input_error(error: ValidationError, data: Any) -> InputError:
    """The first defect pydantic found, in the words of the file."""
    if (broken := _half_a_character(data)) is not None:  # which pydantic cannot even tell of
        return broken
    details = error.errors(include_url=False)
    first = details[0]
    path = _path_in_file(first["loc"], data)
    kind, context = first["type"], first.get("ctx", {})
    more = len(details) - 1
    if kind == "defect":
        return InputError(
            field=field_path((*path, *context["path"])),
            value=context["value"],
            expected=context["expected"],
            more=more + context["more"],
        )
    cause = context.get("error")
    if kind == "value_error" and isinstance(cause, InputError):  # raised by a record or a check inside
        return cause.inside(field_path(path)) if path else cause
    value = first["input"]
    expected = re.sub(r"^\w+ should (be|have) | after validation, not \d+$", "", first["msg"])
    if kind == "missing":
        value, expected = MISSING, "this field"
    elif kind == "extra_forbidden":
        expected = "no field of this name"
    elif kind == "union_tag_not_found":
        path, value, expected = (*path, "kind"), MISSING, "a field that says which"
    elif kind == "union_tag_invalid":
        path, value, expected = (*path, "kind"), value["kind"], f"one of {context['expected_tags']}"
    elif kind == "finite_number":
        expected = "a finite number"
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        expected = "an object {…}"
    elif kind == "list_type":
        expected = "a list […]"
    elif kind == "float_type" and _NUMBER in first["loc"]:
        expected = "a number, or a list […] of one a slot"
    return InputError(field=field_path(path), value=value, expected=expected, more=more)


def _path_in_file(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """pydantic inserts the tag of a union ("kind") into the path; the file has no such level."""
    path: list[str | int] = []
    here, entered = data, True
    for part in loc:
        if entered and isinstance(here, dict) and part == here.get("kind"):
            entered = False
            continue
        if part in (_LIST, _NUMBER):
            continue
        if part == "[key]" and not (isinstance(here, dict) and part in here):
            break  # pydantic's mark behind a name that is not allowed
        path.append(part)
        entered = True
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    return tuple(path)


def read_json(path: str | Path) -> Any:
    """The JSON value in a file.

    Raises:
        InputError: the file cannot be read, is not JSON, or names a field twice.
    """
    place = path_of(path)
    name = str(path)
    try:
        text = place.read_text(encoding="utf-8-sig")  # some editors put the sign before all they write
    except (OSError, ValueError) as error:  # ValueError: bytes that are no UTF-8, or a path that cannot be
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "not UTF-8 text"
        raise InputError(file=name, field="file", value=reason, expected="a readable JSON file") from error
    try:
        return parse_json(text)
    except InputError as error:
        raise error.in_file(name) from None


def parse_json(text: str, field: str = "file") -> Any:
    """The value of a JSON text, which an error calls ``field``.

    Raises:
        InputError: no JSON, nested too deep, numbers too long, a field named twice, or half a character.
    """
    try:
        found = json.loads(text, object_pairs_hook=_without_duplicates)
    except InputError:
        raise
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(field=field, value=str(error), expected="valid JSON") from error
    except ValueError as error:  # an integer with more digits than Python converts
        raise InputError(field=field, value=str(error), expected="JSON numbers") from error
    if _SURROGATE.search(text) and (broken := _half_a_character(found)) is not None:
        raise broken
    return found


#: Escapes of code points that are characters only in pairs.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


def _half_a_character(data: Any) -> InputError | None:
    """Told of the first text that no file can hold, for it has one of a pair of surrogates alone."""
    left: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while left:
        path, value = left.pop()
        if isinstance(value, str) and not _whole(value):
            place = field_path(tuple(_shown(part) if isinstance(part, str) else part for part in path))
            return InputError(field=place or "text", value=value, expected="printable text, whole characters")
        if isinstance(value, Mapping):
            for key, inner in value.items():
                left += [((*path, key), inner), ((*path, key), key)]
        elif isinstance(value, list | tuple):
            left += [((*path, place), inner) for place, inner in enumerate(value)]
    return None


def _whole(text: str) -> bool:
    return text.isascii() or text == text.encode("utf-8", "ignore").decode("utf-8")


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(field=twice, value="given twice", expected="every field once")
    return found


def json_text(value: Any) -> str:
    """The content of a JSON file."""
    return json.dumps(value, allow_nan=False) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON under a temporary name, then rename: an interrupted write leaves the old file.

    Raises:
        InputError: the place cannot be written, or its folder is missing.
    """
    place = path_of(path)
    with told_as_unwritable(place):
        os.stat(place.parent)  # a folder that is missing is rather a slip than one to be made
    write_text(place, json_text(value))
