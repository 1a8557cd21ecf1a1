"""Fronts: every point is a schedule that the judge agrees with, below a bound that no schedule passes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.worth.pareto import AIMS, Front


@pytest.fixture(scope="module")
def evening() -> sw.Instance:
    """Six hours, with a carbon price of its own, on few GPUs."""
    inst = sw.scenario("jemas", start="2018-11-14T15:00", n_slots=6, slot_minutes=60, carbon_price=40)
    return inst.replace({"sites.*.gpus": 100})


@pytest.fixture(scope="module", params=AIMS)
def front(request: pytest.FixtureRequest, evening: sw.Instance) -> Front:
    return sw.pareto(evening, request.param, points=4, gap=1e-3)


def test_points_are_judged_by_the_prices_of_the_instance_itself(front: Front, evening: sw.Instance) -> None:
    for row, result in zip(front.table.to_dict("records"), front.results, strict=True):
        assert result.schedule is not None
        judged = sw.evaluate(evening, result.schedule)
        assert judged.feasible
        assert row["utility"] == pytest.approx(judged.utility, rel=1e-9, abs=1e-9)
        assert row["carbon_t"] == judged.metrics["carbon_t"]
        expected = {
            "carbon": judged.metrics["carbon_t"],
            "missed": judged.metrics["missed"],
            "quality": judged.metrics["jobs"]
            - judged.metrics["mean_quality"] * (judged.metrics["jobs"] - judged.metrics["missed"]),
        }[front.aim]
        assert row["amount"] == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_less_of_the_aim_costs_utility(front: Front) -> None:
    table = front.table
    assert table["amount"].is_monotonic_decreasing
    assert table["utility"].is_monotonic_decreasing
    assert table["price"].iloc[0] == 0
    assert len(table) >= 2


def test_no_schedule_passes_the_bound_of_the_front(front: Front, evening: sw.Instance) -> None:
    """Neither those of the front nor those of other methods, nor the optimum at a price in between."""
    assert (front.table["gap"] >= -1e-9).all()
    assert (front.table["gap"] <= 2e-3 * front.table["bound"].abs().max()).all()
    aim = AIMS[front.aim]
    others = [sw.solve(evening, method) for method in ("greedy", "rolling", "all-off")]
    between = 0.37 * front.table["price"].max()
    others.append(sw.solve(aim.priced(evening, between), gap=1e-3))
    for result in others:
        assert result.schedule is not None
        utility = sw.evaluate(evening, result.schedule).utility
        assert utility <= front.bound(aim.amount(result)) + 1e-6 * abs(utility)


def test_the_figure_is_one_that_plotly_draws(front: Front, tmp_path: Path) -> None:
    drawn = go.Figure(front.figure)
    np.testing.assert_allclose(drawn.data[1].y, front.table["utility"], rtol=1e-4)
    front.to_html(tmp_path / "front.html")
    assert "no schedule above" in (tmp_path / "front.html").read_text(encoding="utf-8")


def test_what_cannot_be_a_front_is_said(evening: sw.Instance) -> None:
    for wrong, told in (
        ({"aim": "carbn"}, "carbon"),
        ({"points": 1}, "at least 2"),
        ({"highest": 0.0}, "above 0"),
    ):
        with pytest.raises(sw.InputError, match=told):
            sw.pareto(evening, **wrong)  # type: ignore[arg-type]


def test_the_command_prints_the_front(
    evening: sw.Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    evening.save("day.json")
    words = ["pareto", "day.json", "--points", "2", "--gap", "1e-3", "--out"]
    assert run([*words, "front.csv", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["points"]) == 2
    assert (tmp_path / "front.csv").read_text(encoding="utf-8").startswith("price,amount")
    assert run([*words, "front.txt"]) == 2
    assert ".html or .csv" in capsys.readouterr().err
