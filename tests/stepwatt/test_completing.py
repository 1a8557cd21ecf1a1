"""A schedule from elsewhere: jobs by slot in a CSV, completed by the plant and judged."""

from __future__ import annotations

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.cli import run
from tests.support import tiny
from tests.support.strategies import random_instance


def written(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_jobs_by_slot_are_powered_from_sun_and_grid(tmp_path):
    inst = tiny.two_sites()
    plan = written(
        tmp_path / "plan.csv", "slot,site,class,origin,jobs", "0,a,k,a,6", "0,b,k,b,4", "0,b,k,a,6"
    )
    completion = sw.complete(inst, plan)
    assert completion.cut == ()
    assert completion.evaluation.feasible
    assert completion.evaluation.utility == pytest.approx(87.0)  # the optimum, by hand


def test_where_the_origin_is_open_a_site_runs_its_own_jobs_first(tmp_path):
    plan = written(
        tmp_path / "plan.csv", "time;site;class;jobs", "2024-03-01T00:00;b;k;10", "2024-03-01;a;k;6"
    )
    assert sw.complete(tiny.two_sites(), plan).evaluation.utility == pytest.approx(87.0)


def test_what_cannot_be_carried_out_is_told(tmp_path):
    plan = written(tmp_path / "plan.csv", "slot,site,class,jobs", "0,a,k,12", "0,b,k,9")
    completion = sw.complete(tiny.two_sites(), plan)
    assert completion.evaluation.feasible
    assert completion.cut == (
        "slot 0, a, k: 10 of 12 jobs run: GPU time, links, power or cooling do not suffice",
        "slot 0, b, k: 4 of 9 jobs run: only 4 wait then",
    )


def test_a_schedule_of_the_optimum_is_carried_out_whole():
    best = sw.solve(tiny.battery())
    completion = sw.complete(best.instance, best.schedule)
    assert completion.cut == ()
    assert completion.evaluation.utility == pytest.approx(526.0)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["slot,site,jobs", "0,a,1"], "columns = 'slot, site, jobs': expected a column class, too"),
        (["slot,site,class,jobs", "0,c,k,1"], "row 2.site = 'c': expected one of a, b"),
        (["slot,site,class,jobs", "0,a,k,1.5"], "row 2.jobs = '1.5': expected a whole number of jobs"),
        (["slot,site,class,jobs", "1,a,k,1"], "row 2.slot = '1': expected a slot between 0 and 0"),
        (["slot,site,class,jobs,steps", "0,a,k,1,30"], "row 2.steps = '30': expected one that the instance"),
        (["time,site,class,jobs", "noon,a,k,1"], "row 2.time = 'noon': expected the start of a slot"),
    ],
)
def test_bad_rows_are_one_line(tmp_path, lines, told):
    with pytest.raises(sw.InputError) as refused:
        sw.complete(tiny.two_sites(), written(tmp_path / "plan.csv", *lines))
    assert told in str(refused.value)


def test_steps_must_be_said_where_there_is_a_choice(tmp_path):
    plan = written(tmp_path / "plan.csv", "slot,site,class,jobs", "0,a,k,4")
    with pytest.raises(sw.InputError, match=r"row 2\.steps = '\(not said\)': expected one of 10, 20"):
        sw.complete(tiny.one_slot(), plan)


def test_an_operator_with_a_csv_needs_one_command(tmp_path, capsys):
    """The third walk: instance and CSV are there; one command judges, and tells what was cut."""
    tiny.two_sites().save(tmp_path / "day.json")
    plan = written(tmp_path / "plan.csv", "slot,site,class,jobs", "0,a,k,12", "0,b,k,4")
    assert run(["evaluate", str(tmp_path / "day.json"), str(plan)]) == 0
    out, err = capsys.readouterr()
    assert "utility" in out
    assert "not carried out: slot 0, a, k: 10 of 12 jobs run" in err


