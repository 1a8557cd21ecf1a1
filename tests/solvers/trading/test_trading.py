"""Providers that answer a slot by trade: as good as jointly, each knowing only its own."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from slot_draws import drawn_prices, drawn_state
from strategies import instances, random_instance

import stepwatt as sw
from benchmarks.hybrid.trading import MARKS, REHEARSED, write_docs
from stepwatt.formulation import Instance, evaluate
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.site_numbers import SLOT_SERIES
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState
from stepwatt.formulation.plant.step import advance
from stepwatt.learning.codecs import PricedCodec
from stepwatt.learning.policies.provider_networks import networks, own_parts, said, seen, teach
from stepwatt.solvers.planners.foresight.foresight import TABLES
from stepwatt.solvers.response import SlotPrices, best_response, worth
from stepwatt.solvers.response.day import plan_day
from stepwatt.solvers.trading import Trade, exchange, play, private, private_state, rehearse
from stepwatt.solvers.trading.clearing import clear
from stepwatt.solvers.trading.exchange import GAP, announced, answers
from stepwatt.solvers.trading.private import own_rows
from stepwatt.solvers.trading.rehearsal import planned

ENGINE = numpy_engine()
FEW = max(10, settings.default.max_examples // 2)
SEEDS = st.integers(0, 2**32 - 1)
#: Generators are on or off, which prices alone do not settle.
SMOOTH = ("generator", "generator_minimum")


def each(prices: SlotPrices, n: int) -> SlotPrices:
    """Prices as every provider says them."""
    return SlotPrices(
        **{name: np.tile(values, (n, *[1] * (values.ndim - 1))) for name, values in prices.__dict__.items()}
    )


def traded(problem: Problem, t: int, state: PlantState, prices: SlotPrices, **more: Any) -> Trade:
    n = problem.shape.sites
    opening = np.zeros((len(problem), n, problem.shape.classes))
    return exchange(private(problem), t, private_state(state, n), each(prices, n), opening, **more)


# ---------------------------------------------------------------------- as good as jointly


@settings(max_examples=FEW)
@given(instances(max_slots=3, max_sites=3, never=SMOOTH), SEEDS)
def test_trade_is_worth_what_the_joint_response_is_and_proves_it(inst: Instance, seed: int) -> None:
    rng, problem = np.random.default_rng(seed), stack([inst.arrays()], ENGINE)
    for t in range(problem.shape.n_slots):
        state, prices = drawn_state(problem, rng, t), drawn_prices(problem, rng)
        joint, trade = best_response(problem, t, state, prices), traded(problem, t, state, prices)
        scale = float(np.maximum(np.abs(joint.objective), problem.money_scale)[0])
        assert float((trade.bound - joint.objective)[0]) >= -1e-6 * scale
        assert float((trade.objective - joint.bound)[0]) <= 1e-6 * scale
        assert float((joint.objective - trade.objective)[0]) <= (GAP + 1e-6) * scale
        asked, at_hand = trade.request.transfers.sum(3), state.waiting + problem.arrivals[t]
        assert (asked <= at_hand * (1 + 1e-12)).all()
        after, outcome = advance(ENGINE, problem, t, state, trade.request, integral=False)
        got = outcome.utility
        if t < problem.shape.n_slots - 1:
            got = got + worth(problem, prices, state, after, outcome)
        assert abs(float((got - trade.objective)[0])) <= 1e-5 * scale


@pytest.mark.parametrize("seed", range(6))
def test_with_generators_the_bound_holds_and_trade_is_never_worse_than_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inst = random_instance(rng, n_slots=2, n_sites=3, features=["generator", "thermal", "battery"])
    problem = stack([inst.arrays()], ENGINE)
    state, prices = drawn_state(problem, rng, 0), drawn_prices(problem, rng)
    joint, trade = best_response(problem, 0, state, prices), traded(problem, 0, state, prices)
    home = np.eye(3)[:, None, :]
    alone = best_response(replace(problem, open=problem.open * home), 0, state, prices)
    scale = float(np.maximum(np.abs(joint.objective), problem.money_scale)[0])
    assert float((trade.bound - joint.objective)[0]) >= -1e-6 * scale
    assert float((trade.objective - alone.objective)[0]) >= -1e-3 * scale


@settings(max_examples=FEW)
@given(instances(max_slots=2, max_sites=3, always=("link",), never=SMOOTH), SEEDS)
def test_few_rounds_leave_a_gap_that_the_certificate_covers(inst: Instance, seed: int) -> None:
    rng, problem = np.random.default_rng(seed), stack([inst.arrays()], ENGINE)
    state, prices = drawn_state(problem, rng, 0), drawn_prices(problem, rng)
    joint, trade = best_response(problem, 0, state, prices), traded(problem, 0, state, prices, rounds=2)
    scale = float(np.maximum(np.abs(joint.objective), problem.money_scale)[0])
    assert trade.rounds[0] <= 2
    assert (
        float((joint.objective - trade.objective)[0])
        <= float((trade.bound - trade.objective)[0]) + 1e-6 * scale
    )
    load = np.einsum("k,bijk->bij", problem.payload[0, 0, :, 0], trade.sent)
    assert (load <= problem.link * (1 + 1e-6)).all()


# ---------------------------------------------------------------------- what is known


def of_one(problem: Problem, provider: int) -> dict[str, NDArray[Any]]:
    """The own problem of a provider, of a single instance."""
    own = private(problem)
    found = {f.name: getattr(own, f.name) for f in fields(own) if f.name not in ("shape", "parts")}
    series = {"arrivals", "recent", *SLOT_SERIES}
    return {
        name: values[:, provider] if name in series else values[provider] for name, values in found.items()
    }


def poisoned(problem: Problem, provider: int, rng: np.random.Generator | None) -> Problem:
    """Everybody else's data spoilt: not a number, or by a factor of its own."""
    changed: dict[str, Any] = {}
    common = {"miss_penalty", "payload", "home", "closed"}
    for f in fields(problem):
        values = getattr(problem, f.name)
        if f.name in ("shape", "parts") or f.name in common:
            continue
        if f.name in ("money_scale", "job_scale", "per_job"):
            changed[f.name] = np.full_like(values, np.nan)
            continue
        if values.dtype.kind != "f" or (rng is not None and f.name == "open"):
            continue
        axis = 2 if len(values) == problem.shape.n_slots and values.ndim > 2 and values.shape[1] == 1 else 1
        others = np.arange(problem.shape.sites) != provider
        shape = [1] * values.ndim
        shape[axis] = -1
        factor = np.nan if rng is None else float(rng.uniform(1.0, 1.3))
        changed[f.name] = np.where(others.reshape(shape), values * factor, values)
    return replace(problem, **changed)


