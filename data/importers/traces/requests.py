"""Requests of a log: when each came, of which class, and how many steps or tokens it wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...tables.clocks import instants
from ...tables.numbers import numbers
from ...tables.stamps import moments
from ...tables.table import Table
from ...tables.told import Told
from ..layout import utc_by_name


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What a log holds, in its order.

    Attributes:
        table: where it comes from, for messages.
        times: when requests came, UTC.
        classes: names of classes; ``job_class`` is the place of each request's among them.
        count: jobs that each row stands for.
        steps: what each wanted, of the column ``steps_column``; NaN where it is not said.
        tz: time zone of the result.
    """

    table: Table
    times: pd.DatetimeIndex
    classes: Sequence[str]
    job_class: NDArray[np.intp]
    count: NDArray[np.float64]
    tz: str
    steps: NDArray[np.float64] | None = None
    steps_column: str = ""


def requests_of(
    table: Table,
    told: Told,
    *,
    time: tuple[str, ...],
    job_class: str | None = None,
    steps: str | None = None,
    time_format: str | None = None,
) -> Requests:
    """The requests of a log; what the caller names wins over what the layout names.

    Raises:
        InputError: which names the file, the row, the value and what was expected.
    """
    time = told.time or time
    job_class, steps = told.job_class or job_class, told.steps or steps
    texts = [*time, *((job_class,) if job_class else ())]
    amounts = [column for column in (steps, told.count) if column is not None]
    table.load(texts, amounts, told.where)
    classes, codes = ["jobs"], np.zeros(len(table.rows), dtype=np.intp)
    if job_class is not None:
        codes, found = pd.factorize(table.column(job_class).astype(object), use_na_sentinel=False)
        classes = ["" if name is None or name != name else str(name).strip() for name in found]
        for number, name in enumerate(classes):
            if not name:
                row = int(np.flatnonzero(codes == number)[0])
                raise table.refused(job_class, row, name, "the name of a class")
    times = _times(table, told, time, time_format)
    count = np.ones(len(times))
    if told.count is not None:
        count = numbers(table, told.count, decimal=told.decimal, missing=told.missing)
        bad = np.flatnonzero(~(count >= 0) | (count != np.round(count)))
        if bad.size:
            row = int(bad[0])
            raise table.refused(told.count, row, table.column(told.count).iloc[row], "a whole number of jobs")
    wanted = None if steps is None else numbers(table, steps, decimal=told.decimal, missing=told.missing)
    return Requests(
        table=table,
        times=times,
        classes=classes,
        job_class=codes,
        count=count,
        tz=told.tz or "UTC",
        steps=wanted,
        steps_column=steps or "",
    )


def _times(table: Table, told: Told, time: tuple[str, ...], time_format: str | None) -> pd.DatetimeIndex:
    name, form = " ".join(time), told.time_format or time_format
    if form == "seconds":
        seconds = numbers(table, time[0], decimal=told.decimal)
        bad = np.flatnonzero(np.isnan(seconds))
        if bad.size:
            raise table.refused(name, int(bad[0]), "", "seconds since the start")
        if told.start is None:
            expected = 'the time from which its seconds count: start="2025-06-12T00:00Z"'
            raise table.wrong("start", None, expected)
        return pd.DatetimeIndex(told.start + pd.to_timedelta(np.round(seconds * 1e3), unit="ms"))
    if told.start is not None:
        raise table.wrong("start", str(told.start), "none: the stamps of this log are times")
    shown = moments(table, time, time_format=form, dayfirst=told.dayfirst)
    if shown.late:
        raise table.wrong(name, "24:00", "times of arrival from 00:00 to 23:59")
    if shown.aware:
        return shown.by_row
    tz = told.tz or utc_by_name(name)
    if tz is None:
        text = str(shown.times[shown.codes[0]])
        expected = 'an offset from UTC, or the time zone of the log: tz="Europe/Oslo", tz="UTC"'
        raise table.refused(name, 0, text, expected)
    if told.ambiguous == "infer":
        raise table.wrong("ambiguous", "infer", "summer or winter: requests of a log tell no hours apart")
    blank, alike = np.zeros(len(shown.codes), dtype=bool), np.zeros(len(shown.codes), dtype=np.intp)
    return instants(table, name, shown, tz, groups=alike, ambiguous=told.ambiguous, blank=blank)[0]
