"""The report: machine, verdicts, one section per part; Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..profiles import Profile
from ..runner import ROOT, Record
from .section import Section

PACKAGES = ("stepwatt", "highspy", "pyomo", "linopy", "numpy", "scipy", "pandas", "xarray")
BEGIN, END = "<!-- solvers: begin -->", "<!-- solvers: end -->"


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
    }


def _cpu_model() -> str:
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write(
    sections: list[Section], records: list[Record], profile: Profile, folder: Path, command: str
) -> str:
    """``report.md`` and ``summary.json`` in the folder; the Markdown."""
    host = machine()
    verdicts = [verdict for section in sections for verdict in section.verdicts]
    void = [line for section in sections for line in section.void]
    packages = ", ".join(f"{name} {number}" for name, number in host["packages"].items() if number)
    commits = ", ".join(sorted({r["commit"] for r in records}))
    lines = [
        "# Benchmark of the solvers", "",
        f"`{command}`", "",
        f"{host['cpu']}, {host['cores']} cores, {host['memory_gib']} GiB, {host['system']}, Python "
        f"{host['python']}; {packages}; {host['date']}; code {commits}. Every measurement in a process of "
        "its own, one after the other, on one thread.", "",
        *(["**Void: the layers contradict each other.**", "", *(f"* {v}" for v in void), ""] if void else []),
        "## Targets", "",
        "| target | measured | met |", "| --- | --- | --- |",
        *(
            f"| {v.target} | {v.measured or 'not measured'} | {v.word} |"
            for v in verdicts
        ), "",
    ]  # fmt: skip
    for section in sections:
        lines += [f"## {section.title}", "", *section.lines]
    failed = [r for r in records if r["status"] not in ("ok",)]
    if failed:
        lines += ["## Not finished", ""]
        for record in failed:
            what = "ended: far beyond its limit" if record["status"] == "ended" else "failed"
            name = "" if record["case"] is None else f"{record['case']['name']}, "
            lines += [f"* {record['part']}, {name}{record['options']}: {what} after {record['wall']:.0f} s"]
        lines += [""]
    text = "\n".join(lines).rstrip() + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(text, encoding="utf-8")
    summary = {
        "machine": host,
        "profile": asdict(profile),
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "void": void,
        "commits": sorted({r["commit"] for r in records}),
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return text


def into_docs(text: str, folder: Path, path: Path = ROOT / "docs" / "benchmarks.md") -> None:
    """Put the report between its marks in the documentation page, figures linked where they lie."""
    there = os.path.relpath(folder, path.parent)
    body = text.replace("](", f"]({there}/").replace("# Benchmark", "## Benchmark", 1)
    body = body.replace("\n## ", "\n### ") if body.startswith("## ") else body
    block = f"{BEGIN}\n{body}{END}\n"
    page = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    if BEGIN in page and END in page:
        head, rest = page.split(BEGIN, 1)
        page = head + block + rest.split(END, 1)[1].lstrip("\n")
    else:
        page = page.rstrip("\n") + "\n\n" + block
    path.write_text(page, encoding="utf-8")
