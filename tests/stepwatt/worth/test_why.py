"""Reasons in words and money: their numbers hold, and a regret is what forcing the alternative costs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import solving
import tiny
from places import ROOT

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation.schedule.by_slot import money_by_slot
from stepwatt.worth.where_lost import WhereLost
from stepwatt.worth.why import Reasons

#: Money is told for as many jobs in every line.
PER = re.compile(r"a job\b|for 1,000 jobs|for a million jobs")

EXAMPLES = sorted((ROOT / "tests/examples").glob("example-*.json"))


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    """Six hours of an evening, jobs fluid."""
    inst = sw.scenario("jemas", start="2018-11-14T15:00", n_slots=6, slot_minutes=60)
    return sw.Instance.from_dict(inst.to_dict() | {"integral_jobs": False})


@pytest.fixture(scope="module")
def hours() -> sw.Instance:
    """Fifteen jobs in two hours, one GPU. 20 steps take 360 s and 0.02 MWh and bring 1.50 USD, 10 steps half
    and 1.00. Power costs 30, then 20 USD/MWh, and jobs of the first hour may wait.

    Best: ten jobs in the second hour, as many as fit at 20 steps (1.10 USD each), five in the first (0.90).
    Room for one more in the second hour is worth 0.20 USD, so a GPU-hour there is worth 2.00.
    """
    return tiny.instance(
        {"a": tiny.site([30.0, 20.0])},
        {"a": [12, 3]},
        steps={10: 1.0, 20: 1.5},
        seconds_per_step=18.0,
        mwh_per_step=0.001,
        job={"deadline_slots": 1},
    )


def test_classes_are_told_for_as_many_jobs() -> None:
    day = sw.scenario("jemas", start="2018-06-12", n_slots=6)
    assert len(day.classes) > 1
    assert len(set(PER.findall(str(sw.why(sw.solve(day), slot=2, site="DE"))))) == 1


def test_nothing_rejected_is_better_by_more_than_the_bound_leaves() -> None:
    """Whole GPUs leave the relaxation far above an optimum that is certified."""
    site = sw.Site(
        gpus=sw.Gpus(count=8, kind="A100-40GB"),
        grid=sw.Grid(import_price=[20, 20, 90, 90], import_limit_mw=0.05),
        cooling=sw.Cooling(pue=1.2),
    )
    day = sw.build(
        start="2025-01-06",
        hours=4,
        slot="1h",
        sites={"a": site},
        models=["sdxl-base"],
        classes=["urgent"],
        arrivals={"a": {"urgent": 200}},
    )
    best = sw.solve(day)
    assert best.bound is not None
    assert best.utility is not None
    room = best.bound - best.utility
    relaxed = sw.solve(day, "lp").bound
    assert relaxed is not None
    assert relaxed - best.utility > 10 * room
    lows = [one.low for reason in sw.why(best, slot=0, site="a").reasons for one in reason.rejected]
    assert min(lows) >= -room - 1e-9


def test_the_numbers_are_those_of_a_case_worked_by_hand(hours: sw.Instance) -> None:
    found = sw.why(sw.solve(hours), slot=0, site="a")
    runs, waits = found.reasons
    assert "a runs 5 k jobs with m at 20 steps" in runs.words
    assert runs.found.money == pytest.approx(
        {"revenue": 1.5, "gpu_time": 0.0, "power": -0.6, "transfer": 0.0, "left": 0.9}
    )
    regrets = {one.found.kind: one.low for one in runs.rejected}
    # 10 steps: 0.20 less for each of five; an hour later: ten at 10 steps and five at 20 in the second hour,
    # 13.50 instead of 15.50; lost: 0.90 and the penalty of 1.00
    assert regrets == pytest.approx({"option": 1.0, "time": 2.0, "lost": 9.5}, abs=1e-6)
    assert runs.best is not None
    assert runs.best.words.startswith("5 jobs with m at 10 steps")
    assert "it costs at least 1.00 USD" in runs.best.words
    later = next(one for one in runs.rejected if one.found.kind == "time")
    assert "at 01:00 (a GPU-hour is worth 2.00 then)" in later.words
    assert waits.found.money["left"] == pytest.approx(0.9)
    assert "7 k jobs of a wait" in str(found)


def test_forced_into_the_instance_what_was_rejected_costs_its_regret(hours: sw.Instance) -> None:
    best = sw.solve(hours)
    reasons = Reasons(hours, best)
    assert best.utility is not None
    for slot in range(2):
        for reason in reasons.at(slot, "a", certify="solve").reasons:
            one = reason.best
            assert one is not None
            assert one.high is not None
            forced = one.found.forced.put_into(reasons.priced.problem)
            worth, _ = solving.optimum(forced)
            assert one.low - 1e-6 <= best.utility - worth <= one.high + 1e-6


@pytest.mark.parametrize("method", ["oracle", "greedy"])
def test_a_regret_is_never_more_than_forcing_the_alternative_costs(day: sw.Instance, method: str) -> None:
    """And the relaxation solved with it forced says it exactly, up to what the relaxation leaves open."""
    mine = sw.solve(day, method)
    assert mine.utility is not None
    reasons = Reasons(day, mine)
    for site in day.sites:
        quick, found = (reasons.at(2, site, certify=how) for how in ("prices", "relaxation"))
        for fast, reason in zip(quick.reasons, found.reasons, strict=True):
            assert {one.found.kind for one in reason.rejected} <= {one.found.kind for one in fast.rejected}
            one = reason.best
            assert one is not None
            forced = one.found.forced.put_into(reasons.priced.problem)
            worth, _ = solving.optimum(forced, relaxed=True)
            assert one.low == pytest.approx(mine.utility - worth, abs=1e-5)
            at_prices = mine.utility - reasons.priced.at_prices(one.found.forced)
            assert at_prices <= one.low + 1e-9
            if one.low < 0:
                assert "is not ruled out" in one.words


def test_prices_in_words_are_what_one_more_unit_brings(day: sw.Instance) -> None:
    """Finite differences of the bound: a little power taken away, one GPU more."""
    found = sw.why(sw.solve(day), slot=2, site="DE", certify="prices")
    bounds = []
    for share in (0.0, 1e-3):
        a = day.arrays()
        sun = a.renewable_mw.copy()
        sun[0, 2] += share
        changed = day.replace({"sites.DE.renewable_mw": sun[0].tolist()})
        bounds.append(sw.solve(changed, "lp").bound)
    assert found.prices["power"] == pytest.approx((bounds[1] - bounds[0]) / 1e-3, rel=1e-4)
    assert f"power {found.prices['power']:.2f} USD/MWh" in found.head
    more = day.replace({"sites.DE.gpus": day.sites["DE"].gpus + 1})
    gained = sw.solve(more, "lp").bound - bounds[0]
    # one GPU more in every hour, less what it draws
    reasons = Reasons(day, sw.solve(day))
    a = day.arrays()
    worth = reasons.priced.gpu_time[0] * a.seconds_per_gpu[0]
    drawn = reasons.priced.it_power[0] * a.gpu_idle_mw[0] * a.slot_hours
    assert gained == pytest.approx(float(np.maximum(worth - drawn, 0.0).sum()), rel=1e-3, abs=1e-6)


def test_of_a_long_horizon_a_window_around_the_slot_is_solved() -> None:
    """What the optimum does there is as good as anything there: its window is at its bound."""
    days = sw.scenario("jemas", start="2018-11-12", n_slots=80, slot_minutes=60)
    days = sw.Instance.from_dict(days.to_dict() | {"integral_jobs": False})
    best = sw.solve(days, gap=1e-6)
    found = sw.why(best, slot=50, site="DE", certify="prices")
    assert found.window == (26, 74)
    assert "slot 50 (14 Nov 02:00)" in found.head
    assert "of 13 Nov 02:00 to 15 Nov 02:00 alone, the rest as it is, the schedule is" in found.head
    assert found.to_dict()["window"] == [26, 74]
    assert best.schedule is not None
    a, o = days.arrays(), days.arrays().options
    runs = {reason.found.job_class: reason.found for reason in found.reasons if reason.found.kind == "runs"}
    for k in range(len(a.classes)):
        here = best.schedule.runs[(o.site == 0) & (o.job_class == k), 50].sum()
        assert (runs[k].amount if k in runs else 0.0) == pytest.approx(here, rel=1e-6, abs=1e-3)
    for reason in found.reasons:
        assert all(26 <= one.slot < 74 for one in reason.rejected)
    window = Reasons(days, best, window=found.window)
    assert 0 <= window.bound - window.utility + 1e-6 < 1e-4 * window.bound
    whole = sw.why(best, slot=50, site="DE", certify="prices", window_hours=160)
    assert whole.window == (0, 80)
    assert "alone" not in whole.head
    assert whole.prices == pytest.approx(found.prices, rel=0.02)


def test_what_cannot_be_asked_is_said(day: sw.Instance) -> None:
    best = sw.solve(day)
    for wrong, told in (({"slot": 6}, "from 0 to 5"), ({"site": "XX"}, "DE, FR, DK")):
        with pytest.raises(sw.InputError, match=told):
            sw.why(best, **({"slot": 0, "site": "DE"} | wrong))
    assert best.schedule is not None
    with pytest.raises(sw.InputError, match="instance of the schedule"):
        sw.why(best.schedule, slot=0, site="DE")
    with pytest.raises(sw.InputError, match="one of prices, relaxation, solve"):
        sw.why(best, slot=0, site="DE", certify="trust")  # type: ignore[arg-type]
    with pytest.raises(sw.InputError, match=r"window_hours = 0: expected hours above 0"):
        sw.why(best, slot=0, site="DE", window_hours=0)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_losses_by_slot_and_by_decision_add_up(path: Path) -> None:
    inst = sw.load(path)
    mine, best = sw.solve(inst, "greedy"), sw.solve(inst, gap=1e-3)
    found = sw.where_lost(inst, mine, best)
    for result in (mine, best):
        assert result.evaluation is not None
        assert result.schedule is not None
        by_slot = money_by_slot(inst.arrays(), result.schedule, result.evaluation)
        sums = {item: float(values.sum()) for item, values in by_slot.items()}
        assert sums == pytest.approx(result.evaluation.breakdown, rel=1e-9, abs=1e-9)
    scale = 1e-9 * max(1.0, abs(found.bound))
    for table in (found.money, found.by_site):
        assert table["total"].sum() == pytest.approx(best.utility - mine.utility, abs=scale)
    assert (found.decisions["loss"] > 0).all()
    assert found.decisions["loss"].is_monotonic_decreasing
    assert found.decisions["loss"].sum() == pytest.approx(found.bound - mine.utility, abs=1e-6 + 1e3 * scale)


def test_the_dearest_decisions_come_first(hours: sw.Instance) -> None:
    """Everything at once in the first hour: at the optimum's prices, what is run there at 10 steps loses."""
    best = sw.solve(hours)
    early = sw.solve(hours, "greedy")
    found = sw.where_lost(hours, early, best)
    assert isinstance(found, WhereLost)
    assert found.lost == pytest.approx(best.utility - early.utility)
    assert str(found).startswith(f"{found.lost:,.2f} USD less than the optimum")
    assert found.to_dict()["dearest"][0]["loss"] == found.decisions["loss"].max()


