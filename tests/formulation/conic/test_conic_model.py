"""The conic relaxation is above the linear one, envelopes are above their curves, and prices are prices."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import EXAMPLES
from solving import optimum
from strategies import random_instance

from stepwatt.formulation import Instance, load
from stepwatt.formulation.conic.bound import safe_bound
from stepwatt.formulation.conic.envelope import concave_envelope
from stepwatt.formulation.conic.model import ConicSolverError, conic_model
from stepwatt.formulation.instance.curves import (
    Curve,
    Exponential,
    Logarithmic,
    Piecewise,
    Power,
    Sigmoid,
    Tabulated,
)
from stepwatt.formulation.milp.matrices import linear_problem

Floats = NDArray[np.float64]

#: A drawn instance without options: no expression of it has entries.
NOTHING_TO_RUN = 6


def test_where_the_solver_gets_stuck_another_way_is_taken() -> None:
    """With Clarabel's own settings it ends with InsufficientProgress."""
    inst = load(EXAMPLES / "conic-stops.json")
    linear, _ = optimum(linear_problem(inst.arrays()), relaxed=True)
    solution = conic_model(inst).solve()
    assert solution.status in ("optimal", "inaccurate")
    assert linear <= solution.value <= linear * 1.01


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def tables(draw: st.DrawFn, kind: type[Piecewise] | type[Tabulated], name: str) -> Curve:
    steps = draw(st.lists(st.integers(1, 120), min_size=1, max_size=6, unique=True))
    values = draw(st.lists(numbers(-0.5, 1.5), min_size=len(steps), max_size=len(steps)))
    return kind(kind=name, steps=[float(s) for s in sorted(steps)], values=values)


#: Every curve kind, with parameters that also leave [0, 1] at either end.
CURVES = {
    "exponential": st.builds(
        Exponential,
        kind=st.just("exponential"),
        ceiling=numbers(-0.2, 1.5),
        span=numbers(0, 3),
        rate=numbers(1e-3, 3),
    ),
    "power": st.builds(
        Power, kind=st.just("power"), ceiling=numbers(-0.2, 1.5), span=numbers(0, 3), rate=numbers(1e-2, 5)
    ),
    "logarithmic": st.builds(
        Logarithmic, kind=st.just("logarithmic"), offset=numbers(-1, 1), gain=numbers(0, 1)
    ),
    "sigmoid": st.builds(
        Sigmoid,
        kind=st.just("sigmoid"),
        floor=numbers(-0.5, 0.5),
        span=numbers(0, 2),
        rate=numbers(1e-3, 3),
        midpoint=numbers(-20, 120),
    ),
    "piecewise": tables(Piecewise, "piecewise"),
    "tabulated": tables(Tabulated, "tabulated"),
}
any_kind = pytest.mark.parametrize("kind", CURVES)


def ranges() -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(1, 60), st.integers(0, 80)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def upper_hull(curve: Curve, low: float, high: float, at: Floats) -> Floats:
    """The exact concave envelope at some points: the hull of a grid that holds every bend of a table."""
    grid = np.unique(np.concatenate([np.linspace(low, high, 4001), np.arange(low, high + 1)]))
    level = curve.raw(grid) - 1
    for left in np.flatnonzero(level[:-1] * level[1:] < 0):
        # the curve bends where it is cut off at 1, and may be steep there
        grid = np.concatenate([grid, np.linspace(grid[left], grid[left + 1], 1001)[1:-1]])
    hull: list[tuple[float, float]] = []
    for s in np.sort(grid):
        point = (float(s), float(curve(s)))
        while len(hull) > 1 and _chord(hull[-2], hull[-1]) <= _chord(hull[-2], point):
            hull.pop()
        hull.append(point)
    steps, values = np.array(hull).T
    return np.asarray(np.interp(at, steps, values))


def _chord(p: tuple[float, float], q: tuple[float, float]) -> float:
    return (q[1] - p[1]) / (q[0] - p[0])


