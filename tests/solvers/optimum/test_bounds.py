"""Bounds: ordering of the relaxations, the linear relaxation by hand, and what dual prices mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from places import EXAMPLES
from strategies import instances, random_instance

from stepwatt.formulation import Instance, InstanceArrays, load
from stepwatt.formulation.conic.model import ConicModel, ConicSolverError
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.solvers import Prices, Status, solve
from stepwatt.solvers.common import relaxation
from stepwatt.solvers.common.relaxation import prices_from_duals, solve_relaxation
from stepwatt.solvers.highs.session import HighsSession, Termination

EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())
FEW = max(4, settings.default.max_examples // 4)
METHODS_WITH_SCHEDULES = (
    "greedy",
    "random",
    "local",
    "fixed-steps",
    "no-dvfs",
    "no-renewables",
    "no-storage",
    "no-deferral",
    "all-off",
)


# ---------------------------------------------------------------------- values


def test_relaxation_of_the_examples(example: Instance, request: pytest.FixtureRequest) -> None:
    """The bound agrees with an independent implementation of the relaxation."""
    known = EXPECTED[request.node.callspec.id]["linear_relaxation"]
    result = solve(example, "lp")
    assert result.status is Status.OPTIMAL
    assert result.bound == pytest.approx(known, rel=1e-8)


@pytest.mark.parametrize("name", tiny.BY_HAND)
def test_relaxations_by_hand(name: str) -> None:
    """The arithmetic stands in tiny.py; with linear curves both relaxations have the same value."""
    make, _, relaxed = tiny.BY_HAND[name]
    assert solve(make(), "lp").bound == pytest.approx(relaxed, rel=1e-9)
    assert solve(make(), "conic").bound == pytest.approx(relaxed, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 12])
def test_a_conic_schedule_of_ten_thousand_jobs_a_slot_runs_none_that_has_not_come(seed: int) -> None:
    """What the interior point leaves is relative to the number of jobs; the judge's tolerance is not."""
    inst = random_instance(
        np.random.default_rng(seed), n_slots=4, n_sites=1, slot_hours=1.0, features={"fluid", "deadline"}
    )
    judged = solve(inst, "conic").evaluation
    assert judged is not None
    assert judged.violations["deadline"] < 1e-8
    assert judged.feasible, judged.broken


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=3))
def test_bounds_stand_in_order(inst: Instance) -> None:
    """conic ≥ lp ≥ bound of the oracle ≥ its utility; conic and lp bound every method from above."""
    best = solve(inst, gap=1e-3)
    lp, conic = solve(inst, "lp").bound, solve(inst, "conic").bound
    assert lp is not None
    assert conic is not None
    assert best.bound is not None
    assert best.utility is not None
    slack = 1e-7 * max(1.0, abs(lp))
    assert conic >= lp - slack
    assert lp >= best.bound - slack
    assert best.bound >= best.utility - slack


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=2, never=["few"]))
def test_no_method_beats_the_bound(inst: Instance) -> None:
    """Every method that acts gives a schedule that the judge accepts and the bound covers."""
    best = solve(inst, gap=1e-3)
    assert best.bound is not None
    slack = 1e-7 * max(1.0, abs(best.bound))
    for method in METHODS_WITH_SCHEDULES:
        result = solve(inst, method, gap=1e-2)
        assert_acts(result.evaluation, method)
        assert result.utility is not None
        assert result.utility <= best.bound + slack, method
    for forecast in ("perfect", "persistence", "day-ahead"):
        result = solve(inst, "rolling", forecast=forecast, look_ahead_hours=2.0)
        assert_acts(result.evaluation, forecast)
        assert result.utility is not None
        assert result.utility <= best.bound + slack, forecast


def assert_acts(evaluation: Any, what: str) -> None:
    """A feasible schedule; whole jobs and GPUs where the instance asks for them (family ``integrality``)."""
    assert evaluation is not None, what
    assert evaluation.feasible, (what, evaluation.worst)


def test_the_fluid_optimum_is_the_relaxation() -> None:
    """Without integers nothing is lost: no battery, no generator, fluid jobs."""
    inst = random_instance(np.random.default_rng(4), n_slots=4, n_sites=2, features=["fluid", "deadline"])
    result = solve(inst, "lp")
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.utility == pytest.approx(result.bound, rel=1e-9)
    assert solve(inst).utility == pytest.approx(result.bound, rel=1e-7)


