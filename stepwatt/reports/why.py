"""Why a schedule decides as it does, and where it loses, for the page: at one relaxation's prices."""

from __future__ import annotations

from math import isnan
from typing import Any

from stepwatt.formulation import Evaluation, Schedule
from stepwatt.solvers.interface.dual_prices import slot_index
from stepwatt.solvers.optimum.regret import Priced

from ..scores.record import Case, Entry
from ..worth.where_lost import decisions_of
from ..worth.why import Reasons
from .figures.panel import label
from .tables import money

#: Slots times sites for which a page holds reasons.
MOST_REASONS = 3_000
#: Decisions told of a schedule.
DEAREST = 10


class Explained:
    """Schedules of a case explained; the relaxation is solved once, for the first of them."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._priced: Priced | None = None
        self._places = case.instance.n_slots * len(case.instance.sites)

    def part(self, entry: Entry) -> dict[str, Any]:
        """What the template is told of a schedule: ``note``, ``lost`` and ``texts`` (site by slot)."""
        nothing: dict[str, Any] = {"note": "", "lost": None, "texts": None}
        if entry.schedule is None or entry.evaluation is None:
            return nothing | {"note": "Without a schedule there is nothing to explain."}
        if not entry.scored:
            return nothing | {"note": "A schedule that breaks a constraint is not explained."}
        lost = self._lost(entry.schedule, entry.evaluation)
        return nothing | {"lost": lost} | self._reasons(entry.schedule)

    @property
    def priced(self) -> Priced:
        """The relaxation."""
        if self._priced is None:
            self._priced = Priced(self._case.instance.arrays())
        return self._priced

    def frame(self) -> dict[str, Any]:
        """What the page's script must know of the instance to find a slot and a site in a figure."""
        inst = self._case.instance
        return {
            "start": f"{inst.start_time:%Y-%m-%dT%H:%M:%S}Z",
            "step": inst.slot_hours * 3_600_000,
            "slots": inst.n_slots,
            "sites": list(inst.sites),
            "rows": [f"<b>{label(site)}</b>" for site in inst.sites],
        }

    def _lost(self, schedule: Schedule, judged: Evaluation) -> dict[str, Any]:
        inst = self._case.instance
        table, bound = decisions_of(inst, self.priced, schedule, judged)
        dearest = table[table["loss"] >= 0.005].head(DEAREST)
        times = slot_index(inst)
        rows = [
            (
                "" if isnan(row["slot"]) else f"{times[int(row['slot'])]:%d %b %H:%M}",
                row["site"],
                row["item"],
                _amount(row["amount"]),
                money(row["loss"]),
            )
            for row in dearest.astype({"slot": float}).to_dict("records")
        ]
        return {
            "rows": rows,
            "sum": money(float(dearest["loss"].sum())),
            "all": money(bound - judged.utility),
            "headings": ("when", "site", "decision", "amount", f"lost, {inst.currency}"),
        }

    def _reasons(self, schedule: Schedule) -> dict[str, Any]:
        inst = self._case.instance
        if self._places > MOST_REASONS:
            slots = f"{inst.n_slots:,} slots at {len(inst.sites)} sites"
            told = f"Reasons are left out: {slots} are more than a page holds; stepwatt why says any."
            return {"note": told}
        found = Reasons(inst, schedule, self.priced)
        texts = [[found.brief(slot, site) for slot in range(inst.n_slots)] for site in inst.sites]
        return {"texts": texts}


def _amount(value: float) -> str:
    if isnan(value):
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
