"""The scenario "jemas": reproducible, any zones, days and slot lengths; bad parameters told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from places import SHARED

from stepwatt.data import SCENARIOS, load_europe_2018, read_series, scenario, window
from stepwatt.data.scenarios.patterns import pattern
from stepwatt.formulation import InputError, Instance, enumerate_options, load
from stepwatt.formulation.instance.components import ThermalCooling

WORLD = SHARED / "data" / "world_hourly_2023.csv.gz"


def jobs(inst: Instance) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Arrivals by origin, class and slot."""
    return np.array([[inst.arrivals[i][k] for k in inst.classes] for i in inst.sites], dtype=float)


def room(inst: Instance, site: str) -> ThermalCooling:
    cooling = inst.sites[site].cooling
    assert isinstance(cooling, ThermalCooling)
    return cooling


def test_the_default_is_a_day_of_five_minute_slots_at_three_providers() -> None:
    inst = scenario("jemas")
    assert (inst.n_slots, inst.slot_hours, list(inst.sites)) == (288, 1 / 12, ["DE", "FR", "DK"])
    assert [site.models for site in inst.sites.values()] == [["SD1.5"], ["SDXL"], ["SD3.5"]]
    assert {name: job.deadline_slots for name, job in inst.classes.items()} == {
        "urgent": 0,
        "normal": 3,
        "flexible": 36,
    }
    assert inst.classes["urgent"].quality_price == pytest.approx(0.6 * 3.0e-4)


def test_the_site_is_sized_as_documented() -> None:
    site = scenario("jemas").sites["DE"]
    cap = 256 * 0.75e-3
    assert site.grid.import_limit_mw == pytest.approx(1.2 * cap)
    assert site.grid.export_limit_mw == pytest.approx(cap)
    assert site.battery is not None
    assert site.battery.energy_mwh == pytest.approx(0.4 * cap * 6)
    assert [(c.name, c.speed, c.energy) for c in site.clocks] == [
        ("eco", 0.75, 0.78),
        ("base", 1.0, 1.0),
        ("boost", 1.1, 1.22),
    ]


def test_prices_are_the_market_price_plus_and_minus_the_adder() -> None:
    inst = scenario("jemas", start="2018-06-12", price_adder=30)
    market = window(load_europe_2018(), "DE", pd.Timestamp("2018-06-12T05:00Z"), 1, 60)[
        "price_usd_per_mwh"
    ].iloc[0]
    grid = inst.sites["DE"].grid
    assert grid.import_price[60] == pytest.approx(market + 30)
    assert grid.export_price[60] == pytest.approx(market - 30)


