"""The evaluator: every violation is seen, every dollar is computed by hand, energy and jobs are conserved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from solving import best_schedule
from strategies import instances, random_file, random_instance, random_schedule

from stepwatt.formulation import SITE_FLOWS, InputError, Instance, InstanceArrays, Schedule, evaluate
from stepwatt.formulation.schedule.physics import GENERATOR_OFF_MW, commitment, queue

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
A, B = 0, 1  # the sites of the hand-made instance

# ---------------------------------------------------------------------- two sites, two half hours, by hand


def two_sites(**fields: Any) -> dict[str, Any]:
    """A job takes 360 GPU-seconds (five fit into a slot of a GPU), 1e-3 MWh, and pays 2 + 4·0.5 + 0.1·10."""
    return {
        "schema": "stepwatt.instance/1",
        "start": "2024-03-01T00:00:00Z",
        "n_slots": 2,
        "slot_hours": 0.5,
        "carbon_price": 50.0,
        "models": {
            "m": {
                "steps": [10],
                "seconds_fixed": 60.0,
                "seconds_per_step": 30.0,
                "joules_fixed": 0.6e6,
                "joules_per_step": 0.3e6,
                "quality": {"default": {"kind": "tabulated", "steps": [10], "values": [0.5]}},
            }
        },
        "classes": {
            "k": {
                "base_price": 2.0,
                "quality_price": 4.0,
                "step_price": 0.1,
                "quality_floor": 0.5,
                "deadline_slots": 1,
                "miss_penalty": 3.0,
                "payload_gb": 2.0,
            }
        },
        "sites": {
            "a": {
                "gpus": 4,
                "gpu_idle_watts": 1000.0,
                "models": ["m"],
                "grid": {
                    "import_price": [100.0, 80.0],
                    "export_price": [40.0, 30.0],
                    "import_limit_mw": 0.03,
                    "export_limit_mw": 0.03,
                    "carbon_kg_per_mwh": [400.0, 200.0],
                    "demand_charge": 1000.0,
                },
                "renewable_mw": [0.010, 0.010],
                "cooling": {"kind": "pue", "pue": [1.5, 1.5]},
                "battery": {
                    "energy_mwh": 0.02,
                    "power_mw": 0.004,
                    "charge_efficiency": 0.9,
                    "discharge_efficiency": 0.8,
                    "soc_min": 0.44,
                    "soc_max": 0.65,
                    "soc_initial": 0.5,
                    "wear_cost": 10.0,
                },
                "generator": {
                    "max_mw": 0.01,
                    "min_mw": 0.004,
                    "fuel_cost": 120.0,
                    "no_load_cost": 2.0,
                    "startup_cost": 7.0,
                    "carbon_kg_per_mwh": 600.0,
                },
            },
            "b": {
                "gpus": 2,
                "gpu_idle_watts": 1000.0,
                "models": ["m"],
                "terminal_price": 90.0,
                "grid": {
                    "import_price": [50.0, 60.0],
                    "export_price": [50.0, 60.0],
                    "import_limit_mw": 0.03,
                    "export_limit_mw": 0.0,
                    "carbon_kg_per_mwh": [300.0, 100.0],
                },
                "renewable_mw": [0.0, 0.0],
                "cooling": {
                    "kind": "thermal",
                    "cop": [3.0, 3.0],
                    "max_power_mw": 0.004,
                    "heat_capacity_mwh_per_c": 0.002,
                    "leak_mw_per_c": 1e-4,
                    "outside_c": [30.0, 10.0],
                    "min_c": 18.0,
                    "max_c": 22.9,
                    "initial_c": 22.0,
                },
            },
        },
        "arrivals": {"a": {"k": [7, 4]}, "b": {"k": [0, 3]}},
        "transfer_cost": {"a": {"b": 0.5}, "b": {"a": 0.25}},
        "link_gb_per_hour": {"b": {"a": 4.0}},
        **fields,
    }


def by_hand() -> tuple[InstanceArrays, Schedule]:
    """Five of seven jobs run at once, one waits, one is lost; battery, generator and export are all used."""
    a = Instance.from_dict(two_sites()).arrays()
    s = Schedule.idle(a)
    s.transfers[A, A, 0] = [5, 5]
    s.transfers[B, A, 0] = [0, 1]
    s.transfers[B, B, 0] = [0, 2]
    s.runs[A], s.runs[B] = [5, 6], [0, 2]
    s.gpus_on[A], s.gpus_on[B] = [1, 2], [0, 1]
    s.renewable_mw[A] = [0.010, 0.008]
    s.charge_mw[A] = [0.004, 0]
    s.discharge_mw[A] = [0, 0.003]
    s.generator_mw[A] = [0, 0.005]
    s.export_mw[A] = [0, 0.002]
    s.cooling_mw[B] = [0.001, 0]
    s.import_mw[A], s.import_mw[B] = [0.0105, 0.007], [0.001, 0.005]
    return a, s


def test_the_schedule_made_by_hand_is_feasible() -> None:
    result = evaluate(*by_hand())
    assert result.feasible
    assert max(result.violations.values()) < 1e-12


MONEY = {
    "revenue": 13 * 5.0,
    "transfer": 2.0 * 0.25,
    "miss_penalty": 3.0,
    "import": 0.5 * (0.0105 * 100 + 0.007 * 80 + 0.001 * 50 + 0.005 * 60),
    "export": 0.5 * 0.002 * 30,
    "carbon": 0.05 * 0.5 * (0.0105 * 400 + 0.007 * 200 + 0.001 * 300 + 0.005 * 100 + 0.005 * 600),
    "wear": 10 * 0.003 * 0.5,
    "fuel": 0.5 * (120 * 0.005 + 2.0),
    "startup": 7.0,
    "demand": 1000 * 0.0105,
    "terminal": 100 * 7.5e-5 + 90 * 0.002 / 3 * 0.41375,
}


@pytest.mark.parametrize("term", MONEY)
def test_money_is_what_a_person_computes(term: str) -> None:
    assert evaluate(*by_hand()).breakdown[term] == pytest.approx(MONEY[term], rel=1e-9)


def test_utility_is_revenue_and_export_less_every_cost() -> None:
    result = evaluate(*by_hand())
    assert set(result.breakdown) == set(MONEY)
    costs = sum(MONEY[term] for term in MONEY if term not in ("revenue", "export"))
    assert result.utility == pytest.approx(MONEY["revenue"] + MONEY["export"] - costs, rel=1e-12)


def test_trajectories_are_what_a_person_computes() -> None:
    result = evaluate(*by_hand())
    assert result.it_mw == pytest.approx(np.array([[0.011, 0.014], [0.0, 0.005]]))
    assert result.facility_mw == pytest.approx(np.array([[0.0165, 0.021], [0.001, 0.005]]))
    assert result.energy_mwh[A] == pytest.approx([0.01, 0.0118, 0.009925])
    assert result.temperature_c[B] == pytest.approx([22.0, 21.45, 22.41375])
    assert result.waiting[:, 0].tolist() == [[2, 0], [0, 0]]
    assert result.lost[:, 0].tolist() == [[0, 1], [0, 0]]
    assert result.peak_mw.tolist() == [0.0105, 0.005]
    assert result.generator_on.tolist() == [[False, True], [False, False]]


def test_metrics_are_what_a_person_computes() -> None:
    assert evaluate(*by_hand()).metrics == pytest.approx(
        {
            "jobs": 14,
            "missed": 1,
            "miss_rate": 1 / 14,
            "mean_quality": 0.5,
            "mean_steps": 10,
            "transfer_share": 1 / 13,
            "energy_mwh": 0.5 * (0.0165 + 0.021 + 0.001 + 0.005),
            "carbon_t": 4.7e-3,
            "renewable_share": 0.018 / (0.018 + 0.0235 + 0.005),
            "gpu_utilisation": 13 * 360 / (6 * 2 * 1800),
        }
    )


# ------------------------------------------------------------------------- every violation family is seen

Edit = Callable[[Schedule], None]


def put(flow: str, *index: int, to: float) -> Edit:
    def edit(s: Schedule) -> None:
        getattr(s, flow)[index] = to

    return edit


def all_of(*edits: Edit) -> Edit:
    def edit(s: Schedule) -> None:
        for one in edits:
            one(s)

    return edit


#: what is done, its family, by how much. Imports then follow, so that power balances where it can.
BREACHES: dict[str, tuple[Edit, str, float]] = {
    "a negative flow": (put("renewable_mw", A, 1, to=-0.001), "sign", 0.001),
    "a negative number of jobs": (
        all_of(put("transfers", A, B, 0, 0, to=-1), put("runs", B, 0, to=-1), put("gpus_on", B, 0, to=1)),
        "sign",
        1.0,
    ),
    "half a job": (
        all_of(put("transfers", A, A, 0, 0, to=4.5), put("runs", A, 0, to=4.5)),
        "integrality",
        0.5,
    ),
    "a third of a GPU": (put("gpus_on", A, 0, to=4 / 3), "integrality", 1 / 3),
    "a job run that nobody sent": (put("runs", A, 1, to=7), "assignment", 1.0),
    "a job sent that nobody runs": (put("runs", A, 1, to=5), "assignment", 1.0),
    "a job run before it arrives": (
        all_of(
            put("transfers", B, B, 0, 0, to=1),
            put("transfers", B, B, 0, 1, to=1),
            put("runs", B, 0, to=1),
            put("runs", B, 1, to=1),
            put("gpus_on", B, 0, to=1),
        ),
        "deadline",
        1.0,
    ),
    "more GPUs than there are": (put("gpus_on", A, 0, to=5), "gpu_count", 1.0),
    "jobs on GPUs that are off": (put("gpus_on", A, 1, to=1), "gpu_time", 0.2),
    "more data than the link carries": (
        all_of(
            put("transfers", B, A, 0, 1, to=2),
            put("transfers", B, B, 0, 1, to=1),
            put("runs", A, 1, to=7),
            put("runs", B, 1, to=1),
        ),
        "link",
        2.0,
    ),
    "too much import": (put("export_mw", A, 0, to=0.025), "import_limit", 0.0055),
    "too much export": (
        all_of(
            put("export_mw", A, 0, to=0.033),
            put("charge_mw", A, 0, to=0),
            put("discharge_mw", A, 1, to=0),
            put("generator_mw", A, 0, to=0.01),
        ),
        "export_limit",
        0.003,
    ),
    "more sun than shines": (put("renewable_mw", A, 0, to=0.011), "renewable", 0.001),
    "more cooling than installed": (put("cooling_mw", B, 0, to=0.005), "cooling_limit", 0.001),
    "cooling where there is none": (
        all_of(put("cooling_mw", A, 0, to=0.001)),
        "cooling_limit",
        0.001,
    ),
    "a room too warm": (put("cooling_mw", B, 0, to=0), "temperature", 23.145 - 22.9),
    "charging too fast": (put("charge_mw", A, 0, to=0.0045), "charge_limit", 0.0005),
    "discharging too fast": (put("discharge_mw", A, 1, to=0.0045), "discharge_limit", 0.0005),
    "charging and discharging at once": (put("charge_mw", A, 1, to=0.001), "charge_discharge", 0.001),
    "a battery too empty": (put("charge_mw", A, 0, to=0), "state_of_charge", 0.0088 - 0.008125),
    "a battery too full": (
        all_of(put("charge_mw", A, 1, to=0.004), put("discharge_mw", A, 1, to=0)),
        "state_of_charge",
        0.0136 - 0.013,
    ),
    "a generator beyond its maximum": (put("generator_mw", A, 1, to=0.011), "generator_limit", 0.001),
    "a generator where there is none": (put("generator_mw", B, 1, to=0.001), "generator_limit", 0.001),
    "a generator below its minimum": (put("generator_mw", A, 1, to=0.003), "generator_minimum", 0.001),
    "power from nowhere": (put("import_mw", A, 0, to=0.0095), "balance", 0.001),
    "power to nowhere": (put("import_mw", A, 0, to=0.0115), "balance", 0.001),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_seen_in_its_family_and_in_no_other(name: str) -> None:
    edit, family, amount = BREACHES[name]
    a, s = by_hand()
    edit(s)
    if family != "balance":
        s.import_mw[...] = (
            evaluate(a, s).facility_mw
            + s.charge_mw
            + s.export_mw
            - s.renewable_mw
            - s.discharge_mw
            - s.generator_mw
        )
    result = evaluate(a, s)
    assert set(result.broken) == {family}
    assert result.violations[family] == pytest.approx(amount, rel=1e-6)
    assert result.worst == (family, result.violations[family])
    assert not result.feasible


def test_every_family_has_a_breach() -> None:
    elsewhere = {"import_export"}  # only where export pays more than import costs: test_grid
    found = {family for _, family, _ in BREACHES.values()} | elsewhere
    assert found == set(evaluate(*by_hand()).violations)


def test_rounding_is_no_breach_and_more_than_rounding_is() -> None:
    a, s = by_hand()
    allowed = evaluate(a, s).tolerance("balance")
    s.import_mw[A, 0] += 0.5 * allowed
    assert evaluate(a, s).feasible
    s.import_mw[A, 0] += allowed
    assert not evaluate(a, s).feasible
    assert set(evaluate(a, s).broken) == {"balance"}


def test_what_rounding_may_gain_is_a_ten_millionth_of_the_power_of_a_site() -> None:
    a, s = by_hand()
    used = a.most_it_mw * a.pue.max(axis=1) + a.cooling_max_mw + a.battery_power_mw
    own = a.renewable_mw.max(axis=1) + a.generator_max_mw
    largest = max(float(used.max()), float(own.max()))
    assert evaluate(a, s).tolerance("balance") == pytest.approx(1e-7 * largest)


def test_a_generous_import_limit_buys_no_tolerance() -> None:
    a, s = by_hand()
    generous = replace(a, import_limit_mw=np.full(len(a.sites), 1e9))
    assert evaluate(generous, s).tolerance("balance") == evaluate(a, s).tolerance("balance")


@pytest.mark.parametrize(
    ("part", "size"),
    [
        ("generator", "max_mw"),
        ("battery", "power_mw"),
        ("battery", "energy_mwh"),
        ("cooling", "max_power_mw"),
    ],
)
@pytest.mark.parametrize("value", [1e6, 1e9, 1e12])
def test_a_machine_beyond_all_use_buys_no_tolerance(part: str, size: str, value: float) -> None:
    """Beside a generator of ten million megawatts a schedule without any power was once accepted."""
    features = ["battery", "generator", "thermal"]
    file = random_file(np.random.default_rng(0), n_slots=2, n_sites=1, features=features)
    _, schedule = best_schedule(Instance.from_dict(file).arrays())
    file["sites"]["s0"][part][size] = min(value, 1e9) if size == "energy_mwh" else value
    inst = Instance.from_dict(file)
    assert evaluate(inst, schedule).feasible
    supplies = ("import_mw", "renewable_mw", "generator_mw", "discharge_mw")
    starved = replace(schedule, **{name: 0.99 * getattr(schedule, name) for name in supplies})
    assert "balance" in evaluate(inst, starved).broken


def test_fluid_jobs_and_their_gpus_may_be_fractions() -> None:
    a, s = by_hand()
    fluid = replace(a, integral_jobs=False)
    s.transfers[A, A, 0, 0] = s.runs[A, 0] = 4.5
    s.gpus_on[A, 0] = 0.9
    s.import_mw[A, 0] = 1.5 * (4.5 * 2e-3 + 0.9e-3) + 0.004 - 0.010
    assert evaluate(fluid, s).feasible
    assert evaluate(a, s).violations["integrality"] == pytest.approx(0.5)


@pytest.mark.parametrize("flow", ["transfers", "runs", *SITE_FLOWS])
def test_arrays_of_the_wrong_shape_are_refused_by_name(flow: str) -> None:
    a, s = by_hand()
    wrong = replace(s, **{flow: getattr(s, flow)[:-1]})
    with pytest.raises(
        InputError, match=rf"schedule\.{flow} = 'an array of shape .*: expected .* finite numb"
    ):
        evaluate(a, wrong)


@pytest.mark.parametrize("flow", ["transfers", "runs", *SITE_FLOWS])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(flow: str, value: float) -> None:
    a, s = by_hand()
    getattr(s, flow).flat[0] = value
    with pytest.raises(
        InputError, match=rf"schedule\.{flow}\[[0, ]+\] = (nan|inf): expected .* finite numbers"
    ):
        evaluate(a, s)


@pytest.mark.parametrize(
    "kind",
    [
        lambda values: values.astype(np.float32),
        lambda values: values.astype(np.int16),
        lambda values: values.astype(np.uint64),
        lambda values: values.astype(object),
        np.ndarray.tolist,
        np.ma.asarray,
    ],
)
def test_numbers_of_other_kinds_are_judged_as_doubles_are(kind: Any) -> None:
    """Unsigned and short ones would overflow in sums and signs."""
    a, s = by_hand()
    whole = replace(s, **{flow: np.round(getattr(s, flow)) for flow in vars(s)})
    other = Schedule(**{name: kind(values) for name, values in vars(whole).items()})
    assert evaluate(a, other).utility == evaluate(a, whole).utility
    assert evaluate(a, other).violations == evaluate(a, whole).violations


@pytest.mark.parametrize(
    "given",
    [None, "1.0", 1j, np.array(["1"]), np.array(["2018-06-12"], "datetime64[D]"), [10**400], [[1], [1, 2]]],
)
def test_other_than_numbers_make_no_schedule(given: Any) -> None:
    _, s = by_hand()
    with pytest.raises(InputError, match=r"schedule\.runs = .*: expected an array of numbers"):
        replace(s, runs=given)


@pytest.mark.parametrize("given", [None, "plan.json", {}, 3])
def test_what_is_no_schedule_or_no_instance_is_told_in_one_line(given: Any) -> None:
    a, s = by_hand()
    with pytest.raises(InputError, match=r"schedule = .*: expected a Schedule"):
        evaluate(a, given)
    with pytest.raises(InputError, match=r"instance = .*: expected an Instance"):
        evaluate(given, s)


@given(inst=instances(), seed=SEEDS)
def test_evaluating_changes_nothing_and_file_and_arrays_give_the_same(inst: Instance, seed: int) -> None:
    a = inst.arrays()
    s = random_schedule(np.random.default_rng(seed), a)
    kept = s.copy()
    first, second = evaluate(inst, s), evaluate(a, s)
    assert first.utility == second.utility
    assert first.violations == second.violations
    assert all(np.array_equal(getattr(s, n), getattr(kept, n)) for n in ("transfers", "runs", *SITE_FLOWS))


# ------------------------------------------------------------------------------------------------ the queues


def simulate(
    arrivals: list[int], run: list[int], deadline: int, backlog: list[int], closes: bool
) -> tuple[list[int], list[int], int]:
    """One list entry per job, oldest served first: waiting and lost per slot, and served but absent."""
    jobs = [-age for age in range(len(backlog), 0, -1) for _ in range(backlog[age - 1])]
    waiting, lost, absent = [], [], 0
    for t, (come, served) in enumerate(zip(arrivals, run, strict=True)):
        jobs += [t] * come
        absent += max(0, served - len(jobs))
        jobs = jobs[served:]
        last = closes and t == len(arrivals) - 1
        late = [arrived for arrived in jobs if last or arrived + deadline <= t]
        jobs = [arrived for arrived in jobs if not (last or arrived + deadline <= t)]
        lost.append(len(late))
        waiting.append(len(jobs))
    return waiting, lost, absent


@st.composite
def queues(draw: st.DrawFn) -> tuple[list[int], list[int], int, list[int], bool]:
    n = draw(st.integers(1, 8))
    arrivals = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    run = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    deadline = draw(st.integers(0, 4))
    backlog = draw(st.lists(st.integers(0, 4), max_size=deadline))
    return arrivals, run, deadline, backlog, draw(st.booleans())


def queue_of(
    arrivals: list[int], run: list[int], deadline: int, backlog: list[int], closes: bool
) -> tuple[Floats, Floats, Floats]:
    """The evaluator's queue of two identical origins; the second sends its jobs to the first."""
    data = random_file(np.random.default_rng(0), n_slots=len(arrivals), n_sites=2, features=[])
    data["classes"] = {"k0": {**data["classes"]["k0"], "deadline_slots": deadline}}
    data["arrivals"] = {"s0": {"k0": arrivals}, "s1": {"k0": arrivals}}
    a = Instance.from_dict(data).arrays()
    old = np.tile(np.array(backlog, dtype=float), (2, 1, 1))
    a = replace(a.with_state(replace(a.state, backlog=old)), closes=closes)
    s = Schedule.idle(a)
    s.transfers[0, 0, 0] = s.transfers[1, 0, 0] = run
    return queue(a, s)