class TestEnvelope:
    @any_kind
    @given(data=st.data())
    def test_no_point_of_the_clipped_curve_lies_above_it(self, kind: str, data: st.DataObject) -> None:
        curve, (low, high) = data.draw(CURVES[kind]), data.draw(ranges())
        steps = np.union1d(np.linspace(low, high, 997), np.arange(low, high + 1))
        assert (concave_envelope(curve, low, high)(steps) >= curve(steps)).all()

    @any_kind
    @given(data=st.data())
    def test_it_is_concave(self, kind: str, data: st.DataObject) -> None:
        curve, (low, high) = data.draw(CURVES[kind]), data.draw(ranges())
        q = concave_envelope(curve, low, high)(np.linspace(low, high, 501))
        assert (q[:-2] + q[2:] <= 2 * q[1:-1] + 1e-12).all()

    @any_kind
    @given(data=st.data())
    def test_it_is_within_1e_4_of_the_exact_concave_envelope(self, kind: str, data: st.DataObject) -> None:
        curve, (low, high) = data.draw(CURVES[kind]), data.draw(ranges())
        steps = np.linspace(low, high, 211)
        gap = concave_envelope(curve, low, high)(steps) - upper_hull(curve, low, high, steps)
        assert gap.max() <= 1.1e-4

    @pytest.mark.parametrize(
        "curve",
        [
            Exponential(kind="exponential", ceiling=0.8, span=0.85, rate=0.13),
            Power(kind="power", ceiling=0.97, span=1.6, rate=0.75),
            Logarithmic(kind="logarithmic", offset=0.1, gain=0.2),
            Tabulated(kind="tabulated", steps=[5, 20, 50], values=[0.2, 0.7, 0.9]),
        ],
        ids=lambda curve: curve.kind,
    )
    def test_a_concave_curve_is_its_own_envelope(self, curve: Curve) -> None:
        steps = np.linspace(6, 50, 500)
        np.testing.assert_allclose(concave_envelope(curve, 6, 50)(steps), curve(steps), rtol=0, atol=2e-12)

    def test_a_sigmoid_is_bridged_by_a_chord_from_its_lower_end(self) -> None:
        curve = Sigmoid(kind="sigmoid", floor=0.05, span=0.85, rate=0.22, midpoint=13)
        envelope = concave_envelope(curve, 4, 50)
        chord = envelope(4.0) + (envelope(12.0) - envelope(4.0)) / 8 * np.array([2.0, 6.0])
        np.testing.assert_allclose(envelope(np.array([6.0, 10.0])), chord, atol=1e-9)
        assert envelope(8.0) > curve(8.0) + 0.01
        assert envelope(4.0) == pytest.approx(float(curve(4.0)), abs=1e-9)

    def test_the_raw_formula_must_not_cut_off_options_clipped_at_zero(self) -> None:
        curve = Exponential(kind="exponential", ceiling=0.8, span=2.0, rate=0.1)
        assert curve.raw(np.array([4.0])) < 0
        envelope = concave_envelope(curve, 4, 50)
        assert envelope.formula is None
        assert envelope(4.0) >= 0

    def test_an_empty_range_is_refused(self) -> None:
        with pytest.raises(ValueError, match="steps from 9 to 4: expected 0 < low ≤ high"):
            concave_envelope(Logarithmic(kind="logarithmic", offset=0, gain=0.1), 9, 4)