@pytest.mark.parametrize("provider", range(3))
def test_what_a_provider_knows_has_nothing_of_the_others(provider: int) -> None:
    inst = random_instance(np.random.default_rng(3), n_slots=4, n_sites=3)
    problem = stack([inst.arrays()], ENGINE)
    known, sealed = of_one(problem, provider), of_one(poisoned(problem, provider, None), provider)
    for name, values in known.items():
        assert np.isfinite(values).all(), name
        np.testing.assert_array_equal(sealed[name], values, err_msg=name)


@pytest.mark.parametrize("provider", range(3))
def test_an_answer_depends_on_own_data_prices_and_announcements_only(provider: int) -> None:
    rng = np.random.default_rng(4)
    inst = random_instance(rng, n_slots=3, n_sites=3, features=["battery", "thermal", "deadline", "link"])
    problem = stack([inst.arrays()], ENGINE)
    state, prices = drawn_state(problem, rng, 0), drawn_prices(problem, rng)
    own, mine = private(problem), private_state(state, 3)
    orders = announced(own, 0, mine)
    asked = rng.uniform(0, 1, (1, 3, problem.shape.classes)) * own.revenue.max()
    answer = answers(own, 0, mine, each(prices, 3), asked, orders)
    other = private(poisoned(problem, provider, rng))
    again = answers(other, 0, mine, each(prices, 3), asked, orders)
    for name in ("profit", "worth", "net"):
        mine_now, then = getattr(answer, name)[0, provider], getattr(again, name)[0, provider]
        np.testing.assert_allclose(then, mine_now, rtol=1e-9, atol=1e-9)
    assert not np.allclose(answer.profit, again.profit)