@given(case=queues())
def test_queues_are_served_oldest_first_and_jobs_leave_at_their_deadline(
    case: tuple[list[int], list[int], int, list[int], bool],
) -> None:
    expected_waiting, expected_lost, absent = simulate(*case)
    waiting, lost, excess = queue_of(*case)
    assert (excess[0].max() > 0) == (absent > 0)
    assume(absent == 0)
    for origin in (0, 1):
        assert waiting[origin, 0].tolist() == expected_waiting
        assert lost[origin, 0].tolist() == expected_lost


@given(case=queues())
def test_serving_no_more_than_is_there_is_never_a_breach(
    case: tuple[list[int], list[int], int, list[int], bool],
) -> None:
    arrivals, wish, deadline, backlog, closes = case
    run: list[int] = []
    for t in range(len(arrivals)):
        waiting, _, _ = simulate(arrivals[:t], run, deadline, backlog, closes=False) if t else ([], [], 0)
        there = (waiting[-1] if t else sum(backlog)) + arrivals[t]
        run.append(min(wish[t], there))
    expected_waiting, expected_lost, absent = simulate(arrivals, run, deadline, backlog, closes)
    waiting_now, lost, excess = queue_of(arrivals, run, deadline, backlog, closes)
    assert absent == 0
    assert excess.max() == 0
    assert waiting_now[0, 0].tolist() == expected_waiting
    assert lost[0, 0].tolist() == expected_lost
    assert sum(run) + lost[0, 0].sum() + waiting_now[0, 0, -1] == sum(arrivals) + sum(backlog)


