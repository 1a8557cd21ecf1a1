"""The cells of the study of fine-tuning, and the section of ``docs/hybrid.md`` that tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.scores.intervals import Interval, difference_interval, mean_interval

Floats = NDArray[np.float64]
Cell = dict[str, Any]

ROLLING = ("rolling", "day-ahead")
UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Method:
    """An algorithm, what it is paid, and how long it runs; ``settings`` by what it starts from."""

    algo: str
    reward: str = "dense"
    shaper: str = "none"
    longer: int = 1
    """Factor on its length."""

    @property
    def name(self) -> str:
        """As the report has it."""
        parts = [self.algo]
        if self.algo != "es":
            parts += [self.reward] + [self.shaper] * (self.shaper != "none")
        return " ".join(parts + [f"{self.longer} times longer"] * (self.longer > 1))


ES = Method("es")
PPO_SHAPED = Method("ppo", "dense", "solver-potential")
METHODS = (
    ES,
    Method("ppo"),
    PPO_SHAPED,
    *(Method("ppo", "sparse", s) for s in ("none", "solver-potential", "diffusion-potential", "jemas")),
    Method("sac"),
    Method("sac", "dense", "solver-potential"),
    *(Method("sac", "sparse", s) for s in ("none", "solver-potential", "diffusion-potential")),
    Method("td3", "dense", "solver-potential"),
)
LONGER = (replace(ES, longer=3), replace(PPO_SHAPED, longer=3))
#: What is fine-tuned, and how.
STARTS: Mapping[str, tuple[Method, ...]] = {
    "priced network": (*METHODS, *LONGER),
    "foresight": METHODS,
    "priced network, every training day": (ES, PPO_SHAPED, *LONGER),
}


def cell_file(folder: Path, start: str, method: str) -> Path:
    """Where a cell is kept."""
    return folder / f"{start}, {method}.json".replace(" ", "-")


def read(folder: Path) -> dict[tuple[str, str], Cell]:
    """The cells that were measured, by start and method."""
    names = [ROLLING]
    for start, methods in STARTS.items():
        names += [(start, UNCHANGED), *((start, method.name) for method in methods)]
    files = {name: cell_file(folder, *name) for name in names}
    return {name: json.loads(file.read_text("utf-8")) for name, file in files.items() if file.exists()}


def finetuned(folder: Path) -> list[str]:
    """The section."""
    cells = read(folder)
    rolling = cells.pop(ROLLING, None)
    starts = [start for start, method in cells if method == UNCHANGED]
    if rolling is None or not starts:
        return []
    reference = gaps(rolling)
    lines = [*HEAD.splitlines(), ""]
    lines += [
        f"{reference.shape[1]} validation days judge; day-ahead rolling: {reference.mean():.3f} %.",
        "",
    ]
    for start in starts:
        lines += table(start, cells, reference)
    lines += shaping(cells)
    abouts = [cell["about"] for cell in cells.values()]
    commits = ", ".join(sorted({about["git"][:7] for about in abouts}))
    date = max(about["date"] for about in abouts)
    where = f"{date}, commit {commits}, same machine"
    return [
        *lines,
        *TAIL.splitlines(),
        "",
        f"Command: `python -m benchmarks.hybrid.finetuning`, {where}.",
        "",
    ]


def gaps(cell: Cell, which: str = "gap") -> Floats:
    """(S,N) %."""
    return np.array(cell[which], dtype=float)


def told(beside: Interval) -> str:
    """A difference with its interval."""
    return f"{beside.estimate:+.3f} ({beside.low:+.3f} … {beside.high:+.3f})"


def table(start: str, cells: dict[tuple[str, str], Cell], rolling: Floats) -> list[str]:
    """The rows of one start: kept policies, best first, and where trainings ended."""
    unchanged = cells[start, UNCHANGED]
    begins = gaps(unchanged)
    behind = told(difference_interval(begins, rolling, 0))
    noise = ", ".join(f"{gap:.3f} % at {std}" for std, gap in unchanged["exploring"].items())
    lines = [
        f"### From `{start}`",
        "",
        f"Unchanged: gap {begins.mean():.3f} %, against rolling {behind}; {100 * unchanged['paid']:.1f} % of "
        "the slots are paid under the sparse reward, though nowhere in any slot more than "
        f"{unchanged['failed']:.4f} jobs failed. Gap with noise on every number in every slot, by standard "
        f"deviation before tanh: {noise}.",
        "",
        "| method | gap mean % | against the start, points: means (95 %) | interquartile means (95 %) "
        "| against rolling (95 %) | last policy, gap mean % | largest miss % | 1,000 steps | CPU minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    trained = {method: cell for (of, method), cell in cells.items() if of == start and method != UNCHANGED}
    for method, cell in sorted(trained.items(), key=lambda pair: float(gaps(pair[1]).mean())):
        gap = gaps(cell)
        last = f"{gaps(cell, 'last').mean():.3f}" if cell["last"] else "–"
        lines.append(
            f"| {method} | {gap.mean():.3f} | {told(mean_interval(gap - begins, 0))} "
            f"| {told(difference_interval(gap, begins, 0))} "
            f"| {told(difference_interval(gap, rolling, 0))} | {last} | {100 * cell['miss']:.3f} "
            f"| {cell['env_steps'] / 1000:.0f} | {cell['cpu_seconds'] / 60:.2f} |"
        )
    return [*lines, ""]


def shaping(cells: dict[tuple[str, str], Cell]) -> list[str]:
    """What shapers change: the last policies, where no choice covers harm, and the
    kept ones."""
    rows = []
    for start, methods in STARTS.items():
        for method in methods:
            shaped = cells.get((start, method.name))
            plain = cells.get((start, replace(method, shaper="none").name))
            if method.shaper != "none" and plain and shaped:
                last, kept = (
                    told(mean_interval(gaps(shaped, which) - gaps(plain, which), 0))
                    for which in ("last", "gap")
                )
                rows.append(f"| {start} | {method.name} | {last} | {kept} |")
    if not rows:
        return []
    return [
        "### Shaping",
        "",
        "Mean gap of shaped training less that of unshaped training with the same reward, points (95 %).",
        "",
        "| start | method | last policies | kept policies |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


HEAD = """## Fine-tuning on utility

