"""What is trimmed before solving cannot matter: the optimum stays, and so does what its schedule is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import instances, random_file

import stepwatt
from stepwatt.formulation import Instance, InstanceArrays, Options
from stepwatt.formulation.instance.useful import power_may_be_burnt
from stepwatt.solvers import solve
from stepwatt.solvers.common.relaxation import solve_relaxation
from stepwatt.solvers.common.trimming import dominated, trimmed


def options(rows: list[tuple[float, float, float]]) -> Options:
    """Options of one class at one site: (revenue, seconds, energy)."""
    zeros = np.zeros(len(rows), dtype=np.int64)
    revenue, seconds, energy = np.array(rows, dtype=float).T
    return Options(zeros, zeros, zeros, zeros, zeros, revenue, revenue, seconds, energy)


THRIFTY, BURNING = np.array([False]), np.array([True])


def test_an_option_that_earns_less_and_takes_more_goes() -> None:
    assert dominated(options([(2, 1, 1), (1, 2, 2)]), THRIFTY).tolist() == [False, True]


def test_a_trade_off_stays() -> None:
    table = options([(2, 2, 1), (1, 1, 1), (1.5, 2, 0.5)])
    assert not dominated(table, THRIFTY).any()


def test_of_twins_one_stays() -> None:
    assert dominated(options([(1, 1, 1), (1, 1, 1), (1, 1, 1)]), THRIFTY).tolist() == [False, True, True]


def test_where_burning_power_pays_the_hungry_option_stays() -> None:
    """At a negative price the second option is paid for the energy it draws more."""
    table = options([(2, 1, 1), (2, 1, 3)])
    assert dominated(table, THRIFTY).tolist() == [False, True]
    assert not dominated(table, BURNING).any()


def test_negative_prices_and_generators_with_a_minimum_make_power_worth_burning() -> None:
    a = stepwatt.scenario("jemas", n_slots=2).arrays()
    assert not power_may_be_burnt(a).any()
    prices = a.import_price.copy()
    prices[1, 0] = -1.0
    assert power_may_be_burnt(replace(a, import_price=prices)).tolist() == [False, True, False]
    with_engine = replace(a, generator=np.array([True, False, True]), generator_min_mw=np.array([0, 0, 0.1]))
    assert power_may_be_burnt(with_engine).tolist() == [False, False, True]


@settings(max_examples=settings.default.max_examples)
@given(instances(max_slots=4, max_sites=3, never={"export_above"}))
def test_the_relaxation_is_worth_the_same(inst: Instance) -> None:
    """Where export may pay more than import, lower limits make the relaxation tighter."""
    a = inst.arrays()
    whole, cut = solve_relaxation(a), solve_relaxation(trimmed(a).arrays)
    assert cut.bound == pytest.approx(whole.bound, rel=1e-7, abs=1e-7)


def with_limits(inst: Instance, limit_mw: float) -> Instance:
    data = inst.to_dict()
    for site in data["sites"].values():
        site["grid"]["import_limit_mw"] = limit_mw
    return Instance.from_dict(data)


@pytest.mark.parametrize("method", ["oracle", "lp", "conic", "greedy"])
def test_an_import_limit_nobody_can_reach_changes_nothing(method: str) -> None:
    """Limits of a gigawatt or a million of them once drowned the site's own kilowatts in rounding."""
    inst = stepwatt.scenario("jemas", n_slots=3)
    near = solve(with_limits(inst, 1e3), method)
    for limit in (1e6, 1e11):
        far = solve(with_limits(inst, limit), method)
        assert far.utility == pytest.approx(near.utility, rel=1e-7)
        if near.bound is not None:
            assert far.bound == pytest.approx(near.bound, rel=1e-7)


def test_schedules_come_back_with_all_options() -> None:
    inst = stepwatt.scenario("jemas", n_slots=2)
    a: InstanceArrays = inst.arrays()
    doubled = replace(a, options=a.options.take(np.repeat(np.arange(len(a.options)), 2)))
    cut = trimmed(doubled)
    assert len(cut.arrays.options) == len(a.options)
    runs = np.ones((len(a.options), 2))
    idle = replace(solve(inst, "greedy").schedule, runs=runs)  # type: ignore[type-var]
    expanded = cut.expanded(idle)
    assert expanded.runs.sum() == runs.sum()
    assert not expanded.runs[1::2].any()


