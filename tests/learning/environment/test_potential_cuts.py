"""What a busier day says of a day, by hand."""

from __future__ import annotations

import pytest
import tiny

import stepwatt as sw
from stepwatt.learning.environment.potential_cuts import cut_of, with_jobs


def test_jobs_of_a_busier_day_are_counted_at_the_price_of_the_slot_they_come_in() -> None:
    """One and four jobs of 5 USD, four fit in a slot: 25. Of twice as many four are missed: 26. The one more
    of the first slot is worth 5, each of the four more of the second costs 1: 26 − 5 + 4."""
    inst = tiny.instance(
        {"a": tiny.site([0.0, 0.0])},
        {"a": [1, 4]},
        steps={10: 5.0},
        seconds_per_step=90.0,
        mwh_per_step=0.01,
        integral_jobs=False,
    )
    assert sw.solve(inst, "lp").bound == pytest.approx(25.0)
    busy = sw.solve(with_jobs(inst, 2.0), "lp")
    assert busy.bound == pytest.approx(26.0)
    assert float(cut_of([busy], [inst]).still[0, 0]) == pytest.approx(25.0)
