"""What reading did that a reader should know: kept in ``attrs``, and told in a line."""

from __future__ import annotations

import warnings

from stepwatt.formulation.errors import one_line


class ReadingNote(UserWarning):
    """A table was read by a rule that changed or left out something, and which."""


def tell(file: str, note: str) -> None:
    """One line on the warning channel, in the name of the file."""
    warnings.warn_explicit(one_line(f"{file}: {note}"), ReadingNote, filename=file, lineno=0)
