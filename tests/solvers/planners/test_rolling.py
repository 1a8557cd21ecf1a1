"""Rolling horizon: what it knows, believes and hands over, and how near it comes with foresight."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from solving import best_schedule
from strategies import instances, random_instance

from stepwatt.formulation import InputError, Instance, InstanceArrays, Schedule, State, evaluate
from stepwatt.formulation.schedule.windows import (
    SERIES,
    fresh_state,
    joined,
    next_state,
    safe_temperature,
    window,
)
from stepwatt.solvers import Result, solve
from stepwatt.solvers.planners.forecasts import make_forecast, terminal_price_at, terminal_prices
from stepwatt.solvers.planners.rolling import RollingPlanner
from stepwatt.solvers.planners.slot_by_slot import slot_by_slot

Floats = NDArray[np.float64]
FEW = max(4, settings.default.max_examples // 4)
SEEDS = st.integers(0, 2**32 - 1)
EVERYTHING = ["deadline", "battery", "generator", "thermal", "demand", "dvfs", "link", "negative", "carbon"]


def schedule_of(a: InstanceArrays, forecast: str = "perfect", hours: float = 100.0) -> Schedule:
    planner = RollingPlanner(a, make_forecast(forecast, a, None, 0), hours)
    return slot_by_slot(a, planner.decide, lambda done, what: None).schedule


# ---------------------------------------------------------------------- how good


def shortfall(inst: Instance) -> float:
    """What rolling with foresight to the end misses of the oracle's bound, as a share of the turnover."""
    best = solve(inst, gap=1e-3)
    result = solve(inst, "rolling", forecast="perfect", look_ahead_hours=1e3)
    assert best.bound is not None
    assert best.evaluation is not None
    assert result.utility is not None
    assert accepted(result)
    money = best.evaluation.breakdown
    return (best.bound - result.utility) / max(abs(best.bound), money["revenue"], money["miss_penalty"], 1e-9)


@settings(max_examples=FEW)
@given(instances(max_slots=6, max_sites=3, never=["generator", "generator_minimum", "few"]))
def test_with_foresight_it_is_near_the_oracle(inst: Instance) -> None:
    """Perfect forecast, look-ahead to the end: what is left is rounding."""
    assert shortfall(inst) <= 1e-2


def test_with_foresight_it_is_mostly_the_oracle() -> None:
    """Twelve instances with queues and batteries: at least half within 1e-3, all within 1e-2."""
    losses = [
        shortfall(
            random_instance(
                np.random.default_rng(seed),
                n_slots=4,
                n_sites=2,
                slot_hours=1.0,
                features=["deadline", "battery", "thermal"][: 2 + seed % 2],
            )
        )
        for seed in range(12)
    ]
    assert np.median(losses) <= 1e-3
    assert max(losses) <= 1e-2


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_plan_is_executed_where_export_pays_more_than_import_costs(seed: int) -> None:
    """The relaxation imports and exports at once; what is done goes one way, and is near the oracle."""
    rng, features = np.random.default_rng(seed), ["export_above", "battery", "deadline"]
    assert shortfall(random_instance(rng, n_slots=24, n_sites=2, features=features)) <= 1e-3


def test_by_hand_it_fills_the_battery_only_if_it_sees_the_price() -> None:
    """tiny.battery: with foresight the optimum 526; persistence believes the price stays, so 450."""
    assert solve(tiny.battery(), "rolling", forecast="perfect").utility == pytest.approx(526.0)
    assert solve(tiny.battery(), "rolling", forecast="persistence").utility == pytest.approx(450.0)
    assert solve(tiny.battery(), "rolling", forecast="day-ahead").utility == pytest.approx(526.0)
    short = solve(tiny.battery(), "rolling", forecast="perfect", look_ahead_hours=1.0)
    assert short.utility == pytest.approx(450.0)


