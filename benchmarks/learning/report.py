"""Tables and figures of the studies before that of regimes, from the kept results, as results/report.md.

python -m benchmarks.learning.report [--quick]
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation.files import write_text
from stepwatt.scores.intervals import (
    Interval,
    area_under_curve,
    difference_interval,
    iqm_interval,
    mean_interval,
    median_interval,
    probability_of_improvement,
    steps_to_threshold,
)

from . import confirmation, playing
from .common import QUICK_RESULTS, RESULTS, Record, parser
from .days import Spread, days
from .pictures import adaptation_figure, figures
from .reading import curve, load

DOCUMENT = RESULTS / "report.md"
#: Share of the common best that counts as having learned.
REACHED = 0.95

#: Targets: share captured from scratch, share of jobs missed at most.
FROM_SCRATCH, MISSED = 0.6, 0.01
VARIED = {"volatility": "Price fluctuation", "heterogeneity": "Model heterogeneity"}
CONTROLS = ("sac-none", "sac-constant", "sac-placebo")

Floats = NDArray[np.float64]


def common_best(records: Sequence[Record]) -> float:
    """The highest mean share of the bound that any cell has at any time."""
    return max(float(curve(record, "env_steps")[1].mean(0).max()) for record in records)


def interval(found: Interval, scale: float = 1.0, digits: int = 3) -> str:
    """Estimate and ends as text; what was never reached is named so."""

    def text(value: float) -> str:
        return "never" if math.isinf(value) else f"{value * scale:,.{digits}f}"

    if math.isnan(found.low):
        return text(found.estimate)
    low = "0" if found.low == -math.inf else text(found.low)
    return f"{text(found.estimate)} [{low}, {text(found.high)}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def convergence_row(record: Record, reference: Record, threshold: float, ratio: str) -> list[str]:
    """One line of the table of study a."""
    steps, shares = curve(record, "env_steps")
    seconds, same = curve(record, "cpu_seconds")
    gaps = np.array(record["tests"]["test"]["gap"])
    better = "–"
    if record is not reference:
        base = np.array(reference["tests"]["test"]["gap"])
        better = interval(probability_of_improvement(gaps, base, 0), digits=2)
    return [
        record["cell"],
        interval(mean_interval(area_under_curve(steps, shares)[:, None], 0)),
        interval(mean_interval(shares[:, -1:], 0)),
        interval(median_interval(steps_to_threshold(steps, shares, threshold)), digits=0),
        interval(median_interval(steps_to_threshold(seconds, same, threshold)), digits=2),
        interval(iqm_interval(gaps, 0)),
        f"{np.mean(record['tests']['test']['captured']):.3f}",
        f"{100 * np.mean(record['tests']['test']['miss']):.2f} %",
        f"{np.mean(record['tests']['test']['paid']):.3f}",
        better,
        ratio,
    ]


def convergence_text(records: dict[str, Record], timing: Record | None) -> str:
    """Study a in words and numbers."""
    if not records:
        return ""
    best = common_best(list(records.values()))
    threshold = REACHED * best
    head = ["cell", "area under the curve", "last", "steps to 95 %", "CPU s to 95 %", "test gap (IQM)"]
    head += ["captured", "missed", "paid slots", "P(better than unshaped)", "training time"]
    rows = []
    for algo in ("sac", "td3", "ppo"):
        reference = records.get(f"{algo}-none")
        for name, record in records.items():
            if not name.startswith(f"{algo}-") or reference is None:
                continue
            shaper = name.split("-", 1)[1]
            ratio = f"{record['cpu_seconds'] / reference['cpu_seconds']:.2f} ×"
            if timing and algo == "sac":
                ratio = f"{timing['ratio'][shaper]:.2f} × (in turns)"
            rows.append(convergence_row(record, reference, threshold, ratio))
    one = next(iter(records.values()))
    seeds, test = len(one["seeds"]), len(one["tests"]["test"]["gap"][0])
    return (
        "### Convergence under the sparse reward\n\n"
        f"{seeds} seeds; common best {best:.3f} of the bound (highest mean of any cell on validation days), "
        f"threshold {threshold:.3f}. Area: mean share of the bound "
        "earned over the training; last: what the last policy earns on validation days. "
        f"Test: {test} unseen days, last policy. Brackets: 95 % intervals.\n\n"
        + table(head, rows)
        + "\n\n![Learning curves](convergence.png)\n\n"
        "![Gap of every seed](final.png)\n"
    )


def verdicts(
    studies: dict[str, dict[str, Record]],
    timing: Record | None = None,
    trained: dict[str, Record] | None = None,
) -> str:
    """What the numbers say of the paper's claims and of the targets, sentence by sentence."""
    found = studies["convergence"]
    lines = []
    if "sac-none" in found:
        lines += _of_convergence(found, timing)
    methods = studies["methods"]
    if {"oracle", "greedy", "all-off"} <= methods.keys():
        bound = methods["oracle"]["bound"]
        floor = methods["all-off"]["runs"][0]["utility"]
        greedy = playing.gaps(methods["greedy"]["runs"], bound)
        for name, record in methods.items():
            if "policies" not in record["plan"]:
                continue
            gaps = playing.gaps(record["runs"], bound)
            share = float(playing.captured(record["runs"], bound, floor).mean())
            missed = float(np.mean([run["miss"] for run in record["runs"]]))
            warm = int(record["plan"]["policies"]["cloning_updates"]) > 0
            verdict, wanted = _met(share >= FROM_SCRATCH), f"captured ≥ {FROM_SCRATCH:.0%}"
            if warm:
                beside = difference_interval(100 * gaps, 100 * greedy, 0)
                verdict = _met(beside.high < 0)
                wanted = (
                    f"better than greedy's gap of {greedy.mean():.3f}; "
                    f"difference in points {interval(beside, digits=2)}"
                )
            lines.append(
                f"{name}: gap {gaps.mean():.3f}, captured {share:.3f}, missed {missed:.2%} of the jobs. "
                f"Target ({wanted}): **{verdict}**; "
                f"at most {MISSED:.0%} missed: **{_met(missed <= MISSED)}**."
            )
    lines += fluid_verdicts(trained or {})
    return "### Verdicts\n\n" + "\n".join(f"* {line}" for line in lines) + "\n" if lines else ""


