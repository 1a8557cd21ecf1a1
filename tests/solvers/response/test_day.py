"""The plan of a whole day is the linear relaxation's optimum; coarser slots keep what there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from strategies import FIRST_FEATURES, random_instance

import stepwatt as sw
from benchmarks.hybrid.cases import DEMAND_CHARGE
from stepwatt.data import scenario
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacking import stack
from stepwatt.solvers.common.blocks import coarser
from stepwatt.solvers.common.relaxation import solve_relaxation
from stepwatt.solvers.response.day import day_rows, plan_day
from stepwatt.solvers.response.interior_point import solving
from stepwatt.solvers.response.interior_point.solution import Solution
from stepwatt.solvers.response.programs.ties import DayRows

ENGINE = numpy_engine()
#: What the plan of a day leaves out or takes lightly (:func:`.day_rows`).
LEFT_OUT = {"link", "generator", "generator_minimum", "negative"}


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_the_plan_earns_what_the_relaxation_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = [name for name in FIRST_FEATURES if name not in LEFT_OUT and rng.random() < 0.4]
    chosen += [name for name in ("backlog", "peak_so_far", "constant") if rng.random() < 0.3]
    instance = random_instance(
        rng, n_slots=int(rng.integers(1, 7)), n_sites=int(rng.integers(1, 4)), features=chosen
    )
    a = instance.arrays()
    best = solve_relaxation(a).outcome.objective
    assert best is not None
    problem = stack([a], ENGINE)
    plan = plan_day(problem, 1e-8)
    scale = max(abs(best), float(problem.money_scale[0]))
    assert float(plan.value[0]) == pytest.approx(best, abs=1e-6 * scale)
    assert float(plan.bound[0]) >= best - 1e-8 * scale


def test_days_side_by_side_are_planned_as_they_would_be_alone() -> None:
    days = [
        scenario("jemas", start=f"2018-0{month}-05", n_slots=24, slot_minutes=60, integral_jobs=False)
        for month in (1, 4, 7)
    ]
    together = plan_day(stack([day.arrays() for day in days], ENGINE))
    for number, day in enumerate(days):
        alone = plan_day(stack([day.arrays()], ENGINE))
        np.testing.assert_allclose(together.value[number], alone.value[0], rtol=1e-6)
        np.testing.assert_allclose(together.load[:, number], alone.load[:, 0], rtol=0.0, atol=1e-3)


def charged(month: int) -> sw.Instance:
    """A day whose sites pay for their highest import."""
    day = scenario("jemas", start=f"2018-0{month}-05", n_slots=24, slot_minutes=60, integral_jobs=False)
    data = day.to_dict()
    for site in data["sites"].values():
        site["grid"]["demand_charge"] = DEMAND_CHARGE
    return sw.Instance.from_dict(data)


def test_highest_imports_enter_all_slots() -> None:
    days = [charged(month).arrays() for month in (1, 7)]
    best = [solve_relaxation(a).outcome.objective for a in days]
    solution = solving.solve_rows(day_rows(stack(days, ENGINE)), 1e-7)
    assert solution.value[:2].tolist() == pytest.approx(best, rel=1e-6)
    assert float(solution.residual.max()) < 1e-6


def test_single_precision_will_do_for_a_rough_plan_with_demand_charges() -> None:
    problem = stack([charged(month).arrays() for month in (1, 4, 7)], ENGINE)
    rows = day_rows(problem, np.float32)
    solution = solving.solve_rows(rows, 0.05)
    assert float(solution.residual.max()) < 0.05
    exact = plan_day(problem)
    np.testing.assert_allclose(solution.value[:3], exact.value, rtol=5e-3)


def test_only_days_that_broke_down_are_planned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = stack([charged(month).arrays() for month in (1, 4, 7)], ENGINE)
    sizes = []

    def breaking(rows: DayRows, tolerance: float, begun: NDArray[Any] | None) -> Solution:
        found = solving.solve_rows(rows, tolerance, begun)
        sizes.append(rows.batch)
        if rows.p.cost.dtype == np.float32:
            found.residual.reshape(rows.blocks, -1)[:, rows.batch // 2] = np.nan
        return found

    monkeypatch.setattr("stepwatt.solvers.response.day.solve_rows", breaking)
    plan = plan_day(problem, 0.05)
    assert sizes == [3, 1]
    alone = plan_day(problem.part(slice(1, 2)), 0.05)
    np.testing.assert_allclose(plan.load[:, 1], alone.load[:, 0])
    monkeypatch.undo()
    np.testing.assert_allclose(plan.load[:, [0, 2]], plan_day(problem, 0.05).load[:, [0, 2]])


def test_a_start_from_which_single_precision_breaks_down_is_given_up() -> None:
    """Of what is no number every comparison is false: it was taken for a plan that misses nothing."""
    problem = stack([charged(4).arrays()], ENGINE)
    plain = plan_day(problem, 0.05)
    far = plan_day(problem, 0.05, begun=np.full_like(plain.multipliers, 1e25))
    np.testing.assert_allclose(far.load, plain.load)
    assert np.isfinite(far.value).all()


def test_coarser_slots_have_the_same_jobs_energy_and_length() -> None:
    fine = scenario("jemas", start="2018-03-05", n_slots=48, slot_minutes=30, integral_jobs=False).arrays()
    rough = coarser(fine, 2)
    assert rough.n_slots * rough.slot_hours == fine.n_slots * fine.slot_hours
    np.testing.assert_allclose(rough.arrivals.sum(-1), fine.arrivals.sum(-1))
    np.testing.assert_allclose(rough.renewable_mw.mean(-1), fine.renewable_mw.mean(-1))
    assert rough.deadline.tolist() == [0, 0, 3]


def test_a_rough_plan_is_near_the_best_and_its_bound_still_holds() -> None:
    day = scenario("jemas", start="2018-07-05", n_slots=24, slot_minutes=60, integral_jobs=False).arrays()
    best = solve_relaxation(day).outcome.objective
    assert best is not None
    rough = plan_day(stack([day], ENGINE), 0.1)
    assert best * 0.98 <= float(rough.value[0]) <= best
    assert best * (1 - 1e-5) <= float(rough.bound[0]) <= best * 1.02
