"""The study of regimes as tables: one for the page, and one per algorithm and regime with all details."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t

from stepwatt.scores.intervals import (
    iqm_interval,
    mean_interval,
    median_interval,
    probability_of_improvement,
    steps_to_threshold,
)

from .common import Record
from .reading import curve

#: Share of the highest mean of a regime that counts as having learned.
REACHED = 0.95
#: What others are measured against: no shaping, for the usual steps and for five times as many.
UNSHAPED = ("none", "none-x5")
HEAD = (
    "shaper",
    "last (mean, 95 %)",
    "peak",
    "fallen since",
    "captured",
    "steps to 95 % of the best",
    "CPU s to it",
    "test gap [two-way 95 %]",
    "IQM of it",
    "better than unshaped",
)


def summary(records: Sequence[Record], regimes: Sequence[str]) -> str:
    """A row per algorithm and shaper, a column per regime: the last mean with its interval."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for record in records:
        algo, regime, shaper = record["cell"].split("-", 2)
        share = curve(record, "env_steps")[1][:, -1]
        told = f"{share.mean():.3f} ± {half_interval(share):.3f}".replace("0.", ".")
        cells.setdefault((algo, shaper), {})[regime] = told
    lines = ["| | shaper | " + " | ".join(regimes) + " |", "|---" * (len(regimes) + 2) + "|"]
    for algo in sorted({algo for algo, _ in cells}, key=["sac", "ppo", "td3"].index):
        said = algo.upper()  # once
        for (other, shaper), row in cells.items():
            if other == algo:
                told = [said, shaper, *(row.get(regime, "") for regime in regimes)]
                lines.append("|" + "".join(f" {cell} |" if cell else " |" for cell in told))
                said = ""
    return "\n".join(lines) + "\n\n" + _made(records, revisions=False)


def tables(records: Sequence[Record]) -> str:
    """Share of the bound on validation days, when it was reached, and the gap on test days, with intervals
    over seeds, on test days over seeds and days."""
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for record in records:
        algo, regime, _ = record["cell"].split("-", 2)
        groups.setdefault((algo, regime, record["plan"]["training"]["env_steps"]), []).append(record)
    parts = [
        _table(f"{regime}, {algo.upper()}, {steps:,} steps", rows)
        for (algo, regime, steps), rows in groups.items()
    ]
    return "\n".join(parts) + "\n" + _made(records, revisions=True)


def _table(what: str, records: Sequence[Record]) -> str:
    best = max(float(curve(record, "env_steps")[1].mean(0).max()) for record in records)
    lines = [
        f"**{what}**: best mean {best:.3f} of the bound",
        "",
        "| " + " | ".join(HEAD) + " |",
        "| --- " * len(HEAD) + "|",
    ]
    unshaped = [record for record in records if record["cell"].split("-", 2)[2] in UNSHAPED]
    reference = unshaped[0] if unshaped else None
    lines += [_row(record, REACHED * best, reference) for record in records]
    return "\n".join(lines) + "\n"


def _row(record: Record, threshold: float, unshaped: Record | None) -> str:
    steps, share = curve(record, "env_steps")
    seconds, same = curve(record, "cpu_seconds")
    # what was taught before the training is part of its time
    seconds = seconds + record["cloning_cpu_seconds"] / len(share)
    last, captured = share[:, -1], np.array(record["curve"]["captured"], dtype=float)[:, -1]
    best = share[:, share.mean(0).argmax()]
    gaps = record["tests"]["test"]["gap"]
    test, typical = mean_interval(gaps, 0), iqm_interval(gaps, 0)
    better = ""
    if unshaped is not None and unshaped is not record:
        wins = probability_of_improvement(gaps, unshaped["tests"]["test"]["gap"], 0)
        better = f"{wins.estimate:.2f} [{wins.low:.2f}, {wins.high:.2f}]"
    told = (
        record["cell"].split("-", 2)[2],
        f"{last.mean():.3f} ± {half_interval(last):.3f}",
        f"{best.mean():.3f}",
        f"{(best - last).mean():.3f} ± {half_interval(best - last):.3f}",
        f"{captured.mean():.2f}",
        _first(steps, share, threshold, 0),
        _first(seconds, same, threshold, 1),
        f"{test.estimate:.3f} [{test.low:.3f}, {test.high:.3f}]",
        f"{typical.estimate:.3f} [{typical.low:.3f}, {typical.high:.3f}]",
        better,
    )
    return f"| {' | '.join(told)} |"


def half_interval(values: np.ndarray) -> float:
    """Half the 95 % interval of a mean (Student)."""
    if len(values) < 2:
        return float("nan")
    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def _first(at: np.ndarray, share: np.ndarray, threshold: float, digits: int) -> str:
    """Median over runs of when the threshold is first crossed, with its interval."""
    found = median_interval(steps_to_threshold(at, share, threshold))

    def told(value: float) -> str:
        return "never" if np.isinf(value) else f"{value:,.{digits}f}"

    if np.isinf(found.estimate):
        return "never"
    low = "0" if found.low == -np.inf else told(found.low)
    return f"{told(found.estimate)} [{low}, {told(found.high)}]"


def _made(records: Sequence[Record], *, revisions: bool) -> str:
    """Where and when, and what it cost; with the revisions of the code, where there is room for them."""
    seeds = sorted({len(record["seeds"]) for record in records})
    machines = sorted({record["made"]["machine"] for record in records})
    dates = sorted({record["made"]["date"] for record in records})
    known = sorted({record["made"]["revision"] for record in records})
    spent = sum(record["spent"]["cpu_seconds"] for record in records) / 3600
    many = " or ".join(map(str, seeds))
    return (
        f"{len(records)} cells of {many} seeds, {spent:.1f} CPU hours; "
        f"{' and '.join(machines)}; {', '.join(dates)}"
        + (f"; revisions {', '.join(known)}.\n" if revisions else ".\n")
    )
