"""What prompts, notebooks and terminals show: headlines, figures, labelled arrays, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from clocks import HeldClock

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.console import told_progress


@pytest.fixture(scope="module")
def day() -> sw.Instance:
    data = sw.scenario("jemas", n_slots=6).to_dict()
    return sw.Instance.from_dict(data | {"name": "a <day>", "currency": "EUR"})


def test_every_object_fits_on_a_line_or_two(day: sw.Instance) -> None:
    best = sw.solve(day)
    compared = sw.compare(day, {"best": best, "greedy": "greedy"})
    for thing in (day, best, best.schedule, best.evaluation, best.prices, compared):
        told = repr(thing)
        assert len(told) < 250, told
        assert "array(" not in told
        assert str(thing) == told


def test_a_result_names_method_status_utility_bound_and_gap(day: sw.Instance) -> None:
    best = sw.solve(day)
    assert best.bound is not None
    assert best.utility is not None
    told = repr(best)
    for part in ("oracle", "optimal", f"{best.utility:,.2f} EUR", f"bound {best.bound:,.2f}", "gap"):
        assert part in told
    assert "breaks" in repr(sw.solve(day, "lp"))
    idle = sw.evaluate(day, sw.Schedule.idle(day.arrays()))
    assert "feasible" in repr(idle) or "breaks temperature" in repr(idle)


def test_notebooks_show_tables_in_which_names_are_text(day: sw.Instance) -> None:
    best = sw.solve(day)
    shown = best._repr_html_()
    assert "<table>" in shown
    assert "a &lt;day&gt;" in shown
    assert "revenue" in shown
    assert "greedy" in sw.compare(day, {"best": best, "greedy": "greedy"})._repr_html_()


def test_what_is_computed_can_be_drawn(day: sw.Instance) -> None:
    best = sw.solve(day)
    compared = sw.compare(day, {"best": best, "greedy": "greedy"})
    prices = pd.Series([1.0, 3.0], index=pd.date_range("2025-01-01", periods=2, freq="h", tz="Europe/Oslo"))
    for figure in (
        sw.plot(best),
        sw.plot(best, figure="charge"),
        sw.plot(day),
        sw.plot(day, best.schedule, figure="jobs"),
        sw.plot(compared, figure="money"),
        compared.plot(),
        sw.plot(prices),
    ):
        assert isinstance(figure, go.Figure)
        assert figure.data
    assert list(sw.plot(prices).data[0].x) == ["2025-01-01 00:00:00", "2025-01-01 01:00:00"]


def test_things_draw_themselves_as_plot_draws_them(day: sw.Instance) -> None:
    best = sw.solve(day)
    assert best.schedule is not None
    front = sw.pareto(day, points=2)
    for own, same in (
        (best.plot(), sw.plot(best)),
        (best.plot("charge"), sw.plot(best, figure="charge")),
        (day.plot(), sw.plot(day)),
        (best.schedule.plot(day, "jobs"), sw.plot(day, best.schedule, figure="jobs")),
    ):
        assert own == same
        assert own.data
    assert front.plot().data == sw.plot(front).data != ()
    assert best.to_xarray().identical(sw.to_xarray(best))
    assert best.schedule.to_xarray(day).identical(best.to_xarray())


def test_without_an_installed_face_one_line_says_so(
    day: sw.Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwatt.formulation.showing.GROUP", "stepwatt.nobody")
    with pytest.raises(sw.InputError, match=r"plot = '\(missing\)': expected stepwatt installed by pip"):
        day.plot()


@pytest.mark.parametrize(
    ("what", "named", "told"),
    [("text", {}, "what = 'str'"), ("day", {"figure": "gaps"}, "figure = 'gaps'")],
)
def test_what_cannot_be_drawn_is_told(day: sw.Instance, what: str, named: Any, told: str) -> None:
    with pytest.raises(sw.InputError, match=told):
        sw.plot({"day": day}.get(what, what), **named)
    best = sw.solve(day, "greedy")
    with pytest.raises(sw.InputError, match=r"figure = 'other': expected one of .*dispatch"):
        sw.plot(best, figure="other")


def test_a_schedule_as_labelled_arrays(day: sw.Instance) -> None:
    best = sw.solve(day)
    assert best.schedule is not None
    found = sw.to_xarray(best)
    assert dict(found.sizes) | {"option": 0} == {
        "slot": 6, "site": 3, "origin": 3, "job_class": 3, "option": 0
    }  # fmt: skip
    assert float(found.transfers.sum()) == pytest.approx(best.schedule.transfers.sum())
    at = found.runs.where(found.option_site == "DE", drop=True).sum()
    a = day.arrays()
    assert float(at) == pytest.approx(best.schedule.runs[a.options.site == a.sites.index("DE")].sum())
    assert found.attrs["currency"] == "EUR"
    same = sw.to_xarray(day, best.schedule)
    assert same.identical(found)


def test_a_comparison_as_labelled_arrays(day: sw.Instance) -> None:
    compared = sw.compare([day, day], {"greedy": "greedy", "random": sw.Seeds(["random"] * 2)}, bound="lp")
    found = compared.to_xarray()
    assert dict(found.sizes) == {"instance": 2, "policy": 2, "seed": 2}
    rows = compared.results.set_index(["number", "policy", "seed"])["utility"]
    assert float(found.utility.isel(instance=0).sel(policy="random", seed=1)) == rows[0, "random", 1]
    assert np.isnan(found.utility.sel(policy="greedy", seed=1)).all()


class Kernel:
    """What IPython gives in a notebook."""

    kernel = True


@pytest.mark.parametrize("waits", [True, False])
def test_progress_is_shown_in_a_notebook_and_not_in_a_script(
    waits: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    day = sw.scenario("jemas", n_slots=1, slot_minutes=60)
    if waits:
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=Kernel))
    monkeypatch.setattr("stepwatt.solving.PATIENCE", 0.0)  # a solve of one slot is no long one
    nothing_done = sw.solve(day, "all-off", progress=False)
    shown: dict[str, Callable[..., Any]] = {
        "compare": lambda **named: sw.compare(day, {"greedy": "greedy"}, bound="lp", **named),
        "solve": lambda **named: sw.solve(day, gap=1e-2, **named),
        "levers": lambda **named: sw.levers(day, gap=1e-2, **named),
        "what-if": lambda **named: sw.what_if(day, {"more": {"sites.DE.gpus": 400}}, gap=1e-2, **named),
        "pareto": lambda **named: sw.pareto(day, points=2, gap=1e-2, **named),
        "expansion": lambda **named: sw.expansion(day, costs={"gpus": 100.0}, gap=1e-2, **named),
        "where-lost": lambda **named: sw.where_lost(day, nothing_done, gap=1e-2, **named),
        "solve-many": lambda **named: sw.solve_many([day, day], "lp", processes=1, **named),
    }
    for title, work in shown.items():
        work()
        assert (f"{title}:   0 %" in capsys.readouterr().err) is waits, title
        work(progress=False)
        assert capsys.readouterr().err == "", title
        told: list[float] = []
        work(progress=lambda done, what, told=told: told.append(done))
        assert capsys.readouterr().err == "", title
        assert told == sorted(told) != [], title


def test_work_that_is_not_long_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=Kernel))
    clock = HeldClock()
    with told_progress("solve", None, after=2.0, clock=clock) as told:
        told(0.1, "soon")
        assert capsys.readouterr().err == ""
        clock.now = 2.0
        told(0.5, "later")
        assert "solve:  50 % later" in capsys.readouterr().err
    with told_progress("solve", None, after=2.0, clock=clock) as told:
        told(0.9, "soon")
    assert capsys.readouterr().err == "\n"  # of the first


def test_progress_that_is_none_is_told(day: sw.Instance) -> None:
    with pytest.raises(sw.InputError, match=r"progress = True: expected a function"):
        sw.levers(day, progress=True)  # type: ignore[arg-type]


def test_quiet_commands_tell_errors_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "day.json")
    words = ["scenario", "jemas", "--slots", "2", "--out", target]
    assert run(words) == 0
    assert "wrote" in capsys.readouterr().err
    assert run([*words, "--quiet"]) == 0
    assert run(["solve", target, "--method", "greedy", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["solve", target, "--method", "other", "--quiet"]) == 2
    assert "method" in capsys.readouterr().err
    assert run(words) == 0
    assert "wrote" in capsys.readouterr().err
