"""What many instances cost on one worker, two processes, a Dask and a Ray cluster of this machine.

python -m benchmarks.scale [--items 24] [--rounds 3]
python -m benchmarks.scale --trainings 8 [--rounds 3]: short ones by a worker and two (:mod:`.trainings`).
python -m benchmarks.scale --large [--limit 60]: every method on two wide instances (:mod:`.large`).
python -m benchmarks.scale --year: the oracle on a year at one hour with ten sites.

Every backend solves the same instances; answers are held against those of one worker. Rounds take turns, and
ratios are taken within a round. Prints the table of docs/scale.md.
"""

from __future__ import annotations

import argparse
import pickle
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import stepwatt as sw
from stepwatt.cluster import cluster

from ..telling import told
from . import large, trainings

BACKENDS: dict[str, tuple[int, Callable[[], AbstractContextManager[Any]]]] = {
    "one worker": (1, nullcontext),
    "2 processes": (2, nullcontext),
    "dask, 2 workers": (2, lambda: cluster("dask")),
    "ray, 2 workers": (2, lambda: cluster("ray")),
}


def instances(items: int) -> list[sw.Instance]:
    """Days in quarters of an hour, one a week, in three countries."""
    starts = [f"2018-{1 + n % 12:02d}-{1 + 7 * (n // 12 % 4):02d}" for n in range(items)]
    return [sw.scenario("jemas", start=start, n_slots=96, slot_minutes=15) for start in starts]


def measured(
    days: Sequence[sw.Instance], workers: int, place: AbstractContextManager[Any]
) -> tuple[Any, ...]:
    """Seconds to begin, to solve all, and what was found."""
    begun = time.perf_counter()
    with place:
        sw.solve_many(days[:2], processes=workers)  # workers import what they need
        ready = time.perf_counter()
        found = [result.utility for result in sw.solve_many(days, processes=workers)]
        return ready - begun, time.perf_counter() - ready, found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trainings", type=int, default=0)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--year", action="store_true")
    given = parser.parse_args(arguments)
    if given.large or given.year:
        large.main([*(large.wide(given.limit) if given.large else []), *(large.long() if given.year else [])])
        return
    if given.trainings:
        trainings.main(given.trainings, given.rounds, 2)
        return
    days = instances(given.items)
    begin: dict[str, list[float]] = {name: [] for name in BACKENDS}
    seconds: dict[str, list[float]] = {name: [] for name in BACKENDS}
    reference = None
    for _ in range(given.rounds):
        for name, (workers, place) in BACKENDS.items():
            ready, spent, found = measured(days, workers, place())
            begin[name].append(ready)
            seconds[name].append(spent)
            reference = reference or found
            if found != reference:
                raise SystemExit(f"{name} found other utilities than one worker")
    alone = seconds["one worker"]
    print("| where | begins (s) | an item (s) | times one worker |\n|---|---|---|---|")
    for name in BACKENDS:
        times = statistics.median(a / b for a, b in zip(alone, seconds[name], strict=True))
        an_item = statistics.median(seconds[name]) / given.items
        print(f"| {name} | {statistics.median(begin[name]):.1f} | {an_item:.3f} | {times:.2f} |")
    sent = len(pickle.dumps(days[0]))
    back = sw.solve(days[0])
    fields = {name: value for name, value in vars(back).items() if name != "instance"}
    print(
        f"\nan instance travels as {sent / 1e3:.0f} kB, a result as {len(pickle.dumps(fields)) / 1e3:.0f} kB"
    )


if __name__ == "__main__":
    sys.exit(told(main))
