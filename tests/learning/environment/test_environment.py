"""The environment: the scheduling model seen slot by slot, under a named information set, on two engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import EXAMPLES
from strategies import instances, random_file

import stepwatt as sw
from stepwatt.formulation import InputError, Instance, evaluate

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from stepwatt.formulation.plant.engine import Engine, numpy_engine  # noqa: E402
from stepwatt.formulation.plant.schedule_replay import replay  # noqa: E402
from stepwatt.formulation.plant.schedules import schedules  # noqa: E402
from stepwatt.formulation.plant.stacking import stack  # noqa: E402
from stepwatt.formulation.plant.state import Outcome  # noqa: E402
from stepwatt.formulation.schedule.physics import GENERATOR_OFF_MW  # noqa: E402
from stepwatt.learning.codecs.direct import sparsemax  # noqa: E402
from stepwatt.learning.environment.batched import SchedulingEnv  # noqa: E402
from stepwatt.learning.environment.observation import INFORMATION, observe, outlook  # noqa: E402
from stepwatt.learning.environment.play import plan, record  # noqa: E402
from stepwatt.learning.environment.potential_cuts import least_of, with_jobs  # noqa: E402
from stepwatt.learning.environment.rewards import failed_share  # noqa: E402
from stepwatt.learning.environment.site_rows import rows_outlook  # noqa: E402
from stepwatt.learning.environment.solver_potential import potential_of, slot_utilities  # noqa: E402
from stepwatt.learning.environment.task import TaskSettings  # noqa: E402
from stepwatt.learning.environment.torch_engine import torch_engine  # noqa: E402
from stepwatt.learning.environment.world import World, make_pool, pool_for  # noqa: E402

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
FEW = max(6, settings.default.max_examples // 2)
ENGINES = {"numpy": numpy_engine(), "torch": torch_engine(torch.float64)}
BLIND = TaskSettings(information="none", reward="dense")


def random_actions(world: World, seed: int) -> Callable[[Any], Any]:
    """A policy that draws from the box, and sometimes from its corners."""
    rng = np.random.default_rng(seed)
    batch = len(world.drawn.problem)

    def act(_: Any) -> Any:
        drawn = rng.uniform(-1, 1, (batch, world.act_size))
        drawn = np.where(rng.random(drawn.shape) < 0.2, np.sign(drawn), drawn)
        return world.engine.asarray(drawn)

    return act


def world_of(
    insts: list[Instance], engine: Engine, task: TaskSettings = BLIND, *, integral: bool | None = None
) -> World:
    whole = insts[0].integral_jobs if integral is None else integral
    return World(make_pool(insts, task.information, engine, view=task.view), engine, task, integral=whole)


def variants(inst: Instance, count: int, seed: int) -> list[Instance]:
    """Instances of the same shape with other series, prices and option tables."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        file = inst.to_dict()
        for per_class in file["arrivals"].values():
            for name, jobs in per_class.items():
                scaled = [n * rng.uniform(0.3, 1.5) for n in jobs]
                per_class[name] = [float(int(n)) for n in scaled] if file["integral_jobs"] else scaled
        for site in file["sites"].values():
            site["renewable_mw"] = [v * rng.uniform(0.3, 1.5) for v in site["renewable_mw"]]
        for model in file["models"].values():
            model["joules_fixed"] *= rng.uniform(0.5, 1.5)
        made.append(Instance.from_dict(file))
    return made


# ------------------------------------------------------------------- the environment and the model are one


@given(instances(max_slots=8, max_sites=3), SEEDS)
def test_what_is_earned_is_what_evaluate_says_of_the_schedule(inst: Instance, seed: int) -> None:
    """On both engines, which agree; fluid and whole jobs; the decoded schedule is feasible for any action."""
    earned = []
    for engine in ENGINES.values():
        world = world_of([inst], engine)
        requests, outcomes = record(world, random_actions(world, seed))
        (schedule,) = schedules([inst.arrays()], world.drawn.problem, requests, outcomes)
        judged = evaluate(inst, schedule)
        earned.append(float(world.earned[0]))
        assert judged.broken == {}
        assert judged.utility == pytest.approx(earned[-1], rel=1e-6, abs=1e-9)
        assert sum(float(o.utility[0]) for o in outcomes) == pytest.approx(earned[-1], rel=1e-9, abs=1e-12)
    assert earned[0] == pytest.approx(earned[1], rel=1e-9, abs=1e-12)