@settings(max_examples=FEW)
@given(instances(max_slots=6, max_sites=3), st.sampled_from([0.5, 1.0, 2.0, 100.0]))
def test_every_look_ahead_gives_a_feasible_schedule(inst: Instance, hours: float) -> None:
    for forecast in ("perfect", "persistence", "day-ahead"):
        result = solve(inst, "rolling", forecast=forecast, look_ahead_hours=hours, seed=1)
        assert result.evaluation is not None
        assert result.evaluation.feasible, (forecast, result.evaluation.worst)


# ---------------------------------------------------------------------- what it believes


def day(hours: float, value: Any) -> Instance:
    """A site over ``24 / hours`` slots; every series is ``value(slot)``."""
    slots = round(24 / hours)
    numbers = [float(value(t)) for t in range(slots)]
    inst = tiny.instance(
        {"a": tiny.site(numbers, renewable_mw=numbers)},
        {"a": [int(n) for n in numbers]},
        steps={10: 1.0},
        seconds_per_step=1.0,
        mwh_per_step=0.0,
    )
    return Instance.from_dict(inst.to_dict() | {"slot_hours": hours})


@pytest.mark.parametrize("hours", [1.0, 0.5])
def test_persistence_repeats_yesterday(hours: float) -> None:
    """With a day of history, slot t is believed to be yesterday's slot t, at any moment."""
    today, yesterday = day(hours, lambda t: 100 + t), day(hours, lambda t: t)
    believe = make_forecast("persistence", today.arrays(), yesterday.arrays(), 0)
    n = today.n_slots
    for now in (0, 5, n - 2):
        for name in ("import_price", "renewable_mw", "arrivals"):
            beliefs = believe(now, now + 1, n)[name]
            np.testing.assert_array_equal(beliefs.ravel(), np.arange(now + 1, n))


def test_persistence_over_more_than_a_day_repeats_the_last_day_known() -> None:
    """At noon of the second day, tomorrow's morning is today's, tomorrow's afternoon is yesterday's."""
    file = day(1.0, lambda t: t).to_dict()
    a = Instance.from_dict(file).arrays()
    long = replace(a, n_slots=72, **{name: np.tile(getattr(a, name), 3) + _days(a, name) for name in SERIES})
    beliefs = make_forecast("persistence", long, None, 0)(36, 37, 72)["import_price"].ravel()
    np.testing.assert_array_equal(beliefs[:11], np.arange(13, 24))  # rest of today: as yesterday
    np.testing.assert_array_equal(beliefs[11:24], 1000 + np.arange(13))  # tomorrow until noon: as today
    np.testing.assert_array_equal(beliefs[24:], np.arange(13, 24))  # then as yesterday


@pytest.mark.parametrize("hours", [1.0, 0.5])
def test_an_error_that_is_seen_fades_by_a_fifth_an_hour(hours: float) -> None:
    """Today costs 30 more than yesterday, and brings twice the jobs: so do the next hours, less and less."""
    today, yesterday = day(hours, lambda t: 40 + t), day(hours, lambda t: 10 + t)
    a, before, n = today.arrays(), yesterday.arrays(), today.n_slots
    a = replace(a, arrivals=2 * before.arrivals)
    plain = make_forecast("persistence", a, before, 0)
    seen = make_forecast("persistence+seen", a, before, 0)
    for now in (0, 5, n - 2):
        fading = 0.8 ** (np.floor(np.arange(now + 1, n) * hours) - np.floor(now * hours))
        thought, found = plain(now, now + 1, n), seen(now, now + 1, n)
        np.testing.assert_allclose(found["import_price"], thought["import_price"] + 30 * fading)
        np.testing.assert_allclose(found["arrivals"], np.round(thought["arrivals"] / (1 - 0.5 * fading)))
        np.testing.assert_array_equal(found["pue"], thought["pue"])


