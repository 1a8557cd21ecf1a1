"""Foresight as a policy: compared, streamed and resumed like any other, without training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from strategies import random_file

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool, task_of
from stepwatt.solvers.methods import method_note
from stepwatt.solvers.planners.foresight.foresight import believed
from stepwatt.streaming import Run


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    return sw.scenario("jemas", start="2018-06-12", n_slots=24, slot_minutes=60, integral_jobs=False)


def test_a_room_too_hot_for_any_plan_is_infeasible_and_not_planned_for_ever() -> None:
    """The plan of the day has no finite prices then; compiled loops over them once did not end."""
    file = random_file(np.random.default_rng(0), n_slots=2, n_sites=1, features={"thermal"})
    file["sites"]["s0"]["cooling"]["initial_c"] = 60.0
    inst = sw.Instance.from_dict(file)
    assert sw.solve(inst, "lp").status == "infeasible"
    assert sw.solve(inst, "foresight").status == "infeasible"


def told(day: sw.Instance, t: int) -> dict[str, object]:
    """All that a slot brings which forecasts miss."""
    arrivals = {site: {name: day.arrivals[site][name][t] for name in day.classes} for site in day.sites}
    renewable = {name: site.renewable_mw[t] for name, site in day.sites.items()}
    return {"slot": t, "arrivals": arrivals, "renewable_mw": renewable}


def as_forecast(day: sw.Instance, seed: int) -> sw.Instance:
    """The day as it is expected to be at its beginning."""
    a, data = day.arrays(), day.to_dict()
    belief = believed(a, "day-ahead", None, seed)
    for j, site in enumerate(day.sites):
        data["sites"][site]["renewable_mw"] = belief.renewable_mw[j].tolist()
        for k, name in enumerate(day.classes):
            data["arrivals"][site][name] = belief.arrivals[j, k].tolist()
    return sw.Instance.from_dict(data)


@pytest.mark.parametrize(("minutes", "renewal"), [(60, 1), (30, 2), (5, 12)])
def test_it_plays_uncorrected_prices_planned_again_every_hour(minutes: int, renewal: int) -> None:
    day = sw.scenario("jemas", start="2018-06-12", n_slots=15, slot_minutes=minutes, integral_jobs=False)
    task = TaskSettings(codec="priced", reward="dense", foresight=True, renewal=renewal)
    assert task_of(sw.foresight(), day) == task
    engine = torch_engine(torch.float64)
    world = World(make_pool([day], "day-ahead", engine, foresight=True, seed=4), engine, task)
    while not world.over:
        world.step(torch.zeros(1, world.act_size, dtype=torch.float64))
    made = sw.foresight(seed=4).schedule(day)
    assert sw.evaluate(day, made).utility == pytest.approx(float(world.earned[0]), rel=1e-9)


def test_hours_are_those_that_were_asked_for(day: sw.Instance) -> None:
    assert [sw.foresight(renewal_hours=h).renewal(day) for h in (0, 0.2, 2, 5)] == [0, 1, 2, 5]


@pytest.mark.parametrize(
    ("forecast", "hours", "told"), [("never", None, "information"), ("day-ahead", -1.0, "renewal_hours")]
)
def test_what_it_cannot_know_or_do_is_refused(forecast: str, hours: float | None, told: str) -> None:
    with pytest.raises(sw.InputError, match=told):
        sw.foresight(forecast, renewal_hours=hours)
    with pytest.raises(sw.InputError):
        sw.foresight("none")


def test_compared_it_is_a_planner_between_greedy_and_the_bound(day: sw.Instance) -> None:
    policies = {"foresight": "foresight", "perfect": "foresight:perfect", "greedy": "greedy"}
    found = sw.compare(day, policies, bound="lp").results.set_index("policy")
    assert (found["status"] == "feasible").all()
    gaps = found["gap"]
    assert 0 <= gaps["perfect"] < gaps["foresight"] < gaps["greedy"]
    assert method_note("foresight").kind == method_note("foresight:persistence").kind == "planner"
    assert method_note("foresight:perfect").kind == "ablation"


def test_seeds_of_it_are_draws_of_the_forecast(day: sw.Instance) -> None:
    found = sw.compare(day, {"foresight": sw.Seeds(["foresight"] * 2)}, bound="lp").results
    drawn = [sw.evaluate(day, sw.foresight(seed=seed).schedule(day)).utility for seed in (0, 1)]
    assert found["utility"].tolist() == drawn
    assert drawn[0] != drawn[1]


def test_comparing_refuses_forecasts_that_there_are_not(day: sw.Instance) -> None:
    with pytest.raises(sw.InputError, match=r"policies\.mine = .foresight:tomorrow.: expected one of"):
        sw.compare(day, {"mine": "foresight:tomorrow"})
    with pytest.raises(sw.InputError, match="foresight: or rolling:"):
        sw.compare(day, {"mine": "greedy:perfect"})


def test_a_stream_on_a_forecast_is_the_schedule_under_that_forecast(day: sw.Instance) -> None:
    """Errors that lines show are expected to last, as in the environment."""
    session = Run(sw.foresight(), as_forecast(day, seed=7))
    for t in range(day.n_slots):
        session.decide(told(day, t))
    planned = sw.evaluate(day, sw.foresight(seed=7).schedule(day)).utility
    other = sw.evaluate(day, sw.foresight(seed=8).schedule(day)).utility
    # slots are solved to a tolerance
    assert session.utility == pytest.approx(planned, rel=1e-7)
    assert abs(other - planned) > 1e-5 * planned


def test_begun_again_from_its_state_it_decides_the_same(day: sw.Instance, tmp_path: Path) -> None:
    """Whatever the slot: plans are made again from what the file says of them."""
    forecast, policy = as_forecast(day, seed=7), sw.foresight()
    whole = Run(policy, forecast)
    expected = [whole.decide(told(day, t)) for t in range(day.n_slots)]
    for t in range(day.n_slots):
        found = Run(policy, forecast, tmp_path / "state.json").decide(told(day, t))
        for name in ("transfers", "runs", "sites", "certificate", "prices", "utility_so_far"):
            assert found[name] == expected[t][name]


def test_every_decision_comes_with_its_bound_and_prices(day: sw.Instance) -> None:
    session = Run(sw.foresight(), day)
    for t in range(4):
        found = session.decide({"slot": t})
        proof = found["certificate"]
        assert proof["worth"] <= proof["bound"] + 1e-9
        assert proof["gap"] == pytest.approx((proof["bound"] - proof["worth"]) / abs(proof["bound"]))
        assert proof["gap"] < 1e-5
        assert set(found["prices"]["power"]) == set(found["prices"]["gpu_time"]) == set(day.sites)
        assert all(price > 0 for price in found["prices"]["power"].values())


def test_the_certificate_holds_for_the_slot_as_a_problem_of_its_own() -> None:
    """In the last slot leavings are worth their true value: the bound is that of the slot's own optimum."""
    day = sw.scenario("jemas", start="2018-06-12T12:00", n_slots=1, slot_minutes=60, integral_jobs=False)
    proof = Run(sw.foresight(renewal_hours=0), day).decide({"slot": 0})["certificate"]
    best = sw.solve(day, "lp").bound
    assert proof["bound"] == pytest.approx(best, rel=1e-6)
    assert proof["worth"] == pytest.approx(best, rel=1e-6)


def test_on_the_command_line(day: sw.Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day.save(tmp_path / "day.json")
    (tmp_path / "slots.jsonl").write_text('{"slot": 0}\n{"slot": 1}\n', encoding="utf-8")
    words = ["run", "foresight", str(tmp_path / "day.json"), "--slots", str(tmp_path / "slots.jsonl")]
    assert run(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["slot"] for line in lines] == [0, 1]
    assert all(line["certificate"]["gap"] < 1e-5 for line in lines)
    words = ["compare", str(tmp_path / "day.json"), "--policy", "foresight:perfect", "--bound", "lp"]
    assert run([*words, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)["results"]
    assert table[0]["method"] == "foresight:perfect"
