"""``pareto``: utility against carbon, missed jobs or quality, every point certified by its price.

At a price λ on the second aim, U − λ·a is maximised, and its bound B(λ) holds for all schedules. So at any
amount a no schedule earns more than B(λ) + λ·a, whatever λ: the least of these lines bounds the whole front.
Prices are chosen by the sandwich method: between the neighbours that lines and chord leave furthest apart,
the chord's slope is the next price (Rote 1992, "The convergence rate of the sandwich algorithm").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import number, whole
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.files import write_text
from stepwatt.formulation.instance.given import the_instance
from stepwatt.solvers import Result
from stepwatt.solvers.interface.errors import SolverError
from stepwatt.solvers.interface.settings import Settings
from stepwatt.solvers.optimum.oracle import oracle

from ..console import Waited, told_progress

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Aim:
    """What is held against utility: less of ``amount`` is better.

    ``priced`` is the instance in which each unit of it costs so much more; ``highest`` the price at which the
    front ends by itself.
    """

    what: str
    unit: str
    priced: Callable[[Instance, float], Instance]
    amount: Callable[[Result], float]
    highest: Callable[[Instance], float]


def _raised(path: str, inst: Instance, by: float) -> Instance:
    """Every class's price of that name, raised."""
    changes = {f"classes.{name}.{path}": getattr(one, path) + by for name, one in inst.classes.items()}
    return inst.replace(changes)


def _metric(name: str) -> Callable[[Result], float]:
    def read(result: Result) -> float:
        assert result.evaluation is not None
        return float(result.evaluation.metrics[name])

    return read


def _short_of_quality(result: Result) -> float:
    """Jobs less the sum of their qualities: what a missed job lacks is a whole one."""
    assert result.schedule is not None
    quality = result.instance.arrays().options.quality
    return _jobs(result.instance) - float(quality @ result.schedule.runs.sum(axis=1))


def _jobs(inst: Instance) -> float:
    a = inst.arrays()
    return float(a.arrivals.sum() + a.state.backlog.sum())


def _largest_revenue(inst: Instance) -> float:
    return max(1e-9, float(np.abs(inst.arrays().options.revenue).max(initial=0.0)))


AIMS: Mapping[str, Aim] = {
    "carbon": Aim(
        "carbon",
        "t",
        lambda inst, price: inst.replace({"carbon_price": inst.carbon_price + price}),
        _metric("carbon_t"),
        lambda inst: 1000.0,
    ),
    "missed": Aim(
        "missed jobs",
        "jobs",
        lambda inst, price: _raised("miss_penalty", inst, price),
        _metric("missed"),
        lambda inst: 10 * _largest_revenue(inst),
    ),
    "quality": Aim(
        "quality that jobs lack",
        "jobs",
        lambda inst, price: _raised("quality_price", inst, price),
        _short_of_quality,
        lambda inst: 10 * _largest_revenue(inst),
    ),
}


@dataclass(frozen=True)
class Front:
    """A front of utility against an aim, from the dearest to the thriftiest point.

    ``table``, a row per point: the ``price`` that found it, its ``amount`` and ``utility`` (at the instance's
    own prices), ``bound`` on the utility of any schedule with no more than that amount, their ``gap``, and
    carbon, missed jobs and mean quality. ``lines`` are (price, bound of U − price·a).
    """

    instance: Instance
    aim: str
    table: pd.DataFrame
    lines: tuple[tuple[float, float], ...]
    results: tuple[Result, ...]

    def bound(self, amount: float) -> float:
        """USD that no schedule with no more than that amount earns more than."""
        return min(bound + price * amount for price, bound in self.lines)

    @property
    def figure(self) -> dict[str, Any]:
        """Points and bound, in the form plotly draws."""
        from ..appearance import COLOURS, axis, layout, numbers

        amounts = self.table["amount"].to_numpy()
        grid = np.unique(np.concatenate([np.linspace(amounts.min(), amounts.max(), 101), amounts]))
        aim, money = AIMS[self.aim], self.instance.currency
        bounds = {
            "type": "scatter",
            "mode": "lines",
            "name": "no schedule above",
            "x": numbers(grid),
            "y": numbers(self.bound(float(x)) for x in grid),
            "line": {"color": COLOURS["faint"], "dash": "dot"},
        }
        points = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "schedules",
            "x": numbers(amounts),
            "y": numbers(self.table["utility"]),
            "text": [f"at {price:,.4g} {money} more a unit" for price in self.table["price"]],
            "line": {"color": COLOURS["import"]},
        }
        look = layout(
            380,
            xaxis=axis(f"{aim.what}, {aim.unit}"),
            yaxis=axis(f"utility, {money}"),
            hovermode="closest",
        )
        return {"data": [bounds, points], "layout": look | {"showlegend": True}}

    def plot(self) -> Figure:
        """The front and its bound (plotly)."""
        from plotly.graph_objects import Figure

        return Figure(self.figure)

    def to_html(self, path: str | Path) -> None:
        """Write the figure as a page of its own, which needs nothing else."""
        page: str = self.plot().to_html(include_plotlyjs=True, full_html=True)
        write_text(path, page)

    def __repr__(self) -> str:
        return f"<Front of {self.instance.name!r}: utility against {self.aim}, {len(self.table)} points>"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return self.table.to_html(float_format="{:,.4g}".format)


