"""``docs/hybrid.md``, short, and all tables beside the results, from the cells that were measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from stepwatt.formulation.files import write_text
from stepwatt.learning.policies.trained import load_policy
from stepwatt.scores.intervals import difference_interval, mean_interval

from . import families
from .cases import cases
from .finetuning.tables import finetuned

DOCS = Path(__file__).resolve().parents[2] / "docs" / "hybrid.md"
REPORT = Path(__file__).resolve().parent / "results" / "report.md"
#: Methods that the page tells, of those that the tables have.
TOLD = ("greedy", "rolling day-ahead", "foresight", "renewed 1 h", "priced network")

Cell = dict[str, Any]
Gaps = np.ndarray[Any, np.dtype[np.float64]]


def cell_file(days: str, method: str, folder: Path) -> Path:
    """Where the measurement of a method on these days is kept."""
    return folder / f"{days}, {method}.json".replace(" ", "-")


def gaps_of(cell: Cell, bound: Cell) -> Gaps:
    """(S,N) % of the bound; one row for a method without seeds."""
    best = np.array(bound["utility"], dtype=float)
    utility = np.atleast_2d(np.array(cell["utility"], dtype=float))
    found: Gaps = 100 * (best - utility) / np.abs(best)
    return found


def measured(days: str, methods: tuple[str, ...], folder: Path) -> dict[str, Cell]:
    """The cells of one set of days by method; none without the two that all are held against."""
    cells: dict[str, Cell] = {
        method: json.loads(path.read_text(encoding="utf-8"))
        for method in methods
        if (path := cell_file(days, method, folder)).exists()
    }
    return cells if {"oracle", "all-off"} <= set(cells) else {}


def against_rolling(method: str, gaps: dict[str, Gaps]) -> str:
    """Points behind rolling with the same information, with their interval."""
    reference = f"rolling {'persistence' if method.endswith('persistence') else 'day-ahead'}"
    if reference not in gaps or method in ("oracle", reference):
        return "–"
    beside = difference_interval(gaps[method], gaps[reference], 0)
    return f"{beside.estimate:+.3f} ({beside.low:+.3f} … {beside.high:+.3f})"


def milliseconds(cell: Cell) -> list[str]:
    """Per decision: alone, in a batch of 64, of 1,024."""
    times = [cell.get(name) for name in ("seconds_1", "seconds_64", "seconds_1024")]
    return ["–" if x is None else f"{1e3 * x:.2f}" for x in times]


def table(days: str, methods: tuple[str, ...], folder: Path) -> list[str]:
    """The rows of one set of days."""
    cells = measured(days, methods, folder)
    if not cells:
        return []
    gaps = {method: gaps_of(cell, cells["oracle"]) for method, cell in cells.items()}
    lines = [
        f"## {days.capitalize()} ({gaps['oracle'].shape[1]} days)",
        "",
        "| method | gap median % | gap mean % (95 %) | against rolling, points (95 %) | captured % "
        "| largest miss % | ms per decision, alone | 64 | 1,024 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method, cell in cells.items():
        gap = gaps[method]
        mean = mean_interval(gap, 0)
        captured = 100 * float(np.mean(1 - gap / gaps["all-off"]))
        missed = [m for m in np.ravel(cell["miss"]) if m is not None]
        lines.append(
            f"| {method} | {float(np.median(gap)):.2f} | {mean.estimate:.3f} ({mean.low:.3f} … "
            f"{mean.high:.3f}) | {against_rolling(method, gaps)} | {captured:.2f} | "
            f"{100 * max(missed, default=float('nan')):.3f} | {' | '.join(milliseconds(cell))} |"
        )
    answers = [
        f"`{method}` {1e3 * cell['answer_64']:.2f} ms, largest certificate {cell['certificate']:.1e}"
        for method, cell in cells.items()
        if cell.get("certificate") is not None
    ]
    if answers:
        lines += ["", f"Without the day's plan, in a batch of 64: {'; '.join(answers)}."]
    large = [
        f"`{method}` {1e3 * cell['answer_1024']:.2f} ms"
        for method, cell in cells.items()
        if cell.get("answer_1024") is not None
    ]
    if large:
        lines += ["", f"In a batch of 1,024: {'; '.join(large)}."]
    missing = [method for method in methods if method not in cells]
    if missing:
        lines += ["", f"Not run: {', '.join(missing)}."]
    return [*lines, "", *verdicts(cells, gaps)]


def verdicts(cells: dict[str, Cell], gaps: dict[str, Gaps]) -> list[str]:
    """Which targets each priced policy misses, beside rolling with the same information set."""
    lines = []
    for method, cell in cells.items():
        rolling = "rolling persistence" if method.endswith("persistence") else "rolling day-ahead"
        if not method.startswith(("priced", "foresight", "renewed")) or rolling not in cells:
            continue
        gap, other, off = gaps[method], gaps[rolling], gaps["all-off"]
        missed = max((m for m in np.ravel(cell["miss"]) if m is not None), default=0.0)
        quickest = min(cell[name] for name in ("seconds_64", "seconds_1024") if cell.get(name) is not None)
        times = cells[rolling]["seconds_1"] / quickest
        met = {
            "median gap ≤ 1 %": float(np.median(gap)) <= 1,
            "misses ≤ 0.1 %": missed <= 1e-3,
            "≥ 90 % of what rolling captures": np.mean(1 - gap / off) >= 0.9 * np.mean(1 - other / off),
            "no worse than rolling (interval reaches 0)": difference_interval(gap, other, 0).low <= 0,
            "≤ 1 ms in batch": quickest <= 1e-3,
            f"≥ 50 times below rolling ({times:.0f} times)": times >= 50,
        }
        failed = [name for name, yes in met.items() if not yes]
        lines.append(f"* `{method}`: {'all targets met' if not failed else 'missed: ' + ', '.join(failed)}.")
    return [*lines, ""] if lines else []


def causes(folder: Path) -> list[str]:
    """What foresight loses, cause by cause."""
    kept = folder / "causes.json"
    if not kept.exists():
        return []
    found = json.loads(kept.read_text(encoding="utf-8"))
    lines = [
        f"## What is lost ({found['days']} validation days)",
        "",
        "Mean gap % of `foresight` with one thing changed, by what is known of the day.",
        "",
        "| | day-ahead | perfect |",
        "|---|---|---|",
    ]
    for name, row in found["mean gap %"].items():
        shown = [f"{row[known]:.3f}" if known in row else "–" for known in ("day-ahead", "perfect")]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    about = found["about"]
    return [*lines, "", f"Command: `python -m benchmarks.hybrid.causes`, {about['date']}, same machine.", ""]


def on_validation_days(folder: Path) -> list[str]:
    """More days, where test days are few."""
    kept = folder / "validation.json"
    if not kept.exists():
        return []
    found = json.loads(kept.read_text(encoding="utf-8"))
    lines = [
        "## Where test days are few: validation days",
        "",
        "Mean gap %, and points against day-ahead rolling (95 %). Few test days make wide intervals, which "
        "reach 0 easily; validation days are more, but prices were tuned on some of them.",
        "",
        "| | days | policy | gap mean % | rolling | against rolling, points (95 %) |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found["sets"].items():
        for policy, values in row.items():
            if policy not in ("days", "rolling"):
                gap, estimate, low, high = values
                lines.append(
                    f"| {name} | {row['days']} | {policy} | {gap:.3f} | {row['rolling']:.3f} | "
                    f"{estimate:+.3f} ({low:+.3f} … {high:+.3f}) |"
                )
    date = found["about"]["date"]
    return [*lines, "", f"Command: `python -m benchmarks.hybrid.validation`, {date}, same machine.", ""]


def latencies(folder: Path) -> list[str]:
    """How many times less a decision costs than rolling's."""
    kept = folder / "latency.json"
    if not kept.exists():
        return []
    found = json.loads(kept.read_text(encoding="utf-8"))
    rounds = len(next(iter(found["sets"].values()))["rolling"])
    lines = [
        "## Latency beside rolling",
        "",
        f"CPU time per decision in a batch of 1,024 and of day-ahead rolling, {rounds} rounds one after the "
        "other on the same core: medians, and the range of the rounds' quotients.",
        "",
        "| | policy | ms | rolling, ms | times below rolling | range |",
        "|---|---|---|---|---|---|",
    ]
    for days, row in found["sets"].items():
        rolling = np.array(row["rolling"])
        for policy, seconds in row.items():
            if policy != "rolling":
                times = rolling / np.array(seconds)
                lines.append(
                    f"| {days} | {policy} | {1e3 * np.median(seconds):.3f} | {1e3 * np.median(rolling):.2f} "
                    f"| {np.median(times):.1f} | {times.min():.1f} … {times.max():.1f} |"
                )
    date = found["about"]["date"]
    return [*lines, "", f"Command: `python -m benchmarks.hybrid.latency`, {date}, same machine.", ""]


