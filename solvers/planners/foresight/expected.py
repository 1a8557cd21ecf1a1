"""What instances are expected to bring, and the problem of planning the slots to come, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.common.blocks import in_blocks

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Expected:
    """Series (T,N,...) and ``terminal_price`` (N,J) as they are expected, slot 0 as it is; and how jobs wait:
    ``deadline`` (N,K) slots, ``backlog`` (N,I,K,D) jobs that wait at the beginning by age, newest first,
    ``open_end`` (N,) whether jobs may wait after the last slot."""

    arrivals: Numbers
    renewable: Numbers
    import_cost: Numbers
    export_price: Numbers
    pue: Numbers
    cop: Numbers
    outside: Numbers
    terminal_price: Numbers
    deadline: NDArray[np.int64]
    backlog: Numbers
    open_end: NDArray[np.bool_]

    def take(self, index: NDArray[np.int64]) -> Expected:
        """The chosen instances."""
        picked = {
            f.name: getattr(self, f.name)[:, index] if f.name in SERIES else getattr(self, f.name)[index]
            for f in fields(self)
        }
        return Expected(**picked)


#: Series of what is expected, named as in :class:`plant.stacked.Problem`.
SERIES = ("arrivals", "renewable", "import_cost", "export_price", "pue", "cop", "outside")


def expected_of(instances: Sequence[InstanceArrays]) -> Expected:
    """What the instances say, as it is."""

    def series(name: str) -> Numbers:
        return np.stack([np.moveaxis(getattr(a, name), -1, 0) for a in instances], axis=1)

    depth = max(a.longest_wait for a in instances)
    backlog = [
        np.pad(a.state.backlog, ((0, 0), (0, 0), (0, depth - a.state.backlog.shape[2]))) for a in instances
    ]
    return Expected(
        arrivals=series("arrivals"),
        renewable=series("renewable_mw"),
        import_cost=series("import_cost"),
        export_price=series("export_price"),
        pue=series("pue"),
        cop=series("cop"),
        outside=series("outside_c"),
        terminal_price=np.stack([a.terminal_price for a in instances]),
        deadline=np.stack([a.deadline for a in instances]).astype(np.int64),
        backlog=np.stack(backlog),
        open_end=np.array([not a.closes for a in instances]),
    )


def ages(problem: Problem, expected: Expected, t: int, waiting: Numbers) -> Numbers:
    """(N,I,K,D) jobs that wait before slot t by age, newest first: queues are FIFO, so the newest remain."""
    came = np.concatenate([double(problem.arrivals[:t])[::-1].transpose(1, 2, 3, 0), expected.backlog], -1)
    came = came[..., : expected.backlog.shape[-1]]
    newer = came.cumsum(-1) - came
    found: Numbers = np.minimum(np.maximum(double(waiting)[..., None] - newer, 0.0), came)
    return found


def planning_problem(problem: Problem, coming: Expected, state: PlantState, size: int) -> Problem:
    """The problem of the slots that ``coming`` has, begun from the state before them, as plans read it
    (:mod:`response.day`, :mod:`.values`): ``size`` slots are a block, with their means and all their jobs.

    ``coming.backlog`` is what waits at their beginning.
    """
    slots = len(coming.arrivals) // size

    def means(name: str) -> Numbers:
        values: Numbers = getattr(coming, name)
        return values.reshape(slots, size, *values.shape[1:]).mean(1) if size > 1 else values

    shape = replace(problem.shape, n_slots=slots, slot_hours=problem.shape.slot_hours * size)
    arrivals = means("arrivals") * size
    backlog, deadline = coming.backlog, coming.deadline
    if size > 1:
        backlog = in_blocks(backlog, size)
        deadline = np.round(deadline / size).astype(np.int64)
    renewable, cop, outside = means("renewable"), means("cop"), means("outside")
    fixed: dict[str, Any] = {name: double(getattr(problem, name)) for name in _FIXED}
    fixed |= {name: double(getattr(problem, name)) * size for name in _BY_LENGTH}
    begun: dict[str, Any] = {f"first_{f.name}": double(getattr(state, f.name)) for f in fields(state)}
    whole = replace(
        problem,
        shape=shape,
        arrivals=arrivals,
        recent=_recent(arrivals, backlog, deadline, coming.open_end)[..., None],
        import_cost=means("import_cost"),
        export_price=means("export_price"),
        renewable=renewable,
        pue=means("pue"),
        cop=cop,
        outside=outside,
        terminal_price=coming.terminal_price,
        terminal_heat_price=_heat_price(problem, coming),
        **fixed,
        **begun,
    )
    return replace(whole, ceiling=_ceiling(whole))


#: What plans read besides, and which of it grows with the length of a slot.
_FIXED = (
    "miss_penalty", "moving_cost", "open", "seconds", "energy", "revenue", "row", "gpus", "idle_mw",
    "import_limit", "export_limit", "demand_charge", "thermal", "cooling_max", "leak", "min_c", "max_c",
    "energy_min", "energy_max", "battery_power", "charge_efficiency", "discharge_efficiency", "wear_cost",
    "generator_max", "generator_min", "generator_cost", "no_load_cost", "startup_cost", "energy_reference",
    "temperature_reference",
)  # fmt: skip
_BY_LENGTH = ("per_gpu", "heat_rate", "money_scale")


def double(values: Numbers) -> Numbers:
    """The numbers in double precision where they are real."""
    return values.astype(np.float64, copy=False) if values.dtype.kind == "f" else values


def _heat_price(p: Problem, coming: Expected) -> Numbers:
    """(N,J) USD per °C left above the reference, at the COP of the last slot."""
    capacity = p.shape.slot_hours * double(p.mw_per_degree)
    found: Numbers = capacity / coming.cop[-1] * coming.terminal_price * double(p.thermal)
    return found


def _recent(
    arrivals: Numbers, backlog: Numbers, deadline: NDArray[np.int64], open_end: NDArray[np.bool_]
) -> Numbers:
    """(T,N,I,K) the jobs that may wait after each slot (``problem._recent``)."""
    depth = backlog.shape[-1]
    history = np.concatenate([backlog.transpose(3, 0, 1, 2)[::-1], arrivals])
    total = np.concatenate([np.zeros_like(history[:1]), history.cumsum(0)])
    last = np.arange(depth + 1, len(history) + 1)
    begin = np.maximum(last[:, None, None] - deadline, 0)[:, :, None, :]
    newest: Numbers = total[depth + 1 :] - np.take_along_axis(
        total, np.broadcast_to(begin, arrivals.shape), axis=0
    )
    newest[-1] *= open_end[:, None, None]
    return newest


def _ceiling(p: Problem) -> Numbers:
    """(T,N,J) °C that a room may have after each slot (:func:`schedule.windows.safe_temperature`)."""
    keep = 1 - p.heat_rate * p.leak
    cooling = np.minimum(p.cooling_max, p.import_limit + p.renewable)
    drop = p.heat_rate * (p.cop * cooling - p.leak * p.outside)
    forgets, kept = keep <= 0, np.where(keep > 0, keep, 1.0)
    warmest = [p.max_c]
    for t in range(p.shape.n_slots - 1, 0, -1):
        held = np.maximum((warmest[-1] + drop[t]) / kept, p.min_c)
        warmest.append(np.where(forgets, p.max_c, np.minimum(p.max_c, held)))
    return np.stack(warmest[::-1])
