"""The replay's transitions against plain loops over what was put in."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepwatt.learning.memory.replay import Replay
from stepwatt.learning.memory.rollout import RolloutMemory, pick
from stepwatt.learning.memory.transitions import Step


def made_up_steps(count: int, runs: int, envs: int, seed: int, end: float) -> list[tuple[torch.Tensor, Step]]:
    """Steps of envs whose episodes end by chance; obs number themselves, final ones by + 0.5."""
    rng = torch.Generator().manual_seed(seed)
    wide = runs * envs
    steps = []
    for time in range(count):
        obs = torch.stack([torch.full((wide,), float(time)), torch.arange(wide).float()], 1)
        ended = torch.rand(wide, generator=rng) < end
        terminated = ended & (torch.rand(wide, generator=rng) < 0.5)
        reward, potential, next_potential = torch.randn(3, wide, generator=rng).unbind()
        step = Step(
            obs + 1,
            obs + 0.5,
            reward,
            terminated,
            ended & ~terminated,
            potential * ~terminated,
            next_potential,
            reward > 0,
        )
        steps.append((obs, step))
    return steps


@given(
    count=st.integers(1, 30),
    slots=st.integers(1, 12),
    envs=st.integers(1, 3),
    runs=st.integers(1, 3),
    n_step=st.integers(1, 5),
    end=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_transitions_equal_a_loop_over_the_steps(
    count: int, slots: int, envs: int, runs: int, n_step: int, end: float, seed: int
) -> None:
    gamma = 0.9
    replay = Replay(slots, envs, 2, 1, range(runs), gamma=gamma, n_step=n_step)
    steps = made_up_steps(count, runs, envs, seed, end)
    before = torch.zeros(runs * envs)
    befores = []
    for time, (obs, step) in enumerate(steps):
        befores.append(before)
        number = torch.full_like(before, time)
        replay.add(obs, obs[:, :1], before, number, step)
        before = step.next_potential
    oldest = max(0, count - slots)
    held = count - oldest
    ages, columns = torch.meshgrid(torch.arange(held), torch.arange(envs), indexing="ij")
    shape = (runs, held * envs)
    batch = replay.transitions(ages.reshape(1, -1).expand(shape), columns.reshape(1, -1).expand(shape))
    for run in range(runs):
        for sample in range(held * envs):
            begin, env = oldest + sample // envs, run * envs + sample % envs
            total, factor, time = 0.0, 1.0, begin
            while True:
                step = steps[time][1]
                total += factor * float(step.reward[env])
                factor *= gamma
                over = bool(step.terminated[env] | step.truncated[env])
                if over or time + 1 == count or time + 1 == begin + n_step:
                    break
                time += 1
            at = run, sample
            assert batch.obs[at].tolist() == [begin, env]
            assert batch.act[at].tolist() == [begin]
            assert float(batch.reward[at]) == pytest.approx(total, abs=1e-5)
            assert batch.next_obs[at].tolist() == [time + 0.5, env + 0.5]
            # truncation bootstraps from the final observation, termination does not
            kept = 0.0 if step.terminated[env] else factor
            assert float(batch.discount[at]) == pytest.approx(kept, abs=1e-6)
            assert float(batch.potential[at]) == float(befores[begin][env])
            assert float(batch.next_potential[at]) == float(step.potential[env])
            assert float(batch.slot[at]) == begin
            assert float(batch.success[at]) == float(steps[begin][1].success[env])
            assert_return(float(batch.returns[at]), steps, begin, env, gamma)


def assert_return(
    found: float, steps: list[tuple[torch.Tensor, Step]], begin: int, env: int, gamma: float
) -> None:
    total, factor = 0.0, 1.0
    for _, step in steps[begin:]:
        total += factor * float(step.reward[env])
        factor *= gamma
        if step.terminated[env] | step.truncated[env]:
            assert found == pytest.approx(total, abs=1e-4)
            return
    assert math.isnan(found)


def test_returns_of_episodes_longer_than_a_block_equal_a_loop() -> None:
    steps = made_up_steps(400, 1, 2, seed=5, end=0.008)
    replay = Replay(300, 2, 2, 1, (0,), gamma=0.97)
    for obs, step in steps:
        replay.add(obs, obs[:, :1], torch.zeros(2), torch.zeros(2), step)
    ages = torch.arange(300)
    for env in range(2):
        batch = replay.transitions(ages[None], torch.full((1, 300), env))
        for age in range(0, 300, 7):
            assert_return(float(batch.returns[0, age]), steps, 100 + age, env, 0.97)


def test_samples_come_from_all_that_is_held_and_from_the_own_run_only() -> None:
    replay = Replay(8, 3, 2, 1, (0, 1), gamma=0.9)
    for obs, step in made_up_steps(11, 2, 3, seed=0, end=0.2):
        replay.add(obs, obs[:, :1], torch.zeros(6), torch.zeros(6), step)
    batch = replay.sample(2000)
    for run in range(2):
        seen = {tuple(pair) for pair in batch.obs[run].tolist()}
        assert seen == {(time, env) for time in range(3, 11) for env in range(3 * run, 3 * run + 3)}


def test_a_run_draws_the_same_samples_in_any_company() -> None:
    alone, together = Replay(8, 3, 2, 1, (1,), gamma=0.9), Replay(8, 3, 2, 1, (0, 1), gamma=0.9)
    for obs, step in made_up_steps(8, 1, 3, seed=0, end=0.2):
        alone.add(obs, obs[:, :1], torch.zeros(3), torch.zeros(3), step)
    for obs, step in made_up_steps(8, 2, 3, seed=0, end=0.2):
        together.add(obs, obs[:, :1], torch.zeros(6), torch.zeros(6), step)
    mine, ours = alone.sample(50), together.sample(50)
    assert torch.equal(mine.act[0], ours.act[1])
    assert torch.equal(mine.obs[0, :, 1], ours.obs[1, :, 1] - 3)


@given(end=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 10**6))
def test_a_rollout_holds_raw_one_step_transitions_and_returns(end: float, seed: int) -> None:
    runs, envs, gamma = 2, 3, 0.9
    steps = made_up_steps(6, runs, envs, seed, end)
    memory = RolloutMemory(6, gamma)
    for obs, step in steps:
        assert not memory.full
        memory.add(
            obs.view(runs, envs, 2), obs[:, :1].view(runs, envs, 1), torch.zeros(6), torch.zeros(6), step
        )
    assert memory.full
    rollout = memory.take()
    assert not memory.full
    for run in range(runs):
        for sample in range(6 * envs):
            time, env = sample // envs, run * envs + sample % envs
            step = steps[time][1]
            assert rollout.batch.obs[run, sample].tolist() == [time, env]
            assert float(rollout.batch.reward[run, sample]) == float(step.reward[env])
            assert bool(rollout.ended[run, time, sample % envs]) == bool(
                step.terminated[env] | step.truncated[env]
            )
            kept = 0.0 if step.terminated[env] else gamma
            assert float(rollout.batch.discount[run, sample]) == pytest.approx(kept)
            assert_return(float(rollout.batch.returns[run, sample]), steps, time, env, gamma)
    some = pick(rollout.batch, torch.tensor([[0, 5], [2, 1]]))
    assert some.obs[:, :, 0].tolist() == [[0, 1], [0, 0]]