@given(instances(max_slots=8, max_sites=3), SEEDS)
def test_the_engines_agree_on_every_number(inst: Instance, seed: int) -> None:
    seen: list[list[Outcome]] = []
    looks: list[list[Floats]] = []
    for engine in ENGINES.values():
        task = TaskSettings(information="day-ahead")
        world = world_of([inst], engine, task)
        act = random_actions(world, seed)
        outcomes, looked = [], []
        while not world.over:
            looked.append(np.asarray(world.observation()))
            outcomes.append(world.step(act(None))[2])
        looked.append(np.asarray(world.observation()))
        seen.append(outcomes)
        looks.append(looked)
    np.testing.assert_allclose(looks[0], looks[1], rtol=1e-9, atol=1e-9)
    for one, other in zip(*seen, strict=True):
        for name in Outcome._fields:
            x, y = getattr(one, name), getattr(other, name)
            assert (x is None) == (y is None)
            if x is None:
                continue
            np.testing.assert_allclose(np.asarray(y), x, rtol=1e-7, atol=1e-9, err_msg=name)


@settings(max_examples=FEW)
@given(instances(max_slots=5, max_sites=3, always={"fluid"}, never={"negative"}))
def test_an_oracle_schedule_played_through_the_plant_earns_the_oracles_utility(inst: Instance) -> None:
    a, best = inst.arrays(), sw.solve(inst)
    assert best.schedule is not None
    assert best.evaluation is not None
    for engine in ENGINES.values():
        states, outcomes = replay([inst], [best.schedule], engine)
        earned = np.array([float(o.utility[0]) for o in outcomes])
        assert earned.sum() == pytest.approx(best.utility, rel=1e-6, abs=1e-9)
        # in hindsight a generator without minimum may have idled where the plant has it start again
        if not (a.generator & (a.generator_min_mw == 0)).any():
            own = slot_utilities(inst, a, best)
            np.testing.assert_allclose(earned, own, rtol=1e-6, atol=1e-6 * max(1.0, abs(own).max()))
        energy = np.stack([np.asarray(state.energy[0]) for state in states], axis=1)
        np.testing.assert_allclose(energy, best.evaluation.energy_mwh, rtol=1e-6, atol=1e-9)


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=2, never={"fluid", "negative"}))
def test_so_does_one_of_whole_jobs_and_gpus(inst: Instance) -> None:
    best = sw.solve(inst, gap=1e-2)
    assert best.schedule is not None
    for engine in ENGINES.values():
        _, outcomes = replay([inst], [best.schedule], engine)
        assert sum(float(o.utility[0]) for o in outcomes) == pytest.approx(best.utility, rel=1e-6, abs=1e-9)


def test_machines_that_nobody_can_use_leave_no_power_free() -> None:
    """Ten million GPUs on a line for a hundred: a billionth of their power would be jobs of 0.002 USD."""
    inst = sw.load(EXAMPLES / "gpus-without-power.json")
    best = sw.solve(inst)
    assert best.schedule is not None
    [outcome] = replay([inst], [best.schedule], ENGINES["numpy"])[1]
    assert float(outcome.utility[0]) == pytest.approx(best.utility, rel=1e-9)


def test_what_the_judge_takes_for_off_does_not_start_the_plants_generator() -> None:
    file = random_file(
        np.random.default_rng(2), n_slots=2, n_sites=1, features={"generator", "generator_minimum"}
    )
    inst = Instance.from_dict(file)
    plan = sw.solve(inst, "no-renewables").schedule
    assert plan is not None
    off = replace(plan, generator_mw=np.zeros_like(plan.generator_mw))
    noisy = replace(off, generator_mw=np.full_like(off.generator_mw, 1e-19))
    paid = [
        [float(outcome.utility[0]) for outcome in replay([inst], [one], ENGINES["numpy"])[1]]
        for one in (off, noisy)
    ]
    assert paid[0] == paid[1]


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=2, always={"fluid", "negative"}))
def test_the_plant_lets_no_gpu_idle_even_where_the_grid_pays_for_it(inst: Instance) -> None:
    """The one thing of the model that the plant does not do; so it earns at most the oracle's utility."""
    best = sw.solve(inst)
    assert best.schedule is not None
    _, outcomes = replay([inst], [best.schedule], ENGINES["numpy"])
    needed = sum(float(o.gpus.sum()) for o in outcomes)
    assert needed <= best.schedule.gpus_on.sum() + 1e-6
    assert sum(float(o.utility[0]) for o in outcomes) <= best.utility + 1e-6 * max(1.0, abs(best.utility))


