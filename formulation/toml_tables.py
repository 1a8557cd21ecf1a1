"""Tables from a TOML file, and the words ``key=value`` that win over them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .errors import InputError


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        InputError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as why:  # ValueError: TOML, UTF-8, a path that cannot be
        raise InputError(
            field="(file)", value=str(why), expected="a readable TOML file", file=str(path)
        ) from None


def override(values: dict[str, Any], word: str) -> None:
    """Put the value of a word ``key=value`` into the tables.

    Raises:
        InputError: no such word, or what should be a table is none.
    """
    key, equals, text = word.partition("=")
    if not equals or not key.strip():
        raise InputError(field="(override)", value=word, expected="key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    *outer, last = key.strip().split(".")
    for table in outer:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise InputError(field=key, value=value, expected=f"{table} to be a table")
        values = inner
    values[last] = value