def test_what_is_published_is_not_corrected_and_without_yesterday_nothing_is() -> None:
    inst = random_instance(np.random.default_rng(4), n_slots=6, n_sites=2, features=["battery", "thermal"])
    a = inst.arrays()
    for base, same in (
        ("day-ahead", ("import_price", "carbon_kg_per_mwh", "outside_c")),
        ("persistence", SERIES),
    ):
        plain, seen = make_forecast(base, a, None, 3), make_forecast(f"{base}+seen", a, None, 3)
        for now in range(5):
            told, found = plain(now, now + 1, 6), seen(now, now + 1, 6)
            for name in same:
                np.testing.assert_array_equal(found[name], told[name], err_msg=name)


def test_energy_missing_at_the_end_is_believed_to_cost_the_highest_price_seen_or_forecast() -> None:
    """Where the instance does not say what it costs; the prices rise all day, yesterday's were lower."""
    today, yesterday = day(1.0, lambda t: 100 + t), day(1.0, lambda t: t)
    a, prices = today.arrays(), 100.0 + np.arange(24)
    for information, known in (("none", prices), ("persistence", prices), ("perfect", 0 * prices + 123)):
        believe = None
        if information != "none":
            believe = make_forecast(information, a, yesterday.arrays(), 0)
        found = [float(terminal_price_at(a, believe, t)[0]) for t in range(24)]
        np.testing.assert_array_equal(found, known)
    falling = day(1.0, lambda t: 40 - t).arrays()
    believe = make_forecast("persistence", falling, day(1.0, lambda t: 2 * t).arrays(), 0)
    found = [float(terminal_price_at(falling, believe, t)[0]) for t in range(24)]
    np.testing.assert_array_equal(found, [46.0] * 23 + [40.0])


def test_a_price_at_the_end_that_is_given_is_known() -> None:
    file = day(1.0, lambda t: 100 + t).to_dict()
    for site in file["sites"].values():
        site["terminal_price"] = 7.0
    inst = Instance.from_dict(file)
    assert terminal_price_at(inst.arrays(), None, 3).tolist() == [7.0]
    assert terminal_prices([inst], "persistence") is None
    assert terminal_prices([day(1.0, lambda t: 100 + t)], "day-ahead") is None


def _days(a: InstanceArrays, name: str) -> Floats:
    return np.repeat([0.0, 1000.0, 2000.0], 24)


def test_persistence_without_history_stays_as_it_is() -> None:
    a = day(1.0, lambda t: t * t).arrays()
    believe = make_forecast("persistence", a, None, 0)
    for now in (0, 7):
        for name in SERIES:
            series = getattr(a, name)
            expected = np.repeat(series[..., now : now + 1], 23 - now, axis=-1)
            np.testing.assert_array_equal(believe(now, now + 1, 24)[name], expected)


def test_day_ahead_publishes_prices_and_errs_about_sun_and_jobs() -> None:
    """Reproducible by seed; beliefs about a slot do not depend on when; within what is possible."""
    a = random_instance(np.random.default_rng(0), n_slots=48, n_sites=2, features=["thermal"]).arrays()
    beliefs = make_forecast("day-ahead", a, None, 3)(0, 1, 48)
    again = make_forecast("day-ahead", a, None, 3)(10, 11, 48)
    other = make_forecast("day-ahead", a, None, 4)(0, 1, 48)
    for name in SERIES:
        np.testing.assert_array_equal(beliefs[name][..., 10:], again[name])
        known = name not in ("renewable_mw", "arrivals")
        assert np.array_equal(beliefs[name], getattr(a, name)[..., 1:]) == known, name
        assert np.array_equal(beliefs[name], other[name]) == known, name
    assert (beliefs["renewable_mw"] >= 0).all()
    assert (beliefs["renewable_mw"] <= a.renewable_mw.max(axis=1)[:, None]).all()
    assert (beliefs["arrivals"] >= 0).all()
    assert np.array_equal(beliefs["arrivals"], np.round(beliefs["arrivals"]))


def test_a_history_of_other_sites_is_refused() -> None:
    with pytest.raises(InputError, match="history"):
        solve(tiny.battery(), "rolling", history=tiny.two_sites())