def test_planning_gives_feasible_schedules_of_several_instances_at_once() -> None:
    rng = np.random.default_rng(3)
    features = {"battery", "thermal", "deadline", "dvfs"}
    first = Instance.from_dict(random_file(rng, n_slots=6, n_sites=3, features=features))
    insts = [first, *variants(first, 3, seed=1)]
    actions = world_of([first], ENGINES["numpy"]).act_size
    made = plan(insts, lambda obs: np.zeros((len(obs), actions)), BLIND)
    assert [evaluate(inst, schedule).broken for inst, schedule in zip(insts, made, strict=True)] == [{}] * 4


# ------------------------------------------------------------------------------------------ batches, seeds


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@settings(max_examples=FEW)
@given(inst=instances(max_slots=5, max_sites=3, never={"constant"}), seed=SEEDS)
def test_a_batch_does_to_each_instance_what_happens_to_it_alone(
    engine: Engine, inst: Instance, seed: int
) -> None:
    insts = [inst, *variants(inst, 3, seed)]
    batch = world_of(insts, engine)
    alone = [world_of([one], engine) for one in insts]
    rng = np.random.default_rng(seed)
    while not batch.over:
        actions = engine.asarray(rng.uniform(-1, 1, (len(insts), batch.act_size)))
        together = batch.observation()
        reward, success, outcome = batch.step(actions)
        for n, world in enumerate(alone):
            torch.testing.assert_close(world.observation()[0], together[n])
            own_reward, own_success, own = world.step(actions[n : n + 1])
            torch.testing.assert_close(own_reward[0], reward[n])
            assert own_success[0] == success[n]
            torch.testing.assert_close(own.transfers[0], outcome.transfers[n])


def jemas_env(seeds: list[int], **task: Any) -> SchedulingEnv:
    """Two days of few slots, four environments for each seed."""
    rng = np.random.default_rng(0)
    features = {"battery", "thermal", "deadline", "dvfs", "generator", "fluid"}
    first = Instance.from_dict(random_file(rng, n_slots=5, n_sites=3, features=features))
    pool = make_pool([first, *variants(first, 4, seed=2)], "day-ahead", torch_engine())
    return SchedulingEnv(pool, TaskSettings(**task), runs=len(seeds), envs_per_run=4, seeds=seeds)


def trajectory(env: SchedulingEnv, steps: int, seed: int = 0) -> list[Any]:
    rng = torch.Generator().manual_seed(seed)
    per_run = [torch.rand((steps, env.envs_per_run, env.act_size), generator=rng) * 2 - 1]
    return [env.step(per_run[0][n].repeat(env.runs, 1)) for n in range(steps)]


def same(one: list[Any], other: list[Any]) -> bool:
    names = [field.name for field in fields(one[0])]
    return all(
        torch.equal(getattr(a, n), getattr(b, n)) for a, b in zip(one, other, strict=True) for n in names
    )


def test_equal_seeds_give_equal_trajectories_and_other_seeds_others() -> None:
    one, again, other = jemas_env([7]), jemas_env([7]), jemas_env([8])
    firsts = [env.reset()[0] for env in (one, again, other)]
    assert torch.equal(firsts[0], firsts[1])
    a, b, c = (trajectory(env, 17) for env in (one, again, other))
    assert same(a, b)
    assert not same(a, c)


def test_a_run_does_not_see_the_runs_beside_it() -> None:
    together, alone = jemas_env([7, 9]), jemas_env([9])
    assert torch.equal(together.reset()[0][4:], alone.reset()[0])
    for step, own in zip(trajectory(together, 12), trajectory(alone, 12), strict=True):
        torch.testing.assert_close(step.obs[4:], own.obs)
        torch.testing.assert_close(step.reward[4:], own.reward)


