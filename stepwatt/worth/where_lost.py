"""``where_lost``: where a schedule loses against the optimum, by slot and item, and by decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, InputError, Instance, Schedule, evaluate
from stepwatt.formulation.instance.given import the_instance
from stepwatt.formulation.schedule.by_slot import money_by_slot
from stepwatt.solvers import Result, solve
from stepwatt.solvers.interface.dual_prices import slot_index
from stepwatt.solvers.optimum.losses import losses
from stepwatt.solvers.optimum.regret import Priced

from .. import solving
from ..console import Waited, part_of, told_progress

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

#: Losses below this share of all are not told one by one.
_NOISE = 1e-9

#: What a column of the model decides; the others say what they are by their name.
_DECISIONS = {
    "transfers": "jobs moved or run at home",
    "runs": "jobs run with the option",
    "lost": "jobs lost",
    "waiting": "jobs that wait",
    "gpus_on": "GPUs on",
    "gpu_time": "GPU time of GPUs that are on, not used",
    "import_mw": "import",
    "export_mw": "export",
    "renewable_mw": "sun and wind used",
    "charge_mw": "charging",
    "discharge_mw": "discharging",
    "energy_mwh": "battery full or empty",
    "generator_mw": "generator",
    "generator_on": "generator on",
    "generator_start": "generator started",
    "cooling_mw": "cooling",
    "temperature_c": "room at its limit",
    "room_heat": "room cooled in vain",
    "peak_mw": "peak",
    "peak": "peak",
}


@dataclass(frozen=True)
class WhereLost:
    """What ``mine`` earns less than ``optimum`` (USD), told twice.

    ``money``: one row per slot, one column per item of the breakdown, the optimum's contribution to the
    utility less mine (costs count negative); ``total`` is their sum, and the sum of all is the difference of
    the utilities. ``by_site`` the same by site. ``decisions``: what each decision of mine loses at the
    optimum's prices, the dearest first, none below zero; all of them are ``bound`` less my utility
    (:func:`decisions_of`).
    """

    instance: Instance
    mine: Evaluation
    optimum: Evaluation
    bound: float
    money: pd.DataFrame
    by_site: pd.DataFrame
    decisions: pd.DataFrame

    def __repr__(self) -> str:
        lost = f"{self.lost:,.2f} {self.instance.currency}"
        return f"<WhereLost on {self.instance.name!r}: {lost} over {len(self.money)} slots>"

    @property
    def lost(self) -> float:
        """The optimum's utility less mine."""
        return self.optimum.utility - self.mine.utility

    def to_dict(self, most: int = 10) -> dict[str, Any]:
        """For JSON: the slots, the items, and so many of the dearest decisions."""
        items = {str(item): float(value) for item, value in self.money.sum().items()}
        slots = self.money.reset_index().assign(slot=[time.isoformat() for time in self.money.index])
        return {
            "currency": self.instance.currency,
            "lost": self.lost,
            "bound_less_mine": self.bound - self.mine.utility,
            "items": items,
            "slots": slots.to_dict("records"),
            "dearest": self.decisions.head(most).to_dict("records"),
        }

    def __str__(self) -> str:
        money = self.instance.currency
        rest = self.money.drop(columns="total").sum()
        order = rest.abs().sort_values(ascending=False).index
        items = ", ".join(f"{item} {rest[item]:+,.2f}" for item in order if abs(rest[item]) >= 0.005)
        lines = [f"{self.lost:,.2f} {money} less than the optimum: {items or 'nothing'}"]
        lines.append("dearest decisions, at the optimum's prices:")
        for row in self.decisions.head(10).to_dict("records"):
            lines.append(f"  {row['loss']:>10,.2f} {money}  {row['words']}")
        return "\n".join(lines)


def where_lost(
    instance: Instance,
    mine: Result | Schedule,
    optimum: Result | Schedule | None = None,
    *,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    progress: Waited = None,
) -> WhereLost:
    """Where a schedule loses against the optimum: by slot and item, and by decision, the dearest first.

    The accounts are exact: they add up to the difference of the utilities. The losses of decisions are their
    reduced costs at the prices of the linear relaxation (complementary slackness), and add up to the distance
    of the schedule from its bound.

    Args:
        instance: of both.
        mine: a schedule that keeps the constraints, or a result with one.
        optimum: what it is held against; solved where it is not given.
        gap: to which it is then solved.
        time_limit: seconds of that.
        progress: called with the share done and what was done; if not given, a line is shown where a person
            waits (a terminal, a notebook), and not if it is False.

    Raises:
        InputError: a schedule that breaks a constraint, or a result without one.
        SolverError: the instance has no schedule.
    """
    a = the_instance(instance).arrays()
    my_schedule, my_judged = _judged(instance, mine, "mine")
    with told_progress("where-lost", progress, after=solving.PATIENCE) as told:
        told(0.0, "")
        if optimum is None:
            optimum = solve(
                instance, gap=gap, time_limit=time_limit, progress=part_of(told, 0, 2, "the optimum")
            )
        other, judged = _judged(instance, optimum, "optimum")
        told(0.5, "prices")
        decisions, bound = decisions_of(instance, Priced(a), my_schedule, my_judged)
        told(1.0, "")
    one, two = money_by_slot(a, other, judged), money_by_slot(a, my_schedule, my_judged)
    signs = {item: 1.0 if item in ("revenue", "export") else -1.0 for item in one}
    differences = {item: signs[item] * (one[item] - two[item]) for item in one}
    by_slot, by_site = _table(instance, differences), _by_site(instance, differences)
    return WhereLost(instance, my_judged, judged, bound, by_slot, by_site, decisions)


