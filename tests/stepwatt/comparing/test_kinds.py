"""What one's own policies may be compared with is declared, by the caller or by the policy."""

from __future__ import annotations

from pathlib import Path

import pytest

import stepwatt as sw


class Planner:
    """A policy that says what it is."""

    kind = "planner"

    def schedule(self, instance: sw.Instance, history: sw.Instance | None = None) -> sw.Schedule:
        found = sw.solve(instance, "greedy").schedule
        assert found is not None
        return found


@pytest.fixture(scope="module")
def inst() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12T12:00", n_slots=3)


def test_an_own_planner_competes_for_strongest_planner(inst: sw.Instance, tmp_path: Path) -> None:
    given = {"mine": Planner().schedule(inst), "random": "random"}
    assert sw.compare(inst, given, bound="lp").strongest_planner == "random"
    declared = sw.compare(inst, given, bound="lp", kinds={"mine": "planner"})
    assert declared.strongest_planner == "mine"
    declared.save(tmp_path / "comparison.json")
    assert sw.Comparison.load(tmp_path / "comparison.json").strongest_planner == "mine"


def test_a_policy_can_say_what_it_is(inst: sw.Instance) -> None:
    found = sw.compare(inst, {"mine": Planner(), "random": "random"}, bound="lp")
    assert found.table.at["mine", "kind"] == "planner"
    overruled = sw.compare(inst, {"mine": Planner()}, bound="lp", kinds={"mine": "yours"})
    assert overruled.table.at["mine", "kind"] == "yours"


def test_a_trained_policy_is_a_planner() -> None:
    assert sw.load_policy("jemas").kind == "planner"


@pytest.mark.parametrize(("information", "kind"), [("day-ahead", "planner"), ("perfect", "ablation")])
def test_what_a_policy_is_told_says_what_it_is(inst: sw.Instance, information: str, kind: str) -> None:
    mine = sw.policy(lambda obs: {"steps": 26}, information=information)
    assert sw.compare(inst, {"mine": mine}, bound="lp").table.at["mine", "kind"] == kind


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ({"other": "planner"}, "kinds = 'other'"),
        ({"greedy": "optimum"}, "kinds = 'greedy'"),
        ({"mine": "bound"}, "kinds.mine = 'bound'"),
    ],
)
def test_kinds_of_methods_are_known_and_bounds_are_proven(
    inst: sw.Instance, kinds: dict[str, object], told: str
) -> None:
    with pytest.raises(sw.InputError, match=told):
        sw.compare(inst, {"mine": Planner(), "greedy": "greedy"}, bound="lp", kinds=kinds)  # type: ignore[arg-type]
