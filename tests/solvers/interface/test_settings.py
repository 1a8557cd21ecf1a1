"""What a caller asks of a solve: numbers of any kind, and whatever is none told in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.formulation import InputError
from stepwatt.solvers.interface.settings import Settings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("gap", value) for value in ("0.1", None, [0.1], True, -1, 1, np.nan)),
        *(("time_limit", value) for value in ("1", [1], True, 0, -1.0, np.nan)),
        *(("look_ahead_hours", value) for value in ("1", None, 0, -1, np.nan)),
        *(("seed", value) for value in ("0", None, 1.5, True, -1)),
        *(("forecast", value) for value in (3, ["persistence"])),
        *(("history", value) for value in (3, "yesterday.json", [])),
        ("progress", None),
    ],
)
def test_settings_that_are_none_are_told_in_one_line(field: str, value: Any) -> None:
    with pytest.raises(InputError) as found:
        Settings(**{field: value})
    assert found.value.field == field


def test_numbers_of_any_kind_become_pythons_own() -> None:
    """HiGHS takes no others."""
    said = Settings(gap=np.float32(0.5), time_limit=np.int64(3), seed=np.uint8(7), look_ahead_hours=np.inf)
    assert [type(getattr(said, name)) for name in ("gap", "time_limit", "seed")] == [float, float, int]


@pytest.mark.parametrize("given", ["instance.json", 3, None, {}, []])
@pytest.mark.parametrize(
    "call",
    [
        lambda inst: sw.solve(inst, "greedy"),
        lambda inst: sw.solve_many(inst or None, "greedy", processes=1),
        sw.explain,
        sw.distribute,
        sw.sizing,
        sw.pareto,
        sw.levers,
        sw.expansion,
        lambda inst: sw.what_if(inst, {"a": {}}),
        lambda inst: sw.complete(inst, "plan.csv"),
        lambda inst: sw.where_lost(inst, None),
        lambda inst: sw.why(None, inst, slot=0, site="DE") if inst is not None else sw.solve(inst),
    ],
)
def test_what_is_no_instance_is_told_wherever_one_is_asked_for(call: Any, given: Any) -> None:
    with pytest.raises(InputError) as found:
        call(given)
    assert found.value.field in ("instance", "instances", "schedule")


def test_one_instance_is_a_list_of_one() -> None:
    inst = sw.scenario("jemas", n_slots=1, zones=("DE",))
    assert [result.instance for result in sw.solve_many(inst, "greedy", processes=1)] == [inst]