def test_announced_orders_are_powers_of_two_that_suffice() -> None:
    inst = random_instance(np.random.default_rng(5), n_slots=2, n_sites=2, features=["deadline"])
    problem = stack([inst.arrays()], ENGINE)
    own = private(problem)
    state = private_state(drawn_state(problem, np.random.default_rng(5), 0), 2)
    said, there = announced(own, 0, state), own_rows(state.waiting + own.arrivals[0], 2)
    assert (said >= there).all()
    assert (said < 2 * np.maximum(there, 1e-9)).all()
    assert (np.log2(said[said > 0]) % 1 == 0).all()


@pytest.mark.parametrize("provider", [0, 1, 2])
def test_a_network_sees_own_data_and_exchanged_prices_only(provider: int) -> None:
    rng = np.random.default_rng(6)
    inst = random_instance(rng, n_slots=3, n_sites=3, features=["battery", "thermal", "deadline", "link"])
    problem = stack([inst.arrays()], ENGINE)
    state = private_state(drawn_state(problem, rng, 1), 3)
    asked = rng.uniform(0, 1, (1, 3, problem.shape.classes))
    own, other = private(problem), private(poisoned(problem, provider, rng))
    obs, again = (seen(one, one, 1, state, asked) for one in (own, other))
    np.testing.assert_allclose(again[provider], obs[provider])
    assert not np.allclose(again, obs)
    assert not np.allclose(seen(own, own, 1, state, asked + 1)[provider], obs[provider])


def test_what_a_network_says_concerns_its_own_place_alone() -> None:
    rng = np.random.default_rng(7)
    features = ["battery", "thermal", "deadline", "demand", "generator"]
    inst = random_instance(rng, n_slots=3, n_sites=3, features=features)
    problem = stack([inst.arrays()] * 2, ENGINE)
    own, n = private(problem), 3
    state = private_state(drawn_state(problem, rng, 0), n)
    codec = PricedCodec(own.shape)
    whole = rng.uniform(-1, 1, (len(own), codec.size))
    expected, found = codec.prices(own, 0, state, whole), said(own, 0, state, own_parts(codec, whole))
    for f in fields(SlotPrices):
        there, here = (own_rows(getattr(one, f.name), n) for one in (expected, found))
        np.testing.assert_allclose(here, there)
    elsewhere = own_parts(codec, whole)
    elsewhere[0] = 0.0
    changed = said(own, 0, state, elsewhere)
    np.testing.assert_allclose(changed.energy[2:], found.energy[2:])


# ---------------------------------------------------------------------- the market


def test_the_market_mixes_offers_that_balance() -> None:
    """One wants to send 4 jobs, which brings it nothing but saves 8; the other hosts 2 at a cost of 1."""
    worth_of = np.array([[[-8.0, 0.0], [0.0, -1.0]]])
    net = np.array([[[[0.0], [4.0]], [[0.0], [-2.0]]]])
    ends = np.array([[-10.0]])
    found = clear(worth_of, net, ends, -ends, 0.0 * ends, np.full(1, 1e-6))
    assert found.value.tolist() == pytest.approx([-8.0 / 2 - 1.0], abs=1e-6)
    assert found.shares[0].tolist() == [pytest.approx([0.5, 0.5], abs=1e-6), pytest.approx([0, 1], abs=1e-6)]
    assert found.asked.tolist() == [[pytest.approx(-2.0, abs=1e-4)]]


# ---------------------------------------------------------------------- days


@pytest.fixture(scope="module")
def morning() -> Instance:
    """Eight hours of summer."""
    return sw.scenario("jemas", start="2018-06-12", n_slots=8, slot_minutes=60, integral_jobs=False)