def test_resuming_from_a_saved_state_goes_on_exactly() -> None:
    env = jemas_env([1, 2])
    env.reset()
    trajectory(env, 3)
    saved = env.state_dict()
    goes_on = trajectory(env, 13, seed=5)
    resumed = jemas_env([3, 4])
    resumed.load_state_dict(saved)
    assert same(goes_on, trajectory(resumed, 13, seed=5))
    assert torch.equal(env.world.earned, resumed.world.earned)


def test_the_end_of_the_horizon_is_seen_before_the_next_episode_begins() -> None:
    env = jemas_env([0])
    first, _ = env.reset()
    steps = trajectory(env, 6)
    assert [bool(step.terminated.all()) for step in steps] == [False] * 4 + [True, False]
    assert not any(step.truncated.any() for step in steps)
    for step in (*steps[:4], steps[5]):
        assert torch.equal(step.obs, step.final_obs)
    assert not torch.equal(steps[4].obs, steps[4].final_obs)
    assert steps[4].obs.shape == first.shape


# ------------------------------------------------------------------------------------------------- rewards


@settings(max_examples=FEW)
@given(instances(max_slots=6, max_sites=3), SEEDS, st.sampled_from([0.0, 0.02, 0.3]))
def test_rewards_are_the_utility_paid_by_their_rules(inst: Instance, seed: int, threshold: float) -> None:
    engine = ENGINES["numpy"]
    worlds = {
        kind: world_of([inst], engine, TaskSettings(information="none", reward=kind, threshold=threshold))
        for kind in ("dense", "sparse", "episode")
    }
    act = random_actions(worlds["dense"], seed)
    scale = worlds["dense"].drawn.problem.money_scale[0]
    total = 0.0
    while not worlds["dense"].over:
        action = act(None)
        paid = {kind: world.step(action) for kind, world in worlds.items()}
        reward, success, outcome = paid["dense"]
        worst = 0.0
        for j in range(outcome.jobs.shape[1]):
            failed = outcome.lost[0, j].sum() + outcome.cut_jobs[0, j]
            dealt = outcome.jobs[0, j].sum() + failed
            worst = max(worst, failed / dealt if dealt > 1e-6 else 0.0)
        utility = float(outcome.utility[0])
        total += utility
        assert failed_share(engine, outcome)[0] == pytest.approx(worst, abs=1e-6)
        if abs(worst - threshold) > 1e-6:
            assert bool(success[0]) == (worst <= threshold)
        assert reward[0] == pytest.approx(utility / scale)
        assert paid["sparse"][0][0] == pytest.approx(utility / scale if success[0] else 0.0)
        at_end = total / scale if worlds["dense"].over else 0.0
        assert paid["episode"][0][0] == pytest.approx(at_end, rel=1e-9, abs=1e-12)


def test_the_reward_scale_is_a_factor() -> None:
    env, doubled = jemas_env([0], reward="dense"), jemas_env([0], reward="dense", reward_scale=2.0)
    env.reset()
    doubled.reset()
    for one, two in zip(trajectory(env, 6), trajectory(doubled, 6), strict=True):
        torch.testing.assert_close(2 * one.reward, two.reward)


@pytest.mark.parametrize("field", ["codec", "information", "reward"])
def test_an_unknown_choice_is_refused_with_what_is_known(field: str) -> None:
    with pytest.raises(InputError, match="one of"):
        TaskSettings(**{field: "no such thing"})


# ---------------------------------------------------------------------------------------------- potentials


@settings(max_examples=FEW)
@given(
    instances(max_slots=5, max_sites=3, always={"fluid"}, never={"negative"}),
)
def test_the_solvers_potential_telescopes_along_the_solvers_own_schedule(
    inst: Instance,
) -> None:
    """The utility of a slot and the change of the potential cancel.

    But for a generator that idles between two runs: the plant books its idling when it runs again."""
    best = sw.solve(inst)
    assert best.schedule is not None
    assert best.evaluation is not None
    idles = best.evaluation.generator_on & (best.schedule.generator_mw <= GENERATOR_OFF_MW)
    assume(not idles.any())
    engine = ENGINES["torch"]
    states, outcomes = replay([inst], [best.schedule], engine)
    potential = potential_of([best]).on(engine)
    worth = [float(potential.value(engine, t, state)[0]) for t, state in enumerate(states)]
    tolerance = 1e-5 * max(1.0, abs(best.utility))
    for t, outcome in enumerate(outcomes):
        change = worth[t + 1] - worth[t]
        assert float(outcome.utility[0]) + change == pytest.approx(0.0, abs=tolerance)
    assert worth[-1] == pytest.approx(0.0, abs=tolerance)
    assert worth[0] == pytest.approx(best.utility, abs=tolerance)


