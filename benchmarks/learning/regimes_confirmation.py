"""Confirmation of the study of regimes, on test days that it has never looked at.

python -m benchmarks.learning.regimes_confirmation [--quick] [--docs]

Days, policies, measure, claims and the bounds of each were fixed, and committed, before it was run: no day
here was for validation or test of that study. The refined clone met these days once (confirmation.py), and
so did the policies of the first claims before the later ones were made; nothing was chosen by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.files import write_text
from stepwatt.learning.training.judge import Judge
from stepwatt.scores.intervals import Interval, mean_interval

from . import regimes
from .common import Cell, Record, begin, kept, parser, run_cells, trained, write_tables
from .confirmation import by_week, unseen, weeks
from .days import Spread
from .playing import captured, gaps, solved

STUDY = "regimes-confirmation"
HEAD = "# Regimes: claims, and what the days said\n\n"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Claim:
    """That a cell's measure, less that of another cell if one is named, lies between two numbers."""

    said: str
    ours: str
    than: str | None = None
    low: float = -math.inf
    high: float = math.inf
    measure: str = "share"
    """``share`` of the bound, or ``captured`` of what lies between all levers off and the bound."""


#: Shares of the bound within which two cells are called alike.
WORSE, ALIKE, BETTER = 0.02, 0.03, 0.01


def _above(algo: str, regime: str, first: str, second: str) -> Claim:
    ours, than = (f"{algo}-{regime}-{name}" for name in (first, second))
    return Claim(f"{regime}: {first} above {second}", ours, than, low=0.0)


def _alike(algo: str, regime: str) -> Claim:
    ours, than = (f"{algo}-{regime}-taught-by-{name}" for name in ("diffusion", "regression"))
    return Claim(f"{regime}: diffusion as regression", ours, than, low=-ALIKE, high=ALIKE)


#: Claimed before any policy met the days (``f7c9197``).
FIRST_CLAIMS = (
    Claim("R5: earned above none", "sac-R5-earned", "sac-R5-none", low=0.0),
    Claim("R5: booked above earned", "sac-R5-booked", "sac-R5-earned", low=0.0),
    Claim("R2: earned above none", "sac-R2-earned", "sac-R2-none", low=0.0),
    Claim("R2: booked not below earned", "sac-R2-booked", "sac-R2-earned", low=-WORSE),
    _alike("sac", "R5"),
    _alike("sac", "R4"),
    Claim("R5: exact not above booked", "sac-R5-exact", "sac-R5-booked", high=BETTER),
    Claim("R5, five times as long: booked captures 0.85", "sac-R5-booked-x5", low=0.85, measure="captured"),
)
#: Claimed before policies that only these claims name met the days; days and other policies had met before.
LATER_CLAIMS = (
    *(_above("sac", regime, "booked-now", "booked") for regime in ("S", "R4", "R5")),
    Claim("R2: booked-now not below booked", "sac-R2-booked-now", "sac-R2-booked", low=-WORSE),
    *(_above("sac", regime, "earned", "jemas") for regime in ("R2", "R5")),
    *(_above("ppo", regime, "earned", "none") for regime in ("R2", "R5")),
    *(_above("ppo", regime, "booked", "earned") for regime in ("R2", "R4", "R5")),
    _above("ppo", "R1", "none", "taught-by-diffusion"),
    *(_alike("ppo", regime) for regime in ("R4", "R5")),
    Claim("R5: exact not above booked", "ppo-R5-exact", "ppo-R5-booked", high=BETTER),
    _above("td3", "R5", "booked", "none"),
    *(_above("td3", regime, "booked-penalised", "booked") for regime in ("R2", "R5")),
    Claim("R5: exact not above booked-penalised", "td3-R5-exact", "td3-R5-booked-penalised", high=BETTER),
)
CLAIMS = FIRST_CLAIMS + LATER_CLAIMS


def verdict(claim: Claim, found: Interval) -> str:
    """``holds`` where the whole interval is what is claimed, ``fails`` where none of it is."""
    if claim.low <= found.low and found.high <= claim.high:
        return "holds"
    if found.high < claim.low or found.low > claim.high:
        return "fails"
    return "undecided"


def difference(claim: Claim, cells: Mapping[str, Record], known: Record) -> Interval:
    """Of the claim's measure: mean and two-way interval over seeds and calendar weeks, as days that follow
    each other are alike; paired by both, as cells begin with the same draws of a seed."""

    def of(cell: str) -> Floats:
        return by_week(known["days"], shares(cells[cell], known, claim.measure))

    return mean_interval(of(claim.ours) - (of(claim.than) if claim.than else 0.0), 0)


def shares(cell: Record, known: Record, measure: str) -> Floats:
    """(S,N) of the bound, or of what lies between all levers off and the bound."""
    if measure == "captured":
        return captured(cell["runs"], known["bound"], known["all_off"])
    return 1.0 - gaps(cell["runs"], known["bound"])


