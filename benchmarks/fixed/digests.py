"""Results made small: what is long becomes its count, two sums and a digest of all its bits."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

#: Lists of at most so many numbers are kept as they are.
SHORT = 8
#: Fields that tell of time and place, not of what is computed.
PASSING = frozenset(
    {"cpu_seconds", "cpu_seconds_collect", "cpu_seconds_learn", "decision_ms", "file", "files", "folder"}
    | {"identity", "seconds", "seconds_per_slot", "total_ms", "versions"}
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def digest(content: bytes) -> str:
    """Sixteen hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def summary(values: Any) -> dict[str, Any]:
    """Numbers of any shape, in order.

    ``size`` is the sum of their absolute values; ``sum`` has weights by place, so that two that change places
    are noticed. Sums are exactly rounded; numbers that are not finite only count in ``bits``.
    """
    flat = np.asarray(values, dtype=float).ravel() + 0.0  # no negative zeros
    finite = np.where(np.isfinite(flat), flat, 0.0)
    place = np.arange(len(flat), dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    return {
        "n": len(flat),
        "size": math.fsum(np.abs(finite)),
        "sum": math.fsum(finite * (0.5 + place / 2**32)),
        "bits": digest(flat.tobytes()),
    }


def text(words: str) -> dict[str, Any]:
    """A text: the numbers in it, and a digest of the rest."""
    numbers = [float(number) for number in _NUMBER.findall(words)]
    return {**summary(numbers), "words": digest(_NUMBER.sub("#", words).encode())}


def plain(value: Any) -> Any:
    """The same as what JSON knows, without what is passing; arrays, tensors and tables become lists."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items() if name not in PASSING}
    if isinstance(value, pd.DataFrame):
        return plain(value.reset_index().to_dict(orient="list"))
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    array = np.asarray(value)
    return str(value) if array.dtype == object else plain(array.tolist())


def whole(value: Any) -> dict[str, Any]:
    """Anything nested as one text."""
    return text(json.dumps(plain(value), sort_keys=True))


def short(value: Any) -> Any:
    """Anything nested, with long texts and lists made small and the rest as it is."""
    value = plain(value)
    if isinstance(value, dict):
        return {name: short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if len(value) <= SHORT and not any(isinstance(inner, list | dict) for inner in value):
            return [short(inner) for inner in value]
        return whole(value)
    if isinstance(value, str) and len(value) > 80:
        return text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