# ------------------------------------------------------------------------------- storage, rooms, generators


@given(inst=instances(always=["battery"]), seed=SEEDS)
def test_battery_content_follows_the_recursion(inst: Instance, seed: int) -> None:
    a = inst.arrays()
    s = random_schedule(np.random.default_rng(seed), a)
    energy = evaluate(a, s).energy_mwh
    for j, site in enumerate(inst.sites.values()):
        b = site.battery
        e = b.soc_initial * b.energy_mwh if b else 0.0
        assert energy[j, 0] == pytest.approx(e)
        for t in range(inst.n_slots):
            charged = s.charge_mw[j, t] * (b.charge_efficiency if b else 1.0)
            drawn = s.discharge_mw[j, t] / (b.discharge_efficiency if b else 1.0)
            e = e + inst.slot_hours * (charged - drawn)
            assert energy[j, t + 1] == pytest.approx(e, rel=1e-9, abs=1e-12)


@given(inst=instances(always=["thermal"]), seed=SEEDS)
def test_room_temperature_follows_the_recursion(inst: Instance, seed: int) -> None:
    a = inst.arrays()
    s = random_schedule(np.random.default_rng(seed), a)
    result = evaluate(a, s)
    for j, site in enumerate(inst.sites.values()):
        room = site.cooling
        if room.kind == "pue":
            assert not result.temperature_c[j].any()
            assert result.facility_mw[j] == pytest.approx(np.array(room.pue) * result.it_mw[j])
            continue
        theta = room.initial_c
        for t in range(inst.n_slots):
            power = inst.sites[a.sites[j]].gpu_idle_watts / 1e6 * s.gpus_on[j, t]
            for row in np.flatnonzero(a.options.site == j):
                power += a.options.energy_mwh[row] * s.runs[row, t] / inst.slot_hours
            heat = power - room.cop[t] * s.cooling_mw[j, t] - room.leak_mw_per_c * (theta - room.outside_c[t])
            theta = max(room.min_c, theta + inst.slot_hours / room.heat_capacity_mwh_per_c * heat)
            assert result.temperature_c[j, t + 1] == pytest.approx(theta, rel=1e-9)
            assert result.facility_mw[j, t] == pytest.approx(power + s.cooling_mw[j, t])


