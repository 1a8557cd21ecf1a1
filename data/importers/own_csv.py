"""A caller's own series from a CSV file."""

from __future__ import annotations

import zlib
from pathlib import Path

import pandas as pd

from stepwatt.formulation import InputError

from ..series import as_series


def read_series(path: str | Path) -> pd.DataFrame:
    """A series from a CSV (gzip allowed) with ``timestamp_utc``, ``region`` and the columns listed above.

    Further columns are ignored. Raises ``InputError`` (one line, naming file and field) for anything else.
    """
    try:
        flat = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"region": str})
    except (OSError, ValueError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise InputError(
            file=str(path), field="(whole file)", value=reason, expected="a readable CSV"
        ) from error
    try:
        return as_series(flat)
    except InputError as error:
        raise error.in_file(str(path)) from error
