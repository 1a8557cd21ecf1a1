"""How errors name a user's function, and what it raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import InputError

#: What code of others may raise, and where a call of ``sys.exit`` is no reason to end the work around it.
FAILURES = (Exception, SystemExit)


def called(function: Callable[..., Any]) -> str:
    """The field of errors about a function that adds constraints."""
    return f"extra {getattr(function, '__name__', type(function).__name__)}"


def raised(function: Callable[..., Any], error: BaseException, expected: str) -> InputError:
    """What the function raised, in a line."""
    told = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return InputError(field=called(function), value=told, expected=expected)
