"""Dynamic programs around a planned day: generators against every schedule there is, storage under a peak."""

from itertools import product

import numpy as np
import pytest
import torch

import stepwatt as sw
from benchmarks.hybrid.cases import DEMAND_CHARGE, GENERATOR
from stepwatt.learning.engines import torch_engine
from stepwatt.learning.problem import Problem, stack
from stepwatt.learning.values import (
    ENERGY_LEVELS,
    RATES,
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
    return stack([sw.Instance.from_dict(data).arrays()], torch_engine(torch.float64))


def bill(price: float, sold: float, net: float) -> float:
    return price * net if net > 0 else max(sold, 0.0) * net


def worth(p: Problem, load: np.ndarray, site: int, on: tuple[bool, ...], before: bool) -> float:
    """USD that a schedule of on and off saves of the site's bill, written out."""
    hours, total = p.shape.slot_hours, 0.0
    for t, runs in enumerate(on):
        if runs:
            net = load[t, site] - float(p.renewable[t, 0, site])
            price, sold = float(p.import_cost[t, 0, site]), float(p.export_price[t, 0, site])
            low, high = float(p.generator_min[0, site]), float(p.generator_max[0, site])
            best = max(
                bill(price, sold, net) - bill(price, sold, net - mw) - float(p.generator_cost[0, site]) * mw
                for mw in (low, high, min(max(net, low), high))
            )
            total += hours * (best - float(p.no_load_cost[0, site]))
            total -= 0.0 if before else float(p.startup_cost[0, site])
        before = runs
    return total


@pytest.mark.parametrize("startup_cost", [0.0, 1.0, 4.0])
def test_generators_run_as_the_best_of_all_schedules_does(startup_cost: float) -> None:
    p = problem(generator={**GENERATOR, "fuel_cost": 70.0, "startup_cost": startup_cost})
    load = torch.linspace(0.12, 0.22, SLOTS, dtype=torch.float64)[:, None, None].expand(SLOTS, 1, 3)
    found = commit(p, load)
    for site in range(3):
        every = list(product((False, True), repeat=SLOTS))
        off, on = (
            max(worth(p, load[:, 0].numpy(), site, one, before) for one in every) for before in (False, True)
        )
        chosen = tuple(bool(mw > 0) for mw in found.generated[:, 0, site])
        assert worth(p, load[:, 0].numpy(), site, chosen, False) == pytest.approx(off, abs=1e-9)
        assert float(found.running[0, 0, site]) == pytest.approx(on - off, abs=1e-9)
        assert 0 <= float(found.running[0, 0, site]) <= startup_cost + 1e-9
    assert bool((found.running[-1] == 0).all())


def test_sites_without_a_generator_generate_nothing() -> None:
    p = problem()
    found = commit(p, torch.full((SLOTS, 1, 3), 0.2, dtype=torch.float64))
    assert not bool(found.generated.any())
    assert not bool(found.running.any())


def test_stored_energy_is_worth_more_where_it_keeps_imports_below_the_peak() -> None:
    p = problem(demand_charge=DEMAND_CHARGE)
    load = p.renewable + 0.1
    load[5] = load[5] + 0.03
    never, binding = (
        energy_values(p, load, torch.full((1, 3), peak, dtype=torch.float64)) for peak in (1.0, 0.1)
    )
    lost = (never - binding)[0, 0]
    assert bool((lost >= -1e-9).all())
    # with nothing stored, 0.03 MW above the peak must be imported once
    assert bool((lost[:, 0] >= DEMAND_CHARGE * 0.03 - 1e-6).all())
    assert bool((lost[:, -1] < lost[:, 0]).all())


def between(values: np.ndarray, low: float, high: float, at: float) -> float:
    return float(np.interp(at, np.linspace(low, high, len(values)), values))


@pytest.mark.parametrize("demand_charge", [0.0, DEMAND_CHARGE])
def test_stored_energy_is_worth_what_the_best_of_some_powers_earns(demand_charge: float) -> None:
    """The dynamic program written out: every power that is tried, at every content."""
    p = problem(demand_charge=demand_charge)
    load, peak = p.renewable + torch.linspace(-0.02, 0.2, SLOTS)[:, None, None].double(), 0.1
    found = energy_values(p, load, torch.full((1, 3), peak, dtype=torch.float64))
    hours = p.shape.slot_hours
    for site in range(3):
        low, high, power = (
            float(getattr(p, name)[0, site]) for name in ("energy_min", "energy_max", "battery_power")
        )
        up, down, wear = (
            float(getattr(p, name)[0, site])
            for name in ("charge_efficiency", "discharge_efficiency", "wear_cost")
        )
        contents = np.linspace(low, high, ENERGY_LEVELS)
        missing = np.maximum(float(p.energy_reference[0, site]) - contents, 0)
        value = -float(p.terminal_price[0, site]) * missing
        for t in reversed(range(SLOTS)):
            net = float(load[t, 0, site] - p.renewable[t, 0, site])
            price, sold = float(p.import_cost[t, 0, site]), float(p.export_price[t, 0, site])
            tried = (
                [power * n / RATES for n in range(-RATES, RATES + 1)]
                + [-net]
                + [peak - net] * (demand_charge > 0)
            )
            now = []
            for held in contents:
                least, most = -(held - low) * down / hours, (high - held) / (up * hours)
                worth = []
                for wanted in tried:
                    mw = min(max(min(max(wanted, -power), power), least), most)
                    after = held + hours * (mw * up if mw > 0 else mw / down)
                    paid = hours * (bill(price, sold, net + mw) + wear * max(-mw, 0))
                    paid += demand_charge * max(net + mw - peak, 0)
                    worth.append(between(value, low, high, after) - paid)
                now.append(max(worth))
            value = np.array(now)
            np.testing.assert_allclose(found[t, 0, site].numpy(), value, rtol=0, atol=1e-9)


def test_warmth_costs_what_the_cheapest_way_to_stay_below_the_ceiling_does() -> None:
    p = problem()
    it = torch.linspace(0.05, 0.2, SLOTS)[:, None, None].double().expand(SLOTS, 1, 3)
    price = torch.linspace(20.0, 90.0, SLOTS)[:, None, None].double().expand(SLOTS, 1, 3)
    found, hours = warmth_values(p, it, price), p.shape.slot_hours
    for site in range(3):
        low, high, rate, leak, chill = (
            float(getattr(p, name)[0, site])
            for name in ("min_c", "max_c", "heat_rate", "leak", "cooling_max")
        )
        warm = np.linspace(low, high, WARMTH_LEVELS)
        over = np.maximum(warm - float(p.temperature_reference[0, site]), 0)
        value = -float(p.terminal_heat_price[0, site]) * over
        for t in reversed(range(SLOTS)):
            now = []
            for begun in warm:
                loss = leak * (begun - float(p.outside[t, 0, site]))
                worth = []
                for ended, later in zip(warm, value, strict=True):
                    needed = (float(it[t, 0, site]) - loss - (ended - begun) / rate) / float(
                        p.cop[t, 0, site]
                    )
                    hot = needed > chill + 1e-9 or ended > float(p.ceiling[t, 0, site]) + 1e-9
                    paid = (
                        hours * float(price[t, 0, site]) * max(needed, 0) + 10 * float(p.money_scale[0]) * hot
                    )
                    worth.append(later - paid)
                now.append(max(worth))
            value = np.array(now)
            np.testing.assert_allclose(found[t, 0, site].numpy(), value, rtol=0, atol=1e-9)
