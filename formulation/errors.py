"""The one error for bad input: file, field, value and expectation in a single line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_SHOWN = 60


class InputError(ValueError):
    """Input that cannot be used, told in one line: ``file: field = value: expected ...``.

    ``more`` counts further defects found in the same input.
    """

    def __init__(
        self, *, field: str, value: Any, expected: str, file: str | None = None, more: int = 0
    ) -> None:
        self.file, self.field, self.value, self.expected, self.more = file, field, value, expected, more
        super().__init__(str(self))

    def in_file(self, file: str) -> InputError:
        """The same defect, with the name of the file it was read from."""
        return InputError(
            field=self.field, value=self.value, expected=self.expected, file=file, more=self.more
        )

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        rest = f" (and {self.more} more)" if self.more else ""
        return f"{where}{self.field} = {shown(self.value)}: expected {self.expected}{rest}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.field, self.value, self.expected, self.file, self.more))


def _rebuild(field: str, value: Any, expected: str, file: str | None, more: int) -> InputError:
    return InputError(field=field, value=value, expected=expected, file=file, more=more)


def shown(value: Any) -> str:
    """A value on one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def field_path(parts: Sequence[str | int]) -> str:
    """``("sites", "a", "pue", 3)`` as ``sites.a.pue[3]``."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "(whole file)"
