"""A table as people have it, a file or a DataFrame: its columns by name, and the place of every row."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import listed, one_of

from .opening import DELIMITERS, cells, file_bytes, file_text, find_delimiter

Source = str | Path | pd.DataFrame | pd.Series

#: What exports write where there is no value.
BLANKS = frozenset({"", "-", "--", "n/e", "n/a", "na", "nan", "null", "none", "<na>", "nat"})
_FRAME = "(frame)"
_LINES = 60


class Table:
    """Columns of text or numbers. Nothing but the head is parsed before it is asked for.

    Attributes:
        name: of the file, for messages.
        columns: names as the header has them, without blanks around.
        lines: the first lines of the file, none of a frame.
        encoding, delimiter, header: of the file; ``header`` is the number of the line with the names.
        decimal: the sign before decimals, where the caller said it.
    """

    def __init__(
        self, name: str, columns: Sequence[str], *, frame: pd.DataFrame | None = None, text: bytes = b""
    ) -> None:
        self.name, self.columns = name, tuple(columns)
        self.lines: list[str] = []
        self.encoding, self.delimiter, self.header = "", ",", 0
        self.decimal: str | None = None
        self.notes: list[str] = []
        self._frame, self._text = frame, text
        self._kept: dict[str, pd.Series] = {}
        self._rows: NDArray[np.intp] | None = None

    @property
    def is_frame(self) -> bool:
        """Whether it was given as a DataFrame or Series."""
        return self._frame is not None

    def at_line(self, header: int) -> Table:
        """The same file, read from another line on, which has the names of columns."""
        below = _from_text(self.name, self._whole, self.encoding, header, None)
        below.decimal = self.decimal
        return below

    def has(self, *columns: str) -> bool:
        """Whether it has all of these columns, each once."""
        return all(self.columns.count(column) == 1 for column in columns)

    def sample(self, column: str) -> list[str]:
        """The first cells of a column, as text."""
        if self._frame is not None:
            return [str(value) for value in self._frame.iloc[:_LINES, self.columns.index(column)]]
        at = self.columns.index(column)
        rows = (cells(line, self.delimiter) for line in self.lines[self.header :])
        return [row[at] for row in rows if len(row) > at]

    def place(self, column: str, row: int) -> str:
        """Where the cell of a row stands, for messages: its line in the file, its position in a frame."""
        at = int(self.rows[row])
        return f"{column}, row {at}" if self.is_frame else f"{column}, line {at + self.header + 1}"

    def refused(self, column: str, row: int, value: Any, expected: str, more: int = 0) -> InputError:
        """The error about a cell."""
        return InputError(
            file=self.name, field=self.place(column, row), value=value, expected=expected, more=more
        )

    def wrong(self, field: str, value: Any, expected: str) -> InputError:
        """The error about the table as a whole."""
        return InputError(file=self.name, field=field, value=value, expected=expected)

    def check(self, field: str, *columns: str) -> None:
        """Refuse names that no column has, or that several have."""
        for column in columns:
            if self.columns.count(column) > 1:
                raise self.wrong(
                    field, column, f"a column of one name; {self.columns.count(column)} are called so"
                )
            if column not in self.columns:
                raise self.wrong(field, column, one_of(self.columns, column))

    @property
    def rows(self) -> NDArray[np.intp]:
        """Positions of the rows that count, from the first below the header."""
        if self._rows is None:
            raise RuntimeError("no column was loaded yet")
        return self._rows

    def load(
        self, texts: Iterable[str], numbers: Iterable[str] = (), where: Mapping[str, Any] | None = None
    ) -> None:
        """Parse these columns, in one pass; empty rows, and those that ``where`` does not name, are left out.

        Columns of ``numbers`` come as floats where the file spells them plainly, else as text.

        Raises:
            InputError: a column is missing, a row has more or fewer fields than the header.
        """
        chosen = list(dict.fromkeys([*texts, *(where or {})]))
        floats = [column for column in dict.fromkeys(numbers) if column not in chosen]
        self.check("columns", *chosen, *floats)
        if self._frame is not None:
            found = {c: self._frame.iloc[:, self.columns.index(c)] for c in (*chosen, *floats)}
        else:
            found = self._parsed(chosen, floats)
        # a Series of the frame's own index would be aligned by it
        found = {column: values.reset_index(drop=True) for column, values in found.items()}
        counted = _filled(found)
        for column, wanted in (where or {}).items():
            several = isinstance(wanted, list | tuple | set | frozenset)
            values = [str(value) for value in (wanted if several else [wanted])]
            same = found[column].astype(str).str.strip().isin(values).to_numpy()
            if not (same & counted).any():
                known = listed(sorted(set(found[column].astype(str).str.strip())))
                raise self.wrong(f"where {column}", wanted, f"a value that rows have: {known}")
            counted &= same
        self._rows = np.flatnonzero(counted)
        if not self._rows.size:
            raise self.wrong("rows", 0, "at least one below the header")
        self._kept = {column: values.iloc[self._rows] for column, values in found.items()}

    def column(self, name: str) -> pd.Series:
        """A column that was loaded, of the rows that count."""
        return self._kept[name]

    def _parsed(self, texts: list[str], floats: list[str]) -> dict[str, pd.Series]:
        self._check_fields()
        at = {self.columns.index(column): column for column in (*texts, *floats)}
        kinds: dict[int, Any] = {self.columns.index(column): str for column in texts}
        kinds |= {self.columns.index(column): float for column in floats}
        # a point may part thousands where fields are parted by other signs than commas
        plainly = self.delimiter in ",|" and self.decimal != ","
        for attempt in (kinds, dict.fromkeys(kinds, str)) if plainly else (dict.fromkeys(kinds, str),):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    frame = pd.read_csv(
                        io.BytesIO(self._text),
                        sep=self.delimiter,
                        header=0,
                        names=list(range(len(self.columns))),
                        index_col=False,
                        usecols=sorted(at),
                        dtype=attempt,
                        keep_default_na=False,
                        skip_blank_lines=False,
                    )
                # pandas takes "True" for 1: as text it is told what it is
                counted = [place for place, kind in attempt.items() if kind is float]
                if any(frame[place].isin((0.0, 1.0)).all() for place in counted):
                    continue
                break
            except (ValueError, Warning, OverflowError) as error:
                # text among the numbers: then all of it is read as text
                if attempt is kinds and floats and not isinstance(error, pd.errors.ParserError):
                    continue
                raise self.wrong("file", str(error), "a table of text") from error
        return {column: frame[number] for number, column in at.items()}

    def _check_fields(self) -> None:
        """Every row has as many fields as the header: one more is a decimal comma, or another delimiter."""
        raw = np.frombuffer(self._text, dtype=np.uint8)
        line_ends, delimiters = raw == ord("\n"), raw == ord(self.delimiter)
        if b'"' in self._text:
            outside = np.cumsum(raw == ord('"'), dtype=np.uint8) & 1 == 0
            line_ends, delimiters = line_ends & outside, delimiters & outside
        ends, signs = np.flatnonzero(line_ends), np.flatnonzero(delimiters)
        bounds = np.append(ends, raw.size) if not ends.size or ends[-1] != raw.size - 1 else ends
        counts = np.diff(np.searchsorted(signs, bounds), prepend=0) + 1
        lengths = np.diff(bounds, prepend=-1) - 1
        # a line of nothing is no row
        bad = np.flatnonzero((counts != len(self.columns)) & (lengths > 1))
        if bad.size:
            row = int(bad[0])
            begin = int(bounds[row - 1]) + 1 if row else 0
            shown = self._text[begin : int(bounds[row])].decode("utf-8").strip()
            expected = f"{len(self.columns)} fields as in the header, found {int(counts[row])}"
            raise InputError(
                file=self.name,
                field=f"line {row + self.header}",
                value=shown,
                expected=expected,
                more=int(bad.size) - 1,
            )

    _whole: str = ""


def _filled(found: Mapping[str, pd.Series]) -> NDArray[np.bool_]:
    """Rows that hold anything."""
    filled: NDArray[np.bool_] = np.zeros(len(next(iter(found.values()))), dtype=bool)
    # numbers first: where all rows have one, no text need be looked at
    for values in sorted(found.values(), key=lambda values: values.dtype.kind not in "iuf"):
        if filled.all():
            break
        here = values.notna().to_numpy()
        if values.dtype == "str" or values.dtype == object:
            here = here & (values.to_numpy(dtype=object) != "")
        filled |= here
    return filled


def distinct(values: pd.Series) -> tuple[NDArray[np.intp], pd.Index]:
    """Place of each row's value among the distinct ones, in the order in which they come, and these.

    As ``pandas.factorize``, but sooner where values stand in runs, or come again and again in one order, as
    names of zones and stamps do.
    """
    cells = values.to_numpy(dtype=object)
    changes = np.flatnonzero(np.append(True, cells[1:] != cells[:-1]))
    if 2 * len(changes) < len(cells):
        codes, found = pd.factorize(cells[changes], use_na_sentinel=False)
        return np.repeat(codes, np.diff(np.append(changes, len(cells)))), pd.Index(found)
    again = np.flatnonzero(cells == cells[0])
    size = int(again[1]) if len(again) > 1 else len(cells)
    if 1 < size < len(cells) and len(cells) % size == 0 and (cells[size:] == cells[:-size]).all():
        codes, found = pd.factorize(cells[:size], use_na_sentinel=False)
        return np.tile(codes, len(cells) // size), pd.Index(found)
    codes, found = pd.factorize(cells, use_na_sentinel=False)
    return codes, pd.Index(found)


def open_table(
    source: Source,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: int | None = None,
    decimal: str | None = None,
) -> Table:
    """A file, or a frame or series of pandas, as a table.

    Raises:
        InputError: no such file, or none that holds text in rows and columns.
    """
    if isinstance(source, pd.DataFrame | pd.Series):
        return _from_frame(source)
    if not isinstance(source, str | Path):
        raise InputError(field="source", value=source, expected="a path, a DataFrame or a Series")
    path = Path(source)
    text, found = file_text(file_bytes(path), str(path), encoding)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    table = _from_text(str(path), text, found, header, delimiter)
    table.decimal = decimal
    if not text.endswith("\n"):
        table.notes.append(
            "the last line has no line end; if the file was cut, its last value may be cut, too"
        )
    return table


def _from_text(name: str, text: str, encoding: str, header: int | None, delimiter: str | None) -> Table:
    begin, number = 0, 1
    while True:
        end = text.find("\n", begin)
        line = text[begin : end if end >= 0 else len(text)]
        if number == header or (header is None and line.strip()):
            break
        if end < 0:
            value = "no text" if header is None else f"{number} lines"
            expected = "a header and rows" if header is None else f"a header in line {header}"
            raise InputError(file=name, field="file", value=value, expected=expected)
        begin, number = end + 1, number + 1
    rest = text[begin:]
    below = [line for line in rest[:20_000].split("\n")[:_LINES] if line.strip()]
    sign = delimiter or find_delimiter(below or [""], name)
    table = Table(name, cells(line, sign), text=rest.encode("utf-8"))
    table.encoding, table.delimiter, table.header = encoding, sign, number
    table.lines = text[:40_000].split("\n")[:_LINES]
    table._whole = text
    return table


def _from_frame(source: pd.DataFrame | pd.Series) -> Table:
    frame = source if isinstance(source, pd.DataFrame) else source.to_frame(str(source.name or "value"))
    if not isinstance(frame.index, pd.RangeIndex):
        names = [str(name) if name is not None else "time" for name in frame.index.names]
        taken = [name for name in names if name in map(str, frame.columns)]
        # an index that repeats a column, as of what was sliced by rows, says nothing new
        frame = frame.reset_index(drop=True) if taken else frame.rename_axis(index=names).reset_index()
    table = Table(_FRAME, [str(column).strip() for column in frame.columns], frame=frame)
    table.delimiter = DELIMITERS[0]
    return table
