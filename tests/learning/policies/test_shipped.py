"""The policies that come with the package: small, of the plan beside them, played without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import stepwatt as sw
from stepwatt.data import load_europe_2018
from stepwatt.formulation import Instance
from stepwatt.learning.policies.trained import SHIPPED, shipped

#: Bytes of a policy file.
MOST = 300_000


def day(name: str, zones: tuple[str, ...], **changed: Any) -> Instance:
    """A quarter of a day of the policy's family; spot prices may not be handed on, these are others."""
    policy = sw.load_policy(name)
    minutes = round(60 * float(policy.family["slot_hours"]))
    series = {"series": load_europe_2018()} if name == "volatile" else {}
    values = {"start": "2018-06-12T06:00", "n_slots": 6, "slot_minutes": minutes, **series, **changed}
    return sw.scenario(name, zones=zones, **values)


def test_there_is_one_for_each_scenario() -> None:
    assert shipped() == ["jemas", "volatile"]


@pytest.mark.parametrize("name", shipped())
def test_it_is_small_and_says_how_it_was_trained(name: str) -> None:
    pytest.importorskip("torch")
    from stepwatt.learning.training.plan import read_plan

    assert (SHIPPED / f"{name}.npz").stat().st_size <= MOST
    policy, plan = sw.load_policy(name), read_plan(SHIPPED / f"{name}.toml")
    assert policy.task == plan.task
    told = {"family": plan.family, "warm_start": plan.warm_start, "settings": plan.training}
    for table, expected in told.items():
        saved, plain = policy.training[table], json.loads(json.dumps(expected.plain()))
        # a file does not say what could not be set when it was saved
        assert saved == {key: plain[key] for key in saved}, table


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("jemas", ("DE", "FR", "DK")),
        ("jemas", ("NL",)),
        ("jemas", ("DE", "FR", "DK", "NL", "AT")),
        ("volatile", ("DE", "FR")),
        ("volatile", ("DE", "FR", "DK")),
        ("volatile", ("DE", "FR", "DK", "NL", "AT")),
    ],
)
def test_it_plays_days_of_its_family(name: str, zones: tuple[str, ...]) -> None:
    inst = day(name, zones)
    judged = sw.evaluate(inst, sw.load_policy(name).schedule(inst))
    assert judged.feasible, judged.broken
    # whole jobs; the bound is that of the fluid model
    assert judged.utility <= sw.solve(inst, "lp").bound * (1 + 1e-9)
    assert judged.utility > sw.solve(inst, "all-off").utility


@pytest.mark.parametrize("name", shipped())
def test_comparisons_take_it_by_name(name: str) -> None:
    inst = day(name, ("DE", "FR", "DK"), n_slots=3)
    found = sw.compare(inst, {"learned": name, "greedy": "greedy"}, bound="lp")
    assert len(found.statistics) == 2


def test_who_plays_one_needs_no_torch() -> None:
    code = """
import sys, stepwatt as sw
day = sw.scenario("jemas", start="2018-06-12T10:00", n_slots=2, zones=("DE", "FR", "DK"))
assert sw.load_policy("jemas").schedule(day) is not None
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
