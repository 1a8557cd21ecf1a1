"""How errors name a user's function, and what it raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import InputError


def called(function: Callable[..., Any]) -> str:
    """The field of errors about a function that adds constraints."""
    return f"extra {getattr(function, '__name__', type(function).__name__)}"


def raised(function: Callable[..., Any], error: Exception, expected: str) -> InputError:
    """What the function raised, in a line."""
    told = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return InputError(field=called(function), value=told, expected=expected)