@given(
    flow=st.lists(st.sampled_from([0.0, 0.0, 0.5 * GENERATOR_OFF_MW, 0.3, 0.5]), min_size=1, max_size=8),
    minimum=st.sampled_from([0.0, 0.2]),
    no_load=st.sampled_from([0.0, 1.0, 3.0]),
    startup=st.sampled_from([0.0, 1.0, 2.5, 7.0]),
    was_on=st.booleans(),
    slot_hours=st.sampled_from([0.5, 1.0]),
)
def test_commitment_is_the_cheapest_of_all_that_give_the_flow(
    flow: list[float], minimum: float, no_load: float, startup: float, was_on: bool, slot_hours: float
) -> None:
    a = random_instance(
        np.random.default_rng(0), n_slots=len(flow), n_sites=1, features=["generator"]
    ).arrays()
    a = replace(
        a.with_state(replace(a.state, generator_on=np.array([was_on]))),
        slot_hours=slot_hours,
        generator_min_mw=np.array([minimum]),
        no_load_cost=np.array([no_load]),
        startup_cost=np.array([startup]),
    )
    giving = [mw > GENERATOR_OFF_MW for mw in flow]

    def cost(on: tuple[bool, ...]) -> float:
        starts = sum(now and not before for before, now in zip((was_on, *on[:-1]), on, strict=True))
        return no_load * slot_hours * sum(on) + startup * starts

    patterns = [
        on
        for on in product((False, True), repeat=len(flow))
        if all(o == g if minimum > 0 else o >= g for o, g in zip(on, giving, strict=True))
    ]
    on, starts = commitment(a, np.array([flow]))
    chosen = tuple(bool(o) for o in on[0])
    assert chosen in patterns
    assert cost(chosen) == pytest.approx(min(cost(pattern) for pattern in patterns))
    assert no_load * slot_hours * on.sum() + startup * starts.sum() == pytest.approx(cost(chosen))


