"""The catalogue: every number has unit, source and evidence; energy above idle is derived, not typed in."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from stepwatt.data import catalogue_table, load_catalogue
from stepwatt.data.catalogue import EVIDENCE

BOOK = load_catalogue()
PUBLISHED = [
    "sd-2.1",
    "sdxl-base",
    "pixart-sigma",
    "sana-1.6b",
    "sd-3.5-medium",
    "sd-3.5-large",
    "flux.1-dev",
    "flux.1-schnell",
    "sana-sprint-1.6b",
]


def test_every_number_has_a_unit_a_source_and_an_evidence_tag() -> None:
    table = catalogue_table()
    assert set(table["evidence"]) <= set(EVIDENCE)
    assert (table["unit"].str.len() > 0).all()
    assert (table["source"].str.len() > 10).all()
    assert np.isfinite(table["value"].astype(float)).all()
    assert not table.duplicated(["group", "name", "quantity"]).any()


def test_what_the_scenario_is_made_of_is_all_in_the_table() -> None:
    table = catalogue_table()
    assert set(table["group"]) == {
        *("gpu", "server", "model", "jemas model", "clock", "class", "constant", "technology")
    }
    assert set(table.query("group == 'model'")["name"]) == set(PUBLISHED)
    assert set(table.query("group == 'clock'")["name"]) == {"eco", "base", "boost"}
    assert set(table.query("group == 'class'")["name"]) == {"urgent", "normal", "flexible"}


def test_measured_figures_predict_the_independent_25_step_runs() -> None:
    """ML.ENERGY, A100-40GB, 25 steps: SD 2.1 1.20 s and 432 J, SDXL 2.86 s and 1104 J."""
    for name, seconds, joules in (("sd-2.1", 1.20, 432), ("sdxl-base", 2.86, 1104)):
        model = BOOK.models[name]
        assert model.seconds_fixed.value + 25 * model.seconds_per_step.value == pytest.approx(
            seconds, rel=0.03
        )
        measured = model.joules_fixed_measured.value + 25 * model.joules_per_step_measured.value
        assert measured == pytest.approx(joules, rel=0.03)


def test_energy_above_idle_is_measured_energy_less_the_idle_draw_of_the_same_seconds() -> None:
    sd21 = BOOK.models["sd-2.1"]
    assert sd21.joules_per_step.value == pytest.approx(17.0 - 46 * 0.0425)
    assert sd21.joules_fixed.value == pytest.approx(19 - 46 * 0.165)
    for model in (*BOOK.models.values(), *BOOK.jemas_models.values()):
        assert 0 < model.joules_per_step.value < model.joules_per_step_measured.value
        assert 0 < model.joules_fixed.value < model.joules_fixed_measured.value


def test_a_derived_number_is_no_better_known_than_its_weakest_part() -> None:
    assert BOOK.models["sd-2.1"].joules_per_step.evidence == "fitted"
    assert BOOK.gpus["H100-SXM"].idle_watts.evidence == "from memory"
    assert BOOK.models["sd-3.5-large"].joules_per_step.evidence == "from memory"
    assert BOOK.models["sd-3.5-large"].joules_fixed.evidence == "assumed"


def test_no_model_draws_more_than_its_gpu_can() -> None:
    for model in (*BOOK.models.values(), *BOOK.jemas_models.values()):
        watts = model.joules_per_step_measured.value / model.seconds_per_step.value
        assert model.gpu.idle_watts.value < watts < model.gpu.max_watts.value * 1.02, model.name


def test_distilled_models_have_few_steps_and_a_table_of_quality() -> None:
    schnell = BOOK.models["flux.1-schnell"]
    assert schnell.steps == (1, 2, 4)
    assert schnell.quality.to_dict() == {
        "kind": "tabulated",
        "steps": [1, 2, 4],
        "values": [0.69, 0.71, 0.71],
    }


def test_the_scenarios_models_have_the_ten_step_counts() -> None:
    assert {model.steps for model in BOOK.jemas_models.values()} == {(6, 10, 14, 18, 22, 26, 30, 34, 38, 42)}


def test_the_table_command_prints_the_same_numbers() -> None:
    run = subprocess.run([sys.executable, "-m", "stepwatt.data"], capture_output=True, text=True, check=True)
    printed = pd.read_csv(StringIO(run.stdout))
    pd.testing.assert_frame_equal(printed, catalogue_table(), check_dtype=False)
