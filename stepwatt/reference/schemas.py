"""JSON Schema of every file, from its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

from stepwatt.formulation.errors import InputError, one_of


class FileKind(NamedTuple):
    """A kind of file: what it is, where its record stands, and whether it is JSON."""

    title: str
    record: Callable[[], type[BaseModel]]


def _instance() -> type[BaseModel]:
    from stepwatt.formulation import Instance

    return Instance


def _schedule() -> type[BaseModel]:
    from stepwatt.formulation.schedule.schedule import ScheduleFile

    return ScheduleFile


def _result() -> type[BaseModel]:
    from stepwatt.solvers.interface.result_file import ResultFile

    return ResultFile


def _comparison() -> type[BaseModel]:
    from ..scores.file import ComparisonFile

    return ComparisonFile


def _run() -> type[BaseModel]:
    from ..state_file import RunFile

    return RunFile


FILES = {
    "instance": FileKind("one scheduling problem", _instance),
    "schedule": FileKind("what runs where, how, and how sites are powered", _schedule),
    "result": FileKind("what a solver call returned", _result),
    "comparison": FileKind("policies side by side", _comparison),
    "run": FileKind("the state of a run, slot by slot (`stepwatt run --state`)", _run),
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a kind of file; ``unit`` and ``equation`` are annotations of ours.

    It says what can be said of fields one by one. What they must be together (lengths, names, limits that
    meet) is checked when the file is read.

    Raises:
        InputError: no such kind of file.
    """
    if name not in FILES:
        raise InputError(field="file", value=name, expected=one_of(FILES, name))
    found = FILES[name].record().model_json_schema(by_alias=True)
    _drop_titles(found)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"stepwatt {name}: {FILES[name].title}",
        **found,
    }


def _drop_titles(node: Any) -> None:
    """Take away the titles that pydantic makes of names, where they are no field's name."""
    if isinstance(node, list):
        for inner in node:
            _drop_titles(inner)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str) and "prefixItems" not in node:
            node.pop("title")
        for key, inner in node.items():
            if key != "prefixItems":
                _drop_titles(inner)
