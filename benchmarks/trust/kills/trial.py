"""One trial: a victim is killed at a drawn moment, once or more in a row, and goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .moments import drawn
from .nursery import End, run
from .victims import BY_NAME, VICTIMS, Victim
from .wholes import (
    OLDER,
    Whole,
    command_of,
    contents,
    emptied,
    in_the_end,
    in_the_middle,
    lay,
    left_running,
    whole,
)

#: One trial in so many kills what goes on, too, and so on.
AGAIN = 0.25
ATTEMPTS = 50


@dataclass(frozen=True)
class Kills:
    """The trial of any number: victims take turns, ``budget`` of them."""

    seed: int
    folder: Path
    victims: tuple[str, ...]
    budget: int

    @property
    def trials(self) -> list[tuple[int, Victim]]:
        """Turn and victim of each number."""
        victims = [BY_NAME[name] for name in self.victims]
        return [(turn, one) for turn in range(self.budget) for one in victims if turn % one.every == 0]

    def __call__(self, number: int) -> dict[str, Any]:
        """The row of a trial: kills by where they fell, and findings."""
        turn, victim = self.trials[number]
        rng = np.random.default_rng([self.seed, VICTIMS.index(victim), turn])
        expected = whole(victim.name, self.folder)
        beside = self.folder / f"trial-{number:06d}"
        findings, fell = [], []
        for kind, where, found in _killed(victim, expected, rng, beside):
            if where:
                fell.append(f"{victim.name}: {where}")
            findings += [{"check": check, "found": f"{victim.name}, {kind}: {text}"} for check, text in found]
        if not findings:
            shutil.rmtree(beside)
        return {
            "victim": victim.name,
            "kills": len(fell),
            "fell": {where: fell.count(where) for where in fell},
            "findings": findings,
        }


def _killed(
    victim: Victim, expected: Whole, rng: np.random.Generator, beside: Path
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Moment, where it fell ("" for the run that goes on to the end), and what is wrong."""
    work, outs = beside / "work", list[Path]()
    for _ in range(ATTEMPTS):
        emptied(beside)
        lay(expected.given, work)
        if rng.random() < 0.5:
            lay(dict.fromkeys(victim.replaced, OLDER), work)
        moment = drawn(rng, expected.life)
        command = command_of(victim, beside)
        end = run(command, moment=moment, fresh=victim.anew)
        if end.killed:
            break
    else:
        yield "any moment", "", [("never killed", f"{ATTEMPTS} attempts")]
        return
    while True:
        outs.append(Path(command.out))
        if end.killed:
            found = [*in_the_middle(victim, expected, work, outs), *left_running(beside)]
            yield f"{moment.kind} {moment.at:g}", _where(victim, expected, work), found
        if not end.killed or rng.random() >= AGAIN:
            break
        moment = drawn(rng, expected.life)
        command = command_of(victim, beside, len(outs))
        end = run(command, moment=moment, fresh=victim.anew)
    if end.killed:
        command = command_of(victim, beside, len(outs))
        outs.append(Path(command.out))
        end = run(command, fresh=victim.anew)
    found = [*not_done(end), *in_the_end(victim, expected, work, outs), *left_running(beside)]
    yield f"after {moment.kind} {moment.at:g}", "", found


def not_done(end: End) -> Iterator[tuple[str, str]]:
    """Why a command has not gone on to its end, if it has not."""
    if end.code != 0 or "Traceback" in end.said:
        yield "not resumed", f"exit code {end.code}: {' '.join(end.said.split())[-300:]}"


def _where(victim: Victim, expected: Whole, work: Path) -> str:
    there = {name: content for name, content in contents(work).items() if name not in expected.given}
    if any(".partial" in name for name in there):
        return "within a write"
    new = {name: content for name, content in there.items() if content and content != OLDER}
    if not new:
        return "before the first write"
    made = expected.made.items()
    done = all(name in there and victim.same(name, content, there[name]) for name, content in made)
    return "after the last write" if done else "between writes"