def by_solve(folder: Path) -> list[str]:
    """How far the method is from what was played in the environment."""
    kept = folder / "by-solve.json"
    if not kept.exists():
        return []
    found = json.loads(kept.read_text(encoding="utf-8"))
    lines = [
        "## As `solve` plays it",
        "",
        "The rows above are played in the environment, where prices are actions and so are cut to the "
        'codec\'s box. `solve(inst, "foresight")` does not cut them. Mean gap % of both, and the largest '
        "difference of a day in points, for the policy of each set for which that is largest.",
        "",
        "| | policy | in the environment | by solve | largest difference of a day |",
        "|---|---|---|---|---|",
    ]
    for days, row in found["sets"].items():
        policy, (played, solved, apart) = max(row.items(), key=lambda one: one[1][2])
        lines.append(f"| {days} | {policy} | {played:.4f} | {solved:.4f} | {apart:.4f} |")
    date = found["about"]["date"]
    return [*lines, "", f"Command: `python -m benchmarks.hybrid.by_solve`, {date}, same machine.", ""]


def confirmed(folder: Path, name: str) -> list[str]:
    """A round on test days that nothing before has looked at."""
    kept = folder / f"confirmation-{name}.json"
    if not kept.exists():
        return []
    found = json.loads(kept.read_text(encoding="utf-8"))
    lines = [f"### {name.capitalize()} round: {ROUNDS[name]}", ""]
    lines += [
        "| | days | policy | gap median % | gap mean % | rolling, mean % | against rolling, points (95 %) "
        "| captured, of what rolling captures % | largest miss % | no worse |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for days, row in found["sets"].items():
        gap, rolling, off = (np.array(row[key]) for key in ("gap", "rolling", "all-off"))
        estimate, low, high = row["difference"]
        share = 100 * np.mean(1 - gap / off) / np.mean(1 - rolling / off)
        verdict = "better" if high < 0 else "yes" if low <= 0 else "no"
        lines.append(
            f"| {days} | {len(gap)} | {row['policy']} | {np.median(gap):.3f} | {gap.mean():.3f} "
            f"| {rolling.mean():.3f} | {estimate:+.3f} ({low:+.3f} … {high:+.3f}) | {share:.2f} "
            f"| {100 * row['miss']:.3f} | {verdict} |"
        )
    about = found["about"]
    where = f"{about['date']}, commit {about['git'][:7]}, same machine"
    command = "python -m benchmarks.hybrid.confirmation"
    now = name == next(iter(ROUNDS))
    command = f"`{command} {name}`" if now else f"`{command}` as it was then"
    return [*lines, "", f"Command: {command}, {where}.", ""]


def dated(cells: list[Path]) -> str:
    """When cells were measured: the day of most of them, and what was measured on other days."""
    by_day: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        days, method = cell.stem.replace("-", " ").split(", ", 1)
        measured_on = json.loads(cell.read_text(encoding="utf-8"))["about"]["date"]
        by_day.setdefault(measured_on, {}).setdefault(method, []).append(days)
    most = max(by_day, key=lambda day: sum(map(len, by_day[day].values())))
    told = [most]
    for day, methods in sorted(by_day.items()):
        if day != most:
            rows = "; ".join(f"`{method}`: {', '.join(days)}" for method, days in methods.items())
            told.append(f"{day} ({rows})")
    return ", ".join(told)


def in_short(folder: Path) -> list[str]:
    """One table of all sets of days: mean gaps, differences to rolling, times."""
    lines = [
        "## In short",
        "",
        "| days | method | gap mean % | against rolling, points (95 %) | ms a decision, largest batch |",
        "|---|---|---|---|---|",
    ]
    for days, case in cases(quick=False).items():
        cells = measured(days, case.methods, folder)
        gaps = {method: gaps_of(cell, cells["oracle"]) for method, cell in cells.items()}
        for method in TOLD:
            if method in cells:
                fastest = next(ms for ms in reversed(milliseconds(cells[method])) if ms != "–")
                beside = against_rolling(method, gaps)
                lines.append(f"| {days} | {method} | {gaps[method].mean():.3f} | {beside} | {fastest} |")
    return [*lines, ""]


def write_docs(folder: Path) -> None:
    """docs/hybrid.md and the page of all tables from the cells."""
    found = sorted(folder.glob("*,-*.json"))
    if not found:
        return
    where, dates = json.loads(found[-1].read_text(encoding="utf-8"))["about"], dated(found)
    introduction = [*INTRODUCTION.splitlines(), ""]
    command = (
        "Command: `python -m benchmarks.hybrid`, then `--docs`. "
        f"Date {dates}; {where['machine']}, torch {where['torch']}, one thread of a machine with two "
        "cores that other studies shared: times are CPU seconds. Seeds: forecasts of tests 9000 + number of "
        "the day, training 100, validation 5000, bootstrap 0."
    )
    targets = ["", *TARGETS.splitlines()]
    lines = ["# Prices against plans: all tables", ""]
    policies = [load_policy(file).training for file in sorted(folder.glob("policy*.npz"))]
    if policies:
        seeds = ", ".join(str(seed) for seed in sorted({made["seed"] for made in policies}))
        minutes = max(made["cpu_seconds"] for made in policies) / 60
        lines += [
            f"The policies: {policies[0]['generations']} generations, seeds {seeds}; at most {minutes:.1f} "
            "CPU minutes of training each, foresight of its days included.",
            "",
        ]
    for days, case in cases(quick=False).items():
        lines += table(days, case.methods, folder)
    lines += [
        *latencies(folder),
        *by_solve(folder),
        *CONFIRMATION.splitlines(),
        "",
        *(line for name in ROUNDS for line in confirmed(folder, name)),
        *causes(folder),
        *on_validation_days(folder),
        *finetuned(folder / "finetuning"),
        command,
    ]
    write_text(REPORT, "\n".join(lines) + "\n")
    short = [
        *introduction,
        *families.section(),
        *in_short(folder),
        command,
        *targets,
        "",
        *ELSEWHERE.splitlines(),
    ]
    write_text(DOCS, "\n".join(short) + "\n")


#: What is new in each.
ROUNDS = {
    "fourth": "the days between, values as they are now",
    "third": "other regions of the world, one policy for half-hour slots",
    "second": "the other home region's test days",
    "first": "other days of the first home region, and plans as they were before",
}

CONFIRMATION = """## Confirmation: test days that nothing before had looked at

Policies, days, measure and verdict of each round were committed before it was run; the newest stands first.
Rounds before the fourth ran on the code of their commits: plans in blocks (five-minute slots) took jobs that
waited for new ones whenever they were renewed, values of warmth came from a table, those of waiting jobs fell
twice as much along the queue. That was changed on validation days."""

ELSEWHERE = """All sets with all methods, latencies, four rounds of confirmation on days that nothing had
looked at, what is lost by what, and fine-tuning by evolution and reinforcement learning:
[all tables](../benchmarks/hybrid/results/report.md)."""

INTRODUCTION = """# Prices against plans

Can a policy that says what things are *worth*, answered by each slot's exact best response, replace
re-planning the horizon in every slot?

* `foresight` is the priced codec without learning: one plan of the forecast day, made once (all days of a
  batch together, by an interior-point method that stops early), gives prices of power and of jobs, loads and
  queues; dynamic programs around it say how the value of stored energy and of coolness changes with what is
  held, when generators run and what one that runs is worth. Slots of five minutes are planned in blocks of a
  quarter of an hour; in longer ones it says finer values of stored energy than policies can, and softer ones
  of waiting jobs, and rounds whole jobs at its own prices.
* `renewed` is foresight that is planned again every so many hours, from the state of the moment and with the
  forecast corrected by the errors seen so far (they last: 0.8 from hour to hour). Every plan but the first
  begins at the prices of the one before. What `solve` and `compare` call `foresight` is renewed every hour.
* `priced` adds corrections of these prices, found by evolution strategies on training days; validation days
  chose among the generations. Days with demand charges, and with generators, have policies of their own.
* `priced network` says prices without a plan: a network that imitates the prices of whoever knows the day,
  on its own states (DAgger).
* `direct cloned` imitates optimal schedules.

All see the day-ahead information set but those called `persistence` and `perfect`. Gap: to the proven bound
of perfect foresight; captured: share of what lies between all levers off and the bound. Against rolling: the
difference of interquartile means to rolling with the same information set, paired by day."""

TARGETS = """Targets, unseen days: median gap ≤ 1 %, misses ≤ 0.1 %, ≥ 90 % of the share that day-ahead
rolling captures, training ≤ 30 minutes; no worse than rolling with the same information set; ≤ 1 ms per
decision in batch and ≥ 50 times below rolling, in the largest batch that was timed. What is missed stands
below each of all tables; a day's plan is part of a decision's time, spread over the day's slots.

What rolling has and foresight has not is the newest plan of the jobs that wait: where
arrivals deviate anywhere, jobs should run at other times everywhere, and one value per queue, planned once,
does not say so. `renewed` has it, and learns from errors besides, which rolling does not: it takes the
forecast of the coming hours as it was. Its steps are compiled, so that it stays cheap in a batch
([learning.md](learning.md#prices-instead-of-decisions)); re-planning every two or three hours loses a little
and costs less. Values of waiting jobs are as soft as serves `renewed`; planned once, or said by a network,
somewhat stiffer ones were better (in trials that no command keeps).

Rows of 28 November, `priced` among them, are of foresight as it was before its values became finer and
softer and its plans more exact. Renewed, that loses less; planned once, softer values lose a little in the
first set. It takes more time, too. Times of the two days are of differently busy hours and so cannot be held
against each other; one after the other on the same core (`benchmarks.hybrid.latency.measure`, first set, two
rounds, 29 November), rolling took 19.0 and 20.5 ms a decision, foresight renewed every hour 0.43 and 0.45 ms
in the largest batch, 44 and 46 times less, and every three hours 84 and 88 times less: the target of 50 times
is just missed by what `solve` plays.

Where a confirmation says no, the middle half of the days is behind by what stands there; the mean may still
be ahead, since rolling loses much on few days. With demand charges the highest imports border the matrix of a
plan, and it takes more steps, which costs `renewed` much of its factor there.

With generators the bound is that of the linear relaxation, which commits them in parts, and so are the
certificates of slots, which are wide there; foresight commits generators for the whole day by a dynamic
program against each site's own bill. In five-minute slots corrections are not trained. Foresight of every
provider by itself, and a network for each, with exchanged prices, are measured in
[Coordination without disclosure](distributed.md#the-priced-policy-by-trade)."""
