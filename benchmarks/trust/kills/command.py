"""The command: ``python -m benchmarks.trust kills [--budget N] [--seed S] [--out FOLDER] [--docs]``.

Every victim is killed in so many trials, and tried where there is no room. The same command goes on.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..campaign import campaign, summary
from .places import Places
from .trial import Kills
from .victims import VICTIMS
from .wholes import whole

DOCS = Path(__file__).parent.parent / "kills.md"
FELL = ("before the first write", "within a write", "between writes", "after the last write")
WRONG = ("torn", "lost", "not resumed", "left behind")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing of both campaigns; how many findings there are decides the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust kills", description=__doc__)
    parser.add_argument(
        "--budget",
        type=int,
        default=50,
        help="trials of each victim",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/trust"), help="folder of what is kept")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="victims whose name contains this")
    parser.add_argument("--again", action="store_true", help="try what was clean, too")
    parser.add_argument("--no-places", action="store_true", help="kills alone, no full disks")
    parser.add_argument("--docs", action="store_true", help=f"write the summary into {DOCS.name}")
    chosen = parser.parse_args(arguments)
    victims = tuple(victim.name for victim in VICTIMS if chosen.only in victim.name)
    name = "".join(letter for letter in chosen.only if letter.isalnum())
    folder = (chosen.out / f"kills-{chosen.seed}{name and '-' + name}").resolve()
    for victim in victims:
        whole(victim, folder)
    work = Kills(chosen.seed, folder, victims, chosen.budget)
    options = {"workers": chosen.workers, "again": chosen.again}
    killed = campaign("kills", work, len(work.trials), folder / "trials", **options)
    placed: list[dict[str, Any]] = []
    if not chosen.no_places:
        places = Places(chosen.seed, folder, victims)
        placed = campaign("places", places, len(places.trials), folder / "places", **options)
    asked = f"python -m benchmarks.trust kills --budget {chosen.budget} --seed {chosen.seed}"
    text = "\n".join(_summary(asked, killed, placed))
    print(text)
    if chosen.docs:
        DOCS.write_text(f"# Kills and full disks\n\n{text}\n", encoding="utf-8")
    return int(any(row["findings"] for row in killed + placed))


def _summary(asked: str, killed: list[dict[str, Any]], placed: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("## Kills", "", *summary(asked, killed), "")
    yield f"| victim | kills | {' | '.join(FELL)} | {' | '.join(WRONG)} | else |"
    yield "|---" + "|---:" * (2 + len(FELL) + len(WRONG)) + "|"
    for name in dict.fromkeys(row["victim"] for row in killed):
        rows = [row for row in killed if row["victim"] == name]
        fell: Counter[str] = Counter()
        for row in rows:
            fell.update(row["fell"])
        wrong = Counter(finding["check"] for row in rows for finding in row["findings"])
        counts = [sum(row["kills"] for row in rows), *(fell[f"{name}: {where}"] for where in FELL)]
        counts += [wrong[check] for check in WRONG] + [sum(wrong.values()) - sum(wrong[c] for c in WRONG)]
        yield f"| {name} | {' | '.join(map(str, counts))} |"
    if placed:
        yield from ("", "## Full disks, read-only folders, killed workers", "", *summary(asked, placed))