def fluid_verdicts(trained: dict[str, Record]) -> list[str]:
    """Warm starts beside greedy on the unseen days of the environment itself, where jobs are fluid."""
    lines = []
    for name, record in trained.items():
        if not record["plan"]["cloning_updates"] or "days" not in record["plan"]:
            continue
        spread = Spread(test=int(record["plan"]["days"]["test"]))
        found = days(spread, "test")
        greedy = found.gap(found.greedy)[None]
        gaps = np.array(record["tests"]["test"]["gap"])
        beside = difference_interval(100 * gaps, 100 * greedy, 0)
        lines.append(
            f"{name} on {gaps.shape[1]} unseen days with fluid jobs: gap {gaps.mean():.4f}, greedy "
            f"{greedy.mean():.4f}; difference in points {interval(beside, digits=2)}: "
            f"**{_met(beside.high < 0)}**."
        )
    return lines


def confirmation_text(records: dict[str, Record]) -> str:
    """The refined clone beside greedy on days that no study had looked at."""
    if not records:
        return ""
    head = ["jobs", "days", "weeks", "runs", "gap", "greedy's gap", "by day", "by week", "missed", "better"]
    rows = []
    for name, record in records.items():
        ours, greedy = (record["methods"][who]["runs"] for who in (confirmation.POLICY, "greedy"))
        by_day, by_week = confirmation.differences(record)
        gap, theirs = (playing.gaps(runs, record["bound"]) for runs in (ours, greedy))
        missed = float(np.mean([run["miss"] for run in ours]))
        cells = [name, str(gap.shape[1]), str(confirmation.weeks(record["days"])), str(len(gap))]
        cells += [f"{gap.mean():.4f}", f"{theirs.mean():.4f}"]
        cells += [interval(by_day, digits=2), interval(by_week, digits=2), f"{missed:.2%}"]
        rows.append([*cells, f"**{_met(max(by_day.high, by_week.high) < 0)}**"])
    return (
        "### Confirmation: the refined clone against greedy\n\n"
        "Test days that no study had looked at; policies, days and verdict were committed before. "
        "Differences of gaps in points, paired by day and by calendar week.\n\n" + table(head, rows) + "\n"
    )


def _met(yes: bool) -> str:
    return "met" if yes else "missed"


