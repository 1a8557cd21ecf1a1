"""Numbers at the edges of what the schema accepts, and instances with less extreme ones in their place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from stepwatt.formulation import InputError, Instance

from .finer import PARTS, finer_file
from .mutations import Place, places

File = dict[str, Any]

#: Numbers that say how much there is to decide, not how large it is; curves have limits of their own.
_SHAPES = {
    "n_slots", "steps", "values", "deadline_slots", "demand_interval_slots",
    "ceiling", "span", "rate", "offset", "gain", "floor", "midpoint",
}  # fmt: skip
#: Powers of ten that stand for nothing, and for all there is.
_TINY, _HUGE = (-12, -3), (3, 12)
#: Files drawn before one is accepted.
_TRIES = 50
#: No number that is drawn without edges is larger, and none but 0 is smaller.
_LARGE, _SMALL = 1e5, 1e-7
#: What stands for "no limit" where solvers are at home.
_MILD = (1.0, 1e3)


def at_the_edges(file: File, rng: np.random.Generator) -> File:
    """The file with one to three numbers set to powers of ten; files that are refused are drawn anew."""
    for _ in range(_TRIES):
        changed = copy.deepcopy(file)
        for _ in range(int(rng.integers(1, 4))):
            _set(rng, changed)
        if _accepted(changed):
            return changed
    return file


def milder(file: File) -> Iterator[File]:
    """The file with its extreme numbers nearer to the others, where there are any and that is an instance.

    What the judge makes of its schedules for ``file`` itself is what ``file`` is worth at least.
    """
    for most in _MILD:
        changed = copy.deepcopy(file)
        moved = [_cut(place, most) for place in _numbers(changed)]
        if any(moved) and _accepted(changed):
            yield changed


def _cut(place: Place, most: float) -> bool:
    """Whether a number was extreme, and is no more."""
    holder, key, _ = place
    values = holder[key] if isinstance(holder[key], list) else [holder[key]]
    cut = [_moved(value, most) for value in values]
    holder[key] = cut if isinstance(holder[key], list) else cut[0]
    return cut != values


def _moved(value: float, most: float) -> float:
    if abs(value) > _LARGE:
        return type(value)(np.copysign(most, value))
    return type(value)(0) if abs(value) < _SMALL else value


def _set(rng: np.random.Generator, file: File) -> None:
    """One number, or one or all of a series, set to a power of ten."""
    found = _numbers(file)
    # a plant has more clocks and prices than batteries: names as often as each other
    names = sorted({str(key) for _, key, _ in found})
    name = names[rng.integers(len(names))]
    holder, key, _ = (fitting := [place for place in found if place[1] == name])[rng.integers(len(fitting))]
    low, high = _TINY if rng.random() < 0.3 else _HUGE
    value = 10.0 ** int(rng.integers(low, high + 1))
    value *= -1 if value > 1 and rng.random() < 0.05 else 1  # what is a hair below 0 is read as 0
    if not isinstance(holder[key], list):
        holder[key] = _like(holder[key], value)
    elif rng.random() < 0.5:
        holder[key] = [_like(old, value) for old in holder[key]]
    else:
        slot = int(rng.integers(len(holder[key])))
        holder[key][slot] = _like(holder[key][slot], value)


def _like(old: float, value: float) -> float:
    """Counts stay whole."""
    return round(value) if isinstance(old, int) and abs(value) >= 1 else value


def _numbers(file: File) -> list[Place]:
    """Where numbers or series of them stand."""
    return [
        (holder, key, path)
        for holder, key, path in places(file)
        if isinstance(holder, dict) and key not in _SHAPES and _counts(holder[key])
    ]


def _counts(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_counts, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _accepted(file: File) -> bool:
    """Whether it is an instance, and so are its slots in parts."""
    try:
        Instance.from_dict(file)
        Instance.from_dict(finer_file(file, max(PARTS)))
    except InputError:
        return False
    return True
