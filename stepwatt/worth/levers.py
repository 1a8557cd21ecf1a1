"""``levers``: what each lever and better information are worth, over a day or a set of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Instance
from stepwatt.formulation.arguments import whole
from stepwatt.formulation.instance.given import the_histories, the_instances
from stepwatt.solvers.interface.settings import Progress, Settings
from stepwatt.solvers.methods import solve
from stepwatt.solvers.optimum.levers import LEVERS, NOT_APPLICABLE, Worth, lever_worths

from ..console import Waited, part_of, told_progress
from ..scores.intervals import mean_interval
from ..scores.scores import check_currency
from .one_by_one import one_by_one

if TYPE_CHECKING:
    import pandas as pd

#: What may be known of tomorrow, from the least on: who decides with it, on which forecast, and the row that
#: holds the perfect day against it.
INFORMATION: dict[str, tuple[str, str | None, str]] = {
    "real-time": ("greedy", None, "knowing tomorrow, not only now"),
    "persistence": ("rolling", "persistence", "knowing tomorrow, not only yesterday"),
    "day-ahead": ("rolling", "day-ahead", "knowing tomorrow, not a day-ahead forecast"),
}
PERFECT = "perfect"
#: Information whose errors are drawn: once a seed.
_DRAWN = "day-ahead"

DAYS_A_YEAR = 365

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Levers:
    """Worths over each instance (USD of its horizon), by lever; ``utility`` and ``bound`` of the optimum, and
    what is ``earned`` with each information, by seed of the forecast's errors.

    ``table`` has one row per lever: ``low`` and ``high`` of a mean day, the same of a year, share of the
    utility, and, over several instances or seeds, the two-way 95 % interval that drawing other days and other
    errors would give (``interval_low`` of the low ends, ``interval_high`` of the high ones). ``information``
    has one row per information set.
    """

    instances: tuple[Instance, ...]
    worths: tuple[dict[str, Worth], ...]
    utility: tuple[float, ...]
    bound: tuple[float, ...]
    earned: tuple[dict[str, tuple[float, ...]], ...]

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.instances[0].currency

    @property
    def table(self) -> pd.DataFrame:
        """One row per lever."""
        import pandas as pd

        return pd.DataFrame([self._row(name) for name in self.worths[0]]).set_index("lever")

    @property
    def information(self) -> pd.DataFrame:
        """One row per information set, the least first: what is ``earned`` a day with it, what that ``adds``
        to the set before, and what the perfect day brings beyond it, from ``low`` to ``high``, with intervals
        as in ``table``; what perfect information earns is known from utility to bound."""
        import pandas as pd

        rows: list[dict[str, object]] = []
        before = float("nan")
        for name, (_, _, row) in INFORMATION.items():
            earned = float(self._of_seeds(name).mean())
            found = self._row(row)
            ends: dict[str, object] = {
                key: found[key] for key in ("low", "high", "interval_low", "interval_high") if key in found
            }
            rows.append({"information": name, "earned": earned, "adds": earned - before, **ends})
            before = earned
        perfect, most = (float((self._a_day * one).mean()) for one in (self.utility, self.bound))
        last = {"earned": perfect, "adds": perfect - before, "low": 0.0, "high": most - perfect}
        rows.append({"information": PERFECT, **last})
        return pd.DataFrame(rows).set_index("information")

    @property
    def _a_day(self) -> Floats:
        return np.array([24 / (inst.n_slots * inst.slot_hours) for inst in self.instances])

    def _of_seeds(self, name: str) -> Floats:
        """(S,N) what is earned a day with the information."""
        return np.array([earned[name] for earned in self.earned]).T * self._a_day

    def _ends(self, name: str) -> tuple[Floats, Floats]:
        """(S,N) ends of the lever's worth a day; one row where nothing is drawn."""
        drawn = next((key for key, (_, _, row) in INFORMATION.items() if row == name), None)
        if drawn is None or self.worths[0][name].note:
            found = [[getattr(worths[name], end) for worths in self.worths] for end in ("low", "high")]
            return np.array(found[:1]) * self._a_day, np.array(found[1:]) * self._a_day
        earned = self._of_seeds(drawn)
        low = np.maximum(0.0, np.array(self.utility) * self._a_day - earned)
        return low, np.array(self.bound) * self._a_day - earned

    def _row(self, name: str) -> dict[str, object]:
        (low, high), a_day = self._ends(name), self._a_day
        notes = sorted({worths[name].note for worths in self.worths})
        counted = bool(np.isfinite([low, high]).all())
        row: dict[str, object] = {
            "lever": name,
            "low": float(low.mean()),
            "high": float(high.mean()),
            "low_year": float(DAYS_A_YEAR * low.mean()),
            "high_year": float(DAYS_A_YEAR * high.mean()),
            "share_of_utility": float(low.mean() / max(abs(float((a_day * self.utility).mean())), 1e-9)),
        }
        if low.size > 1 or len(self.worths) > 1:
            row["interval_low"] = mean_interval(low, 0).low if counted else float("nan")
            row["interval_high"] = mean_interval(high, 0).high if counted else float("nan")
        what = LEVERS[name].what if name in LEVERS else name
        return row | {"note": ", ".join(note for note in notes if note), "what": what}

    def __repr__(self) -> str:
        days = self.instances[0].name if len(self.instances) == 1 else f"{len(self.instances)} instances"
        return f"<Levers of {days}: {', '.join(self.worths[0])}>"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return self.table.to_html(float_format="{:,.2f}".format)