# ------------------------------------------------------------------------------------------------- the books


@given(inst=instances(max_slots=5, max_sites=3))
def test_the_books_of_energy_jobs_and_money_close_for_the_best_schedule(inst: Instance) -> None:
    a = replace(inst.arrays(), integral_jobs=False)
    _, s = best_schedule(a)
    result = evaluate(a, s)
    assert result.feasible, result.worst
    dt = a.slot_hours
    supplied = (s.import_mw + s.renewable_mw + s.generator_mw).sum(axis=1) * dt
    used = (result.facility_mw + s.export_mw).sum(axis=1) * dt
    lost_in_charging = (1 - a.charge_efficiency) * s.charge_mw.sum(axis=1) * dt
    lost_in_discharging = (1 / a.discharge_efficiency - 1) * s.discharge_mw.sum(axis=1) * dt
    stored = result.energy_mwh[:, -1] - result.energy_mwh[:, 0]
    books = used + lost_in_charging + lost_in_discharging + stored
    assert supplied == pytest.approx(books, rel=1e-6, abs=1e-9)

    run, jobs = s.transfers.sum(axis=(1, 3)), a.arrivals.sum(axis=2) + a.state.backlog.sum(axis=2)
    assert run + result.lost.sum(axis=2) == pytest.approx(jobs, rel=1e-9, abs=1e-6)
    assert result.metrics["jobs"] == pytest.approx(s.runs.sum() + result.metrics["missed"], abs=1e-5)
    assert not result.waiting[:, :, -1].any()

    money = result.breakdown
    best_pay = [max(a.options.revenue[a.options.job_class == k], default=0.0) for k in range(len(a.classes))]
    assert 0 <= money["revenue"] <= (jobs @ best_pay).sum() * (1 + 1e-9)
    assert result.utility == pytest.approx(
        money["revenue"]
        + money["export"]
        - sum(v for n, v in money.items() if n not in ("revenue", "export"))
    )
    never_negative = set(money) - {"import", "export"}
    assert min(money[name] for name in never_negative) >= 0


