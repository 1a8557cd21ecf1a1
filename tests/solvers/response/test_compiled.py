"""The compiled interior-point method finds what HiGHS finds, instance by instance, and its machine code does
what its source says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from rows_reference import rows_optimum
from slot_draws import drawn_prices, drawn_state
from slot_reference import slot_optimum
from strategies import FIRST_FEATURES, random_instance

from stepwatt.data import scenario
from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.solvers.response.day import day_rows
from stepwatt.solvers.response.interior_point import solving
from stepwatt.solvers.response.interior_point.compiled import running
from stepwatt.solvers.response.interior_point.solution import Solution
from stepwatt.solvers.response.native import REGISTER, Fixed, Room
from stepwatt.solvers.response.programs.rows import Rows
from stepwatt.solvers.response.programs.slot_program import slot_program

ENGINE = numpy_engine()
#: Instances side by side.
LANES = REGISTER // 8
#: What whole horizons leave out.
LEFT_OUT = {"link", "generator", "generator_minimum"}


def drawn(
    rng: np.random.Generator, batch: int, features: Sequence[str], slots: int, own_options: bool = False
) -> list[InstanceArrays]:
    """Instances that differ in arrivals and renewables; ``own_options``: also in how long their jobs take."""
    instance = random_instance(rng, n_slots=slots, n_sites=int(rng.integers(1, 4)), features=features)
    a = instance.arrays()
    found = []
    for more, sunnier, faster in rng.uniform(0.5, [1.5, 1.5, 1.0], (batch, 3)):
        of = a.options
        if own_options:
            of = replace(of, seconds=of.seconds * faster, energy_mwh=of.energy_mwh * faster)
        found.append(
            replace(a, arrivals=a.arrivals * more, renewable_mw=a.renewable_mw * sunnier, options=of)
        )
    return found


def chosen(rng: np.random.Generator, without: set[str]) -> list[str]:
    return [name for name in FIRST_FEATURES if name not in without and rng.random() < 0.4]


def ends(batch: int) -> set[int]:
    """The first instance, the last one of the first lanes, and the last one of those left over."""
    return {0, min(batch, LANES) - 1, batch - 1}


def assert_slot_is_solved(problem: Problem, rng: np.random.Generator, t: int) -> None:
    state, prices = drawn_state(problem, rng, t), drawn_prices(problem, rng)
    program = slot_program(problem, t, state, prices)
    found = solving.solve(program)
    for b in ends(len(problem)):
        optimum = slot_optimum(problem, t, state, prices, b)
        assert optimum is not None
        scale = max(abs(optimum), float(program.money[b]))
        assert abs(float(found.value[b]) - optimum) <= 1e-6 * scale
        assert float(found.bound[b]) >= optimum - 1e-9 * scale
    assert float(found.residual.max()) <= 1e-6


def assert_horizon_is_solved(problem: Problem) -> None:
    rows = day_rows(problem)
    found = solving.solve_rows(rows, 1e-9)
    for b in ends(len(problem)):
        optimum = rows_optimum(rows, b)
        scale = max(abs(optimum), float(rows.p.money[b]))
        assert abs(float(found.value[b]) - optimum) <= 1e-6 * scale
        assert float(found.bound[b]) >= optimum - 1e-9 * scale


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_a_slot_has_the_optimum_that_highs_finds(seed: int) -> None:
    """In batches that leave lanes over, too; some sites have no power, which leaves them other options."""
    rng = np.random.default_rng(seed)
    batch = int(rng.integers(1, 2 * LANES + 2))
    problem = stack(drawn(rng, batch, chosen(rng, {"link"}), 3), ENGINE)
    for t in range(2):
        assert_slot_is_solved(problem, rng, t)


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_a_horizon_has_the_optimum_that_highs_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch, slots = int(rng.integers(1, LANES + 3)), int(rng.integers(1, 7))
    assert_horizon_is_solved(stack(drawn(rng, batch, chosen(rng, LEFT_OUT), slots), ENGINE))


@pytest.mark.parametrize("seed", range(20))
def test_a_slot_with_limited_links_has_the_optimum_that_highs_finds(seed: int) -> None:
    """Some of them bind."""
    rng = np.random.default_rng(seed)
    instance = random_instance(rng, n_slots=3, n_sites=int(rng.integers(2, 5)), features=["link", "battery"])
    problem = stack([instance.arrays()] * int(rng.integers(1, LANES + 2)), ENGINE)
    tight = 10.0 ** rng.uniform(-4, 1, problem.link.shape)
    problem = replace(problem, link=np.minimum(problem.link, np.minimum(problem.link, 1.0) * tight))
    program = slot_program(problem, 0, drawn_state(problem, rng, 0), drawn_prices(problem, rng))
    assert program.link_slack is not None
    assert_slot_is_solved(problem, rng, 0)


@pytest.mark.parametrize("seed", range(10))
def test_instances_side_by_side_may_have_options_of_their_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    without = {*LEFT_OUT, "zero_gpus"}
    instances = drawn(rng, LANES + 3, chosen(rng, without), int(rng.integers(2, 6)), own_options=True)
    problem = stack(instances, ENGINE)
    assert not day_rows(problem).p.features.shared
    assert_horizon_is_solved(problem)
    assert_slot_is_solved(problem, rng, 0)


@pytest.mark.parametrize("features", [["demand", "battery", "thermal"], ["link", "battery"]])
def test_the_method_in_plain_python_has_the_same_iterate(
    features: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code does what its source says; here stopped early, before rounding matters."""
    rng = np.random.default_rng(2)
    instance = random_instance(rng, n_slots=2, n_sites=2, features=features)
    problem = stack([instance.arrays()] * LANES, ENGINE)
    if limited := "link" in features:
        problem = replace(problem, link=np.minimum(problem.link, 1e-3))
        rows = Rows(slot_program(problem, 0, drawn_state(problem, rng, 0), drawn_prices(problem, rng)))
    else:
        rows = day_rows(problem)
    source = running.follow_general if limited else running.follow

    def plainly(*given: Any) -> None:
        tuples = [value.arrays() if isinstance(value, Room) else value for value in given]
        source(*(value.value if isinstance(value, Fixed) else value for value in tuples))

    def solved() -> Solution:
        return solving.solve_rows(rows, 0.1)

    done = solved()
    monkeypatch.setitem(running.METHODS, (np.dtype(np.float64), limited, REGISTER), plainly)
    with np.errstate(all="ignore"):
        plain = solved()
    for name in ("value", "bound"):
        apart = np.abs(getattr(plain, name) - getattr(done, name)) / rows.p.money
        assert apart.max() <= 1e-9, name
    for name in ("box", "options"):
        np.testing.assert_allclose(getattr(plain, name), getattr(done, name), rtol=0.0, atol=1e-6)


def test_a_day_begun_at_its_own_multipliers_comes_nearer_in_as_many_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = [
        scenario("jemas", start=f"2018-0{month}-05", n_slots=24, slot_minutes=60, integral_jobs=False)
        for month in (1, 4, 7)
    ]
    rows = day_rows(stack([day.arrays() for day in days], ENGINE))
    done = solving.solve_rows(rows, 0.01)
    monkeypatch.setattr(solving, "MOST_STEPS", 10)
    cold, warm = (solving.solve_rows(rows, 0.01, begun) for begun in (None, done.multipliers))
    assert float(cold.residual.max()) < 0.01
    assert float(warm.residual.max()) < 0.01
    gap = [((one.bound - one.value) / one.bound).max() for one in (cold, warm)]
    assert 0 < float(gap[1]) < 0.1 * float(gap[0])
    np.testing.assert_allclose(warm.bound, done.bound, rtol=1e-2)