def test_the_same_seed_gives_the_same_instance_and_another_seed_other_arrivals() -> None:
    first, again, other = (scenario("jemas", seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert not np.array_equal(jobs(first), jobs(other))
    assert first.sites == other.sites


def test_another_day_draws_other_noise() -> None:
    ratio = jobs(scenario("jemas", start="2018-06-12")) / jobs(scenario("jemas", start="2018-06-13"))
    assert ratio.std() > 0.1


def test_a_longer_horizon_continues_the_same_arrivals() -> None:
    short, long = scenario("jemas", n_slots=50), scenario("jemas", n_slots=288)
    assert np.array_equal(jobs(short), jobs(long)[:, :, :50])


def test_a_further_zone_keeps_the_noise_of_the_others() -> None:
    """At equal mean the counts would be equal; the means differ only through the shares."""
    three, four = jobs(scenario("jemas")), jobs(scenario("jemas", zones=("DE", "FR", "DK", "NL")))
    for origin in range(3):
        a, b = three[origin].ravel(), four[origin].ravel()
        assert np.corrcoef(a / a.mean(), b / b.mean())[0, 1] > 0.99


def test_load_is_a_share_of_fleet_capacity() -> None:
    """Capacity: every GPU on, base clock, 42 steps (SD1.5 1.945 s, SDXL 4.696 s, SD3.5 9.734 s a job)."""
    per_slot = 300 * 0.95 * 256 * (1 / 1.945 + 1 / 4.696 + 1 / 9.734)
    for load_share in (0.5, 0.9):
        arrivals = jobs(scenario("jemas", load=load_share))
        assert arrivals.sum(axis=(0, 1)).mean() == pytest.approx(load_share * per_slot, rel=0.02)


def test_origins_share_the_jobs_13_to_10_to_7_and_classes_a_third_each() -> None:
    arrivals = jobs(scenario("jemas"))
    by_origin = arrivals.sum(axis=(1, 2))
    assert by_origin / by_origin.sum() == pytest.approx(np.array([1.3, 1.0, 0.7]) / 3, rel=0.03)
    by_class = arrivals.sum(axis=(0, 2))
    assert by_class / by_class.sum() == pytest.approx(np.full(3, 1 / 3), rel=0.03)


def test_arrivals_are_overdispersed_as_a_gamma_of_shape_20_makes_them() -> None:
    """Var(N)/mean^2 = 1/20 + 1/mean for a gamma-mixed Poisson; without the wave, over 2000 slots."""
    arrivals = jobs(scenario("jemas", n_slots=2000, daily_swing=0))[0, 0]
    assert arrivals.var() / arrivals.mean() ** 2 == pytest.approx(1 / 20 + 1 / arrivals.mean(), rel=0.15)


def test_more_than_three_providers_repeat_the_models_and_shares() -> None:
    inst = scenario("jemas", zones=("DE", "FR", "DK", "NL", "CZ", "AT"))
    assert [site.models[0] for site in inst.sites.values()] == ["SD1.5", "SDXL", "SD3.5"] * 2
    by_origin = jobs(inst).sum(axis=(1, 2))
    assert by_origin[3] / by_origin[0] == pytest.approx(1, rel=0.05)
    assert by_origin[5] / by_origin[3] == pytest.approx(0.7 / 1.3, rel=0.05)


@pytest.mark.parametrize("zones", [("FR",), ("FR", "NL")])
def test_one_or_two_zones_make_a_small_instance(zones: tuple[str, ...]) -> None:
    inst = scenario("jemas", zones=zones, n_slots=4, slot_minutes=60, gpus=2)
    assert list(inst.sites) == list(zones)
    assert len(inst.models) == len(zones)
    assert jobs(inst).sum() > 0


@pytest.mark.parametrize(("minutes", "normal", "flexible"), [(5, 3, 36), (15, 1, 12), (30, 0, 6), (60, 0, 3)])
def test_deadlines_are_rounded_down_to_whole_slots(minutes: int, normal: int, flexible: int) -> None:
    inst = scenario("jemas", n_slots=24 * 60 // minutes, slot_minutes=minutes)
    assert inst.classes["normal"].deadline_slots == normal
    assert inst.classes["flexible"].deadline_slots == flexible


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_days_energy_jobs_and_prices_do_not_depend_on_the_slot_length(minutes: int) -> None:
    fine, coarse = scenario("jemas"), scenario("jemas", n_slots=24 * 60 // minutes, slot_minutes=minutes)
    for zone, site in coarse.sites.items():
        same = fine.sites[zone]
        energy = sum(site.renewable_mw) * coarse.slot_hours
        assert energy == pytest.approx(sum(same.renewable_mw) * fine.slot_hours)
        assert np.mean(site.grid.import_price) == pytest.approx(np.mean(same.grid.import_price))
        assert np.mean(site.grid.carbon_kg_per_mwh) == pytest.approx(np.mean(same.grid.carbon_kg_per_mwh))
        assert np.mean(room(coarse, zone).outside_c) == pytest.approx(np.mean(room(fine, zone).outside_c))
    assert jobs(coarse).sum() == pytest.approx(jobs(fine).sum(), rel=0.03)


@pytest.mark.parametrize(("day", "hours"), [("2018-03-25", 23), ("2018-06-12", 24), ("2018-10-28", 25)])
def test_a_local_day_has_as_many_slots_as_its_hours(day: str, hours: int) -> None:
    inst = scenario("jemas", start=day, n_slots="local-day", slot_minutes=15)
    assert inst.n_slots == 4 * hours == len(inst.sites["FR"].renewable_mw)
    assert inst.start.endswith("T23:00:00Z" if hours == 23 else "T22:00:00Z")


def test_the_climate_follows_local_clocks_across_daylight_saving() -> None:
    """The day is warmest at 15 h local: 14 h UTC before the change of 2018-03-25, 13 h after it."""
    for day, hour in (("2018-03-24", 14), ("2018-03-26", 13)):
        cooling = room(scenario("jemas", start=day, n_slots=24, slot_minutes=60), "DE")
        assert int(np.argmax(cooling.outside_c)) == hour
        assert max(cooling.outside_c) == pytest.approx(23)
        assert min(cooling.cop) == pytest.approx(4.5 - 0.06 * 7)


def test_volatility_scales_price_deviations_and_keeps_the_mean() -> None:
    calm, plain, wild = (
        np.array(scenario("jemas", volatility=v).sites["DE"].grid.import_price) for v in (0, 1, 3)
    )
    assert np.ptp(calm) == pytest.approx(0, abs=1e-9)
    assert wild.mean() == pytest.approx(plain.mean())
    assert wild.std() == pytest.approx(3 * plain.std())


def test_revenue_scale_multiplies_prices_and_penalties_alone() -> None:
    one, two = scenario("jemas", revenue_scale=0.6), scenario("jemas", revenue_scale=1.2)
    for name, job in one.classes.items():
        assert two.classes[name].quality_price == pytest.approx(2 * job.quality_price)
        assert two.classes[name].miss_penalty == pytest.approx(2 * job.miss_penalty)
    assert (one.sites, one.arrivals) == (two.sites, two.arrivals)


def test_every_class_can_be_served_at_every_site() -> None:
    options = enumerate_options(scenario("jemas"))
    assert {(int(j), int(k)) for j, k in zip(options.site, options.job_class, strict=True)} == {
        (j, k) for j in range(3) for k in range(3)
    }


def test_the_fluid_variant_has_the_same_arrivals() -> None:
    fluid = scenario("jemas", integral_jobs=False)
    assert not fluid.integral_jobs
    assert np.array_equal(jobs(fluid), jobs(scenario("jemas")))


def test_an_instance_survives_its_file(tmp_path: Path) -> None:
    inst = scenario("jemas", n_slots=12)
    inst.save(tmp_path / "instance.json")
    assert load(tmp_path / "instance.json") == inst


def test_a_users_series_brings_its_own_zones_and_temperature() -> None:
    if not WORLD.exists():
        pytest.skip("the world series is not beside this checkout")
    series = read_series(WORLD)
    inst = scenario("jemas", series=series, zones=("US-TEX-ERCO", "SG", "DE-LU"), start="2023-07-04")
    outside = room(inst, "SG").outside_c
    assert outside[0] == window(series, "SG", pd.Timestamp("2023-07-04", tz="UTC"), 1, 60)["temp_c"].iloc[0]
    assert inst == scenario("jemas", series=WORLD, zones=("US-TEX-ERCO", "SG", "DE-LU"), start="2023-07-04")


def test_a_series_of_the_users_own_zone_needs_a_time_zone_only_without_temperature() -> None:
    series = load_europe_2018().loc[["DE"]].rename(index={"DE": "HOME"})
    with pytest.raises(InputError, match="TIME_ZONES"):
        scenario("jemas", series=series, zones=("HOME",))
    assert list(scenario("jemas", series=series.assign(temp_c=20.0), zones=("HOME",)).sites) == ["HOME"]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"zones": ("DE", "XX")}, "zone = 'XX': expected one of AT, CZ"),
        ({"zones": ()}, "zones"),
        ({"zones": ("DE", "DE")}, "each once"),
        ({"start": "2019-06-12"}, "start = '2019-06-12T00:00Z"),
        ({"start": "someday"}, "start = 'someday': expected an ISO 8601"),
        ({"start": "2018-06-12T06:00", "n_slots": "local-day"}, "a date, for a local day"),
        ({"slot_minutes": 7}, "slot_minutes = 7"),
        ({"slot_minutes": 7, "n_slots": "local-day"}, "slot_minutes = 7"),
        ({"n_slots": "day"}, "n_slots = 'day'"),
        ({"n_slots": -1}, "n_slots = -1"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 0.5}, "seed = 0.5"),
        ({"volatility": -1}, "volatility = -1"),
        ({"load": float("nan")}, "load = nan"),
        ({"load": -0.1}, "load = -0.1"),
        ({"gpus": 0}, "gpus = 0"),
        ({"gpus": 2.5}, "gpus = 2.5"),
        ({"lod": 0.5}, "lod = 0.5: expected a parameter of jemas: "),
        ({"max_utilisation": 1.5}, "max_utilisation = 1.5"),
        ({"series": "absent.csv"}, "absent.csv"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as error:
        scenario("jemas", **parameters)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_scenario_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError) as error:
        scenario("gemas")
    known = ", ".join(SCENARIOS)
    assert str(error.value) == f"scenario = 'gemas': expected one of {known}; did you mean jemas?"


def test_a_time_zone_is_the_clock_of_days_climate_and_labels() -> None:
    """Tokyo's day begins at 15:00 UTC the day before; the climate's wave follows its clock."""
    there = scenario("jemas", start="2018-06-12", n_slots="local-day", slot_minutes=60, timezone="Asia/Tokyo")
    assert there.start == "2018-06-11T15:00:00Z"
    assert there.start_time.isoformat() == "2018-06-12T00:00:00+09:00"
    here = scenario("jemas", start="2018-06-12", n_slots="local-day", slot_minutes=60, zones=("DE",))
    assert room(there, "DE").outside_c == room(here, "DE").outside_c
    with pytest.raises(InputError, match="an IANA time zone"):
        scenario("jemas", n_slots="local-day", timezone="Tokyo")


@pytest.mark.parametrize("name", ["gentd26", "bursty"])
def test_patterns_of_arrivals_keep_the_load_and_are_far_more_dispersed(name: str) -> None:
    month: dict[str, Any] = {"start": "2018-06-01", "n_slots": 24 * 60, "slot_minutes": 60, "zones": ("DE",)}
    usual, found = jobs(scenario("jemas", **month)), jobs(scenario("jemas", **month, arrivals=name))
    assert found.mean() == pytest.approx(usual.mean(), rel=0.1)
    assert found.var() / found.mean() > 3 * usual.var() / usual.mean()


def test_noise_of_the_image_service_lasts_an_hour() -> None:
    day = jobs(scenario("jemas", slot_minutes=5, zones=("DE",), arrivals="gentd26"))[0, 0].reshape(24, 12)
    busy = day[day.mean(axis=1) > 1000]
    assert (busy.std(axis=1) < 0.1 * busy.mean(axis=1)).all()


def test_the_hours_of_the_image_service_have_its_dispersion() -> None:
    """48.4 requests an hour, variance 140 times that: Poisson counts of hours times gamma noise."""
    rng = np.random.default_rng(0)
    comes = pattern("gentd26", {})
    hours = np.tile(np.array(comes.hours) / np.mean(comes.hours), 4000)
    counts = rng.poisson(48.42 * hours * rng.gamma(comes.gamma_shape, 1 / comes.gamma_shape, hours.size))
    assert counts.var() / counts.mean() == pytest.approx(140.2, rel=0.05)


def test_unknown_patterns_and_a_missing_series_are_one_line() -> None:
    with pytest.raises(InputError, match="arrivals = 'burst': expected one of daily, gentd26, bursty"):
        scenario("jemas", arrivals="burst")
    with pytest.raises(InputError, match="spot markets with the zones AU-NSW, CA-ON, SG"):
        scenario("volatile")
    with pytest.raises(InputError, match="series = 5: expected a DataFrame, or the name of a CSV file"):
        scenario("volatile", series=5)


def test_volatile_is_jemas_on_spot_prices_with_a_big_battery() -> None:
    given: dict[str, Any] = {"start": "2018-06-12", "zones": ("DE", "FR"), "series": load_europe_2018()}
    big: dict[str, Any] = {"battery_power": 1.5, "battery_hours": 8, "battery_wear_cost": 5}
    found = scenario("volatile", **given, seed=2)
    wanted = scenario("jemas", **given, **big, seed=2, n_slots=48, slot_minutes=30).to_dict()
    wanted["name"] = found.name
    for name, site in found.sites.items():
        wanted["sites"][name]["terminal_price"] = site.terminal_price
    assert found == Instance.from_dict(wanted)
    assert found.name.startswith("volatile ")


def test_what_is_missing_at_the_end_of_a_volatile_day_costs_what_the_day_before_knew() -> None:
    """A spike tells nobody that it comes, neither by what is charged nor by what a policy sees or does."""
    series = load_europe_2018().copy()
    given: dict[str, Any] = {"start": "2018-06-12", "zones": ("DE", "FR"), "series": series}
    before = scenario("jemas", **given | {"start": "2018-06-11"}, n_slots=48, slot_minutes=30)
    quiet = scenario("volatile", **given)
    for name, site in quiet.sites.items():
        assert site.terminal_price == max(before.sites[name].grid.import_price)
    series.loc[("DE", pd.Timestamp("2018-06-12T20:00Z")), "price_usd_per_mwh"] = 9_000.0
    spiked = scenario("volatile", **given)
    assert max(spiked.sites["DE"].grid.import_price) > 9_000
    assert [site.terminal_price for site in spiked.sites.values()] == [
        site.terminal_price for site in quiet.sites.values()
    ]


def test_the_first_day_of_a_series_is_charged_at_its_first_price() -> None:
    first = scenario("volatile", start="2018-01-01", zones=("DE", "FR"), series=load_europe_2018())
    for site in first.sites.values():
        assert site.terminal_price == max(0.0, site.grid.import_price[0])


def test_more_jobs_than_can_be_counted_are_refused() -> None:
    with pytest.raises(InputError, match="at most 1e\\+15 jobs a slot"):
        scenario("jemas", n_slots=2, gpus=10**17)
