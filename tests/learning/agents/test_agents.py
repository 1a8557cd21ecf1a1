"""Agents learn what they should, each run by itself, from losses that are those of the papers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, TanhTransform, TransformedDistribution
from toy_envs import Bandit, Chain, settings_said

from stepwatt.learning.agents import AGENTS
from stepwatt.learning.agents.ppo import advantages, clipped_loss
from stepwatt.learning.agents.sac import SAC, SACSettings, actor_loss, critic_target
from stepwatt.learning.agents.td3 import TD3, TD3Settings
from stepwatt.learning.memory.rollout import Rollout
from stepwatt.learning.memory.transitions import Batch
from stepwatt.learning.model_guided.cloning import Demonstrations, clone
from stepwatt.learning.networks.parallel_runs import generators
from stepwatt.learning.networks.policy import Policy, squash
from stepwatt.learning.training.loop import build_agent, train_agent

OBS, ACT = 5, 3
OWN = {
    "td3": ["agent.exploration=0.3"],
    "ddpg": ["agent.exploration=0.5"],
    "ppo": ["agent.rollout_slots=16", "agent.actor_rate=3e-3"],
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def batch_of(runs: int, size: int, seeds: tuple[int, ...] | None = None) -> Batch:
    """Random transitions; run s is the same whenever its seed is."""
    rngs = generators(seeds or tuple(range(runs)))

    def draw(*shape: int) -> Tensor:
        return torch.stack([torch.randn(*shape, generator=rng) for rng in rngs])

    return Batch(
        obs=draw(size, OBS),
        act=torch.tanh(draw(size, ACT)),
        reward=draw(size),
        next_obs=draw(size, OBS),
        discount=0.9 * (draw(size) > 0).float(),
        returns=draw(size),
        potential=draw(size),
        next_potential=draw(size),
        success=(draw(size) > 0).float(),
        slot=torch.zeros(len(rngs), size),
    )


class ReachedError(Exception):
    """Two evaluations in a row were all but the optimum."""


@pytest.mark.parametrize("algo", AGENTS)
@pytest.mark.parametrize("toy", [Bandit, Chain])
def test_every_agent_reaches_the_known_optimum(algo: str, toy: type[Bandit] | type[Chain]) -> None:
    words = ["gamma=1.0", "seeds=[0,1]", "envs_per_run=8", "env_steps=12000", "evaluate_every=200"]
    words += ["warmup_steps=256", "batch_size=64", "agent.hidden=[64,64]", "agent.actor_rate=1e-3"]
    if algo != "ppo":
        words += ["warmup_actions=uniform", "agent.critic_rate=2e-3", "agent.target_rate=0.03"]
    settings = settings_said(f"algo={algo}", *words, *OWN.get(algo, []))
    env = toy(settings.seeds, settings.envs_per_run)
    scores: list[Tensor] = []

    def evaluate(policy: Any) -> dict[str, Tensor]:
        scores.append(env.score(policy)["score"])
        if len(scores) > 1 and float(torch.stack(scores[-2:]).min()) > 0.995:
            raise ReachedError
        return {"score": scores[-1]}

    with pytest.raises(ReachedError):
        train_agent(env, settings, evaluate=evaluate)
    assert float(scores[0].max()) < 0.8


@pytest.mark.parametrize("algo", ["sac", "td3", "ddpg"])
def test_a_run_learns_the_same_alone_and_in_company(algo: str) -> None:
    kind = AGENTS[algo]
    together = kind.build(kind.settings(hidden=(32, 32)), OBS, ACT, (7, 8, 9), "cpu")
    alone = kind.build(kind.settings(hidden=(32, 32)), OBS, ACT, (8,), "cpu")
    for _ in range(50):
        seeds = tuple(int(seed) for seed in torch.randint(10**6, (3,)))
        in_company = together.update(batch_of(3, 16, seeds))
        by_itself = alone.update(batch_of(1, 16, seeds[1:2]))
    for name, value in by_itself.items():
        torch.testing.assert_close(in_company[name][1:2], value, rtol=2e-3, atol=2e-4)
    obs = torch.randn(1, 20, OBS)
    mine = together.policy()(obs.expand(3, -1, -1))[1:2]
    torch.testing.assert_close(mine, alone.policy()(obs), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("algo", AGENTS)
def test_the_policy_of_one_run_can_be_rebuilt_from_plain_values(algo: str) -> None:
    kind = AGENTS[algo]
    agent = kind.build(kind.settings(hidden=(16,), last_gain=1.0), OBS, ACT, (0, 1), "cpu")
    one = agent.policy(1)
    again = Policy.rebuild(one.description(), one.run_state(0))
    obs = torch.randn(6, OBS)
    assert again(obs).shape == (6, ACT)
    assert torch.equal(again(obs), one(obs))
    torch.testing.assert_close(again(obs), agent.policy()(obs.expand(2, -1, -1))[1])
    torch.testing.assert_close(agent.act(obs.expand(2, -1, -1), deterministic=True)[1], again(obs))


@pytest.mark.parametrize("algo", AGENTS)
def test_the_first_actions_are_close_to_zero(algo: str) -> None:
    kind = AGENTS[algo]
    agent = kind.build(kind.settings(), OBS, ACT, (0, 1), "cpu")
    first = agent.act(torch.randn(2, 50, OBS), deterministic=True)
    assert float(first.abs().max()) < 0.05


def test_a_policy_of_several_runs_asks_for_their_axis() -> None:
    with pytest.raises(ValueError, match="2 runs"):
        Policy(OBS, ACT, (8,), generators((0, 1)))(torch.zeros(4, OBS))


def test_the_tanh_gaussian_has_the_density_of_its_definition() -> None:
    mean, log_std, noise = torch.randn(3, 2, 40, ACT, dtype=torch.float64).unbind()
    act, log_prob = squash(mean, log_std, noise)
    reference = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform(cache_size=1)])
    inside = act.abs().amax(-1) < 0.999
    expected = reference.log_prob(act).sum(-1)
    torch.testing.assert_close(log_prob[inside], expected[inside], rtol=1e-6, atol=1e-6)


def test_far_out_actions_keep_a_finite_density() -> None:
    far = torch.full((1, 1, 1), 40.0)
    _, log_prob = squash(far, torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    assert torch.isfinite(log_prob).all()
    assert float(log_prob) == pytest.approx(-0.9189 - 2 * (0.6931 - 40), abs=1e-3)


def test_sac_losses_are_those_of_stable_baselines() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    sb3 = pytest.importorskip("stable_baselines3")
    ours = SAC(SACSettings(hidden=(16, 16), last_gain=1.0), OBS, ACT, (0,))
    env = gymnasium.Env()
    env.observation_space = gymnasium.spaces.Box(-10, 10, (OBS,))
    env.action_space = gymnasium.spaces.Box(-1, 1, (ACT,))
    theirs = sb3.SAC("MlpPolicy", env, policy_kwargs={"net_arch": [16, 16]}, device="cpu").policy
    with torch.no_grad():
        for net, own in zip((theirs.critic.qf0, theirs.critic.qf1), ours.critics.nets, strict=True):
            linear = [one for one in net if isinstance(one, torch.nn.Linear)]
            for there, here in zip(linear, own.layers, strict=True):
                there.weight.copy_(here.weight[0].T)
                there.bias.copy_(here.bias[0, 0])
            # ours normalise the layers of critics, theirs do not
            for place in (3, 1):
                net.insert(place, torch.nn.LayerNorm(16, elementwise_affine=False))
        hidden = [one for one in theirs.actor.latent_pi if isinstance(one, torch.nn.Linear)]
        *first, last = ours.actor.net.layers
        for there, here in zip(hidden, first, strict=True):
            there.weight.copy_(here.weight[0].T)
            there.bias.copy_(here.bias[0, 0])
        for head, columns in ((theirs.actor.mu, slice(0, ACT)), (theirs.actor.log_std, slice(ACT, None))):
            head.weight.copy_(last.weight[0, :, columns].T)
            head.bias.copy_(last.bias[0, 0, columns])
    batch, temperature = batch_of(1, 32), torch.tensor([0.2])

    torch.manual_seed(3)
    act, their_log_prob = theirs.actor.action_log_prob(batch.obs[0])
    torch.manual_seed(3)
    our_act, our_log_prob = squash(
        *ours.actor.mean_and_log_std(batch.obs), torch.normal(torch.zeros(32, ACT), 1.0)
    )
    torch.testing.assert_close(our_act[0], act)
    # they add 1e-6 inside the logarithm, we nothing
    torch.testing.assert_close(our_log_prob[0], their_log_prob, rtol=1e-3, atol=1e-3)
    least = torch.cat(theirs.critic(batch.obs[0], act), 1).min(1).values
    their_actor_loss = (0.2 * their_log_prob - least).mean()
    value = ours.critics.least(batch.obs, our_act)
    torch.testing.assert_close(
        actor_loss(value, our_log_prob, temperature)[0], their_actor_loss, rtol=1e-3, atol=1e-3
    )
    their_target = batch.reward[0] + batch.discount[0] * (least - 0.2 * their_log_prob)
    our_target = critic_target(batch, value, our_log_prob, temperature)
    torch.testing.assert_close(our_target[0], their_target, rtol=1e-3, atol=1e-3)
    their_values = torch.stack(theirs.critic(batch.obs[0], batch.act[0])).squeeze(-1)
    torch.testing.assert_close(torch.cat(ours.critics(batch.obs, batch.act)), their_values)


def test_only_what_was_terminated_is_worth_nothing_afterwards() -> None:
    batch = batch_of(2, 4)
    batch = replace(batch, discount=torch.tensor([[0.9, 0.0, 0.9, 0.0]]).expand(2, 4))
    value = torch.full((2, 4), 5.0)
    target = critic_target(batch, value, torch.zeros(2, 4), torch.zeros(2))
    torch.testing.assert_close(target - batch.reward, torch.tensor([[4.5, 0.0, 4.5, 0.0]]).expand(2, 4))


def test_a_deterministic_policy_is_drawn_back_from_the_ends_of_the_box() -> None:
    saturated = {}
    for penalty in (0.0, 0.3):
        chosen = TD3Settings(hidden=(8,), last_gain=30.0, actor_rate=1e-2, preactivation_penalty=penalty)
        agent = TD3(chosen, OBS, ACT, (0, 1))
        batch = batch_of(2, 64)
        for _ in range(400):
            agent.update(batch)
        saturated[penalty] = float((agent.act(batch.obs, deterministic=True).abs() > 0.97).float().mean())
    assert saturated[0.0] > 0.5
    assert saturated[0.3] < 0.1


def test_ddpg_is_td3_with_one_critic_and_no_delay() -> None:
    kind = AGENTS["ddpg"]
    agent = kind.build(kind.settings(hidden=(8,)), OBS, ACT, (0,), "cpu")
    assert len(agent.critics.nets) == 1
    assert "actor_loss" in agent.update(batch_of(1, 8))
    td3 = TD3(TD3Settings(hidden=(8,)), OBS, ACT, (0,))
    assert "actor_loss" not in td3.update(batch_of(1, 8))
    assert "actor_loss" in td3.update(batch_of(1, 8))


@pytest.mark.parametrize("trace", [0.0, 0.7, 1.0])
def test_advantages_equal_a_loop_and_stop_at_the_end_of_an_episode(trace: float) -> None:
    runs, slots, envs, gamma = 2, 7, 3, 0.9
    ended = torch.rand(runs, slots, envs) < 0.3
    terminated = ended & (torch.rand(runs, slots, envs) < 0.5)
    batch = batch_of(runs, slots * envs)
    batch = replace(batch, discount=gamma * (~terminated).float().flatten(1))
    value, next_value = torch.randn(2, runs, slots, envs).unbind()
    found = advantages(Rollout(batch, ended, gamma), value, next_value, trace)
    reward = batch.reward.view(runs, slots, envs)
    for run in range(runs):
        for env in range(envs):
            later = 0.0
            for slot in reversed(range(slots)):
                at = run, slot, env
                ahead = 0.0 if terminated[at] else gamma * float(next_value[at])
                surprise = float(reward[at]) + ahead - float(value[at])
                later = surprise + (0.0 if ended[at] else gamma * trace * later)
                assert float(found[at]) == pytest.approx(later, abs=1e-5)


def test_the_clipped_loss_takes_no_gain_beyond_the_clip() -> None:
    log_prob = torch.log(torch.tensor([[2.0], [2.0], [0.5], [0.5]]))
    advantage = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    loss = clipped_loss(log_prob, torch.zeros(4, 1), advantage, 0.2)
    torch.testing.assert_close(loss, torch.tensor([-1.2, 2.0, -0.5, 0.8]))


@pytest.mark.parametrize("per_run", [False, True])
def test_cloning_fits_the_demonstrated_actions(per_run: bool) -> None:
    obs = torch.randn(2, 500, OBS) if per_run else torch.randn(500, OBS)
    target = torch.tanh(obs[..., :ACT])
    policy = Policy(OBS, ACT, (32, 32), generators((0, 1)))
    losses = clone(policy, Demonstrations(obs, target), (0, 1), updates=400, batch_size=64, rate=3e-3)
    assert losses.shape == (400, 2)
    assert float(losses[-20:].mean()) < 0.02 * float(losses[0].mean())


@pytest.mark.parametrize("algo", AGENTS)
def test_demonstrations_pull_the_policy_while_it_trains(algo: str) -> None:
    words = ["envs_per_run=8", "env_steps=600", "warmup_steps=64", "agent.hidden=[16]", "batch_size=32"]
    words += ["agent.cloning_weight=100.0", "agent.actor_rate=1e-2", "seeds=[0,1]"]
    words += ["agent.rollout_slots=16"] * (algo == "ppo")
    settings = settings_said(f"algo={algo}", *words)
    env = Bandit(settings.seeds, 8)
    obs = 2 * torch.rand(300, 2) - 1
    demonstrations = Demonstrations(obs, torch.full((300, 2), -0.5))
    agent = build_agent(settings, env)
    train_agent(env, settings, agent=agent, demonstrations=demonstrations)
    actions = agent.act(obs.expand(2, -1, -1), deterministic=True)
    assert float((actions + 0.5).abs().mean()) < 0.1


@pytest.mark.parametrize("algo", AGENTS)
def test_a_held_policy_stays_while_values_are_learned_and_moves_afterwards(algo: str) -> None:
    words = ["envs_per_run=8", "env_steps=256", "warmup_steps=64", "agent.hidden=[16]", "batch_size=32"]
    words += ["updates_per_step=0.2", "seeds=[0,1]"] + ["agent.rollout_slots=8"] * (algo == "ppo")
    obs = (2 * torch.rand(50, 2) - 1).expand(2, -1, -1)
    moved, learned = {}, {}
    for delay in (100_000, 10):
        settings = settings_said(f"algo={algo}", *words, f"agent.actor_delay={delay}")
        env = Bandit(settings.seeds, 8)
        agent = build_agent(settings, env)
        values = agent.value if algo == "ppo" else agent.critics
        before = agent.act(obs, deterministic=True), next(values.parameters()).detach().clone()
        train_agent(env, settings, agent=agent)
        moved[delay] = not torch.equal(agent.act(obs, deterministic=True), before[0])
        learned[delay] = not torch.equal(next(values.parameters()), before[1])
    assert moved == {100_000: False, 10: True}
    assert learned == {100_000: True, 10: True}


@pytest.mark.parametrize("algo", AGENTS)
def test_an_agent_can_begin_at_a_policy_and_explores_around_it_as_its_settings_say(algo: str) -> None:
    start = Policy(OBS, ACT, (16, 8), generators([5]), last_gain=0.5)
    kind = AGENTS[algo]
    spread = {"exploration": 0.01} if algo in ("td3", "ddpg") else {"initial_std": 0.01}
    agent = kind.build(kind.settings(hidden=(16, 8), **spread), OBS, ACT, (0, 1), "cpu")
    agent.policy().begin_at(start)
    obs = torch.randn(2000, OBS)
    said = agent.act(obs.expand(2, -1, -1), deterministic=True)
    torch.testing.assert_close(said, start(obs).expand(2, -1, -1))
    assert float(said.abs().max()) > 0.05
    explored = agent.act(obs.expand(2, -1, -1)) - said
    assert 0.008 < float(explored.std()) < 0.011


def test_a_network_of_other_width_is_no_start() -> None:
    with pytest.raises(RuntimeError):
        Policy(OBS, ACT, (16,), generators([0])).begin_at(Policy(OBS, ACT, (8,), generators([1])))


def test_ppo_stays_finite_where_a_cloned_policy_is_at_the_edge_of_the_box() -> None:
    kind = AGENTS["ppo"]
    agent = kind.build(kind.settings(hidden=(16,), initial_std=0.01, minibatches=1), OBS, ACT, (0,), "cpu")
    with torch.no_grad():
        agent.actor.net.layers[-1].bias[..., 0] = 15.0
    batch = batch_of(1, 64)
    batch = replace(batch, act=agent.act(batch.obs))
    agent.update(Rollout(batch, torch.zeros(1, 8, 8, dtype=torch.bool), 0.9))
    said = agent.act(batch.obs, deterministic=True)
    assert torch.isfinite(said).all()
    assert float(said[..., 0].min()) > 0.9999


def test_demonstrations_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="demonstrations"):
        Demonstrations(torch.zeros(4, 2), torch.zeros(3, 2))
