"""What every method makes of instances with many sites, classes and slots in a time limit.

Each method runs in a process of its own, with one thread; what is measured stays in a file, so that a run
goes on where one has ended.
"""

from __future__ import annotations

from pathlib import Path

from ..solvers.cases import Case, hourly
from ..solvers.runner import Cell, Record, run_cells

RESULTS = Path(__file__).parent / "results" / "large.jsonl"
CASES = {
    "20 × 10 × 288": Case("20x10x288", 288, sites=20, classes=10, series="world", start="2023-06-12"),
    "50 × 20 × 96": Case("50x20x96", 96, 15, sites=50, classes=20, series="world", start="2023-06-12"),
}
METHODS = (
    "oracle", "greedy", "rolling", "foresight", "random", "local", "all-off",
    "lp", "conic", "pyomo", "distributed",
)  # fmt: skip
YEAR = hourly("year at one hour, 10 sites", 8760, 10)


def wide(limit: float) -> list[Cell]:
    """All methods on both wide instances."""
    return [
        Cell("large", "scale", case, {"method": method, "gap": 1e-4, "time_limit": limit}, limit=limit)
        for case in CASES.values()
        for method in METHODS
    ]


def long() -> list[Cell]:
    """The oracle on a year, for half an hour."""
    options = {"method": "oracle", "gap": 1e-4, "time_limit": 1800.0}
    return [Cell("large", "scale", YEAR, options, limit=1800.0)]


def table(records: dict[str, Record], chosen: list[Cell]) -> str:
    """A row for each cell measured."""
    lines = [
        "| instance | method | limit (s) | seconds | CPU seconds | peak MB | utility | gap | status |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for cell in chosen:
        record = records.get(cell.key)
        if record is None or cell.case is None:
            continue
        values, limit = record["values"] or {}, cell.options["time_limit"]
        row = [cell.case.name, cell.options["method"], f"{limit:g}"]
        if values:
            gap, utility = values["gap"], values["utility"]
            row += [f"{values['total']:.0f}", f"{values['cpu']:.0f}", f"{record['peak_mb']:.0f}"]
            row += ["–" if utility is None else f"{utility:,.0f}", "–" if gap is None else f"{gap:.1e}"]
            row += [values["status"] if values["feasible"] or utility is None else "not feasible"]
        else:
            said = record.get("error") or record["status"]
            row += [
                f"{record['wall']:.0f}",
                "–",
                f"{record['peak_mb']:.0f}",
                "–",
                "–",
                said.split(": ", 1)[-1],
            ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def main(chosen: list[Cell]) -> None:
    """Measure what is not measured yet, and print the table."""
    print(table(run_cells(chosen, RESULTS, say=print), chosen))
