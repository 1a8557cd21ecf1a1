"""``expansion``: what one more unit of plant is worth a year, and the best sizes under their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.data.catalogue import load_catalogue
from stepwatt.data.technologies import HOURS_A_YEAR, annual_costs
from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import flag, number, table
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.instance.given import the_instances
from stepwatt.solvers import Result
from stepwatt.solvers.interface.settings import Settings
from stepwatt.solvers.optimum.expansion import (
    BATTERY_MW,
    BATTERY_MWH,
    GPUS,
    GRID_MW,
    RENEWABLE_MW,
    THINGS,
    Expansion,
    Sized,
)
from stepwatt.solvers.optimum.oracle import oracle

from ..console import Waited, told_progress
from ..scores.scores import check_currency

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

#: How far sizes may grow by themselves: times what there is, and hours of storage.
GROWTH, HOURS = 10.0, 24.0
_UNITS = {"battery_mwh": "MWh", "gpus": "GPU"}


@dataclass(frozen=True)
class Expanded:
    """Worths and best sizes over the days of ``instances``; money of a year of such days.

    ``table``, a row per site and thing: ``now``; ``worth`` of one more unit, the dual of the relaxation, that
    no unit exceeds; its ``cost``, both a year; ``best`` size of the relaxation; ``chosen``, whole for GPUs.
    ``gain`` (low, high): what the chosen sizes bring a year more than those of now, their cost paid, between
    certified ends; no sizes within the limits bring more than ``most``. ``results`` are the optima of the
    days with the chosen sizes, ``before`` those of now.
    """

    instances: tuple[Instance, ...]
    table: pd.DataFrame
    gain: tuple[float, float]
    most: float
    before: tuple[Result, ...]
    results: tuple[Result, ...]

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.instances[0].currency

    def __repr__(self) -> str:
        low, high = self.gain
        return f"<Expanded: {low:,.2f} to {high:,.2f} {self.currency} a year, at most {self.most:,.2f}>"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return self.table.to_html(float_format="{:,.4g}".format)


def expansion(
    instances: Instance | Sequence[Instance],
    *,
    costs: Mapping[str, float] | None = None,
    installed: Mapping[str, float] | None = None,
    most: Mapping[str, float] | None = None,
    keep: bool = True,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    progress: Waited = None,
) -> Expanded:
    """What one more MWh or MW of battery, MW of grid, MW of sun and wind, or GPU is worth a year at each
    site, and how much of each is best: sizes are variables of the linear relaxation of all days, one solve.

    The best sizes are then rounded, and every day is solved with them, certified. Days stand for the year
    alike: a year is 8,760 of their hours.

    Args:
        instances: a day, or several of the same sites.
        costs: money per unit and year, by thing (``battery_mwh``, ``battery_mw``, ``grid_mw``,
            ``renewable_mw``, ``gpus``), for all sites, or one (``"gpus.DE"``). Those of the catalogue where
            none is given; a thing without a cost keeps its size.
        installed: MW, by site, that the series ``renewable_mw`` stand for; by default their highest value.
        most: largest sizes, by thing or thing and site.
        keep: what is there stays and is paid for; else sizes begin at 0 and cost from the first unit.
        gap: to which days are solved.
        time_limit: seconds of each.
        progress: called with the share done and what was done; if not given, a line is shown where a person
            waits (a terminal, a notebook), and not if it is False.

    Raises:
        InputError: no instance, of several currencies, other sites or sizes; an unknown thing or site; a
            currency that the catalogue has no costs in.
        SolverError: a day has no schedule.
    """
    days, keep = tuple(the_instances(instances)), flag(keep, "keep")
    check_currency(days)
    sites = tuple(days[0].sites)
    for day in days[1:]:
        if tuple(day.sites) != sites:
            raise InputError(field="instances", value=list(day.sites), expected=f"the sites {list(sites)}")
    known = annual_costs(days[0].currency) if costs is None else {}
    prices = {name: one.value for name, one in known.items()} if costs is None else costs
    cost = _by_site("costs", prices, sites)
    standing = _installed(days, installed or {})
    now = _sizes(days[0], standing)
    for place, day in enumerate(days):
        if not np.array_equal(_sizes(day, standing), now):
            raise InputError(
                field=f"instances[{place}]", value=day.name, expected="the sizes of the first one"
            )
    limit = _limits(days, now, _by_site("most", most or {}, sites))
    a_year = HOURS_A_YEAR / sum(day.n_slots * day.slot_hours for day in days)
    largest = [with_sizes(day, limit, standing).arrays() for day in days]
    model = Expansion(largest, limit)
    # what has no cost keeps its size, and so does what cannot be had
    free = np.isfinite(cost) & (limit > 0)
    least = np.where(free & (not keep), 0.0, now)
    paid = now if keep else np.zeros_like(now)
    priced = np.where(np.isfinite(cost), cost, 0.0) / a_year
    effort = Settings(gap=gap, time_limit=time_limit)
    before, results = [], []
    with told_progress("expansion", progress) as told:
        told(0.0, "relaxation with sizes")
        here = model.at(now)
        best = model.best(least, np.where(free, limit, now), priced, paid)
        chosen = _rounded(best, now, least, limit)
        for place, day in enumerate(days):
            told((place + 1) / (len(days) + 1), f"{place + 1} of {len(days)} days")
            before.append(oracle(day, effort))
            results.append(oracle(with_sizes(day, chosen, standing), effort))
    spent = float((priced * (chosen - paid)).sum())
    spent_now = float((priced * (now - paid)).sum())
    ends = [
        _total(results, "utility") - _total(before, "bound"),
        _total(results, "bound") - _total(before, "utility"),
    ]
    low, high = (a_year * (end - spent + spent_now) for end in ends)
    no_more = a_year * (best.bound - _total(before, "utility") + spent_now)
    table = _table(sites, now, a_year * here.worth, cost, best.sizes, chosen, limit)
    return Expanded(days, table, (low, high), no_more, tuple(before), tuple(results))


def with_sizes(inst: Instance, sizes: Floats, installed: Floats) -> Instance:
    """The instance with other sizes (things, J); where it has no battery, one as the catalogue has it."""
    changes: dict[str, Any] = {}
    for j, (name, site) in enumerate(inst.sites.items()):
        at = f"sites.{name}"
        power, energy = float(sizes[BATTERY_MW, j]), float(sizes[BATTERY_MWH, j])
        if site.battery is None and (power > 0 or energy > 0):
            changes[f"{at}.battery"] = _usual_battery() | {"energy_mwh": energy, "power_mw": power}
        elif site.battery is not None:
            changes |= {f"{at}.battery.energy_mwh": energy, f"{at}.battery.power_mw": power}
        changes[f"{at}.grid.import_limit_mw"] = float(sizes[GRID_MW, j])
        if installed[j] > 0:
            series = np.asarray(inst.arrays().renewable_mw[j]) * (sizes[RENEWABLE_MW, j] / installed[j])
            changes[f"{at}.renewable_mw"] = series.tolist()
        changes[f"{at}.gpus"] = round(float(sizes[GPUS, j]))
    return inst.replace(changes)


def _usual_battery() -> dict[str, float]:
    known = {name: number.value for name, number in load_catalogue().constants.items()}
    efficiency = known["battery_efficiency"]
    shares = {f"soc_{name}": known[f"battery_soc_{name}"] for name in ("min", "max", "initial")}
    way = {"charge_efficiency": efficiency, "discharge_efficiency": efficiency}
    return {**way, **shares, "wear_cost": known["battery_wear_cost"]}


def _sizes(inst: Instance, installed: Floats) -> Floats:
    found = np.zeros((len(THINGS), len(inst.sites)))
    for j, site in enumerate(inst.sites.values()):
        if site.battery is not None:
            found[[BATTERY_MWH, BATTERY_MW], j] = site.battery.energy_mwh, site.battery.power_mw
        found[GRID_MW, j], found[GPUS, j] = site.grid.import_limit_mw, site.gpus
    found[RENEWABLE_MW] = installed
    return found


def _installed(days: Sequence[Instance], said: Mapping[str, float]) -> Floats:
    sites = list(days[0].sites)
    highest = np.max([day.arrays().renewable_mw.max(axis=1) for day in days], axis=0)
    for name, value in table(said, "installed").items():
        if name not in sites:
            raise InputError(field="installed", value=name, expected=one_of(sites, name))
        top = highest[sites.index(name)]
        least = f"MW, at least the {top:g} MW that the series reach"
        if not (top <= number(value, f"installed.{name}", least) * (1 + 1e-9) < np.inf and value > 0):
            raise InputError(field=f"installed.{name}", value=value, expected=least)
    return np.array([float(said.get(name, top)) for name, top in zip(sites, highest, strict=True)])


def _by_site(field: str, given: Mapping[str, float], sites: Sequence[str]) -> Floats:
    """(things, J), nan where nothing is said; ``thing.site`` wins over ``thing``."""
    found = np.full((len(THINGS), len(sites)), np.nan)
    for word, value in sorted(table(given, field).items(), key=lambda item: "." in item[0]):
        thing, dot, site = word.partition(".")
        if thing not in THINGS:
            raise InputError(field=field, value=word, expected=one_of(THINGS, thing))
        if dot and site not in sites:
            raise InputError(field=field, value=word, expected=one_of(sites, site))
        expected = "a number, 0 or more"
        if not 0 <= number(value, f"{field}.{word}", expected) < np.inf:
            raise InputError(field=f"{field}.{word}", value=value, expected=expected)
        found[THINGS.index(thing), sites.index(site) if dot else slice(None)] = value
    return found


def _limits(days: Sequence[Instance], now: Floats, said: Floats) -> Floats:
    """(things, J) largest sizes: those said, else ten times what is there, storage for a day of all power."""
    found = GROWTH * now
    draws = np.max([day.arrays().most_it_mw * day.arrays().pue.max(axis=1) for day in days], axis=0)
    draws = draws + np.max([day.arrays().cooling_max_mw for day in days], axis=0)
    found[BATTERY_MW] = np.maximum(found[BATTERY_MW], GROWTH * draws)
    found[BATTERY_MWH] = np.maximum(found[BATTERY_MWH], HOURS * found[BATTERY_MW])
    found[GPUS] = np.floor(found[GPUS])
    limits = np.where(np.isnan(said), found, said)
    return np.asarray(np.maximum(limits, now))


def _rounded(best: Sized, now: Floats, least: Floats, limit: Floats) -> Floats:
    """Whole GPUs; the rest as it is, noise of the solver left out."""
    sizes = np.clip(best.sizes, least, limit)
    sizes = np.where(np.abs(sizes - now) <= 1e-7 * np.maximum(limit, 1.0), now, sizes)
    sizes[GPUS] = np.round(sizes[GPUS])
    return sizes


def _total(results: Sequence[Result], what: str) -> float:
    from stepwatt.solvers.interface.errors import SolverError

    values = [getattr(result, what) for result in results]
    if any(value is None for value in values):
        raise SolverError("a day has no schedule with these sizes")
    return float(sum(values))


def _table(
    sites: Sequence[str],
    now: Floats,
    worth: Floats,
    cost: Floats,
    best: Floats,
    chosen: Floats,
    limit: Floats,
) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "site": site,
            "thing": thing,
            "unit": _UNITS.get(thing, "MW"),
            "now": now[n, j],
            "worth": worth[n, j],
            "cost": cost[n, j],
            "best": best[n, j],
            "chosen": chosen[n, j],
            "note": "not applicable"
            if limit[n, j] <= 0
            else "at its limit"
            if best[n, j] >= limit[n, j] > now[n, j]
            else "",
        }
        for j, site in enumerate(sites)
        for n, thing in enumerate(THINGS)
    ]
    return pd.DataFrame(rows).set_index(["site", "thing"])
