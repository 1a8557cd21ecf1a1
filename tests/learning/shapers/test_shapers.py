"""Reward shapers: each transition gets its own signal, potentials change no optimum, runs stay apart."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stepwatt.learning.memory.transitions import Batch
from stepwatt.learning.networks.parallel_runs import generators, normal
from stepwatt.learning.shapers import SHAPERS, Shaper
from stepwatt.learning.shapers.parts import RunningMoments, per_transition
from stepwatt.learning.shapers.potential import LearnedPotential, diffusion_potential
from stepwatt.learning.shapers.reward_agents import RewardAgent, jemas, reward_agent
from stepwatt.learning.shapers.success import SuccessRate, SuccessRateSettings
from stepwatt.learning.shapers.taught import TaughtPotential

# Networks this small get slower on several threads, much slower on a busy machine.
torch.set_num_threads(1)

OBS, ACT, SAMPLES = 5, 3, 12
SEEDS = (11, 12, 13)
SMALL: dict[str, dict[str, Any]] = {
    **{name: {} for name in SHAPERS},
    "constant": {"value": 0.3},
    "placebo": {"hidden": 16, "train_every": 1, "refresh_every": 3, "samples": 2, "steps": 3},
    "regression": {"hidden": 16, "train_every": 1},
    "potential-regression": {"hidden": 16, "train_every": 1, "refresh_every": 3},
    "reward-agent": {"hidden": 16, "probe_every": 2},
    "jemas": {"hidden": 16, "latent": 8, "steps": 3, "probe_every": 2},
    "diffusion": {"hidden": 16, "train_every": 1, "samples": 2, "steps": 3},
    "diffusion-potential": {"hidden": 16, "train_every": 1, "refresh_every": 3, "samples": 2, "steps": 3},
    "taught-potential": {"hidden": 16, "updates": 5, "batch_size": 16, "samples": 2, "steps": 3},
    "success-rate": {"features": 200, "retention": 0.7, "bandwidth": 1.0},
}
CONTROLS = ("none", "constant", "placebo")
DRAWN = ("placebo", "success-rate")
POTENTIALS = ("potential-regression", "diffusion-potential")
OF_WHOLE_DAYS = ("earned", "booked", "dynamic-program", "solver-potential", "taught-potential")
DETERMINISTIC = {"success-rate": {"sampled": False}}
SIGNALS = [name for name in SMALL if name not in CONTROLS]


def transitions(seed: int, seeds: Sequence[int] = SEEDS, samples: int = SAMPLES) -> Batch:
    """Random transitions; run s depends on its own seed only."""
    rngs = generators([1000 * seed + run for run in seeds])

    def draw(*shape: int) -> Tensor:
        return normal((samples, *shape), rngs)

    obs, act = draw(OBS), draw(ACT).tanh()
    reward = obs[..., 0] + act[..., 0] + 0.1 * draw()
    return Batch(
        obs=obs,
        act=act,
        reward=reward,
        next_obs=draw(OBS),
        discount=torch.where(draw() > 1, 0.0, 0.97),
        returns=3 * reward + draw(),
        potential=draw(),
        next_potential=draw(),
        success=(obs[..., 1] > 0).float(),
        slot=torch.zeros_like(reward),
    )


def rearranged(batch: Batch, order: Tensor) -> Batch:
    """The same transitions in another order."""
    return Batch(**{name: value[:, order] for name, value in vars(batch).items()})


def policy(obs: Tensor) -> Tensor:
    """Some policy (S,B,O) → (S,B,A)."""
    return obs[..., :ACT].tanh()


def made(name: str, seeds: Sequence[int] = SEEDS, **changes: Any) -> Shaper:
    """A small shaper, its policy bound or its values taught where it asks for that."""
    shaper = SHAPERS[name](OBS, ACT, seeds, SMALL[name] | changes)
    if isinstance(shaper, TaughtPotential):
        obs = torch.randn(64, OBS, generator=torch.Generator().manual_seed(5))
        shaper.teach(obs, 3 + 2 * obs[:, 0])
    if isinstance(shaper, RewardAgent):
        shaper.bind(policy)
    return shaper


def trained(name: str, seeds: Sequence[int] = SEEDS, updates: int = 6, **changes: Any) -> Shaper:
    """A small shaper after some observations and updates."""
    shaper = made(name, seeds, **changes)
    for step in range(updates):
        batch = transitions(step, seeds)
        shaper.observe(batch)
        metrics = shaper.update(batch)
        assert all(isinstance(value, float) and math.isfinite(value) for value in metrics.values())
    return shaper


# --- what every shaper promises -----------------------------------------------------------------------------


def test_only_shapers_that_there_are_have_settings_of_their_own_here() -> None:
    assert set(SHAPERS) == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_the_signal_has_one_number_per_transition_and_no_gradient(name: str) -> None:
    signal = trained(name).shape(transitions(99))
    assert signal.shape == (len(SEEDS), SAMPLES)
    assert not signal.requires_grad
    assert signal.isfinite().all()


@pytest.mark.parametrize("name", SIGNALS)
def test_distinct_transitions_get_distinct_targets(name: str) -> None:
    """The first published slip adds the signal of element 0, the second the batch mean: both a constant."""
    signal = trained(name).shape(transitions(99))
    for run in signal:
        assert len(set(run.tolist())) == SAMPLES


@pytest.mark.parametrize("name", SIGNALS)
def test_a_rearranged_batch_gets_the_rearranged_signal(name: str) -> None:
    shaper = trained(name, **DETERMINISTIC.get(name, {}))
    order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1))
    batch = transitions(99)
    torch.testing.assert_close(
        shaper.shape(rearranged(batch, order)), shaper.shape(batch)[:, order], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", SIGNALS)
def test_the_signal_of_a_transition_depends_on_no_other_of_the_batch(name: str) -> None:
    shaper = trained(name, **DETERMINISTIC.get(name, {}))
    batch, other = transitions(99), transitions(98)
    mixed = Batch(**{n: torch.cat([getattr(other, n)[:, :4], v[:, 4:]], 1) for n, v in vars(batch).items()})
    torch.testing.assert_close(shaper.shape(mixed)[:, 4:], shaper.shape(batch)[:, 4:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_a_restored_shaper_continues_exactly(name: str) -> None:
    """Through a file that may hold nothing but plain data, and although the first one trains on."""
    first = trained(name)
    file = io.BytesIO()
    state = first.state_dict()
    torch.save(state, file)
    file.seek(0)

    def continued(shaper: Shaper) -> tuple[Tensor, list[dict[str, float]]]:
        metrics = []
        for step in range(50, 56):
            batch = transitions(step)
            shaper.observe(batch)
            metrics.append(shaper.update(batch))
        return shaper.shape(transitions(99)), metrics

    signal, metrics = continued(first)
    for source in (torch.load(file, weights_only=True), state):
        second = made(name)
        second.load_state_dict(source)
        again, metrics_again = continued(second)
        assert torch.equal(signal, again)
        assert metrics == metrics_again


@pytest.mark.parametrize("name", SMALL)
def test_a_run_is_the_same_alone_and_in_company(name: str) -> None:
    together = trained(name).shape(transitions(99))
    for place, seed in enumerate(SEEDS):
        alone = trained(name, (seed,)).shape(transitions(99, (seed,)))
        torch.testing.assert_close(together[place : place + 1], alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["regression", "diffusion", "potential-regression", "diffusion-potential"])
def test_returns_of_unfinished_episodes_are_ignored(name: str) -> None:
    """What stands beside an unknown return has no influence; a run that knows none gets no signal."""
    signals = []
    for junk in (0.0, 50.0):
        shaper = made(name)
        for step in range(6):
            batch = vars(transitions(step)).copy()
            unknown = torch.zeros(len(SEEDS), SAMPLES, dtype=torch.bool)
            unknown[:, 8:] = True
            unknown[2] = True
            batch["returns"] = batch["returns"].masked_fill(unknown, math.nan)
            batch["act"] = batch["act"] + junk * unknown[..., None]
            if name == "potential-regression":  # the others also distil at, or are noisy in, these states
                batch["obs"] = batch["obs"] + junk * unknown[..., None]
            metrics = shaper.update(Batch(**batch))
            assert all(math.isfinite(value) for value in metrics.values())
        signals.append(shaper.shape(transitions(99)))
    torch.testing.assert_close(signals[0], signals[1], rtol=1e-4, atol=1e-5)
    assert signals[0][:2].abs().min() > 0
    assert torch.equal(signals[0][2], torch.zeros(SAMPLES))


@pytest.mark.parametrize("name", SMALL)
def test_unknown_settings_are_refused(name: str) -> None:
    with pytest.raises((TypeError, ValueError), match="colour"):
        SHAPERS[name](OBS, ACT, SEEDS, {"colour": 1})


def test_a_signal_of_another_shape_is_refused() -> None:
    batch = transitions(0)
    for shape in ((len(SEEDS), SAMPLES, 1), (SAMPLES,), (len(SEEDS), 1), (len(SEEDS), SAMPLES, SAMPLES)):
        with pytest.raises(ValueError, match="shaping signal"):
            per_transition(torch.zeros(shape), batch)
        with pytest.raises(ValueError):
            batch.with_reward(torch.zeros(shape))


# --- controls -----------------------------------------------------------------------------------------------


def test_none_adds_nothing_and_constant_the_same_everywhere() -> None:
    batch = transitions(0)
    assert torch.equal(made("none").shape(batch), torch.zeros_like(batch.reward))
    assert torch.equal(made("constant").shape(batch), torch.full_like(batch.reward, 0.3))


def test_placebo_is_fresh_noise_of_the_potentials_scale_that_knows_no_transition() -> None:
    shaper = trained("placebo")
    potential = trained("diffusion-potential")
    batch = transitions(99, samples=4000)
    noise, again = shaper.shape(batch), shaper.shape(batch)
    real = potential.shape(batch)
    assert not torch.equal(noise, again)
    torch.testing.assert_close(noise.std(1), real.std(1), rtol=0.1, atol=0)
    assert (noise.mean(1).abs() < 4 * noise.std(1) / math.sqrt(4000)).all()
    for run in range(len(SEEDS)):
        for other in (real, batch.reward, again):
            assert abs(float(torch.corrcoef(torch.stack([noise[run], other[run]]))[0, 1])) < 0.07


def test_placebo_takes_an_explicit_scale() -> None:
    noise = made("placebo", scale=2.5).shape(transitions(0, samples=4000))
    torch.testing.assert_close(noise.std(1), torch.full((len(SEEDS),), 2.5), rtol=0.1, atol=0)


# --- potentials ---------------------------------------------------------------------------------------------


def episode(length: int, steps: int, gamma: float, seed: int) -> tuple[Batch, Tensor]:
    """One episode of every run cut into stretches of ``steps``, and the discount before each stretch."""
    rngs = generators([seed, seed + 1, seed + 2])
    states, values = normal((length + 1, OBS), rngs), normal((length + 1,), rngs)
    starts = list(range(0, length, steps))
    ends = [min(start + steps, length) for start in starts]
    discount = torch.tensor(
        [0.0 if end == length else gamma ** (end - start) for start, end in zip(starts, ends, strict=True)]
    )
    zeros = torch.zeros(len(SEEDS), len(starts))
    batch = Batch(
        obs=states[:, starts],
        act=torch.zeros(len(SEEDS), len(starts), ACT),
        reward=zeros,
        next_obs=states[:, ends],
        discount=discount.expand(len(SEEDS), -1),
        returns=zeros,
        potential=values[:, starts],
        next_potential=values[:, ends],
        success=zeros,
        slot=zeros,
    )
    return batch, torch.tensor([gamma**start for start in starts])


@pytest.fixture(scope="module")
def potentials() -> dict[str, Shaper]:
    """The potential-based shapers, trained."""
    return {name: trained(name) for name in (*POTENTIALS, *OF_WHOLE_DAYS)}


@pytest.mark.parametrize("name", POTENTIALS)
@given(length=st.integers(1, 20), steps=st.integers(1, 5), gamma=st.floats(0.5, 1.0), seed=st.integers(0, 99))
def test_a_potential_telescopes_over_an_episode(
    potentials: dict[str, Shaper], name: str, length: int, steps: int, gamma: float, seed: int
) -> None:
    """The discounted signals of an episode sum to −Φ(s₀), whatever happened, in steps of any length."""
    shaper = potentials[name]
    batch, weight = episode(length, steps, gamma, seed)
    assert isinstance(shaper, LearnedPotential)
    start = shaper.potential(batch.obs)[:, 0]
    torch.testing.assert_close((shaper.shape(batch) * weight).sum(1), -start, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OF_WHOLE_DAYS)
@given(length=st.integers(1, 20), steps=st.integers(1, 5), gamma=st.floats(0.5, 1.0), seed=st.integers(0, 99))
def test_a_potential_of_whole_days_telescopes_undiscounted(
    potentials: dict[str, Shaper], name: str, length: int, steps: int, gamma: float, seed: int
) -> None:
    """Whatever the learner's discount, nothing is charged for what is still to come."""
    shaper = potentials[name]
    batch, _ = episode(length, steps, gamma, seed)
    start = batch.potential[:, 0]
    if isinstance(shaper, TaughtPotential):
        start = shaper.potential(batch.obs, batch.potential)[:, 0]
    torch.testing.assert_close(shaper.shape(batch).sum(1), -start, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["potential-regression", "diffusion-potential"])
