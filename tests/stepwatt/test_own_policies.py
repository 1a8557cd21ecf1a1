"""Policies of one's own see by name, answer by name, and are declared."""

from __future__ import annotations

from datetime import UTC
from functools import cache
from typing import Any

import numpy as np
import pytest
import tiny

import stepwatt as sw
from stepwatt.learning.policies.named_action import SAID
from stepwatt.learning.policies.named_observation import SEEN


@cache
def day() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12", n_slots=12, slot_minutes=60, integral_jobs=False)


def worth(inst: sw.Instance, policy: Any) -> float:
    evaluation = sw.evaluate(inst, policy.schedule(inst))
    assert evaluation.feasible
    return evaluation.utility


def seen(inst: sw.Instance, slot: int, answer: Any = None, **declared: Any) -> Any:
    """What a policy was told in that slot."""
    told: list[Any] = []

    def look(obs: Any) -> Any:
        now = {name: obs[name] for name in obs if "ahead" not in name}
        told.append(now | {"vector": obs.vector.tolist()})
        return answer or {}

    sw.policy(look, **declared).schedule(inst)
    return told[slot]


def test_numbers_are_those_of_the_instance_in_its_units() -> None:
    inst, now = day(), seen(day(), 3)
    oslo = next(iter(inst.sites))
    a = inst.arrays()
    assert now["price"][oslo] == a.import_price[0, 3]
    assert now["export_price"][oslo] == a.export_price[0, 3]
    assert now["renewable_mw"][oslo] == a.renewable_mw[0, 3]
    assert now["arrivals"][oslo][a.classes[1]] == a.arrivals[0, 1, 3]
    assert now["time"].astimezone(UTC).hour == 3
    assert (now["slot"], now["slots_left"], now["slot_hours"]) == (3, 8, 1.0)
    assert set(now["energy_mwh"]) == {name for name, has in zip(a.sites, a.battery, strict=True) if has}


def test_names_can_be_asked_as_attributes_and_what_is_unknown_is_told() -> None:
    def ask(obs: Any) -> Any:
        assert obs.price == obs["price"]
        with pytest.raises(sw.InputError, match=r"'prize': expected one of .*did you mean price"):
            obs["prize"]
        with pytest.raises(AttributeError, match="did you mean price"):
            obs.prize  # noqa: B018
        assert set(obs) == set(SEEN)
        return {}

    sw.policy(ask).schedule(tiny.one_slot())


def test_what_a_schedule_leaves_is_what_the_policy_sees() -> None:
    """The battery charges 4 MW for an hour at 0.8: 3.2 of 10 MWh."""
    now = seen(tiny.battery(), 1, {"battery_mw": {"a": 4}})
    assert now["energy_mwh"] == {"a": pytest.approx(3.2)}
    assert now["state_of_charge"] == {"a": pytest.approx(0.32)}


def held(inst: sw.Instance) -> Any:
    return seen(inst, 1, {"hold": 1})


