"""One measurement in a process of its own: a cell as JSON on standard input, its record on the last line."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from .cases import Case
from .clock import cpu_seconds, peak_mb
from .kinds import KINDS, warm


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """The record of a cell: values of its kind, CPU seconds and peak memory of this process."""
    options = dict(cell["options"])
    if cell["case"] is not None:
        options["case"] = Case(**cell["case"])
    _import_layers(cell)
    imported_mb, cpu, begun = peak_mb(), cpu_seconds(), time.perf_counter()
    values = KINDS[cell["kind"]](**options)
    return {
        "values": values,
        "wall": time.perf_counter() - begun,
        "cpu": cpu_seconds() - cpu,
        "imported_mb": imported_mb,
        "peak_mb": peak_mb(),
    }


def _import_layers(cell: dict[str, Any]) -> None:
    """Load what the layer loads on its first use, so that no clock counts imports."""
    import highspy  # noqa: F401

    import stepwatt.data.scenarios.registry
    import stepwatt.formulation.milp.matrices
    import stepwatt.solvers  # noqa: F401

    layer = cell["options"].get("route") or cell["options"].get("layer")
    if layer is not None:
        warm(layer)


if __name__ == "__main__":
    print(json.dumps(measure(json.load(sys.stdin))))