What do evolution strategies (`es`) and reinforcement learning add to prices that are good already?
`foresight` is corrected from zero on, `priced network` is trained on as it is (by evolution: corrected
linearly, as foresight is). Every third validation day chooses which policy of a training is kept, the
unchanged one among them, seed by seed; the others judge. Three seeds; CPU minutes are of one seed, looks at
the choosing days included; differences are paired by day, those against rolling of interquartile means.
`dense` pays every slot, `sparse` those that meet their service goal."""

TAIL = """What measures best is evolution, and only where something is left to correct:

* From `foresight` nothing gains. It is not the noise of judging, whose intervals are far narrower than the
  gap: a correction sees the same plan of the day, and what foresight loses is mostly what no plan of the
  morning knows (with the day known it loses 0.010 %, see what is lost). New plans help, corrections do not.
* From a network evolution gains most, in the mean more than on the middle half of the days, and more if it
  takes longer. Rolling stays far ahead.
* Reinforcement learning must explore in every slot anew, in every number. Best responses answer small
  differences of prices at once, so noise that is large enough to learn from costs more than there is to gain;
  evolution tries a deviation for whole days, and the same days both ways.
* Dense rewards with the solver's potential are regrets against the optimum, without what days differ by: with
  them PPO gains, without them it loses. Under the sparse reward the potential does not help, nor do learned
  potentials and `jemas`. Jobs are hardly ever missed here; a slot goes unpaid where a site that runs next to
  nothing has a crumb of a job cut back, and then looks like the loss of all it earned.
* SAC and TD3 stay where they are, since they are held there. Not held, they leave for good.
* Imitating the prices of all training days instead of every third adds more than fine-tuning does. What
  fine-tuning adds to that is within the intervals.

Tried and not kept (no command keeps it): SAC and TD3 with weaker or no hold (far worse);
PPO with 0.003 to 0.1 of noise and other traces, and unshaped with γ of 0.95 and 1; evolution
of all weights, of the last layer, and of the outputs' biases, each of which gained less on the choosing days
than linear corrections; longer imitation of all days (worse), and three draws of their forecasts (little).
The judging days were in sight while settings were tried; no test day was."""
