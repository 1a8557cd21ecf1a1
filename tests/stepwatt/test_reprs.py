"""What is typed at a prompt answers in a line or two."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

import stepwatt as sw

SAYS: dict[str, tuple[Callable[[], Any], str]] = {
    "instance": (lambda: day(), "8 slots"),
    "result": (lambda: best(), "utility"),
    "schedule": (lambda: best().schedule, "jobs run"),
    "evaluation": (lambda: best().evaluation, "feasible"),
    "prices": (lambda: best().prices, "power"),
    "duals": (lambda: best().duals, "gpu_time"),
    "comparison": (lambda: sw.compare(day(), {"optimum": best(), "greedy": "greedy"}), "greedy"),
    "why": (lambda: sw.why(best(), day(), slot=2, site="DE"), "DE, slot 2"),
    "where_lost": (lambda: sw.where_lost(day(), sw.solve(day(), "greedy")), "over 8 slots"),
    "distribution": (lambda: sw.distribute(day()), "3 providers"),
    "policy": (lambda: sw.load_policy("jemas"), "slots of 5 min"),
    "seeds": (lambda: sw.Seeds(["random"] * 3), "random"),
}


@cache
def day() -> sw.Instance:
    return sw.scenario("jemas", n_slots=8, slot_minutes=60)


@cache
def best() -> sw.Result:
    return sw.solve(day())


@pytest.mark.parametrize("name", SAYS)
def test_what_is_typed_at_a_prompt_answers_in_a_line_or_two(name: str) -> None:
    made, said = SAYS[name]
    told = repr(made())
    assert said in told
    assert len(told) <= 320
    assert "\n" not in told