def test_both_potentials_of_a_signal_are_from_one_frozen_snapshot(name: str) -> None:
    """Training in between changes no signal; a renewal does, at both ends alike."""
    shaper = made(name, refresh_every=4)
    batch = transitions(99)
    signals = []
    for step in range(9):
        shaper.update(transitions(step))
        signals.append(shaper.shape(batch))
    assert torch.equal(signals[2], torch.zeros_like(signals[2]))
    for early, late in ((0, 2), (3, 6), (7, 8)):
        assert torch.equal(signals[early], signals[late])
    assert not torch.equal(signals[2], signals[3])
    assert not torch.equal(signals[6], signals[7])
    stay = Batch(**(vars(batch) | {"next_obs": batch.obs, "discount": torch.ones_like(batch.discount)}))
    torch.testing.assert_close(shaper.shape(stay), torch.zeros_like(batch.reward))


def test_the_solver_potential_is_the_environments() -> None:
    batch = transitions(0)
    goes_on = (batch.discount > 0).float()
    expected = 0.5 * (goes_on * batch.next_potential - batch.potential)
    torch.testing.assert_close(made("solver-potential", weight=0.5).shape(batch), expected)


@pytest.mark.parametrize("name", ["potential-regression", "diffusion-potential"])
def test_a_learned_potential_approaches_the_expected_return_in_units_of_reward(name: str) -> None:
    """Returns of 20 + 5·s₀, plus or minus 3 at the toss of a coin: Φ is the mean between the two."""
    settings = {"train_every": 1, "refresh_every": 50, "hidden": 32, "learning_rate": 3e-3}
    shaper = SHAPERS[name](OBS, ACT, SEEDS, settings)
    assert isinstance(shaper, LearnedPotential)
    for step in range(300):
        batch = transitions(step, samples=64)
        coin = torch.where(batch.success > 0, 3.0, -3.0)
        hidden_coin = coin[:, torch.randperm(64, generator=torch.Generator().manual_seed(step))]
        shaper.update(Batch(**(vars(batch) | {"returns": 20 + 5 * batch.obs[..., 0] + hidden_coin})))
    batch = transitions(999, samples=200)
    truth = 20 + 5 * batch.obs[..., 0]
    error = (shaper.potential(batch.obs) - truth).square().mean(1).sqrt()
    assert (error < 2.0).all()
    assert (error < 0.4 * truth.std(1)).all()