@given(inst=instances(max_slots=5, max_sites=3, always=["thermal"]))
def test_the_books_of_heat_close_and_recirculated_air_only_ever_warms(inst: Instance) -> None:
    a = replace(inst.arrays(), integral_jobs=False)
    _, s = best_schedule(a)
    result = evaluate(a, s)
    for j in np.flatnonzero(a.thermal):
        theta = result.temperature_c[j]
        leak = a.leak_mw_per_c[j] * (theta[:-1] - a.outside_c[j])
        heat = a.slot_hours * (result.it_mw[j] - a.cop[j] * s.cooling_mw[j] - leak)
        recirculated = a.heat_capacity[j] * np.diff(theta) - heat
        assert recirculated.min() >= -1e-12
        assert (recirculated[theta[1:] > a.min_c[j]] < 1e-12).all()


@pytest.mark.parametrize("n_slots", [23, 25])
def test_days_of_23_and_25_hours_are_days_like_any_other(n_slots: int) -> None:
    rng = np.random.default_rng(n_slots)
    features = ["fluid", "battery", "thermal", "deadline"]
    a = random_instance(rng, n_slots=n_slots, n_sites=2, slot_hours=1.0, features=features).arrays()
    utility, s = best_schedule(a)
    result = evaluate(a, s)
    assert result.feasible
    assert result.utility == pytest.approx(utility, rel=1e-6)


# ------------------------------------------------------------------------------------------------- edge cases


