"""The matrices are the model: reference optima, agreement with the evaluator, windows of a horizon."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import EXAMPLES
from solving import best_schedule, optimum
from strategies import instances, random_file, random_instance

from stepwatt.formulation import SITE_FLOWS, Evaluation, Instance, InstanceArrays, Schedule, State, evaluate
from stepwatt.formulation.milp.linear_problem import LinearProblem
from stepwatt.formulation.milp.matrices import linear_problem

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
EXPECTED = json.loads((EXAMPLES / "expected.json").read_text(encoding="utf-8"))


def fluid(a: InstanceArrays) -> InstanceArrays:
    return replace(a, integral_jobs=False)


# --------------------------------------------------------------------------------- values known from outside


def test_the_linear_relaxation_has_the_reference_value(example: Instance) -> None:
    value, _ = optimum(linear_problem(example.arrays()), relaxed=True)
    assert value == pytest.approx(EXPECTED[example.name]["linear_relaxation"], rel=1e-9)


@pytest.mark.parametrize("number", [1, 7])
def test_the_integer_optimum_lies_in_the_reference_interval(number: int) -> None:
    expected = EXPECTED[f"example-{number}"]
    inst = Instance.from_dict(json.loads((EXAMPLES / f"example-{number}.json").read_text(encoding="utf-8")))
    value, schedule = best_schedule(inst.arrays())
    result = evaluate(inst, schedule)
    assert result.feasible
    assert result.utility == pytest.approx(value, rel=1e-6)
    assert result.utility <= expected["optimum_at_most"] * (1 + 1e-6)
    assert result.utility >= expected["optimum_at_least"] * (1 - 1e-6)


def one_site(**site: Any) -> dict[str, Any]:
    """One slot of an hour, ten jobs of a minute that pay 1 and cost 0.5 when lost; power is free."""
    return {
        "schema": "stepwatt.instance/1",
        "start": "2024-03-01T00:00:00Z",
        "n_slots": 1,
        "slot_hours": 1.0,
        "models": {
            "m": {
                "steps": [1],
                "seconds_fixed": 60.0,
                "seconds_per_step": 0.0,
                "joules_fixed": 3.6e6,
                "joules_per_step": 0.0,
                "quality": {"default": {"kind": "tabulated", "steps": [1], "values": [0.5]}},
            }
        },
        "classes": {
            "k": {
                "base_price": 1.0,
                "quality_price": 0.0,
                "quality_floor": 0.0,
                "deadline_slots": 0,
                "miss_penalty": 0.5,
                "payload_gb": 0.0,
            }
        },
        "sites": {
            "a": {
                "gpus": 1,
                "gpu_idle_watts": 0.0,
                "models": ["m"],
                "grid": {
                    "import_price": [0.0],
                    "export_price": [0.0],
                    "import_limit_mw": 1.0,
                    "export_limit_mw": 0.0,
                    "carbon_kg_per_mwh": [0.0],
                },
                "renewable_mw": [0.0],
                "cooling": {"kind": "pue", "pue": [1.0]},
                **site,
            }
        },
        "arrivals": {"a": {"k": [10]}},
        "transfer_cost": {"a": {}},
    }


@pytest.mark.parametrize(
    ("site", "value"),
    [
        ({}, 10.0),
        ({"gpus": 0}, -5.0),
        ({"max_utilisation": 0.075}, 4 * 1.0 - 6 * 0.5),  # 4.5 jobs fit
        ({"models": []}, -5.0),
    ],
)
def test_a_slot_of_ten_jobs_is_worth_what_a_person_computes(site: dict[str, Any], value: float) -> None:
    utility, schedule = best_schedule(Instance.from_dict(one_site(**site)).arrays())
    assert utility == pytest.approx(value)
    assert evaluate(Instance.from_dict(one_site(**site)), schedule).utility == pytest.approx(value)


def test_jobs_are_left_when_energy_costs_more_than_they_pay() -> None:
    data = one_site()
    grid = data["sites"]["a"]["grid"]
    grid["import_price"] = [1499.0]  # a job takes 1e-3 MWh and is worth 1.5
    assert optimum(linear_problem(Instance.from_dict(data).arrays()))[0] == pytest.approx(10 - 14.99)
    grid["import_price"] = [1501.0]
    assert optimum(linear_problem(Instance.from_dict(data).arrays()))[0] == pytest.approx(-5.0)


# --------------------------------------------------------------------------------------- form of the problem


@given(inst=instances())
def test_every_column_has_finite_bounds_and_every_number_is_finite(inst: Instance) -> None:
    p = linear_problem(inst.arrays())
    for values in (p.lower, p.upper, p.cost, p.matrix.data):
        assert np.isfinite(values).all()
    assert (p.lower <= p.upper).all()
    assert (p.row_lower <= p.row_upper).all()
    assert (np.isfinite(p.row_lower) | np.isfinite(p.row_upper)).all()


@given(inst=instances())
def test_columns_and_rows_have_one_name_each(inst: Instance) -> None:
    p = linear_problem(inst.arrays())
    assert len(p.column_names()) == len(set(p.column_names())) == p.matrix.shape[1] == len(p.cost)
    assert len(p.row_names()) == len(set(p.row_names())) == p.matrix.shape[0] == len(p.row_lower)
    assert f"import_mw[s0,{inst.n_slots - 1}]" in p.column_names()
    assert "power_balance[s0,0]" in p.row_names()


@given(inst=instances())
def test_blocks_share_no_columns_and_no_rows(inst: Instance) -> None:
    p = linear_problem(inst.arrays())
    for blocks, size in ((p.columns, len(p.cost)), (p.rows, len(p.row_lower))):
        ids = np.concatenate([block.ids.ravel() for block in blocks.values()])
        assert sorted(ids) == list(range(size))


@given(inst=instances())
def test_jobs_and_gpus_are_integers_unless_fluid_and_modes_always_are(inst: Instance) -> None:
    p = linear_problem(inst.arrays())
    integer = {name for name, block in p.columns.items() if block.ids.size and p.integer[block.ids].all()}
    present = {name for name, block in p.columns.items() if block.ids.size}
    counts = {"transfers", "runs", "lost", "gpus_on"} if inst.integral_jobs else set()
    assert integer == present & (counts | {"charging", "importing", "generator_on"})
    assert p.integer.sum() == sum(p.columns[name].ids.size for name in integer)


@given(inst=instances(), seed=SEEDS)
def test_a_schedule_survives_the_way_through_a_solution_vector(inst: Instance, seed: int) -> None:
    a = inst.arrays()
    p = linear_problem(a)
    drawn = p.schedule(a, np.random.default_rng(seed).random(len(p.cost)))
    again = p.schedule(a, p.vector(a, drawn))
    for name in ("transfers", "runs", *SITE_FLOWS):
        assert np.array_equal(getattr(again, name), getattr(drawn, name))


def test_solver_noise_below_zero_is_cut_off() -> None:
    a = random_instance(np.random.default_rng(0), n_slots=2, n_sites=2).arrays()
    p = linear_problem(a)
    assert evaluate(a, p.schedule(a, np.full(len(p.cost), -1e-9))).violations["sign"] == 0


# ------------------------------------------------------------------------------ agreement with the evaluator


@given(inst=instances(max_slots=5, max_sites=3))
def test_the_promised_optimum_is_what_the_evaluator_pays(inst: Instance) -> None:
    a = fluid(inst.arrays())
    promised, schedule = best_schedule(a)
    result = evaluate(a, schedule)
    assert result.feasible, result.worst
    assert result.utility == pytest.approx(promised, rel=1e-6, abs=1e-9)


@given(inst=instances(max_slots=3, max_sites=2, always=["few"], never=["fluid"]))
def test_the_promised_integer_optimum_is_what_the_evaluator_pays(inst: Instance) -> None:
    a = inst.arrays()
    promised, schedule = best_schedule(a)
    result = evaluate(a, schedule)
    assert result.feasible, result.worst
    assert result.utility == pytest.approx(promised, rel=1e-6, abs=1e-9)
    relaxed, _ = optimum(linear_problem(a), relaxed=True)
    assert relaxed >= promised - 1e-6 * abs(promised) - 1e-9


def completed(p: LinearProblem, a: InstanceArrays, s: Schedule, result: Evaluation) -> Floats:
    """The whole solution vector of a schedule, with what the evaluator says follows from it."""
    x = p.vector(a, s)
    at, started = p.members, np.diff(result.generator_on, axis=1, prepend=a.state.generator_on[:, None]) > 0
    started &= result.generator_on
    missing = np.maximum(a.energy_reference_mwh - result.energy_mwh[:, -1], 0)
    leftover = np.maximum(result.temperature_c[:, -1] - a.temperature_reference_c, 0)
    follows = {
        "lost": result.lost[at.queue_origin, at.queue_class],
        "waiting": result.waiting[at.queue_origin, at.queue_class],
        "it_mw": result.it_mw,
        "peak_mw": result.peak_mw[at.peaks],
        "metered_mw": result.metered_mw[at.meters],
        "charging": (s.charge_mw > s.discharge_mw)[at.batteries],
        "importing": (s.import_mw > s.export_mw)[at.feeds_in],
        "energy_mwh": result.energy_mwh[at.batteries, 1:],
        "energy_missing_mwh": missing[at.batteries],
        "generator_on": result.generator_on[at.generators],
        "generator_start": started[at.generators],
        "temperature_c": result.temperature_c[at.rooms, 1:],
        "heat_leftover_c": leftover[at.rooms],
    }
    assert set(follows) == set(p.columns) - {"transfers", "runs", *SITE_FLOWS}
    for name, values in follows.items():
        x[p.columns[name].ids] = values
    return x


@given(inst=instances(max_slots=4, max_sites=3), seed=SEEDS)
def test_matrices_and_evaluator_accept_the_same_schedules_at_the_same_utility(
    inst: Instance, seed: int
) -> None:
    """Schedules far from the optimum: vertices that random objectives lead to."""
    a = fluid(inst.arrays())
    p = linear_problem(a)
    towards = np.random.default_rng(seed).normal(size=len(p.cost)) / np.maximum(p.upper - p.lower, 1e-3)
    _, x = optimum(replace(p, cost=towards, offset=0.0))
    s = p.schedule(a, x)
    result = evaluate(a, s)
    assert result.feasible, result.worst
    # what the solver left open (idle commitment, warmer rooms, early losses) the evaluator settles at best
    money = float(np.abs(p.cost) @ np.abs(x)) + 1e-3
    assert result.utility >= p.cost @ x + p.offset - 1e-8 * money

    whole = completed(p, a, s, result)
    assert p.cost @ whole + p.offset == pytest.approx(result.utility, abs=1e-8 * money)
    size = np.maximum(1.0, np.abs(p.matrix) @ np.abs(whole))
    row = p.matrix @ whole
    assert ((row - p.row_upper) / size).max() < 1e-7
    assert ((p.row_lower - row) / size).max() < 1e-7
    assert (whole - p.upper).max() < 1e-6
    assert (p.lower - whole).max() < 1e-6


# -------------------------------------------------------------------------------------- windows of a horizon

PER_SLOT = (
    "arrivals",
    "import_price",
    "export_price",
    "carbon_kg_per_mwh",
    "renewable_mw",
    "pue",
    "cop",
    "outside_c",
    "meter_share",
    "meter_goes_on",
)


def window(a: InstanceArrays, first: int, last: int, state: State) -> InstanceArrays:
    """Slots first..last-1; the storage left in mid-horizon has no price."""
    closes = last == a.n_slots
    cut = {name: getattr(a, name)[..., first:last] for name in PER_SLOT}
    price = a.terminal_price if closes else 0 * a.terminal_price
    return replace(a, n_slots=last - first, state=state, closes=closes, terminal_price=price, **cut)


def part(s: Schedule, first: int, last: int) -> Schedule:
    names = ("transfers", "runs", *SITE_FLOWS)
    return Schedule(**{name: getattr(s, name)[..., first:last] for name in names})


def state_after(a: InstanceArrays, slots: int, result: Evaluation) -> State:
    """What a window of the first slots leaves behind: the waiting jobs are the youngest that came."""
    ages = int(a.deadline.max())
    backlog = np.zeros((*a.arrivals.shape[:2], ages))
    left = result.waiting[:, :, -1].copy()
    came = np.concatenate([a.arrivals[:, :, :slots][:, :, ::-1], a.state.backlog], axis=2)
    for age in range(1, min(ages, came.shape[2]) + 1):
        backlog[:, :, age - 1] = np.minimum(left, came[:, :, age - 1])
        left -= backlog[:, :, age - 1]
    assert left == pytest.approx(np.zeros_like(left), abs=1e-6)
    return State(
        energy_mwh=np.clip(result.energy_mwh[:, -1], a.energy_min_mwh, a.energy_max_mwh),
        temperature_c=result.temperature_c[:, -1],
        backlog=backlog,
        generator_on=result.generator_on[:, -1],
        peak_mw=result.peak_mw,
        metered_mw=result.metered_mw[:, -1],
    )


WINDOWED = instances(max_slots=6, max_sites=3, always=["deadline", "generator", "demand", "battery"])


@given(inst=WINDOWED.filter(lambda inst: inst.n_slots > 1), data=st.data())
def test_two_windows_add_up_to_the_horizon(inst: Instance, data: st.DataObject) -> None:
    a = fluid(inst.arrays())
    # a generator with a minimum is on exactly when it gives power, so no idle hour spans both windows
    a = replace(a, generator_min_mw=np.maximum(a.generator_min_mw, 0.1 * a.generator_max_mw))
    promised, s = best_schedule(a)
    whole = evaluate(a, s)
    cut = data.draw(st.integers(1, a.n_slots - 1))

    head = window(a, 0, cut, a.state)
    one = evaluate(head, part(s, 0, cut))
    tail = window(a, cut, a.n_slots, state_after(a, cut, one))
    two = evaluate(tail, part(s, cut, a.n_slots))
    assert one.feasible, one.worst
    assert two.feasible, two.worst
    for term, value in whole.breakdown.items():
        assert one.breakdown[term] + two.breakdown[term] == pytest.approx(value, rel=1e-6, abs=1e-7), term
    assert one.metrics["missed"] + two.metrics["missed"] == pytest.approx(whole.metrics["missed"], abs=1e-5)
    assert np.concatenate([one.temperature_c, two.temperature_c[:, 1:]], axis=1) == pytest.approx(
        whole.temperature_c
    )

    # and the rest of an optimal plan is an optimal plan of the rest
    rest, _ = best_schedule(tail)
    assert one.utility + rest == pytest.approx(promised, rel=1e-6, abs=1e-7)
    assert best_schedule(head)[0] >= one.utility - 1e-6 * abs(one.utility) - 1e-7


def test_jobs_may_wait_beyond_a_window_that_does_not_close() -> None:
    data = random_file(np.random.default_rng(0), n_slots=2, n_sites=1, features=["fluid"])
    data["classes"] = {"k0": {**data["classes"]["k0"], "deadline_slots": 1}}
    data["arrivals"] = {"s0": {"k0": [5.0, 7.0]}}
    a = Instance.from_dict(data).arrays()
    idle = Schedule.idle(a)
    assert evaluate(a, idle).lost[0, 0].tolist() == [0, 12]
    open_ended = evaluate(replace(a, closes=False), idle)
    assert open_ended.lost[0, 0].tolist() == [0, 5]
    assert open_ended.waiting[0, 0].tolist() == [5, 7]


def test_waiting_jobs_of_the_past_can_be_run_at_once_and_are_lost_at_their_deadline() -> None:
    data = random_file(np.random.default_rng(0), n_slots=3, n_sites=1, features=["fluid"])
    data["classes"] = {"k0": {**data["classes"]["k0"], "deadline_slots": 2}}
    data["arrivals"] = {"s0": {"k0": [1.0, 0.0, 0.0]}}
    a = Instance.from_dict(data).arrays()
    a = a.with_state(replace(a.state, backlog=np.array([[[4.0, 3.0]]])))  # 4 came one slot ago, 3 two
    assert evaluate(a, Schedule.idle(a)).lost[0, 0].tolist() == [3, 4, 1]
    run = Schedule.idle(a)
    run.transfers[0, 0, 0, 0] = 5
    result = evaluate(a, run)
    assert result.violations["deadline"] == 0
    assert result.lost[0, 0].tolist() == [0, 2, 1]
    run.transfers[0, 0, 0, 0] = 9
    assert evaluate(a, run).violations["deadline"] == 1


def test_a_generator_that_runs_already_need_not_be_started() -> None:
    a = random_instance(np.random.default_rng(0), n_slots=1, n_sites=1, features=["generator"]).arrays()
    a = replace(a, startup_cost=np.array([9.0]))
    s = Schedule.idle(a)
    s.generator_mw[0, 0] = a.generator_max_mw[0]
    assert evaluate(a, s).breakdown["startup"] == 9.0
    running = a.with_state(replace(a.state, generator_on=np.array([True])))
    assert evaluate(running, s).breakdown["startup"] == 0.0


def test_a_peak_already_paid_costs_nothing_again() -> None:
    a = random_instance(np.random.default_rng(3), n_slots=4, n_sites=1, features=["demand", "fluid"]).arrays()
    paid = a.with_state(replace(a.state, peak_mw=a.import_limit_mw))
    free = replace(a, demand_charge=np.zeros(1))
    assert optimum(linear_problem(paid))[0] == pytest.approx(optimum(linear_problem(free))[0])
    assert optimum(linear_problem(paid))[0] > optimum(linear_problem(a))[0]
