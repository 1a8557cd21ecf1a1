"""The command: ``python -m benchmarks.solvers [--quick] [--part compare,build,...]``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..telling import told
from .parts import (
    build as part_build,
)
from .parts import (
    compare as part_compare,
)
from .parts import (
    rolling as part_rolling,
)
from .parts import (
    scale as part_scale,
)
from .parts import (
    small as part_small,
)
from .profiles import PROFILES, Profile
from .reporting import report
from .reporting.section import Section
from .runner import ROOT, Cell, Record, load_records, run_cells

PARTS: dict[str, Any] = {
    "build": part_build,
    "compare": part_compare,
    "small": part_small,
    "rolling": part_rolling,
    "scale": part_scale,
}
RESULTS = Path(__file__).resolve().parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, write the report, print the verdicts; 1 when the comparison is void."""
    asked = _parser().parse_args(arguments)
    profile = _profile(asked)
    out = asked.out or (
        RESULTS if profile.name == "full" else ROOT / "runs" / f"bench-solvers-{profile.name}"
    )
    path = out / "cells.jsonl"
    if asked.fresh:
        path.unlink(missing_ok=True)
    names = asked.part.split(",") if asked.part else list(PARTS)
    if unknown := set(names) - PARTS.keys():
        raise SystemExit(f"--part: {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}")
    cells = {name: _cells(name, profile, asked.method) for name in PARTS}
    if not asked.report_only:
        for name in names:
            wanted: Callable[[Cell, dict[str, Record]], bool] = getattr(PARTS[name], "wanted", _always)
            run_cells(cells[name], path, wanted=wanted, say=_say)
    records = load_records(path)
    used, sections = [], []
    for name, part in PARTS.items():
        here = [records[cell.key] for cell in cells[name] if cell.key in records]
        used += here
        sections.append(part.report(here, profile, out))
    text = report.write(sections, used, profile, out, _command(asked))
    if asked.docs:
        report.into_docs(text, out)
    _verdicts(sections)
    _say(f"report: {out / 'report.md'}")
    return 1 if any(section.void for section in sections) else 0


def _always(cell: Cell, records: dict[str, Record]) -> bool:
    return True


def _cells(name: str, profile: Profile, method: str) -> list[Cell]:
    return part_scale.cells(profile, method) if name == "scale" else PARTS[name].cells(profile)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solvers", description=__doc__)
    parser.add_argument("--part", help=f"comma-separated: {', '.join(PARTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="small sizes and short limits, a few minutes")
    parser.add_argument(
        "--profile", choices=PROFILES, default="full", help="how much; --quick is short for quick"
    )
    parser.add_argument(
        "--time-limit", type=float, help="seconds for a run of part compare at its largest size"
    )
    parser.add_argument("--short-limit", type=float, help="seconds for a run of part compare at other sizes")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--starts", type=int, help="only the first so many start dates")
    parser.add_argument("--sizes", help="comma-separated numbers of slots for part compare")
    parser.add_argument("--small", type=int, help="number of small instances")
    parser.add_argument("--method", default="oracle", help="method measured by part scale")
    parser.add_argument("--out", type=Path, help="folder of results; a run resumes what it finds there")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--report-only", action="store_true", help="measure nothing")
    parser.add_argument("--docs", action="store_true", help="also write the report into docs/benchmarks.md")
    return parser


def _profile(asked: argparse.Namespace) -> Profile:
    profile = PROFILES["quick" if asked.quick else asked.profile]
    changes: dict[str, Any] = {}
    if asked.time_limit:
        changes["time_limit"] = asked.time_limit
    if asked.short_limit:
        changes["short_limit"] = asked.short_limit
    if asked.repetitions:
        changes["repetitions"] = asked.repetitions
    if asked.small:
        changes["small"] = asked.small
    if asked.starts:
        changes["starts"] = profile.starts[: asked.starts]
    if asked.sizes:
        changes |= {"sizes": tuple(int(size) for size in asked.sizes.split(",")), "wide_sizes": ()}
    if importlib.util.find_spec("linopy") is None:
        _say("linopy is not installed (extra `benchmark`): its column is left out")
        changes["layers"] = tuple(layer for layer in profile.layers if layer != "linopy")
    return replace(profile, **changes)


def _command(asked: argparse.Namespace) -> str:
    """The command that makes these results, as it would be typed."""
    words = ["python -m benchmarks.solvers"]
    limits = ("time_limit", "short_limit")
    for name in ("quick", "profile", *limits, "repetitions", "starts", "sizes", "small", "method"):
        value = getattr(asked, name)
        if value is True:
            words.append(f"--{name}")
        elif value and value != _parser().get_default(name):
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)


def _verdicts(sections: list[Section]) -> None:
    for section in sections:
        for verdict in section.verdicts:
            print(verdict.line)
    for section in sections:
        for line in section.void:
            print(f"VOID          {section.title}: {line}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(told(main))
