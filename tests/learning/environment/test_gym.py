"""The environment behind Gymnasium's interfaces, and learned on by a library that knows nothing of it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances, random_file

import stepwatt as sw
from stepwatt.formulation import InputError, Instance

gymnasium = pytest.importorskip("gymnasium")
torch = pytest.importorskip("torch")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402

from stepwatt.formulation.plant.engine import numpy_engine  # noqa: E402
from stepwatt.learning.environment.gym_env import ENVIRONMENT, SchedulingGymEnv, SchedulingVectorEnv  # noqa: E402
from stepwatt.learning.environment.task import TaskSettings  # noqa: E402
from stepwatt.learning.environment.world import World, make_pool  # noqa: E402

FEATURES = {"battery", "thermal", "deadline", "dvfs", "generator", "fluid"}


def day(seed: int = 0, slots: int = 6) -> Instance:
    """An instance of three sites; only the arrivals depend on the seed."""
    file = random_file(np.random.default_rng(0), n_slots=slots, n_sites=3, features=FEATURES)
    rng = np.random.default_rng(seed)
    for per_class in file["arrivals"].values():
        for name, jobs in per_class.items():
            per_class[name] = [n * rng.uniform(0.5, 1.5) for n in jobs]
    return Instance.from_dict(file)


def made(**options: Any) -> SchedulingGymEnv:
    env = gymnasium.make(
        ENVIRONMENT, instances=[day(1), day(2)], disable_env_checker=True, **options
    ).unwrapped
    assert isinstance(env, SchedulingGymEnv)
    return env


@pytest.mark.parametrize("integral", [False, True])
@pytest.mark.parametrize("reward", ["dense", "sparse", "episode"])
def test_gymnasiums_own_checks_pass_without_a_warning(reward: str, integral: bool) -> None:
    check_env(made(task=TaskSettings(reward=reward), integral=integral))


def test_make_checks_it_too() -> None:
    env = gymnasium.make(ENVIRONMENT, instances=[day()])
    env.reset(seed=0)
    for _ in range(6):
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        assert set(info) == {"utility", "failed_share"}
    assert (terminated, truncated) == (True, False)


def test_a_step_after_the_end_is_refused() -> None:
    env = made()
    env.reset(seed=0)
    for _ in range(6):
        env.step(np.zeros(env.action_space.shape, np.float32))
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(env.action_space.shape, np.float32))


def test_the_adapter_plays_what_the_world_plays() -> None:
    env = made(task=TaskSettings(reward="dense"))
    obs, info = env.reset(seed=3)
    inst = [day(1), day(2)][info["instance"]]
    engine = numpy_engine()
    number = info["instance"]
    pool = make_pool([day(1), day(2)], "day-ahead", engine).take(np.array([number]), engine)
    world = World(pool, engine, TaskSettings(reward="dense"))
    rng = np.random.default_rng(0)
    earned = 0.0
    for _ in range(inst.n_slots):
        np.testing.assert_allclose(obs, world.observation()[0], rtol=1e-6, atol=1e-7)
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        obs, reward, _, _, info = env.step(action)
        own, _, outcome = world.step(action[None].astype(np.float64))
        earned += info["utility"]
        assert reward == own[0]
        assert info["utility"] == outcome.utility[0]
        assert 0 <= info["failed_share"] <= 1
    assert earned == pytest.approx(float(world.earned[0]))


def test_the_environments_own_generator_draws_the_instance() -> None:
    def drawn(seed: int) -> list[int]:
        env = made()
        return [env.reset(seed=seed)[1]["instance"], *(env.reset()[1]["instance"] for _ in range(12))]

    assert drawn(0) == drawn(0)
    assert set(drawn(0)) == {0, 1}
    assert drawn(0) != drawn(1)


def test_the_vector_form_begins_anew_in_the_same_step() -> None:
    env = gymnasium.make_vec(ENVIRONMENT, num_envs=3, instances=[day(1), day(2)])
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    obs, _ = env.reset(seed=1)
    assert env.observation_space.contains(obs)
    env.action_space.seed(0)
    for slot in range(7):
        obs, reward, terminated, truncated, infos = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs)
        assert reward.shape == infos["utility"].shape == infos["failed_share"].shape == (3,)
        assert terminated.all() == terminated.any() == (slot == 5)
        assert not truncated.any()
        assert ("final_obs" in infos) == (slot == 5)
        if slot == 5:
            assert infos["final_obs"].shape == obs.shape
            assert infos["_final_obs"].all()
            assert (infos["final_obs"] != obs).any(axis=1).all()
            np.testing.assert_array_equal(infos["final_info"]["utility"], infos["utility"])
    env.close()


def test_the_vector_form_does_what_single_ones_do_and_its_seed_says_all() -> None:
    task = TaskSettings(reward="dense")
    env = SchedulingVectorEnv([day(1)], task, num_envs=2)
    single = SchedulingGymEnv([day(1)], task)
    obs, _ = env.reset(seed=1)
    own, _ = single.reset(seed=5)
    rng = np.random.default_rng(2)
    for _ in range(6):
        np.testing.assert_allclose(obs[0], own, rtol=1e-4, atol=1e-4)
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        obs, reward, *_, infos = env.step(action)
        own, paid, _, _, info = single.step(action[0])
        assert reward[0] == pytest.approx(paid, rel=1e-3, abs=1e-4)
        assert infos["failed_share"][0] == pytest.approx(info["failed_share"], abs=1e-4)
    days = [day(n) for n in range(4)]
    one, two = (SchedulingVectorEnv(days, num_envs=8) for _ in range(2))
    np.testing.assert_array_equal(one.reset(seed=4)[0], two.reset(seed=4)[0])
    np.testing.assert_array_equal(one.reset()[0], two.reset()[0])
    assert (one.reset(seed=4)[0] != one.reset(seed=5)[0]).any()


def test_foreseen_prices_are_for_many_side_by_side() -> None:
    task = TaskSettings(codec="priced", foresight=True)
    with pytest.raises(InputError, match=r"task\.foresight"):
        SchedulingGymEnv([day()], task)
    many = SchedulingVectorEnv([day()], task, num_envs=2)
    seen, _ = many.reset(seed=0)
    said = seen[:, -many.single_action_space.shape[0] :]
    assert np.abs(said).max() > 0
    again, rewards, *_ = many.step(np.zeros_like(said))
    assert again.shape == seen.shape
    assert np.isfinite(rewards).all()


def test_arrays_that_were_handed_out_stay_as_they_were() -> None:
    env = SchedulingVectorEnv([day(1), day(2)], num_envs=2)
    first, _ = env.reset(seed=0)
    kept = first.copy()
    env.step(env.action_space.sample())
    np.testing.assert_array_equal(first, kept)


def in_a_fresh_process(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("imported", "name"),
    [
        ("stepwatt as sw", f"stepwatt.learning.environment.gym_env:{ENVIRONMENT}"),
        ("stepwatt as sw, stepwatt.learning.environment.gym_env", ENVIRONMENT),
    ],
)
def test_gymnasium_finds_the_name_in_a_fresh_process(imported: str, name: str, tmp_path: Path) -> None:
    """As docs/environment.md says; by itself it loads nothing (since Gymnasium 1.0)."""
    code = f"""
