"""Every lever of the scenario "jemas" is worth something, and none is worth everything.

Worth: the share of the perfect-foresight utility (linear relaxation, fluid jobs) that is lost without it.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from stepwatt.data import scenario
from stepwatt.formulation import Instance
from stepwatt.formulation.milp.matrices import linear_problem

LEVERS = ("transfer", "steps", "dvfs", "battery", "deferral")


def without(data: dict[str, Any], *levers: str) -> dict[str, Any]:
    """The instance file with some levers taken away."""
    data = copy.deepcopy(data)
    if "transfer" in levers:
        data["link_gb_per_hour"] = {i: {j: 0.0 for j in data["sites"] if j != i} for i in data["sites"]}
    if "steps" in levers:
        for model in data["models"].values():
            model["steps"] = [30]
    if "dvfs" in levers:
        for site in data["sites"].values():
            site["clocks"] = [{"name": "base", "speed": 1.0, "energy": 1.0}]
    if "battery" in levers:
        for site in data["sites"].values():
            site["battery"] = None
    if "deferral" in levers:
        for job_class in data["classes"].values():
            job_class["deadline_slots"] = 0
    return data


def bound(data: dict[str, Any]) -> float:
    """Optimum of the linear relaxation (USD)."""
    problem = linear_problem(Instance.from_dict(data).arrays())
    rows = LinearConstraint(problem.matrix, problem.row_lower, problem.row_upper)
    found = milp(-problem.cost, constraints=rows, bounds=Bounds(problem.lower, problem.upper))
    assert found.success
    return problem.offset - float(found.fun)


@cache
def worths(day: str) -> dict[str, float]:
    data = scenario("jemas", start=day, n_slots=48, slot_minutes=30, integral_jobs=False).to_dict()
    full = bound(data)
    trials = {lever: (lever,) for lever in LEVERS} | {"everything": LEVERS}
    return {name: 1 - bound(without(data, *levers)) / full for name, levers in trials.items()}


@pytest.mark.parametrize(
    ("lever", "least", "most"),
    [
        ("transfer", 0.07, 0.20),
        ("steps", 0.01, 0.05),
        ("dvfs", 0.015, 0.034),
        ("battery", 0.002, 0.027),
        ("deferral", 0.008, 0.017),
        ("everything", 0.24, 0.55),
    ],
)
@pytest.mark.parametrize("day", ["2018-01-17", "2018-06-12", "2018-10-10"])
def test_the_lever_is_worth_what_the_calibration_says(
    day: str, lever: str, least: float, most: float
) -> None:
    assert least <= worths(day)[lever] <= most


def test_storage_is_worth_more_where_prices_are_volatile() -> None:
    data = scenario("jemas", n_slots=48, slot_minutes=30, integral_jobs=False, volatility=3).to_dict()
    lost = 1 - bound(without(data, "battery")) / bound(data)
    assert lost > 3 * worths("2018-06-12")["battery"]


if __name__ == "__main__":
    for date in ("2018-01-17", "2018-06-12", "2018-10-10"):
        print(date, *(f"{name} {100 * worth:.1f} %" for name, worth in worths(date).items()))
