"""Values of rows on a regular grid: steps that change, rows that repeat, gaps and what fills them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stepwatt.formulation import InputError

from .table import Table
from .told import Gaps, Repeated, Stamps

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_DAY = 86_400
#: Steps of one size in a row that make it a resolution; fewer are taken for gaps.
_FIRM = 3


@dataclass
class Gridded:
    """Values at regular starts (seconds since 1970), and what was done to get there.

    ``resolutions``: (start, seconds) from where on rows have that length; ``gaps``: filled steps.
    """

    starts: Ints
    seconds: int
    values: Floats
    resolutions: list[tuple[int, int]]
    gaps: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lining:
    """What laying a zone's rows on a grid needs to know of them, and of what to do.

    ``column`` holds the values, ``time`` the stamps, ``rows`` the place of each in the table (for messages);
    ``assumed``: nobody said the time zone of stamps without an offset.
    """

    table: Table
    column: str
    time: str
    rows: Ints
    stamps: Stamps
    resolution: int | None
    repeated: Repeated | None
    gaps: Gaps | None
    assumed: bool

    def lay(self, times: Ints, ends: Ints | None, values: Floats) -> Gridded:
        """The rows as a regular series: longer steps are held in the shortest, a gap is filled by the rule.

        Args:
            times: stamps of rows, seconds since 1970.
            ends: of the rows' intervals, where the table has them.
            values: NaN where a row has none.

        Raises:
            InputError: conflicting rows, intervals that overlap, steps that are no resolution, gaps and no
            rule.
        """
        notes: list[str] = []
        order = np.argsort(times, kind="stable")
        if (np.diff(times) < 0).any():
            notes.append("rows were not in the order of time")
        order, values = self._once(order, times, ends, values, notes)
        times, rows = times[order], self.rows[order]
        if (times % 60).any():
            row = int(np.flatnonzero(times % 60)[0])
            raise self._at(rows[row], times[row], "whole minutes")
        lengths = ends[order] - times if ends is not None else self._lengths(times, rows)
        starts = times - lengths if ends is None and self.stamps == "end" else times
        return self._filled(starts, lengths, values, rows, notes)

    def _at(self, row: int, time: int, expected: str, more: int = 0) -> InputError:
        return self.table.refused(self.time, int(row), f"{_shown(int(time))} UTC", expected, more=more)

    def _local(self) -> str:
        return "; or tz=, if stamps are local" if self.assumed else ""

    def _once(
        self, order: Ints, times: Ints, ends: Ints | None, values: Floats, notes: list[str]
    ) -> tuple[Ints, Floats]:
        """Each time once: what is the same twice counts once, what differs needs a rule."""
        stamps, given = times[order], values[order]
        first = np.append(True, np.diff(stamps) != 0)
        if first.all():
            return order, given
        group = np.cumsum(first) - 1
        frame = pd.DataFrame({"group": group, "value": given})
        ranges = frame.groupby("group")["value"].agg(["min", "max", "first", "last", "mean"])
        clash = (ranges["min"] != ranges["max"]) & ranges["min"].notna()
        if ends is not None:
            lasting = pd.Series(ends[order]).groupby(group)
            clash_ends = lasting.min() != lasting.max()
            if clash_ends.any():
                row = int(np.flatnonzero(group == int(np.flatnonzero(clash_ends)[0]))[1])
                expected = "one interval from one time on; say where= to choose among rows"
                raise self._at(self.rows[order[row]], stamps[row], expected)
        doubled = int((~first).sum())
        if clash.any() and self.repeated is None:
            at = int(np.flatnonzero(clash)[0])
            row = int(np.flatnonzero(group == at)[1])
            value = f"{given[row]:g} at {_shown(int(stamps[row]))} UTC, {given[row - 1]:g} before"
            expected = (
                'one value a time; say repeated="first", "last" or "mean", or where= or zone= to choose rows'
                + self._local()
            )
            more = int(clash.sum()) - 1
            raise self.table.refused(self.column, int(self.rows[order[row]]), value, expected, more=more)
        rule = self.repeated or "first"
        kind = f"the {rule} counts" if clash.any() else "with the same value"
        notes.append(f"rows that repeat a time: {doubled}, {kind}")
        return order[first], ranges[rule].to_numpy(dtype=float)

    def _lengths(self, times: Ints, rows: Ints) -> Ints:
        """Seconds that each row stands for, from the distances of stamps."""
        if self.resolution is not None:
            return np.full(len(times), self.resolution, dtype=np.int64)
        steps = np.diff(times)
        if not steps.size:
            expected = 'at least two rows, or how long one stands for: resolution="1h"'
            raise self._at(rows[0], times[0], expected)
        runs = np.flatnonzero(np.append(True, np.diff(steps) != 0))
        sizes, counts = steps[runs], np.diff(np.append(runs, len(steps)))
        firm = (counts >= _FIRM) & ~_holes(sizes, counts)
        if firm.any():
            known = np.where(firm, sizes, 0)
            before = _carried(known)
            after = _carried(known[::-1])[::-1]
            both = np.where(before == 0, after, np.where(after == 0, before, np.minimum(before, after)))
            length = np.repeat(np.where(firm, sizes, both), counts)
        else:
            length = np.full(len(steps), steps.min(), dtype=np.int64)
        for size in np.unique(length):
            if not _is_resolution(int(size)):
                row = int(np.flatnonzero(length == size)[0])
                expected = "steps that divide the hour, or hours that divide the day"
                raise self._at(
                    rows[row + 1], times[row + 1], f"{expected}; this comes {int(size) / 60:g} min later"
                )
        # the outermost row stands for as long as its neighbour
        return np.append(length[0], length) if self.stamps == "end" else np.append(length, length[-1])

    def _filled(self, starts: Ints, lengths: Ints, values: Floats, rows: Ints, notes: list[str]) -> Gridded:
        known = np.flatnonzero(~np.isnan(values))
        if not known.size:
            raise self.table.wrong(self.column, "no value", "numbers")
        outside = len(values) - (known[-1] + 1 - known[0])
        if outside:
            notes.append(f"rows without a value at the ends, left out: {outside}")
            inside = slice(known[0], known[-1] + 1)
            starts, lengths, values, rows = starts[inside], lengths[inside], values[inside], rows[inside]
        short = int(lengths.min())
        if short <= 0 or not _is_resolution(short):
            row = int(lengths.argmin())
            raise self._at(
                rows[row], starts[row], f"an interval that is a resolution, not {short / 60:g} min"
            )
        odd = np.flatnonzero((lengths % short != 0) | ((starts - starts[0]) % short != 0))
        if odd.size:
            row = int(odd[0])
            raise self._at(rows[row], starts[row], f"every {_named(short)} from {_shown(int(starts[0]))} UTC")
        apart = starts[1:] - (starts[:-1] + lengths[:-1])
        if (apart < 0).any():
            row = int(np.flatnonzero(apart < 0)[0]) + 1
            raise self._at(rows[row], starts[row], "intervals that do not overlap")
        count = int((starts[-1] + lengths[-1] - starts[0]) // short)
        grid = starts[0] + short * np.arange(count, dtype=np.int64)
        laid = np.full(count, np.nan)
        parts = lengths // short
        place = np.repeat((starts - starts[0]) // short, parts)
        place += np.arange(len(place)) - np.repeat(np.cumsum(parts) - parts, parts)
        laid[place] = np.repeat(values, parts)
        changes = np.flatnonzero(np.append(True, np.diff(lengths) != 0))
        done = Gridded(grid, short, laid, [(int(starts[c]), int(lengths[c])) for c in changes], notes=notes)
        if len(changes) > 1:
            names = ", ".join(f"{_named(int(lengths[c]))} from {_shown(int(starts[c]))}" for c in changes[:4])
            notes.append(f"the resolution changes ({names}): longer steps are held in the shortest")
        self._fill(done, starts, rows, values)
        return done

    def _fill(self, done: Gridded, starts: Ints, rows: Ints, values: Floats) -> None:
        lacking = np.isnan(done.values)
        if not lacking.any():
            return
        edges = np.flatnonzero(np.diff(np.concatenate([[0], lacking.view(np.int8), [0]])))
        holes = edges.reshape(-1, 2)
        begin, end = (int(x) for x in holes[0])
        if self.gaps is None:
            row = int(np.searchsorted(starts, done.starts[begin], side="right")) - 1
            remedy = 'fill gaps by a rule, gaps="hold", "interpolate" or a number' + self._local()
            if np.isnan(values[row]):
                raise self.table.refused(
                    self.column, int(rows[row]), "no value", f"a number; {remedy}", len(holes) - 1
                )
            until = int(done.starts[begin]) + (end - begin) * done.seconds
            value = f"nothing from {_shown(int(done.starts[begin]))} to {_shown(until)} UTC"
            after = min(row + 1, len(rows) - 1)
            expected = f"every {_named(done.seconds)}; {remedy}"
            raise self.table.refused(self.time, int(rows[after]), value, expected, more=len(holes) - 1)
        at = np.arange(len(done.values))
        known = np.flatnonzero(~lacking)
        if self.gaps == "hold":
            done.values = done.values[known[np.searchsorted(known, at, side="right") - 1]]
            rule: Any = "hold"
        elif self.gaps == "interpolate":
            done.values = np.interp(at, known, done.values[known])
            rule = "interpolate"
        else:
            rule = float(self.gaps)
            done.values = np.where(lacking, rule, done.values)
        done.gaps = [
            {
                "from": _shown(int(done.starts[a])) + "Z",
                "to": _shown(int(done.starts[a]) + int(b - a) * done.seconds) + "Z",
                "steps": int(b - a),
                "rule": rule,
            }
            for a, b in holes
        ]
        said = f"filled with {rule:g}" if isinstance(rule, float) else f"filled by {rule}"
        where = f"the first from {done.gaps[0]['from']} to {done.gaps[0]['to']}"
        done.notes.append(f"missing steps of {_named(done.seconds)}: {int(lacking.sum())}, {said}, {where}")


def _carried(known: Ints) -> Ints:
    """Each zero replaced by the last number before it."""
    at = np.where(known != 0, np.arange(len(known)), 0)
    carried: Ints = known[np.maximum.accumulate(at)]
    return carried


def _is_resolution(seconds: int) -> bool:
    if seconds < 60 or seconds % 60:
        return False
    return 3600 % seconds == 0 or (seconds % 3600 == 0 and _DAY % seconds == 0)


def _named(seconds: int) -> str:
    """A step's length as pandas names it: 15min, 1h, 1D."""
    if seconds % _DAY == 0:
        return f"{seconds // _DAY}D"
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}min"


def _shown(second: int) -> str:
    return f"{pd.Timestamp(second, unit='s'):%Y-%m-%dT%H:%M}"


named, shown_time = _named, _shown


def _holes(sizes: Ints, counts: Ints) -> NDArray[np.bool_]:
    """Runs of steps between shorter ones, for less than a day: every other row is missing there."""
    longer = np.zeros(len(sizes), dtype=bool)
    longer[1:-1] = (sizes[1:-1] > sizes[:-2]) & (sizes[1:-1] > sizes[2:])
    found: NDArray[np.bool_] = longer & (sizes * counts < _DAY)
    return found