import gymnasium, {imported}
env = gymnasium.make({name!r}, instances=sw.scenario("jemas", n_slots=2))
print(env.spec.id, env.reset(seed=0)[1])
"""
    assert in_a_fresh_process(code, tmp_path).strip() == f"{ENVIRONMENT} {{'instance': 0}}"


# ----------------------------------------------------------------------------------- what comes from outside

WILD = st.floats(allow_nan=False, allow_infinity=False)


@given(
    instances(max_slots=4, max_sites=3), st.lists(WILD, min_size=1), st.booleans(), st.integers(0, 2**32 - 1)
)
def test_no_actions_whatever_earn_more_than_the_bound(
    inst: Instance, wild: list[float], integral: bool, seed: int
) -> None:
    bound = sw.solve(inst, "lp").bound
    assert bound is not None
    env = SchedulingGymEnv(inst, integral=integral and inst.integral_jobs)
    env.reset(seed=0)
    rng, earned, over = np.random.default_rng(seed), 0.0, False
    while not over:
        action = rng.choice([*wild, 1.5, -3.0, 1e300, 0.0], env.action_space.shape)
        _, _, over, _, info = env.step(action)
        earned += info["utility"]
    assert earned <= bound + 1e-6 * max(1.0, abs(bound))


def test_numbers_beyond_the_box_are_cut_to_it_in_every_form() -> None:
    rng = np.random.default_rng(0)
    singles, many = [made() for _ in range(2)], [SchedulingVectorEnv([day(1)], num_envs=2) for _ in range(2)]
    for env in (*singles, *many):
        env.reset(seed=0)
    for _ in range(6):
        wild = rng.choice([-1e300, -2.0, -0.3, 0.8, 1.5, 1e300], many[0].action_space.shape)
        cut = np.clip(wild, -1, 1)
        for (one, other), actions in ((singles, (wild[0], cut[0])), (many, (wild, cut))):
            first, second = one.step(actions[0]), other.step(actions[1])
            np.testing.assert_array_equal(first[0], second[0])
            np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda a: np.where(np.arange(a.size).reshape(a.shape) == 3, np.nan, a), "3] = nan"),
        (lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.inf, a), "0] = inf"),
        (lambda a: -a / 0.0, "0] = -inf"),
        (lambda a: np.concatenate([a, a[..., :1]], -1), "shape"),
        (lambda a: a[..., 1:], "shape"),
        (lambda a: a[None], "shape (1, "),
        (lambda a: a.sum(), "shape ()"),
        (lambda a: np.full(a.shape, "full"), "'full'"),
        (lambda a: np.full(a.shape, "0.5"), "'0.5'"),
        (lambda a: a + 1j, "array("),
        (lambda a: a.astype("datetime64[s]"), "1970"),
        (lambda a: np.full(a.shape, 10**400), "array("),
        (lambda a: np.ma.masked_array(a, np.arange(a.size).reshape(a.shape) == 0), "0] = nan"),
    ],
)
def test_other_than_as_many_finite_numbers_is_told_in_one_line(spoil: Any, told: str) -> None:
    single, many = made(), SchedulingVectorEnv([day(1)], num_envs=2)
    size = single.action_space.shape[0]
    for env, expected in ((single, f"{size} finite numbers"), (many, f"2 × {size} finite numbers")):
        env.reset(seed=0)
        with np.errstate(divide="ignore"), pytest.raises(InputError) as found:
            env.step(spoil(np.ones(env.action_space.shape)))
        assert told in str(found.value)
        assert found.value.expected == expected
        assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "given", [torch.Tensor.tolist, lambda a: a.requires_grad_(), lambda a: a.half().numpy()[..., ::-1]]
)
def test_lists_tensors_and_views_are_numbers_too(given: Any) -> None:
    for env in (made(), SchedulingVectorEnv([day(1)], num_envs=2)):
        env.reset(seed=0)
        env.step(given(torch.zeros(env.action_space.shape)))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"num_envs": 0}, "num_envs"),
        ({"num_envs": -1}, "num_envs"),
        ({"num_envs": "3"}, "num_envs"),
        ({"num_envs": True}, "num_envs"),
        ({"num_envs": 10**9}, "num_envs"),
        ({"device": "nowhere"}, "device"),
        ({"device": 3.5}, "device"),
        ({"task": {"reward": "dense"}}, "task"),
        ({"forecast_seed": -1}, "forecast_seed"),
        ({"forecast_seed": "x"}, "forecast_seed"),
    ],
)
def test_options_that_make_no_sense_are_told_in_one_line(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as found:
        SchedulingVectorEnv(day(1), **options)
    assert found.value.field == field


def test_one_action_for_several_environments_is_not_enough() -> None:
    many = SchedulingVectorEnv([day(1)], num_envs=2)
    many.reset(seed=0)
    with pytest.raises(InputError, match="2 × "):
        many.step(np.zeros((1, many.inner.act_size)))


@pytest.mark.parametrize("form", [SchedulingGymEnv, SchedulingVectorEnv])
def test_one_instance_is_a_list_of_one(form: Any) -> None:
    task = TaskSettings(information="persistence")
    alone, listed = form(day(1), task, histories=day(2)), form([day(1)], task, histories=[day(2)])
    np.testing.assert_array_equal(alone.reset(seed=0)[0], listed.reset(seed=0)[0])


@pytest.mark.parametrize("form", [SchedulingGymEnv, SchedulingVectorEnv])
@pytest.mark.parametrize(
    ("given", "past", "field"),
    [
        ([], None, "instances"),
        (["2018-06-12"], None, "instances[0]"),
        (7, None, "instances"),
        ("instance.json", None, "instances"),
        ({"a": day(1)}, None, "instances"),
        ([day(1)], 3, "histories"),
        ([day(1)], ["yesterday"], "histories[0]"),
        ([day(1), day(2)], [None], "histories"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(form: Any, given: Any, past: Any, field: str) -> None:
    with pytest.raises(InputError) as found:
        form(given, histories=past)
    assert found.value.field == field


def test_pickled_in_the_middle_an_environment_goes_on_as_it_was() -> None:
    single, many = made(task=TaskSettings(reward="dense")), SchedulingVectorEnv([day(1), day(2)], num_envs=2)
    rng = np.random.default_rng(0)
    for env in (single, many):
        env.reset(seed=1)
        env.step(rng.uniform(-1, 1, env.action_space.shape))
        copy = pickle.loads(pickle.dumps(env))
        for _ in range(5):
            action = rng.uniform(-1, 1, env.action_space.shape)
            one, other = env.step(action), copy.step(action)
            for part in range(4):
                np.testing.assert_array_equal(one[part], other[part])
        np.testing.assert_array_equal(env.reset()[0], copy.reset()[0])


# ----------------------------------------------------------------------------------------- Stable-Baselines3


def earned_by(model: Any, env: SchedulingGymEnv) -> float:
    """Mean reward of a slot over both instances, without exploration."""
    total, slots = 0.0, 0
    for seed in range(4):
        obs, _ = env.reset(seed=seed)
        over = False
        while not over:
            action, _ = model.predict(obs, deterministic=True)
            obs, reward, over, _, _ = env.step(action)
            total, slots = total + reward, slots + 1
    return total / slots


def test_stable_baselines3_learns_on_it_unchanged() -> None:
    """A few hundred steps of SAC change the policy, and for the better."""
    sb3 = pytest.importorskip("stable_baselines3")
    torch.set_num_threads(1)
    task = TaskSettings(reward="dense", information="none")
    env = made(task=task)
    model = sb3.SAC(
        "MlpPolicy",
        env,
        learning_starts=60,
        batch_size=64,
        learning_rate=3e-3,
        gamma=0.9,
        policy_kwargs={"net_arch": [32, 32]},
        seed=0,
        device="cpu",
    )
    test = made(task=task)
    obs, _ = test.reset(seed=0)
    before, untrained = model.predict(obs, deterministic=True)[0], earned_by(model, test)
    model.learn(300)
    after, trained = model.predict(obs, deterministic=True)[0], earned_by(model, test)
    assert np.abs(after - before).mean() > 0.05
    assert trained > untrained
