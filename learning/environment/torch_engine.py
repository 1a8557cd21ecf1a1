"""The torch engine of an environment: many instances side by side, for agents that are trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch

from stepwatt.formulation.plant.engine import Array, Engine, Tables


def torch_engine(dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Engine:
    """Tensors of one precision on one device."""
    return Engine(
        name="torch",
        site_by_site=False,
        minimum=torch.minimum,
        maximum=torch.maximum,
        positive=torch.relu,
        where=torch.where,
        floor=torch.floor,
        ceil=torch.ceil,
        concat=_concat,
        rank=_rank,
        look_up=partial(_look_up, device),
        interpolate=partial(_interpolate, device),
        sum=_total,
        highest=_highest,
        whole=_whole,
        real=_real,
        asarray=partial(_asarray, dtype, device),
        batch_inside=_batch_inside,
    )


def _concat(parts: Sequence[Array]) -> Array:
    return torch.cat([part.movedim(-1, 0) for part in parts]).movedim(0, -1)


def _rank(x: Array) -> Array:
    return torch.argsort(torch.argsort(x, dim=-1, descending=True, stable=True), dim=-1)


def _look_up(device: torch.device | str, tables: Tables, index: Array) -> list[Array]:
    one, *_ = tables.parts
    if tables.shared:
        flat = index + _first_entries(one.shape[1:-1], one.shape[-1], device)
        return [torch.take(table, flat) for table in tables.parts]
    wide = [table.expand(len(index), *table.shape[1:]) for table in tables.parts]
    return [torch.gather(table, -1, index[..., None])[..., 0] for table in wide]


def _interpolate(device: torch.device | str, tables: Tables, index: Array, share: Array) -> list[Array]:
    found, half = _look_up(device, tables, index), len(tables.parts) // 2
    return [torch.addcmul(a, b, share) for a, b in zip(found[:half], found[half:], strict=True)]


def _total(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    return x.movedim(0, -1).sum(_inner(axis)).movedim(-1, 0)


def _highest(x: Array) -> Array:
    return x.amax(-1)


def _whole(x: Array) -> Array:
    return x.long()


def _real(x: Array, like: Array) -> Array:
    return x.to(like.dtype)


def _asarray(dtype: torch.dtype, device: torch.device | str, values: np.ndarray[Any, Any]) -> Array:
    kind = dtype if values.dtype.kind == "f" else None
    return torch.as_tensor(values).to(device=device, dtype=kind)


def _batch_inside(x: Array, axis: int) -> Array:
    return x.movedim(axis, -1).contiguous().movedim(-1, axis)


@lru_cache
def _first_entries(shape: tuple[int, ...], width: int, device: torch.device | str) -> torch.Tensor:
    """Where each row of a table (*shape, width) begins once it lies flat."""
    return torch.arange(math.prod(shape), device=device).view(shape) * width


def _inner(axis: int | tuple[int, ...]) -> int | tuple[int, ...]:
    """Negative axes once the batch has moved behind them."""
    return axis - 1 if isinstance(axis, int) else tuple(a - 1 for a in axis)