def test_a_history_is_used() -> None:
    """tiny.battery again: yesterday's second price was 70 too, so persistence with history finds 526."""
    today = Instance.from_dict(
        tiny.battery().to_dict() | {"start": "2024-03-02T00:00:00Z", "slot_hours": 1.0}
    )
    yesterday = today.to_dict()
    yesterday |= {"start": "2024-03-01T00:00:00Z", "n_slots": 24}
    yesterday["arrivals"] = {"a": {"k": [5, 5] + [0] * 22}}
    site = yesterday["sites"]["a"]
    site["renewable_mw"] = [0.0] * 24
    site["cooling"]["pue"] = [1.0] * 24
    site["grid"] |= {
        "import_price": [20.0, 70.0] + [0.0] * 22,
        "export_price": [0.0] * 24,
        "carbon_kg_per_mwh": [0.0] * 24,
    }
    result = solve(today, "rolling", history=Instance.from_dict(yesterday))
    assert result.utility == pytest.approx(526.0)


# ---------------------------------------------------------------------- what it does not know


def poisoned(a: InstanceArrays, after: int, seed: int | None) -> InstanceArrays:
    """Other values in every slot later than ``after``: random ones of the same size, or NaN."""
    rng = np.random.default_rng(seed)
    series = {}
    for name in SERIES:
        values = getattr(a, name).copy()
        later = values[..., after + 1 :]
        values[..., after + 1 :] = np.nan if seed is None else later * rng.uniform(0.5, 1.5, later.shape)
        if name == "arrivals":
            values = np.round(values)
        if name in ("pue", "cop"):
            values = np.where(values < 1, 1.0, values)
        series[name] = values
    highest = np.maximum(series["import_price"].max(axis=1), 0.0)
    price = np.where(a.terminal_price_given, a.terminal_price, highest)
    return replace(a, terminal_price=price, **series)


@settings(max_examples=FEW)
@given(
    instances(max_slots=6, max_sites=2, never=["fluid", "thermal"]),
    st.integers(0, 5),
    st.one_of(st.none(), SEEDS),
    st.sampled_from(["persistence", "persistence+seen"]),
)
def test_the_future_is_seen_only_through_the_forecast(
    inst: Instance, t: int, seed: int | None, forecast: str
) -> None:
    """Decisions up to slot t stay the same whatever comes later, under ``persistence`` without history."""
    a = inst.arrays()
    t = min(t, a.n_slots - 1)
    truth = decisions_until(a, t, forecast)
    other = decisions_until(poisoned(a, t, seed), t, forecast)
    for field in fields(Schedule):
        np.testing.assert_array_equal(getattr(truth, field.name), getattr(other, field.name))


def test_of_the_future_of_rooms_only_the_guard_against_overheating_reads_the_weather() -> None:
    inst = random_instance(np.random.default_rng(0), n_slots=4, n_sites=2, features=["thermal"])
    a = inst.arrays()
    weather = {name: getattr(a, name) for name in ("cop", "outside_c", "renewable_mw")}
    other_prices = replace(poisoned(a, 1, None), **weather)
    truth, other = decisions_until(a, 1), decisions_until(other_prices, 1)
    for field in fields(Schedule):
        np.testing.assert_array_equal(getattr(truth, field.name), getattr(other, field.name))


def decisions_until(a: InstanceArrays, t: int, forecast: str = "persistence") -> Schedule:
    planner = RollingPlanner(a, make_forecast(forecast, a, None, 0), 2.0)
    state, parts = fresh_state(a), []
    for slot in range(t + 1):
        alone, decision, judged = planner.decide(slot, state)
        parts.append(decision)
        state = next_state(alone, judged)
    return joined(parts)


