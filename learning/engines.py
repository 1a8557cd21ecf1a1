"""Two array engines for one environment: torch for batches, numpy for a single instance.

A torch operation on a handful of numbers costs several microseconds, a numpy one less than one; so formulas
of the plant, the codecs and the observation are written once, over this small vocabulary, and run on either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

#: A numpy array or a torch tensor, as the engine has it.
Array = Any


@dataclass(frozen=True)
class Engine:
    """What the environment asks of an array library. Reductions are over the last axis.

    ``batch_inside(x, axis)`` keeps the shape but lays the batch axis innermost in memory: loops then run over
    the batch instead of over a few sites, which makes elementwise work on a batch several times faster.
    """

    name: str
    minimum: Callable[[Array, Array], Array]
    maximum: Callable[[Array, Array], Array]
    positive: Callable[[Array], Array]
    where: Callable[[Array, Array, Array], Array]
    floor: Callable[[Array], Array]
    ceil: Callable[[Array], Array]
    concat: Callable[[Sequence[Array]], Array]
    rank: Callable[[Array], Array]
    look_up: Callable[[Array, Array], Array]
    sum: Callable[..., Array]
    highest: Callable[[Array], Array]
    whole: Callable[[Array], Array]
    real: Callable[[Array, Array], Array]
    asarray: Callable[[np.ndarray[Any, Any]], Array]
    batch_inside: Callable[[Array, int], Array]


def torch_engine(dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Engine:
    """Tensors of one precision on one device."""

    def look_up(table: Array, index: Array) -> Array:
        if len(table) > 1:
            return torch.gather(table, -1, index[..., None])[..., 0]
        rows = torch.arange(table[0, ..., 0].numel(), device=device).view(table.shape[1:-1])
        return torch.take(table, index + rows * table.shape[-1])

    def asarray(values: np.ndarray[Any, Any]) -> Array:
        kind = dtype if values.dtype.kind == "f" else None
        return torch.as_tensor(values).to(device=device, dtype=kind)

    return Engine(
        name="torch",
        minimum=torch.minimum,
        maximum=torch.maximum,
        positive=torch.relu,
        where=torch.where,
        floor=torch.floor,
        ceil=torch.ceil,
        concat=lambda parts: torch.cat([part.movedim(-1, 0) for part in parts]).movedim(0, -1),
        rank=lambda x: torch.argsort(torch.argsort(x, dim=-1, descending=True, stable=True), dim=-1),
        look_up=look_up,
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

    def look_up(table: Array, index: Array) -> Array:
        if len(table) > 1:
            return np.take_along_axis(table, index[..., None], axis=-1)[..., 0]
        rows = np.arange(table[0, ..., 0].size).reshape(table.shape[1:-1])
        return table.reshape(-1)[index + rows * table.shape[-1]]

    return Engine(
        name="numpy",
        minimum=np.minimum,
        maximum=np.maximum,
        positive=lambda x: np.maximum(x, 0.0),
        where=np.where,
        floor=np.floor,
        ceil=np.ceil,
        concat=lambda parts: np.concatenate(parts, axis=-1),
        rank=lambda x: np.argsort(np.argsort(-x, axis=-1, kind="stable"), axis=-1),
        look_up=look_up,
        sum=lambda x, axis=-1: np.add.reduce(x, axis),
        highest=lambda x: np.maximum.reduce(x, -1),
        whole=lambda x: x.astype(np.int64),
        real=lambda x, like: x.astype(np.float64),
        asarray=asarray,
        batch_inside=lambda x, axis: x,
    )


def _inner(axis: int | tuple[int, ...]) -> int | tuple[int, ...]:
    """Negative axes once the batch has moved behind them."""
    return axis - 1 if isinstance(axis, int) else tuple(a - 1 for a in axis)