def table(cells: Mapping[str, Record], known: Record) -> str:
    """A row per claim, and which are not looked at yet."""
    lines = [
        "| learner | claimed before looking | first | second | difference [95 %] | claimed | |",
        "|---|---|---|---|---|---|---|",
    ]
    left = []
    for claim in CLAIMS:
        if not _looked_at(claim, cells):
            left.append(f"{_learner(claim)}, {claim.said} ({_bounds(claim)})")
            continue
        found = difference(claim, cells, known)
        names = (claim.ours, claim.than)
        sides = [f"{shares(cells[name], known, claim.measure).mean():.3f}" if name else "–" for name in names]
        told = (_learner(claim), claim.said, *sides, _interval(found), _bounds(claim), verdict(claim, found))
        lines.append(f"| {' | '.join(told)} |")
    days, made = known["days"], [record["made"] for record in cells.values()]
    machines, dates = (sorted({one[what] for one in made}) for what in ("machine", "date"))
    foot = (
        f"{len(days)} days in {weeks(days)} weeks, 10 seeds a cell, share of the bound (five times as long: "
        f"captured); {' and '.join(machines)}; {', '.join(dates)}."
    )
    lines += ["", foot] + ([f"Not looked at yet: {'; '.join(left)}."] if left else [])
    return "\n".join(lines) + "\n"


def summary(cells: Mapping[str, Record], known: Record) -> str:
    """How many claims hold by learner, and which do not."""
    lines = ["| learner | hold | undecided | fail |", "|---|---|---|---|"]
    looked_at = [claim for claim in CLAIMS if _looked_at(claim, cells)]
    for learner in dict.fromkeys(map(_learner, looked_at)):
        told: dict[str, list[str]] = {"holds": [], "undecided": [], "fails": []}
        for claim in looked_at:
            if _learner(claim) == learner:
                found = difference(claim, cells, known)
                told[verdict(claim, found)].append(f"{claim.said} ({_interval(found)})")
        held, *others = told.values()
        lines.append(f"| {learner} | {len(held)} | {' | '.join('; '.join(said) or '–' for said in others)} |")
    return "\n".join(lines) + "\n"


def _looked_at(claim: Claim, cells: Mapping[str, Record]) -> bool:
    return claim.ours in cells and (claim.than is None or claim.than in cells)


def _learner(claim: Claim) -> str:
    return claim.ours.split("-")[0].upper()


def _interval(found: Interval) -> str:
    return f"{found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _bounds(claim: Claim) -> str:
    if math.isinf(claim.high):
        return f"> {claim.low:g}"
    return f"< {claim.high:g}" if math.isinf(claim.low) else f"{claim.low:g} … {claim.high:g}"


def bounds(instances: Sequence[Instance]) -> Record:
    """The bound of each day and what all levers off earn (USD)."""
    bound, _ = solved(instances, "lp")
    _, nothing = solved(instances, "all-off")
    return {"bound": bound, "all_off": nothing["runs"][0]["utility"]}


def played(cell: Cell, instances: Sequence[Instance]) -> Record:
    """What the last policies of the cell's runs earn (USD) and miss on fluid days."""
    task, policy = trained(cell)
    seen = Judge(instances, task, policy.runs).by_day(policy)
    values = {name: seen[name].numpy().astype(float) for name in ("utility", "miss_rate")}
    runs = [{name: of[run] for name, of in values.items()} for run in range(policy.runs)]
    return {"runs": runs}


def main() -> None:
    """Train what the cache has not, then look once; with --docs, write the table into the page."""
    options = parser(__doc__)
    options.add_argument("--docs", action="store_true", help="write the tables of what there is")
    chosen = options.parse_args()
    folder = begin(STUDY, chosen)
    names = dict.fromkeys(name for claim in CLAIMS for name in (claim.ours, claim.than) if name)
    if chosen.list:
        print("\n".join(names))
        return
    seeds = chosen.seeds or (2 if chosen.quick else regimes.SEEDS)
    every = {cell.name: cell for cell in regimes.cells(seeds, chosen.quick)}
    cells = [every[name] for name in names]
    if chosen.docs:
        cells = [cell for cell in cells if (folder / f"{cell.name}.json").exists()]
    family, found = Spread(test=1).family("test"), unseen(chosen.quick)
    instances = [family.instance(family.regions[0], day, False) for day in found]
    days = {"days": [day.isoformat() for day in found]}
    known = kept(folder, "days", days, lambda: days | bounds(instances))
    records = run_cells(
        cells, folder, only=chosen.cells, workers=chosen.workers, run=lambda cell: played(cell, instances)
    )
    looked_at = {record["cell"]: record for record in records}
    text = table(looked_at, known)
    print(text)
    if chosen.docs:
        write_text(folder.parent / f"{STUDY}.md", HEAD + text)
        write_tables(regimes.PAGE, STUDY, summary(looked_at, known))


if __name__ == "__main__":
    main()
