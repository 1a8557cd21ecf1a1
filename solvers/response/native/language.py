"""What compiled functions are written in: ordinary functions of whole numbers, floats and flat arrays.

They are plain Python, which runs as it stands, slowly; :mod:`.translation` makes machine code of it. In
``Numbers`` several instances lie side by side, as many as fill a register of the widest kind: ``Lanes`` are
one number for each of them, and every operation on them is one instruction for all. Compilers vectorise loops
over a batch poorly where every step does little: each must prove again that arrays do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Bytes of lanes: those of the widest registers, and of a line of the caches; and the fewest, where
#: a single instance would leave most of a register idle.
REGISTER, NARROW = 64, 8

#: A flat array of the precision that a function is compiled for.
Numbers = Annotated[NDArray[Any], "numbers"]
Integers = Annotated[NDArray[np.int64], "integers"]
Lanes = Annotated[NDArray[Any], "lanes"]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A function that compiled ones may call."""
    function.__dict__["compiled"] = True
    return function


def side(array: Numbers) -> int:
    """Instances side by side in an array of this precision."""
    return REGISTER // int(array.itemsize)


def epsilon(array: Numbers) -> float:
    """The spacing of numbers of this precision at 1."""
    return float(np.finfo(array.dtype).eps)


def get(array: Numbers, number: int) -> Lanes:
    """Lanes number ``number`` of a flat array of lanes."""
    return load(array, number * side(array))


def put(array: Numbers, number: int, lanes: Lanes) -> None:
    """Write lanes to their place in a flat array of lanes."""
    save(array, number * side(array), lanes)


def load(array: Numbers, first: int) -> Lanes:
    """The entries of any flat array from ``first`` on as lanes."""
    return array[first : first + side(array)].copy()


def save(array: Numbers, first: int, lanes: Lanes) -> None:
    """Write lanes to the entries of any flat array from ``first`` on."""
    array[first : first + side(array)] = lanes


def add(array: Numbers, number: int, lanes: Lanes) -> None:
    """Add lanes to their place in a flat array."""
    put(array, number, get(array, number) + lanes)


def take(array: Numbers, number: int, lanes: Lanes) -> None:
    """Subtract lanes from their place in a flat array."""
    put(array, number, get(array, number) - lanes)


def spread(array: Numbers, scalar: float) -> Lanes:
    """Lanes of the array's precision that all have the same number."""
    return np.full(side(array), scalar, array.dtype)


def least(a: Lanes, b: Lanes) -> Lanes:
    """The smaller of both, lane by lane; ``b`` where they cannot be compared."""
    return np.where(a < b, a, b)


def most(a: Lanes, b: Lanes) -> Lanes:
    """The larger of both, lane by lane; ``b`` where they cannot be compared."""
    return np.where(a > b, a, b)


def where_more(a: Lanes, b: Lanes, then: Lanes, otherwise: Lanes) -> Lanes:
    """``then`` in lanes where a > b, else ``otherwise``."""
    return np.where(a > b, then, otherwise)


def sound(a: Lanes) -> Lanes:
    """The lanes, 0 where they are not finite."""
    return np.where(np.isfinite(a), a, a.dtype.type(0))


def root(a: Lanes) -> Lanes:
    """Square roots."""
    found: Lanes = np.sqrt(a)
    return found


def finite(a: float) -> bool:
    """Whether a number is neither infinite nor undefined."""
    return bool(np.isfinite(a))
