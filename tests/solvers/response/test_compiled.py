"""The compiled interior-point method takes the same steps as that of tensors, instance by instance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from slot_draws import drawn_prices, drawn_state
from strategies import FEATURES, random_instance

from stepwatt.data import scenario
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.solvers.response.day import day_rows
from stepwatt.solvers.response.interior_point import choice as solving
from stepwatt.solvers.response.interior_point import fallback
from stepwatt.solvers.response.interior_point.compiled import running
from stepwatt.solvers.response.interior_point.solution import TOLERANCE, Solution
from stepwatt.solvers.response.native import REGISTER
from stepwatt.solvers.response.programs.rows import Rows
from stepwatt.solvers.response.programs.slot_program import slot_program

ENGINE = numpy_engine()
#: Instances side by side.
LANES = REGISTER // 8
#: What whole horizons leave out.
LEFT_OUT = {"link", "generator", "generator_minimum"}


def assert_same(one: Solution, other: Solution, scale: NDArray[Any], tolerance: float) -> None:
    for name in ("value", "bound"):
        apart = np.abs(getattr(one, name) - getattr(other, name)) / scale
        assert apart.max() <= tolerance, name
    for name in ("box", "options"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0.0, atol=tolerance * 1e3)


def drawn(rng: np.random.Generator, batch: int, without: set[str], slots: int) -> Problem:
    chosen = [name for name in FEATURES if name not in without and rng.random() < 0.4]
    instance = random_instance(rng, n_slots=slots, n_sites=int(rng.integers(1, 4)), features=chosen)
    problem = stack([instance.arrays()] * batch, ENGINE)
    scales = rng.uniform(0.5, 1.5, (batch, 1, 1))
    return replace(problem, arrivals=problem.arrivals * scales, renewable=problem.renewable * scales[..., 0])


@pytest.mark.parametrize("seed", range(40))
def test_a_slot_has_the_same_optimum(seed: int) -> None:
    """In batches that leave lanes over, too."""
    rng = np.random.default_rng(seed)
    batch = int(rng.integers(1, 2 * LANES + 2))
    problem = drawn(rng, batch, {"link"}, 3)
    for t in range(2):
        program = slot_program(problem, t, drawn_state(problem, rng, t), drawn_prices(problem, rng))
        if not program.features.shared:  # some have no power, which leaves them other options
            assert_same(solving.solve(program), fallback.solve(program, TOLERANCE), program.money, 0.0)
            continue
        one, other = solving.solve_compiled(Rows(program), 1e-9), fallback.solve(program, TOLERANCE)
        assert_same(replace(one, box=other.box, options=other.options), other, program.money, 1e-6)
        assert float(one.residual.max()) <= 1e-6
        assert (one.bound >= other.value - 1e-6 * program.money).all()


@pytest.mark.parametrize("seed", range(40))
def test_a_horizon_has_the_same_iterate(seed: int) -> None:
    """Stopped early, before rounding matters."""
    rng = np.random.default_rng(seed)
    problem = drawn(rng, int(rng.integers(1, LANES + 3)), LEFT_OUT, int(rng.integers(1, 7)))
    rows = day_rows(problem)
    assert solving.compilable(rows.p)
    assert_same(solving.solve_compiled(rows, 0.01), fallback.solve_rows(rows, 0.01), rows.p.money, 1e-7)


def test_the_method_in_plain_python_has_the_same_iterate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code does what its source says."""
    rng = np.random.default_rng(2)
    instance = random_instance(rng, n_slots=2, n_sites=2, features=["demand", "battery", "thermal"])
    rows = day_rows(stack([instance.arrays()], ENGINE))
    done = solving.solve_compiled(rows, 0.1)
    monkeypatch.setitem(running.METHODS, np.dtype(np.float64), running.follow)
    with np.errstate(all="ignore"):
        assert_same(solving.solve_compiled(rows, 0.1), done, rows.p.money, 1e-9)


def test_a_day_begun_at_its_own_multipliers_comes_nearer_in_as_many_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = [
        scenario("jemas", start=f"2018-0{month}-05", n_slots=24, slot_minutes=60, integral_jobs=False)
        for month in (1, 4, 7)
    ]
    rows = day_rows(stack([day.arrays() for day in days], ENGINE))
    done = solving.solve_compiled(rows, 0.01)
    monkeypatch.setattr(solving, "MOST_STEPS", 10)
    cold, warm = (solving.solve_compiled(rows, 0.01, begun) for begun in (None, done.multipliers))
    assert float(cold.residual.max()) < 0.01
    assert float(warm.residual.max()) < 0.01
    gap = [((one.bound - one.value) / one.bound).max() for one in (cold, warm)]
    assert 0 < float(gap[1]) < 0.1 * float(gap[0])
    np.testing.assert_allclose(warm.bound, done.bound, rtol=1e-2)


def test_where_links_are_limited_tensors_solve() -> None:
    rng = np.random.default_rng(0)
    instance = random_instance(rng, n_slots=3, n_sites=3, features=["link"])
    problem = stack([instance.arrays()] * 2, ENGINE)
    problem = replace(problem, link=np.minimum(problem.link, 1e-3))
    program = slot_program(problem, 0, drawn_state(problem, rng, 0), drawn_prices(problem, rng))
    assert program.link_slack is not None
    assert not solving.compilable(program)
    assert_same(solving.solve(program), fallback.solve(program, TOLERANCE), program.money, 0.0)