@settings(max_examples=FEW)
@given(
    instances(max_slots=5, max_sites=3, always={"fluid"}, never={"demand", "generator", "generator_minimum"}),
    SEEDS,
)
def test_the_solvers_potential_bounds_what_any_policy_still_earns(inst: Instance, seed: int) -> None:
    """Linear duality: up to the gap of the schedule that it stands on."""
    best = sw.solve(inst)
    engine = ENGINES["numpy"]
    task = TaskSettings(information="none", reward="dense")
    pool = make_pool([inst], "none", engine, potential=potential_of([best]))
    world = World(pool, engine, task)
    act = random_actions(world, seed)
    scale = float(pool.problem.money_scale[0])
    worth, earned = [float(world.potential()[0]) * scale], []
    while not world.over:
        earned.append(float(world.step(act(None))[2].utility[0]))
        worth.append(float(world.potential()[0]) * scale)
    assert worth[-1] == 0.0
    slack = (best.bound - best.utility) + 1e-5 * max(1.0, abs(best.utility))
    for t in range(len(earned)):
        assert sum(earned[t:]) <= worth[t] + slack


@given(
    instances(max_slots=5, max_sites=3, always={"fluid"}, never={"demand", "generator", "generator_minimum"}),
    SEEDS,
    st.floats(1.05, 3.0),
)
def test_days_with_more_jobs_bound_what_any_policy_still_earns(
    inst: Instance, seed: int, load: float
) -> None:
    """And what the optimum earns: the least of them and the day's own potential begins with that."""
    engine = ENGINES["numpy"]
    own, busy = sw.solve(inst, "lp"), sw.solve(with_jobs(inst, load), "lp")
    assume(own.schedule is not None and busy.schedule is not None)
    cuts = least_of([own], [load], lambda others: [sw.solve(other, "lp") for other in others])
    pool = make_pool([inst], "none", engine, potential=cuts)
    world = World(pool, engine, TaskSettings(information="none", reward="dense"))
    act = random_actions(world, seed)
    scale = float(pool.problem.money_scale[0])
    worth, earned = [float(world.potential()[0]) * scale], []
    while not world.over:
        earned.append(float(world.step(act(None))[2].utility[0]))
        worth.append(float(world.potential()[0]) * scale)
    slack = 1e-5 * max(1.0, abs(own.bound), abs(busy.bound))
    for t in range(len(earned)):
        assert sum(earned[t:]) <= worth[t] + slack
    assert worth[0] == pytest.approx(own.bound, abs=slack)


# -------------------------------------------------------------------------------------------- observations


@given(instances(max_slots=6, max_sites=3), SEEDS, st.sampled_from(INFORMATION))
def test_observations_are_finite_numbers_of_moderate_size(
    inst: Instance, seed: int, information: str
) -> None:
    world = world_of([inst], ENGINES["numpy"], TaskSettings(information=information))
    act = random_actions(world, seed)
    while True:
        seen = world.observation()
        assert seen.shape == (1, world.obs_size)
        assert np.isfinite(seen).all()
        assert np.abs(seen).max() < 100
        if world.over:
            break
        world.step(act(None))


def poisoned(inst: Instance, after: int, factor: float) -> Instance:
    """The same until slot ``after``; later, other arrivals and renewables, and prices times the factor."""
    file = inst.to_dict()

    def spoil(values: list[float], factor: float) -> list[float]:
        return [*values[: after + 1], *[factor * v for v in values[after + 1 :]]]

    for per_class in file["arrivals"].values():
        for name, jobs in per_class.items():
            per_class[name] = spoil(jobs, 3)
    for site in file["sites"].values():
        site["renewable_mw"] = spoil(site["renewable_mw"], 0.2)
        for name in ("import_price", "export_price", "carbon_kg_per_mwh"):
            site["grid"][name] = spoil(site["grid"][name], factor)
    return Instance.from_dict(file)


