"""The best response to prices: the plant does what was planned, and nothing beats the bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strategies import FEATURES, random_instance

from stepwatt.formulation import Instance, evaluate
from stepwatt.learning.engines import torch_engine
from stepwatt.learning.export import schedules
from stepwatt.learning.plant import PlantState, advance, first_state
from stepwatt.learning.problem import Problem, stack
from stepwatt.learning.response import SlotPrices, best_response, uniform_ends, worth

ENGINE = torch_engine(torch.float64)
#: A generator that a slot's small load keeps off is a plan that the plant cannot follow.
FEATURES_PLANNED = sorted(set(FEATURES) - {"generator", "generator_minimum"})


def drawn_instance(rng: np.random.Generator) -> Instance:
    chosen = [name for name in FEATURES_PLANNED if rng.random() < 0.4]
    return random_instance(
        rng, n_slots=int(rng.integers(2, 6)), n_sites=int(rng.integers(1, 4)), features=chosen
    )


def drawn_prices(problem: Problem, rng: np.random.Generator) -> SlotPrices:
    sites, classes = problem.gpus.shape, problem.shape.classes

    def uniform(*shape: int) -> torch.Tensor:
        return torch.as_tensor(rng.uniform(0, 1, shape))

    energy_ends, warmth_ends = uniform_ends(problem)
    best = problem.revenue.amax((1, 3))[:, None]
    span = best + problem.miss_penalty
    return SlotPrices(
        energy=torch.sort(150 * uniform(*sites, 4), -1, descending=True).values,
        energy_ends=energy_ends,
        warmth=torch.sort(uniform(*sites, 2), -1).values * 2 * problem.terminal_heat_price[..., None],
        warmth_ends=warmth_ends,
        waiting=uniform(*sites, classes) * span - problem.miss_penalty,
        peak=uniform(*sites) * problem.site_power,
        running=torch.zeros(sites, dtype=torch.float64),
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_plant_does_what_was_planned_and_nothing_beats_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = stack([drawn_instance(rng).arrays()], ENGINE)
    state: PlantState = first_state(problem)
    for t in range(problem.shape.n_slots):
        prices = drawn_prices(problem, rng)
        plan = best_response(problem, t, state, prices)
        after, outcome = advance(ENGINE, problem, t, state, plan.request, integral=False)
        got = outcome.utility
        if t < problem.shape.n_slots - 1:
            got = got + worth(problem, prices, state, after, outcome)
        scale = float(torch.maximum(plan.objective.abs(), problem.money_scale))
        assert float(abs(got - plan.objective)) <= 2e-6 * scale
        assert float(plan.objective - plan.bound) <= 1e-6 * scale
        assert float(plan.bound - plan.objective) <= 1e-6 * scale
        state = after


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("integral", [False, True])
def test_responses_played_to_the_end_are_worth_what_the_evaluator_says(seed: int, integral: bool) -> None:
    rng = np.random.default_rng(seed)
    features = [name for name in FEATURES if rng.random() < 0.4 and name != "fluid"]
    instance = random_instance(
        rng, n_slots=4, n_sites=2, features=[*features, *([] if integral else ["fluid"])]
    )
    problem = stack([instance.arrays()], ENGINE)
    state, requests, outcomes, earned = first_state(problem), [], [], 0.0
    for t in range(problem.shape.n_slots):
        plan = best_response(problem, t, state, drawn_prices(problem, rng))
        state, outcome = advance(ENGINE, problem, t, state, plan.request, integral=integral)
        requests.append(plan.request)
        outcomes.append(outcome)
        earned += float(outcome.utility[0])
    judged = evaluate(instance, schedules([instance.arrays()], problem, requests, outcomes)[0])
    assert judged.feasible, judged.violations
    assert judged.utility == pytest.approx(earned, rel=1e-6, abs=1e-6)
