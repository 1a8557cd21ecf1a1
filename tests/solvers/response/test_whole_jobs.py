"""Whole jobs next to a response: the plant runs exactly them, and they lose less than its own rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from slot_draws import drawn_prices
from strategies import FEATURES, random_instance

import stepwatt as sw
from stepwatt.formulation import Instance, evaluate
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.schedules import schedules
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import Request, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.solvers.response import Plan, best_response
from stepwatt.solvers.response.whole_jobs import WholeJobs
from stepwatt.streaming import Run

ENGINE = numpy_engine()
#: Where the plant may have to cut what a response asks for: a generator lacks load.
SHORT = ("fluid", "generator", "generator_minimum", "export_above", "metered")


def drawn(rng: np.random.Generator, never: tuple[str, ...] = ("fluid",)) -> Instance:
    features = [name for name in FEATURES if rng.random() < 0.4 and name not in never]
    return random_instance(
        rng, n_slots=int(rng.integers(2, 6)), n_sites=int(rng.integers(1, 4)), features=features
    )


def is_whole(values: NDArray[Any]) -> bool:
    return bool(np.allclose(values, np.round(values), atol=1e-6))


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_whole_responses_are_feasible_to_the_end(seed: int) -> None:
    """Whatever the instance has, side by side with another of its shape."""
    rng = np.random.default_rng(seed)
    instance = drawn(rng)
    problem = stack([instance.arrays()] * 2, ENGINE)
    whole, state = WholeJobs(problem), first_state(problem)
    requests, outcomes = [], []
    for t in range(problem.shape.n_slots):
        request = whole.request(t, state, best_response(problem, t, state, drawn_prices(problem, rng)))
        at_hand = state.waiting + problem.arrivals[t]
        assert request.mix is not None
        assert is_whole(request.transfers)
        assert is_whole(request.mix * request.transfers.sum(1).swapaxes(1, 2)[..., None])
        assert (request.transfers >= 0).all()
        assert (request.transfers.sum(-1) <= at_hand + 1e-6).all()
        state, outcome = advance(ENGINE, problem, t, state, request, integral=True)
        requests.append(request)
        outcomes.append(outcome)
    for made in schedules([instance.arrays()] * 2, problem, requests, outcomes):
        judged = evaluate(instance, made)
        assert judged.feasible, judged.violations


@pytest.mark.parametrize("seed", range(settings.default.max_examples))
def test_the_plant_runs_the_jobs_it_was_told(seed: int) -> None:
    """Option by option, where sites have power to spare: whole jobs may take more than the response."""
    rng = np.random.default_rng(seed)
    problem = stack([drawn(rng, SHORT).arrays()], ENGINE)
    problem = replace(
        problem,
        import_limit=problem.import_limit + 1.0,
        from_outside=problem.from_outside + 1.0,
        cooling_max=problem.cooling_max + 1.0,
    )
    whole, state = WholeJobs(problem), first_state(problem)
    for t in range(problem.shape.n_slots):
        request = whole.request(t, state, best_response(problem, t, state, drawn_prices(problem, rng)))
        assert request.mix is not None
        state, outcome = advance(ENGINE, problem, t, state, request, integral=True)
        np.testing.assert_allclose(outcome.transfers, request.transfers, atol=1e-6)
        assert outcome.runs is not None
        np.testing.assert_allclose(outcome.runs, request.mix * outcome.jobs[..., None], atol=1e-6)


@pytest.fixture(scope="module")
def day() -> Instance:
    return sw.scenario("jemas", start="2018-06-12", n_slots=24, slot_minutes=30)


def test_they_lose_less_than_what_the_plant_makes_of_parts_of_jobs(
    day: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sw.solve(day, "foresight", forecast="perfect").utility

    def parts(own: WholeJobs, t: int, state: object, plan: Plan) -> Request:
        return plan.request

    monkeypatch.setattr(WholeJobs, "request", parts)
    plants = sw.solve(day, "foresight", forecast="perfect").utility
    bound = sw.solve(day, "lp").bound
    assert bound is not None
    assert whole is not None
    assert plants is not None
    assert bound - whole < 0.9 * (bound - plants)


def test_slots_that_come_one_by_one_have_the_same_whole_jobs(day: Instance) -> None:
    session = Run(sw.foresight("perfect"), day)
    for t in range(day.n_slots):
        session.decide({"slot": t})
    made = sw.foresight("perfect").schedule(day)
    assert session.utility == pytest.approx(sw.evaluate(day, made).utility, rel=1e-6)
