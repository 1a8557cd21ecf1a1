"""A file's bytes as text: archives with one file, Unicode in its usual forms, the delimiter, the header."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from pathlib import Path

from stepwatt.formulation import InputError

DELIMITERS = (",", ";", "\t", "|")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF"),
    (b"ARROW1", "a Feather file"),
    (b"SQLite format 3", "a database"),
)
_PACKED = (
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
)


def file_bytes(path: Path) -> bytes:
    """What a file holds, unpacked where it is gzip or a zip of one file.

    Raises:
        InputError: it cannot be read, or it is a workbook or another thing that is no table of text.
    """

    def refused(value: str, expected: str) -> InputError:
        return InputError(file=str(path), field="file", value=value, expected=expected)

    try:
        raw = path.read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        elif raw.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/")]
                if "[Content_Types].xml" in names:
                    raise refused("an Excel workbook", "a CSV: save the sheet as CSV")
                if len(names) != 1:
                    raise refused(f"an archive of {len(names)} files", "one file: unpack the one you want")
                raw = archive.read(names[0])
    except InputError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as e:
        raise refused(getattr(e, "strerror", None) or f"{type(e).__name__}: {e}", "a readable file") from e
    for sign, what in _FOREIGN:
        if raw.startswith(sign):
            raise refused(what, "a table of text: save it as CSV")
    for sign, what in _PACKED:
        if raw.startswith(sign):
            raise refused(what, "a table of text, gzip or a zip of one: unpack it")
    return raw


def file_text(raw: bytes, name: str, encoding: str | None) -> tuple[str, str]:
    """The text and its encoding, which marks at the beginning or the caller tell; else UTF-8.

    Raises:
        InputError: it is not in that encoding.
    """
    chosen = encoding or next((found for mark, found in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(chosen)
    except LookupError:
        raise InputError(
            field="encoding", value=encoding, expected="a known encoding, such as cp1252 or utf-16"
        ) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            file=name,
            field=f"line {line}",
            value=raw[error.start : error.end],
            expected=f'text in {chosen.upper()}; say encoding="cp1252" (western Europe) or the one it has',
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        expected = 'text without zero bytes; say encoding="utf-16-le" or "utf-16-be" where it is UTF-16'
        raise InputError(file=name, field=f"line {line}", value=text[:20], expected=expected)
    return text.removeprefix("\ufeff"), chosen


def cells(line: str, delimiter: str) -> list[str]:
    """The fields of one line."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [line]


def find_delimiter(lines: list[str], name: str) -> str:
    """The sign that parts the header and the first rows into equally many fields.

    Raises:
        InputError: there are several such signs.
    """
    counts = {sign: [len(cells(line, sign)) for line in lines[:6]] for sign in DELIMITERS}
    fitting = [sign for sign, found in counts.items() if found[0] > 1 and found.count(found[0]) == len(found)]
    if not fitting:
        fitting = [sign for sign, found in counts.items() if found[0] > 1]
    if len(fitting) > 1:
        most = max(counts[sign][0] for sign in fitting)
        fitting = [sign for sign in fitting if counts[sign][0] == most]
    if len(fitting) > 1:
        expected = "one sign between fields; say delimiter="
        raise InputError(file=name, field="line 1", value=lines[0], expected=expected)
    return fitting[0] if fitting else ","
