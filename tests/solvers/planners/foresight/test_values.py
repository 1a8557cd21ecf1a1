"""Dynamic programs around a planned day: generators against every schedule there is, storage against a linear
program."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

import stepwatt as sw
from benchmarks.hybrid.cases import DEMAND_CHARGE, GENERATOR
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.solvers.planners.foresight.values import (
    ENERGY_LEVELS,
    WARMTH_LEVELS,
    commit,
    energy_values,
    warmth_values,
)

SLOTS = 8


def problem(**of_sites: object) -> Problem:
    """Eight half hours of an evening, with something more at every site."""
    data = sw.scenario("jemas", start="2018-11-14T15:00", n_slots=SLOTS, slot_minutes=30).to_dict()
    for site in data["sites"].values():
        site["grid"]["demand_charge"] = of_sites.get("demand_charge", 0.0)
        if "generator" in of_sites:
            site["generator"] = of_sites["generator"]
    return stack([sw.Instance.from_dict(data).arrays()], numpy_engine())


def tight(p: Problem, most_in: float, most_out: float) -> Problem:
    """The same behind a weak grid."""
    limits = {"import_limit": most_in, "export_limit": most_out}
    return replace(p, **{name: np.full_like(getattr(p, name), mw) for name, mw in limits.items()})


def bill(p: Problem, t: int, site: int, net: float) -> float:
    """USD an hour, written out."""
    dear, sold = float(p.import_cost[t, 0, site]), max(float(p.export_price[t, 0, site]), 0.0)
    over = max(net - float(p.import_limit[0, site]), 0.0)
    unserved = float(p.money_scale[0]) / (p.shape.slot_hours * float(p.import_limit[0, site]))
    return dear * net + unserved * over if net > 0 else sold * max(net, -float(p.export_limit[0, site]))


def worth(p: Problem, load: np.ndarray, site: int, on: tuple[bool, ...], before: bool) -> float:
    """USD that a schedule of on and off saves of the site's bill, written out."""
    hours, total = p.shape.slot_hours, 0.0
    for t, runs in enumerate(on):
        if runs:
            net = load[t, site] - float(p.renewable[t, 0, site])
            low, high = float(p.generator_min[0, site]), float(p.generator_max[0, site])
            best = max(
                bill(p, t, site, net) - bill(p, t, site, net - mw) - float(p.generator_cost[0, site]) * mw
                for mw in (low, high, min(max(net, low), high))
            )
            total += hours * (best - float(p.no_load_cost[0, site]))
            total -= 0.0 if before else float(p.startup_cost[0, site])
        before = runs
    return total


@pytest.mark.parametrize("grid", ["usual", "weak"])
@pytest.mark.parametrize("startup_cost", [0.0, 1.0, 4.0])
def test_generators_run_as_the_best_of_all_schedules_does(startup_cost: float, grid: str) -> None:
    p = problem(generator={**GENERATOR, "fuel_cost": 70.0, "startup_cost": startup_cost})
    if grid == "weak":
        p = tight(p, 0.15, 0.02)
    load = np.broadcast_to(np.linspace(0.12, 0.22, SLOTS)[:, None, None], (SLOTS, 1, 3))
    found = commit(p, load)
    for site in range(3):
        every = list(product((False, True), repeat=SLOTS))
        off, on = (max(worth(p, load[:, 0], site, one, before) for one in every) for before in (False, True))
        chosen = tuple(bool(mw > 0) for mw in found.generated[:, 0, site])
        assert worth(p, load[:, 0], site, chosen, False) == pytest.approx(off, abs=1e-9)
        assert float(found.running[0, 0, site]) == pytest.approx(on - off, abs=1e-9)
        assert 0 <= float(found.running[0, 0, site]) <= startup_cost + 1e-9
    assert (found.running[-1] == 0).all()


def test_sites_without_a_generator_generate_nothing() -> None:
    p = problem()
    found = commit(p, np.full((SLOTS, 1, 3), 0.2))
    assert not found.generated.any()
    assert not found.running.any()


def test_stored_energy_is_worth_more_where_it_keeps_imports_below_the_peak() -> None:
    p = problem(demand_charge=DEMAND_CHARGE)
    load = p.renewable + 0.1
    load[5] = load[5] + 0.03
    never, binding = (energy_values(p, load, np.full((1, 3), peak)) for peak in (1.0, 0.1))
    lost = (never - binding)[0, 0]
    assert (lost >= -1e-9).all()
    # with nothing stored, 0.03 MW above the peak must be imported once
    assert (lost[:, 0] >= DEMAND_CHARGE * 0.03 - 1e-6).all()
    assert (lost[:, -1] < lost[:, 0]).all()


