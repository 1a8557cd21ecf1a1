"""Schedules from elsewhere: a table of jobs by slot, site and class, as decisions for the plant."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.plant.completing import Decisions

from .tables.opening import file_bytes, file_text, find_delimiter

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("site", "class", "jobs")
_COLUMNS = ("slot", "time", *_NEEDED, "origin", "model", "steps", "clock")


def read_decisions(inst: Instance, source: str | Path | pd.DataFrame) -> Decisions:
    """Rows of ``jobs`` (a number) by ``slot`` (from 0) or ``time`` (ISO 8601), ``site`` and ``class``.

    Further columns: ``origin`` (open if not said), ``model`` and ``steps`` (may be left out where one is
    allowed), ``clock`` (if not said, the one whose speed is nearest 1). Rows of the same kind add up.

    Raises:
        InputError: file, row, value and what was expected.
    """
    if isinstance(source, str | Path):
        name, text = str(source), file_text(file_bytes(Path(source)), str(source), None)[0]
        sign = find_delimiter(text.splitlines() or [""], name)
        try:
            reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
            rows: list[Mapping[str, Any]] = list(reader)
        except csv.Error as error:
            raise InputError(file=name, field="file", value=str(error), expected="a CSV file") from None
        columns = [column.strip() for column in reader.fieldnames or ()]
        rows = [{(key or "").strip(): cell for key, cell in row.items()} for row in rows]
        try:
            return _decisions(inst, columns, rows, first=2)
        except InputError as error:
            raise error.in_file(name) from None
    if not hasattr(source, "columns"):
        raise InputError(field="decisions", value=source, expected="a Schedule, a CSV file or a DataFrame")
    rows = [{str(key): cell for key, cell in row.items()} for row in source.to_dict(orient="records")]
    return _decisions(inst, [str(column) for column in source.columns], rows, first=0)


def _decisions(
    inst: Instance, columns: list[str], rows: Iterable[Mapping[str, Any]], *, first: int
) -> Decisions:
    for column in columns:
        if column not in _COLUMNS or columns.count(column) > 1:
            raise InputError(field="column", value=column, expected="once each: " + one_of(_COLUMNS, column))
    for column in (*_NEEDED, *(() if "time" in columns else ("slot",))):
        if column not in columns:
            raise InputError(field="columns", value=", ".join(columns), expected=f"a column {column}, too")
    a = inst.arrays()
    asked = Schedule.idle(a)
    anywhere = np.zeros((len(a.sites), len(a.classes), a.n_slots))
    for number, row in enumerate(rows, first):
        try:
            cells = {name: _text(row.get(name)) for name in _COLUMNS}
            j = _index(a.sites, cells["site"], "site")
            k = _index(a.classes, cells["class"], "class")
            t, jobs = _slot(inst, cells), _jobs(cells["jobs"], whole=a.integral_jobs)
            asked.runs[_option(inst, j, k, cells), t] += jobs
            if cells["origin"]:
                asked.transfers[_index(a.sites, cells["origin"], "origin"), j, k, t] += jobs
            else:
                anywhere[j, k, t] += jobs
        except InputError as error:
            raise error.inside(f"row {number}") from None
    return Decisions(asked, anywhere)


def _text(cell: Any) -> str:
    missing = cell is None or (isinstance(cell, float) and math.isnan(cell))
    return "" if missing else str(cell).strip()


def _index(names: tuple[str, ...], name: str, field: str) -> int:
    if name not in names:
        raise InputError(field=field, value=name, expected=one_of(names, name))
    return names.index(name)


def _number(text: str, field: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1e12:
        raise InputError(field=field, value=text, expected=expected)
    return value


def _jobs(text: str, *, whole: bool) -> float:
    expected = "a whole number of jobs, at least 0" if whole else "a number of jobs, at least 0"
    value = _number(text, "jobs", expected)
    if whole and value != int(value):
        raise InputError(field="jobs", value=text, expected=expected)
    return value


def _slot(inst: Instance, cells: Mapping[str, str]) -> int:
    last = inst.n_slots - 1
    if cells["slot"]:
        value = _number(cells["slot"], "slot", f"a slot between 0 and {last}")
        if value != int(value) or value > last:
            raise InputError(field="slot", value=cells["slot"], expected=f"a slot between 0 and {last}")
        return int(value)
    expected = f"the start of a slot from {inst.start_time.isoformat()} on, ISO 8601"
    try:
        moment = datetime.fromisoformat(cells["time"])
    except ValueError:
        raise InputError(field="time", value=cells["time"], expected=expected) from None
    if moment.tzinfo is None:
        clock = inst.start_time.tzinfo
        moment = moment.replace(tzinfo=clock)
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            again = "a time with its offset: the clock shows this one twice, or never"
            raise InputError(field="time", value=cells["time"], expected=again)
    seconds = (moment.timestamp() - inst.start_time.timestamp()) / timedelta(
        hours=inst.slot_hours
    ).total_seconds()
    slot = round(seconds)
    if abs(seconds - slot) > 1e-6 or not 0 <= slot <= last:
        raise InputError(field="time", value=cells["time"], expected=expected)
    return slot


def _option(inst: Instance, j: int, k: int, cells: Mapping[str, str]) -> int:
    """Row of the option that is said, or that is the only one."""
    a, o = inst.arrays(), inst.arrays().options
    rows = np.flatnonzero((o.site == j) & (o.job_class == k))
    if not len(rows):
        expected = "a class that the site can serve"
        raise InputError(field="class", value=cells["class"], expected=expected)
    speeds = np.array(a.clock_speeds[j])
    steps = _number(cells["steps"], "steps", "a number of steps") if cells["steps"] else None
    chosen = {
        "model": (o.model, _index(a.models, cells["model"], "model") if cells["model"] else None, a.models),
        "steps": (o.steps, steps, None),
    }
    for field, (values, said, names) in chosen.items():
        there = sorted({int(value) for value in values[rows]})
        labels = [names[value] if names else str(value) for value in there]
        if said is None and len(there) > 1:
            raise InputError(field=field, value="(not said)", expected=f"one of {', '.join(labels)}")
        rows = rows[values[rows] == (there[0] if said is None else said)]
        if not len(rows):
            expected = f"one that the instance allows there: {', '.join(labels)}"
            raise InputError(field=field, value=cells[field], expected=expected)
    if not cells["clock"]:
        return int(rows[np.argmin(np.abs(speeds[o.clock[rows]] - 1.0))])
    rows = rows[o.clock[rows] == _index(a.clocks[j], cells["clock"], "clock")]
    if not len(rows):
        raise InputError(field="clock", value=cells["clock"], expected="a clock that allows these steps")
    return int(rows[0])