@pytest.mark.parametrize("seed", range(4))
def test_optima_with_every_kind_of_part_are_carried_out_whole(seed):
    """Fluid jobs, generators, links, rooms, batteries: what the optimum decides, the plant does."""
    features = ["fluid", "generator", "link", "thermal", "battery", "deadline"]
    inst = random_instance(np.random.default_rng(seed), n_slots=4, n_sites=2, features=features)
    best = sw.solve(inst, gap=1e-6)
    completion = sw.complete(inst, best.schedule)
    assert completion.cut == ()
    assert completion.evaluation.feasible
    assert completion.evaluation.utility == pytest.approx(best.utility, rel=1e-6, abs=1e-6)


def linked():
    """:func:`tiny.two_sites` where two jobs of 1 GB an hour may go from a to b."""
    file = tiny.two_sites().to_dict()
    return sw.Instance.from_dict(file | {"link_gb_per_hour": {"a": {"b": 2.0}}})


def test_what_a_link_cannot_carry_is_told(tmp_path):
    plan = written(tmp_path / "plan.csv", "slot,site,class,origin,jobs", "0,b,k,b,4", "0,b,k,a,6")
    completion = sw.complete(linked(), plan)
    assert completion.evaluation.feasible
    assert completion.schedule.transfers[0, 1].sum() == 2
    assert completion.cut == (
        "slot 0, b, k: 6 of 10 jobs run: GPU time, links, power or cooling do not suffice",
    )


def test_fluid_jobs_may_be_parts_of_jobs(tmp_path):
    inst = sw.Instance.from_dict(tiny.two_sites().to_dict() | {"integral_jobs": False})
    plan = written(tmp_path / "plan.csv", "slot,site,class,jobs", "0,a,k,1.5", "0,b,k,0.25")
    completion = sw.complete(inst, plan)
    assert completion.cut == ()
    assert completion.schedule.runs.sum() == pytest.approx(1.75)


def on_the_day(date, hours):
    """One job an hour, from local midnight to local midnight in Berlin."""
    inst = tiny.instance(
        {"a": tiny.site([20.0] * hours)},
        {"a": [1] * hours},
        steps={10: 5.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
    )
    return sw.Instance.from_dict(inst.to_dict() | {"start": f"{date}T00:00", "timezone": "Europe/Berlin"})


def test_days_that_are_longer_or_shorter_are_filled_by_the_clock_on_the_wall(tmp_path):
    spring, autumn = on_the_day("2025-03-30", 23), on_the_day("2025-10-26", 25)
    plan = written(tmp_path / "plan.csv", "time,site,class,jobs", "2025-03-30T03:00,a,k,1")
    assert sw.complete(spring, plan).schedule.runs[0].nonzero()[0].tolist() == [2]
    twice = [f"2025-10-26T02:00{offset},a,k,1" for offset in ("+02:00", "+01:00")]
    plan = written(tmp_path / "plan.csv", "time,site,class,jobs", *twice, "2025-10-26T23:00,a,k,1")
    assert sw.complete(autumn, plan).schedule.runs[0].nonzero()[0].tolist() == [2, 3, 24]
    for inst, time in ((spring, "2025-03-30T02:00"), (autumn, "2025-10-26T02:00")):
        plan = written(tmp_path / "plan.csv", "time,site,class,jobs", f"{time},a,k,1")
        with pytest.raises(sw.InputError, match="the clock shows this one twice, or never"):
            sw.complete(inst, plan)


def test_the_completed_schedule_is_written(tmp_path, capsys):
    inst, out = tiny.two_sites(), tmp_path / "new" / "plan.json"
    inst.save(tmp_path / "day.json")
    plan = written(tmp_path / "plan.csv", "slot,site,class,jobs", "0,a,k,6", "0,b,k,4")
    assert run(["evaluate", str(tmp_path / "day.json"), str(plan), "--out", str(out)]) == 0
    assert f"wrote {out}" in capsys.readouterr().err
    kept, made = sw.load_schedule(inst, out), sw.complete(inst, plan).schedule
    np.testing.assert_array_equal(kept.runs, made.runs)
    np.testing.assert_allclose(kept.import_mw, made.import_mw)
    assert run(["evaluate", str(tmp_path / "day.json"), str(out)]) == 0
