"""What callers hand in from Python, checked at the door: numbers and arrays, of whatever kind they come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .errors import InputError


def whole(value: object, field: str, least: int = 0, most: int | None = None) -> int:
    """A whole number as Python's own; ``True`` is none.

    Raises:
        InputError: something else, or a number out of range.
    """
    expected = f"a whole number of at least {least}" + ("" if most is None else f" and at most {most}")
    if not isinstance(value, bool) and isinstance(value, SupportsIndex):
        try:
            number = value.__index__()
        except TypeError:  # an array of several
            raise InputError(field=field, value=value, expected=expected) from None
        if number >= least and (most is None or number <= most):
            return number
    raise InputError(field=field, value=value, expected=expected)


def flag(value: object, field: str) -> bool:
    """True or False, numpy's too; "no" is neither.

    Raises:
        InputError: something else.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(field=field, value=value, expected="True or False")


def number(value: object, field: str, expected: str) -> float:
    """A number as Python's own, maybe infinite; ``True``, text and NaN are none.

    Raises:
        InputError: something else, with what is ``expected``.
    """
    if not isinstance(value, bool | str | bytes) and isinstance(value, SupportsFloat):
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not math.isnan(found):
            return found
    raise InputError(field=field, value=value, expected=expected)


def table(value: object, field: str, expected: str = "a table, {name: value, …}") -> Mapping[str, Any]:
    """A table whose names are texts that can be written.

    Raises:
        InputError: something else, with what is ``expected``, or another name.
    """
    if not isinstance(value, Mapping):
        raise InputError(field=field, value=value, expected=expected)
    for name in value:
        whole = isinstance(name, str) and name == name.encode("utf-8", "ignore").decode("utf-8")
        if not (whole and name.strip()):
            raise InputError(field=field, value=name, expected="a text as the name of each")
    return value


def path_of(value: object, field: str = "file") -> Path:
    """A path that is given as a text or a path.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, str | PathLike):
        raise InputError(field=field, value=value, expected="a path")
    return Path(value)


def reals(given: Any, field: str, expected: str = "an array of numbers") -> NDArray[np.float64]:
    """The numbers given as an array in double precision, whatever their shape; itself if it is one.

    Text, dates and complex numbers are none; of masked ones NaN is left.

    Raises:
        InputError: other than numbers, or those that no double holds, with what is ``expected``.
    """
    if isinstance(given, np.ndarray) and given.dtype == np.float64 and type(given) is np.ndarray:
        return given
    try:
        plain = given.detach() if hasattr(given, "detach") else given  # a tensor that a gradient is asked of
        if isinstance(plain, np.ma.MaskedArray):
            plain = np.ma.filled(plain.astype(np.float64), np.nan)
        found = np.asarray(plain)
        if found.dtype.kind == "O":
            found = np.array([_real(one) for one in found.flat], dtype=np.float64).reshape(found.shape)
        if found.dtype.kind in "fiub":
            return found.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(field=field, value=given, expected=expected)


def finite(given: Any, field: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The numbers given as an array of that shape, as :func:`reals` takes them.

    Raises:
        InputError: other than so many finite numbers, with the place of the first that is none.
    """
    expected = f"{' × '.join(map(str, shape))} finite numbers"
    values = reals(given, field, expected)
    if values.shape != shape:
        raise InputError(field=field, value=f"an array of shape {values.shape}", expected=expected)
    if not np.isfinite(values).all():
        where = tuple(map(int, np.argwhere(~np.isfinite(values))[0]))
        place = ", ".join(map(str, where))
        raise InputError(field=f"{field}[{place}]", value=float(values[where]), expected=expected)
    return values


def _real(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError("a text")
    return float(value)
