"""The command: ``python -m benchmarks.hybrid [--quick] [--docs]``.

One JSON file per cell (days × method) in ``results/``; a cell that has one is not measured again. ``--docs``
only writes ``docs/hybrid.md`` from the cells there are. Days are fluid; one process, one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import torch

from stepwatt.formulation.files import write_text
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy

from ..telling import told
from .cases import Case, Days, cases
from .common import DIRECT, LARGE, NETWORK, PRICED, RESULTS, about
from .playing import played, renewed, solved
from .policies import cloned, network, trained
from .tables import cell_file, write_docs


def measure(days: Days, method: str, case: Case, quick: bool) -> dict[str, Any]:
    """One cell."""
    kind, _, forecast = method.partition(" ")
    large = method in LARGE
    if method == "direct cloned":
        policy = cloned(case, quick)
        return played(days, DIRECT, lambda seen: policy(seen.float()).double())
    if method == "priced network":
        policy = network(case, quick)
        return played(days, NETWORK, lambda seen: policy(seen.float()).double(), large=large)
    if kind == "renewed":
        hours = float(forecast.split()[0])
        return played(days, renewed(days, hours), ForesightPolicy(), large=large)
    task = PRICED.changed(information=forecast or "day-ahead")
    if kind == "foresight":
        return played(days, task, ForesightPolicy(), large=large)
    if kind == "priced":
        found: list[dict[str, Any]] = []
        for policy_of_seed in trained(case, quick):
            found.append(played(days, task, policy_of_seed, timed=not found, large=large))
        every = {name: [one[name] for one in found] for name in ("utility", "miss")}
        return found[0] | every | {"certificate": max(one["certificate"] for one in found)}
    return solved(days, method)


def run(quick: bool, only: str) -> None:
    """Measure what has not been measured."""
    torch.set_num_threads(1)
    folder = RESULTS / ("quick" if quick else "")
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in cases(quick).items():
        wanted = [
            m for m in case.methods if only in f"{name}, {m}" and not cell_file(name, m, folder).exists()
        ]
        if not wanted:
            continue
        days = case.days(name)
        for method in wanted:
            target = cell_file(name, method, folder)
            found = measure(days, method, case, quick)
            found |= {"days": [inst.name for inst in days.instances], "about": about()}
            write_text(target, json.dumps(found, indent=1) + "\n")
            print(days.name, method, "done", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hybrid", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few days, hardly any training: a smoke test")
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument("--docs", action="store_true", help="only write docs/hybrid.md")
    chosen = parser.parse_args(words)
    if not chosen.docs:
        run(chosen.quick, chosen.only)
    if not chosen.quick:
        write_docs(RESULTS)


if __name__ == "__main__":
    sys.exit(told(main))