def test_a_relaxation_stopped_early_is_not_called_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feasible point without proof: status ``time_limit``, and the bound of the duals it has."""
    relaxed = solve_relaxation(tiny.battery().arrays())
    stopped = replace(relaxed, outcome=replace(relaxed.outcome, termination=Termination.TIME_LIMIT))
    monkeypatch.setattr(relaxation, "solve_relaxation", lambda a, time_limit, problem: stopped)
    result = solve(tiny.battery(), "lp")
    assert result.status is Status.TIME_LIMIT
    assert result.bound == pytest.approx(526.0)


# ---------------------------------------------------------------------- prices: labels


@pytest.mark.parametrize("method", ["lp", "conic", "oracle"])
def test_prices_are_labelled(method: str) -> None:
    """Every table runs over the slots; columns are named; no number is missing."""
    inst = random_instance(
        np.random.default_rng(7), n_slots=3, n_sites=2, features=["battery", "thermal", "deadline"]
    )
    prices = solve(inst, method).prices
    assert prices is not None
    sites, classes = list(inst.sites), list(inst.classes)
    queues = [(site, k) for site in sites for k in classes]
    batteries = [name for name in sites if inst.sites[name].battery is not None]
    rooms = [name for name in sites if inst.sites[name].cooling.kind == "thermal"]
    columns = {
        "power": sites,
        "stored_energy": batteries,
        "coolness": rooms,
        "gpu_time": sites,
        "waiting_jobs": queues,
        "job_at_site": queues,
    }
    start = pd.Timestamp(inst.start)
    for name, expected in columns.items():
        table = getattr(prices, name)
        assert list(table.columns) == expected, name
        assert table.index[0] == start
        assert list(np.diff(table.index)) == [np.timedelta64(30, "m")] * 2
        assert np.isfinite(table.to_numpy()).all(), name
    assert prices.waiting_jobs.columns.names == ["origin", "class"]
    assert prices.job_at_site.columns.names == ["site", "class"]


def test_slots_of_the_index_keep_the_offset_of_the_instance() -> None:
    file = tiny.battery().to_dict() | {"start": "2024-03-31T00:00:00+01:00"}
    prices = solve(Instance.from_dict(file), "lp").prices
    assert prices is not None
    assert [str(slot) for slot in prices.power.index] == [
        "2024-03-31 00:00:00+01:00",
        "2024-03-31 01:00:00+01:00",
    ]


def test_sites_without_a_thing_have_no_price_for_it() -> None:
    prices = solve(tiny.two_sites(), "lp").prices
    assert prices is not None
    assert prices.stored_energy.shape == (1, 0)
    assert prices.coolness.shape == (1, 0)


# ---------------------------------------------------------------------- prices: by hand


@pytest.mark.parametrize("method", ["lp", "conic"])
def test_prices_by_hand_two_sites(method: str) -> None:
    """tiny.two_sites: power is bought at 50 and 10; an eleventh job at b would earn 6, not 3 at a.

    The GPU of b is full: 360 s more bring 6 − 3 = 3 USD, an hour 30; that of a has room, so its time is free.
    A job more at either origin runs at a and brings 3, or from b, displacing one of a: 7 − 6 + 3 = 4.
    """
    prices = solve(tiny.two_sites(), method).prices
    assert prices is not None
    assert_row(prices.power, [50.0, 10.0])
    assert_row(prices.gpu_time, [0.0, 30.0])
    assert_row(prices.waiting_jobs, [3.0, 4.0])


@pytest.mark.parametrize("method", ["lp", "conic"])
def test_prices_by_hand_battery(method: str) -> None:
    """tiny.battery: a stored MWh saves 0.75 · (70 − 5) = 48.75, before and (as the last slot may still use it
    only within 4 MW, and uses 2.4) after the first slot; after the last one it is worth nothing."""
    prices = solve(tiny.battery(), method).prices
    assert prices is not None
    np.testing.assert_allclose(prices.power["a"], [20.0, 70.0], rtol=1e-4)
    np.testing.assert_allclose(prices.stored_energy["a"].iloc[0], 48.75, rtol=1e-4)


def assert_row(table: pd.DataFrame, expected: list[float]) -> None:
    np.testing.assert_allclose(table.iloc[0].to_numpy(), expected, rtol=1e-4, atol=1e-3)


# ---------------------------------------------------------------------- prices: finite differences

#: What is changed by one step, and the price that says what it brings (USD per unit of the change).
Change = Callable[[InstanceArrays, float, int, int], InstanceArrays]


def more_sun(a: InstanceArrays, step: float, j: int, t: int) -> InstanceArrays:
    """``step`` MW more that may be taken from sun and wind."""
    renewable = a.renewable_mw.copy()
    renewable[j, t] += step
    return replace(a, renewable_mw=renewable)


def more_jobs(a: InstanceArrays, step: float, i: int, t: int) -> InstanceArrays:
    """``step`` jobs more of class 0."""
    arrivals = a.arrivals.copy()
    arrivals[i, 0, t] += step
    return replace(a, arrivals=arrivals)


def value(a: InstanceArrays) -> float:
    outcome = solve_relaxation(a).outcome
    assert outcome.objective is not None
    return outcome.objective


def slopes(a: InstanceArrays, change: Change, j: int, t: int, step: float) -> tuple[float, float]:
    """Gain per unit of one step up, loss per unit of one step down; equal where the price is unique."""
    here = value(a)
    up, down = change(a, step, j, t), change(a, -step, j, t)
    return (value(up) - here) / step, (here - value(down)) / step


def lp_prices(inst: Instance) -> Prices:
    prices = solve(inst, "lp").prices
    assert prices is not None
    return prices


SEEDS = st.integers(0, 2**32 - 1)
PRICED = ["fluid", "deadline", "battery", "thermal", "negative", "link", "dvfs"]


def assert_between(price: float, low_high: tuple[float, float], what: object) -> None:
    """A concave value rises by at most the price going up and falls by at least it going down."""
    up, down = low_high
    scale = 1e-4 * max(1.0, abs(up), abs(down))
    assert up - scale <= price <= down + scale, (what, up, price, down)


@settings(max_examples=FEW)
@given(SEEDS)
def test_power_price_is_what_sun_saves(seed: int) -> None:
    """One watt more sun brings the power price, where all the sun there is is used."""
    inst = random_instance(np.random.default_rng(seed), n_slots=3, n_sites=2, features=PRICED)
    a, prices = inst.arrays(), lp_prices(inst)
    relaxed = solve_relaxation(a)
    assert relaxed.outcome.x is not None
    used = relaxed.outcome.x[relaxed.problem.columns["renewable_mw"].ids]
    for j in range(2):
        for t in range(3):
            if used[j, t] > 1e-5 and used[j, t] > a.renewable_mw[j, t] - 1e-9:
                price = prices.power.iloc[t, j] * a.slot_hours
                assert price >= -1e-6
                up, down = slopes(a, more_sun, j, t, 1e-6)
                assert_between(price, (up, down), (seed, j, t))


@settings(max_examples=FEW)
@given(SEEDS)
def test_waiting_price_is_what_a_job_more_brings(seed: int) -> None:
    """A thousandth of a job more on arrival brings the waiting price of that slot."""
    inst = random_instance(np.random.default_rng(seed), n_slots=3, n_sites=2, features=PRICED)
    a, prices = inst.arrays(), lp_prices(inst)
    for i in range(2):
        for t in range(3):
            price = prices.waiting_jobs.iloc[t, i * len(a.classes)]
            assert_between(price, slopes(a, more_jobs, i, t, 1e-3), (seed, i, t))


ROWS: dict[str, tuple[str, float, Callable[[LinearProblem, InstanceArrays], Any]]] = {
    # a row of the problem: price table, how many of its units one unit of the row is
    "state_of_charge": ("stored_energy", 1.0, lambda p, a: p.members.batteries),
    "room_heat": ("coolness", -1.0, lambda p, a: p.members.rooms),
    "gpu_time": ("gpu_time", 1 / 3600, lambda p, a: p.members.all_sites),
    "power_balance": ("power", 0.0, lambda p, a: p.members.all_sites),
}


@pytest.mark.parametrize("row", ["state_of_charge", "room_heat", "gpu_time", "power_balance"])
@pytest.mark.parametrize("seed", range(3))
def test_price_is_the_slope_of_its_row(row: str, seed: int) -> None:
    """A little more stored energy, heat, GPU time or demand changes the relaxation by its price."""
    inst = random_instance(np.random.default_rng(seed), n_slots=3, n_sites=2, features=PRICED)
    a, prices = inst.arrays(), lp_prices(inst)
    p = linear_problem(a)
    name, factor, members = ROWS[row]
    factor = factor or -a.slot_hours
    table = getattr(prices, name).to_numpy()
    for column, _ in enumerate(members(p, a)):
        for t in range(3):
            up, down = row_slopes(p, int(p.rows[row].ids[column, t]), 1e-6 if row != "gpu_time" else 1e-3)
            assert_between(factor * table[t, column], (up, down), (column, t))


def row_slopes(p: LinearProblem, row: int, step: float) -> tuple[float, float]:
    values = []
    for change in (-step, 0.0, step):
        lower, upper = p.row_lower.copy(), p.row_upper.copy()
        lower[row] += change
        upper[row] += change
        outcome = HighsSession(replace(p, row_lower=lower, row_upper=upper), relaxed=True).solve()
        assert outcome.objective is not None, "the row cannot be moved"
        values.append(outcome.objective)
    return (values[2] - values[1]) / step, (values[1] - values[0]) / step


@pytest.mark.parametrize("seed", range(3))
def test_conic_prices_are_those_of_the_relaxation_where_steps_do_not_matter(seed: int) -> None:
    """With one step count per model the two relaxations are one problem; interior prices agree to 1e-3."""
    inst = random_instance(np.random.default_rng(seed), n_slots=3, n_sites=2, features=["fluid", "battery"])
    file = inst.to_dict()
    for model in file["models"].values():
        model["steps"] = model["steps"][:1]
    for k in file["classes"].values():
        k["quality_floor"] = 0.0
    inst = Instance.from_dict(file)
    lp, conic = solve(inst, "lp"), solve(inst, "conic")
    assert lp.bound == pytest.approx(conic.bound, rel=1e-5)
    assert lp.prices is not None
    assert conic.prices is not None
    for t in range(3):
        for j, name in enumerate(inst.sites):
            a = inst.arrays()
            up, down = row_slopes(
                linear_problem(a), int(linear_problem(a).rows["power_balance"].ids[j, t]), 1e-6
            )
            price = -a.slot_hours * conic.prices.power[name].iloc[t]
            scale = 1e-3 * max(1.0, abs(price))
            assert up - scale <= price <= down + scale


def test_prices_from_duals_of_zero_are_zero() -> None:
    inst = tiny.battery()
    a = inst.arrays()
    p = linear_problem(a)
    prices = prices_from_duals(inst, a, p, np.zeros(len(p.row_lower)))
    for name in ("power", "stored_energy", "coolness", "gpu_time", "waiting_jobs", "job_at_site"):
        assert not getattr(prices, name).to_numpy().any()


def test_a_job_that_all_want_has_its_price() -> None:
    """Ample GPUs and free power: a job more is worth the 10 USD it pays, not the penalty it would cost."""
    inst = tiny.instance(
        {"a": tiny.site([0.0], gpus=9)}, {"a": [3]}, steps={10: 10.0}, seconds_per_step=36.0, mwh_per_step=0.0
    )
    prices = lp_prices(inst)
    assert_row(prices.waiting_jobs, [10.0])
    assert_row(prices.job_at_site, [10.0])
    assert_row(prices.gpu_time, [0.0])


def test_what_the_solver_calls_infeasible_is_so_only_if_the_simplex_method_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a price of 1e6, say, Clarabel denies schedules that there are."""

    def denied(self: ConicModel, **limits: Any) -> Any:
        raise ConicSolverError("PrimalInfeasible")

    monkeypatch.setattr(ConicModel, "solve", denied)
    result = solve(load(EXAMPLES / "conic-stops.json"), "conic")
    assert result.status is Status.OPTIMAL
    assert "PrimalInfeasible" in result.message
    assert "linear relaxation" in result.message
