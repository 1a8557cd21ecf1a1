"""The harness of the learning studies: cells are run once, and the report reads curves rightly."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import stepwatt as sw
from benchmarks.hybrid.cases import TRAINED_ON, cases
from benchmarks.learning import confirmation, live, regimes
from benchmarks.learning.common import Cell, rounded, run_cells
from benchmarks.learning.days import Spread
from benchmarks.learning.reading import curve
from benchmarks.learning.regimes_confirmation import CLAIMS, Claim, difference, summary, table
from benchmarks.learning.regimes_confirmation import verdict as verdict_of
from benchmarks.learning.report import common_best, convergence_text
from stepwatt.learning.training.plan import read_plan


def fake(cell):
    """A training that learns along a straight line."""
    share = np.linspace(0.2, float(cell.training["end"]), 5)
    return {
        "seeds": [0, 1],
        "cpu_seconds": 8.0,
        "curve": {
            "env_steps": [0, 10, 20, 30, 40],
            "updates": [0, 0, 5, 10, 15],
            "cpu_seconds": [0.0, 2.0, 4.0, 6.0, 8.0],
            "gap": [(1 - share).tolist()] * 2,
        },
        "tests": {
            "test": {
                "gap": np.full((2, 3), 1 - share[-1]),
                "captured": np.full((2, 3), 0.5),
                "miss": np.zeros((2, 3)),
                "paid": np.ones((2, 3)),
            }
        },
    }


def cells(end):
    return [Cell("sac-none", {"end": 0.6}), Cell("sac-jemas", {"end": end})]


def test_a_cell_is_run_once_and_again_only_when_its_plan_changes(tmp_path):
    ran = []

    def run(cell):
        ran.append(cell.name)
        return fake(cell)

    quiet = {"run": run, "say": lambda text: None}
    first = run_cells(cells(0.8), tmp_path, **quiet)
    assert ran == ["sac-none", "sac-jemas"]
    assert run_cells(cells(0.8), tmp_path, **quiet) == first
    assert len(ran) == 2
    run_cells(cells(0.7), tmp_path, only=["*-jemas"], **quiet)
    assert ran[2:] == ["sac-jemas"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sac-jemas.json", "sac-none.json"]
    assert {"machine", "date", "revision"} <= first[0]["made"].keys()


def test_an_interrupted_cell_leaves_nothing(tmp_path):
    def stop(cell):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(cells(0.8), tmp_path, run=stop)
    assert not list(tmp_path.iterdir())


def test_cells_of_two_processes_are_those_of_one(tmp_path):
    said = []
    alone = run_cells(cells(0.8), tmp_path / "alone", run=fake, say=said.append)
    two = run_cells(cells(0.8), tmp_path / "two", run=fake, say=said.append, workers=2)

    def told(records):
        return [{k: v for k, v in record.items() if k != "spent"} for record in records]

    assert told(two) == told(alone)
    assert sorted(line.split(":")[0] for line in said) == ["sac-jemas"] * 2 + ["sac-none"] * 2


def test_curves_have_rising_axes_and_the_threshold_is_of_the_common_best(tmp_path):
    records = run_cells(cells(0.8), tmp_path, run=fake, say=lambda text: None)
    at, share = curve(records[0], "updates")
    assert at.tolist() == [0, 5, 10, 15]
    assert share[0].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6])
    assert curve(records[0], "cpu_seconds")[0].tolist() == [0, 1, 2, 3, 4]
    assert common_best(records) == pytest.approx(0.8)
    text = convergence_text({record["cell"]: record for record in records}, None)
    # 0.95 · 0.8 lies on the last of four equal pieces from 0.2 to 0.8
    steps = 30 + 10 * (0.76 - 0.65) / 0.15
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| sac")]
    assert rows[0][3].startswith("never")
    assert rows[1][3].startswith(f"{steps:.0f} ")


def test_results_are_plain_json():
    value = rounded({"a": np.array([[1.23456789, np.nan]]), "b": (1, "x")})
    assert value == {"a": [[1.23457, None]], "b": [1, "x"]}
    json.dumps(value)


def test_the_confirmation_takes_days_that_no_study_has_looked_at():
    chosen = set(confirmation.unseen(quick=False))
    looked_at = {day for every in (4, 8, 24) for day in Spread(test=every).family("test").days("test")}
    for case in cases(quick=False).values():
        if case.family.regions == TRAINED_ON[:1]:
            looked_at |= set(case.family.days("test"))
    assert len(chosen) == 72
    assert not chosen & looked_at


def test_the_confirmation_pairs_days_and_weeks():
    days = [f"2018-06-{day:02d}" for day in range(1, 29)]
    bound = np.linspace(100.0, 200.0, len(days))

    def runs(gap, count):
        return {"runs": [{"utility": (bound * (1 - gap)).tolist()}] * count}

    record = {"days": days, "bound": bound.tolist()}
    record["methods"] = {"cloned-refined": runs(0.01, 5), "greedy": runs(0.03, 1)}
    for found in confirmation.differences(record):
        assert found.low == pytest.approx(-2.0)
        assert found.high == pytest.approx(-2.0)
    assert confirmation.weeks(record["days"]) == 5


@pytest.mark.parametrize(
    ("better", "verdict"), [(0.05, "holds"), (-0.05, "fails"), (0.0, "fails"), (None, "undecided")]
)
def test_a_claim_holds_where_the_whole_interval_is_what_was_claimed(better, verdict):
    days = [f"2018-06-{day:02d}" for day in range(1, 29)]
    rng = np.random.default_rng(0)
    base = rng.uniform(0.7, 0.9, (5, 1)) + rng.normal(0, 0.01, (5, len(days)))
    # by how much a seed is better: the same for all, or another sign for each
    by_seed = np.array([-0.2, -0.1, 0.1, 0.1, 0.2]) if better is None else np.full(5, better)
    noise = 1e-4 * rng.normal(size=base.shape)
    cells = {
        name: {"runs": [{"utility": (100.0 * run).tolist()} for run in share]}
        for name, share in (("a", base + by_seed[:, None] + noise), ("b", base))
    }
    known = {"days": days, "bound": [100.0] * len(days), "all_off": [50.0] * len(days)}
    claim = Claim("a above b", "a", "b", low=0.01)
    assert verdict_of(claim, difference(claim, cells, known)) == verdict


def test_horizons_are_as_long_in_five_minute_slots_as_in_half_hours():
    for name, hours in (("booked", 1.0), ("day", 24.0)):
        usual, fine = (regimes.cell("sac", regime, name, 2, quick=True) for regime in ("S", "F"))
        assert [one.spread.family("test").slot_minutes for one in (usual, fine)] == [30, 5]
        for one, slot in ((usual, 0.5), (fine, 1 / 12)):
            assert one.training["gamma"] == pytest.approx(np.exp(-slot / hours), abs=1e-4)


@pytest.mark.parametrize(("regime", "slot_minutes"), [("S", 30), ("F", 5)])
def test_the_study_has_what_a_training_takes_by_itself(regime, slot_minutes):
    usual = read_plan(None, [f"family.slot_minutes={slot_minutes}"]).training
    measured = regimes.cell("sac", regime, "booked-now", 2, quick=True).training
    assert usual.gamma == pytest.approx(measured["gamma"], abs=3e-3)
    assert (usual.algo, usual.shaper) == (measured["algo"], measured["shaper"])


def test_the_confirmation_of_regimes_knows_its_cells():
    named = {cell.name for cell in regimes.cells(10, quick=False)}
    assert {name for claim in CLAIMS for name in (claim.ours, claim.than) if name} <= named


def test_the_confirmation_says_what_is_undecided_and_what_was_not_looked_at():
    days = [f"2018-06-{day:02d}" for day in range(1, 15)]
    made = {"machine": "m", "date": "d"}

    def cell(*shares):
        return {"runs": [{"utility": [100 * share] * len(days)} for share in shares], "made": made}

    cells = {
        "ppo-R2-none": cell(0.2, 0.2, 0.2),
        "ppo-R2-earned": cell(0.8, 0.8, 0.8),
        "ppo-R2-booked": cell(0.7, 0.8, 0.9),
    }
    known = {"days": days, "bound": [100.0] * len(days), "all_off": [50.0] * len(days)}
    assert "| PPO | R2: earned above none | 0.800 | 0.200 | +0.600 [+0.600, +0.600] | > 0 | holds |" in table(
        cells, known
    )
    assert "Not looked at yet: SAC, R5: earned above none (> 0)" in table(cells, known)
    [row] = summary(cells, known).splitlines()[2:]
    assert row.startswith("| PPO | 1 | R2: booked above earned (")
    assert row.endswith(" | – |")


def test_live_decisions_are_timed_slot_by_slot():
    day = sw.scenario("jemas", start=live.DAY)
    found = live.timed(day, 2)
    assert set(found) == {"decision", "slot", "horizon"}
    row = live.table({"3 sites": found}, {"machine": "m", "date": "d"}, 2).splitlines()[2]
    assert row.startswith(f"| 3 sites | {found['decision']:.0f} ms |")


@pytest.mark.parametrize("name", ["jemas", "reward-agent"])
@pytest.mark.parametrize("algo", ["sac", "ppo", "td3"])
def test_the_papers_shaper_adds_the_papers_amount(algo, name):
    """In units of reward: the training scales it with the reward (test_units.py), the study does not."""
    settings = regimes.cell(algo, "R2", name, 2, quick=True).training["shaping"]
    assert settings["weight"] == 0.4
    assert settings["update_every"] == (1 if algo == "ppo" else 2)