@pytest.mark.parametrize("method", ["oracle", "lp", "greedy"])
def test_a_peak_that_no_import_reaches_is_as_good_as_any(method: str) -> None:
    """However high: HiGHS loses the others' digits beside a peak of a million megawatts."""
    inst = stepwatt.scenario("jemas", n_slots=2, zones=("DE",))
    limit = inst.sites["DE"].grid.import_limit_mw
    paid = {"sites.DE.grid.demand_charge": 1e6, "sites.DE.grid.peak_so_far_mw": limit}
    high = {**paid, "sites.DE.grid.peak_so_far_mw": 1e6}
    one, other = (solve(inst.replace(changes), method) for changes in (paid, high))
    assert one.utility == pytest.approx(other.utility, rel=1e-9)


def with_size(site: str, value: float) -> Instance:
    features = ["deadline", "battery", "generator", "thermal", "demand", "dvfs", "carbon", "backlog"]
    file = random_file(np.random.default_rng(0), n_slots=2, n_sites=2, features=features)
    part, field = site.split(".")
    file["sites"]["s0"][part][field] = value
    return Instance.from_dict(file)


@pytest.mark.parametrize("size", ["battery.energy_mwh", "battery.power_mw", "generator.max_mw"])
@pytest.mark.parametrize("method", ["oracle", "greedy", "lp"])
def test_a_size_beyond_all_use_changes_nothing(size: str, method: str) -> None:
    """Once HiGHS called it optimal what was 2 % below the optimum, or failed."""
    near = solve(with_size(size, 1e3), method)
    for value in (1e6, 1e8):
        far = solve(with_size(size, value), method)
        assert far.status == near.status
        assert far.utility == pytest.approx(near.utility, rel=1e-4)
        if near.bound is not None:
            assert far.bound == pytest.approx(near.bound, rel=1e-4)
        assert far.evaluation is not None
        assert far.evaluation.feasible or method == "lp"


@pytest.mark.parametrize("negative", [False, True])
def test_a_cooling_plant_beyond_all_use_changes_nothing(negative: bool) -> None:
    """Its terawatts were in every bound, which lay three hundredths too high."""
    near, far = (
        with_size("cooling.max_power_mw", value).replace(
            {"sites.s0.grid.import_limit_mw": 1e12}
            if not negative
            else {"sites.s0.grid.import_price[0]": -50.0}
        )
        for value in (0.1, 1e12)
    )
    for method in ("lp", "oracle"):
        one, other = solve(near, method), solve(far, method)
        assert other.status == one.status
        assert other.bound == pytest.approx(one.bound, rel=1e-6)


def test_the_plain_route_proves_nothing_false_beside_a_size_beyond_all_use() -> None:
    """Beside an import limit of terawatts HiGHS denied a sixth of what others reached."""
    wide = with_size("grid.import_limit_mw", 1e12)
    best, plain = solve(wide, "oracle"), solve(wide, "pyomo", gap=1e-3)
    assert best.utility is not None
    assert plain.bound is not None
    assert plain.bound >= best.utility
    assert plain.utility == pytest.approx(best.utility, rel=2e-3)


@pytest.mark.parametrize("field", ["joules_fixed", "seconds_fixed"])
@pytest.mark.parametrize("method", ["foresight", "greedy", "lp", "oracle"])
def test_jobs_of_which_not_one_could_run_are_no_choice(field: str, method: str) -> None:
    """Beside jobs of ten gigajoules foresight had no plan."""
    file = random_file(np.random.default_rng(1), n_slots=2, n_sites=1, features=["thermal"])
    inst = Instance.from_dict(file)
    model = max(file["models"])
    near, far = (solve(inst.replace({f"models.{model}.{field}": size}), method) for size in (1e7, 9e8))
    assert far.status is near.status
    assert far.utility == pytest.approx(near.utility, rel=1e-6)
    if near.bound is not None:
        assert far.bound == pytest.approx(near.bound, rel=1e-6)