def test_the_current_slot_is_always_known() -> None:
    """A forecast that is wrong about everything cannot break the slot that is decided."""
    inst = random_instance(np.random.default_rng(2), n_slots=5, n_sites=2, features=["battery", "deadline"])
    a = inst.arrays()
    truth = make_forecast("perfect", a, None, 0)

    def absurd(now: int, first: int, stop: int) -> dict[str, Floats]:
        assert first == now + 1
        return {name: 3.0 * values + 1.0 for name, values in truth(now, first, stop).items()}

    planner = RollingPlanner(a, absurd, 1.0)
    schedule = slot_by_slot(a, planner.decide, lambda done, what: None).schedule
    assert evaluate(a, schedule).feasible


# ---------------------------------------------------------------------- windows


def through_windows(a: InstanceArrays, schedule: Schedule) -> tuple[list[Any], State]:
    """Judge the schedule slot by slot, each slot begun from what the one before has left."""
    state, judged = fresh_state(a), []
    for t in range(a.n_slots):
        alone = window(a, t, 1, state)
        part = Schedule(**{f.name: getattr(schedule, f.name)[..., t : t + 1] for f in fields(Schedule)})
        judged.append(evaluate(alone, part))
        state = next_state(alone, judged[-1])
    return judged, state


@settings(max_examples=FEW)
@given(instances(max_slots=5, max_sites=3, never=["few"]))
def test_slots_add_up_to_the_whole(inst: Instance) -> None:
    """The oracle's decisions, judged slot by slot: same jobs, energy, temperature, peak, and the same money.

    Two things belong to the whole alone: the valuation of the end, which only the last slot's counts, and a
    generator without minimum that idles through a pause rather than start again.
    """
    a = inst.arrays()
    result = solve(inst, gap=1e-2)
    assert result.schedule is not None
    whole = evaluate(a, result.schedule)
    judged, _ = through_windows(a, result.schedule)
    for t, slot in enumerate(judged):
        np.testing.assert_allclose(slot.energy_mwh[:, -1], whole.energy_mwh[:, t + 1], atol=2e-6)
        np.testing.assert_allclose(slot.temperature_c[:, -1], whole.temperature_c[:, t + 1], atol=1e-6)
        np.testing.assert_allclose(slot.waiting[:, :, -1], whole.waiting[:, :, t], atol=1e-6)
        np.testing.assert_allclose(slot.lost[:, :, -1], whole.lost[:, :, t], atol=1e-6)
        assert slot.violations["deadline"] <= 1e-6
    np.testing.assert_allclose(judged[-1].peak_mw, whole.peak_mw, atol=1e-9)
    scale = 1e-6 * max(1.0, whole.breakdown["revenue"])
    for name, money in whole.breakdown.items():
        total = sum(slot.breakdown[name] for slot in judged)
        if name == "terminal":
            total = judged[-1].breakdown[name]
        if name in ("startup", "fuel") and a.generator.any():
            continue
        assert total == pytest.approx(money, abs=scale), name
    burnt = [sum(e.breakdown[n] for e in judged) for n in ("fuel", "startup")]
    assert sum(burnt) >= whole.breakdown["fuel"] + whole.breakdown["startup"] - scale
    if (a.generator_min_mw[a.generator] > 0).all():
        assert sum(burnt) == pytest.approx(whole.breakdown["fuel"] + whole.breakdown["startup"], abs=scale)


def came_before(a: InstanceArrays, age: int) -> Floats:
    """(I,K) jobs that had waited so long when the horizon began."""
    backlog = a.state.backlog
    return backlog[:, :, age] if age < backlog.shape[2] else np.zeros(backlog.shape[:2])


