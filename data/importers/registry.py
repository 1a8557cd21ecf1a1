"""Importers by name: what reads the files of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stepwatt.formulation import InputError
from stepwatt.formulation.registry import Registry

from .own_csv import read_series
from .quality_points import read_points

Gives = Literal["series", "points"]


class Importer(NamedTuple):
    """``read`` turns a file into what it ``gives``: a series (:mod:`.series`), or points (steps, quality).

    Points are two lists of numbers. ``read`` raises InputError for a file that it cannot use.
    """

    read: Callable[[Path], Any]
    gives: Gives


IMPORTERS: Registry[Importer] = Registry(
    "importer",
    {
        "series": Importer(read_series, "series"),
        "quality-points": Importer(read_points, "points"),
    },
)


def imported(path: str | Path, name: str, gives: Gives) -> Any:
    """What the importer ``name`` reads from a file, where such a thing is wanted.

    Raises:
        InputError: no such importer, or it gives something else or refuses the file.
    """
    chosen = IMPORTERS[name]
    if chosen.gives != gives:
        known = ", ".join(name for name, one in IMPORTERS.items() if one.gives == gives)
        raise InputError(field="importer", value=name, expected=f"one that gives {gives}: {known}")
    return chosen.read(Path(path))
