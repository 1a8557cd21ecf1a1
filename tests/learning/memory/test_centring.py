"""Rewards around zero from the beginning: what is taken off depends on the slot alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from stepwatt.learning.memory.centring import Centring
from stepwatt.learning.memory.transitions import Batch


def batch(reward: torch.Tensor, slot: torch.Tensor) -> Batch:
    obs = torch.zeros(*reward.shape, 1)
    other = dict.fromkeys(("discount", "returns", "potential", "next_potential", "success"), reward)
    return Batch(obs=obs, act=obs, next_obs=obs, reward=reward, slot=slot.float(), **other)


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 5), st.integers(0, 10**6))
def test_what_is_taken_off_is_the_mean_of_all_samples_of_the_slot_so_far(
    runs: int, size: int, slots: int, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    centring = Centring(runs, torch.device("cpu"))
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for _ in range(3):
        reward = torch.randn(runs, size, generator=rng)
        slot = torch.randint(slots, (runs, size), generator=rng)
        seen.append((reward, slot))
        found = centring(batch(reward, slot)).reward
        rewards, places = (torch.cat(parts, 1) for parts in zip(*seen, strict=True))
        for run in range(runs):
            for sample in range(size):
                same = places[run] == slot[run, sample]
                expected = reward[run, sample] - rewards[run][same].mean()
                torch.testing.assert_close(found[run, sample], expected, atol=1e-5, rtol=1e-5)


def test_an_old_mean_is_forgotten() -> None:
    centring = Centring(1, torch.device("cpu"), memory=20)
    slot = torch.zeros(1, 10)
    for _ in range(10):
        centring(batch(torch.zeros(1, 10), slot))
    for _ in range(10):
        last = centring(batch(torch.ones(1, 10), slot)).reward
    assert float(last.abs().max()) < 0.01


def test_it_goes_on_exactly_where_it_was_stored() -> None:
    rng = torch.Generator().manual_seed(1)
    draws = [(torch.randn(2, 9, generator=rng), torch.randint(4, (2, 9), generator=rng)) for _ in range(4)]
    whole, half = Centring(2, torch.device("cpu")), Centring(2, torch.device("cpu"))
    for reward, slot in draws[:2]:
        whole(batch(reward, slot))
        half(batch(reward, slot))
    resumed = Centring(2, torch.device("cpu"))
    resumed.load_state_dict(half.state_dict())
    for reward, slot in draws[2:]:
        assert torch.equal(whole(batch(reward, slot)).reward, resumed(batch(reward, slot)).reward)