def earned(p: Problem, load: NDArray[Any], peak: float, site: int, first: int, held: float) -> float:
    """USD that a battery with so much in it earns from a slot on, by a linear program."""
    hours, slots = p.shape.slot_hours, SLOTS - first

    def of(name: str) -> float:
        return float(getattr(p, name)[0, site])

    # charged and discharged MW, the slot's bill in USD per hour, MW above the peak, MW that the grid does not
    # give; MWh missing at the end
    unserved = float(p.money_scale[0]) / (hours * of("import_limit"))
    cost = np.repeat([0.0, of("wear_cost"), 1.0, of("demand_charge") / hours, unserved], slots) * hours
    charge, discharge, paid, above, lacking = np.split(np.arange(5 * slots), 5)
    rows, most = [], []

    def at_most(limit: float, *terms: tuple[object, float]) -> None:
        row = np.zeros(5 * slots + 1)
        for columns, factor in terms:
            row[columns] += factor
        rows.append(row)
        most.append(limit)

    up, down = hours * of("charge_efficiency"), hours / of("discharge_efficiency")
    for t in range(slots):
        net = float(load[first + t, 0, site] - p.renewable[first + t, 0, site])
        dear, sold = (max(float(x[first + t, 0, site]), 0.0) for x in (p.import_cost, p.export_price))
        for rate in (dear, sold):
            at_most(-rate * net, (charge[t], rate), (discharge[t], -rate), (paid[t], -1.0))
        at_most(sold * of("export_limit"), (paid[t], -1.0))
        at_most(of("import_limit") - net, (charge[t], 1.0), (discharge[t], -1.0), (lacking[t], -1.0))
        at_most(peak - net, (charge[t], 1.0), (discharge[t], -1.0), (above[t], -1.0))
        so_far = ((charge[: t + 1], up), (discharge[: t + 1], -down))
        at_most(of("energy_max") - held, *so_far)
        at_most(held - of("energy_min"), *[(columns, -factor) for columns, factor in so_far])
    at_most(held - of("energy_reference"), (charge, -up), (discharge, down), (-1, -1.0))
    power = (0, of("battery_power"))
    bounds = [power] * (2 * slots) + [(None, None)] * slots + [(0, None)] * (2 * slots + 1)
    found = linprog([*cost, of("terminal_price")], rows, most, bounds=bounds)
    assert found.success
    return -float(found.fun)


