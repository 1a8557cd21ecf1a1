"""quality fit: curves that generated the points are found again; published fits are met."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import SHARED
from pydantic import TypeAdapter

from stepwatt.cli import run
from stepwatt.data import IMPORTERS
from stepwatt.data.importers.quality_fit import fit_quality
from stepwatt.formulation import InputError
from stepwatt.formulation.instance.curves import Curve

STEPS = np.array([4, 6, 10, 14, 20, 28, 36, 50.0])
PUBLISHED = SHARED / "data"
CURVES = [
    {"kind": "exponential", "ceiling": 0.9, "span": 0.7, "rate": 0.11},
    {"kind": "power", "ceiling": 1.0, "span": 1.4, "rate": 0.8},
    {"kind": "logarithmic", "offset": 0.1, "gain": 0.2},
    {"kind": "sigmoid", "floor": -0.2, "span": 0.98, "rate": 0.15, "midpoint": 12.0},
]


@pytest.mark.parametrize("given", CURVES, ids=lambda curve: str(curve["kind"]))
def test_the_curve_that_made_the_points_is_found_again(given: dict[str, object]) -> None:
    quality = TypeAdapter(Curve).validate_python(given).raw(STEPS)
    best = fit_quality(STEPS, quality)[0]
    assert best.kind == given["kind"]
    assert best.parameters == pytest.approx({k: v for k, v in given.items() if k != "kind"}, rel=1e-3)
    assert best.r2 == pytest.approx(1)


@pytest.mark.parametrize("given", CURVES, ids=lambda curve: str(curve["kind"]))
def test_every_fit_is_a_curve_that_an_instance_accepts(given: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    quality = TypeAdapter(Curve).validate_python(given)(STEPS) + rng.normal(0, 0.02, len(STEPS))
    fits = fit_quality(STEPS, quality)
    assert {fit.kind for fit in fits} == {"exponential", "power", "logarithmic", "sigmoid"}
    assert [fit.rmse for fit in fits] == sorted(fit.rmse for fit in fits)
    for fit in fits:
        error = TypeAdapter(Curve).validate_python(fit.quality).raw(STEPS) - quality
        assert np.sqrt((error**2).mean()) == pytest.approx(fit.rmse, rel=1e-6)


def test_falling_and_flat_points_give_flat_curves() -> None:
    for quality in (np.linspace(0.9, 0.3, 8), np.full(8, 0.5)):
        for fit in fit_quality(STEPS, quality):
            curve = TypeAdapter(Curve).validate_python(fit.quality)
            assert curve.raw(STEPS) == pytest.approx(np.full(8, quality.mean()))


def test_published_exponential_fits_are_met() -> None:
    if not (PUBLISHED / "aigc_quality_fits.csv").exists():
        pytest.skip("the published fits are not beside this checkout")
    points: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    with (PUBLISHED / "aigc_quality_vs_steps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points[row["model"], row["solver"], row["metric"]].append(
                (float(row["steps"]), float(row["value"]))
            )
    with (PUBLISHED / "aigc_quality_fits.csv").open(encoding="utf-8") as file:
        fits = list(csv.DictReader(file))
    assert fits
    for row in fits:
        steps, distance = zip(*points[row["model"], row["solver"], row["metric"]], strict=True)
        found = {fit.kind: fit for fit in fit_quality(steps, -np.array(distance))}
        for kind, prefix in (("exponential", "exp"), ("power", "pow")):
            # published with a + b·exp(−c·n) for a distance, which is ours upside down
            assert found[kind].rmse == pytest.approx(float(row[f"{prefix}_rmse"]), rel=1e-3)
            assert found[kind].parameters["ceiling"] == pytest.approx(-float(row[f"{prefix}_a"]), rel=1e-3)
            assert found[kind].parameters["rate"] == pytest.approx(float(row[f"{prefix}_c"]), rel=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file = 'no points'"),
        ("steps,quality\n", "file = 'no points'"),
        ("steps,fid\n4,1\n", "quality = 'columns steps, fid'"),
        ("steps,quality\n4,high\n", "quality[0] = 'high'"),
        ("steps,quality\n4,nan\n", "quality[0] = 'nan'"),
        ("steps,quality\n4\n", "quality[0] = None"),
        ("steps,quality,quality\n4,0.5,0.6\n", "quality = 'columns steps, quality, quality'"),
        ("steps,quality\n4,0.5\n", "at least two different step counts"),
        ("steps,quality\n0,0.5\n4,0.6\n", "steps = 0.0"),
        ("steps,quality\n4,50\n8,90\n", "rescale with --worst and --best"),
    ],
)
def test_bad_points_are_told_in_one_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text, encoding="utf-8")
    assert run(["quality", "fit", str(path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert str(path) in told.err
    assert told.err.count("\n") == 1


def test_printed_quality_can_be_pasted_into_an_instance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.csv"
    rows = [f"{steps:g},{100 - 90 * (1 - np.exp(-0.1 * steps))}" for steps in STEPS]
    path.write_text("steps,quality\n" + "\n".join(rows), encoding="utf-8")
    command = ["quality", "fit", str(path), "--worst", "100", "--best", "10"]
    assert run(command) == 0
    pasted = json.loads("{" + capsys.readouterr().out.splitlines()[-1] + "}")
    curve = TypeAdapter(Curve).validate_python(pasted["quality"]["default"])
    assert curve(10) == pytest.approx(1 - np.exp(-1), abs=1e-4)
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["quality"] == pasted["quality"]


def test_reading_points_accepts_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("model,steps,quality\nx,4,0.5\nx,8,0.75\n", encoding="utf-8")
    assert IMPORTERS["quality-points"].read(path) == ([4.0, 8.0], [0.5, 0.75])


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match="quality"):
        fit_quality([4, 8], [0.5])


@pytest.mark.parametrize("given", [["a", "b", "c"], [1j, 2, 3], None, [[1], [2, 3]]])
def test_what_is_no_numbers_is_told_in_one_line(given: Any) -> None:
    for pair in ((given, [0.1, 0.2, 0.3]), ([1, 2, 3], given)):
        with pytest.raises(InputError, match="expected an array of numbers"):
            fit_quality(*pair)
