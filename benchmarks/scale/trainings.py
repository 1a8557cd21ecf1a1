"""What short trainings cost one after the other, and over processes."""

from __future__ import annotations

import statistics
import time

from stepwatt.solvers.many import Many, in_order

#: A training of some seconds: days of six dates, half-hour slots, SAC.
SETTINGS = ("family.every=60", "family.slot_minutes=30", "env_steps=3000")


def trained(seed: int) -> float:
    """What the policy of a seed earns on a day: the same wherever it was trained."""
    import stepwatt as sw

    day = sw.scenario("jemas", start="2018-06-12", n_slots=48, slot_minutes=30)
    schedule = sw.train("jemas", seed=seed, settings=SETTINGS, progress=None).schedule(day)
    return float(sw.evaluate(day, schedule).utility)


def main(items: int, rounds: int, workers: int) -> None:
    """Measure in turns, and print seconds an item and their ratio within a round.

    Raises:
        SystemExit: policies depend on where they were trained.
    """
    seconds: dict[int, list[float]] = {1: [], workers: []}
    answers = []
    for _ in range(rounds):
        for count, spent in seconds.items():
            in_order(Many(trained, count).run(range(count)))  # workers import what they need
            begun = time.perf_counter()
            answers.append(in_order(Many(trained, count).run(range(items))))
            spent.append((time.perf_counter() - begun) / items)
    if any(found != answers[0] for found in answers):
        raise SystemExit("a policy depends on where it was trained")
    times = statistics.median(a / b for a, b in zip(seconds[1], seconds[workers], strict=True))
    print(f"a training: {statistics.median(seconds[1]):.2f} s by one worker, "
          f"{statistics.median(seconds[workers]):.2f} s by {workers}, {times:.2f} times as fast")  # fmt: skip
