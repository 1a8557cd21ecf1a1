"""Between an engine's arrays and numpy's: without a copy on the processor, with one from and to elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .engine import Array, Engine

_Record = TypeVar("_Record", bound=Any)


def array(values: Array) -> NDArray[Any]:
    """An engine's array as a numpy array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def arrays_of(record: _Record) -> _Record:
    """The dataclass with numpy arrays for the engine's."""
    return _changed(record, lambda values: array(values))


def on_engine(record: _Record, engine: Engine) -> _Record:
    """The dataclass with the engine's arrays for numpy's."""
    return _changed(record, engine.asarray)


def _changed(record: _Record, change: Callable[[Any], Any]) -> _Record:
    named = {f.name: getattr(record, f.name) for f in fields(record)}
    arrays = {name: change(values) for name, values in named.items() if hasattr(values, "dtype")}
    changed: _Record = replace(record, **arrays)
    return changed
