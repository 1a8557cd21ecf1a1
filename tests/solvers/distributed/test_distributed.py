"""Providers that trade jobs at prices: certificate, privacy, accounts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import tiny
from clocks import HeldClock
from numpy.typing import NDArray
from places import EXAMPLES
from strategies import random_instance

import benchmarks.distributed.__main__ as benchmark
import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation import InputError, Instance, evaluate
from stepwatt.solvers import Accounts, Result, Settings, Status, accounts, distribute, solve
from stepwatt.solvers.common.relaxation import solve_relaxation
from stepwatt.solvers.distributed.coordination import Distribution, joint_schedule
from stepwatt.solvers.distributed.market import Lots, Market, imbalance_of, lots_of
from stepwatt.solvers.distributed.messages import KINDS
from stepwatt.solvers.distributed.proposal import Proposer
from stepwatt.solvers.distributed.provider import Asp, private_view, register
from stepwatt.solvers.distributed.rounds import Exchange
from stepwatt.solvers.distributed.settlement import confirm

Floats = NDArray[np.float64]

TARGET_GAP, TARGET_ROUNDS = 5e-3, 50


@pytest.mark.parametrize("name", ["distributed-refused", "link-without-limit"])
def test_a_proposal_whose_solver_gets_stuck_is_found_another_way(name: str) -> None:
    """With Clarabel's own settings provider 2 has none; beside 1e11 GB an hour it calls a box unbounded."""
    inst = sw.load(EXAMPLES / f"{name}.json")
    result = sw.solve(inst, "distributed")
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.gap is not None
    assert 0 <= result.gap < 0.01


def providers(inst: Instance) -> list[Asp]:
    """The providers of an instance, ready to answer."""
    views = [private_view(inst, name) for name in inst.sites]
    registered = [register(view) for view in views]
    return [Asp(view, registered) for view in views]


def bound_at(asps: Sequence[Asp], prices: Floats) -> float:
    """What the providers' best profits at the prices add up to."""
    return sum(asp.response(prices)[0] for asp in asps)


@pytest.fixture(params=range(8), ids="example-{}".format)
def number(request: pytest.FixtureRequest) -> int:
    """The number of an example: what several tests look at is made once."""
    return int(request.param)


@cache
def exampled(number: int) -> Instance:
    """The example of that number."""
    return sw.load(EXAMPLES / f"example-{number}.json")


@cache
def exchanged(number: int) -> Distribution:
    """The exchange on the example of that number."""
    return distribute(exampled(number), Settings(gap=TARGET_GAP), rounds=TARGET_ROUNDS)


@cache
def solved(number: int) -> Result:
    """Its central optimum."""
    return solve(exampled(number), gap=1e-3)


@pytest.fixture(scope="module")
def day() -> Instance:
    """A day of the default scenario in slots of an hour."""
    return sw.scenario("jemas", start="2018-06-12", n_slots=24, slot_minutes=60)


@pytest.fixture(scope="module")
def traded(day: Instance) -> Distribution:
    """The exchange on that day."""
    return distribute(day, Settings(gap=TARGET_GAP), rounds=TARGET_ROUNDS)


@pytest.fixture(scope="module")
def books(traded: Distribution) -> Accounts:
    """Its accounts."""
    return accounts(traded)


# ---------------------------------------------------------------------- the target, and the certificate


def test_a_day_comes_within_half_a_percent_of_the_central_optimum_in_fifty_rounds(
    day: Instance, traded: Distribution
) -> None:
    central = solve(day, gap=1e-4)
    result = traded.result
    assert traded.rounds <= TARGET_ROUNDS
    assert result.status is Status.OPTIMAL
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.schedule is not None
    assert evaluate(day, result.schedule).utility == result.utility
    assert result.gap is not None
    assert result.gap <= TARGET_GAP
    assert result.bound is not None
    assert central.utility is not None
    assert result.bound >= central.utility
    assert result.utility is not None
    assert result.utility >= (1 - TARGET_GAP) * central.utility


def test_the_examples_do_too(number: int) -> None:
    found, central = exchanged(number), solved(number)
    assert found.result.status is Status.OPTIMAL
    assert found.result.bound is not None
    assert central.utility is not None
    assert found.result.bound >= central.utility
    assert found.result.evaluation is not None
    assert found.result.evaluation.feasible


