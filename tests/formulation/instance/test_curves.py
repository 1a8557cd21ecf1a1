"""The six quality curves: the formulas of the design, clipped to [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from strategies import CURVES

from stepwatt.formulation.instance.curves import Curve

ADAPTER: TypeAdapter[Any] = TypeAdapter(Curve)
KINDS = [curve["kind"] for curve in CURVES]


def curve(**fields: Any) -> Any:
    return ADAPTER.validate_python(fields)


#: kind, parameters, steps, quality computed by hand
BY_HAND = [
    ({"kind": "exponential", "ceiling": 0.9, "span": 0.8, "rate": 0.1}, 10, 0.9 - 0.8 * math.exp(-1.0)),
    ({"kind": "power", "ceiling": 0.9, "span": 0.8, "rate": 0.5}, 16, 0.9 - 0.8 / 4),
    ({"kind": "logarithmic", "offset": 0.1, "gain": 0.2}, 10, 0.1 + 0.2 * math.log(10)),
    ({"kind": "logarithmic", "offset": 0.1, "gain": 0.2}, 1, 0.1),
    ({"kind": "sigmoid", "floor": 0.1, "span": 0.8, "rate": 0.3, "midpoint": 20}, 20, 0.1 + 0.8 / 2),
    (
        {"kind": "sigmoid", "floor": 0.1, "span": 0.8, "rate": 0.3, "midpoint": 20},
        25,
        0.1 + 0.8 / (1 + math.exp(-1.5)),
    ),
    ({"kind": "piecewise", "steps": [10, 20], "values": [0.2, 0.6]}, 15, 0.4),
    ({"kind": "piecewise", "steps": [10, 20], "values": [0.2, 0.6]}, 5, 0.2),
    ({"kind": "tabulated", "steps": [10, 20, 30], "values": [0.2, 0.6, 0.5]}, 99, 0.5),
    ({"kind": "tabulated", "steps": [10], "values": [0.2]}, 3, 0.2),
]


@pytest.mark.parametrize(("fields", "steps", "quality"), BY_HAND)
def test_quality_follows_the_formula(fields: dict[str, Any], steps: int, quality: float) -> None:
    assert float(curve(**fields)(steps)) == pytest.approx(quality, rel=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_value_computed_by_hand(kind: str) -> None:
    assert any(fields["kind"] == kind for fields, _, _ in BY_HAND)


@pytest.mark.parametrize(
    ("fields", "quality"),
    [
        ({"kind": "exponential", "ceiling": 7.0, "span": 0.1, "rate": 1.0}, 1.0),
        ({"kind": "exponential", "ceiling": 0.5, "span": 9.0, "rate": 1e-3}, 0.0),
        ({"kind": "power", "ceiling": 0.9, "span": 3.0, "rate": 0.1}, 0.0),
        ({"kind": "logarithmic", "offset": 0.9, "gain": 3.0}, 1.0),
        ({"kind": "logarithmic", "offset": -5.0, "gain": 0.1}, 0.0),
        ({"kind": "sigmoid", "floor": 0.9, "span": 0.9, "rate": 1.0, "midpoint": 0.0}, 1.0),
        ({"kind": "tabulated", "steps": [1], "values": [-3.0]}, 0.0),
        ({"kind": "piecewise", "steps": [1], "values": [3.0]}, 1.0),
    ],
)
def test_quality_is_clipped_to_a_share(fields: dict[str, Any], quality: float) -> None:
    assert float(curve(**fields)(5)) == quality


@pytest.mark.parametrize("fields", CURVES, ids=KINDS)
def test_arrays_of_any_shape_are_mapped_one_by_one(fields: dict[str, Any]) -> None:
    q = curve(**fields)
    steps = np.array([[1, 2, 3], [10, 100, 1000]])
    assert q(steps).shape == (2, 3)
    assert q(steps).tolist() == [[float(q(s)) for s in row] for row in steps]


@pytest.mark.parametrize("fields", [c for c in CURVES if c["kind"] != "tabulated"], ids=KINDS[:-1])
def test_more_steps_never_hurt_where_the_points_do_not_say_so(fields: dict[str, Any]) -> None:
    assert (np.diff(curve(**fields)(np.arange(1, 300))) >= 0).all()


LARGE = st.floats(-1e9, 1e9)
POSITIVE = st.floats(1e-12, 1e9)
SIZE = st.floats(0, 1e9)
EXTREME = st.one_of(
    st.fixed_dictionaries({"kind": st.just("exponential"), "ceiling": LARGE, "span": SIZE, "rate": POSITIVE}),
    st.fixed_dictionaries({"kind": st.just("power"), "ceiling": LARGE, "span": SIZE, "rate": POSITIVE}),
    st.fixed_dictionaries({"kind": st.just("logarithmic"), "offset": LARGE, "gain": SIZE}),
    st.fixed_dictionaries(
        {"kind": st.just("sigmoid"), "floor": LARGE, "span": SIZE, "rate": POSITIVE, "midpoint": LARGE}
    ),
    st.lists(st.tuples(POSITIVE, LARGE), min_size=1, max_size=4, unique_by=lambda point: point[0]).map(
        lambda points: {
            "kind": "tabulated",
            "steps": [s for s, _ in sorted(points)],
            "values": [v for _, v in sorted(points)],
        }
    ),
)


@given(fields=EXTREME)
def test_extreme_parameters_give_shares_without_overflow(fields: dict[str, Any]) -> None:
    quality = curve(**fields)(np.array([1, 2, 50, 1_000_000]))
    assert ((quality >= 0) & (quality <= 1)).all()


CONCAVE: dict[str, Callable[[float], float]] = {
    "exponential": lambda s: 0.8 - 0.85 * math.exp(-0.13 * s),
    "power": lambda s: 0.97 - 1.6 * s**-0.75,
    "logarithmic": lambda s: 0.1 + 0.2 * math.log(s),
    "sigmoid": lambda s: 0.05 + 0.85 / (1 + math.exp(-0.22 * (s - 13))),
}


@pytest.mark.parametrize("fields", CURVES[:4], ids=KINDS[:4])
def test_the_curves_of_the_strategies_follow_their_formulas_everywhere(fields: dict[str, Any]) -> None:
    steps = np.arange(1, 201)
    expected = np.clip([CONCAVE[fields["kind"]](float(s)) for s in steps], 0, 1)
    assert curve(**fields)(steps) == pytest.approx(expected, rel=1e-12, abs=1e-15)
