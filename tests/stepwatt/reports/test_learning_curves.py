"""Learning curves: read from the logs of trainings without torch, drawn a line a seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from pages import figures_of

import stepwatt as sw
from stepwatt.cli import run

SEEDS = (3, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a training of two seeds leaves behind, its last line cut off by a kill."""
    place = tmp_path / "sac"
    place.mkdir()
    (place / "settings.json").write_text(json.dumps({"training": {"seeds": SEEDS}}), encoding="utf-8")
    lines: list[dict[str, Any]] = []
    for step in (0, 100, 200):
        lines.append({"kind": "evaluation", "env_steps": step, "metrics": {"utility": [step, 2 * step]}})
        paid = {"reward": [1.0, 2.0], "buffer/filled": 0.5}
        lines.append({"kind": "training", "env_steps": step + 50, "metrics": paid})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (place / "log.jsonl").write_text(text + '{"kind": "trai', encoding="utf-8")
    return place


def test_every_value_of_every_seed_is_a_row(folder: Path) -> None:
    table = sw.curves(folder).table
    assert len(table) == 12
    kept = table[(table["kind"] == "validation") & (table["seed"] == 5)]
    assert dict(zip(kept["env_steps"], kept["value"], strict=True)) == {0: 0, 100: 200, 200: 400}


def test_the_last_validation_of_every_seed(folder: Path) -> None:
    last = sw.curves(folder).last
    assert last["utility"].tolist() == [200, 400]
    assert last["env_steps"].tolist() == [250, 250]
    assert "400" in sw.curves(folder)._repr_html_()
    assert repr(sw.curves(folder)) == "<Curves of sac (2 seeds)>"


def test_a_line_a_seed_for_validation_and_for_training(folder: Path) -> None:
    figure = sw.curves(folder).plot()
    assert isinstance(figure, go.Figure)
    assert [list(trace.y) for trace in figure.data] == [[0, 100, 200], [0, 200, 400], [1.0] * 3, [2.0] * 3]


def test_the_command_draws_a_page_and_prints_the_last_values(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "curves.html"
    assert run(["curves", str(folder), "--out", str(target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["utility"] for row in told["last"]] == [200, 400]
    drawn = figures_of(target.read_text(encoding="utf-8"))
    assert len(drawn["s0-o-curves"]["data"]) == 4
    assert run(["curves", str(folder), "--out", str(tmp_path / "curves.csv")]) == 0
    assert len((tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()) == 13


def test_a_report_shows_the_curves_that_it_is_given(folder: Path) -> None:
    inst = sw.scenario("jemas", n_slots=2)
    target = folder / "report.html"
    sw.compare(inst, {"greedy": "greedy"}, bound="lp").to_html(target, curves=sw.curves(folder))
    assert "s0-o-curves" in figures_of(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "no json\n",
        "[]\n",
        '{"kind": "other", "env_steps": 1, "metrics": {}}\n',
        '{"kind": "training", "env_steps": 1, "metrics": {"reward": ["much"]}}\n',
    ],
)
def test_what_is_no_log_is_told_in_a_line(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "log.jsonl").write_text(text, encoding="utf-8")
    assert run(["curves", str(folder)]) == 2
    assert "expected the log of a training" in capsys.readouterr().err


def test_tensorboard_needs_a_folder() -> None:
    with pytest.raises(sw.InputError, match="out = None"):
        sw.train(tensorboard=True)


def test_a_folder_without_a_log_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["curves", str(tmp_path)]) == 2
    assert "(missing)" in capsys.readouterr().err
