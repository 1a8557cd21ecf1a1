"""Today's practice in an operator's words."""

from __future__ import annotations

import inspect
from functools import cache

import numpy as np
import pytest

import stepwatt as sw
from tests.support import tiny


@cache
def day():
    return sw.scenario("jemas", start="2018-06-12", n_slots=24, slot_minutes=60)


def test_a_rule_of_an_operator_is_compared_in_a_line():
    mine = sw.rules(steps=30, route="home", charge="23:00-05:00", setpoint=24)
    table = sw.compare(day(), {"mine": mine, "greedy": "greedy"}, bound="lp").results.set_index("policy")
    assert table.loc["mine", "utility"] < table.loc["greedy", "utility"]


def test_jobs_stay_at_home_or_go_where_power_is_cheap():
    a = tiny.two_sites()
    # a runs 10 of its 12, b its 4: 10 · 3 + 4 · 7 − 2 lost + 0.4 · 10 of sun
    assert worth(a, sw.rules(route="home")) == pytest.approx(30 + 28 - 2 + 4)
    # b is cheaper by more than the way, but its own jobs then find it full
    assert worth(a, sw.rules(route="cheapest")) == pytest.approx(10 * 6 + 2 * 3 + 4 * (8 - 5 - 1) + 5)


def test_jobs_run_with_the_steps_that_are_said():
    inst = tiny.one_slot()
    run = sw.rules(steps=20).schedule(inst).runs.sum(axis=1)
    assert run.tolist() == [0.0, 10.0]
    assert sw.rules(steps=11).schedule(inst).runs.sum(axis=1).tolist() == [12.0, 0.0]


def test_batteries_charge_in_their_hours_and_discharge_in_the_others():
    plan = sw.rules(charge="00:00-01:00").schedule(tiny.battery())
    assert plan.charge_mw[0].tolist() == pytest.approx([4.0, 0.0])
    assert plan.discharge_mw[0].tolist() == pytest.approx([0.0, 2.4])
    assert worth(tiny.battery(), sw.rules(charge="00:00-01:00")) == pytest.approx(526.0)


def test_rooms_are_kept_at_their_set_point():
    evaluation = sw.evaluate(day(), sw.rules(setpoint=22, steps=18).schedule(day()))
    assert evaluation.feasible
    assert np.abs(evaluation.temperature_c[:, 4:] - 22).max() < 0.1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"route": "away"}, "route = 'away': expected one of home, nearest, cheapest"),
        ({"charge": "at night"}, "charge = 'at night': expected hours of the day"),
        ({"model": "x"}, "model = 'x': expected one of m"),
        ({"clock": "x"}, "clock = 'x': expected"),
    ],
)
def test_bad_rules_are_one_line(said, told):
    with pytest.raises(sw.InputError, match=told):
        sw.rules(**said).schedule(tiny.one_slot())


def own_rule():
    return sw.compare(day(), {"mine": sw.rules(steps=24, route="nearest", setpoint=25)}, bound="lp")


def test_an_own_rule_takes_at_most_five_lines():
    assert len(inspect.getsource(own_rule).splitlines()) - 1 <= 5
    assert own_rule().results["utility"].notna().all()


def worth(inst, rules):
    evaluation = sw.evaluate(inst, rules.schedule(inst))
    assert evaluation.feasible
    return evaluation.utility
