"""How long a learned policy takes to decide as slots come, and what looking at its slot alone spares it.

python -m benchmarks.learning.live [--slots 60] [--docs]

The shipped policy in five-minute slots, whole jobs, on three sites and on six. In every slot the decision,
the view of that slot and the view of the whole horizon, from which decisions once were made, are timed one
after the other; CPU time of one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.world import make_pool
from stepwatt.streaming import Run

from .common import RESULTS, provenance, write_json, write_tables

STUDY = "live"
POLICY, DAY = "jemas", "2018-06-12"
SITES = {"3 sites": ("DE", "FR", "DK"), "6 sites": ("DE", "FR", "DK", "NL", "AT", "CZ")}


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time of a call."""
    begun = time.process_time()
    work()
    return 1e3 * (time.process_time() - begun)


def timed(day: Instance, slots: int) -> dict[str, float]:
    """Medians over slots, in milliseconds: the decision, the view of its slot, the view of all slots."""
    policy = sw.load_policy(POLICY)
    run, task, engine = Run(policy, day), policy.task, numpy_engine()
    seen: dict[str, Any] = {"view": task.view, "past_hours": task.past_hours}
    run.warm(lambda _: None)
    run.decide({"slot": 0})
    found: dict[str, list[float]] = {"decision": [], "slot": [], "horizon": []}
    for t in range(1, slots + 1):
        found["slot"].append(milliseconds(lambda t=t: make_pool([day], "perfect", engine, slot=t, **seen)))  # type: ignore[misc]
        found["horizon"].append(milliseconds(lambda: make_pool([day], "perfect", engine, **seen)))
        found["decision"].append(milliseconds(lambda t=t: run.decide({"slot": t})))  # type: ignore[misc]
    return {name: statistics.median(values) for name, values in found.items()}


def table(found: dict[str, dict[str, float]], made: dict[str, Any], slots: int) -> str:
    """A row per number of sites."""
    lines = ["| | a decision | of it the view of its slot | view of all slots |", "|---|---|---|---|"]
    for name, ms in found.items():
        lines.append(f"| {name} | {ms['decision']:.0f} ms | {ms['slot']:.0f} ms | {ms['horizon']:.0f} ms |")
    foot = f"Medians of {slots} slots, CPU time; {made['machine']}, {made['date']}."
    return "\n".join([*lines, "", foot]) + "\n"


def main() -> None:
    """Time, print, keep; with --docs, write the table into the page."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--slots", type=int, default=60, help="slots decided")
    options.add_argument("--docs", action="store_true", help="write the table into the page")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    found = {
        name: timed(sw.scenario("jemas", start=DAY, zones=zones), chosen.slots)
        for name, zones in SITES.items()
    }
    made = provenance()
    told = table(found, made, chosen.slots)
    print(told)
    write_json(RESULTS / f"{STUDY}.json", {"day": DAY, "slots": chosen.slots, "ms": found, "made": made})
    if chosen.docs:
        write_tables("learning.md", STUDY, told)


if __name__ == "__main__":
    main()