def test_commands_find_the_instance_of_a_result(
    hours: sw.Instance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    hours.save("hours.json")
    assert run(["solve", "hours.json", "--out", "best.json"]) == 0
    assert run(["solve", "hours.json", "--method", "greedy", "--out", "mine.json"]) == 0
    capsys.readouterr()
    assert run(["why", "best.json", "--slot", "0", "--site", "a", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reasons"][0]["rejected"][0]["regret"]["at_least"] == pytest.approx(1.0)
    assert found["window"] == [0, 2]
    assert run(["why", "best.json", "--slot", "1", "--site", "a", "--window", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["window"] == [0, 2]
    assert run(["where-lost", "mine.json", "best.json"]) == 0
    assert "less than the optimum" in capsys.readouterr().out
    hours.replace({"classes.k.miss_penalty": 2.0}).save("hours.json")
    assert run(["why", "best.json", "--slot", "0", "--site", "a"]) == 2
    assert "changed since" in capsys.readouterr().err
    (tmp_path / "best.json.manifest.json").unlink()
    assert run(["why", "best.json", "--slot", "0", "--site", "a"]) == 2
    assert "--instance FILE" in capsys.readouterr().err
    assert run(["why", "best.json", "--slot", "0", "--site", "a", "--instance", "hours.json"]) == 0


def test_a_bound_of_another_problem_is_not_taken_for_ones_own(hours: sw.Instance) -> None:
    """Less import at night earns 4 USD less, whatever the bound with that constraint says."""
    import pyomo.environ as pyo

    def less(model: pyo.ConcreteModel) -> None:
        model.mine = pyo.Constraint(expr=sum(model.import_mw.values()) <= 0.1)

    best, narrow = sw.solve(hours), sw.solve(hours, extra=less)
    assert narrow.bound < best.utility - 1
    reasons = Reasons(hours, narrow)
    assert reasons.bound >= best.utility
    fewer = hours.replace({"sites.a.gpus": 0})
    assert Reasons(hours, sw.solve(fewer)).bound >= best.utility
