"""``levers``: what each lever and better information are worth, over a day or a set of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stepwatt.formulation import InputError, Instance
from stepwatt.solvers.interface.settings import Progress, Settings, silent
from stepwatt.solvers.many import Many, WorkerDied, in_order
from stepwatt.solvers.methods import solve
from stepwatt.solvers.optimum.levers import LEVERS, Worth, lever_worths

from ..scores.intervals import mean_interval
from ..scores.scores import check_currency

if TYPE_CHECKING:
    import pandas as pd

#: What is known, and what it is held against: the perfect day against the best that is done without it.
INFORMATION = {
    "knowing tomorrow, not a day-ahead forecast": ("rolling", "day-ahead"),
    "knowing tomorrow, not only yesterday": ("rolling", "persistence"),
    "knowing tomorrow, not only now": ("greedy", None),
}

DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Levers:
    """Worths over each instance (USD of its horizon), by lever; ``utility`` and ``bound`` of the optimum.

    ``table`` has one row per lever: ``low`` and ``high`` of a mean day, the same of a year, share of the
    utility, and, over several instances, the 95 % interval that drawing other days would give
    (``interval_low`` of the low ends, ``interval_high`` of the high ones).
    """

    instances: tuple[Instance, ...]
    worths: tuple[dict[str, Worth], ...]
    utility: tuple[float, ...]

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.instances[0].currency

    @property
    def table(self) -> pd.DataFrame:
        """One row per lever."""
        import pandas as pd

        return pd.DataFrame([self._row(name) for name in self.worths[0]]).set_index("lever")

    def _row(self, name: str) -> dict[str, object]:
        found = [worths[name] for worths in self.worths]
        a_day = np.array([24 / (inst.n_slots * inst.slot_hours) for inst in self.instances])
        low, high = (a_day * [getattr(one, end) for one in found] for end in ("low", "high"))
        notes = sorted({one.note for one in found})
        counted = bool(np.isfinite([low, high]).all())
        row: dict[str, object] = {
            "lever": name,
            "low": float(low.mean()),
            "high": float(high.mean()),
            "low_year": float(DAYS_A_YEAR * low.mean()),
            "high_year": float(DAYS_A_YEAR * high.mean()),
            "share_of_utility": float(low.mean() / max(abs(float((a_day * self.utility).mean())), 1e-9)),
        }
        if len(found) > 1:
            row["interval_low"] = mean_interval([low], 0).low if counted else float("nan")
            row["interval_high"] = mean_interval([high], 0).high if counted else float("nan")
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
    workers: int = 1,
    progress: Progress = silent,
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
        workers: instances in work at a time.
        progress: called with the share done and what was done.

    Raises:
        InputError: no instance, several currencies, or not a history each.
        SolverError: an instance has no schedule.
    """
    chosen = (instances,) if isinstance(instances, Instance) else tuple(instances)
    if not chosen:
        raise InputError(field="instances", value=[], expected="at least one")
    check_currency(chosen)
    past = [None] * len(chosen) if histories is None else list(histories)
    if len(past) != len(chosen):
        raise InputError(field="histories", value=len(past), expected=f"{len(chosen)}, one per instance")
    effort = Settings(gap=gap, time_limit=time_limit, seed=seed)
    answers = []
    for count, answer in enumerate(
        Many(partial(_of_one, effort), workers).run(zip(chosen, past, strict=True))
    ):
        progress((count + 1) / len(chosen), f"{count + 1} of {len(chosen)} instances")
        answers.append(answer)
    found = []
    for one in in_order(answers):
        if isinstance(one, WorkerDied):
            raise one
        found.append(one)
    return Levers(chosen, tuple(worths for _, worths in found), tuple(utility for utility, _ in found))


def _of_one(effort: Settings, item: tuple[Instance, Instance | None]) -> tuple[float, dict[str, Worth]]:
    from stepwatt.solvers.highs.session import SolverError

    inst, history = item
    full, found = lever_worths(inst, effort)
    if full.utility is None or full.bound is None:
        raise SolverError(f"{inst.name} has no schedule: {full.message or full.status}")
    for name, (method, forecast) in INFORMATION.items():
        planned = solve(inst, method, forecast=forecast, history=history, seed=effort.seed).utility
        assert planned is not None
        found[name] = Worth(max(0.0, full.utility - planned), full.bound - planned)
    return full.utility, found