TASKS = {
    "direct": TaskSettings(),
    "priced": TaskSettings(codec="priced"),
    "sites": TaskSettings(codec="priced", view="sites"),
    "foresight": TaskSettings(codec="priced", foresight=True),
    "renewed": TaskSettings(codec="priced", foresight=True, renewal=2),
}


@pytest.mark.parametrize(
    ("task", "information"),
    [
        (task, information)
        for task, settings in TASKS.items()
        for information in ("none", "persistence", "persistence+seen")
        if not (settings.foresight and information == "none")
    ],
)
@settings(max_examples=FEW)
@given(
    inst=instances(max_slots=6, max_sites=3, always={"fluid"}, never={"negative", "constant"}),
    seed=SEEDS,
    data=st.data(),
)
def test_nothing_that_is_still_to_come_is_seen_or_acted_upon(
    task: str, information: str, inst: Instance, seed: int, data: st.DataObject
) -> None:
    """Neither by the price of energy missing at the end, where that is the highest of the horizon."""
    now = data.draw(st.integers(0, inst.n_slots - 1))
    other = poisoned(inst, now, data.draw(st.sampled_from([0.5, 3.0])))
    informed = TASKS[task].changed(information=information)
    engine = ENGINES["numpy"]
    worlds = [World(pool_for(informed, each, engine), engine, informed) for each in (inst, other)]
    act = random_actions(worlds[0], seed)
    for t in range(now + 1):
        seen = [world.observation() for world in worlds]
        # rows of slots that believe the same are made together, and last digits depend on how many there are
        digits = 1e-12 if task == "sites" else 0.0
        np.testing.assert_allclose(seen[0], seen[1], rtol=digits, atol=digits)
        action = act(None)
        asked = [world.request(action) for world in worlds]
        for part, values in vars(asked[0]).items():
            np.testing.assert_array_equal(values, getattr(asked[1], part), err_msg=part)
        if t < now:
            for world in worlds:
                world.step(action)


def test_day_ahead_knows_prices_but_not_the_sun() -> None:
    """Beside perfect foresight, only renewables and arrivals to come are seen otherwise."""
    rng = np.random.default_rng(5)
    inst = Instance.from_dict(random_file(rng, n_slots=12, n_sites=2, features={"battery"}))
    sites, classes = len(inst.sites), len(inst.classes)
    known, believed = outlook([inst], "perfect")[:, 0], outlook([inst], "day-ahead", seed=1)[:, 0]
    blind = outlook([inst], "none")[:, 0]
    np.testing.assert_array_equal(known[:, : blind.shape[1]], blind)
    np.testing.assert_array_equal(believed[:, : blind.shape[1]], blind)
    ahead = (known != believed)[:, blind.shape[1] :]
    block = np.r_[np.zeros(sites, bool), np.ones(sites + classes, bool)]
    uncertain = np.r_[np.tile(block, 6), np.zeros(2 * sites, bool)]
    assert not ahead[:, ~uncertain].any()
    assert ahead[:-1, uncertain].any()
    again = outlook([inst], "day-ahead", seed=1)[:, 0]
    np.testing.assert_array_equal(believed, again)
    assert (outlook([inst], "day-ahead", seed=2)[:, 0] != believed).any()


def test_yesterday_is_what_persistence_sees() -> None:
    """With a history that equals the day, the belief is perfect."""
    rng = np.random.default_rng(6)
    file = random_file(rng, n_slots=24, n_sites=2, slot_hours=1.0, features={"battery"})
    day = Instance.from_dict(file)
    before = Instance.from_dict({**file, "start": "2024-02-29T00:00:00Z"})
    believed = outlook([day], "persistence", [before])
    np.testing.assert_allclose(believed, outlook([day], "perfect"), atol=1e-12)
    assert (outlook([day], "persistence") != believed).any()


@given(instances(max_slots=6, max_sites=3), st.sampled_from(["none", "perfect", "day-ahead"]), st.data())
def test_a_slot_that_is_asked_for_alone_is_seen_as_among_all(
    inst: Instance, information: str, data: st.DataObject
) -> None:
    slot = data.draw(st.integers(0, inst.n_slots - 1))
    for look in (outlook, rows_outlook):
        whole = look([inst], information, past_hours=(1.0,))
        alone = look([inst], information, past_hours=(1.0,), slot=slot)
        np.testing.assert_allclose(alone[slot], whole[slot], rtol=1e-9, atol=1e-12)
        assert alone.shape == whole.shape