def test_bound_and_worth_close_in_on_each_other(traded: Distribution) -> None:
    bound, worth = traded.history["bound"], traded.history["worth"]
    assert bound.is_monotonic_decreasing
    assert worth.is_monotonic_increasing
    assert (bound >= worth).all()
    assert traded.history["imbalance"].iloc[-1] < 0.1 * traded.history["imbalance"].iloc[0]


def test_any_prices_give_a_bound(number: int) -> None:
    """The sum of the best profits covers the optimum, however wrong the prices."""
    utility = solved(number).utility
    assert utility is not None
    asps, rng = providers(exampled(number)), np.random.default_rng(1)
    for size in (0.0, 1e-6, 1e-3, 1.0):
        assert bound_at(asps, size * rng.normal(size=asps[0].shape)) >= utility


def test_the_prices_of_the_central_relaxation_give_its_own_bound(example: Instance) -> None:
    """No duality gap: the split problem is the whole one, row by row."""
    a = example.arrays()
    central = solve_relaxation(a)
    assert central.outcome.row_dual is not None
    assert central.bound is not None
    asps = providers(example)
    prices = np.zeros(asps[0].shape)
    prices[np.nonzero(a.served())] = central.outcome.row_dual[central.problem.rows["assignment"].ids]
    assert bound_at(asps, prices) == pytest.approx(central.bound, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_limited_links_coarse_jobs_and_generators_keep_schedule_and_bound_valid(seed: int) -> None:
    features = ["link", "deadline", "generator", "battery", "thermal", "few", "demand", "negative"]
    inst = random_instance(np.random.default_rng(seed), n_slots=3, n_sites=3, features=features)
    found = distribute(inst, Settings(gap=1e-2), rounds=8).result
    central = solve(inst, gap=1e-2)
    assert found.evaluation is not None
    assert found.evaluation.feasible, found.evaluation.broken
    assert found.bound is not None
    assert central.utility is not None
    assert found.bound >= central.utility


@pytest.mark.parametrize("seed", range(8))
def test_jobs_that_wait_at_the_start_may_be_sent_and_run_by_others(seed: int) -> None:
    """What a provider announces that it may order, and what its queue may hold, counts its backlog."""
    features = ["deadline", "few", "backlog"]
    inst = random_instance(np.random.default_rng(seed), n_slots=3, n_sites=2, features=features)
    central = solve_relaxation(inst.arrays())
    assert central.outcome.row_dual is not None
    asps = providers(inst)
    prices = np.zeros(asps[0].shape)
    served = np.nonzero(inst.arrays().served())
    prices[served] = central.outcome.row_dual[central.problem.rows["assignment"].ids]
    assert bound_at(asps, prices) == pytest.approx(central.bound, rel=1e-6)
    assert all(set(asp.view.instance.backlog) <= {asp.view.instance.arrays().sites[0]} for asp in asps)


def test_where_jobs_are_coarse_the_bound_knows_that_they_are_whole() -> None:
    """One provider, three long jobs, two fit: 17 USD, where the relaxation promises 21.4."""
    result = distribute(tiny.whole_jobs(), Settings(gap=1e-3)).result
    assert result.status is Status.OPTIMAL
    assert result.bound == pytest.approx(17.0)


def test_jobs_without_gpu_time_are_covered_too() -> None:
    """Nothing at the host limits such jobs, so what the others may order does: 5 run at b for 10 USD each."""
    inst = tiny.instance(
        {"a": tiny.site([1e3], gpus=0), "b": tiny.site([0.0])},
        {"a": [5], "b": [0]},
        steps={10: 10.0},
        seconds_per_step=0.0,
        mwh_per_step=1.0,
    )
    result = distribute(inst).result
    assert result.bound is not None
    assert result.bound >= 50.0 - 1e-9
    assert result.utility == pytest.approx(50.0)


def test_two_sites_by_hand() -> None:
    result = distribute(tiny.two_sites(), Settings(gap=1e-3)).result
    assert result.utility == pytest.approx(87.0)
    assert result.bound == pytest.approx(87.0, rel=1e-3)


# ---------------------------------------------------------------------- privacy


class Sealed:
    """Data of others: whoever looks at it fails."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"a provider looked at {name} of another one")


@pytest.mark.parametrize("example_name", ["s0", "s1"])
def test_a_provider_is_built_without_a_look_at_the_others(example: Instance, example_name: str) -> None:
    """Sites, models, arrivals, costs and links of the others may be anything at all."""
    name, sealed = example_name, Sealed()
    own_models = set(example.sites[name].models)
    guarded = example.model_copy(
        update={
            "sites": {other: site if other == name else sealed for other, site in example.sites.items()},
            "arrivals": {i: jobs if i == name else sealed for i, jobs in example.arrivals.items()},
            "models": {m: model if m in own_models else sealed for m, model in example.models.items()},
            "transfer_cost": {i: row if i == name else sealed for i, row in example.transfer_cost.items()},
            "link_gb_per_hour": {
                i: row if i == name else sealed for i, row in example.link_gb_per_hour.items()
            },
        }
    )
    registered = [register(private_view(example, other)) for other in example.sites]
    blind, seeing = (Asp(private_view(inst, name), registered) for inst in (guarded, example))
    assert list(blind.view.instance.sites) == list(blind.view.instance.arrivals) == [name]
    prices = np.random.default_rng(0).normal(size=blind.shape) * 1e-4
    one, other = blind.response(prices), seeing.response(prices)
    assert one[0] == other[0]
    assert np.array_equal(one[1], other[1])


def test_what_others_do_reaches_a_provider_by_announcements_only(example: Instance) -> None:
    """The same announcements, the same problem: the others' data has no other way in."""
    names = list(example.sites)
    registered = [register(private_view(example, name)) for name in names]
    view = private_view(example, names[0])
    assert set(inspect.signature(Asp.__init__).parameters) == {"self", "view", "registered"}
    before = Asp(view, registered).problem
    announced_more = [registered[0], *(replace(r, most_orders=2 * r.most_orders) for r in registered[1:])]
    after = Asp(view, announced_more).problem
    assert (after.matrix != before.matrix).nnz == 0
    assert np.array_equal(after.row_upper, before.row_upper)


def test_announced_orders_are_powers_of_two_above_the_jobs(example: Instance) -> None:
    for name in example.sites:
        view = private_view(example, name)
        jobs = view.instance.arrays().arrivals[0].sum(axis=1)
        orders = register(view).most_orders
        assert (orders >= jobs).all()
        assert (orders < 2 * np.maximum(jobs, 1)).all()
        assert np.isin(np.log2(orders[orders > 0]) % 1, 0.0).all()


def test_every_message_is_of_a_known_kind_and_counted(traded: Distribution) -> None:
    messages, asps = traded.messages, len(traded.asps)
    hosts, classes, slots = traded.prices.shape
    assert set(messages.index) == set(KINDS)
    assert messages.loc["prices", "messages"] == traded.rounds
    assert messages.loc["proposal", "messages"] == asps * traded.rounds
    assert messages.loc["proposal", "numbers"] == asps * traded.rounds * hosts * classes * slots
    assert messages.loc["profit", "numbers"] == asps * traded.rounds
    assert (messages["bytes"] == 8 * messages["numbers"]).all()


# ---------------------------------------------------------------------- accounts


def test_the_accounts_add_up_to_the_utility(traded: Distribution, books: Accounts) -> None:
    assert traded.result.utility is not None
    assert books.table["together"].sum() == pytest.approx(traded.result.utility, rel=1e-9)
    assert books.table["fees_paid"].sum() == pytest.approx(books.table["fees_earned"].sum(), rel=1e-9)
    assert books.fees.sum(axis=1).to_numpy() == pytest.approx(books.table["fees_paid"].to_numpy())
    breakdown = traded.result.evaluation.breakdown if traded.result.evaluation else {}
    for column, term in [("customers", "revenue"), ("transfer", "transfer"), ("miss_penalty",) * 2]:
        assert books.table[column].sum() == pytest.approx(breakdown[term], rel=1e-9, abs=1e-12)


def test_on_that_day_everybody_is_better_off(books: Accounts) -> None:
    assert books.better_off


@pytest.mark.parametrize("rounds", [2, TARGET_ROUNDS])
def test_nobody_is_worse_off_than_alone_by_more_than_the_gap(number: int, rounds: int) -> None:
    """At any prices, what all miss of their best profits adds up to the gap; staying alone is possible."""
    found = (
        exchanged(number) if rounds > 2 else distribute(exampled(number), Settings(gap=0.0), rounds=rounds)
    )
    books = accounts(found)
    rounding = 1e-9 * float(np.abs(books.table["alone"]).sum())
    assert (books.table["gain"] >= -books.slack - rounding).all()
    missed = [
        asp.response(found.prices)[0] - together
        for asp, together in zip(found.asps, books.table["together"], strict=True)
    ]
    assert sum(missed) == pytest.approx(books.slack, rel=1e-6, abs=1e-9)
    assert min(missed) >= -rounding


def test_accounts_by_hand() -> None:
    """Six jobs go from a to b, where they bring 8 − 1 = 7; b lives on what they bring beyond the price."""
    found = distribute(tiny.two_sites(), Settings(gap=1e-3))
    books = accounts(found)
    price = found.prices[1, 0, 0]
    assert found.lots.sent[0, 1, 0, 0] == 6
    assert books.fees.loc["a", "b"] == pytest.approx(6 * (8 - price))
    assert books.table.loc["a", "together"] == pytest.approx(6 * 3 + 6 * (price - 1))
    assert books.table.loc["b", "together"] == pytest.approx(4 * 7 + 5 + 6 * (7 - price))
    assert books.table["alone"].to_list() == pytest.approx([10 * 3 - 2, 4 * 7 + 4])


# ---------------------------------------------------------------------- market and settlement


def two_offers(orders: float, room: float) -> Floats:
    """One class, one slot: provider 0 wants jobs run at host 1, which has room."""
    offered = np.zeros((2, 2, 1, 1))
    offered[0, 1], offered[1, 1] = orders, -room
    return offered


@pytest.mark.parametrize(("orders", "room"), [(10.0, 4.0), (4.0, 10.0), (5.0, 0.0), (0.0, 5.0)])
def test_the_longer_side_is_rationed(orders: float, room: float) -> None:
    lots = lots_of(two_offers(orders, room))
    assert lots.sent[0, 1, 0, 0] == pytest.approx(min(orders, room), rel=1e-3)
    assert lots.hosted[1, 0, 0] == lots.sent[0, 1, 0, 0]
    assert lots.sent[0, 1, 0, 0] <= min(orders, room)


@pytest.mark.parametrize(("orders", "room", "moves"), [(10.0, 4.0, -1), (4.0, 10.0, 1), (7.0, 7.0, 0)])
def test_what_an_origin_gets_falls_where_more_is_sent_than_hosted(
    orders: float, room: float, moves: int
) -> None:
    offered = two_offers(orders, room)
    market = Market(np.ones((2, 1, 1)), list(offered))
    market.clear(list(offered))
    assert np.sign(market.prices[1, 0, 0] - 1.0) == moves
    assert market.prices[0, 0, 0] == 1.0
    assert imbalance_of(list(offered)) == pytest.approx(abs(orders - room) / (orders + room))


def test_proposals_stay_near_the_trade_asked_for(example: Instance) -> None:
    asp = providers(example)[0]
    prices, asked = np.zeros(asp.shape), np.zeros(asp.shape)
    prices[asp.host, asp.sent_class] = 1e-4
    proposer = Proposer(asp)
    loose, stiff = (proposer.propose(prices, asked, stiffness) for stiffness in (1e-12, 1.0))
    assert np.abs(stiff).sum() < 1e-2 * np.abs(loose).sum()


def test_lots_of_whole_jobs_round_down_or_follow_the_cumulative_trade() -> None:
    lots = Lots(np.full((1, 1, 1, 4), 0.5))
    down, near = lots.whole()
    assert down.sent.sum() == 0
    assert near.sent.sum() == 2
    many = Lots(np.full((1, 1, 1, 4), 5000.5 * (1 - 1e-4)))
    assert [one.sent.sum() for one in many.whole()] == [20000]


def test_a_provider_confirms_what_is_there_oldest_first() -> None:
    """Four jobs in slot 0, none later, one slot of patience: 3 can go in slot 1 if one runs at home."""
    inst = tiny.instance(
        {"a": tiny.site([1.0] * 3), "b": tiny.site([1.0] * 3)},
        {"a": [4, 0, 0], "b": [0, 0, 0]},
        steps={10: 8.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
        job={"deadline_slots": 1},
    )
    asp = providers(inst)[0]
    sent, home = np.zeros(asp.shape), np.array([[1.0, 0.0, 0.0]])
    sent[1, 0] = [0.0, 5.0, 2.0]
    confirmed = confirm(asp, sent, np.zeros_like(home))
    assert confirmed.sent[1, 0].tolist() == [0.0, 4.0, 0.0]
    assert confirmed.kept.sum() == 0
    sent[1, 0] = [0.0, 3.0, 0.0]
    confirmed = confirm(asp, sent, home)
    assert confirmed.sent[1, 0].tolist() == [0.0, 3.0, 0.0]
    assert confirmed.kept.tolist() == [[1.0, 0.0, 0.0]]


def test_a_provider_confirms_no_more_than_the_link_carries() -> None:
    inst = tiny.two_sites().to_dict()
    inst["link_gb_per_hour"] = {"a": {"b": 2.5}}
    asp = providers(Instance.from_dict(inst))[0]
    sent = np.zeros(asp.shape)
    sent[1, 0] = 6.0
    assert confirm(asp, sent, np.zeros((1, 1))).sent[1, 0, 0] == 2.0


def test_jobs_that_a_host_cannot_run_after_all_stay_with_later_origins(traded: Distribution) -> None:
    a = traded.result.instance.arrays()
    host = int(np.argmax(traded.lots.hosted.sum(axis=(1, 2))))
    plans = list(traded.plans)
    plans[host] = replace(plans[host], hosted=np.zeros_like(plans[host].hosted))
    moved = joint_schedule(a, traded.lots, plans).transfers
    assert moved[:, host].sum() == moved[host, host].sum()


# ---------------------------------------------------------------------- ends


def test_one_provider_alone_has_nobody_to_trade_with() -> None:
    found = distribute(tiny.one_slot(), Settings(gap=1e-3))
    assert found.rounds == 1
    assert found.result.status is Status.OPTIMAL
    assert found.result.utility == pytest.approx(48.0)
    assert accounts(found).table["gain"].to_list() == pytest.approx([0.0])


def test_an_instance_without_operation_is_infeasible() -> None:
    hot = {
        "kind": "thermal", "cop": [3.0], "max_power_mw": 0.0, "heat_capacity_mwh_per_c": 1.0,
        "leak_mw_per_c": 0.5, "outside_c": [60.0], "min_c": 18.0, "max_c": 27.0, "initial_c": 27.0,
    }  # fmt: skip
    inst = tiny.instance(
        {"a": tiny.site([1.0], cooling=hot), "b": tiny.site([1.0])},
        {"a": [1], "b": [1]},
        steps={10: 8.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
    )
    found = distribute(inst)
    assert found.result.status is Status.INFEASIBLE
    with pytest.raises(ValueError, match="schedule"):
        accounts(found)


def test_ctrl_c_leaves_what_was_agreed(monkeypatch: pytest.MonkeyPatch, example: Instance) -> None:
    usual, asked = Exchange.ask, []

    def pressed(self: Exchange) -> None:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        usual(self)

    monkeypatch.setattr(Exchange, "ask", pressed)
    result = distribute(example, Settings(gap=0.0)).result
    assert result.interrupted
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.bound is not None


def test_the_time_limit_ends_the_rounds(example: Instance) -> None:
    """The clock jumps to the end in the second round: no third one, but whole plans for what was agreed."""
    clock = HeldClock()

    def later(done: float, what: str) -> None:
        clock.now = 1e6

    found = distribute(example, Settings(gap=0.0, time_limit=100.0, clock=clock, progress=later))
    assert found.rounds == 2
    assert found.result.status is Status.TIME_LIMIT
    assert found.result.evaluation is not None
    assert found.result.evaluation.feasible


def test_rounds_below_one_are_an_input_error() -> None:
    with pytest.raises(InputError, match="rounds = 0"):
        distribute(tiny.two_sites(), rounds=0)


def test_the_command_line_knows_the_method(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two.json"
    tiny.two_sites().save(path)
    assert run(["solve", str(path), "--method", "distributed", "--gap", "1e-3"]) == 0
    assert "distributed" in capsys.readouterr().out
    assert run(["compare", str(path), "--policy", "oracle", "--policy", "distributed"]) == 0
    assert "distributed" in capsys.readouterr().out


# ---------------------------------------------------------------------- the benchmark


def test_the_benchmark_measures_a_case_once_and_finds_no_contradiction(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--only", "example-1", "--out", str(tmp_path)]
    assert benchmark.main(wanted) == 0
    file = tmp_path / "example-1.json"
    measured = file.read_text()
    record = json.loads(measured)
    assert record["rounds"] <= TARGET_ROUNDS
    assert record["bound"] >= record["central_utility"]
    assert benchmark.main(wanted) == 0
    assert file.read_text() == measured
    file.write_text(json.dumps(record | {"bound": record["central_utility"] - 1.0}))
    assert benchmark.main(wanted) == 1
    assert "VOID: example-1" in capsys.readouterr().out
    assert "| example-1 |" in benchmark.report({"example-1": record})
