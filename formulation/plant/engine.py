"""The array engine of an environment: numpy here, torch for what is trained (:mod:`.torch_engine`).

Formulas of the plant, the codecs and the observation are written once, over this small vocabulary, and run on
either: an operation on a handful of numbers costs torch several microseconds, and numpy less than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

#: A numpy array or a torch tensor, as the engine has it.
Array = Any


@dataclass(frozen=True)
class Elementwise:
    """What formulas ask of numbers that may as well be arrays of them."""

    minimum: Callable[[Any, Any], Any]
    maximum: Callable[[Any, Any], Any]
    positive: Callable[[Any], Any]
    where: Callable[[Any, Any, Any], Any]
    real: Callable[[Any, Any], Any]


#: Plain numbers.
PLAIN = Elementwise(
    minimum=lambda x, y: x if x < y else y,
    maximum=lambda x, y: x if x > y else y,
    positive=lambda x: x if x > 0.0 else 0.0,
    where=lambda condition, x, y: x if condition else y,
    real=lambda x, like: float(x),
)


@dataclass(frozen=True)
class Tables:
    """Tables of one shape (N or 1,...,C) that are looked up together."""

    parts: Sequence[Array]

    @property
    def shared(self) -> bool:
        """Whether all instances have the same."""
        return max(map(len, self.parts)) == 1

    @cached_property
    def packed(self) -> np.ndarray[Any, Any]:
        """(M,·) of numpy tables that are shared: one look-up finds the entries of all."""
        return np.stack(list(self.parts)).reshape(len(self.parts), -1)


@dataclass(frozen=True)
class Engine(Elementwise):
    """What the environment asks of an array library. Reductions are over the last axis.

    ``sum(x, axis)`` also takes another axis, counted from the end, or a tuple of all axes but the first.
    ``site_by_site``: formulas of a single site run on plain numbers where there are few, one after the other.
    ``look_up(tables, index)`` gives the entries of the tables, (B,...) each, at index (B,...);
    ``interpolate(tables, index, share)`` adds to those of the first half the share of those of the second.
    ``batch_inside(x, axis)`` keeps the shape but lays the batch axis innermost in memory: loops then run over
    the batch instead of over a few sites, which makes elementwise work on a batch several times faster. On
    numpy, without a batch to speak of, the last axis stays innermost.
    """

    name: str
    site_by_site: bool
    floor: Callable[[Array], Array]
    ceil: Callable[[Array], Array]
    concat: Callable[[Sequence[Array]], Array]
    rank: Callable[[Array], Array]
    look_up: Callable[[Tables, Array], Sequence[Array]]
    interpolate: Callable[[Tables, Array, Array], Sequence[Array]]
    sum: Callable[..., Array]
    highest: Callable[[Array], Array]
    whole: Callable[[Array], Array]
    asarray: Callable[[np.ndarray[Any, Any]], Array]
    batch_inside: Callable[[Array, int], Array]


def numpy_engine() -> Engine:
    """Arrays of double precision."""
    return Engine(
        name="numpy",
        site_by_site=True,
        minimum=np.minimum,
        maximum=np.maximum,
        positive=_positive,
        where=np.where,
        floor=np.floor,
        ceil=np.ceil,
        concat=_concat,
        rank=_rank,
        look_up=_look_up,
        interpolate=_interpolate,
        sum=_total,
        highest=_highest,
        whole=_whole,
        real=_real,
        asarray=_asarray,
        batch_inside=_batch_inside,
    )


# functions of the module, so that an engine, and what holds one, can be pickled

_NOTHING = np.zeros(())


def _positive(x: Array) -> Array:
    return np.maximum(x, _NOTHING)


def _concat(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts, axis=-1)


def _rank(x: Array) -> Array:
    return np.argsort(np.argsort(-x, axis=-1, kind="stable"), axis=-1)


def _look_up(tables: Tables, index: Array) -> Array:
    if tables.shared:
        return tables.packed.take(index + _first_entries(tables.parts[0].shape), 1)
    wide = [np.broadcast_to(table, (len(index), *table.shape[1:])) for table in tables.parts]
    return np.stack([np.take_along_axis(table, index[..., None], axis=-1)[..., 0] for table in wide])


def _interpolate(tables: Tables, index: Array, share: Array) -> Array:
    found, half = _look_up(tables, index), len(tables.parts) // 2
    return found[:half] + found[half:] * share


def _total(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    if axis == -1:
        return x.dot(_ones(x.shape[-1]))
    if isinstance(axis, int):
        return np.add.reduce(x, axis)
    flat = x.reshape(len(x), -1)
    return flat.dot(_ones(flat.shape[-1]))


def _highest(x: Array) -> Array:
    return np.maximum.reduce(x, -1)


def _whole(x: Array) -> Array:
    return x.astype(np.int64)


def _real(x: Array, like: Array) -> Array:
    return x.astype(np.float64)


def _asarray(values: np.ndarray[Any, Any]) -> Array:
    return np.asarray(values, dtype=np.float64) if values.dtype.kind == "f" else values


def _batch_inside(x: Array, axis: int) -> Array:
    return np.ascontiguousarray(x)


@lru_cache
def _first_entries(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Where each row of a table (1,...,width) begins once it lies flat."""
    return np.arange(math.prod(shape[1:-1])).reshape(shape[1:-1]) * shape[-1]


@lru_cache
def _ones(count: int) -> np.ndarray[Any, Any]:
    """A sum over a few numbers is a product with ones several times sooner than a reduction."""
    return np.ones(count)