def _of_convergence(found: dict[str, Record], timing: Record | None) -> list[str]:
    none = found["sac-none"]
    paid, share = np.mean(none["tests"]["test"]["paid"]), np.mean(none["tests"]["test"]["captured"])
    missed = np.mean(none["tests"]["test"]["miss"])
    untrained = np.mean([run[0] for run in none["curve"]["paid"]])
    lines = [
        f"Before any training {untrained:.0%} of the slots of validation days are paid.",
        f"Unshaped SAC meets the service goal in {paid:.1%} of the slots of unseen days and misses "
        f"{missed:.2%} of the jobs, with {share:.1%} of what can be captured. The paper has it fail; here it "
        f"{'does not fail' if paid > 0.5 else 'fails'} at meeting the goal; it stops short at earning.",
        _peak(none),
    ]
    threshold = REACHED * common_best(list(found.values()))

    def reached(record: Record, axis: str) -> Interval:
        return median_interval(steps_to_threshold(*curve(record, axis), threshold))

    shaped = {n: r for n, r in found.items() if n.startswith("sac-") and n not in CONTROLS}
    if not shaped:
        return lines
    quickest = min(shaped, key=lambda name: reached(shaped[name], "env_steps").estimate)
    ours, theirs = (reached(r, "env_steps") for r in (shaped[quickest], none))
    ours_cpu, theirs_cpu = (reached(r, "cpu_seconds") for r in (shaped[quickest], none))
    met = ours.estimate <= theirs.estimate / 2 and ours.high < theirs.low and ours_cpu.high < theirs_cpu.low
    lines.append(
        f"First to 95 % of the common best among the shaped: {quickest} after {interval(ours, digits=0)} "
        f"steps and {interval(ours_cpu, digits=1)} CPU seconds, unshaped SAC after "
        f"{interval(theirs, digits=0)} steps and {interval(theirs_cpu, digits=1)} CPU seconds. "
        f"Target (half the steps and less time, intervals apart): **{_met(met)}**."
    )
    base = np.array(none["tests"]["test"]["gap"])
    better, worse = [], []
    for name, record in shaped.items():
        chance = probability_of_improvement(np.array(record["tests"]["test"]["gap"]), base, 0)
        better += [name] if chance.low > 0.5 else []
        worse += [name] if chance.high < 0.5 else []
    lines.append(
        "Shaped SAC whose last policies are better than unshaped ones (95 % interval of the probability "
        f"above one half): {', '.join(better) or 'none'}; "
        f"worse: {', '.join(worse) or 'none'}."
    )
    if "sac-diffusion-potential" in found:
        ratio, how = found["sac-diffusion-potential"]["cpu_seconds"] / none["cpu_seconds"], "in its cell"
        if timing:
            ratio, how = timing["ratio"]["diffusion-potential"], "timed in turns"
        lines.append(
            f"Training time of diffusion-potential, {how}: {ratio:.2f} × of unshaped "
            f"(target 1.25 ×; the paper's method 2.4 ×): **{_met(ratio <= 1.25)}**."
        )
    return lines


def _peak(record: Record) -> str:
    steps, shares = curve(record, "env_steps")
    mean = shares.mean(0)
    top = int(mean.argmax())
    return (
        f"Its mean share of the bound on validation days is highest, {mean[top]:.3f}, after "
        f"{steps[top]:,.0f} "
        f"steps and {mean[-1]:.3f} at the end: first crossings of a threshold can be passing, "
        "so the last value stands beside them."
    )


def methods_text(records: dict[str, Record]) -> str:
    """Study b: every method on the same test days."""
    if "oracle" not in records or "all-off" not in records:
        return ""
    bound = records["oracle"]["bound"]
    floor = records["all-off"]["runs"][0]["utility"]
    head = ["method", "runs", "utility, USD a day", "energy cost", "missed", "mean quality"]
    head += ["gap (IQM)", "captured", "CPU s per day"]
    rows: list[tuple[float, list[str]]] = []
    for name, record in records.items():
        runs = record["runs"]
        gap = playing.gaps(runs, bound)
        part = float(playing.captured(runs, bound, floor).mean())

        def mean(what: str, runs: list[dict[str, list[float]]] = runs) -> float:
            return float(np.mean([run[what] for run in runs]))

        cells = [name, str(len(runs)), f"{mean('utility'):.1f}", f"{mean('energy_cost'):.1f}"]
        cells += [f"{100 * mean('miss'):.2f} %", f"{mean('quality'):.4f}", interval(iqm_interval(gap, 0))]
        cells += [f"{part:.3f}", f"{record['cpu_seconds'] / len(bound):.3f}"]
        rows.append((-mean("utility"), cells))
    return (
        f"### Methods on {len(bound)} unseen days, whole jobs\n\n"
        + table(head, [cells for _, cells in sorted(rows)])
        + "\n"
    )


