"""The environment behind Gymnasium's interfaces, and learned on by a library that knows nothing of it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT
from strategies import random_file

from stepwatt.formulation import InputError, Instance

gymnasium = pytest.importorskip("gymnasium")
torch = pytest.importorskip("torch")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402

from stepwatt.formulation.plant.engine import numpy_engine  # noqa: E402
from stepwatt.learning.environment.gym_env import ENVIRONMENT, SchedulingGymEnv, SchedulingVectorEnv  # noqa: E402
from stepwatt.learning.environment.world import TaskSettings, World, make_pool  # noqa: E402

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


@pytest.mark.parametrize("module", ["stepwatt", "stepwatt.learning.environment.registration"])
def test_naming_the_environment_loads_neither_gymnasium_nor_torch(module: str, tmp_path: Path) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert not {"gymnasium", "torch"} & {name.partition(".")[0] for name in done.stdout.split()}


def test_gymnasium_is_told_by_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["gymnasium.envs"] == {
        "stepwatt": "stepwatt.learning.environment.registration:register"
    }


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
    model.learn(500)
    after, trained = model.predict(obs, deterministic=True)[0], earned_by(model, test)
    assert np.abs(after - before).mean() > 0.05
    assert trained > untrained