def test_quantiles_order_the_potentials() -> None:
    """The potential of a low quantile is the cautious one."""
    means = []
    for statistic in ("q10", "median", "q90"):
        shaper = diffusion_potential(
            OBS, ACT, SEEDS, {"train_every": 1, "refresh_every": 40, "statistic": statistic}
        )
        for step in range(80):
            shaper.update(transitions(step, samples=64))
        means.append(shaper.potential(transitions(99).obs).mean(1))
    assert (means[0] < means[1]).all()
    assert (means[1] < means[2]).all()


# --- the optimum, by value iteration ------------------------------------------------------------------------

STATES, ACTIONS, GAMMA = 6, 3, 0.9


def small_mdp(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Moves (states, actions, states), rewards of the same shape, which states end the episode."""
    rng = torch.Generator().manual_seed(seed)
    moves = torch.rand(STATES, ACTIONS, STATES, generator=rng, dtype=torch.float64) ** 4
    rewards = torch.randn(STATES, ACTIONS, STATES, generator=rng, dtype=torch.float64)
    ends = torch.zeros(STATES, dtype=torch.bool)
    ends[-1] = True
    return moves / moves.sum(-1, keepdim=True), rewards, ends


def action_values(moves: Tensor, rewards: Tensor, ends: Tensor) -> Tensor:
    """Q* (states, actions) by value iteration."""
    values = torch.zeros(STATES, ACTIONS, dtype=torch.float64)
    for _ in range(150):
        future = torch.where(ends, 0.0, values.amax(1))
        values = (moves * (rewards + GAMMA * future)).sum(-1)
    return values


def all_transitions(rewards: Tensor, ends: Tensor, features: Tensor, potential: Tensor) -> Batch:
    """Every (s,a,s′) of the small process as one batch; actions as unit vectors of the box."""
    index = torch.cartesian_prod(torch.arange(STATES), torch.arange(ACTIONS), torch.arange(STATES))
    here, action, there = index.unbind(1)
    runs = len(SEEDS)
    count = len(index)
    box = 2 * torch.nn.functional.one_hot(action, ACT).float() - 1
    reward = rewards.reshape(-1).float().expand(runs, -1)
    return Batch(
        obs=features[here].expand(runs, -1, -1),
        act=box.expand(runs, -1, -1),
        reward=reward,
        next_obs=features[there].expand(runs, -1, -1),
        discount=torch.where(ends[there], 0.0, GAMMA).expand(runs, -1),
        returns=2 * reward,
        potential=potential[here].expand(runs, -1),
        next_potential=potential[there].expand(runs, -1),
        success=torch.zeros(runs, count),
        slot=torch.zeros(runs, count),
    )


def greedy_choices(shaper: Shaper, mdps: int) -> tuple[Tensor, Tensor]:
    """Best actions without and with a signal of mean size 1/2 in some small processes (rewards: 0.8)."""
    raw, changed = [], []
    for seed in range(mdps):
        moves, rewards, ends = small_mdp(seed)
        rng = torch.Generator().manual_seed(500 + seed)
        features = torch.randn(STATES, OBS, generator=rng)
        potential = torch.randn(STATES, generator=rng)
        signal = shaper.shape(all_transitions(rewards, ends, features, potential)).double()
        signal *= 0.5 / signal.abs().mean(1, keepdim=True)
        plain = action_values(moves, rewards, ends)
        for run in signal:
            shaped = action_values(moves, rewards + run.reshape(rewards.shape), ends)
            raw.append(plain.argmax(1)[~ends])
            changed.append(shaped.argmax(1)[~ends])
    return torch.cat(raw), torch.cat(changed)


@pytest.mark.parametrize("name", POTENTIALS)
def test_a_potential_keeps_the_optimal_policy_of_every_small_process(name: str) -> None:
    shaper = trained(name)
    assert shaper.preserves_optimum
    raw, changed = greedy_choices(shaper, 8)
    assert torch.equal(raw, changed)


@pytest.mark.parametrize("name", ["regression", "diffusion", "reward-agent", "jemas", "success-rate"])
def test_an_additive_signal_of_that_size_changes_optimal_policies(name: str) -> None:
    """The control of the test above: what is no difference of potentials fails it, and says so."""
    shaper = trained(name)
    assert not shaper.preserves_optimum
    raw, changed = greedy_choices(shaper, 8)
    assert not torch.equal(raw, changed)


# --- additive, reward agents, success rate ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["regression", "diffusion", "reward-agent", "jemas"])
def test_an_annealed_weight_ends_at_zero(name: str) -> None:
    early = trained(name, updates=5, anneal_updates=10).shape(transitions(99))
    late = trained(name, updates=10, anneal_updates=10).shape(transitions(99))
    assert early.abs().max() > 0
    assert torch.equal(late, torch.zeros_like(late))


def test_regression_predicts_what_it_was_asked_for() -> None:
    for target, slope in (("return", -1.0), ("reward", 1.0)):
        shaper = made("regression", target=target, learning_rate=1e-2)
        for step in range(150):
            batch = transitions(step, samples=64)
            shaper.update(Batch(**(vars(batch) | {"returns": -3 * batch.reward})))
        batch = transitions(999, samples=200)
        for run, reward in zip(shaper.shape(batch), batch.reward, strict=True):
            assert slope * float(torch.corrcoef(torch.stack([run, reward]))[0, 1]) > 0.8


@pytest.mark.parametrize("name", ["reward-agent", "jemas"])
def test_the_reward_agent_asks_for_the_policy(name: str) -> None:
    shaper = SHAPERS[name](OBS, ACT, SEEDS, SMALL[name])
    with pytest.raises(RuntimeError, match="bind"):
        shaper.update(transitions(0))


@pytest.mark.parametrize("conditioned", [True, False])
def test_training_moves_every_weight_of_jemas(conditioned: bool) -> None:
    """The critics' gradient passes through the whole chain."""
    settings = SMALL["jemas"] | {"conditioned": conditioned}
    shaper = jemas(OBS, ACT, SEEDS, settings)
    shaper.bind(policy)
    before = {name: weight.clone() for name, weight in shaper.actor.named_parameters()}
    shaper.update(transitions(0))
    for name, weight in shaper.actor.named_parameters():
        assert (weight != before[name]).flatten(1).any(1).all(), name


def test_without_conditioning_the_signal_does_not_follow_state_and_action() -> None:
    """The paper's ablation: every transition has noise of its own, equal ones get different signals."""
    batch = transitions(99)
    same = Batch(**{name: value[:, :1].expand_as(value) for name, value in vars(batch).items()})
    for conditioned, distinct in ((True, 1), (False, SAMPLES)):
        signal = trained("jemas", conditioned=conditioned).shape(same)
        for run in signal:
            assert (float(run.std()) > 1e-4) == (distinct > 1)


def test_the_reward_agents_critics_learn_to_tell_transitions_apart() -> None:
    """Rewards of bandits: Q follows each transition's reward, which no batch constant could teach."""
    shaper = reward_agent(OBS, ACT, SEEDS, {"hidden": 32, "critic_rate": 3e-3, "probe_every": 1})
    shaper.bind(policy)
    for step in range(200):
        batch = transitions(step, samples=64)
        last = Batch(**(vars(batch) | {"discount": torch.zeros_like(batch.discount)}))
        metrics = shaper.update(last)
    batch = transitions(999, samples=200)
    condition = torch.cat([batch.obs, batch.act, torch.zeros(len(SEEDS), 200, 1)], -1).repeat(2, 1, 1)
    values = shaper.critics(condition).squeeze(-1).view(2, len(SEEDS), 200).detach()
    for twin in values:
        for run, reward in zip(twin, batch.reward, strict=True):
            assert float(torch.corrcoef(torch.stack([run, reward]))[0, 1]) > 0.85
    assert metrics["signal_ratio"] == pytest.approx(float(shaper.signal_ratio(last).mean()))
    assert metrics["signal_ratio"] < 0.5


def test_a_reward_that_is_always_the_same_teaches_the_reward_agents_critics_nothing() -> None:
    """Centred, it asks for values of 0, however large it is."""
    shaper = reward_agent(OBS, ACT, SEEDS, {"hidden": 16})
    shaper.bind(policy)
    for step in range(100):
        batch = transitions(step, samples=64)
        shaper.update(batch.with_reward(torch.full_like(batch.reward, 1000.0)))
    condition = torch.cat([batch.obs, batch.act, torch.zeros_like(batch.reward)[..., None]], -1)
    assert shaper.critics(condition.repeat(2, 1, 1)).abs().max() < 5.0


def test_the_signal_ratio_compares_both_spreads() -> None:
    """Critics made linear by hand: Q = 3·r^S + s₀ spreads by 3·std(r) over rewards, std(s₀) over pairs."""
    shaper = reward_agent(OBS, ACT, (1,), {"hidden": 2})
    first, second, last = shaper.critics.layers
    with torch.no_grad():
        for layer in (first, second, last):
            layer.weight.zero_()
            layer.bias.zero_()
        first.weight[:, 0, 0] = 1.0
        first.weight[:, OBS + ACT, 0] = 3.0
        first.bias[:] = 100.0
        second.weight[:, 0, 0] = 1.0
        last.weight[:, 0, 0] = 1.0
    batch = transitions(0, (1,))
    rewards = torch.linspace(-1, 1, 9)
    expected = 3 * rewards.std(correction=0) / batch.obs[..., 0].std(1, correction=0)
    torch.testing.assert_close(shaper.signal_ratio(batch), expected, rtol=1e-3, atol=0)


def test_success_rate_counts_neighbours() -> None:
    """Ten successes here, ten failures far off: the Beta mean is high here, low there, a half elsewhere."""
    settings = SuccessRateSettings(weight=1.0, sampled=False, retention=1.0, bandwidth=0.3, features=4000)
    shaper = SuccessRate(2, 2, (5,), settings)
    here, there, nowhere = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    base = vars(transitions(0, (5,), samples=20))
    obs = torch.stack([here] * 10 + [there] * 10)[None]
    success = torch.tensor([[1.0] * 10 + [0.0] * 10])
    shaper.observe(Batch(**(base | {"obs": obs, "next_obs": obs, "success": success})))
    found = torch.stack([here, there, nowhere]).repeat(7, 1)[:20][None]
    rate = shaper.shape(Batch(**(base | {"obs": found, "next_obs": found})))[0, :3]
    torch.testing.assert_close(rate, torch.tensor([11 / 12, 1 / 12, 1 / 2]), rtol=0, atol=0.12)


def test_sampled_success_rates_scatter_around_the_mean() -> None:
    """Draws of the Beta distribution: their average is its mean, and more memory narrows them."""
    batch = transitions(99, samples=2000)
    same = Batch(**{name: value[:, :1].expand_as(value) for name, value in vars(batch).items()})
    spreads = []
    for updates in (1, 30):
        drawn = trained("success-rate", updates=updates, sampled=True).shape(same)
        mean = trained("success-rate", updates=updates, sampled=False).shape(same)
        torch.testing.assert_close(drawn.mean(1), mean[:, 0], rtol=0, atol=0.02)
        spreads.append(drawn.std(1))
    assert (spreads[1] < spreads[0]).all()


# --- running moments ----------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.floats(-50, 50), st.floats(0.5, 20))
def test_running_moments_are_those_of_what_was_seen(batches: int, shift: float, scale: float) -> None:
    """Up to a hundred batches of equal size weigh alike: plain mean and deviation of all of them."""
    values = shift + scale * torch.randn(2, batches * 8, generator=torch.Generator().manual_seed(batches))
    moments = RunningMoments(2)
    for part in values.split(8, dim=1):
        moments.see(part)
    torch.testing.assert_close(moments.mean, values.mean(1, keepdim=True), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(moments.std, values.std(1, correction=0, keepdim=True), rtol=2e-2, atol=1e-2)
