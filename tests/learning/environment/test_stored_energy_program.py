"""The expected value of stored energy, held against what can be computed otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

import stepwatt as sw
import stepwatt.learning.environment.stored_energy_program as stored_energy_program_module
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import first_state
from stepwatt.learning.environment.stored_energy_program import StoredEnergyProgram, stored_energy_program


def days(starts: tuple[str, ...], slots: int = 24) -> list[sw.Instance]:
    return [sw.scenario("jemas", start=start, n_slots=slots, slot_minutes=60) for start in starts]


def worth(program: StoredEnergyProgram, instances: list[sw.Instance], t: int, full: float) -> np.ndarray:
    """(N,) USD with batteries filled to a share of their capacity."""
    engine = numpy_engine()
    problem = stack([inst.arrays() for inst in instances], engine)
    capacity = np.stack([inst.arrays().energy_max_mwh for inst in instances])
    state = replace(first_state(problem), energy=full * capacity)
    return np.asarray(program.on(engine).value(engine, t, state))


def best_trade(inst: sw.Instance, begin: float) -> float:
    """USD of the best trade with prices known, from a share of capacity on: a linear program."""
    a, total = inst.arrays(), 0.0
    for j in np.flatnonzero(a.battery):
        n, dt = a.n_slots, a.slot_hours
        # charge c, discharge d (MW), missing m (MWh)
        cost = np.concatenate(
            [dt * a.import_cost[j], dt * (a.wear_cost[j] - a.import_cost[j]), [a.terminal_price[j]]]
        )
        gained = np.tril(np.ones((n, n))) * dt
        held = np.hstack(
            [gained * a.charge_efficiency[j], -gained / a.discharge_efficiency[j], np.zeros((n, 1))]
        )
        start = begin * a.energy_max_mwh[j]
        last = -held[-1] - np.eye(1, 2 * n + 1, 2 * n)[0]
        solved = linprog(
            cost,
            A_ub=np.vstack([held, -held, last]),
            b_ub=np.concatenate(
                [
                    np.full(n, a.energy_max_mwh[j] - start),
                    np.full(n, start - a.energy_min_mwh[j]),
                    [start - a.energy_reference_mwh[j]],
                ]
            ),
            bounds=[(0, a.battery_power_mw[j])] * (2 * n) + [(0, None)],
        )
        total -= solved.fun
    return total


@pytest.mark.parametrize("full", [0.4, 0.9])
def test_of_a_single_day_it_is_the_best_trade_with_its_prices_up_to_the_levels(full: float) -> None:
    (day,) = days(("2018-01-20",))
    exact, found = best_trade(day, full), worth(stored_energy_program([day]), [day], 0, full)[0]
    stake = float(day.arrays().energy_max_mwh @ day.arrays().terminal_price)
    assert -0.01 * stake < found - exact < 1e-9 * stake


def test_where_two_prices_are_as_likely_it_is_the_mean_of_what_they_lead_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two states, the cheaper in the first slot leads to 10 and to 90; a full battery waits for them."""
    monkeypatch.setattr(stored_energy_program_module, "PRICE_STATES", 2)
    (day,) = days(("2018-01-20",), slots=2)

    def at(*price: float) -> sw.Instance:
        described = day.to_dict()
        for site in described["sites"].values():
            site["grid"] |= {"import_price": list(price), "export_price": [0.0, 0.0]}
            site["terminal_price"] = 0.0
            site["battery"] |= {"power_mw": 2 * site["battery"]["energy_mwh"], "wear_cost": 0.0}
        return sw.Instance.from_dict(described)

    pool = [at(20.0, 10.0), at(20.0, 90.0), at(20.1, 10.0), at(20.1, 90.0)]
    program = stored_energy_program(pool)
    now, later = worth(program, pool, 0, 1.0), worth(program, pool, 1, 1.0)
    assert later[1] == pytest.approx(9 * later[0])
    assert now == pytest.approx(np.full(4, (later[0] + later[1]) / 2))


def test_more_is_never_worth_less() -> None:
    program = stored_energy_program(days(("2018-01-20", "2018-01-21", "2018-01-22")))
    assert program.slopes.min() >= -1e-9


def test_a_site_without_battery_has_none() -> None:
    described = days(("2018-01-20",))[0].to_dict()
    for site in described["sites"].values():
        site["battery"] = None
    bare = sw.Instance.from_dict(described)
    assert worth(stored_energy_program([bare]), [bare], 0, 0.5) == pytest.approx(0.0)