@pytest.mark.parametrize("demand_charge", [0.0, DEMAND_CHARGE])
@pytest.mark.parametrize("grid", ["usual", "weak"])
@pytest.mark.parametrize("prices", ["usual", "negative"])
def test_stored_energy_is_worth_what_the_best_plan_earns(
    demand_charge: float, prices: str, grid: str
) -> None:
    p, peak = problem(demand_charge=demand_charge), 0.1
    if grid == "weak":
        # a battery could take and give more than the grid
        p = tight(p, 0.12, 0.03)
    if prices == "negative":
        p = replace(p, import_cost=p.import_cost - 115.0, export_price=p.export_price - 115.0)
        assert (p.import_cost < 0).any()
    load = p.renewable + np.linspace(-0.02, 0.2, SLOTS)[:, None, None]
    found = energy_values(p, load, np.full((1, 3), peak))
    for site, first in product(range(3), (0, 3, SLOTS - 1, SLOTS)):
        contents = np.linspace(float(p.energy_min[0, site]), float(p.energy_max[0, site]), ENERGY_LEVELS)
        for level in (0, 1, 7, ENERGY_LEVELS // 2, ENERGY_LEVELS - 1):
            missing = max(float(p.energy_reference[0, site]) - contents[level], 0.0)
            value = (
                earned(p, load, peak, site, first, contents[level])
                if first < SLOTS
                else -float(p.terminal_price[0, site]) * missing
            )
            assert float(found[first, 0, site, level]) == pytest.approx(value, abs=1e-8)


def test_a_site_without_a_battery_pays_its_bill() -> None:
    p = problem()
    p = replace(
        p, battery_power=0.0 * p.battery_power, energy_max=p.energy_min, energy_reference=p.energy_min
    )
    load = p.renewable + np.linspace(-0.02, 0.2, SLOTS)[:, None, None]
    found = energy_values(p, load, np.full((1, 3), 1.0))
    for site in range(3):
        assert np.ptp(found[0, 0, site]) == 0
        paid = [bill(p, t, site, float((load - p.renewable)[t, 0, site])) for t in range(SLOTS)]
        assert float(found[0, 0, site, 0]) == pytest.approx(-p.shape.slot_hours * sum(paid), abs=1e-9)


def owed(p: Problem, it: NDArray[Any], price: NDArray[Any], site: int, first: int, begun: float) -> float:
    """USD to be paid for cooling a room from a slot on, by a linear program."""

    def of(name: str) -> float:
        return float(getattr(p, name)[0, site])

    hours, slots, rate = p.shape.slot_hours, SLOTS - first, of("heat_rate")
    penalty = 200 * float(p.money_scale[0]) / (of("max_c") - of("min_c"))
    # MW, °C after each slot, °C above the ceiling; °C above the reference at the end
    cooling, warm, above = np.split(np.arange(3 * slots), 3)
    paid = hours * np.maximum(price[first:, 0, site], 0.0)
    cost = [*paid, *np.zeros(slots), *np.full(slots, penalty), of("terminal_heat_price")]
    rows, most = [], []
    for t in range(slots):
        # a room that is too cold warms for nothing, so the balance may be missed that way
        row = np.zeros(3 * slots + 1)
        keep, heat = 1 - rate * of("leak"), float(it[first + t, 0, site])
        heat += of("leak") * float(p.outside[first + t, 0, site])
        row[[cooling[t], warm[t], above[t]]] = -rate * float(p.cop[first + t, 0, site]), -1.0, -1.0
        if t:
            row[warm[t - 1]] = keep
        rows.append(row)
        most.append(-rate * heat - (0.0 if t else keep * begun))
    row = np.zeros(3 * slots + 1)
    row[warm[-1]], row[-1] = 1.0, -1.0
    rows.append(row)
    most.append(of("temperature_reference"))
    limits = [(of("min_c"), float(c)) for c in p.ceiling[first:, 0, site]]
    bounds = [*[(0.0, of("cooling_max"))] * slots, *limits, *[(0.0, None)] * (slots + 1)]
    found = linprog(cost, rows, most, bounds=bounds)
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("load", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("cheapest", [-30.0, 20.0])
@pytest.mark.parametrize("outside", [-40.0, 0.0, 10.0])
def test_warmth_costs_what_the_cheapest_way_to_stay_below_the_ceiling_does(
    load: float, cheapest: float, outside: float
) -> None:
    """Also where it cannot: at loads that no cooling keeps up with, every °C above the ceiling costs."""
    p = problem()
    p = replace(p, outside=p.outside + outside)
    it = load * np.linspace(0.3, 1.0, SLOTS)[:, None, None] * np.ones((SLOTS, 1, 3))
    price = np.linspace(cheapest, 90.0, SLOTS)[:, None, None] * np.ones((SLOTS, 1, 3))
    found = warmth_values(p, it, price)
    for site, first in product(range(3), (0, 3, SLOTS - 1)):
        warm = np.linspace(float(p.min_c[0, site]), float(p.max_c[0, site]), WARMTH_LEVELS)
        for level in (0, 1, 7, WARMTH_LEVELS - 1):
            value = -owed(p, it, price, site, first, float(warm[level]))
            assert float(found[first, 0, site, level]) == pytest.approx(value, rel=1e-7, abs=1e-8)
    over = (warm - float(p.temperature_reference[0, 2])).clip(min=0)
    np.testing.assert_allclose(found[-1, 0, 2], -float(p.terminal_heat_price[0, 2]) * over)


def test_where_there_is_no_room_nothing_is_owed() -> None:
    p = problem()
    p = replace(p, thermal=0.0 * p.thermal)
    it = np.full((SLOTS, 1, 3), 0.2)
    assert not warmth_values(p, it, 50 + it).any()


def test_a_room_that_forgets_within_a_slot_owes_the_same_however_warm_it_begins() -> None:
    p = problem()
    p = replace(p, leak=2 / p.heat_rate)
    it = np.full((SLOTS, 1, 3), 0.2)
    found = warmth_values(p, it, 50 + it)[:-1]
    assert found.min() < 0
    assert (found == found[..., :1]).all()