def pareto(
    inst: Instance,
    aim: str = "carbon",
    *,
    points: int = 6,
    highest: float | None = None,
    gap: float = 1e-4,
    time_limit: float | None = 300.0,
    progress: Waited = None,
) -> Front:
    """Utility against carbon, missed jobs or quality: a front of certified points.

    Args:
        inst: the instance; its own prices count in the utility, a carbon price included.
        aim: ``carbon`` (t), ``missed`` (jobs) or ``quality`` (jobs less the sum of their qualities).
        points: solves, two of them at the ends; fewer points where schedules coincide or others beat them.
        highest: price a unit at the thrifty end, beyond the instance's own.
        gap: to which each is solved.
        time_limit: seconds of each.
        progress: called with the share done and what was done; if not given, a line is shown where a person
            waits (a terminal, a notebook), and not if it is False.

    Raises:
        InputError: an unknown aim, fewer than two points, or a price that is not above 0.
        SolverError: the instance has no schedule.
    """
    if aim not in AIMS:
        raise InputError(field="aim", value=aim, expected=one_of(AIMS, aim))
    the_instance(inst)
    points = whole(points, "points", 2)
    end = AIMS[aim].highest(inst) if highest is None else number(highest, "highest", "a price above 0")
    if not 0 < end < np.inf:
        raise InputError(field="highest", value=highest, expected="a price above 0")
    effort, chosen = Settings(gap=gap, time_limit=time_limit), AIMS[aim]
    found: dict[float, _Point] = {}
    price: float | None = 0.0
    with told_progress("pareto", progress) as told:
        for place in range(points):
            if price is None:
                break
            told(place / points, f"{place + 1} of {points} points")
            found[price] = _solved(inst, chosen, price, effort)
            price = end if place == 0 else _next(found)
    return _front(inst, aim, found)


@dataclass(frozen=True)
class _Point:
    price: float
    amount: float
    utility: float
    bound: float  # of utility less price times amount
    result: Result


def _solved(inst: Instance, aim: Aim, price: float, effort: Settings) -> _Point:
    result = oracle(aim.priced(inst, price) if price else inst, effort)
    if result.utility is None or result.bound is None:
        raise SolverError(f"{inst.name} has no schedule: {result.message or result.status}")
    amount = aim.amount(result)
    # a price on quality pays for what there is, not for what lacks
    less = price * _jobs(inst) if aim is AIMS["quality"] else 0.0
    priced, bound = result.utility - less, result.bound - less
    return _Point(price, amount, priced + price * amount, bound, result)


def _next(found: Mapping[float, _Point]) -> float | None:
    """The price where the front is known least: the slope of the chord furthest below its lines; None where
    all chords lie on them."""
    order = sorted(found.values(), key=lambda point: point.price)
    best: tuple[float, float] | None = None
    for one, two in pairwise(order):
        width = one.amount - two.amount
        if width <= 1e-9 * max(1.0, abs(one.amount)):
            continue
        slope = (one.utility - two.utility) / width
        if not one.price * (1 + 1e-6) + 1e-12 < slope < two.price * (1 - 1e-6):
            continue
        # where the lines of both cross, and how far above the chord that is
        cross = (one.bound - two.bound) / (two.price - one.price)
        above = one.bound + one.price * cross - (two.utility + slope * (cross - two.amount))
        if best is None or above > best[0]:
            best = above, slope
    return None if best is None else best[1]


def _front(inst: Instance, aim: str, found: Mapping[float, _Point]) -> Front:
    import pandas as pd

    lines = tuple((point.price, point.bound) for point in found.values())
    rows, kept = [], []
    most = -np.inf
    # from the thrifty end: what earns no more than a thriftier point is beaten
    for point in sorted(found.values(), key=lambda one: (one.amount, -one.utility)):
        if point.utility <= most:
            continue
        most = point.utility
        bound = min(b + price * point.amount for price, b in lines)
        assert point.result.evaluation is not None
        metrics = point.result.evaluation.metrics
        rows.append(
            {
                "price": point.price,
                "amount": point.amount,
                "utility": point.utility,
                "bound": bound,
                "gap": bound - point.utility,
                **{name: metrics[name] for name in ("carbon_t", "missed", "mean_quality", "energy_mwh")},
                "status": str(point.result.status),
            }
        )
        kept.append(point.result)
    return Front(inst, aim, pd.DataFrame(rows[::-1]), lines, tuple(kept[::-1]))