def test_jobs_that_are_held_wait_and_are_due_at_their_deadline() -> None:
    inst = tiny.instance(
        {"a": tiny.site([1.0] * 3, gpus=9)},
        {"a": [4, 2, 0]},
        steps={10: 5.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
        job={"deadline_slots": 1},
    )
    now = held(inst)
    assert now["jobs_waiting"]["a"]["k"] == 4
    assert now["jobs_at_hand"]["a"]["k"] == 6
    assert now["jobs_due"]["a"]["k"] == 4


def test_the_future_is_what_the_forecast_says() -> None:
    a = day().arrays()
    told: list[Any] = []

    def look(obs: Any) -> Any:
        told.append((obs.price_ahead, obs.renewable_ahead_mw, obs.arrivals_ahead))
        return {}

    sw.policy(look, information="perfect").schedule(day())
    prices, sun, arrivals = told[2]
    site, job_class = a.sites[0], a.classes[0]
    np.testing.assert_array_equal(prices[site], a.import_price[0, 3:])
    np.testing.assert_array_equal(sun[site], a.renewable_mw[0, 3:])
    np.testing.assert_array_equal(arrivals[site][job_class], a.arrivals[0, 0, 3:])
    assert len(told[-1][0][site]) == 0


def test_what_is_seen_does_not_depend_on_what_comes_later() -> None:
    file = day().to_dict()
    for site in file["sites"].values():
        site["grid"]["import_price"][6:] = [7.0] * 6
        site["renewable_mw"][6:] = [0.0] * 6
    other, now = sw.Instance.from_dict(file), {"information": "persistence"}
    for slot in (0, 5):
        assert seen(other, slot, **now) == seen(day(), slot, **now)


def test_without_a_forecast_nothing_is_told_of_the_future() -> None:
    blind = sw.policy(lambda obs: {"hold": obs["price_ahead"]}, information="none")
    with pytest.raises(sw.InputError, match=r"expected a forecast: sw\.policy"):
        blind.schedule(tiny.one_slot())


def test_nothing_said_is_what_the_rules_do_by_themselves() -> None:
    few, cool = {"steps": 12}, {"steps": 12, "setpoint_c": 22}
    by_rules, cooled = worth(day(), sw.rules(steps=12)), worth(day(), sw.rules(steps=12, setpoint=22))
    assert worth(day(), sw.policy(lambda obs: few)) == pytest.approx(by_rules, rel=1e-9)
    assert worth(day(), sw.policy(lambda obs: cool)) == pytest.approx(cooled, rel=1e-9)
    assert by_rules != pytest.approx(cooled, rel=1e-6)


def test_steps_are_steps() -> None:
    """12 jobs; with 10 and 20 allowed, 15 on the mean are six of each, for 12 · 540 s of 7200 s."""
    inst = tiny.one_slot().replace({"sites.a.gpus": 4})
    runs = sw.policy(lambda obs: {"steps": {"a": {"k": 15}}}).schedule(inst).runs
    assert runs.sum(axis=1).tolist() == [6.0, 6.0]
    assert sw.policy(lambda obs: {"steps": 99}).schedule(inst).runs.sum(axis=1).tolist() == [0.0, 12.0]


def test_a_battery_that_is_told_what_to_do_earns_the_optimum() -> None:
    def cheap_first(obs: Any) -> Any:
        return {"battery_mw": {"a": 4 if obs.price["a"] < 50 else -4}}

    assert worth(tiny.battery(), sw.policy(cheap_first)) == pytest.approx(526.0)


def test_jobs_go_where_they_are_sent_in_shares() -> None:
    """Half of a's twelve jobs move to b, which runs its own four, too: the optimum of ``two_sites``."""
    half = sw.policy(lambda obs: {"route": {"a": {"k": {"a": 0.5, "b": 0.5}}}})
    assert worth(tiny.two_sites(), half) == pytest.approx(87.0)


def test_numbers_for_the_codec_are_an_answer_as_before() -> None:
    inst = day()
    size = 60
    declared = sw.policy(lambda obs: np.zeros(size), information="none")
    assert sw.compare(inst, {"mine": declared}, bound="lp").table.loc["mine", "gap"] > 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"step": 30}, "action = 'step': expected one of route, hold, steps.*did you mean steps"),
        ({"steps": {"b": 3}}, "action.steps = 'b': expected one of a"),
        ({"steps": {"a": {"x": 3}}}, "action.steps.a = 'x': expected one of k"),
        ({"steps": "many"}, "action.steps.a.k = 'many': expected a finite number, 0 or more"),
        ({"hold": 2}, "action.hold.a.k = 2: expected a finite number, 0 or more, 1 or less"),
        ({"battery_mw": float("nan")}, "action.battery_mw.a = nan: expected a finite number"),
        ({"model": "x"}, "action.model.a.k = 'x': expected one of m"),
        ({"clock": "x"}, "action.clock.a.k = 'x': expected one of"),
        ({"route": "b"}, "action.route.a.k = 'b': expected one of a"),
        ({"route": {"a": {"k": {"a": 0.5}}}}, "expected shares that add up to 1"),
        ({"setpoint_c": 20, "cooling_mw": 1}, "expected one of both"),
    ],
)
def test_an_answer_that_cannot_be_is_one_line(said: Any, told: str) -> None:
    with pytest.raises(sw.InputError, match=told) as refused:
        sw.policy(lambda obs: said).schedule(tiny.one_slot())
    assert "\n" not in str(refused.value)


def undeclared(obs: Any) -> Any:
    return {}


def test_what_a_callable_is_given_is_declared_not_guessed() -> None:
    with pytest.raises(sw.InputError, match=r"policies.mine = .*expected sw.policy\(…\) around"):
        sw.compare(tiny.one_slot(), {"mine": undeclared})
    with pytest.raises(sw.InputError, match=r"expected a Schedule of what plans instances"):
        sw.compare(tiny.one_slot(), {"mine": lambda told: {}})


def test_a_planner_may_call_the_instance_what_it_likes() -> None:
    def mine(obs: sw.Instance) -> sw.Schedule:
        schedule = sw.solve(obs).schedule
        assert schedule is not None
        return schedule

    table = sw.compare(tiny.one_slot(), {"mine": sw.planner(mine)}, bound="lp").table
    assert table.loc["mine", "utility"] == pytest.approx(48)


def test_the_docs_have_every_name(repository_docs: str) -> None:
    for name in (*SEEN, *SAID):
        assert f"`{name}`" in repository_docs, name


@pytest.fixture
def repository_docs() -> str:
    from places import ROOT

    return (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