def test_the_observation_of_the_end_needs_no_slot_after_it() -> None:
    rng = np.random.default_rng(8)
    inst = Instance.from_dict(random_file(rng, n_slots=3, n_sites=2, features={"deadline"}))
    world = world_of([inst], ENGINES["numpy"])
    act = random_actions(world, 0)
    while not world.over:
        world.step(act(None))
    problem = world.drawn.problem
    seen = observe(world.engine, problem, 3, world.state, world.drawn.outlook[2])
    np.testing.assert_array_equal(seen, world.observation())
    assert world.state.waiting.sum() == pytest.approx(0.0, abs=1e-9)


# ------------------------------------------------------------------------------------------------- actions


def projection(z: Floats) -> Floats:
    """Onto the simplex, by sorting (Held, Wolfe and Crowder 1974)."""
    down = np.sort(z)[::-1]
    excess = (np.cumsum(down) - 1) / np.arange(1, len(z) + 1)
    threshold = excess[np.flatnonzero(down > excess)[-1]]
    result: Floats = np.maximum(z - threshold, 0.0)
    return result


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=7))
def test_sparsemax_is_the_projection_onto_the_simplex(z: list[float]) -> None:
    for engine in ENGINES.values():
        shares = np.asarray(sparsemax(engine, engine.asarray(np.array([z]))))[0]
        assert shares.sum() == pytest.approx(1.0)
        assert (shares >= 0).all()
        np.testing.assert_allclose(shares, projection(np.array(z)), atol=1e-12)


@given(instances(max_slots=5, max_sites=3), SEEDS)
def test_a_decoded_action_asks_for_nothing_impossible_of_jobs_and_batteries(
    inst: Instance, seed: int
) -> None:
    """Jobs are shared out between open ways and waiting; those that cannot wait go where they can."""
    engine = ENGINES["numpy"]
    world = world_of([inst], engine)
    act = random_actions(world, seed)
    problem = world.drawn.problem
    while not world.over:
        at_hand = world.state.waiting + problem.arrivals[world.t]
        must = np.maximum(at_hand - problem.recent[world.t][..., 0], 0.0)
        request = world.codec.decode(engine, problem, world.t, world.state, act(None))
        going = request.transfers.sum(axis=-1)
        assert (request.transfers >= 0).all()
        assert (request.transfers[problem.open == 0] <= 1e-12).all()
        assert (going <= at_hand * (1 + 1e-9) + 1e-9).all()
        served = problem.open.max(axis=-1) > 0
        assert (going[served] >= must[served] * (1 - 1e-9) - 1e-9).all()
        assert request.battery_is_share
        assert (np.abs(request.battery) <= 1).all()
        assert ((request.cooling >= 0) & (request.cooling <= 1)).all()
        world.step(act(None))


# ---------------------------------------------------------------------------------- nothing leaves the device


class NoCopies(TorchDispatchMode):
    """Fails on what would make a GPU wait for the host: values read back, sizes that depend on values."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        kwargs = kwargs or {}
        assert name not in self.WAITS, f"{name} reads values of the device"
        if name in ("_to_copy", "lift_fresh", "lift_fresh_copy"):
            moved = kwargs.get("device")
            assert moved is None or torch.device(moved) == args[0].device, f"{name} copies between devices"
        return func(*args, **kwargs)


def test_a_step_reads_nothing_back_from_the_device() -> None:
    env = jemas_env([0])
    env.reset()
    actions = torch.rand((3, env.envs, env.act_size)) * 2 - 1
    env.step(actions[0])
    with NoCopies():
        env.step(actions[1])
        env.step(actions[2])
    with NoCopies(), pytest.raises(AssertionError, match="reads values"):
        float(actions[0, 0, 0])


def test_instances_of_other_shapes_are_refused() -> None:
    rng = np.random.default_rng(0)
    insts = [Instance.from_dict(random_file(rng, n_slots=3, n_sites=n, features={"battery"})) for n in (2, 3)]
    with pytest.raises(InputError, match="shape"):
        stack([inst.arrays() for inst in insts], ENGINES["numpy"])
