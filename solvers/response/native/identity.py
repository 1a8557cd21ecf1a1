"""What compiled functions are, as text: functions that differ in it are other functions.

It is told from what is in memory, as files may have changed since.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType
from typing import Any

from .kinds import fields_of, signature_of


@cache
def identity(source: Callable[..., Any]) -> str:
    """All that a function and what it calls do, with the kinds of their values and the numbers they name."""
    functions = _reached(source)
    taken = {kind for function in functions for kind in signature_of(function)[0].values()}
    lines = {line for function in functions for line in _lines(function)}
    return "\n".join(sorted(lines.union(*map(_fields, taken))))


def tree_of(source: Any) -> ast.FunctionDef:
    """The syntax of a function.

    Raises:
        RuntimeError: its file has changed since it was imported.
    """
    text = textwrap.dedent(inspect.getsource(source))
    again = [part for part in compile(text, "", "exec").co_consts if isinstance(part, CodeType)]
    if [_told(part) for part in again] != [_told(source.__code__)]:
        raise RuntimeError(f"{source.__module__} has changed since it was imported")
    found = ast.parse(text).body[0]
    assert isinstance(found, ast.FunctionDef)
    return found


def _told(code: CodeType) -> str:
    return repr((code.co_name, code.co_code, code.co_consts, code.co_names, code.co_varnames))


def _reached(source: Callable[..., Any]) -> set[Any]:
    """A compiled function and all that it calls."""
    found, left = {source}, [source]
    while left:
        function: Any = left.pop()
        called = (function.__globals__.get(name) for name in function.__code__.co_names)
        new = {other for other in called if hasattr(other, "compiled")} - found
        found |= new
        left += new
    return found


def _lines(function: Any) -> Iterator[str]:
    parameters, result = signature_of(function)
    yield f"{function.__module__} {_told(function.__code__)} {parameters} {result}"
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, (int, float)):
            yield f"{function.__module__} {name} = {value!r}"


def _fields(kind: Any) -> Iterator[str]:
    if hasattr(kind, "_fields"):
        yield f"{kind} {fields_of(kind)}"
        for field in fields_of(kind).values():
            yield from _fields(field)
