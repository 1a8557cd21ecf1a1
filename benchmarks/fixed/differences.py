"""How far two sets of results are apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Numbers are held against their size, but noise around zero not against noise.
FLOOR = 1e-6
#: What only a digest of bits tells, no sum.
LAST_BITS = 2.0**-60
ERROR = "error: "
MISSING = "(missing)"


@dataclass(frozen=True)
class Difference:
    """Where two sets of results differ; ``amount`` is relative, infinite for what is no number."""

    place: str
    kept: Any
    found: Any
    amount: float


def differences(kept: Any, found: Any, place: str = "") -> Iterator[Difference]:
    """Everything in which results differ; an error differs from all, also from itself."""
    if isinstance(found, str) and found.startswith(ERROR):
        yield Difference(place, kept, found, float("inf"))
    elif isinstance(kept, Mapping) and isinstance(found, Mapping):
        if "bits" in kept and "bits" in found:
            yield from _of_summaries(kept, found, place)
            return
        for name in dict.fromkeys([*kept, *found]):
            inside = f"{place}: {name}" if place else name
            yield from differences(kept.get(name, MISSING), found.get(name, MISSING), inside)
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for number, (one, other) in enumerate(zip(kept, found, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif kept != found:
        yield Difference(place, kept, found, _apart(kept, found))


def _apart(kept: Any, found: Any) -> float:
    if _is_number(kept) and _is_number(found):
        return float(abs(kept - found) / max(abs(kept), abs(found), FLOOR))
    return float("inf")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_summaries(kept: Mapping[str, Any], found: Mapping[str, Any], place: str) -> Iterator[Difference]:
    if kept == found:
        return
    if any(kept.get(name) != found.get(name) for name in ("n", "words")):
        yield Difference(place, dict(kept), dict(found), float("inf"))
        return
    scale = max(kept["size"], found["size"], FLOOR)
    amount = max(abs(kept[name] - found[name]) for name in ("size", "sum")) / scale
    yield Difference(place, dict(kept), dict(found), max(amount, LAST_BITS))
