"""The one error for bad input: file, field, value and expectation in a single line."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_SHOWN = 60
_LISTED = 8


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

    def inside(self, outer: str) -> InputError:
        """The same defect, of a record that is the field ``outer`` of a larger one."""
        field = outer if self.field == field_path(()) else f"{outer}.{self.field}"
        return InputError(
            field=field, value=self.value, expected=self.expected, file=self.file, more=self.more
        )

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        rest = f" (and {self.more} more)" if self.more else ""
        return one_line(f"{where}{self.field} = {shown(self.value)}: expected {self.expected}{rest}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.field, self.value, self.expected, self.file, self.more))


def _rebuild(field: str, value: Any, expected: str, file: str | None, more: int) -> InputError:
    return InputError(field=field, value=value, expected=expected, file=file, more=more)


class _Short(reprlib.Repr):
    """Short texts of values however large or deep, which ``repr`` cannot always give."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 2 * _SHOWN

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 1000 else f"an integer of {x.bit_length()} bits"


_short = _Short()


def shown(value: Any) -> str:
    """A value on one short line."""
    text = one_line(" ".join(_short.repr(value).split()))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def one_line(text: str) -> str:
    """The text with line breaks and all else that does not print written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def listed(names: Iterable[str]) -> str:
    """Names for a message, the first few where there are many."""
    known = list(names)
    more = f", … {len(known)} in all" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more


def one_of(names: Iterable[str], value: Any) -> str:
    """``one of a, b, c`` for a message, and which of them was meant where the value is close to one."""
    known = list(names)
    unknown = isinstance(value, str) and value not in known
    by_letters = {name.lower(): name for name in known}
    said = value[:_SHOWN].lower() if unknown else ""
    begun = [name for name in by_letters if said and name.startswith(said)][:1]
    near = begun or difflib.get_close_matches(said, by_letters, 1)
    return f"one of {', '.join(known)}" + "".join(f"; did you mean {by_letters[name]}?" for name in near)


def field_path(parts: Sequence[str | int]) -> str:
    """``("sites", "a", "pue", 3)`` as ``sites.a.pue[3]``."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = part if len(part) <= _SHOWN else part[: _SHOWN - 1] + "…"
            path += f".{name}" if path else name
    return path or "(whole file)"


class ExtraMissing(InputError, ModuleNotFoundError):
    """An optional part of the installation is needed and not there."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """What is imported within needs that extra.

    Raises:
        ExtraMissing: it is not installed; the line says how it is.
    """
    try:
        yield
    except ExtraMissing:
        raise
    except ModuleNotFoundError as missing:
        expected = f"the extra: pip install 'stepwatt[{name}]'"
        raise ExtraMissing(field="installation", value=str(missing), expected=expected) from None