def alone(**site: Any) -> InstanceArrays:
    """Site a alone, without arrivals, battery or generator unless given."""
    data = two_sites(arrivals={"a": {"k": [0, 0]}}, transfer_cost={}, link_gb_per_hour={}, carbon_price=0.0)
    data["transfer_cost"] = {"a": {}}
    data["sites"] = {"a": {**data["sites"]["a"], "battery": None, "generator": None, **site}}
    return Instance.from_dict(data).arrays()


def test_doing_nothing_without_jobs_is_worth_nothing() -> None:
    a = alone()
    result = evaluate(a, Schedule.idle(a))
    assert result.feasible
    assert result.utility == 0
    assert set(result.breakdown.values()) == set(result.metrics.values()) == {0.0}


def test_import_at_a_negative_price_earns_money_only_if_it_is_used() -> None:
    grid = two_sites()["sites"]["a"]["grid"] | {"import_price": [-20.0, 50.0], "export_price": [-30.0, 40.0]}
    a = alone(grid={**grid, "demand_charge": 0.0})
    s = Schedule.idle(a)
    s.import_mw[0, 0] = 0.003
    assert evaluate(a, s).violations["balance"] == pytest.approx(0.003)
    s.gpus_on[0, 0] = 2
    result = evaluate(a, s)
    assert result.feasible
    assert result.utility == pytest.approx(0.5 * 0.003 * 20)
    s.import_mw[0, 0], s.export_mw[0, 0] = 0.013, 0.010
    around = evaluate(a, s)
    assert around.feasible
    assert around.utility < result.utility


def test_export_at_a_negative_price_costs_money() -> None:
    grid = two_sites()["sites"]["a"]["grid"] | {"import_price": [-20.0, 50.0], "export_price": [-30.0, 40.0]}
    a = alone(grid=grid)
    s = Schedule.idle(a)
    s.renewable_mw[0, 0] = s.export_mw[0, 0] = 0.004
    assert evaluate(a, s).breakdown["export"] == pytest.approx(-0.5 * 0.004 * 30)


def test_a_battery_without_capacity_can_do_nothing() -> None:
    battery = two_sites()["sites"]["a"]["battery"]
    a = alone(battery={**battery, "energy_mwh": 0.0})
    s = Schedule.idle(a)
    assert evaluate(a, s).feasible
    s.charge_mw[0, 0] = s.import_mw[0, 0] = 0.001
    assert evaluate(a, s).violations["state_of_charge"] == pytest.approx(0.5 * 0.9 * 0.001)


def test_a_site_without_battery_has_none() -> None:
    a = alone()
    s = Schedule.idle(a)
    s.charge_mw[0, 0] = s.import_mw[0, 0] = 0.001
    violations = evaluate(a, s).violations
    assert violations["charge_limit"] == 0.001
    assert violations["state_of_charge"] == pytest.approx(0.0005)


def test_a_battery_that_ends_fuller_than_it_began_is_not_paid_for_it() -> None:
    a = alone(battery=two_sites()["sites"]["a"]["battery"])
    s = Schedule.idle(a)
    s.charge_mw[0, 0] = s.renewable_mw[0, 0] = 0.004
    result = evaluate(a, s)
    assert result.feasible
    assert result.utility == 0


def test_the_demand_charge_counts_only_the_rise_over_the_peak_so_far() -> None:
    a = alone()
    a = a.with_state(replace(a.state, peak_mw=np.array([0.002])))
    s = Schedule.idle(a)
    s.gpus_on[0, 1] = 2
    s.import_mw[0, 1] = 0.003
    result = evaluate(a, s)
    assert result.breakdown["demand"] == pytest.approx(1000 * 0.001)
    assert result.peak_mw == pytest.approx([0.003])
    s.gpus_on[0, 1], s.import_mw[0, 1] = 1, 0.0015
    assert evaluate(a, s).breakdown["demand"] == 0
    assert evaluate(a, s).peak_mw == pytest.approx([0.002])


def test_a_single_slot_loses_whatever_it_does_not_run() -> None:
    data = random_file(np.random.default_rng(2), n_slots=1, n_sites=1, features=["deadline"])
    a = Instance.from_dict(data).arrays()
    result = evaluate(a, Schedule.idle(a))
    assert result.metrics["miss_rate"] == 1
    assert result.utility == pytest.approx(-(a.arrivals.sum(axis=(0, 2)) @ a.miss_penalty))


# ------------------------------------------------------------------------------------- physics as invariance

SERIES = ("import_price", "export_price", "carbon_kg_per_mwh", "renewable_mw", "pue", "cop", "outside_c")