def levers(
    instances: Instance | Sequence[Instance],
    *,
    histories: Sequence[Instance | None] | None = None,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    seed: int = 0,
    seeds: int = 1,
    workers: int = 1,
    progress: Waited = None,
) -> Levers:
    """What transfer, steps, clocks, storage, deferral, renewables, export and information are worth.

    A lever's worth is the optimum less the optimum without it. Both are known up to their gaps, so both ends
    are said; information is worth the optimum less what the best planner without it earns.

    Args:
        instances: one or several, of one currency.
        histories: the instance before each, for what is known of yesterday.
        gap: to which optima are certified; it sets how far the ends are apart.
        time_limit: seconds of a solve; where it ends one, the ends are further apart.
        seed: of the errors of day-ahead forecasts.
        seeds: how often these are drawn, from ``seed`` on.
        workers: instances in work at a time.
        progress: called with the share done and what was done; if not given, a line is shown where a person
            waits (a terminal, a notebook), and not if it is False.

    Raises:
        InputError: no instance, several currencies, not a history each, or no seed.
        SolverError: an instance has no schedule.
    """
    chosen = tuple(the_instances(instances))
    check_currency(chosen)
    past = the_histories(histories, len(chosen))
    seeds = whole(seeds, "seeds", 1)
    effort = Settings(gap=gap, time_limit=time_limit, seed=seed)
    days = {
        f"{number + 1} of {len(chosen)}: {inst.name}": (inst, before)
        for number, (inst, before) in enumerate(zip(chosen, past, strict=True))
    }
    with told_progress("levers", progress) as told:
        found = one_by_one(partial(_of_one, effort, seeds), days, workers, told)
    worths, utility, bound, earned = (tuple(part) for part in zip(*found, strict=True))
    return Levers(chosen, worths, utility, bound, earned)


def _of_one(
    effort: Settings, seeds: int, told: Progress, item: tuple[Instance, Instance | None]
) -> tuple[dict[str, Worth], float, float, dict[str, tuple[float, ...]]]:
    from stepwatt.solvers.interface.errors import SolverError

    inst, history = item
    parts = 1 + len(INFORMATION)
    full, found = lever_worths(inst, replace(effort, progress=part_of(told, 0, parts, "")))
    if full.utility is None or full.bound is None:
        raise SolverError(f"{inst.name} has no schedule: {full.message or full.status}")
    earned: dict[str, tuple[float, ...]] = {}
    for number, (name, (method, forecast, row)) in enumerate(INFORMATION.items()):
        told((1 + number) / parts, f"information: {name}")
        drawn = []
        for seed in range(effort.seed, effort.seed + (seeds if name == _DRAWN else 1)):
            planned = solve(inst, method, forecast=forecast, history=history, seed=seed).utility
            assert planned is not None
            drawn.append(planned)
        earned[name] = tuple(drawn * (1 if name == _DRAWN else seeds))
        mean = sum(drawn) / len(drawn)
        found[row] = Worth(max(0.0, full.utility - mean), full.bound - mean)
        if inst.n_slots == 1:  # there is no later slot to know
            found[row] = Worth(0.0, 0.0, NOT_APPLICABLE)
    return found, full.utility, full.bound, earned
