"""Numbers as tables spell them: decimal points and commas, thousands apart, marks for no value."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .table import BLANKS, Table

_POINT = re.compile(r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?([1-9]\d{0,2}(\.\d{3})+|\d+)?(,\d*)?([eE][+-]?\d+)?")
_EITHER_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_EITHER_POINT = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
_SPACES = str.maketrans({" ": None, "\u00a0": None, "\u202f": None, "'": None, "\u2019": None, "\u2212": "-"})


def numbers(
    table: Table, column: str, *, decimal: str | None = None, missing: tuple[str, ...] = ()
) -> NDArray[np.float64]:
    """The numbers of a column that was loaded; NaN where a cell is empty or says that there is none.

    Args:
        table: which.
        column: its name.
        decimal: the sign before decimals; found in the numbers where not said.
        missing: texts that mean no value, besides the usual ones.

    Raises:
        InputError: a cell is no finite number, or the numbers can be read in two ways.
    """
    cells = table.column(column)
    if cells.dtype.kind in "iuf" and isinstance(cells.dtype, np.dtype):
        values = np.array(cells, dtype=float)
        endless = np.flatnonzero(np.isinf(values))
        if endless.size:
            raise table.refused(column, int(endless[0]), float(values[endless[0]]), "a finite number")
        return values
    codes, spelt = pd.factorize(cells.astype(object), use_na_sentinel=False)
    texts = ["" if value is None or value != value else str(value).strip() for value in spelt]
    blanks = BLANKS | {mark.lower() for mark in missing}
    blank = np.array([text.lower() in blanks for text in texts], dtype=bool)
    given = [text for text, none in zip(texts, blank, strict=True) if not none]
    point = decimal or _decimal(table, column, given)
    pattern, apart = (_POINT, ",") if point == "." else (_COMMA, ".")
    found = np.full(len(texts), np.nan)
    for number, text in enumerate(texts):
        if not blank[number]:
            plain = text.translate(_SPACES)
            if not pattern.fullmatch(plain) or not any(map(str.isdecimal, plain)) or not plain.isascii():
                rows = np.flatnonzero(codes == number)
                expected = f"a number, with '{point}' before decimals" if "," in text else "a number"
                raise table.refused(column, int(rows[0]), text, expected, more=int(rows.size) - 1)
            found[number] = float(plain.replace(apart, "").replace(",", "."))
            if not np.isfinite(found[number]):
                row = int(np.flatnonzero(codes == number)[0])
                raise table.refused(column, row, text, "a finite number")
    return np.asarray(found[codes], dtype=float)


def _decimal(table: Table, column: str, texts: list[str]) -> str:
    """The sign before decimals, which the numbers of a column tell together."""
    comma = [text for text in texts if "," in text]
    if comma:
        if any("." in text for text in comma):
            both = next(text for text in comma if "." in text)
            return "." if both.rindex(".") > both.rindex(",") else ","
        if any(not _EITHER_COMMA.fullmatch(text) for text in comma):
            return ","
        raise table.wrong(column, comma[0], 'numbers that read in one way only; say decimal="," or "."')
    point = [text for text in texts if "." in text]
    # where fields are parted by semicolons, the point may part thousands
    if table.delimiter in ";\t" and point and all(_EITHER_POINT.fullmatch(text) for text in point):
        raise table.wrong(column, point[0], 'numbers that read in one way only; say decimal="," or "."')
    return "."