def split(data: Any, parts: int) -> Any:
    """The same file with every slot cut into equal parts; jobs arrive at the beginning of the old slot."""

    def refine(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        cut = [name for name, value in node.items() if name in SERIES and isinstance(value, list)]
        series = {name: [v for v in node[name] for _ in range(parts)] for name in cut}
        return {name: series.get(name, refine(value)) for name, value in node.items()}

    fine: dict[str, Any] = refine(data)
    fine["n_slots"], fine["slot_hours"] = data["n_slots"] * parts, data["slot_hours"] / parts
    fine["arrivals"] = {
        i: {k: [n for jobs in series for n in (jobs, *[0] * (parts - 1))] for k, series in row.items()}
        for i, row in data["arrivals"].items()
    }
    fine["backlog"] = {
        i: {k: [n for jobs in waiting for n in (*[0] * (parts - 1), jobs)] for k, waiting in row.items()}
        for i, row in data.get("backlog", {}).items()
    }
    for site in fine["sites"].values():
        site["grid"]["demand_interval_slots"] = site["grid"].get("demand_interval_slots", 1) * parts
    for k in fine["classes"].values():
        k["deadline_slots"] = (k["deadline_slots"] + 1) * parts - 1
    return fine


def with_flows_of(a: InstanceArrays, s: Schedule, parts: int) -> Schedule:
    fine = Schedule.idle(a)
    return replace(fine, **{flow: np.repeat(getattr(s, flow), parts, axis=1) for flow in SITE_FLOWS})


@given(inst=instances(), seed=SEEDS, parts=st.integers(2, 4))
def test_cutting_slots_into_parts_changes_no_energy_and_no_money(
    inst: Instance, seed: int, parts: int
) -> None:
    a = inst.arrays()
    s = random_schedule(np.random.default_rng(seed), a)
    s.runs[...] = s.transfers[...] = 0
    fine = Instance.from_dict(split(inst.to_dict(), parts)).arrays()
    coarse, refined = evaluate(a, s), evaluate(fine, with_flows_of(fine, s, parts))
    assert refined.energy_mwh[:, ::parts] == pytest.approx(coarse.energy_mwh, rel=1e-9, abs=1e-12)
    assert refined.metrics["energy_mwh"] == pytest.approx(coarse.metrics["energy_mwh"])
    assert refined.metrics["carbon_t"] == pytest.approx(coarse.metrics["carbon_t"])
    assert refined.metrics["missed"] == pytest.approx(coarse.metrics["missed"])
    for term in set(coarse.breakdown) - {"terminal"}:
        assert refined.breakdown[term] == pytest.approx(coarse.breakdown[term], rel=1e-9, abs=1e-12)


def test_room_temperature_converges_to_the_heat_equation_as_slots_get_shorter() -> None:
    data = two_sites()
    data["sites"] = {"b": {**data["sites"]["b"], "gpus": 4}}
    data |= {"arrivals": {"b": {"k": [0, 0]}}, "transfer_cost": {}, "link_gb_per_hour": {}, "slot_hours": 2.0}
    data["transfer_cost"] = {"b": {}}
    data["sites"]["b"]["cooling"] |= {"min_c": -50.0, "outside_c": [30.0, 30.0]}
    leak, capacity, hours, power, cooling = 1e-4, 0.002, 4.0, 0.004, 0.001
    settled = 30 + (power - 3 * cooling) / leak
    exact = settled + (22 - settled) * np.exp(-leak / capacity * hours)
    errors = []
    for parts in (1, 2, 4, 8):
        a = Instance.from_dict(split(data, parts)).arrays()
        s = Schedule.idle(a)
        s.gpus_on[...], s.cooling_mw[...] = 4, cooling
        errors.append(evaluate(a, s).temperature_c[0, -1] - exact)
    assert errors[0] == pytest.approx(0, abs=0.2)
    assert [one / two for one, two in pairwise(errors)] == pytest.approx([2.0] * 3, rel=0.1)


@given(inst=instances(max_sites=3), seed=SEEDS)
def test_the_order_of_sites_classes_and_models_does_not_matter(inst: Instance, seed: int) -> None:
    def reversed_tables(node: Any) -> Any:
        return {n: reversed_tables(v) for n, v in reversed(node.items())} if isinstance(node, dict) else node

    schedule = random_schedule(np.random.default_rng(seed), inst.arrays())
    other = Instance.from_dict(reversed_tables(inst.to_dict()))
    assert list(other.sites) == list(reversed(inst.sites))
    one = evaluate(inst, schedule)
    two = evaluate(other, Schedule.from_dict(other, schedule.to_dict(inst)))
    assert two.breakdown == pytest.approx(one.breakdown, rel=1e-9, abs=1e-15)
    assert two.violations == pytest.approx(one.violations, rel=1e-9, abs=1e-15)
    assert two.metrics == pytest.approx(one.metrics, rel=1e-9, abs=1e-15)


@given(inst=instances(never=["terminal_price"]), seed=SEEDS, factor=st.sampled_from([0.5, 3.0]))
def test_scaling_prices_scales_the_money_of_energy_and_nothing_else(
    inst: Instance, seed: int, factor: float
) -> None:
    a = inst.arrays()
    s = random_schedule(np.random.default_rng(seed), a)
    data = inst.to_dict()
    for site in data["sites"].values():
        for name in ("import_price", "export_price"):
            site["grid"][name] = [factor * price for price in site["grid"][name]]
    before, after = evaluate(inst, s).breakdown, evaluate(Instance.from_dict(data), s).breakdown
    for term, value in before.items():
        scale = factor if term in ("import", "export", "terminal") else 1.0
        assert after[term] == pytest.approx(scale * value, rel=1e-9, abs=1e-15)
