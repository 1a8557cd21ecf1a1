"""Results: what a status claims, the file stepwatt.result/1, and what a caller may ask for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from strategies import random_instance

from stepwatt.formulation import InputError, Schedule, evaluate, load_schedule
from stepwatt.solvers import METHODS, Result, Seconds, Settings, Status, relative_gap, solve
from stepwatt.solvers.methods import Method

BREAKDOWN = {
    "revenue",
    "transfer",
    "miss_penalty",
    "import",
    "export",
    "carbon",
    "wear",
    "fuel",
    "startup",
    "demand",
    "terminal",
}
METRICS = {
    "jobs",
    "missed",
    "miss_rate",
    "mean_quality",
    "mean_steps",
    "transfer_share",
    "energy_mwh",
    "carbon_t",
    "renewable_share",
    "gpu_utilisation",
}
FIELDS = [
    "schema",
    "instance",
    "method",
    "status",
    "utility",
    "bound",
    "gap",
    "seconds",
    "breakdown",
    "metrics",
    "violations",
    "schedule",
]
PROMISED = {
    "oracle",
    "lp",
    "conic",
    "greedy",
    "rolling",
    "local",
    "fixed-steps",
    "no-dvfs",
    "no-renewables",
    "no-storage",
    "all-off",
    "random",
}
NO_TIME = Seconds(0.0, 0.0, 0.0)


def numbers(value: Any) -> Iterator[float]:
    """Every number in a JSON value."""
    if isinstance(value, dict):
        for inside in value.values():
            yield from numbers(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from numbers(inside)
    elif isinstance(value, (int, float)):
        yield value


# ---------------------------------------------------------------------- the file


def test_the_methods_of_the_interface_exist() -> None:
    assert set(METHODS) >= PROMISED


@pytest.mark.parametrize("method", METHODS)
def test_result_file(method: str, tmp_path: Path) -> None:
    """Fields, names and units of docs/files.md, for every method; utility is the sum of parts."""
    inst = random_instance(
        np.random.default_rng(3),
        n_slots=3,
        n_sites=2,
        features=["battery", "generator", "demand", "deadline"],
    )
    result = solve(inst, method, gap=1e-3)
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert list(data) == FIELDS
    assert data["schema"] == "stepwatt.result/1"
    assert data["instance"] == inst.name
    assert data["method"] == method
    assert data["status"] in {"optimal", "feasible", "time_limit", "infeasible"}
    assert set(data["seconds"]) == {"build", "solve", "total"}
    assert set(data["breakdown"]) == BREAKDOWN
    assert set(data["metrics"]) == METRICS
    assert all(math.isfinite(number) for number in numbers(data))
    assert data["seconds"]["total"] >= data["seconds"]["build"] + data["seconds"]["solve"] - 1e-9
    money = data["breakdown"]
    costs = sum(money.values()) - money["revenue"] - money["export"]
    assert data["utility"] == pytest.approx(money["revenue"] + money["export"] - costs, rel=1e-12)
    if data["gap"] is not None:
        expected = (data["bound"] - data["utility"]) / max(abs(data["bound"]), 1e-9)
        assert data["gap"] == pytest.approx(expected, rel=1e-12)
    path = tmp_path / "result.json"
    result.save(path)
    again = evaluate(inst, load_schedule(inst, path))
    assert again.utility == pytest.approx(data["utility"], rel=1e-12)
    assert again.violations == pytest.approx(data["violations"], abs=1e-12)


def test_an_infeasible_result_has_empty_parts() -> None:
    data = Result(tiny.battery(), "oracle", Status.INFEASIBLE, NO_TIME).to_dict()
    assert list(data) == FIELDS
    assert data["utility"] is data["bound"] is data["gap"] is data["schedule"] is None
    assert data["breakdown"] == data["metrics"] == data["violations"] == {}
    json.dumps(data, allow_nan=False)


# ---------------------------------------------------------------------- invariants


def test_a_schedule_comes_with_its_evaluation() -> None:
    inst = tiny.battery()
    idle = Schedule.idle(inst.arrays())
    with pytest.raises(ValueError, match="come together"):
        Result(inst, "mine", Status.FEASIBLE, NO_TIME, schedule=idle)
    with pytest.raises(ValueError, match="come together"):
        Result(inst, "mine", Status.FEASIBLE, NO_TIME, evaluation=evaluate(inst, idle))


def test_optimal_needs_a_bound_and_infeasible_no_schedule() -> None:
    inst = tiny.battery()
    idle = Schedule.idle(inst.arrays())
    judged = evaluate(inst, idle)
    with pytest.raises(ValueError, match="only with a bound"):
        Result(inst, "mine", Status.OPTIMAL, NO_TIME, schedule=idle, evaluation=judged)
    with pytest.raises(ValueError, match="only with a bound"):
        Result(inst, "mine", Status.OPTIMAL, NO_TIME, bound=1.0)
    with pytest.raises(ValueError, match="no schedule"):
        Result(inst, "mine", Status.INFEASIBLE, NO_TIME, schedule=idle, evaluation=judged)


@pytest.mark.parametrize(
    ("bound", "utility", "gap"),
    [(100.0, 99.0, 0.01), (-100.0, -101.0, 0.01), (0.0, 0.0, 0.0), (0.0, -1e-9, 1.0), (5.0, 5.0, 0.0)],
)
def test_gap(bound: float, utility: float, gap: float) -> None:
    assert relative_gap(bound, utility) == pytest.approx(gap)


# ---------------------------------------------------------------------- what a caller may ask


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gap", -1e-4),
        ("gap", 1.0),
        ("gap", math.nan),
        ("time_limit", 0.0),
        ("time_limit", -1.0),
        ("time_limit", math.nan),
        ("look_ahead_hours", 0.0),
        ("look_ahead_hours", math.nan),
    ],
)
def test_settings_out_of_range_are_input_errors(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        Settings(**{field: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=field):
        solve(tiny.battery(), **{field: value})  # type: ignore[arg-type]


def test_an_unknown_method_or_forecast_names_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"method.*magic.*oracle"):
        solve(tiny.battery(), "magic")
    with pytest.raises(InputError, match=r"forecast.*magic.*persistence"):
        solve(tiny.battery(), "rolling", forecast="magic")


@pytest.mark.parametrize("method", METHODS)
def test_progress_rises_to_one_at_most(method: str) -> None:
    seen: list[float] = []
    solve(tiny.battery(), method, progress=lambda done, what: seen.append(done))
    assert seen == sorted(seen)
    assert all(0.0 <= done <= 1.0 for done in seen)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_call_gives_the_same_schedule(method: str) -> None:
    """Same seed, same schedule: results can be reproduced."""
    inst = random_instance(np.random.default_rng(8), n_slots=2, n_sites=2, features=["battery", "deadline"])
    first, second = (solve(inst, method, seed=5, gap=1e-3).to_dict() for _ in range(2))
    assert first["schedule"] == second["schedule"]
    assert first["bound"] == second["bound"]


def test_a_method_that_gives_no_result_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def idle(inst: Any, settings: Settings) -> Any:
        return Schedule.idle(inst.arrays())

    monkeypatch.setitem(METHODS._built_in, "idle", Method(idle, "planner", "does nothing"))
    with pytest.raises(InputError, match=r"method idle.*Schedule.*a Result"):
        solve(random_instance(np.random.default_rng(0), n_slots=1, n_sites=1, features=[]), "idle")