def decisions_of(
    instance: Instance, priced: Priced, schedule: Schedule, judged: Evaluation
) -> tuple[pd.DataFrame, float]:
    """What each decision of a schedule loses at the prices of the relaxation, the dearest first; the bound.

    Columns ``loss`` (USD), ``what`` and ``of`` as the model names them, ``site`` (empty where it is of none),
    ``slot``, ``amount``, ``item`` and ``words`` (the item and when it is). The losses add up to the bound
    less the schedule's utility.
    """
    found = losses(priced.problem, priced.a, priced.row_dual, schedule, judged)
    return _decisions(instance, priced, found.columns, found.rows, found.x), found.bound


def _judged(instance: Instance, given: Result | Schedule, name: str) -> tuple[Schedule, Evaluation]:
    schedule = given.schedule if isinstance(given, Result) else given
    if schedule is None:
        raise InputError(field=name, value="no schedule", expected="a schedule, or a result with one")
    judged = evaluate(instance, schedule)
    if not judged.feasible:
        family, broken = judged.worst
        told = f"{family} broken by {broken:.3g}"
        raise InputError(field=name, value=told, expected="a schedule that keeps every constraint")
    return schedule, judged


def _table(instance: Instance, differences: dict[str, Floats]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(
        {item: values.sum(axis=0) for item, values in differences.items()}, index=slot_index(instance)
    )
    return table.assign(total=table.sum(axis=1))


def _by_site(instance: Instance, differences: dict[str, Floats]) -> pd.DataFrame:
    import pandas as pd

    index = pd.Index(instance.sites, name="site")
    table = pd.DataFrame({item: values.sum(axis=1) for item, values in differences.items()}, index=index)
    return table.assign(total=table.sum(axis=1))


def _decisions(instance: Instance, priced: Priced, columns: Floats, rows: Floats, x: Floats) -> pd.DataFrame:
    import pandas as pd

    p, found = priced.problem, []
    index = slot_index(instance)
    least = _NOISE * max(float(columns.sum() + rows.sum()), 1e-30)
    for blocks, values, amounts in ((p.columns, columns, x), (p.rows, rows, np.full(len(rows), np.nan))):
        for block in blocks.values():
            many = block.ids if block.ids.ndim == 2 else block.ids[:, None]
            labels = None
            for member, place in zip(*np.nonzero(values[many] > least), strict=True):
                labels = block.labels() if labels is None else labels
                per_slot = block.ids.ndim == 2
                slot = int(place) if per_slot else None
                amount = float(amounts[many[member, place]])
                label = labels[member]
                item = _item(block.name, label)
                found.append(
                    {
                        "loss": float(values[many[member, place]]),
                        "what": block.name,
                        "of": ", ".join(map(str, label)),
                        "site": str(label[0]) if str(label[0]) in priced.a.sites else "",
                        "slot": slot,
                        "amount": amount,
                        "item": item,
                        "words": _words(item, slot, amount, index),
                    }
                )
    table = pd.DataFrame(found, columns=["loss", "what", "of", "site", "slot", "amount", "item", "words"])
    return table.sort_values("loss", ascending=False, kind="stable").reset_index(drop=True)


def _words(item: str, slot: int | None, amount: float, index: Any) -> str:
    when = "" if slot is None else f" at {index[slot]:%d %b %H:%M} (slot {slot})"
    much = "" if np.isnan(amount) else f": {amount:,.6g}"
    return f"{item}{when}{much}"


def _item(name: str, label: tuple[Any, ...]) -> str:
    what = _DECISIONS.get(name, name.replace("_", " "))
    if name == "transfers":
        origin, target, job_class = label
        return f"{job_class} jobs, {f'{origin} at home' if origin == target else f'{origin} to {target}'}"
    if name == "runs":
        site, job_class, model, steps, clock = label
        return f"{job_class} jobs in {site} with {model} at {steps} steps, clock {clock}"
    return f"{what}, {', '.join(map(str, label))}"