def test_a_day_by_trade_is_worth_what_the_evaluator_says_and_more_than_alone(morning: Instance) -> None:
    found = play([morning], rehearse([morning], "perfect", rehearsals=1))
    judged = evaluate(morning, found.schedules[0])
    assert judged.feasible, judged.violations
    assert judged.utility == pytest.approx(float(found.utility[0]), rel=1e-6)
    assert (found.gap <= GAP + 1e-9).all()
    best, alone = sw.solve(morning, "lp").bound, sw.solve(morning, "local").utility
    assert best is not None
    assert alone is not None
    assert alone < judged.utility <= best * (1 + 1e-6)
    assert judged.utility >= 0.99 * best


def test_networks_learn_to_speak_for_their_providers(morning: Instance) -> None:
    days = [sw.scenario("jemas", start=f"2018-06-{day}", n_slots=8, slot_minutes=60) for day in (11, 13)]
    days = [Instance.from_dict(day.to_dict() | {"integral_jobs": False}) for day in days]
    policy = teach(days, "day-ahead", seed=1, updates=60)
    assert policy.runs == 3
    found = play([morning], networks(policy, [morning], "day-ahead", seed=3))
    judged = evaluate(morning, found.schedules[0])
    assert judged.feasible, judged.violations
    assert judged.utility == pytest.approx(float(found.utility[0]), rel=1e-6)
    alone, best = sw.solve(morning, "local").utility, sw.solve(morning, "lp").bound
    assert best is not None
    assert alone is not None
    assert alone < judged.utility <= best * (1 + 1e-6)
    once, again = (teach(days, "day-ahead", seed=1, updates=5) for _ in range(2))
    for one, two in zip(once.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=3, never=(*SMOOTH, "demand", "link")), SEEDS)
def test_at_any_prices_the_own_days_bound_the_day_of_all(inst: Instance, seed: int) -> None:
    problem = stack([inst.arrays()], ENGINE)
    slots, n, k = problem.shape.n_slots, problem.shape.sites, problem.shape.classes
    joint, own = plan_day(problem), private(problem)
    prices = np.random.default_rng(seed).uniform(-1, 1, (slots, 1, n, k)) * np.abs(own.revenue).max()
    most = np.tile(problem.arrivals.sum(0) + problem.first_waiting, (n, 1, 1))
    orders = most * (1 - np.eye(n)[..., None])
    bound = planned(own, prices, np.broadcast_to(orders, (slots, *orders.shape))).bound.sum()
    [value], [scale] = joint.value, problem.money_scale
    assert bound >= value - 1e-4 * max(abs(value), scale)


def test_before_any_rehearsal_foresight_is_of_the_own_site_alone(morning: Instance) -> None:
    changed = morning.to_dict()
    first, *others = changed["sites"]
    for name in others:
        site = changed["sites"][name]
        site["grid"]["import_price"] = [price + 7.0 for price in site["grid"]["import_price"]]
        changed["arrivals"][name] = {
            k: [2 * jobs for jobs in v] for k, v in changed["arrivals"][name].items()
        }
    before, after = (
        rehearse([inst], "perfect", rehearsals=0).foresight for inst in (morning, Instance.from_dict(changed))
    )
    place = list(changed["sites"]).index(first)
    for name in TABLES:
        mine, again = (getattr(one, name)[:, place, place] for one in (before, after))
        np.testing.assert_allclose(mine, again, rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_benchmark_writes_its_table_between_its_marks(tmp_path: Path) -> None:
    one = {
        "gap %": [0.1, 0.3], "ms": 1.0, "miss %": 0.0, "certificate, mean %": 0.001,
        "certificate, largest %": 0.01, "rounds, mean": 11.0, "rounds, largest": 20, "bytes": 1900.0,
        "rehearsal ms": 2.0, "rehearsal rounds": 17.0, "feasible": False, "judged alike": 1e-12,
    }  # fmt: skip
    kept = {"about": {"date": "d", "machine": "m", "torch": "t"}, "days": ["a", "b"], "joint": one}
    kept |= {f"{REHEARSED[-1]} rehearsals": one}
    (tmp_path / "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n", encoding="utf-8")
    write_docs(page, tmp_path / "kept.json")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| 0.200 | 0.200 |" in text
    assert "VOID" in text
