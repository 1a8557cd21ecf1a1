"""Comparisons: tables, statistics, files and the report."""

from __future__ import annotations

import base64
import gzip
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import stepwatt as sw

from .digests import plain, short, whole
from .instances import EXAMPLES, days, histories, instance
from .running import Items

GAP = 1e-3
FIGURES = re.compile(r'<script type="application/gzip" class="figures" id="(.*?)">(.*?)</script>', re.DOTALL)
SCRIPTS = re.compile(r"<script.*?</script>", re.DOTALL)
#: Numbers of an action of the scenario (docs/environment.md).
ACTION = 60


def local(inst: sw.Instance) -> sw.Schedule:
    """A policy of one's own that plans whole instances."""
    made = sw.solve(inst, "local", gap=GAP, time_limit=None).schedule
    assert made is not None
    return made


def still(observation: Any) -> Any:
    """A policy of one's own that decides slot by slot."""
    return np.full(ACTION, 0.25)


def page(html: str) -> dict[str, Any]:
    """A report: its text, and the data of its figures."""
    found = {scope: gzip.decompress(base64.b64decode(packed)) for scope, packed in FIGURES.findall(html)}
    assert found
    return {
        "text": whole(SCRIPTS.sub("", html)),
        "figures": {
            f"{scope}: {name}": whole(figure)
            for scope, figures in found.items()
            for name, figure in json.loads(figures).items()
        },
    }


def told(comparison: sw.Comparison) -> dict[str, Any]:
    """Tables and the saved file; then, with every time set to one second, all that is written of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        comparison.save(folder / "comparison.json")
        file = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
        kept = plain(file)
        for case in file["cases"]:
            for entry in case["entries"]:
                entry["seconds"] = 1.0
        (folder / "still.json").write_text(json.dumps(file), encoding="utf-8")
        again = sw.Comparison.load(folder / "still.json")
        again.to_csv(folder / "table.csv")
        again.to_html(folder / "report.html", number=len(again.cases) - 1)
        return {
            "table": short(comparison.table.to_dict(orient="index")),
            "results": whole(comparison.results),
            "file": whole(kept),
            "statistics": whole(again.statistics),
            "csv": whole((folder / "table.csv").read_text(encoding="utf-8")),
            "markdown": whole(again.to_markdown()),
            "latex": whole(again.to_latex()),
            "report": page((folder / "report.html").read_text(encoding="utf-8")),
        }


def _one() -> dict[str, Any]:
    inst = instance("half-hours")
    policies = {name: name for name in ("oracle", "lp", "greedy", "rolling", "all-off", "no-storage")}
    return told(sw.compare(inst, {**policies, "given": local(inst)}, gap=GAP, time_limit=None))


def _several() -> dict[str, Any]:
    policies = {
        "rolling:day-ahead": "rolling:day-ahead",
        "foresight:persistence": "foresight:persistence",
        "foresight": "foresight",
        "random": sw.Seeds(["random"] * 2),
        "local": local,
        "still": sw.policy(still),
    }
    made = sw.compare(days(), policies, bound="lp", history=histories(), reference="local", seed=1)
    return told(made)


def _side_by_side() -> dict[str, Any]:
    many = [instance(name) for name in EXAMPLES[:3]]
    policies = {name: name for name in ("oracle", "rolling", "greedy")}
    return told(sw.compare(many, policies, gap=GAP, time_limit=None, workers=2))


ITEMS: Items = {"one instance": _one, "several instances": _several, "side by side": _side_by_side}
