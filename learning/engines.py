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
    """What the environment asks of an array library. Reductions are over the last axis."""

    name: str
    minimum: Callable[[Array, Array], Array]
    maximum: Callable[[Array, Array], Array]
    positive: Callable[[Array], Array]
    where: Callable[[Array, Array, Array], Array]
    floor: Callable[[Array], Array]
    ceil: Callable[[Array], Array]
    concat: Callable[[Sequence[Array]], Array]
    sorted_descending: Callable[[Array], Array]
    rank: Callable[[Array], Array]
    take_last: Callable[[Array, Array], Array]
    whole: Callable[[Array], Array]
    real: Callable[[Array, Array], Array]
    asarray: Callable[[np.ndarray[Any, Any]], Array]


def torch_engine(dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Engine:
    """Tensors of one precision on one device."""

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
        concat=lambda parts: torch.cat(list(parts), dim=-1),
        sorted_descending=lambda x: torch.sort(x, dim=-1, descending=True).values,
        rank=lambda x: torch.argsort(torch.argsort(x, dim=-1, descending=True, stable=True), dim=-1),
        take_last=lambda table, index: torch.gather(table, -1, index[..., None])[..., 0],
        whole=lambda x: x.long(),
        real=lambda x, like: x.to(like.dtype),
        asarray=asarray,
    )


def numpy_engine() -> Engine:
    """Arrays of double precision."""

    def asarray(values: np.ndarray[Any, Any]) -> Array:
        return np.asarray(values, dtype=np.float64) if values.dtype.kind == "f" else values

    def take_last(table: Array, index: Array) -> Array:
        rows = table.reshape(-1, table.shape[-1])
        return rows[np.arange(len(rows)), index.reshape(-1)].reshape(index.shape)

    return Engine(
        name="numpy",
        minimum=np.minimum,
        maximum=np.maximum,
        positive=lambda x: np.maximum(x, 0.0),
        where=np.where,
        floor=np.floor,
        ceil=np.ceil,
        concat=lambda parts: np.concatenate(parts, axis=-1),
        sorted_descending=lambda x: -np.sort(-x, axis=-1),
        rank=lambda x: np.argsort(np.argsort(-x, axis=-1, kind="stable"), axis=-1),
        take_last=take_last,
        whole=lambda x: x.astype(np.int64),
        real=lambda x, like: x.astype(np.float64),
        asarray=asarray,
    )
