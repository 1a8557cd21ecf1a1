"""``sw.build``: parts and series become the instance that one would write by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

import stepwatt as sw
from stepwatt.data import load_catalogue, load_europe_2018
from stepwatt.formulation.instance.components import Clock

DAY = "2018-06-12"


def hourly(column: str, zone: str = "DE") -> pd.Series:
    return load_europe_2018().loc[zone, column]


def site(**parts: Any) -> sw.Site:
    usual: dict[str, Any] = {
        "gpus": sw.Gpus(count=8, kind="H100-SXM"),
        "grid": sw.Grid(import_price=50, import_limit_mw=0.02),
        "cooling": sw.Cooling(pue=1.2),
    }
    return sw.Site(**usual | parts)


def built(**changed: Any) -> sw.Instance:
    usual: dict[str, Any] = {
        "start": DAY,
        "hours": 2,
        "slot": "1h",
        "sites": {"oslo": site()},
        "models": ["sdxl-base"],
        "classes": ["urgent"],
        "arrivals": {"oslo": {"urgent": 100}},
    }
    return sw.build(**usual | changed)


def test_the_scenario_built_by_hand_is_the_scenario() -> None:
    """Everything that jemas writes, said in parts and hourly series."""
    wanted = sw.scenario("jemas", start=DAY, zones=("DE",), seed=3)
    c = {name: number.value for name, number in load_catalogue().constants.items()}
    cap = c["gpus"] * c["cap_kw_per_gpu"] / 1e3
    model = load_catalogue().jemas_models["SD1.5"].to_dict()
    market = hourly("price_usd_per_mwh")
    parts = sw.Site(
        gpus=sw.Gpus(
            count=256,
            idle_watts=c["gpu_idle_watts"],
            max_utilisation=c["max_utilisation"],
            clocks=("eco", "base", "boost"),
        ),
        grid=sw.Grid(
            import_price=market + c["price_adder"],
            export_price=market - c["price_adder"],
            import_limit_mw=c["import_limit"] * cap,
            export_limit_mw=c["export_limit"] * cap,
            carbon_kg_per_mwh=hourly("carbon_lca_g_per_kwh"),
        ),
        renewable_mw=(hourly("pv_cf") * c["pv_share"] + hourly("wind_cf") * c["wind_share"]) * cap,
        cooling=sw.Cooling(outside_c=outside(wanted)),
        battery=sw.Battery(
            energy_mwh=c["battery_power"] * c["battery_hours"] * cap,
            power_mw=c["battery_power"] * cap,
            wear_cost=c["battery_wear_cost"],
        ),
    )
    found = sw.build(
        start=DAY,
        slot="5min",
        name=wanted.name,
        sites={"DE": parts},
        models={"SD1.5": sw.Model(**model)},
        classes=["urgent", "normal", "flexible"],
        arrivals={"DE": wanted.arrivals["DE"]},
        carbon_price=c["carbon_price"],
    )
    # alike to the last bit: what solvers and judge see
    one, other = found.arrays(), wanted.arrays()
    for name, value in vars(other).items():
        if name in ("options", "state"):
            assert_same(vars(getattr(one, name)), vars(value))
        else:
            assert_same({name: getattr(one, name)}, {name: value})
    assert found.start_time == wanted.start_time


def outside(inst: sw.Instance) -> Any:
    room = inst.sites["DE"].cooling
    assert room.kind == "thermal"
    return room.outside_c


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    import numpy as np

    for name, value in other.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(one[name], value, err_msg=name)
        else:
            assert one[name] == value, name


def test_one_number_stands_for_a_series_and_names_for_figures() -> None:
    inst = built()
    assert inst.n_slots == 2
    assert inst.sites["oslo"].grid.import_price == 50
    assert inst.arrivals["oslo"]["urgent"] == [100.0, 100.0]
    assert inst.sites["oslo"].models == ["sdxl-base"]
    assert inst.models["sdxl-base"].steps == list(range(6, 51, 4))
    book = load_catalogue()
    bare = book.gpus["H100-SXM"].idle_watts.value
    assert inst.sites["oslo"].gpu_idle_watts == bare + book.server_idle_watts.value
    assert inst.classes["urgent"].deadline_slots == 0
    assert sw.evaluate(inst, sw.solve(inst, method="greedy").schedule).feasible


def test_tables_of_jobs_have_a_column_a_class() -> None:
    index = pd.date_range(DAY, periods=8, freq="15min", tz="UTC")
    table = pd.DataFrame({"urgent": range(8)}, index=index)
    inst = built(arrivals=table)
    assert inst.arrivals["oslo"]["urgent"] == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7]
    two = built(sites={"oslo": site(), "bergen": site()}, arrivals={"bergen": table}, transfer_cost=0.01)
    assert two.arrivals["oslo"]["urgent"] == [0.0, 0.0]
    assert two.arrivals["bergen"] == inst.arrivals["oslo"]
    assert two.transfer_cost == {"oslo": {"bergen": 0.01}, "bergen": {"oslo": 0.01}}


def test_minutes_become_slots() -> None:
    grid = sw.Grid(import_price=50, import_limit_mw=0.02, demand_charge=9, demand_interval_minutes=60)
    classes = {"k": sw.JobClass(deadline_minutes=50)}
    inst = built(slot="15min", sites={"oslo": site(grid=grid)}, classes=classes, arrivals={"oslo": {"k": 1}})
    assert inst.classes["k"].deadline_slots == 3
    assert inst.sites["oslo"].grid.demand_interval_slots == 4


def test_gpus_of_another_kind_are_faster_or_slower() -> None:
    clocks = (Clock(name="low", speed=0.5, energy=0.8), "base")
    gpus = sw.Gpus(count=8, idle_watts=100, speed=1.5, energy=1.2, clocks=clocks)
    found = built(sites={"oslo": site(gpus=gpus)}).sites["oslo"].clocks
    assert [(c.name, c.speed, c.energy) for c in found] == [("low", 0.75, 0.96), ("base", 1.5, 1.2)]


@pytest.mark.parametrize(
    "quality",
    [
        0.7,
        {10: 0.4, 30: 0.8},
        {"kind": "exponential", "ceiling": 0.9, "span": 0.9, "rate": 0.1},
        {"default": {"kind": "power", "ceiling": 0.9, "span": 1.0, "rate": 0.5}},
    ],
)
def test_quality_is_said_as_is_convenient(quality: Any) -> None:
    model = sw.Model(steps=[10, 30], seconds_per_step=0.1, joules_per_step=40, quality=quality)
    curve = built(models={"mine": model}).models["mine"].quality["default"]
    assert 0 < curve(20) < 1


def test_other_money_is_exchanged_in_series_and_in_classes_of_the_catalogue() -> None:
    price = hourly("price_usd_per_mwh").copy()
    price.attrs["unit"] = "USD/MWh"
    grid = sw.Grid(import_price=price, import_limit_mw=0.02)
    here = built(sites={"oslo": site(grid=grid)})
    there = built(sites={"oslo": site(grid=grid)}, currency="EUR", exchange={"USD": 0.8})
    found, wanted = there.sites["oslo"].grid.import_price, here.sites["oslo"].grid.import_price
    assert found == pytest.approx([0.8 * price for price in wanted])
    for name in ("quality_price", "miss_penalty"):
        one, other = (getattr(inst.classes["urgent"], name) for inst in (there, here))
        assert one == pytest.approx(0.8 * other)
    assert there.classes["urgent"].quality_floor == here.classes["urgent"].quality_floor


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"models": ["sdxl"]}, "models.sdxl = 'sdxl': expected one of sd-2.1"),
        ({"models": "sdxl-base"}, "models = 'sdxl-base': expected models by name"),
        ({"models": {"m": 3}}, "models.m = 3: expected models by name"),
        ({"classes": ["urgent"], "currency": "EUR"}, "a stepwatt.JobClass(...) in EUR, or exchange={"),
        ({"exchange": {"NOK": 0}}, "exchange.NOK = 0: expected how many USD one NOK is, above 0"),
        ({"exchange": 0.9}, "exchange = 0.9: expected rates by currency"),
        ({"classes": ["soon"]}, "classes.soon = 'soon': expected one of urgent, normal, flexible"),
        ({"sites": {"oslo": {"gpus": 8}}}, "sites.oslo = {'gpus': 8}: expected a stepwatt.Site(...)"),
        ({"sites": []}, "sites = []: expected sites by name"),
        ({"arrivals": {"bergen": {}}}, "arrivals.bergen = 'bergen': expected one of oslo"),
        ({"arrivals": {"oslo": {"urgnt": 3}}}, "did you mean urgent?"),
        ({"arrivals": {"oslo": 3}}, "arrivals.oslo = 3: expected jobs by class"),
        ({"arrivals": {"oslo": {"urgent": 0.5}}}, "a whole number of jobs"),
        (
            {"arrivals": {"oslo": {"urgent": [1, 2, 3]}}},
            "arrivals.oslo.urgent = '3 numbers'",
        ),
        ({"sites": {"oslo": site(gpus=sw.Gpus(count=8, kind="H100"))}}, "did you mean H100-SXM?"),
        ({"sites": {"oslo": site(gpus=sw.Gpus(count=8))}}, "sites.oslo.gpus.idle_watts = None"),
        (
            {"sites": {"oslo": site(cooling=sw.Cooling())}},
            "oslo.cooling = {}: expected pue, or outside_c",
        ),
        ({"sites": {"oslo": site(cooling=sw.Cooling(pue=1.2, max_c=27))}}, "sites.oslo.cooling.max_c = 27"),
        (
            {"sites": {"oslo": site(grid=sw.Grid(import_price=hourly("pv_cf")[:2], import_limit_mw=1))}},
            "sites.oslo.grid.import_price = 'nothing at 2018-06-12T00:00:00+00:00'",
        ),
        ({"transfer_cost": {"oslo": {"bergen": 1.0}}}, "transfer_cost.oslo.bergen"),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_field_of_the_file(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(sw.InputError) as error:
        built(**changed)
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: sw.Battery(energy_mwh=1, power_mw=1), "wear_cost = (missing)"),
        (lambda: sw.Battery(energy_mwh=-1, power_mw=1, wear_cost=1), "energy_mwh = -1"),
        (lambda: sw.Battery(energy=1, power_mw=1, wear_cost=1), "did you mean energy_mwh?"),
        (lambda: sw.Grid(import_price="cheap", import_limit_mw=1), "a pandas Series"),
        (lambda: sw.Grid(import_price=True, import_limit_mw=1), "a pandas Series"),
        (lambda: sw.Model.named("sdxl"), "model = 'sdxl': expected one of"),
    ],
)
def test_parts_check_what_they_are_given(make: Any, told: str) -> None:
    with pytest.raises(sw.InputError) as error:
        make()
    assert told in str(error.value)


def test_sizing_says_what_share_of_gpus_and_connection_the_jobs_need() -> None:
    """A job of 30 steps takes 0.156 + 30 · 0.1079 s; 8 GPUs give 8 · 3600 s an hour."""
    inst = built(arrivals={"oslo": {"urgent": [1000, 3000]}})
    found = sw.sizing(inst)
    seconds = 0.156 + 30 * 0.1079
    assert found.gpu_share["oslo"] == pytest.approx(2000 * seconds / (8 * 3600))
    assert found.busiest_share["oslo"] == pytest.approx(3000 * seconds / (8 * 3600))
    assert found.fleet_share == found.gpu_share["oslo"]
    assert found.power_share["oslo"] == pytest.approx(1.2 * inst.arrays().most_it_mw[0] / 0.02)
    assert found.lines[0] == "your jobs need 24 % of your GPUs at 30 steps"
    with pytest.raises(sw.InputError, match="steps"):
        sw.sizing(inst, steps=0)


def test_sizing_counts_jobs_without_a_model_at_home_where_they_can_run() -> None:
    classes = {"k": sw.JobClass(models=["sd-2.1"])}
    sites = {"oslo": site(models=["sdxl-base"]), "bergen": site(models=["sd-2.1"])}
    inst = built(sites=sites, models=["sdxl-base", "sd-2.1"], classes=classes, arrivals={"oslo": {"k": 1000}})
    found = sw.sizing(inst)
    assert found.unserved == {"oslo": 2000.0, "bergen": 0.0}
    assert found.gpu_share["oslo"] == 0.0
    assert found.fleet_share == pytest.approx(1000 * (0.165 + 30 * 0.0425) / (16 * 3600))


def two_hours(values: Any, **columns: Any) -> Any:
    index = pd.date_range(DAY, periods=2, freq="h", tz="UTC")
    return pd.DataFrame(values, index, **columns)


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.array, Decimal, Fraction])
def test_numbers_of_any_kind_hold_in_every_slot(kind: Any) -> None:
    assert built(arrivals={"oslo": {"urgent": kind(5)}}).arrivals["oslo"]["urgent"] == [5.0, 5.0]


@pytest.mark.parametrize(
    "jobs", [True, np.True_, None, "5", 1j, 10**400, {"0": 1}, np.ma.masked_equal([1, 2], 1)]
)
def test_what_counts_no_jobs_is_told_in_one_line(jobs: Any) -> None:
    with pytest.raises(sw.InputError, match=r"arrivals\.oslo\.urgent"):
        built(arrivals={"oslo": {"urgent": jobs}})


def test_what_is_masked_is_no_price() -> None:
    grid = sw.Grid(import_price=np.ma.masked_equal([50.0, 60.0], 50.0), import_limit_mw=0.02)
    with pytest.raises(sw.InputError, match=r"import_price\[0\] = nan"):
        built(sites={"oslo": site(grid=grid)})


def test_of_two_columns_of_a_class_none_wins() -> None:
    with pytest.raises(
        sw.InputError, match=r"arrivals\.oslo = 'urgent': expected a column a class, each once"
    ):
        built(arrivals={"oslo": two_hours([[1, 2], [3, 4]], columns=["urgent", "urgent"])})


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"link_gb_per_hour": 3}, "link_gb_per_hour"),
        ({"backlog": 3}, "backlog"),
        ({"sites": {3: site()}}, "sites"),
        ({"hours": None, "days": True}, "days"),
        ({"hours": "2"}, "hours"),
    ],
)
def test_what_is_no_table_no_name_and_no_number_is_told(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(sw.InputError) as found:
        built(**changed)
    assert found.value.field == field