def variations_text(title: str, records: dict[str, Record]) -> str:
    """Studies c and d: how methods adapt as one thing is varied."""
    if not records:
        return ""
    head = ["case", "method", "gap", "transfers", "mean steps", "battery cycles", "missed"]
    rows = []
    for record in records.values():
        for method, found in record["methods"].items():

            def mean(what: str, runs: list[dict[str, list[float]]] = found["runs"]) -> float:
                return float(np.mean([run[what] for run in runs]))

            gap = float(playing.gaps(found["runs"], record["bound"]).mean())
            cells = [record["cell"], method, f"{gap:.3f}", f"{mean('transfers'):.3f}", f"{mean('steps'):.1f}"]
            rows.append([*cells, f"{mean('cycles'):.2f}", f"{100 * mean('miss'):.2f} %"])
    picture = f"\n![{title}]({title.lower().replace(' ', '-')}.png)\n"
    return f"### {title}\n\n" + table(head, rows) + "\n" + picture


def sensitivity_text(records: dict[str, Record]) -> str:
    """Study e."""
    if not records:
        return ""
    rows = []
    for name, record in records.items():
        steps, shares = curve(record, "env_steps")
        area = interval(mean_interval(area_under_curve(steps, shares)[:, None], 0))
        gap = interval(iqm_interval(np.array(record["tests"]["test"]["gap"]), 0))
        rows.append([name, str(len(record["seeds"])), area, gap, f"{record['cpu_seconds']:.0f}"])
    head = ["jemas with", "seeds", "area under the curve", "test gap (IQM)", "CPU s"]
    return "### Sensitivity of jemas\n\n" + table(head, rows) + "\n"


def made_text(records: Sequence[Record]) -> str:
    """Where and when the numbers were made."""
    if not records:
        return ""
    made = [record["made"] for record in records]
    parts = [sorted({str(one[key]) for one in made}) for key in ("machine", "date", "revision")]
    spent = sum(record["spent"]["cpu_seconds"] for record in records if "spent" in record)
    words = "; ".join(", ".join(part) for part in parts)
    return f"Made on {words}; {len(records)} results, {spent:,.0f} CPU seconds.\n"


def page(folder: Path) -> str:
    """All tables."""
    studies = {name: load(folder / name) for name in ("convergence", "methods", "sensitivity")}
    varied = {name: load(folder / name) for name in VARIED}
    timing = folder / "timing.json"
    clock = json.loads(timing.read_text(encoding="utf-8")) if timing.exists() else None
    trained = load(folder / "methods" / "trained")
    confirmed = load(folder / confirmation.STUDY)
    parts = (*studies.values(), *varied.values(), trained, confirmed)
    everything = [record for found in parts for record in found.values()]
    texts = [
        made_text(everything),
        verdicts(studies, clock, trained),
        convergence_text(studies["convergence"], clock),
        methods_text(studies["methods"]),
        confirmation_text(confirmed),
        *(variations_text(title, varied[name]) for name, title in VARIED.items()),
        sensitivity_text(studies["sensitivity"]),
    ]
    return "\n".join(text for text in texts if text)


def main() -> None:
    """Rewrite figures and the page (``--quick``: print it)."""
    chosen = parser(__doc__).parse_args()
    folder = QUICK_RESULTS if chosen.quick else RESULTS
    figures(load(folder / "convergence"), folder)
    for study, title in VARIED.items():
        adaptation_figure(load(folder / study), folder / f"{title.lower().replace(' ', '-')}.png")
    say: Callable[[str], Any] = print
    say(page(folder))
    if not chosen.quick:
        write_text(DOCUMENT, page(folder))


if __name__ == "__main__":
    main()
