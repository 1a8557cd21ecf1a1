"""The figures of the studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import playing
from .common import Record
from .reading import curve

AXES = {
    "env_steps": "environment steps per run",
    "updates": "updates per run",
    "cpu_seconds": "CPU s per run",
}
ADAPTING = {
    "gap": "gap to the bound",
    "transfers": "share of jobs moved",
    "steps": "mean denoising steps",
    "cycles": "battery cycles a day",
}


def figures(records: dict[str, Record], folder: Path) -> None:
    """Learning curves on three axes, and the test gap of every seed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    algos = [algo for algo in ("sac", "td3", "ppo") if any(name.startswith(algo) for name in records)]
    if not algos:
        return
    colours = {}
    fig, panels = plt.subplots(len(algos), 3, figsize=(13, 3.6 * len(algos)), squeeze=False, sharey=True)
    for row, algo in zip(panels, algos, strict=True):
        for panel, (axis, label) in zip(row, AXES.items(), strict=True):
            for name, record in records.items():
                if not name.startswith(f"{algo}-"):
                    continue
                shaper = name.split("-", 1)[1]
                colour = colours.setdefault(shaper, plt.get_cmap("tab20")(2 * len(colours) % 20 / 20))
                at, shares = curve(record, axis)
                style = {"none": "-", "placebo": ":", "constant": ":"}.get(shaper, "--")
                panel.plot(at, shares.mean(0), style, color=colour, label=shaper, lw=1.4)
            panel.set_xlabel(label)
            panel.set_ylim(0.4, 0.95)
        row[0].set_ylabel(f"{algo}: share of the bound")
        row[-1].legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(folder / "convergence.png", dpi=90)
    plt.close(fig)
    fig, panel = plt.subplots(figsize=(8, 0.32 * len(records) + 1.2))
    for place, (_, record) in enumerate(sorted(records.items(), reverse=True)):
        by_seed = np.array(record["tests"]["test"]["gap"]).mean(1)
        panel.plot(by_seed, [place] * len(by_seed), "o", ms=4, alpha=0.6)
        panel.plot([np.median(by_seed)], [place], "k|", ms=14)
    panel.set_yticks(range(len(records)), sorted(records, reverse=True))
    panel.set_xlabel("mean gap on test days, one dot per seed")
    panel.grid(axis="x", alpha=0.3)
    fig.tight_layout()
    fig.savefig(folder / "final.png", dpi=90)
    plt.close(fig)


def regimes_figure(records: Sequence[Record], shapers: Sequence[str], path: Path) -> None:
    """Learning curves of SAC on three axes, a row per regime: means of the seeds, and their middle 80 %."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows: dict[str, dict[str, Record]] = {}
    for record in records:
        algo, regime, shaper = record["cell"].split("-", 2)
        if algo == "sac" and shaper in shapers:
            rows.setdefault(regime, {})[shaper] = record
    if not rows:
        return
    colours = {name: plt.get_cmap("tab10")(number) for number, name in enumerate(shapers)}
    size = (11, 2.3 * len(rows))
    fig, panels = plt.subplots(len(rows), 3, figsize=size, squeeze=False, sharey="row", sharex="col")
    for row, (regime, found) in zip(panels, rows.items(), strict=True):
        for panel, axis in zip(row, AXES, strict=True):
            for shaper in [name for name in shapers if name in found]:
                at, shares = curve(found[shaper], axis)
                panel.plot(at, shares.mean(0), color=colours[shaper], label=shaper, lw=1.4)
                low, high = np.quantile(shares, (0.1, 0.9), axis=0)
                panel.fill_between(at, low, high, color=colours[shaper], alpha=0.15, lw=0)
            panel.grid(alpha=0.3)
        row[0].set_ylabel(f"{regime}: share of the bound")
        row[0].set_ylim(max(-0.05, row[0].get_ylim()[0]), None)
    for panel, label in zip(panels[-1], AXES.values(), strict=True):
        panel.set_xlabel(label)
    panels[-1, -1].set_xscale("log")
    handles = [plt.Line2D([], [], color=colours[name], label=name) for name in shapers]
    fig.legend(handles=handles, ncols=len(shapers), loc="upper center", fontsize=8, frameon=False)
    fig.tight_layout(rect=(0, 0, 1, 1 - 0.3 / size[1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=80)
    plt.close(fig)


def adaptation_figure(records: dict[str, Record], path: Path) -> None:
    """How each method's gap, transfers, steps and storage cycles change over the cases of study c or d."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if not records:
        return
    cases = list(records)
    fig, panels = plt.subplots(1, len(ADAPTING), figsize=(15, 3.6))
    for panel, (what, label) in zip(panels, ADAPTING.items(), strict=True):
        for method in next(iter(records.values()))["methods"]:
            line = []
            for record in records.values():
                runs = record["methods"][method]["runs"]
                values = playing.gaps(runs, record["bound"]) if what == "gap" else [run[what] for run in runs]
                line.append(float(np.mean(values)))
            panel.plot(range(len(cases)), line, "o-", ms=4, lw=1.4, label=method)
        panel.set_xticks(range(len(cases)), cases, rotation=20, fontsize=7)
        panel.set_title(label, fontsize=9)
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(path, dpi=90)
    plt.close(fig)
