"""The direct codec: what an action says, what it can say, and that hardly any loses jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances, random_file, random_instance

import stepwatt as sw
from stepwatt.formulation import Instance, evaluate

torch = pytest.importorskip("torch")

from stepwatt.formulation.plant.engine import Engine, numpy_engine  # noqa: E402
from stepwatt.formulation.plant.schedule_replay import request_of  # noqa: E402
from stepwatt.formulation.plant.schedules import schedules  # noqa: E402
from stepwatt.formulation.plant.stacked import Problem  # noqa: E402
from stepwatt.formulation.plant.stacking import stack  # noqa: E402
from stepwatt.formulation.plant.state import Request, first_state  # noqa: E402
from stepwatt.formulation.plant.step import advance  # noqa: E402
from stepwatt.learning.codecs import DirectCodec  # noqa: E402
from stepwatt.learning.environment.play import record  # noqa: E402
from stepwatt.learning.environment.task import TaskSettings  # noqa: E402
from stepwatt.learning.environment.torch_engine import torch_engine  # noqa: E402
from stepwatt.learning.environment.world import World, make_pool  # noqa: E402

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
TORCH, NUMPY = torch_engine(torch.float64), numpy_engine()


def problem_of(inst: Instance, engine: Engine = NUMPY) -> tuple[Problem, DirectCodec]:
    problem = stack([inst.arrays()], engine)
    return problem, DirectCodec(problem.shape)


def said(codec: DirectCodec, **parts: Any) -> Floats:
    """(1,A) an action of the named parts, 0 elsewhere."""
    names = ("routing", "hold", "steps", "clock", "battery", "cooling", "generator")
    action = np.zeros((1, codec.size))
    for name, values in parts.items():
        part = codec.slices[names.index(name)]
        action[0, part] = np.broadcast_to(np.asarray(values, dtype=float).ravel(), part.stop - part.start)
    return action


def roomy(problem: Problem) -> Problem:
    """The same with GPUs without number."""
    return replace(problem, fleet_seconds=problem.fleet_seconds * 0.0 + 1e12)


def seconds_per_job(problem: Problem, request: Request) -> Floats:
    """(J,K) mean GPU-seconds of the two options of a request."""
    index = np.asarray(request.option)[0, ..., None]
    own = np.take_along_axis(np.asarray(problem.seconds)[0], index, -1)[..., 0]
    more = np.take_along_axis(np.asarray(problem.more_seconds)[0], index, -1)[..., 0]
    mean: Floats = own + more * np.asarray(request.longer)[0]
    return mean


def test_corners_of_the_box_send_everything_to_one_place_or_hold_what_may_wait() -> None:
    rng = np.random.default_rng(4)
    problem, codec = problem_of(
        Instance.from_dict(random_file(rng, n_slots=2, n_sites=3, features={"deadline"}))
    )
    state, sites = first_state(problem), 3
    at_hand = problem.arrivals[0]
    must = np.maximum(at_hand - problem.recent[0][..., 0], 0.0)
    assert must.sum() < at_hand.sum()
    for place in range(sites):
        logits = -np.ones((sites, problem.shape.classes, sites))
        logits[..., place] = 1.0
        for hold, jobs in ((-1.0, at_hand), (0.0, at_hand), (1.0, must), (0.5, (at_hand + must) / 2)):
            action = said(codec, routing=logits, hold=hold)
            sent = codec.decode(NUMPY, problem, 0, state, action).transfers
            np.testing.assert_allclose(sent.sum(-1), jobs * problem.open.max(-1))
            np.testing.assert_allclose(sent[..., place], (jobs * problem.open[..., place]))


@given(instances(max_slots=4, max_sites=3), SEEDS)
def test_steps_say_gpu_time_between_the_shortest_and_the_longest_option(inst: Instance, seed: int) -> None:
    """However unevenly the options lie: the mean GPU time is that share of the way, in two neighbours."""
    problem, codec = problem_of(inst)
    rng = np.random.default_rng(seed)
    shape = (problem.shape.sites, problem.shape.classes)
    share, level = rng.uniform(0, 1, shape), rng.integers(0, problem.shape.clocks, shape)
    clock = 2 * level / max(problem.shape.clocks - 1, 1) - 1
    action = said(codec, steps=2 * share - 1, clock=clock)
    request = codec.decode(NUMPY, roomy(problem), 0, first_state(problem), action)
    shortest = np.take_along_axis(np.asarray(problem.shortest)[0], level[..., None], -1)[..., 0]
    span = np.take_along_axis(np.asarray(problem.span)[0], level[..., None], -1)[..., 0]
    np.testing.assert_allclose(seconds_per_job(problem, request), shortest + share * span, rtol=1e-6)
    longer = np.asarray(request.longer)
    assert ((longer >= 0) & (longer <= 1)).all()
    choice = np.asarray(request.option)[0] - level * problem.shape.choices
    last = np.take_along_axis(np.asarray(problem.last_choice)[0], level[..., None], -1)[..., 0]
    assert (choice + (longer[0] > 0) <= last).all()


@given(instances(max_slots=4, max_sites=3), SEEDS)
def test_a_full_site_takes_fewer_steps_before_it_turns_jobs_away(inst: Instance, seed: int) -> None:
    problem, codec = problem_of(inst)
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (1, codec.size))
    state = first_state(problem)
    request = codec.decode(NUMPY, problem, 0, state, action)
    jobs = np.asarray(request.transfers)[0].sum(0).T
    time = (seconds_per_job(problem, request) * jobs).sum(-1)
    fewest = action.copy()
    fewest[0, codec.slices[2]] = -1.0
    least = codec.decode(NUMPY, problem, 0, state, fewest)
    least_time = (seconds_per_job(problem, least) * jobs).sum(-1)
    fleet = np.asarray(problem.fleet_seconds)[0]
    assert (time <= np.maximum(fleet, least_time) * (1 + 1e-9)).all()
    # whoever has time to spare takes the steps that were asked for
    asked = seconds_per_job(problem, codec.decode(NUMPY, roomy(problem), 0, state, action))
    idle = (asked * jobs).sum(-1) < fleet * (1 - 1e-5)
    np.testing.assert_allclose(seconds_per_job(problem, request)[idle], asked[idle], rtol=1e-9)


@pytest.fixture(scope="module")
def solved() -> list[sw.Result]:
    days = [
        sw.scenario("jemas", start=f"2018-06-{day}", n_slots=48, slot_minutes=30, integral_jobs=False)
        for day in (10, 13)
    ]
    return [sw.solve(day, "lp") for day in days]


@pytest.mark.parametrize("engine", [TORCH, NUMPY], ids=["torch", "numpy"])
def test_optimal_schedules_can_be_said(engine: Engine, solved: list[sw.Result]) -> None:
    """Said in direct actions and played, the optimum of a day loses next to nothing (mixed clocks)."""
    plans = [result.schedule for result in solved if result.schedule is not None]
    problem = stack([result.instance.arrays() for result in solved], engine)
    codec, state = DirectCodec(problem.shape), first_state(problem)
    own, earned = state, np.zeros(2)
    for t in range(problem.shape.n_slots):
        request = request_of(problem, plans, t, engine)
        after, outcome = advance(engine, problem, t, state, request, integral=False)
        action = codec.encode(engine, problem, t, state, request, outcome)
        assert (abs(action) <= 1).all()
        own, did = advance(
            engine, problem, t, own, codec.decode(engine, problem, t, own, action), integral=False
        )
        state, earned = after, earned + np.asarray(did.utility)
    bound = np.array([float(result.bound or 0.0) for result in solved])
    assert (earned <= bound * (1 + 1e-9)).all()
    assert (earned >= bound * (1 - 1e-3)).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_schedule_is_said_alike_on_both_engines(seed: int) -> None:
    """With generators, closed ways and other parts that a day of jemas has not."""
    rng = np.random.default_rng(seed)
    features = ["generator", "restricted", "battery", "thermal", "dvfs", "fluid"]
    instance = random_instance(rng, n_slots=3, n_sites=2, features=features)
    plan = sw.solve(instance, "lp").schedule
    assert plan is not None
    actions = []
    for engine in (NUMPY, TORCH):
        problem, codec = problem_of(instance, engine)
        state, told = first_state(problem), []
        for t in range(3):
            request = request_of(problem, [plan], t, engine)
            after, outcome = advance(engine, problem, t, state, request, integral=False)
            told.append(np.asarray(codec.encode(engine, problem, t, state, request, outcome)))
            state = after
        actions.append(np.stack(told))
    assert np.isfinite(actions[0]).all()
    np.testing.assert_allclose(actions[0], actions[1], rtol=0.0, atol=1e-7)


@pytest.mark.parametrize("seed", [36, 42, *range(6)])
def test_whole_jobs_of_a_site_short_of_power_fit_though_longer_options_draw_less(seed: int) -> None:
    """Two models at a site, the slower one the thriftier: rounding down to the faster one draws more."""
    rng, gpus = np.random.default_rng(seed), 6
    file = random_file(rng, n_slots=3, n_sites=1, features={"few"})
    (name, model), *others = file["models"].items()
    for other, _ in others:
        del file["models"][other]
    fast = {**model, "steps": [20], "seconds_per_step": 30.0, "joules_per_step": rng.uniform(30e3, 120e3)}
    file["models"] = {name: fast, "thrifty": {**fast, "seconds_per_step": 39.0, "joules_per_step": 10.0}}
    for job_class in file["classes"].values():
        job_class.update(models=None, max_execution_s=None, quality_floor=0.0)
    for site in file["sites"].values():
        site.update(models=list(file["models"]), gpus=gpus, renewable_mw=[0.0] * 3)
        site["grid"]["import_limit_mw"] = gpus * rng.uniform(0.1, 0.5) * 1e-3
        jobs = float(int(gpus * file["slot_hours"] * 6 * rng.uniform(0.5, 1.5)))
        for series in file["arrivals"].values():
            series.update({job_class: [jobs] * 3 for job_class in series})
    inst = Instance.from_dict(file)
    assert inst.integral_jobs
    world = World(make_pool([inst], "none", NUMPY), NUMPY, TaskSettings(information="none"), integral=True)
    steps = world.codec.slices[2]  # type: ignore[attr-defined]

    def act(_: Any) -> Floats:
        action: Floats = rng.uniform(-1, 1, (1, world.act_size))
        action[0, steps] = rng.uniform(-0.9, 0.9)
        return action

    requests, outcomes = record(world, act)
    assert sum(float(o.cut_jobs.sum()) for o in outcomes) > 0
    (schedule,) = schedules([inst.arrays()], world.drawn.problem, requests, outcomes)
    assert evaluate(inst, schedule).broken == {}
