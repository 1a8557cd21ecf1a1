"""A caller's own series from a CSV file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stepwatt.formulation import InputError

from ..series import as_series


def read_series(path: str | Path) -> pd.DataFrame:
    """A series from a CSV (gzip allowed) with ``timestamp_utc``, ``region`` and the columns of a series.

    Further columns are ignored. Raises ``InputError`` (one line, naming file and field) for anything else.
    """
    try:
        # a path, so that pandas fetches nothing from the net
        flat = pd.read_csv(Path(path), keep_default_na=False, na_values=[""], dtype={"region": str})
    except Exception as error:  # every archive and codec has errors of its own for what is none of theirs
        told = isinstance(error, OSError) and error.strerror
        reason = told or f"{type(error).__name__}: {error}"
        raise InputError(
            file=str(path), field="(whole file)", value=reason, expected="a readable CSV"
        ) from error
    try:
        return as_series(flat)
    except InputError as error:
        raise error.in_file(str(path)) from error
