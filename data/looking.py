"""What a file is: its layout, zones, span, resolution, gaps, units and first rows, before it is read."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError

from .importers.registry import IMPORTERS, recognised
from .importers.traces.requests import Requests
from .local_time import utc
from .reading import zone_series
from .tables.notes import ReadingNote
from .tables.rows import Rows
from .tables.table import Source, open_table
from .tables.told import Told, told
from .tables.units import Conversion

_ROWS = 5


@dataclass(frozen=True)
class Look:
    """What :func:`look` found.

    Attributes:
        source: name of the file.
        file: encoding, delimiter, line of the header, columns.
        layout: its name, None where no layout is known; ``why`` says by what it was recognised.
        quantities: by quantity the unit and, by zone, span, resolution, gaps, range of values and notes.
        jobs: of a log: requests, classes, span.
        refused: what cannot be read yet, each with its remedy.
        head: the first lines of the file.
    """

    source: str
    file: dict[str, Any]
    layout: str | None
    title: str
    why: str
    quantities: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, Any] | None = None
    refused: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return dict(vars(self))


def look(source: Source, layout: str | None = None, **how: Any) -> Look:
    """Recognise a file's layout, and tell what it holds and what is still to be said to read it.

    Args:
        source: as of :func:`read_prices`.
        layout: its layout, where it is not to be recognised.
        how: further words of :func:`read_prices`, such as ``tz`` and ``time``, and of :func:`read_jobs`.

    Raises:
        InputError: a file that is no table, or words that are not known.
    """
    start = how.pop("start", None)
    said = told(zone=how.pop("zone", None), time=how.pop("time", None), value=how.pop("value", None), how=how)
    said = replace(said, quantity="all", gaps="hold", start=None if start is None else utc(start))
    table = open_table(
        source,
        encoding=said.encoding,
        delimiter=said.delimiter,
        header=said.header,
        decimal=said.decimal,
    )
    found = recognised(table, "rows", "jobs")
    if layout is not None:
        IMPORTERS.check(layout)
        name, why = layout, "said"
    elif said.time:
        name, why = "log" if said.job_class or said.count or said.steps else "columns", "its columns are said"
    elif found:
        name, why = found[0][0], found[0][1].why
    else:
        name, why = "", ""
    seen = Look(
        source=table.name,
        file={
            "encoding": table.encoding or "frame",
            "delimiter": table.delimiter,
            "header": table.header,
            "columns": list(table.columns),
        },
        layout=name or None,
        title=IMPORTERS[name].title if name else "",
        why=why,
        head=table.lines[:_ROWS],
    )
    if not name:
        columns = ", ".join(table.columns)
        known = table.wrong(
            "columns", columns, "a layout that is known, or what columns are: time= and value=, or job_class="
        )
        seen.refused.append(str(known))
        return seen
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        try:
            read = IMPORTERS[name].read(table, said)
            if isinstance(read, Requests):
                return replace(seen, jobs=_log(read))
            seen.quantities.update(_quantities(read, said, name, seen.refused))
        except InputError as refused:
            seen.refused.append(str(refused))
    return seen


def _quantities(rows: Rows, said: Told, name: str, refused: list[str]) -> dict[str, dict[str, Any]]:
    told_of: dict[str, dict[str, Any]] = {}
    for quantity in rows.values:
        zones: dict[str, Any] = {}
        for place, zone in enumerate(rows.zones):
            try:
                series = zone_series(rows, quantity, zone, place, Conversion(""), said, name)
            except InputError as error:
                refused.append(str(error))
                continue
            zones[zone or "(one)"] = {
                "from": series.index[0].isoformat(),
                "to": (series.index[-1] + pd.Timedelta(series.attrs["resolution"])).isoformat(),
                "steps": len(series),
                "resolution": series.attrs["resolution"],
                "resolutions": series.attrs["resolutions"],
                "gaps": [{key: gap[key] for key in ("from", "to", "steps")} for gap in series.attrs["gaps"]],
                "lowest": float(series.min()),
                "highest": float(series.max()),
                "first": series.head(3).tolist(),
                "notes": [note for note in series.attrs["notes"] if not note.startswith("missing steps")],
                "also": sorted(rows.also[place] - {zone}) if rows.also else [],
            }
        unit = said.unit if quantity == "price" and said.unit else rows.units.get(quantity)
        told_of[quantity] = {"unit": unit, "timezone": rows.tz, "zones": zones}
    return told_of


def _log(found: Requests) -> dict[str, Any]:
    counts = np.bincount(found.job_class, weights=found.count, minlength=len(found.classes))
    return {
        "requests": int(found.count.sum()),
        "classes": {name: int(count) for name, count in zip(found.classes, counts, strict=True)},
        "from": found.times.min().isoformat(),
        "to": found.times.max().isoformat(),
        "steps": found.steps_column or None,
    }