class TestBound:
    def assert_bounds(self, inst: Instance) -> None:
        relaxed, _ = optimum(linear_problem(inst.arrays()), relaxed=True)
        solution = conic_model(inst).solve()
        size = max(abs(relaxed), 1e-6)
        assert solution.status == "optimal"
        # safe means: not a hair below, though the solver's own objective may be
        assert solution.value >= relaxed - 1e-9 * size
        assert solution.objective >= relaxed - 1e-6 * size
        assert solution.value - solution.objective <= 1e-5 * size

    def test_conic_is_above_linear(self, example: Instance) -> None:
        self.assert_bounds(example)

    @pytest.mark.parametrize(
        "seed", sorted({*range(settings.default.max_examples // 2), NOTHING_TO_RUN, 1042})
    )
    def test_conic_is_above_linear_on_random_instances(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n_slots, n_sites = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        self.assert_bounds(random_instance(rng, n_slots=n_slots, n_sites=n_sites))

    def test_without_a_choice_of_steps_conic_is_linear(self) -> None:
        features = ["deadline", "battery", "generator", "thermal", "dvfs", "link", "demand", "carbon"]
        file = random_instance(np.random.default_rng(5), n_slots=5, n_sites=3, features=features).to_dict()
        for model in file["models"].values():
            model["steps"] = [14]
        for job_class in file["classes"].values():
            job_class["quality_floor"] = 0.0
        inst = Instance.from_dict(file)
        relaxed, _ = optimum(linear_problem(inst.arrays()), relaxed=True)
        assert conic_model(inst).solve().value == pytest.approx(relaxed, rel=1e-6)

    def test_it_holds_however_early_the_solver_stops(self, example: Instance) -> None:
        relaxed, _ = optimum(linear_problem(example.arrays()), relaxed=True)
        loose = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas", "tol_ktratio"), 1e-2)
        model = conic_model(example)
        early, late = model.solve(**loose), model.solve()
        assert early.iterations < late.iterations
        assert early.value >= relaxed
        assert early.value >= late.objective

    def test_a_room_that_cannot_be_kept_cool_is_an_error(self) -> None:
        inst = random_instance(np.random.default_rng(1), n_slots=4, n_sites=1, features=["thermal"])
        file = inst.to_dict()
        room = file["sites"]["s0"]["cooling"]
        room |= {
            "max_power_mw": 0.0,
            "outside_c": [60.0] * 4,
            "leak_mw_per_c": room["heat_capacity_mwh_per_c"],
        }
        with pytest.raises(ConicSolverError, match="Infeasible"):
            conic_model(Instance.from_dict(file)).solve()

    def test_duals_outside_their_cone_still_give_a_bound(self) -> None:
        """min x over x = 3, 0 ≤ x ≤ 10 is 3."""
        import scipy.sparse

        class Dims:
            zero, nonneg, exp = 1, 1, 0

        matrix = scipy.sparse.csc_array(np.array([[1.0], [1.0]]))
        data = {"A": matrix, "b": np.array([3.0, 10.0]), "c": np.array([1.0]), "dims": Dims}
        for z in ([-1.0, 0.0], [-1.2, -5.0], [4.0, 1.0], [-0.7, 0.0]):
            assert safe_bound(data, np.array(z), np.array([10.0])) <= 3.0
        assert safe_bound(data, np.array([-1.0, 0.0]), np.array([10.0])) == pytest.approx(3.0, rel=1e-12)


def one_site(curve: dict[str, Any], steps: list[int]) -> Instance:
    """100 jobs, each worth 1 USD per unit of quality, on GPUs with time for 20 steps per job; free power."""
    free = {"import_price": [0.0], "export_price": [0.0], "carbon_kg_per_mwh": [0.0]}
    limits = {"import_limit_mw": 10.0, "export_limit_mw": 0.0}
    model = {"seconds_fixed": 1.0, "seconds_per_step": 0.5, "joules_fixed": 1.0, "joules_per_step": 1.0}
    paid = {"base_price": 0.0, "quality_price": 1.0, "quality_floor": 0.0}
    rules = {"deadline_slots": 0, "miss_penalty": 100.0, "payload_gb": 0.0}
    site = {"gpus": 1, "gpu_idle_watts": 0.0, "models": ["m"], "grid": free | limits, "renewable_mw": [0.0]}
    return Instance.from_dict(
        {
            "schema": "stepwatt.instance/1",
            "start": "2024-01-01",
            "n_slots": 1,
            "slot_hours": 1100 / 3600,
            "models": {"m": model | {"steps": steps, "quality": {"default": curve}}},
            "classes": {"k": paid | rules},
            "sites": {"s": site | {"cooling": {"kind": "pue", "pue": [1.2]}}},
            "arrivals": {"s": {"k": [100]}},
            "transfer_cost": {"s": {}},
        }
    )


@pytest.mark.parametrize(
    ("curve", "tolerance"),
    [
        ({"kind": "exponential", "ceiling": 0.8, "span": 0.85, "rate": 0.13}, 1e-6),
        ({"kind": "power", "ceiling": 0.97, "span": 1.6, "rate": 0.75}, 1e-6),
        ({"kind": "logarithmic", "offset": 0.1, "gain": 0.2}, 1e-6),
        ({"kind": "tabulated", "steps": [6, 14, 42], "values": [0.3, 0.62, 0.8]}, 1e-6),
        ({"kind": "sigmoid", "floor": 0.05, "span": 0.85, "rate": 0.22, "midpoint": 13}, 1e-4),
    ],
    ids=lambda case: case["kind"] if isinstance(case, dict) else "",
)
def test_alike_jobs_share_the_gpu_time_evenly(curve: dict[str, Any], tolerance: float) -> None:
    """By Jensen, 100 jobs earn most from a concave q(s) when each runs 20 of the 4 to 42 possible steps."""
    inst = one_site(curve, steps=[4, 42])
    expected = 100 * float(inst.models["m"].quality["default"](20.0))
    solution = conic_model(inst).solve()
    assert expected - 1e-9 <= solution.value <= expected + 100 * tolerance
    assert solution.flows["jobs"].sum() == pytest.approx(100, rel=1e-6)


def raised(inst: Instance, change: Callable[[dict[str, Any]], None]) -> float:
    file = inst.to_dict()
    change(file)
    objective: float = conic_model(Instance.from_dict(file)).solve().objective
    return objective


@pytest.fixture(scope="module")
def inst() -> Instance:
    features = ["fluid", "deadline", "battery", "generator", "thermal", "demand", "dvfs", "link", "carbon"]
    return random_instance(np.random.default_rng(11), n_slots=4, n_sites=2, features=features)


class TestPrices:
    """A dual y is a supergradient of the concave optimum V: V(b ± δ) ≤ V(b) ± δ·y for its resource b."""

    T = 2

    def cases(self, inst: Instance) -> dict[str, tuple[float, tuple[int, ...], Callable[[Any, float], None]]]:
        """Dual name: size of the change in its unit, where, and the change of the instance file."""
        t, dt, room = self.T, inst.slot_hours, inst.sites["s0"].cooling
        assert room.kind == "thermal"
        leak = dt * room.leak_mw_per_c / room.heat_capacity_mwh_per_c

        def arrivals(file: Any, jobs: float) -> None:
            file["arrivals"]["s0"]["k0"][t] += jobs

        def renewable(file: Any, mwh: float) -> None:
            file["sites"]["s0"]["renewable_mw"][t] += mwh / dt

        def outside(file: Any, colder_c: float) -> None:
            file["sites"]["s0"]["cooling"]["outside_c"][t] -= colder_c / leak

        return {
            "waiting_balance": (20.0, (0, t), arrivals),
            "renewable_limit": (2e-4 * dt, (0, t), renewable),
            "room_heat": (0.05, (0, t), outside),
        }

    @pytest.mark.parametrize("name", ["waiting_balance", "renewable_limit", "room_heat"])
    def test_one_slot(self, inst: Instance, name: str) -> None:
        size, at, change = self.cases(inst)[name]
        solution = conic_model(inst).solve()
        price = solution.duals[name][at]
        up = raised(inst, lambda file: change(file, size)) - solution.objective
        down = raised(inst, lambda file: change(file, -size)) - solution.objective
        noise = 1e-6 * abs(solution.objective)
        assert price * size > 10 * noise
        assert up <= size * price + noise
        assert down <= -size * price + noise
        # and no idle inequality: the two sides enclose the price
        assert up > 0.3 * size * price
        assert down > -3 * size * price

    @pytest.mark.parametrize("name", ["gpu_time", "import_limit", "peak", "link", "state_of_charge"])
    def test_whole_horizon(self, name: str) -> None:
        """One more unit in every slot; the sum of the duals is its price."""
        features = {"peak": ("fluid", "demand"), "link": ("fluid", "link", "zero_gpus")}.get(name, ("fluid",))
        if name == "state_of_charge":
            features = ("fluid", "battery", "terminal_price")
        inst = random_instance(np.random.default_rng(2), n_slots=4, n_sites=2, features=features)
        dt = inst.slot_hours
        file = inst.to_dict()
        site = file["sites"]["s0"]
        if name == "import_limit":
            site["grid"]["import_limit_mw"] *= 0.1
            site["renewable_mw"] = [0.0] * 4
        if name == "link":
            file["link_gb_per_hour"] = {"s0": {"s1": 0.5}}
            for job_class in file["classes"].values():
                job_class["payload_gb"] = 0.002
        if name == "state_of_charge":
            site["battery"] |= {"soc_initial": 0.5, "wear_cost": 0.0}
            site["terminal_price"] = 0.0

        def change(file: Any, sign: float) -> None:
            site = file["sites"]["s0"]
            if name == "gpu_time":
                site["max_utilisation"] = site.get("max_utilisation", 1.0) * (1 + 0.01 * sign)
            elif name == "import_limit":
                site["grid"]["import_limit_mw"] *= 1 + 0.01 * sign
            elif name == "link":
                file["link_gb_per_hour"]["s0"]["s1"] *= 1 + 0.01 * sign
            elif name == "state_of_charge":
                site["battery"]["soc_initial"] *= 1 + 0.01 * sign

        site["max_utilisation"] = 0.9
        inst = Instance.from_dict(file)
        solution = conic_model(inst).solve()
        duals = solution.duals[name]
        if name == "peak":
            # the allowance of all slots together costs the demand charge
            charges = [site.grid.demand_charge for site in inst.sites.values() if site.grid.demand_charge]
            np.testing.assert_allclose(duals.sum(axis=1), charges, rtol=1e-4)
            return
        size, price = {
            "gpu_time": (0.01 * 0.9 * 3600 * dt, float(duals[0] @ solution.flows["gpus_on"][0])),
            "import_limit": (0.01 * inst.sites["s0"].grid.import_limit_mw * dt, float(np.nansum(duals[0]))),
            "link": (0.01 * 0.5 * dt, float(np.nansum(duals))),
            "state_of_charge": (
                0.01 * 0.5 * (inst.sites["s0"].battery.energy_mwh if inst.sites["s0"].battery else 0.0),
                float(duals[0, 0]),
            ),
        }[name]
        gain = raised(inst, lambda file: change(file, 1.0)) - solution.objective
        loss = raised(inst, lambda file: change(file, -1.0)) - solution.objective
        noise = 1e-6 * abs(solution.objective)
        assert size * price > 10 * noise
        assert 0.5 * size * price - noise <= gain <= size * price * 1.02 + noise
        assert -2 * size * price - noise <= loss <= -size * price * 0.98 + noise


def test_flows_come_in_natural_units(example: Instance) -> None:
    a, flows = example.arrays(), conic_model(example).solve().flows
    supply = flows["import_mw"] + flows["renewable_mw"]
    use = a.pue * flows["it_mw"] + flows["export_mw"]
    for name, sites, side in (
        ("discharge_mw", a.battery, supply),
        ("charge_mw", a.battery, use),
        ("generator_mw", a.generator, supply),
        ("cooling_mw", a.thermal, use),
    ):
        if name in flows:
            side[sites] += flows[name]
    np.testing.assert_allclose(supply, use, atol=1e-6 * a.import_limit_mw.max())
    assert (flows["quality"] <= flows["jobs"] * (1 + 1e-6) + 1e-6 * flows["jobs"].max()).all()


def test_cuts_are_few(example: Instance) -> None:
    """A sigmoid needs some tens of tangents, not hundreds."""
    assert max(len(envelope.slopes) for envelope in conic_model(example).groups.envelopes) <= 40


def test_what_cvxpy_adds_up_to_learn_a_shape_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.9 its sums look at uninitialised numbers, which now and then overflow."""
    adding = import_module("cvxpy.atoms.affine.sum")

    class Garbage:
        def __getattr__(self, name: str) -> object:
            return getattr(np, name)

        def empty(self, *shape: object) -> np.ndarray:
            found = np.full(*shape, np.inf)
            found.flat[-1] = -np.inf
            return found

    monkeypatch.setattr(adding, "np", Garbage())
    inst = random_instance(np.random.default_rng(1), n_slots=3, n_sites=2)
    assert conic_model(inst).solve().status in ("optimal", "inaccurate")
