"""The safe bound: valid for any multipliers, tight at the true ones, and honest about rounding."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances, random_instance

from stepwatt.formulation import Instance
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem
from stepwatt.solvers.highs.certificate import DualBound, safe_bound
from stepwatt.solvers.highs.session import HighsSession

Floats = NDArray[np.float64]
FEW = max(5, settings.default.max_examples // 2)
SEEDS = st.integers(0, 2**32 - 1)


def solved(inst: Instance) -> tuple[LinearProblem, float, Floats]:
    """The problem, its relaxation's optimum and true multipliers."""
    p = linear_problem(inst.arrays())
    outcome = HighsSession(p, relaxed=True).solve()
    assert outcome.objective is not None
    assert outcome.row_dual is not None
    return p, outcome.objective, outcome.row_dual


def exact_bound(p: LinearProblem, row_dual: Floats) -> Fraction:
    """The Lagrangian bound of these multipliers in exact arithmetic, slowly."""
    y = [Fraction(float(v)) if np.isfinite(v) else Fraction(0) for v in row_dual]
    total = Fraction(p.offset)
    for r, value in enumerate(y):
        side = p.row_upper[r] if value > 0 else p.row_lower[r]
        if value and not np.isfinite(side):
            y[r] = Fraction(0)
        elif value:
            total += value * Fraction(float(side))
    matrix = p.matrix
    for c in range(len(p.cost)):
        reduced = Fraction(float(p.cost[c]))
        for entry in range(matrix.indptr[c], matrix.indptr[c + 1]):
            reduced -= Fraction(float(matrix.data[entry])) * y[matrix.indices[entry]]
        total += max(reduced * Fraction(float(p.lower[c])), reduced * Fraction(float(p.upper[c])))
    return total


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=3))
def test_at_the_true_duals_it_is_the_optimum(inst: Instance) -> None:
    p, optimum, dual = solved(inst)
    assert safe_bound(p, dual) == pytest.approx(optimum, rel=1e-9, abs=1e-9)
    assert safe_bound(p, dual) >= optimum - 1e-9 * max(1.0, abs(optimum))


@settings(max_examples=FEW)
@given(instances(max_slots=3, max_sites=2), SEEDS, st.sampled_from([1e-9, 1e-4, 1.0, 1e6, 1e100]))
def test_noise_only_loosens_it(inst: Instance, seed: int, size: float) -> None:
    """Random multipliers, and true ones with noise and of the wrong sign, still bound the optimum."""
    p, optimum, dual = solved(inst)
    rng = np.random.default_rng(seed)
    slack = 1e-8 * max(1.0, abs(optimum))
    for wrong in (dual + size * rng.standard_normal(len(dual)), size * rng.standard_normal(len(dual)), -dual):
        assert safe_bound(p, wrong) >= optimum - slack


@pytest.mark.parametrize("value", [0.0, -0.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324])
def test_odd_multipliers_give_a_bound(value: float) -> None:
    """Everywhere, and in a single row among true ones; the answer is a number or +inf, never NaN."""
    inst = random_instance(
        np.random.default_rng(1), n_slots=3, n_sites=2, features=["battery", "thermal", "deadline"]
    )
    p, optimum, dual = solved(inst)
    for wrong in (np.full_like(dual, value), *(_one(dual, row, value) for row in range(0, len(dual), 7))):
        assert safe_bound(p, wrong) >= optimum - 1e-8


def _one(dual: Floats, row: int, value: float) -> Floats:
    other = dual.copy()
    other[row] = value
    return other


def test_no_multipliers_sell_everything_and_pay_for_nothing() -> None:
    """With zeros, by hand (tiny.one_slot): each of two options at its most, the rest does nothing.

    Jobs of 10 steps: min(12, 20) = 12 at 5 USD; of 20 steps: min(12, 10) = 10 at 9: 60 + 90 = 150.
    """
    p = linear_problem(tiny.one_slot().arrays())
    assert safe_bound(p, np.zeros(len(p.row_lower))) == pytest.approx(150.0, rel=1e-12)


@settings(max_examples=FEW)
@given(instances(max_slots=2, max_sites=2), SEEDS)
def test_it_never_falls_below_the_exact_value(inst: Instance, seed: int) -> None:
    """Floating-point sums err; the bound adds what they may err by, and hardly more."""
    p, _, dual = solved(inst)
    rng = np.random.default_rng(seed)
    for y in (dual, rng.standard_normal(len(dual)), dual * (1 + 1e-3 * rng.standard_normal(len(dual)))):
        exact = exact_bound(p, y)
        bound = safe_bound(p, y)
        assert Fraction(bound) >= exact
        size = float(np.abs(p.cost) @ np.maximum(np.abs(p.lower), np.abs(p.upper)))
        size += float((abs(p.matrix).T @ np.abs(y)) @ np.maximum(np.abs(p.lower), np.abs(p.upper)))
        sides = np.concatenate([p.row_upper[np.isfinite(p.row_upper)], p.row_lower[np.isfinite(p.row_lower)]])
        size += float(np.abs(y).sum() * np.abs(sides).max(initial=0.0)) + abs(p.offset)
        assert bound - float(exact) <= 1e-12 * max(1.0, size)


@settings(max_examples=FEW)
@given(instances(max_slots=2, max_sites=2), SEEDS)
def test_other_bounds_on_a_few_columns_give_the_bound_of_that_problem(inst: Instance, seed: int) -> None:
    p, _, dual = solved(inst)
    rng = np.random.default_rng(seed)
    columns = rng.choice(len(p.cost), size=min(3, len(p.cost)), replace=False)
    ends = np.sort(rng.uniform(p.lower[columns], p.upper[columns], size=(2, len(columns))), axis=0)
    lower, upper = p.lower.copy(), p.upper.copy()
    lower[columns], upper[columns] = ends
    moved = replace(p, lower=lower, upper=upper)
    found = DualBound(p, dual).within(columns, *ends)
    assert Fraction(found) >= exact_bound(moved, dual)
    assert found == pytest.approx(safe_bound(moved, dual), rel=1e-9, abs=1e-6)


def test_cancelling_sums_are_covered() -> None:
    """Offset and sums of opposite sign and great size: what is left is smaller than their rounding."""
    inst = random_instance(np.random.default_rng(2), n_slots=2, n_sites=2, features=["battery", "demand"])
    p, _, dual = solved(inst)
    for offset in (1e16, -1e16, 1 / 3, 0.1 * 2**40):
        moved = replace(p, offset=offset)
        assert Fraction(safe_bound(moved, dual)) >= exact_bound(moved, dual)
