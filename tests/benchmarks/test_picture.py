"""The README's picture shows no policy that a time limit ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tiny

import stepwatt as sw
from benchmarks.picture import SHOWN, demonstrated
from stepwatt.formulation import InputError
from stepwatt.solvers import Status


def compared(file: Path, cut: str | None) -> Path:
    """A comparison of all that the picture shows, one of them ended by a time limit."""
    done = sw.solve(tiny.battery(), "oracle")
    rows = {name: replace(done, status=Status.TIME_LIMIT) if name == cut else done for name in SHOWN}
    sw.compare(tiny.battery(), rows, bound="lp").save(file)
    return file


def test_what_a_time_limit_ended_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="policies = 'local': expected policies that no time limit ended"):
        demonstrated(compared(tmp_path / "cut.json", "local"))


def test_the_picture_is_of_a_day_whose_policies_are_done(tmp_path: Path) -> None:
    case = demonstrated(compared(tmp_path / "done.json", None))
    assert all(abs(case.gap(case.entry(name))) < 1e-6 for name in SHOWN)
