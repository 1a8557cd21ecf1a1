"""Importers by name: what reads the files of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.registry import Registry

from ..tables.table import Table
from ..tables.told import Told
from . import aemo, electricity_maps, ember, entsoe, gridstatus, open_meteo, own_csv, plain, smard
from .layout import Recognised
from .quality_points import read_points
from .traces import azure_llm, burstgpt, image_generation, log

Gives = Literal["series", "points", "rows", "jobs"]


class Importer(NamedTuple):
    """What reads a kind of file.

    Attributes:
        read: of a path, a series (:mod:`stepwatt.data.series`) or points (steps, quality: two lists of
            numbers); of a :class:`stepwatt.data.Table` and what the caller said
            (:class:`stepwatt.data.Told`), ``rows`` (:class:`stepwatt.data.Rows`) or ``jobs``
            (:class:`stepwatt.data.Requests`). Raises InputError for what it cannot use.
        gives: which of these.
        recognises: of a table, how sure it is of this layout, or None; layouts without are used by name only.
        title: what the layout is, in a line.
    """

    read: Callable[..., Any]
    gives: Gives
    recognises: Callable[[Table], Recognised | None] | None = None
    title: str = ""


IMPORTERS: Registry[Importer] = Registry(
    "importer",
    {
        "series": Importer(own_csv.read_series, "series", title="series of the package, whole"),
        "quality-points": Importer(read_points, "points", title="columns steps and quality"),
        "entsoe": Importer(
            entsoe.read, "rows", entsoe.recognises, "ENTSO-E Transparency Platform, day-ahead prices"
        ),
        "ember": Importer(ember.read, "rows", ember.recognises, "Ember, European wholesale prices"),
        "smard": Importer(smard.read, "rows", smard.recognises, "SMARD, wholesale prices"),
        "aemo": Importer(aemo.read, "rows", aemo.recognises, "AEMO, aggregated price and demand"),
        "gridstatus": Importer(
            gridstatus.read,
            "rows",
            gridstatus.recognises,
            "gridstatus, prices of day-ahead and real-time markets",
        ),
        "electricity-maps": Importer(
            electricity_maps.read, "rows", electricity_maps.recognises, "Electricity Maps, carbon intensity"
        ),
        "open-meteo": Importer(
            open_meteo.read, "rows", open_meteo.recognises, "Open-Meteo, hourly weather of a place"
        ),
        "stepwatt": Importer(
            own_csv.read, "rows", own_csv.recognises, "series of the package, a quantity of it"
        ),
        "columns": Importer(plain.read, "rows", title="a table whose columns the caller names"),
        "azure-llm": Importer(azure_llm.read, "jobs", azure_llm.recognises, "Azure LLM inference trace"),
        "burstgpt": Importer(burstgpt.read, "jobs", burstgpt.recognises, "BurstGPT, seconds since the start"),
        "image-generation": Importer(
            image_generation.read,
            "jobs",
            image_generation.recognises,
            "trace of image generation, with steps",
        ),
        "log": Importer(log.read, "jobs", title="a log whose columns the caller names"),
    },
)


def imported(path: str | Path, name: str, gives: Gives) -> Any:
    """What the importer ``name`` reads from a file, where such a thing is wanted.

    Raises:
        InputError: no such importer, or it gives something else or refuses the file.
    """
    return _giving(name, gives).read(Path(path))


def _giving(name: str, gives: Gives) -> Importer:
    chosen = IMPORTERS[name]
    if chosen.gives != gives:
        known = ", ".join(name for name, one in IMPORTERS.items() if one.gives == gives)
        raise InputError(field="importer", value=name, expected=f"one that gives {gives}: {known}")
    return chosen


def recognised(table: Table, *gives: Gives) -> list[tuple[str, Recognised]]:
    """Layouts that a table may have, the surest first."""
    found = [
        (name, is_it)
        for name, one in IMPORTERS.items()
        if one.gives in gives and one.recognises is not None
        for is_it in [one.recognises(table)]
        if is_it is not None
    ]
    return sorted(found, key=lambda pair: -pair[1].sure)


def layout_of(table: Table, layout: str | None, told: Told, gives: Gives) -> tuple[str, Importer]:
    """Name and importer of the layout that was said, or that the table shows.

    Raises:
        InputError: no such layout, or the table has none that is known, or several.
    """
    plain_name = "columns" if gives == "rows" else "log"
    if layout is not None:
        known = [name for name, one in IMPORTERS.items() if one.gives == gives]
        if layout not in known:
            expected = f"{one_of(known, layout)}; docs/plugins.md says how to add one"
            raise InputError(field="layout", value=layout, expected=expected)
        return layout, _giving(layout, gives)
    if told.time:
        return plain_name, IMPORTERS[plain_name]
    found = recognised(table, gives)
    if not found:
        names = ", ".join(name for name, one in IMPORTERS.items() if one.gives == gives and one.recognises)
        columns = "value=, tz=, unit=" if gives == "rows" else "job_class=, tz="
        expected = (
            f"a layout that is known ({names}; docs/plugins.md says how to add one),"
            f" or say what its columns are: time=, {columns}"
        )
        raise table.wrong("columns", ", ".join(table.columns), expected)
    if len(found) > 1 and found[1][1].sure == found[0][1].sure:
        names = ", ".join(name for name, is_it in found if is_it.sure == found[0][1].sure)
        raise table.wrong("layout", names, "one layout: say which, layout=")
    return found[0][0], IMPORTERS[found[0][0]]
