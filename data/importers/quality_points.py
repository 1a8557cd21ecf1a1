"""Measured points of a quality curve, from a CSV file."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from stepwatt.formulation import InputError


def read_points(path: str | Path) -> tuple[list[float], list[float]]:
    """Columns ``steps`` and ``quality`` of a CSV file with a header.

    Raises:
        InputError: the file is unreadable, lacks a column, or holds something that is no number.
    """
    name = str(path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:  # ValueError: no UTF-8, or a path that cannot be
        reason = getattr(error, "strerror", None) or "not a CSV file in UTF-8"
        raise InputError(file=name, field="file", value=reason, expected="a readable CSV file") from error
    if not rows:
        raise InputError(
            file=name, field="file", value="no points", expected="a header and at least two rows"
        )
    columns: dict[str, list[float]] = {}
    for column in ("steps", "quality"):
        names = list(reader.fieldnames or ())
        if names.count(column) != 1:
            found = f"columns {', '.join(names)}"
            raise InputError(file=name, field=column, value=found, expected="one column of this name")
        columns[column] = [_number(row[column], f"{column}[{line}]", name) for line, row in enumerate(rows)]
    return columns["steps"], columns["quality"]


def _number(text: Any, field: str, file: str) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(file=file, field=field, value=text, expected="a finite number")
    return value
