"""Kinds of values in compiled functions, and how arguments lie in memory.

A kind is int, bool, float, "lanes", "numbers" or "integers" (flat arrays), or a class of named tuples.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from ctypes import addressof, c_char
from functools import cache
from typing import Any, get_args, get_type_hints

import numpy as np

from .room import Fixed, Room

#: Kinds that variables can have, each wide enough for those before it.
ORDER = (bool, int, float, "lanes")
ARRAYS = ("numbers", "integers")
_WHOLE = np.dtype(np.int64)


def kind_of(hint: Any) -> Any:
    """The kind that a type annotation stands for; a tuple of kinds for several values."""
    if getattr(hint, "__origin__", None) is tuple:
        return tuple(kind_of(part) for part in get_args(hint))
    metadata = getattr(hint, "__metadata__", None)
    return metadata[0] if metadata else hint


@cache
def fields_of(kind: type) -> dict[str, Any]:
    """Kinds of a named tuple's fields."""
    return {name: kind_of(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}


@cache
def signature_of(function: Callable[..., Any]) -> tuple[dict[str, Any], Any]:
    """Kinds of a function's parameters, and of what it returns."""
    hints = get_type_hints(function, include_extras=True)
    names = inspect.signature(function).parameters
    return {name: kind_of(hints[name]) for name in names}, kind_of(hints["return"])


@cache
def words(kind: Any) -> str:
    """The words of eight bytes that a value takes among arguments, as :mod:`struct` calls them: an array its
    address and its length."""
    if kind in ORDER:
        return "d" if kind is float else "q"
    return "qq" if kind in ARRAYS else "".join(words(field) for field in fields_of(kind).values())


@cache
def scalars(kind: Any) -> struct.Struct | None:
    """How a scalar, or a named tuple of nothing else, lies among arguments; None for other kinds."""
    fields = [kind] if kind in (*ORDER, *ARRAYS) else [*fields_of(kind).values()]
    if not all(field in ORDER for field in fields):
        return None
    return struct.Struct(words(kind))


@cache
def arrays_of(kind: Any) -> tuple[bool, ...] | None:
    """Of an array, or of a named tuple of nothing else, whether each is of whole numbers; None for other
    kinds."""
    fields = [kind] if kind in (*ORDER, *ARRAYS) else [*fields_of(kind).values()]
    if not all(field in ARRAYS for field in fields):
        return None
    return tuple(field == "integers" for field in fields)


def pack(value: Any, kind: Any, real: np.dtype[Any], packed: list[bytes]) -> None:
    """Append what a value is among arguments, an array its address and its length.

    A :class:`.Room` stands for a named tuple of arrays, and so does a :class:`.Fixed`.

    Raises:
        TypeError: an array of another type, or one that is not contiguous.
    """
    if isinstance(value, Room):
        if (value.kind, value.real) != (kind, real):
            raise TypeError(f"room of {value.kind} of {value.real}, expected {kind} of {real}")
        packed.append(value.packed())
    elif isinstance(value, Fixed):
        kept = value.packed.get((kind, real))
        if kept is None:
            parts: list[bytes] = []
            pack(value.value, kind, real, parts)
            kept = value.packed[kind, real] = b"".join(parts)
        packed.append(kept)
    elif (arrays := arrays_of(kind)) is not None:
        places: list[int] = []
        for part, whole in zip((value,) if kind in ARRAYS else value, arrays, strict=True):
            flags, type_ = part.flags, _WHOLE if whole else real
            if not flags.c_contiguous or (part.dtype is not type_ and part.dtype != type_):
                raise TypeError(
                    f"an array of {part.dtype} {part.strides}, expected contiguous {real} or int64"
                )
            if part.size and flags.writeable:
                places += (addressof(c_char.from_buffer(part)), part.size)
            else:
                # the same, slower
                places += (part.__array_interface__["data"][0] if part.size else 0, part.size)
        packed.append(struct.pack(words(kind), *places))
    elif (form := scalars(kind)) is not None:
        packed.append(form.pack(*value) if isinstance(value, tuple) else form.pack(value))
    else:
        for part, field in zip(value, fields_of(kind).values(), strict=True):
            pack(part, field, real, packed)
