"""Sizes: what one more unit is worth is what the bound gains, and no sizes are better than the best."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.data.technologies import annual_costs, annuity
from stepwatt.solvers.optimum.expansion import THINGS, Expansion
from stepwatt.worth.expansion import Expanded, with_sizes

HOURS = 6
A_YEAR = 8760 / (2 * HOURS)
COSTS = {"battery_mwh": 900.0, "battery_mw": 600.0, "renewable_mw": 400_000.0, "gpus": 20.0, "grid_mw": 500.0}


@pytest.fixture(scope="module")
def days() -> list[sw.Instance]:
    """An evening of winter, and a summer's noon with prices that swing."""
    winter = sw.scenario("jemas", start="2018-11-14T15:00", n_slots=HOURS, slot_minutes=60)
    summer = sw.scenario("jemas", start="2018-06-12T09:00", n_slots=HOURS, slot_minutes=60, volatility=3)
    return [winter, summer]


@pytest.fixture(scope="module")
def found(days: list[sw.Instance]) -> Expanded:
    return sw.expansion(days, costs=COSTS, most={"renewable_mw": 1.0})


def sizes_of(found: Expanded, column: str) -> np.ndarray:
    """(things, J)."""
    return found.table[column].to_numpy().reshape(-1, len(THINGS)).T.copy()


def bound(days: list[sw.Instance], sizes: np.ndarray, installed: np.ndarray) -> float:
    bounds = [sw.solve(with_sizes(day, sizes, installed), "lp").bound for day in days]
    return float(sum(value for value in bounds if value is not None))


def test_one_more_unit_is_worth_what_the_bound_gains(days: list[sw.Instance], found: Expanded) -> None:
    """The bound is concave in a size: what a little more brings is no more than the dual, and what a little
    less costs no less; where both agree, the dual is what they are."""
    now, installed = sizes_of(found, "now"), sizes_of(found, "now")[3]
    here, told = bound(days, now, installed), 0
    for thing, name in enumerate(THINGS):
        step = 1.0 if name == "gpus" else 1e-3 * now[thing, 0]
        ends = []
        for change in (step, -step):
            changed = now.copy()
            changed[thing, 0] += change
            ends.append(A_YEAR * (bound(days, changed, installed) - here) / change)
        worth = found.table.loc[("DE", name), "worth"]
        slack = 1e-4 * max(1.0, abs(worth))
        assert ends[0] - slack <= worth <= ends[1] + slack, name
        told += worth > slack and abs(ends[1] - ends[0]) < 1e-3 * worth
    assert told >= 2


def test_with_the_sizes_of_now_the_relaxation_is_that_of_the_days(
    days: list[sw.Instance], found: Expanded
) -> None:
    now = sizes_of(found, "now")
    most = 3 * now
    model = Expansion([with_sizes(day, most, now[3]).arrays() for day in days], most)
    assert model.at(now).bound == pytest.approx(bound(days, now, now[3]), rel=1e-7)


def test_no_sizes_are_better_than_the_best(days: list[sw.Instance], found: Expanded) -> None:
    """Sizes drawn around the best bring less; the chosen ones lie between the ends that are said."""
    now, best = sizes_of(found, "now"), sizes_of(found, "best")
    cost = np.array([COSTS[thing] for thing in THINGS])[:, None]
    before = sum(result.utility or 0.0 for result in found.before)
    rng = np.random.default_rng(0)
    for _ in range(6):
        drawn = now + (best - now) * rng.uniform(0, 1.5, best.shape)
        drawn[3] = np.minimum(drawn[3], 1.0)
        drawn[4] = np.round(drawn[4])
        net = A_YEAR * (bound(days, drawn, now[3]) - before) - float((cost * (drawn - now)).sum())
        assert net <= found.most + 1e-6 * abs(found.most)
    low, high = found.gain
    assert 0 < low <= high <= found.most * (1 + 1e-4)
    assert (sizes_of(found, "chosen")[4] % 1 == 0).all()
    assert (
        found.table.loc[("DE", "battery_mwh"), "best"] != now[0, 0]
        or found.table["best"].ne(now.T.ravel()).any()
    )


def test_what_has_no_cost_keeps_its_size_and_from_nothing_all_is_paid(days: list[sw.Instance]) -> None:
    table = sw.expansion(days[:1], costs={"gpus": 1.0, "gpus.FR": 1e6}, keep=False).table
    for thing in ("battery_mwh", "grid_mw"):
        assert (table.xs(thing, level="thing")["best"] == table.xs(thing, level="thing")["now"]).all()
    gpus = table.xs("gpus", level="thing")
    assert gpus.loc["FR", "best"] == pytest.approx(0, abs=1e-6)
    assert gpus.loc["DE", "best"] > 1


def test_a_site_without_a_battery_may_get_one(days: list[sw.Instance]) -> None:
    bare = days[1].replace({"sites.*.battery": None})
    free = sw.expansion(
        bare, costs={"battery_mwh": 0.1, "battery_mw": 0.1}, most={"battery_mw": 0.1, "battery_mwh": 0.4}
    )
    rows = free.table.xs("battery_mw", level="thing")
    assert (rows["now"] == 0).all()
    assert rows["chosen"].max() > 0
    assert free.gain[0] > 0


def test_a_unit_costs_a_year_what_pays_it_back_with_interest() -> None:
    """287.4657 EUR/kW over ten years at 7 %: 0.142378 a year, and 0.2512 % of upkeep."""
    assert annuity(0.07, 10) == pytest.approx(0.142378, abs=1e-6)
    assert annuity(0.0, 4) == 0.25
    costs = annual_costs("EUR")
    assert costs["battery_mw"].value == pytest.approx(287_465.7 * (0.142378 + 0.002512), rel=1e-5)
    assert costs["battery_mw"].evidence == "assumed"
    assert annual_costs("EUR", discount_rate=0.07)["battery_mw"].evidence == "verified"
    assert annual_costs("USD")["battery_mw"].value == pytest.approx(1.08 * costs["battery_mw"].value)
    with pytest.raises(sw.InputError, match="costs of your own"):
        annual_costs("NOK")


def test_the_command_prints_sizes_and_names_what_it_does_not_know(
    days: list[sw.Instance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    days[0].save("day.json")
    assert run(["expansion", "day.json", "--cost", "gpus=1e6", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["gain_a_year"]["at_least"] <= printed["gain_a_year"]["any_sizes_at_most"] + 1e-6
    assert run(["expansion", "day.json", "--cost", "gpu=1"]) == 2
    assert "gpus" in capsys.readouterr().err
    assert run(["expansion", "day.json", "--cost", "gpus"]) == 2
    assert "NAME=NUMBER" in capsys.readouterr().err
