"""Two array engines for one environment: torch for batches, numpy for a single instance.

A torch operation on a handful of numbers costs several microseconds, a numpy one less than one; so formulas
of the plant, the codecs and the observation are written once, over this small vocabulary, and run on either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

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
    ``site_by_site``: formulas of a single site run on plain numbers, one site after the other.
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


def torch_engine(dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Engine:
    """Tensors of one precision on one device."""

    def look_up(tables: Tables, index: Array) -> list[Array]:
        one, *_ = tables.parts
        if tables.shared:
            flat = index + _first_entries(one.shape[1:-1], one.shape[-1], device)
            return [torch.take(table, flat) for table in tables.parts]
        wide = [table.expand(len(index), *table.shape[1:]) for table in tables.parts]
        return [torch.gather(table, -1, index[..., None])[..., 0] for table in wide]

    def interpolate(tables: Tables, index: Array, share: Array) -> list[Array]:
        found, half = look_up(tables, index), len(tables.parts) // 2
        return [torch.addcmul(a, b, share) for a, b in zip(found[:half], found[half:], strict=True)]

    def asarray(values: np.ndarray[Any, Any]) -> Array:
        kind = dtype if values.dtype.kind == "f" else None
        return torch.as_tensor(values).to(device=device, dtype=kind)

    return Engine(
        name="torch",
        site_by_site=False,
        minimum=torch.minimum,
        maximum=torch.maximum,
        positive=torch.relu,
        where=torch.where,
        floor=torch.floor,
        ceil=torch.ceil,
        concat=lambda parts: torch.cat([part.movedim(-1, 0) for part in parts]).movedim(0, -1),
        rank=lambda x: torch.argsort(torch.argsort(x, dim=-1, descending=True, stable=True), dim=-1),
        look_up=look_up,
        interpolate=interpolate,
        sum=lambda x, axis=-1: x.movedim(0, -1).sum(_inner(axis)).movedim(-1, 0),
        highest=lambda x: x.amax(-1),
        whole=lambda x: x.long(),
        real=lambda x, like: x.to(like.dtype),
        asarray=asarray,
        batch_inside=lambda x, axis: x.movedim(axis, -1).contiguous().movedim(-1, axis),
    )


def numpy_engine() -> Engine:
    """Arrays of double precision."""

    def asarray(values: np.ndarray[Any, Any]) -> Array:
        return np.asarray(values, dtype=np.float64) if values.dtype.kind == "f" else values

    def look_up(tables: Tables, index: Array) -> Array:
        if tables.shared:
            return tables.packed.take(index + _numpy_first_entries(tables.parts[0].shape), 1)
        wide = [np.broadcast_to(table, (len(index), *table.shape[1:])) for table in tables.parts]
        return np.stack([np.take_along_axis(table, index[..., None], axis=-1)[..., 0] for table in wide])

    def interpolate(tables: Tables, index: Array, share: Array) -> Array:
        found, half = look_up(tables, index), len(tables.parts) // 2
        return found[:half] + found[half:] * share

    nothing = np.zeros(())

    def total(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
        if axis == -1:
            return x.dot(_ones(x.shape[-1]))
        if isinstance(axis, int):
            return np.add.reduce(x, axis)
        flat = x.reshape(len(x), -1)
        return flat.dot(_ones(flat.shape[-1]))

    return Engine(
        name="numpy",
        site_by_site=True,
        minimum=np.minimum,
        maximum=np.maximum,
        positive=lambda x: np.maximum(x, nothing),
        where=np.where,
        floor=np.floor,
        ceil=np.ceil,
        concat=lambda parts: np.concatenate(parts, axis=-1),
        rank=lambda x: np.argsort(np.argsort(-x, axis=-1, kind="stable"), axis=-1),
        look_up=look_up,
        interpolate=interpolate,
        sum=total,
        highest=lambda x: np.maximum.reduce(x, -1),
        whole=lambda x: x.astype(np.int64),
        real=lambda x, like: x.astype(np.float64),
        asarray=asarray,
        batch_inside=lambda x, axis: np.ascontiguousarray(x),
    )


@lru_cache
def _first_entries(shape: tuple[int, ...], width: int, device: torch.device | str) -> torch.Tensor:
    """Where each row of a table (*shape, width) begins once it lies flat."""
    return torch.arange(math.prod(shape), device=device).view(shape) * width


@lru_cache
def _numpy_first_entries(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The same for a table (1,...,width)."""
    return np.arange(math.prod(shape[1:-1])).reshape(shape[1:-1]) * shape[-1]


@lru_cache
def _ones(count: int) -> np.ndarray[Any, Any]:
    """A sum over a few numbers is a product with ones several times sooner than a reduction."""
    return np.ones(count)


def _inner(axis: int | tuple[int, ...]) -> int | tuple[int, ...]:
    """Negative axes once the batch has moved behind them."""
    return axis - 1 if isinstance(axis, int) else tuple(a - 1 for a in axis)
