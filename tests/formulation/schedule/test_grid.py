"""Meters, peaks and prices of the grid, worked out by hand and held against every statement of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny import instance, site

import stepwatt as sw
from stepwatt.formulation import Instance, Schedule, evaluate


def busy(price: list[float], **grid: Any) -> Instance:
    """A site whose cooling takes 1 MW of power in every slot, come what may: a room as hot as it may be."""
    own = site(price)
    own["grid"] |= grid
    own["cooling"] = {
        "kind": "thermal",
        "cop": 1.0,
        "max_power_mw": 10.0,
        "heat_capacity_mwh_per_c": 1.0,
        "leak_mw_per_c": 0.1,
        "outside_c": 35.0,
        "min_c": 20.0,
        "max_c": 25.0,
        "initial_c": 25.0,
    }
    own["terminal_price"] = 0.0
    return instance(
        {"a": own}, {"a": [0] * len(price)}, steps={10: 1.0}, seconds_per_step=360.0, mwh_per_step=0.1
    )


def imports(inst: Instance, mw: list[float]) -> Schedule:
    schedule = Schedule.idle(inst.arrays())
    schedule.import_mw[0], schedule.cooling_mw[0] = mw, mw
    return schedule


@pytest.mark.parametrize(
    ("interval", "so_far", "peak"),
    [(1, 0.0, 5.0), (2, 0.0, 3.5), (3, 0.0, 4.0), (4, 0.0, 3.0), (5, 0.0, 2.4), (2, 3.0, 3.5), (2, 4.0, 4.0)],
)
def test_the_peak_is_the_highest_mean_of_a_metering_interval(
    interval: int, so_far: float, peak: float
) -> None:
    """Imports 1, 1, 2, 5, 3; an interval that the horizon cuts is averaged over the slots that there are."""
    inst = busy([0.0] * 5, demand_charge=7.0, demand_interval_slots=interval, peak_so_far_mw=so_far)
    judged = evaluate(inst, imports(inst, [1.0, 1.0, 2.0, 5.0, 3.0]))
    assert judged.peak_mw[0] == pytest.approx(peak, rel=1e-12)
    assert judged.breakdown["demand"] == pytest.approx(7.0 * (peak - so_far), rel=1e-12)


def test_the_optimum_spreads_imports_within_the_metering_interval() -> None:
    """1 MW of cooling a slot; where means are metered, cheap slots may take what dear ones need."""
    price = [10.0, 90.0, 10.0, 90.0]
    alone = sw.solve(busy(price, demand_charge=1000.0), "oracle")
    averaged = sw.solve(busy(price, demand_charge=1000.0, demand_interval_slots=2), "oracle")
    assert averaged.utility > alone.utility + 1.0
    assert averaged.schedule is not None
    assert averaged.schedule.import_mw[0, 0] > averaged.schedule.import_mw[0, 1] + 0.1


def test_a_peak_that_is_paid_for_costs_nothing_more() -> None:
    price = [10.0] * 3
    fresh = sw.solve(busy(price, demand_charge=100.0), "oracle")
    paid = sw.solve(busy(price, demand_charge=100.0, peak_so_far_mw=2.0), "oracle")
    assert fresh.evaluation is not None
    assert paid.evaluation is not None
    assert paid.evaluation.breakdown["demand"] == 0.0
    assert fresh.evaluation.breakdown["demand"] == pytest.approx(100.0, abs=1e-3)


def feeding(price: list[float], export: list[float], sun: float, **fields: Any) -> Instance:
    """The same site with sun and a way out."""
    inst = busy(price, export_price=export, export_limit_mw=2.0).to_dict()
    inst["sites"]["a"] |= {"renewable_mw": sun, **fields}
    return Instance.from_dict(inst)


def test_a_site_never_imports_and_exports_at_once_where_export_pays_more() -> None:
    inst = feeding([50.0] * 2, [80.0] * 2, sun=3.0)
    schedule = Schedule.idle(inst.arrays())
    schedule.cooling_mw[:] = 1.0
    schedule.renewable_mw[:] = 2.0
    schedule.import_mw[:], schedule.export_mw[:] = 1.0, 2.0
    assert evaluate(inst, schedule).violations["import_export"] == 1.0
    assert set(evaluate(inst, schedule).broken) == {"import_export"}
    lower = feeding([50.0] * 2, [40.0] * 2, sun=3.0)
    assert evaluate(lower, schedule).feasible


def test_selling_the_sun_beats_using_it_only_as_far_as_the_site_needs_no_import() -> None:
    """Of 3 MW of sun 1 MW cools; what is left is sold at 80, and nothing is bought at 50 to sell more."""
    result = sw.solve(feeding([50.0] * 2, [80.0] * 2, sun=3.0), "oracle")
    assert result.schedule is not None
    assert result.utility == pytest.approx(2 * 80.0 * 2.0, rel=1e-4)
    np.testing.assert_allclose(np.minimum(result.schedule.import_mw, result.schedule.export_mw), 0, atol=1e-9)


def test_a_site_that_is_paid_to_import_leaves_its_sun_unused_instead_of_selling_both() -> None:
    """At −60 for import and 0 for export, 1 MW of need earns 60 an hour; free export would be no help."""
    inst = feeding([-60.0] * 2, [0.0] * 2, sun=3.0)
    result = sw.solve(inst, "oracle")
    for method in ("greedy", "all-off", "rolling", "foresight"):
        other = sw.solve(inst, method)
        assert other.evaluation is not None
        assert other.evaluation.feasible
        assert other.utility <= result.bound + 1e-6 * abs(result.bound)  # type: ignore[operator]
    assert result.schedule is not None
    assert result.schedule.export_mw.max() <= 1e-9
    assert result.utility > 120.0 - 1e-6


@pytest.mark.parametrize("method", ["pyomo", "oracle", "conic", "lp"])
def test_every_statement_values_a_month_to_date_and_a_meter_alike(method: str) -> None:
    inst = busy([10.0, 90.0, 10.0, 90.0], demand_charge=50.0, demand_interval_slots=2, peak_so_far_mw=0.6)
    reference = sw.solve(inst, "oracle", gap=1e-7)
    assert sw.solve(inst, method, gap=1e-7).bound == pytest.approx(reference.utility, rel=1e-5)
