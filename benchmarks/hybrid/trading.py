"""The command ``python -m benchmarks.hybrid.trading [--quick] [--docs]``: what trade loses against one who
knows all.

Validation days are played by providers that trade jobs at prices, each with its own foresight, after so many
rehearsals of the forecast day, or each with its own network, taught on training days of the same region;
beside it the joint foresight, which is the same with everybody's data in one place. ``--docs`` only writes
the section of docs/distributed.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import stepwatt as sw
from stepwatt.formulation import evaluate
from stepwatt.formulation.files import write_text
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.torch_engine import torch_engine
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.policies.provider_networks import networks, teach
from stepwatt.learning.training.families import Family
from stepwatt.solvers.trading import Speaker, play, rehearse

from .cases import TRAINED_ON
from .common import RESULTS, ROOT, TRAIN_SEED, VALIDATION_SEED, about

Floats = NDArray[np.float64]

KEPT = RESULTS / "trading.json"
DOCS = ROOT / "docs" / "distributed.md"
MARKS = ("<!-- trading: begin -->", "<!-- trading: end -->")
TASK = TaskSettings(codec="priced", reward="dense", foresight=True)
#: Rehearsals of the forecast day.
REHEARSED = (0, 1, 2)
#: Updates of the networks after the first pass over the training days; twice as many after the second.
UPDATES = 4_000


def joint(days: Sequence[sw.Instance]) -> tuple[Floats, float]:
    """Utility by day of the joint foresight, and CPU seconds of its slots."""
    pool = make_pool(
        days, TASK.information, torch_engine(torch.float64), foresight=True, seed=VALIDATION_SEED
    )
    world, begun = World(pool, torch_engine(torch.float64), TASK), time.process_time()
    while not world.over:
        world.step(torch.zeros(len(days), world.act_size, dtype=torch.float64))
    return world.earned.numpy(), time.process_time() - begun


def rehearsed(days: Sequence[sw.Instance], bound: Floats, rehearsals: int) -> dict[str, Any]:
    """The days by trade, each with its own foresight."""
    begun = time.process_time()
    ready = rehearse(days, TASK.information, seed=VALIDATION_SEED, rehearsals=rehearsals)
    seconds, decisions = time.process_time() - begun, len(days) * days[0].n_slots
    return traded(days, bound, ready) | {
        "rehearsal rounds": float(ready.rounds.mean()) / len(ready.opening),
        "rehearsal ms": 1000 * seconds / decisions,
    }


def by_networks(days: Sequence[sw.Instance], bound: Floats, taught: Sequence[sw.Instance]) -> dict[str, Any]:
    """The days of one region by trade, each with its own network, taught on other days."""
    begun = time.process_time()
    policy = teach(taught, TASK.information, seed=TRAIN_SEED, updates=UPDATES)
    minutes = (time.process_time() - begun) / 60
    found = traded(days, bound, networks(policy, days, TASK.information, seed=VALIDATION_SEED))
    return found | {"training minutes": minutes, "training days": len(taught)}


def traded(days: Sequence[sw.Instance], bound: Floats, speaker: Speaker) -> dict[str, Any]:
    """The days by trade."""
    begun = time.process_time()
    found = play(days, speaker)
    seconds, decisions = time.process_time() - begun, found.gap.size
    judged = [evaluate(inst, schedule) for inst, schedule in zip(days, found.schedules, strict=True)]
    return {
        "gap %": (100 * (bound - found.utility) / np.abs(bound)).tolist(),
        "judged alike": float(
            max(abs(one.utility - float(u)) / abs(u) for one, u in zip(judged, found.utility, strict=True))
        ),
        "feasible": all(one.feasible for one in judged),
        "miss %": max(
            100 * float(one.lost.sum()) / float(inst.arrays().arrivals.sum())
            for one, inst in zip(judged, days, strict=True)
        ),
        "certificate, mean %": 100 * float(found.gap.mean()),
        "certificate, largest %": 100 * float(found.gap.max()),
        "rounds, mean": float(found.rounds.mean()),
        "rounds, largest": int(found.rounds.max()),
        "bytes": 8 * float(found.numbers.mean()),
        "ms": 1000 * seconds / decisions,
    }


def measure(quick: bool) -> dict[str, Any]:
    """All of it."""
    days = Family(regions=TRAINED_ON, every=60 if quick else 16).instances("validation")
    bound = np.array([sw.solve(inst, "lp").bound for inst in days])
    together, seconds = joint(days)
    found: dict[str, Any] = {"days": [inst.name for inst in days], "about": about()}
    found["joint"] = {
        "gap %": (100 * (bound - together) / np.abs(bound)).tolist(),
        "ms": 1000 * seconds / (len(days) * days[0].n_slots),
    }
    for rehearsals in REHEARSED[-1:] if quick else REHEARSED:
        found[f"{rehearsals} rehearsals"] = rehearsed(days, bound, rehearsals)
        print(rehearsals, "done", flush=True)
    for number, region in enumerate(TRAINED_ON):
        taught = Family(regions=(region,), every=60 if quick else 3).instances("train")
        here = slice(number * len(days) // len(TRAINED_ON), (number + 1) * len(days) // len(TRAINED_ON))
        found[f"networks, {region}"] = by_networks(days[here], bound[here], taught)
        print("networks", region, "done", flush=True)
    return found


def section(found: dict[str, Any]) -> list[str]:
    """The table of docs/distributed.md."""
    where = found["about"]
    lines = [
        f"`python -m benchmarks.hybrid.trading`, {where['date']}; {where['machine']}, torch "
        f"{where['torch']}, "
        f"one thread of a machine that other studies shared: times are CPU milliseconds per day and slot, of "
        f"all providers together, {len(found['days'])} validation days side by side. Day-ahead forecasts.",
        "",
        "| | gap median % | gap mean % | largest miss % | certificate of a slot, mean (largest) % | "
        "rounds per slot, mean (largest) | bytes per provider and slot | ms, slot | ms, foresight | "
        "rounds per slot, rehearsals |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    one = found["joint"]
    gaps = f"{np.median(one['gap %']):.3f} | {np.mean(one['gap %']):.3f}"
    lines.append(f"| joint foresight | {gaps} | – | – | – | – | {one['ms']:.1f} | – | – |")
    for name in [f"{number} rehearsals" for number in REHEARSED]:
        if (one := found.get(name)) is None:
            continue
        lines.append(
            f"| trade, {name} | {np.median(one['gap %']):.3f} | {np.mean(one['gap %']):.3f} | "
            f"{one['miss %']:.3f} | "
            f"{one['certificate, mean %']:.4f} ({one['certificate, largest %']:.4f}) | "
            f"{one['rounds, mean']:.1f} ({one['rounds, largest']}) | {one['bytes']:,.0f} | {one['ms']:.1f} | "
            f"{one['rehearsal ms']:.1f} | {one['rehearsal rounds']:.1f} |"
        )
    lines += [_of_networks(name, one) for name, one in found.items() if name.startswith("networks")]
    played = [
        one for name, one in found.items() if name.endswith("rehearsals") or name.startswith("networks")
    ]
    void = "" if all(one["feasible"] for one in played) else "VOID, a schedule is not feasible. "
    apart = max(one["judged alike"] for one in played)
    told = (
        "Days side by side go on together until the last has its gap; rounds and bytes are those that each "
        f"needed. {void}`evaluate` gives the utility that was played, to a share of {apart:.0e}."
    )
    return [*lines, "", told]


def _of_networks(name: str, one: dict[str, Any]) -> str:
    region = name.removeprefix("networks, ")
    return (
        f"| trade, a network each: {region} ({len(one['gap %'])} days) | {np.median(one['gap %']):.3f} | "
        f"{np.mean(one['gap %']):.3f} | {one['miss %']:.3f} | "
        f"{one['certificate, mean %']:.4f} ({one['certificate, largest %']:.4f}) | "
        f"{one['rounds, mean']:.1f} ({one['rounds, largest']}) | {one['bytes']:,.0f} | {one['ms']:.1f} | "
        f"– ({one['training minutes']:.1f} min. of training on {one['training days']} days) | – |"
    )


def write_docs(file: Path, kept: Path) -> None:
    """Put the table where it belongs."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    lines = section(json.loads(kept.read_text(encoding="utf-8")))
    text = before + "\n".join([MARKS[0], *lines, MARKS[1]]) + rest.split(MARKS[1])[1]
    file.write_text(text, encoding="utf-8")


def main(words: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hybrid.trading", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few days: a smoke test that keeps nothing")
    parser.add_argument("--docs", action="store_true", help="only write the section of docs/distributed.md")
    chosen = parser.parse_args(words)
    torch.set_num_threads(1)
    if not chosen.docs:
        found = measure(chosen.quick)
        if chosen.quick:
            print(json.dumps(found, indent=1))
            return
        write_text(KEPT, json.dumps(found, indent=1) + "\n")
    write_docs(DOCS, KEPT)


if __name__ == "__main__":
    main()