@settings(max_examples=FEW)
@given(instances(max_slots=4, max_sites=2, always=["deadline"]), SEEDS)
def test_jobs_are_neither_made_nor_lost_between_windows(inst: Instance, seed: int) -> None:
    """Arrivals = run + lost + backlog after every slot, whoever decides; older jobs go first."""
    a, rng = inst.arrays(), np.random.default_rng(seed)
    state = fresh_state(a)
    run = np.zeros(state.backlog.shape[:2])
    lost = run.copy()
    for t in range(a.n_slots):
        alone = window(a, t, 1, state)
        ready = state.backlog.sum(axis=2) + alone.arrivals[:, :, 0]
        schedule = Schedule.idle(alone)
        sent = np.floor(ready * rng.random(ready.shape))
        for i in range(len(a.sites)):
            schedule.transfers[i, i, :, 0] = sent[i]
        judged = evaluate(alone, schedule)
        run += sent
        lost += judged.lost[:, :, 0]
        state = next_state(alone, judged)
        arrived = a.state.backlog.sum(axis=2) + a.arrivals[:, :, : t + 1].sum(axis=2)
        np.testing.assert_allclose(run + lost + state.backlog.sum(axis=2), arrived, rtol=1e-12, atol=1e-6)
        for age in range(state.backlog.shape[2]):
            came = a.arrivals[:, :, t - age] if t >= age else came_before(a, age - t - 1)
            assert (state.backlog[:, :, age] <= came + 1e-9).all()
    assert not state.backlog.any()


def test_a_window_of_everything_is_the_instance() -> None:
    inst = random_instance(np.random.default_rng(6), n_slots=3, n_sites=2, features=["fluid", *EVERYTHING])
    a = inst.arrays()
    alike = window(a, 0, 3, fresh_state(a))
    assert best_schedule(a)[0] == pytest.approx(best_schedule(alike)[0], rel=1e-9)


def test_rooms_never_get_warmer_than_the_coming_slots_can_bear() -> None:
    """At the warmest safe moment, full cooling with no GPU on just keeps max_c until the end."""
    inst = random_instance(np.random.default_rng(1), n_slots=8, n_sites=2, features=["thermal"])
    file = inst.to_dict()
    room = file["sites"]["s0"]["cooling"]
    room |= {"outside_c": [20.0, 20.0, 20.0, 60.0, 60.0, 60.0, 20.0, 20.0], "leak_mw_per_c": 2e-4}
    room |= {"max_power_mw": 5e-4, "heat_capacity_mwh_per_c": 3e-3}
    a = Instance.from_dict(file).arrays()
    warmest = safe_temperature(a)
    assert warmest[0].min() < a.max_c[0] - 0.1, "the heat wave binds"
    assert (warmest <= a.max_c[:, None]).all()
    for t in range(1, 8):
        begun = replace(fresh_state(a), temperature_c=warmest[:, t])
        rest = window(a, t, 8 - t, begun)
        cooling = np.minimum(a.cooling_max_mw[:, None], a.import_limit_mw[:, None] + rest.renewable_mw)
        idle = replace(Schedule.idle(rest), cooling_mw=np.where(a.thermal[:, None], cooling, 0.0))
        assert evaluate(rest, idle).violations["temperature"] <= 1e-9


def test_a_hot_room_is_prepared_for() -> None:
    """Greedy and rolling survive a heat wave that cooling alone cannot hold, by cooling ahead."""
    inst = random_instance(np.random.default_rng(1), n_slots=8, n_sites=1, features=["thermal"])
    file = inst.to_dict()
    room = file["sites"]["s0"]["cooling"]
    room |= {"outside_c": [20.0, 20.0, 20.0, 60.0, 60.0, 60.0, 20.0, 20.0], "leak_mw_per_c": 2e-4}
    room |= {"max_power_mw": 2e-3, "heat_capacity_mwh_per_c": 3e-3}
    heat = Instance.from_dict(file)
    for method in ("greedy", "rolling", "random"):
        assert accepted(solve(heat, method)), method


def accepted(result: Result) -> bool:
    return result.evaluation is not None and result.evaluation.feasible


@pytest.mark.parametrize("slot_hours", [24.0, 60.0, 8784.0])
def test_slots_of_more_than_a_day_are_believed_as_the_one_before(slot_hours: float) -> None:
    a = random_instance(np.random.default_rng(2), n_slots=4, n_sites=1, slot_hours=slot_hours).arrays()
    believed = make_forecast("persistence", a, None, 0)(1, 2, 4)
    np.testing.assert_array_equal(believed["import_price"], a.import_price[..., [1, 1]])
