"""The small diffusion model learns the distribution it is shown, and every weight of it takes part."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stepwatt.learning.networks.parallel_runs import generators, normal, uniform
from stepwatt.learning.shapers.denoiser import Denoiser, make_schedule
from stepwatt.learning.shapers.estimators import ReturnDiffusion, Statistic
from stepwatt.learning.shapers.reward_actors import DiffusionActor, draw_reward

# Networks this small get slower on several threads, much slower on a busy machine.
torch.set_num_threads(1)

Law = Callable[[Tensor, list[torch.Generator]], Tensor]


def trained(law: Law) -> ReturnDiffusion:
    """A model of two runs, trained on (S,B) draws of the law given conditions (S,B,1) in [-1,1]."""
    rngs = generators([3, 4])
    model = ReturnDiffusion(1, 32, 4e-3, rngs, steps=10, schedule="cosine", samples=64, statistic="mean")
    for step in range(900):
        if step == 600:
            model.optimiser.param_groups[0]["lr"] = 5e-4
        condition = 2 * uniform((256, 1), rngs) - 1
        model.fit(condition, law(condition.squeeze(-1), rngs))
    return model


def grid() -> Tensor:
    """Conditions (2,9,1) spread over what the model was trained on."""
    return torch.linspace(-0.9, 0.9, 9).repeat(2, 1)[..., None]


def two_modes(condition: Tensor, rngs: list[torch.Generator]) -> Tensor:
    """Success (+1) with probability (1+c)/2·0.8+0.1, failure (−1) otherwise, with a little noise."""
    likely = 0.1 + 0.4 * (1 + condition)
    sign = torch.where(uniform(condition.shape[1:], rngs) < likely, 1.0, -1.0)
    return sign + 0.1 * normal(condition.shape[1:], rngs)


def widening(condition: Tensor, rngs: list[torch.Generator]) -> Tensor:
    """Gaussian with mean c and deviation 0.3 + 0.4·|c|."""
    return condition + (0.3 + 0.4 * condition.abs()) * normal(condition.shape[1:], rngs)


@pytest.fixture(scope="module")
def of_two_modes() -> ReturnDiffusion:
    return trained(two_modes)


@pytest.fixture(scope="module")
def of_widening() -> ReturnDiffusion:
    return trained(widening)


def draws(model: ReturnDiffusion, condition: Tensor, count: int) -> Tensor:
    """(S,B,count) samples with fresh common noise."""
    return model.sample(condition, model.denoiser.noise(count, generators([7, 8])))


def test_the_mean_of_many_samples_is_the_conditional_mean(of_two_modes: ReturnDiffusion) -> None:
    condition = grid()
    mean = draws(of_two_modes, condition, 1000).mean(-1)
    truth = 0.8 * condition.squeeze(-1)
    assert (mean - truth).square().mean().sqrt() < 0.12
    assert (mean - truth).abs().max() < 0.3


def test_both_modes_are_found_and_little_between_them(of_two_modes: ReturnDiffusion) -> None:
    drawn = draws(of_two_modes, torch.zeros(2, 1, 1), 2000)
    up, down, between = drawn > 0.5, drawn < -0.5, drawn.abs() < 0.5
    for mode in (up, down):
        share = mode.float().mean(-1)
        assert ((share > 0.33) & (share < 0.62)).all()
    assert (between.float().mean(-1) < 0.15).all()
    assert abs(float(drawn[up].mean()) - 1) < 0.12
    assert abs(float(drawn[down].mean()) + 1) < 0.12


@pytest.mark.parametrize(("statistic", "level"), [("q10", 0.1), ("median", 0.5), ("q90", 0.9)])
def test_quantiles_follow_the_condition(
    of_widening: ReturnDiffusion, statistic: Statistic, level: float
) -> None:
    condition = grid()
    middle = condition.squeeze(-1)
    score = math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * level - 1)))
    truth = middle + (0.3 + 0.4 * middle.abs()) * score
    found = draws(of_widening, condition, 2000).quantile(level, dim=-1)
    assert (found - truth).square().mean().sqrt() < 0.15


def test_a_statistic_orders_as_its_name_says(of_widening: ReturnDiffusion) -> None:
    found = []
    for statistic in ("q10", "q25", "median", "q75", "q90"):
        of_widening.statistic = statistic  # type: ignore[assignment]
        found.append(of_widening.predict(grid()))
    of_widening.statistic = "mean"
    assert (torch.stack(found).diff(dim=0) > 0).all()


def test_equal_noise_and_condition_give_equal_samples(of_two_modes: ReturnDiffusion) -> None:
    """Common random numbers: a prediction differs from its neighbour by the condition only."""
    same = of_two_modes.predict(torch.full((2, 5, 1), 0.3))
    torch.testing.assert_close(same, same[:, :1].expand(-1, 5))


def test_nan_targets_are_ignored() -> None:
    """Half the targets unknown: weights as if the model had seen the other half alone, in the same places."""
    runs = 2
    shown: list[Tensor] = []
    for junk in (0.0, 1e6):
        rngs = generators(range(runs))
        model = ReturnDiffusion(1, 8, 1e-2, rngs, steps=3, schedule="vp", samples=2, statistic="mean")
        for _ in range(3):
            condition, target = normal((6, 1), rngs), normal((6,), rngs)
            condition[:, 3:] += junk
            target[:, 3:] = math.nan
            loss = model.fit(condition, target)
            assert loss.isfinite()
        shown.append(model.predict(torch.zeros(runs, 1, 1)))
    torch.testing.assert_close(shown[0], shown[1])


def test_an_unknown_statistic_or_schedule_is_refused() -> None:
    rngs = generators([0])
    with pytest.raises(ValueError, match="q90"):
        ReturnDiffusion(
            1,
            8,
            1e-3,
            rngs,
            steps=3,
            schedule="vp",
            samples=2,
            statistic="mode",  # type: ignore[arg-type]
        )
    with pytest.raises(ValueError, match="cosine"):
        make_schedule("linear", 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one"):
        make_schedule("vp", 0)


@given(st.sampled_from(["vp", "cosine"]), st.integers(1, 12))
def test_a_schedule_only_adds_noise_and_its_reverse_keeps_the_variance(
    name: Literal["vp", "cosine"], steps: int
) -> None:
    """ᾱ falls from below 1; x_{t-1} given a perfect x̂0 has the variance that the forward process gives it."""
    schedule = make_schedule(name, steps)
    kept = (1.0, *schedule.kept)
    assert all(0 < after < before for before, after in pairwise(kept))
    for t in range(1, steps + 1):
        to_clean, to_noisy = schedule.to_clean[t - 1], schedule.to_noisy[t - 1]
        carried = to_clean + to_noisy * math.sqrt(kept[t])
        assert carried == pytest.approx(math.sqrt(kept[t - 1]), abs=1e-6)
        variance = to_noisy**2 * (1 - kept[t]) + schedule.spread[t - 1] ** 2
        assert variance == pytest.approx(1 - kept[t - 1], abs=1e-6)
    assert schedule.spread[0] == 0


def test_the_published_noise_of_five_steps() -> None:
    """paper.md §3.3: ᾱ_T = 0.0064 for the variance-preserving schedule of 3, 5 and 7 steps alike."""
    for steps in (3, 5, 7):
        assert make_schedule("vp", steps).kept[-1] == pytest.approx(0.0064, abs=1e-4)


@pytest.mark.parametrize("conditioned", [True, False])
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_gradients_through_the_chain_reach_every_weight_of_jemas(conditioned: bool, steps: int) -> None:
    """No step is dead and no input unused: even of a fresh net every weight tensor gets a gradient."""
    rngs = generators([0, 1])
    actor = DiffusionActor(6, 16, 8, steps, conditioned, rngs)
    reward, density = draw_reward(actor(normal((10, 6), rngs), rngs), rngs)
    (density - reward).mean(-1).sum().backward()
    for name, weight in actor.named_parameters():
        assert weight.grad is not None, name
        assert (weight.grad.flatten(1).abs().amax(1) > 0).all(), name


def test_a_chain_runs_what_the_single_steps_say() -> None:
    """The chain with condition and step computed once equals the textbook loop that computes them anew."""
    rngs = generators([0, 1])
    schedule = make_schedule("vp", 4)
    net = Denoiser(3, 5, 8, schedule, rngs)
    condition, noise = normal((6, 5), rngs), net.noise(6, rngs)
    value = noise[:, 0]
    for t in range(4, 0, -1):
        clean = net.clean(value, net.encode(condition) + net.time(net.angles)[:, t - 1 : t])
        before = schedule.kept[t - 2] if t > 1 else 1.0
        rate = 1 - schedule.kept[t - 1] / before
        gone = 1 - schedule.kept[t - 1]
        value = (math.sqrt(before) * rate * clean + math.sqrt(1 - rate) * (1 - before) * value) / gone
        if t > 1:
            value = value + math.sqrt(rate * (1 - before) / gone) * noise[:, 4 - t + 1]
    torch.testing.assert_close(net.chain(net.encode(condition), noise), value)
