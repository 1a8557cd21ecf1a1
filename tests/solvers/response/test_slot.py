"""The best response to prices: the plant does what was planned, and nothing beats the bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray
from slot_draws import drawn_prices, drawn_state
from slot_reference import slot_optimum
from strategies import FEATURES, FIRST_FEATURES, random_instance

from stepwatt.data import scenario
from stepwatt.formulation import InputError, Instance, evaluate
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.learning.codecs import PricedCodec
from stepwatt.learning.environment.play import plan as planned
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.solvers import solve
from stepwatt.solvers.planners.foresight.foresight import foresee
from stepwatt.solvers.response import at_the_end, best_response, worth
from stepwatt.solvers.response.interior_point import solving
from stepwatt.solvers.response.programs.slot_program import slot_program

ENGINE, TENSORS = numpy_engine(), torch_engine(torch.float64)
#: A generator that a slot's small load keeps off is a plan that the plant cannot follow.
FEATURES_PLANNED = sorted(set(FIRST_FEATURES) - {"generator", "generator_minimum"})


def drawn_instance(rng: np.random.Generator) -> Instance:
    chosen = [name for name in FEATURES_PLANNED if rng.random() < 0.4]
    chosen += [name for name in ("backlog", "peak_so_far", "constant") if rng.random() < 0.3]
    return random_instance(
        rng, n_slots=int(rng.integers(2, 6)), n_sites=int(rng.integers(1, 4)), features=chosen
    )


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
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
        scale = np.maximum(np.abs(plan.objective), problem.money_scale)
        assert (np.abs(got - plan.objective) <= 2e-6 * scale).all()
        assert (np.abs(plan.objective - plan.bound) <= 1e-6 * scale).all()
        state = after


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
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


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_the_response_is_the_optimum_that_highs_finds(seed: int) -> None:
    rng, draws = np.random.default_rng(seed), 8
    sizes = {"n_slots": int(rng.integers(3, 6)), "n_sites": int(rng.integers(1, 4))}
    # programs of a slot take metering as it begins, and never more for export than import costs
    instance = random_instance(rng, **sizes, never=("metered", "export_above"))
    problem = stack([instance.arrays()] * draws, ENGINE)
    for t in range(problem.shape.n_slots):
        state, prices = drawn_state(problem, rng, t), drawn_prices(problem, rng)
        optima = [slot_optimum(problem, t, state, prices, b) for b in range(draws)]
        missing = np.zeros(draws)
        if t == problem.shape.n_slots - 1:
            prices = at_the_end(problem, prices, state)
            lacking = problem.energy_reference - problem.energy_min
            missing = (problem.terminal_price * lacking).sum(-1)
        program = slot_program(problem, t, state, prices)
        found = solving.solve(program)
        for b, optimum in enumerate(optima):
            assert optimum is not None
            scale = max(abs(optimum), float(program.money[b]))
            assert abs(float(found.value[b] - missing[b]) - optimum) <= 1e-6 * scale
            assert float(found.bound[b] - missing[b]) >= optimum - 1e-9 * scale


def drawn_action(codec: PricedCodec, batch: int, rng: np.random.Generator) -> NDArray[Any]:
    return rng.uniform(-1, 1, (batch, codec.size))


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_prices_of_an_action_encode_to_an_action_of_the_same_prices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = stack([drawn_instance(rng).arrays()], ENGINE)
    codec, state = PricedCodec(problem.shape), first_state(problem)
    said = codec.prices(problem, 0, state, drawn_action(codec, 1, rng))
    again = codec.prices(problem, 0, state, codec.encode(problem, 0, state, said))
    for name, values in said.__dict__.items():
        np.testing.assert_allclose(getattr(again, name), values, atol=1e-9, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
@pytest.mark.parametrize("batched", [True, False])
def test_any_action_makes_a_schedule_that_the_evaluator_accepts(seed: int, batched: bool) -> None:
    rng = np.random.default_rng(seed)
    instance = random_instance(
        rng, n_slots=4, n_sites=2, features=[f for f in FEATURES if rng.random() < 0.4]
    )
    engine = TENSORS if batched else ENGINE
    world = World(
        make_pool([instance], "none", engine), engine, TaskSettings(codec="priced", information="none")
    )
    size = world.act_size

    def act(seen: object) -> object:
        action = rng.uniform(-1, 1, (1, size))
        return torch.as_tensor(action) if batched else action

    [schedule] = planned([instance], act, world.task, engine=engine)
    judged = evaluate(instance, schedule)
    assert judged.feasible, judged.violations


def test_codec_keeps_the_largest_certificate() -> None:
    instance = scenario("jemas", start="2018-03-05", n_slots=6, slot_minutes=30, integral_jobs=False)
    problem = stack([instance.arrays()], ENGINE)
    codec = PricedCodec(problem.shape)
    codec.decode(ENGINE, problem, 0, first_state(problem), np.zeros((1, codec.size)))
    assert codec.last is not None
    assert float(codec.last.gap.max()) <= codec.largest_gap <= 1e-5


@pytest.fixture(scope="module")
def winter_day() -> Instance:
    return scenario("jemas", start="2018-01-16", n_slots=24, slot_minutes=60, integral_jobs=False)


def test_foreseen_prices_beat_greedy_and_stay_below_the_optimum(winter_day: Instance) -> None:
    task = TaskSettings(codec="priced", reward="dense", foresight=True)
    pool = make_pool([winter_day], "day-ahead", ENGINE, foresight=True)
    world = World(pool, ENGINE, task)
    while not world.over:
        world.step(np.zeros((1, world.act_size)))
    best, greedy = solve(winter_day, "lp"), solve(winter_day, "greedy")
    assert best.bound is not None
    assert greedy.utility is not None
    assert greedy.utility < float(world.earned[0]) <= best.bound * (1 + 1e-6)


def test_foresight_knows_the_forecast_and_nothing_else() -> None:
    short = scenario("jemas", start="2018-01-16", n_slots=6, slot_minutes=30, integral_jobs=False)
    flat = foresee([short], "persistence")
    # without yesterday, what was not seen stays as it is now: later prices must not show
    bent = short.to_dict()
    for site in bent["sites"].values():
        # the mean stays, and with it what energy left over is worth
        site["grid"]["import_price"][1:] = site["grid"]["import_price"][:0:-1]
    other = foresee([Instance.from_dict(bent)], "persistence")
    for name in ("energy", "waiting", "queue"):
        np.testing.assert_allclose(getattr(flat, name), getattr(other, name), rtol=1e-7, atol=1e-7)


def test_foresight_needs_a_forecast() -> None:
    with pytest.raises(InputError, match="foresight"):
        TaskSettings(codec="priced", information="none", foresight=True)
    with pytest.raises(InputError, match="foresight"):
        TaskSettings(codec="direct", foresight=True)
