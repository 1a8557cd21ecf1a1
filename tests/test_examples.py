"""Every worked example runs as its page says, and what it claims holds."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from places import ROOT

import stepwatt as sw

FOLDER = ROOT / "docs" / "examples"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/run.py"))
Names = dict[str, Any]


def certified(result: sw.Result, gap: float = 1e-4) -> None:
    assert result.status == "optimal"
    assert result.evaluation is not None
    assert result.evaluation.feasible
    assert result.gap is not None
    assert -1e-9 <= result.gap <= gap


def rows_below(table: pd.DataFrame, best: str) -> None:
    """Every row is feasible and earns less than the best one."""
    assert (table.infeasible == 0).all()
    assert (table.utility.drop(best) < table.utility[best]).all()
    assert (table.gap.dropna() >= -1e-9).all()


def norway(ran: Names) -> None:
    month, whole = ran["month"], ran["whole"]
    certified(whole)
    rows_below(ran["table"], "the month at once")
    carried = ran["carried"]
    for day in carried:
        certified(day)
    judged = sw.evaluate(month, ran["joined"](carried))
    assert judged.feasible
    # days one after the other book what the month books, term by term, and end with the month's peak
    for term, value in judged.breakdown.items():
        total = sum(day.evaluation.breakdown[term] for day in carried)
        assert total == pytest.approx(value, rel=1e-6, abs=1e-5), term
    np.testing.assert_allclose(carried[-1].evaluation.peak_mw, judged.peak_mw, rtol=1e-9)
    peaks = np.array([day.evaluation.peak_mw for day in carried])
    assert (np.diff(peaks, axis=0) >= 0).all()
    assert carried[1].instance.sites["oslo"].grid.peak_so_far_mw == peaks[0, 0]
    earned = ran["table"].utility
    forgotten, kept, aimed = earned[["days, peak forgotten", "days, peak carried", "days, peak aimed at"]]
    assert forgotten < kept < earned["today: 30 steps"] < aimed
    assert {site.cooling.kind for site in month.sites.values()} == {"pue", "thermal"}


def texas(ran: Names) -> None:
    for result in ran["worth"].results.values():
        certified(result)
    rows_below(ran["table"], "oracle")
    without = ran["worth"].table.loc["no generator"]
    assert without.low <= without.high < -1000
    assert ran["price"].max() > 2000
    dear, on = ran["price"].to_numpy() > 85, ran["best"].schedule.generator_mw[0] > 0
    assert on.any()
    assert dear[on].all()


def llm(ran: Names) -> None:
    certified(ran["best"])
    rows_below(ran["table"], "oracle")
    day = ran["day"]
    assert day.models["chat"].steps == [round(ran["log"].attrs["steps"]["jobs"]["mean"])]
    assert ran["thinking"][0] > 2 * ran["thinking"][5]
    worth = ran["levers"].low
    assert worth.transfer > worth.steps > worth.deferral > worth.clocks > 0


def video(ran: Names) -> None:
    for result in ran["worth"].results.values():
        certified(result, ran["GAP"])
    rows_below(ran["table"], "oracle")
    worth = ran["worth"].table
    assert worth.high["no sun, no wind"] < worth.low["films at once"]
    assert worth.high["films at once"] < worth.low["no link"] < 0
    jobs = ran["best"].schedule.runs
    assert (jobs == np.round(jobs)).all()


def digits(ran: Names) -> None:
    for plan in ran["plans"].values():
        certified(plan)
    rows_below(ran["today"], "measured")
    means, judged = ran["means"], ran["judged"]
    assert all(evaluation.feasible for evaluation in judged.values())
    paid = {name: evaluation.utility for name, evaluation in judged.items()}
    assert paid["assumed"] < paid["fitted"] < paid["measured"]
    assert means["small"].idxmax() == 6
    assert means["small"][6] - means["small"][42] > 0.08
    assert ran["fits"]["small"].r2 < 0.95 < min(ran["fits"][size].r2 for size in ("middle", "large"))
    page = (FOLDER / "digits" / "README.md").read_text(encoding="utf-8")
    for size, curve in means.items():
        told = re.search(rf"^\| {size} \|(.*)\|$", page, re.MULTILINE)
        assert told is not None
        assert [float(cell.strip(" *")) for cell in told[1].split("|")] == curve.round(3).to_list()


CLAIMS: dict[str, Callable[[Names], None]] = {
    "digits": digits,
    "llm": llm,
    "norway": norway,
    "texas": texas,
    "video": video,
}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_and_what_it_claims_holds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = runpy.run_path(str(FOLDER / name / "run.py"), run_name="__main__")
    printed = capsys.readouterr().out
    CLAIMS[name](ran)
    page = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert not_printed(page, printed) == []
    assert not_printed(page + "\n| a | b |\n|---|---|\n| wrong | 12,345.6 |\n", printed) == ["12,345.6"]


#: A number as pages write it, and what stands behind it if that is a percent sign.
NUMBER = re.compile(r"([-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+))( ?%)?")


def not_printed(page: str, printed: str) -> list[str]:
    """Figures of a page's tables, and the long ones of its answer, that the script does not print.

    As many digits as the page has, up to the gap to which optima are certified.
    """
    lines = page.splitlines()
    ruled = {number for number, line in enumerate(lines) if line.startswith(("|--", "| --"))}
    cells = [
        cell
        for number, line in enumerate(lines)
        if line.startswith("|") and number not in ruled and number + 1 not in ruled
        for cell in line.strip("|").split("|")[1:]
    ]
    (answer,) = re.findall(r"^\*\*Answer\.\*\*.*?(?=\n\n)", page, re.DOTALL | re.MULTILINE)
    long = [match for match in NUMBER.finditer(answer) if len(re.sub(r"\D", "", match[1])) > 2]
    told = [match for cell in cells for match in NUMBER.finditer(cell)] + long
    known = [_value(match[1]) for match in NUMBER.finditer(printed)]
    known += [abs(value) for value in known] + [100 * value for value in known]
    return [match[0] for match in told if not any(_close(match[1], value) for value in known)]


def _value(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def _close(text: str, value: float) -> bool:
    decimals = len(text.partition(".")[2])
    own = _value(text)
    return abs(own - value) <= 0.5 * 10**-decimals + 1e-4 * abs(own) + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_its_page_has_command_date_and_the_origin_of_small_files(name: str) -> None:
    page = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert f"python docs/examples/{name}/run.py" in page
    assert "made up" in page
    assert re.search(r"cores, \d{4}-\d\d-\d\d", page)
    for index in ("index.md", "own-data.md"):
        assert f"(examples/{name}/README.md)" in (ROOT / "docs" / index).read_text(encoding="utf-8")
    for path in (FOLDER / name).iterdir():
        assert path.name == "__pycache__" or path.stat().st_size < 20_000, path.name


def test_measuring_digits_writes_points_that_can_be_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of training: that the program runs, not that its pictures are good."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    measure = FOLDER / "digits" / "measure.py"
    words = ["--seeds", "1", "--training", "2", "--pictures", "50", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(measure), *words])
    runpy.run_path(str(measure), run_name="__main__")
    for size in ("small", "middle", "large"):
        points = pd.read_csv(tmp_path / f"{size}.csv")
        assert list(points) == list(pd.read_csv(measure.with_name(f"{size}.csv")))
        assert sw.fit_quality(points.steps, points.quality)
