"""Arrivals by slot and class from logs of requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import pandas as pd

from stepwatt.formulation import InputError

from .importers.registry import layout_of
from .importers.traces.requests import Requests
from .local_time import utc
from .tables.clocks import time_zone
from .tables.grid import named
from .tables.table import Source, open_table
from .tables.told import How, told

#: More slots than this hold no log of requests: a stamp is wrong, or the slot too short.
_MOST_SLOTS = 10_000_000


def read_jobs(
    source: Source,
    layout: str | None = None,
    *,
    time: str | Sequence[str] | None = None,
    job_class: str | None = None,
    every: str = "15min",
    tz: str | None = None,
    start: str | dt.date | None = None,
    count: str | None = None,
    steps: str | None = None,
    **how: Unpack[How],
) -> pd.DataFrame:
    """Jobs that arrive in each slot, by class, from a log of requests.

    Args:
        source: a CSV (also packed, and of any usual encoding) or a frame, a request a row.
        layout: ``azure-llm``, ``burstgpt``, ``image-generation``, or ``log`` for any other; recognised
            where not said.
        time: column of times, for ``log``.
        job_class: column of classes; without one, all are ``jobs``.
        every: length of a slot; divides the hour.
        tz: time zone of times without an offset, and of the result.
        start: the time from which a log counts its seconds (ISO 8601).
        count: column of numbers of jobs, where a row stands for several.
        steps: column of steps (or tokens) that a request wants.
        how: more about the file, see :class:`stepwatt.data.How`.

    Returns:
        Whole numbers, indexed by the starts of slots (tz-aware, no slot left out), a column a class.
        ``attrs`` has ``unit`` (jobs), ``source``, ``layout``, ``resolution``, ``first`` and ``last`` (the
        outermost requests: their slots may be covered in part) and, where the log has them, ``steps``: of
        each class the mean and quantiles.

    Raises:
        InputError: with file, row, value and remedy: what cannot be read, or could be read in two ways.
    """
    slot = _slot(every)
    said = told(time=time, how=dict(how), tz=tz)
    from_when = None if start is None else utc(start)
    said = replace(said, job_class=job_class, count=count, steps=steps, start=from_when, quantity="jobs")
    table = open_table(
        source,
        encoding=said.encoding,
        delimiter=said.delimiter,
        header=said.header,
        decimal=said.decimal,
    )
    name, importer = layout_of(table, layout, said, "jobs")
    found: Requests = importer.read(table, said)
    _check_doubled(found)
    stamps = found.times.as_unit("ns").asi8
    places = stamps // (slot * 10**9)
    lowest, size = int(places.min()), int(places.max() - places.min()) + 1
    if size > _MOST_SLOTS:
        row = int(places.argmax())
        raise table.refused("time", row, str(found.times[row]), f"times within {_MOST_SLOTS} slots")
    jobs = np.zeros((size, len(found.classes)))
    np.add.at(jobs, (places - lowest, found.job_class), found.count)
    index = pd.date_range(
        pd.Timestamp(lowest * slot, unit="s", tz="UTC"), periods=size, freq=pd.Timedelta(seconds=slot)
    ).tz_convert(time_zone(found.tz))
    frame = pd.DataFrame(jobs.astype(np.int64), index=index.rename("time"), columns=list(found.classes))
    frame = frame[sorted(frame.columns)]
    frame.attrs = {
        "unit": "jobs",
        "source": table.name,
        "layout": name,
        "resolution": named(slot),
        "first": found.times.min().isoformat(),
        "last": found.times.max().isoformat(),
        "notes": list(table.notes),
    }
    if found.steps is not None:
        frame.attrs["steps"] = _steps(found)
        frame.attrs["steps_column"] = found.steps_column
    return frame


def _slot(every: str) -> int:
    try:
        seconds = pd.Timedelta(every).total_seconds()
    except (ValueError, TypeError):
        seconds = 0.0
    if seconds < 60 or seconds % 60 or 3600 % seconds:
        raise InputError(
            field="every", value=every, expected="whole minutes that divide the hour, such as 15min"
        )
    return int(seconds)


def _check_doubled(found: Requests) -> None:
    """A log in which every row stands twice was copied into itself: jobs would count double."""
    keys = pd.DataFrame({"time": found.times, "class": found.job_class, "count": found.count})
    if found.steps is not None:
        keys["steps"] = found.steps
    sizes = keys.value_counts(dropna=False)
    if len(keys) >= 8 and (sizes % 2 == 0).all():
        value = f"{len(keys)} rows, each of them twice"
        raise found.table.wrong("rows", value, "each request once, or their number in a column: count=")


def _steps(found: Requests) -> dict[str, dict[str, Any]]:
    table = pd.DataFrame({"class": found.job_class, "steps": found.steps}).dropna()
    told_of = {}
    for place, part in table.groupby("class")["steps"]:
        low, middle, high = part.quantile([0.1, 0.5, 0.9])
        told_of[found.classes[int(str(place))]] = {
            "mean": float(part.mean()),
            "p10": float(low),
            "p50": float(middle),
            "p90": float(high),
        }
    return told_of
