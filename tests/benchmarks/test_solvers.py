"""The benchmark of the solvers on its smallest size, and the pieces it judges with."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from benchmarks.solvers.__main__ import main
from benchmarks.solvers.cases import Case
from benchmarks.solvers.kinds import same_matrices
from benchmarks.solvers.parts import compare as part_compare
from benchmarks.solvers.reporting import figures
from benchmarks.solvers.reporting.fit import power_law
from benchmarks.solvers.reporting.report import into_docs
from benchmarks.solvers.runner import Cell, last_words, load_records, run_cells

ROUTES = ("raw", "ours", "linopy", "pyomo")


def test_the_quick_path_measures_resumes_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--profile", "tiny", "--part", "compare", "--time-limit", "0.3", "--out", str(tmp_path)]
    assert main(words) == 0
    records = load_records(tmp_path / "cells.jsonl")
    assert {r["status"] for r in records.values()} == {"ok"}
    routes = {r["options"]["route"]: r for r in records.values() if r["part"] == "compare"}
    linopy = importlib.util.find_spec("linopy") is not None
    assert set(routes) == set(ROUTES) - (set() if linopy else {"linopy"})
    for record in routes.values():
        assert record["values"]["solve"] > 0
        assert record["peak_mb"] >= record["imported_mb"] > 0
    report = (tmp_path / "report.md").read_text()
    assert "python -m benchmarks.solvers --profile tiny" in report
    assert "Void" not in report
    assert json.loads((tmp_path / "summary.json").read_text())["void"] == []
    monkeypatch.setattr(figures, "compare", lambda *_: False)
    before = (tmp_path / "cells.jsonl").read_bytes()
    assert main(words) == 0
    assert (tmp_path / "cells.jsonl").read_bytes() == before


def _record(route: str, **values: Any) -> dict[str, Any]:
    plain = {"objective": 10.0, "utility": 10.0, "bound": 10.0, "excess": 0.0, "status": "optimal"}
    case = {"name": "c", "start": "s", "sites": 3, "n_slots": 3}
    return {"case": case, "options": {"route": route}, "status": "ok", "values": {**plain, **values}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, None),
        ({"utility": 9.9, "objective": 9.9}, None),
        ({"objective": 10.1}, "claims"),
        ({"objective": 9.9}, "claims"),
        ({"objective": 9.9, "status": "time_limit"}, None),
        ({"utility": 10.1, "objective": 10.1}, "above the bound"),
        ({"excess": 3.0}, "infeasible"),
        ({"columns": 2, "rows": 1, "nonzeros": 1}, "different problems"),
    ],
)
def test_contradictions_between_layers_are_found(values: dict[str, Any], said: str | None) -> None:
    size = {"columns": 1, "rows": 1, "nonzeros": 1}
    found = list(part_compare.contradictions([_record("raw", **size), _record("pyomo", **values)]))
    assert (found == []) if said is None else (len(found) == 1 and said in found[0])


def test_a_power_law_is_recovered_with_its_interval() -> None:
    law = power_law([1, 10, 100, 1000], [2, 2 * 10**1.2, 2 * 10**2.4, 2 * 10**3.6])
    assert law is not None
    assert law.exponent == pytest.approx(1.2)
    assert law.low == pytest.approx(1.2)
    assert law.factor == pytest.approx(2.0)
    assert power_law([5, 5], [1, 2]) is None
    two = power_law([1, 10], [1, 10])
    assert two is not None
    assert "no interval" in str(two)


def test_the_matrices_written_by_hand_are_those_of_the_library() -> None:
    assert same_matrices(Case("c", 6))["difference"] < 1e-9


def test_sites_and_classes_repeat_beyond_what_there_is() -> None:
    inst = Case("c", 2, sites=8, classes=5).instance()
    base = Case("c", 2, sites=8).instance()
    assert len(inst.sites) == 8
    for origin, by_class in inst.arrivals.items():
        assert len(by_class) == 5
        assert sum(map(sum, by_class.values())) == sum(map(sum, base.arrivals[origin].values()))


def test_linopy_states_the_same_problem() -> None:
    pytest.importorskip("linopy")
    import warnings

    import numpy as np
    from strategies import FIRST_FEATURES, random_instance

    from benchmarks.solvers.rivals.linopy_model import linopy_model
    from stepwatt.formulation.milp.matrices import linear_problem
    from stepwatt.solvers.highs.session import HighsSession

    features = set(FIRST_FEATURES) - {
        "zero_gpus",
        "zero_battery",
        "unserved",
        "restricted",
        "zero_arrivals",
        "few",
    }
    a = random_instance(np.random.default_rng(5), n_slots=4, n_sites=3, features=features).arrays()
    problem = linear_problem(a)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        highs = linopy_model(a, scale=1024.0).to_highspy()
    highs.setOptionValue("output_flag", False)
    assert (highs.getNumRow(), highs.getNumCol()) == problem.matrix.shape
    assert highs.getNumNz() == problem.matrix.nnz
    n = highs.getNumCol()
    highs.changeColsIntegrality(n, np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.uint8))
    highs.run()
    optimum = HighsSession(problem, relaxed=True).solve().objective
    assert highs.getInfo().objective_function_value / 1024.0 == pytest.approx(optimum, rel=1e-8)


def test_a_torn_line_is_forgotten_and_a_failed_cell_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"key": "x", "status": "ok"}\n{"key": "y", "sta')
    assert set(load_records(path)) == {"x"}
    cell = Cell("build", "build", Case("c", 1), {"layer": "unheard of", "times": 1})
    path.unlink()
    record = run_cells([cell], path)[cell.key]
    assert record["status"] == "failed"
    assert "unheard of" in record["error"]
    assert "\n" not in record["error"]


def test_what_failed_is_told_without_where_on_a_machine_it_was() -> None:
    told = f'Traceback (most recent call last):\n  File "{ROOT}/a.py", line 1\nOSError: no {ROOT}/b.json\n'
    assert last_words(told) == "OSError: no b.json"
    assert last_words("") == "nothing was said"


def test_records_hold_no_tracebacks() -> None:
    kept = list((ROOT / "benchmarks").glob("*/results/**/*.json*"))
    assert kept
    assert not [path.name for path in kept if "Traceback" in path.read_text(encoding="utf-8")]


def test_the_page_keeps_what_others_wrote(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "benchmarks.md"
    page.parent.mkdir()
    page.write_text("# Benchmarks\n\nOthers.\n")
    for text in (
        "# Benchmark of the solvers\n\n## A\n\n![f](f.svg)\n",
        "# Benchmark of the solvers\n\n## B\n",
    ):
        into_docs(text, tmp_path / "results", page)
    assert page.read_text().startswith("# Benchmarks\n\nOthers.\n")
    assert "### B" in page.read_text()
    assert "### A" not in page.read_text()
