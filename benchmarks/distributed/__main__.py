"""The command: ``python -m benchmarks.distributed [--quick] [--only TEXT] [--docs]``.

One JSON file per case in ``results/``; a case that has one is not measured again. Cases run one after the
other in this process, on one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import highspy
import numpy as np

import stepwatt as sw
from stepwatt.formulation import Instance, load
from stepwatt.formulation.files import write_text
from stepwatt.formulation.manifest import made
from stepwatt.solvers import Settings, accounts, distribute

from ..solvers.reporting.section import table
from ..telling import told

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"
DOCS = ROOT / "docs" / "distributed.md"
MARKS = ("<!-- distributed: begin -->", "<!-- distributed: end -->")
DAYS = ("2018-01-20", "2018-03-28", "2018-06-12", "2018-09-14", "2018-12-12")
#: Cases whose accounts are shown.
SHOWN = ("jemas 2018-06-12, 288 slots", "example-5")
TARGET_GAP, TARGET_ROUNDS = 5e-3, 50

Case = tuple[Callable[[], Instance], float]


def cases() -> dict[str, Case]:
    """Name → how to make the instance, and the gap at which the rounds end."""
    found: dict[str, Case] = {}
    for number in range(8):
        path = ROOT / "tests" / "examples" / f"example-{number}.json"
        found[f"example-{number}"] = (lambda path=path: load(path)), TARGET_GAP
    for gap, slots in ((TARGET_GAP, 96), (TARGET_GAP, 288), (1e-3, 96)):
        for day in DAYS:
            name = f"jemas {day}, {slots} slots" + ("" if gap == TARGET_GAP else f", gap {gap:g}")
            found[name] = (lambda day=day, slots=slots: _day(day, slots)), gap
    return found


def _day(day: str, slots: int) -> Instance:
    return sw.scenario("jemas", start=day, n_slots=slots, slot_minutes=24 * 60 // slots)


def measure(make: Callable[[], Instance], gap: float) -> dict[str, Any]:
    """One case: the exchange, its accounts, and the central optimum."""
    inst = make()
    begun = time.perf_counter()
    found = distribute(inst, Settings(gap=gap), rounds=TARGET_ROUNDS)
    seconds = time.perf_counter() - begun
    central = sw.solve(inst, gap=1e-4, time_limit=120.0)
    books = accounts(found)
    result = found.result
    assert result.utility is not None
    assert result.bound is not None
    assert central.utility is not None
    assert central.bound is not None
    assert result.evaluation is not None
    alone, together = (float(books.table[name].sum()) for name in ("alone", "together"))
    fluid = 1 - found.history["worth"] / found.history["bound"]
    close = np.flatnonzero(fluid.to_numpy() <= TARGET_GAP)
    return {
        "providers": len(inst.sites),
        "slots": inst.n_slots,
        "gap_asked": gap,
        "rounds": found.rounds,
        "rounds_to_target": int(close[0]) + 1 if len(close) else None,
        "feasible": result.evaluation.feasible,
        "gap": result.gap,
        "utility": result.utility,
        "bound": result.bound,
        "central_utility": central.utility,
        "central_bound": central.bound,
        "below_central": (central.utility - result.utility) / abs(central.utility),
        "alone": alone,
        "captured": (together - alone) / (central.utility - alone),
        "books_off": abs(together - result.utility),
        "fees": float(books.fees.to_numpy().sum()),
        "least_gain": float(books.table["gain"].min()),
        "slack": books.slack,
        "accounts": books.table.round(6).to_dict("index"),
        "bytes": int(found.messages["bytes"].sum()),
        "seconds": seconds,
        "central_seconds": central.seconds.total,
    }


def report(records: dict[str, dict[str, Any]]) -> str:
    """The Markdown between the marks of the docs."""
    head = ["case", "rounds", "certified gap", "below central", "trade gain captured", "worst gain, USD"]
    head += ["slack, USD", "kB per provider and round", "s (central)"]
    rows = [
        [
            name,
            str(r["rounds"]),
            f"{r['gap']:.2%}",
            f"{r['below_central']:.3%}",
            f"{r['captured']:.1%}" if r["central_utility"] - r["alone"] > 1e-3 * abs(r["alone"]) else "–",
            f"{r['least_gain']:.3f}",
            f"{r['slack']:.3f}",
            f"{r['bytes'] / r['providers'] / r['rounds'] / 1000:.1f}",
            f"{r['seconds']:.1f} ({r['central_seconds']:.1f})",
        ]
        for name, r in records.items()
    ]
    met = [r for r in records.values() if r["gap_asked"] == TARGET_GAP]
    reached = sum(r["gap"] <= TARGET_GAP and r["rounds"] <= TARGET_ROUNDS and r["feasible"] for r in met)
    worst = max(0.0, -min(r["least_gain"] for r in records.values()))
    happy = sum(r["least_gain"] >= 0 for r in records.values())
    ends = sorted({(r["code"], r["date"]) for r in records.values()})
    return "\n\n".join(
        [
            "`python -m benchmarks.distributed --docs` "
            f"({_processor()}, {platform.system()}, Python {platform.python_version()}, "
            f"highspy {highspy.Highs().version()}; arrivals with seed 0; "
            + "; ".join(f"code {code}, {day}" for code, day in ends)
            + "; other work ran on the same cores, so seconds are on the high side).",
            f"Certified within {TARGET_GAP:.1%} in at most {TARGET_ROUNDS} rounds: {reached} of {len(met)} "
            f"cases, {max(r['rounds'] for r in met)} rounds at most. Nobody worse off than alone: {happy} of "
            f"{len(records)} cases; the largest loss is {worst:.2g} USD.",
            table(head, rows),
            *(
                text
                for name in SHOWN
                if name in records
                for text in (f"Accounts of {name}, in USD:", _books(records[name]["accounts"]))
            ),
        ]
    )


def _books(rows: dict[str, dict[str, float]]) -> str:
    """The accounts of one case, with the sum over providers."""
    columns = list(next(iter(rows.values())))
    total = {column: sum(row[column] for row in rows.values()) for column in columns}
    lines = (rows | {"all": total}).items()
    return table(["provider", *columns], [[name, *(f"{row[c]:.2f}" for c in columns)] for name, row in lines])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _code() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    changed = git("status", "--porcelain", "--", "solvers", "formulation", "data").strip()
    return git("rev-parse", "--short", "HEAD").strip() + ("+" if changed else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing; 1 when a schedule breaks, a bound is false or accounts do not add up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small examples only")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose name contains such a text")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/distributed.md")
    asked = parser.parse_args(arguments)
    code = _code()
    asked.out.mkdir(parents=True, exist_ok=True)
    records: dict[str, dict[str, Any]] = {}
    for name, (make, gap) in cases().items():
        path = asked.out / (name.replace(", ", "_").replace(" ", "_") + ".json")
        wanted = any(text in name for text in asked.only) and (not asked.quick or name.startswith("example"))
        if wanted and not path.exists():
            record = {
                "case": name,
                **measure(make, gap),
                "code": code,
                "date": f"{date.today()}",
                "made": made(),
            }
            write_text(path, json.dumps(record, indent=1) + "\n")
        if path.exists():
            records[name] = json.loads(path.read_text())
            r = records[name]
            print(f"{name}: {r['rounds']} rounds, gap {r['gap']:.4f}, {r['seconds']:.1f} s", flush=True)
    if asked.docs:
        text = DOCS.read_text()
        before, after = text.partition(MARKS[0])[0], text.partition(MARKS[1])[2]
        DOCS.write_text(f"{before}{MARKS[0]}\n{report(records)}\n{MARKS[1]}{after}")
    false = [name for name, r in records.items() if _contradiction(r)]
    for name in false:
        print(f"VOID: {name}")
    return 1 if false else 0


def _contradiction(r: dict[str, Any]) -> bool:
    small = 1e-6 * max(1.0, abs(r["bound"]))
    return (
        not r["feasible"]
        or r["bound"] < r["central_utility"] - small
        or r["books_off"] > small
        or r["least_gain"] < -r["slack"] - small
    )


if __name__ == "__main__":
    sys.exit(told(main))
