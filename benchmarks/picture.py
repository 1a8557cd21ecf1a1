"""The picture of the README: the optimum of the demonstration, and how far every policy is from it.

stepwatt demo && python -m benchmarks.picture
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import stepwatt as sw
from stepwatt.appearance import COLOURS, SERIES
from stepwatt.scores.record import Case

from .telling import told

SOURCE, PICTURE = Path("demo/comparison.json"), Path("docs/picture.svg")
TITLE: dict[str, Any] = {"fontsize": 11, "loc": "left"}
#: Policies in the right half, from the top.
SHOWN = (
    "oracle", "foresight, day-ahead", "rolling, day-ahead", "learned", "greedy",
    "fixed-steps", "local", "all-off",
)  # fmt: skip


def day(price: Any, power: Any, case: Case) -> None:
    """What power costs at every site, and how much each draws under the optimum, by half-hours."""
    inst, entry = case.instance, case.entry("oracle")
    assert entry.evaluation is not None
    shape = (len(inst.sites), -1, round(0.5 / inst.slot_hours))
    hours = np.arange(0, inst.n_slots * inst.slot_hours, 0.5)
    drawn = 1e3 * entry.evaluation.facility_mw.reshape(shape).mean(axis=2)
    paid = inst.arrays().import_price.reshape(shape).mean(axis=2)
    below = np.zeros(drawn.shape[1])
    for j, site in enumerate(inst.sites):
        price.step(hours, paid[j], where="post", color=SERIES[j], lw=1.8)
        power.bar(hours, drawn[j], 0.5, below, align="edge", color=SERIES[j], label=site)
        below += drawn[j]
    price.set(ylabel="USD/MWh", xlim=(0, 24), xticks=range(0, 25, 6))
    price.tick_params(labelbottom=False)
    power.set(ylabel="kW", xlim=(0, 24), xticks=range(0, 25, 6), xlabel="hour of 12 June 2018 (UTC)")
    power.legend(ncols=3, fontsize=9, frameon=False, loc="upper left")
    power.set_ylim(0, 1.2 * below.max())
    price.set_title("The certified optimum: prices and power", **TITLE)


def gaps(panel: Any, case: Case) -> None:
    """How far from the proven bound, on a logarithmic axis."""
    shares = [100 * case.gap(case.entry(name)) for name in SHOWN]
    colours = [COLOURS["renewable" if name == "oracle" else "import"] for name in SHOWN]
    panel.barh(SHOWN, shares, color=colours, height=0.62)
    for place, share in enumerate(shares):
        panel.text(share * 1.15, place, f"{share:.2g} %", va="center", fontsize=9)
    panel.set(xscale="log", xlim=(min(shares) / 2, 400), xlabel="gap to the proven bound, %")
    panel.invert_yaxis()
    panel.set_title("How far every policy is from it", **TITLE)


def demonstrated(file: Path) -> Case:
    """The day of a comparison, every policy shown done.

    Raises:
        InputError: a time limit ended some.
    """
    found = sw.Comparison.load(file)
    cut = [name for name in SHOWN if found.table.loc[name, "stopped"]]
    if cut:
        raise sw.InputError(
            field="policies",
            file=str(file),
            value=", ".join(cut),
            expected="policies that no time limit ended",
        )
    return found.cases[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw it from what the demonstration has written."""
    case = demonstrated(SOURCE)
    import matplotlib

    matplotlib.use("Agg")
    # the same bytes every time, and text as text
    matplotlib.rcParams |= {"svg.hashsalt": "stepwatt", "svg.fonttype": "none", "font.size": 10}
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(11, 3.8))
    places = fig.add_gridspec(2, 2, width_ratios=(1.4, 1), height_ratios=(1, 1.5), wspace=0.5)
    price, power = (fig.add_subplot(places[row, 0]) for row in (0, 1))
    share = fig.add_subplot(places[:, 1])
    day(price, power, case)
    gaps(share, case)
    for panel in (price, power, share):
        panel.spines[["top", "right"]].set_visible(False)
    fig.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})
    plt.close(fig)


if __name__ == "__main__":
    sys.exit(told(main))
