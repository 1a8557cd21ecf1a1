"""Every field of every file: path, type, unit, default, meaning, equation; read off the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stepwatt.formulation.errors import InputError, one_of
from stepwatt.formulation.records import LARGEST, SMALLEST

from .schemas import FILES, schema

#: What a name in a table is, by the field.
_NAMES = {
    "sites": ("SITE",),
    "classes": ("CLASS",),
    "models": ("MODEL",),
    "quality": ("CLASS",),
    "arrivals": ("ORIGIN", "CLASS"),
    "backlog": ("ORIGIN", "CLASS"),
    "transfer_cost": ("ORIGIN", "SITE"),
    "link_gb_per_hour": ("ORIGIN", "SITE"),
}


@dataclass(frozen=True)
class FieldFacts:
    """A field of a file. ``path`` has names in capitals where the file has names of the user's.

    ``variant`` is the ``kind`` for which the field stands there, where records differ in it.
    """

    file: str
    path: str
    type: str
    unit: str
    default: str
    meaning: str
    equation: str
    variant: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.replace("[]", "").rpartition(".")[2]


def fields_of(file: str) -> list[FieldFacts]:
    """The fields of a kind of file, in its order.

    Raises:
        InputError: no such kind of file.
    """
    whole = schema(file)
    return list(_walk(whole, whole, file, "", ""))


def all_fields() -> list[FieldFacts]:
    """The fields of all files."""
    return [field for file in FILES for field in fields_of(file)]


def look_up(word: str) -> list[FieldFacts]:
    """Fields by name, by the end of a path, or by how a name begins.

    Raises:
        InputError: there is none, with the nearest names.
    """
    known = all_fields()
    said = word.strip().strip(".").lower()
    ways = (
        lambda f: f.name == said or f.path.lower() == said,
        lambda f: f.path.lower().replace("[]", "").endswith(f".{said}"),
        lambda f: bool(said) and any(part.startswith(said) for part in f.path.lower().split(".")),
    )
    for way in ways:
        found = [field for field in known if way(field)]
        # what stands in a table comes with it
        inside = {(f.file, f.path) for f in found}
        if found:
            return [f for f in known if any(f.file == file and _within(f.path, at) for file, at in inside)]
    names = sorted({field.name for field in known})
    near = one_of(names, said).partition("; ")[2]
    expected = f"the name of a field, or how one begins{'; ' if near else ''}{near}"
    raise InputError(field="field", value=word, expected=expected)


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _walk(node: Any, whole: Any, file: str, path: str, variant: str) -> Iterator[FieldFacts]:
    needed = node.get("required", [])
    for name, given in node.get("properties", {}).items():
        told = _resolved(given, whole)
        where = f"{path}.{name}" if path else name
        default = "required" if name in needed else _default(given)
        if "const" in told and name == "kind":
            default = f"`{told['const']}`"
        yield FieldFacts(
            file,
            where,
            _type(told, whole),
            given.get("unit", ""),
            default,
            given.get("description", ""),
            given.get("equation", ""),
            variant,
        )
        yield from _inside(told, whole, file, where, list(_NAMES.get(name, ())), variant)


def _inside(
    node: Any, whole: Any, file: str, path: str, names: list[str], variant: str
) -> Iterator[FieldFacts]:
    """The fields of what stands in a field: a record, one of several, in a list or under names."""
    told = _resolved(node, whole)
    options = [_resolved(one, whole) for one in told.get("oneOf", told.get("anyOf", []))]
    records = [one for one in options if "properties" in one]
    if "properties" in told:
        yield from _walk(told, whole, file, path, variant)
    elif records:
        for record in records:
            kind = record["properties"].get("kind", {}).get("const", "")
            yield from _walk(record, whole, file, path, kind)
    elif isinstance(told.get("additionalProperties"), dict):
        name = names.pop(0) if names else "NAME"
        yield from _inside(told["additionalProperties"], whole, file, f"{path}.{name}", names, variant)
    elif isinstance(told.get("items"), dict):
        yield from _inside(told["items"], whole, file, f"{path}[]", names, variant)


def _resolved(node: Any, whole: Any) -> Any:
    if "$ref" in node:
        return _resolved(whole["$defs"][node["$ref"].rpartition("/")[2]], whole)
    return node


def _default(node: Any) -> str:
    value = node.get("default")
    if value is None:
        return "none" if "default" in node else "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else '`""`'


def _type(node: Any, whole: Any) -> str:
    """What a field may be, in words."""
    told = _resolved(node, whole)
    if "const" in told:
        return f"`{told['const']}`"
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    options = told.get("oneOf", told.get("anyOf"))
    if options:
        kinds = [_type(one, whole) for one in options if one.get("type") != "null"]
        if len(kinds) == 2 and kinds[1] == f"list of {kinds[0]}":
            return f"{kinds[0]}, or a list"
        return " or ".join(dict.fromkeys(kinds))
    kind = str(told.get("type", "anything"))
    if kind == "object":
        inner = told.get("additionalProperties")
        return f"{_type(inner, whole)} by name" if isinstance(inner, dict) else "table"
    if kind == "array":
        if "prefixItems" in told:
            return "row"
        return f"list of {_type(told['items'], whole)}" if told.get("items") else "list"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    return words.get(kind, kind) + _limits(told)


def _limits(told: Any) -> str:
    if told.get("type") not in ("number", "integer"):
        return ""
    low, high = told.get("minimum"), told.get("maximum")
    lower = "" if low is None or low == -LARGEST else " > 0" if low == SMALLEST else f" ≥ {low:g}"
    upper = "" if high is None or high >= 1e6 else f"≤ {high:g}"
    return f"{lower} and {upper}" if lower and upper else f"{lower} {upper}".rstrip()
