"""compare: one judge, one bound, no silent scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import stepwatt as sw
from stepwatt.scores.record import energy_cost
from stepwatt.solvers import Result


@pytest.fixture(scope="module")
def inst() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12T10:00", n_slots=4)


@pytest.fixture(scope="module")
def other() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12T18:00", n_slots=4)


@pytest.fixture(scope="module")
def best(inst: sw.Instance) -> Result:
    return sw.solve(inst)


@pytest.fixture(scope="module")
def comparison(inst: sw.Instance, best: Result) -> sw.Comparison:
    return sw.compare(inst, {"best": best, "lp": "lp", "greedy": "greedy", "nothing": idle, "off": "all-off"})


def idle(inst: sw.Instance) -> sw.Schedule:
    """Everything off; the rooms stay as they are only where no heat leaks in, so check before use."""
    return sw.Schedule.idle(inst.arrays())


def broken(inst: sw.Instance) -> sw.Schedule:
    """Export without any power behind it."""
    schedule = sw.Schedule.idle(inst.arrays())
    schedule.export_mw[0, 0] = 0.01
    return schedule


def test_every_utility_is_the_judges(inst: sw.Instance, best: Result, comparison: sw.Comparison) -> None:
    assert best.schedule is not None
    assert comparison.table.at["best", "utility"] == sw.evaluate(inst, best.schedule).utility
    assert comparison.table.at["nothing", "utility"] == sw.evaluate(inst, idle(inst)).utility


def test_gap_and_captured_share_are_those_of_the_design(comparison: sw.Comparison) -> None:
    table = comparison.table
    bound, off = comparison.cases[0].bound, comparison.cases[0].all_off
    assert bound is not None
    assert off is not None
    for policy in ("best", "greedy", "off"):
        utility = table.at[policy, "utility"]
        assert table.at[policy, "gap"] == pytest.approx((bound - utility) / abs(bound), rel=1e-12)
        assert table.at[policy, "captured_share"] == pytest.approx((utility - off) / (bound - off), abs=1e-12)
    assert table.at["off", "captured_share"] == 0
    assert 0 <= table.at["best", "gap"] <= 1e-4


def test_bound_is_the_lowest_proven_one_and_above_every_scored_utility(comparison: sw.Comparison) -> None:
    bound = comparison.cases[0].bound
    assert bound == comparison.results["own_bound"].min()
    assert bound is not None
    assert (comparison.results["utility"].dropna() <= bound * (1 + 1e-9)).all()


def test_bound_is_computed_where_no_policy_proves_one(inst: sw.Instance, best: Result) -> None:
    alone = sw.compare(inst, {"greedy": "greedy"})
    assert alone.policies == ["greedy"]
    assert alone.cases[0].bound == pytest.approx(best.bound, rel=1e-3)
    assert alone.cases[0].bound_by == "oracle"
    assert sw.compare(inst, {"greedy": "greedy"}, bound=None).table["gap"].isna().all()


def test_bound_of_a_restricted_problem_is_not_taken_for_the_instances(
    inst: sw.Instance, best: Result
) -> None:
    low = replace(best, method="local", bound=1.0)
    case = sw.compare(inst, {"local": low, "greedy": "greedy"}).cases[0]
    assert case.bound is not None
    assert case.bound > 1.0


def test_a_broken_schedule_is_flagged_with_its_family_and_never_scored(inst: sw.Instance) -> None:
    found = sw.compare(inst, {"mine": broken, "greedy": "greedy"}, bound="lp")
    row = found.table.loc["mine"]
    assert row["flag"] == "breaks balance by 0.01"
    assert row["infeasible"] == 1
    for score in ("utility", "gap", "captured_share", "energy_cost", "miss_rate"):
        assert math.isnan(row[score])
    assert "breaks balance by 0.01" in found.to_markdown()
    assert math.isnan(found.results.set_index("policy").at["mine", "utility"])


def test_one_broken_schedule_among_several_instances_hides_the_mean(
    inst: sw.Instance, other: sw.Instance
) -> None:
    def sometimes(given: sw.Instance) -> sw.Schedule:
        return broken(given) if given is other else idle(given)

    found = sw.compare([inst, other], {"mine": sometimes, "greedy": "greedy"}, bound="lp")
    assert math.isnan(found.table.at["mine", "utility"])
    assert (found.table.at["mine", "infeasible"], found.table.at["mine", "instances"]) == (1, 2)
    assert "1 of 2 instances" in found.to_markdown()


def test_several_instances_give_means_and_medians(inst: sw.Instance, other: sw.Instance) -> None:
    third = sw.scenario("jemas", start="2018-06-13", n_slots=4)
    found = sw.compare([inst, other, third], {"nothing": idle}, bound="lp")
    utilities = [sw.evaluate(given, idle(given)).utility for given in (inst, other, third)]
    assert found.table.at["nothing", "utility"] == pytest.approx(np.mean(utilities))
    assert found.table.at["nothing", "utility_median"] == pytest.approx(np.median(utilities))
    assert list(found.results["number"]) == [0, 1, 2]


def test_strongest_planner_knows_no_future_and_is_feasible(comparison: sw.Comparison) -> None:
    assert comparison.strongest_planner == "greedy"
    assert comparison.best_policy == "best"


def test_energy_cost_is_what_separates_utility_from_revenue(inst: sw.Instance, best: Result) -> None:
    judged = best.evaluation
    assert judged is not None
    money = judged.breakdown
    rest = money["revenue"] - money["transfer"] - money["miss_penalty"] - judged.utility
    assert energy_cost(judged) == pytest.approx(rest, rel=1e-12)


def test_saving_and_loading_gives_the_same_tables(comparison: sw.Comparison, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "comparison.json"
    comparison.save(path)
    again = sw.Comparison.load(path)
    pd.testing.assert_frame_equal(again.table, comparison.table)
    pd.testing.assert_frame_equal(again.results, comparison.results)
    before, after = comparison.cases[0].prices, again.cases[0].prices
    assert before is not None
    assert after is not None
    for name, table in vars(before).items():
        pd.testing.assert_frame_equal(getattr(after, name), table)


def test_csv_holds_full_precision(comparison: sw.Comparison, tmp_path: Path) -> None:
    comparison.to_csv(tmp_path / "results.csv")
    read = pd.read_csv(tmp_path / "results.csv")
    assert list(read["utility"].dropna()) == list(comparison.results["utility"].dropna())


def test_markdown_and_latex_have_one_line_per_policy(inst: sw.Instance) -> None:
    found = sw.compare(inst, {"a|b & c_d": "greedy"}, bound=None)
    assert "| a\\|b & c_d | planner |" in found.to_markdown()
    assert "a|b \\& c\\_d & planner &" in found.to_latex()


def test_names_are_no_markup_in_markdown_and_no_formulas_in_spreadsheets(
    inst: sw.Instance, tmp_path: Path
) -> None:
    names = [
        "<script>alert(1)</script>",
        "[a](javascript:b)",
        "a\\|b",
        "two\nlines",
        "=1+1",
        "@SUM(1)",
        "+1",
        "-1",
    ]
    found = sw.compare(inst, dict.fromkeys(names, "greedy"), bound=None)
    text = found.to_markdown()
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == [
        "| &lt;script&gt;alert(1)&lt;/script&gt;", r"| [a]\(javascript:b)", r"| a\\\|b", "| two lines",
        "| =1+1", "| @SUM(1)", "| +1", "| -1",
    ]  # fmt: skip
    assert all(line.endswith(" |") for line in text.splitlines())
    found.to_csv(tmp_path / "results.csv")
    read = pd.read_csv(tmp_path / "results.csv")
    assert list(read["policy"]) == [*names[:4], "'=1+1", "'@SUM(1)", "'+1", "'-1"]
    assert list(read["utility"]) == list(found.results["utility"])


def test_relaxations_are_shown_as_bounds_not_as_policies(comparison: sw.Comparison) -> None:
    line = next(line for line in comparison.to_markdown().splitlines() if line.startswith("| lp "))
    assert "≤" in line
    assert math.isnan(comparison.table.at["lp", "utility"])


def test_progress_runs_from_zero_to_one(inst: sw.Instance) -> None:
    seen: list[float] = []
    sw.compare(inst, {"nothing": idle}, bound="lp", progress=lambda done, what: seen.append(done))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("policies", "field"),
    [
        ({"x": "gready"}, "policies.x"),
        ({"x": "greedy:persistence"}, "policies.x"),
        ({"x": 3}, "policies.x"),
        ({"x": lambda inst: 7}, "policies.x"),
        ({}, "policies"),
    ],
)
def test_bad_policies_are_named(inst: sw.Instance, policies: dict[str, object], field: str) -> None:
    with pytest.raises(sw.InputError) as caught:
        sw.compare(inst, policies)
    assert caught.value.field == field


def test_a_policy_that_answers_wrongly_on_a_later_instance_is_a_row_there(inst: sw.Instance) -> None:
    later = sw.scenario("jemas", n_slots=inst.n_slots, start="2018-10-10")
    idle = sw.Schedule.idle(inst.arrays())

    def mine(given: sw.Instance) -> object:
        return idle if given.name == inst.name else None

    found = sw.compare([inst, later], {"mine": mine, "greedy": "greedy"}, bound=None)
    failures = [[entry.failure for entry in case.entries] for case in found.cases]
    assert failures[0] == ["", ""]
    assert "expected a Schedule" in failures[1][0]
    assert failures[1][1] == ""


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"instances": "instance.json"}, "instances"),
        ({"instances": []}, "instances"),
        ({"policies": "greedy"}, "policies"),
        ({"policies": {3: "greedy"}}, "policies"),
        ({"policies": {"": "greedy"}}, "policies"),
        ({"bound": 3}, "bound"),
        ({"kinds": 3}, "kinds"),
        ({"workers": 1.5}, "workers"),
        ({"history": 3}, "history"),
        ({"keep": 3}, "keep"),
        ({"progress": 3}, "progress"),
        ({"seed": -1}, "seed"),
        ({"gap": "x"}, "gap"),
        ({"time_limit": "x"}, "time_limit"),
        ({"look_ahead_hours": None}, "look_ahead_hours"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_runs(
    inst: sw.Instance, given: dict[str, Any], field: str
) -> None:
    usual: dict[str, Any] = {"instances": inst, "policies": {"greedy": "greedy"}, "bound": None}
    with pytest.raises(sw.InputError) as caught:
        sw.compare(**usual | given)
    assert caught.value.field == field


def test_a_result_or_schedule_of_another_instance_is_refused(other: sw.Instance, best: Result) -> None:
    with pytest.raises(sw.InputError, match=r"policies\.best"):
        sw.compare(other, {"best": best})
    short = sw.scenario("jemas", n_slots=2)
    with pytest.raises(sw.InputError, match=r"policies\.mine"):
        sw.compare(short, {"mine": best.schedule}, bound=None)
