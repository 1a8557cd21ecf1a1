"""What instances are expected to bring, and the problem of planning the slots to come, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from stepwatt.formulation import InstanceArrays
from stepwatt.formulation.plant.engine import Array
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import PlantState


@dataclass(frozen=True)
class Expected:
    """Series (T,N,...) as they are expected, slot 0 as it is; and how jobs wait: ``deadline`` (N,K) slots,
    ``backlog`` (N,I,K,D) jobs that wait at the beginning by age, newest first, ``open_end`` (N,) whether jobs
    may wait after the last slot."""

    arrivals: Tensor
    renewable: Tensor
    import_cost: Tensor
    export_price: Tensor
    pue: Tensor
    cop: Tensor
    outside: Tensor
    deadline: Tensor
    backlog: Tensor
    open_end: Tensor

    def take(self, index: Tensor) -> Expected:
        """The chosen instances, wherever the index is."""
        index = torch.as_tensor(index).cpu()
        picked = {
            f.name: getattr(self, f.name)[:, index] if f.name in SERIES else getattr(self, f.name)[index]
            for f in fields(self)
        }
        return Expected(**picked)


#: Series of what is expected, named as in :class:`plant.stacked.Problem`.
SERIES = ("arrivals", "renewable", "import_cost", "export_price", "pue", "cop", "outside")


def expected_of(instances: Sequence[InstanceArrays]) -> Expected:
    """What the instances say, as it is."""

    def series(name: str) -> Tensor:
        return torch.from_numpy(np.stack([np.moveaxis(getattr(a, name), -1, 0) for a in instances], axis=1))

    depth = max(max(int(a.deadline.max(initial=0)), a.state.backlog.shape[2]) for a in instances)
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
        deadline=torch.from_numpy(np.stack([a.deadline for a in instances])).long(),
        backlog=torch.from_numpy(np.stack(backlog)),
        open_end=torch.tensor([not a.closes for a in instances]),
    )


def ages(problem: Problem, expected: Expected, t: int, waiting: Tensor) -> Tensor:
    """(N,I,K,D) jobs that wait before slot t by age, newest first: queues are FIFO, so the newest remain."""
    came = torch.cat([tensor(problem.arrivals[:t]).flip(0).permute(1, 2, 3, 0), expected.backlog], -1)
    came = came[..., : expected.backlog.shape[-1]]
    newer = came.cumsum(-1) - came
    return torch.minimum((tensor(waiting)[..., None] - newer).clamp(min=0), came)


def planning_problem(problem: Problem, coming: Expected, state: PlantState, size: int) -> Problem:
    """The problem of the slots that ``coming`` has, begun from the state before them, as plans read it
    (:mod:`response.day`, :mod:`.values`): ``size`` slots are a block, with their means and all their jobs.

    ``coming.backlog`` is what waits at their beginning.
    """
    slots = len(coming.arrivals) // size

    def means(name: str) -> Tensor:
        values: Tensor = getattr(coming, name)
        return values.view(slots, size, *values.shape[1:]).mean(1) if size > 1 else values

    shape = replace(problem.shape, n_slots=slots, slot_hours=problem.shape.slot_hours * size)
    arrivals = means("arrivals") * size
    backlog, deadline = coming.backlog, coming.deadline
    if size > 1:
        backlog = in_blocks(backlog, size)
        deadline = (deadline / size).round().long()
    renewable, cop, outside = means("renewable"), means("cop"), means("outside")
    fixed: dict[str, Any] = {name: tensor(getattr(problem, name)) for name in _FIXED}
    fixed |= {name: tensor(getattr(problem, name)) * size for name in _BY_LENGTH}
    begun: dict[str, Any] = {f"first_{f.name}": tensor(getattr(state, f.name)) for f in fields(state)}
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
        terminal_heat_price=_heat_price(problem, coming.cop[-1]),
        **fixed,
        **begun,
    )
    return replace(whole, ceiling=_ceiling(whole))


def in_blocks(backlog: Tensor, size: int) -> Tensor:
    """(...,D) jobs by age, newest first, as (...,⌈D/size⌉) jobs by age in blocks of ``size`` slots."""
    whole = pad(backlog, (0, -backlog.shape[-1] % size))
    found: Tensor = whole.view(*whole.shape[:-1], -1, size).sum(-1)
    return found


#: What plans read besides, and which of it grows with the length of a slot.
_FIXED = (
    "miss_penalty", "moving_cost", "open", "seconds", "energy", "revenue", "row", "gpus", "idle_mw",
    "import_limit", "export_limit", "demand_charge", "thermal", "cooling_max", "leak", "min_c", "max_c",
    "energy_min", "energy_max", "battery_power", "charge_efficiency", "discharge_efficiency", "wear_cost",
    "generator_max", "generator_min", "generator_cost", "no_load_cost", "startup_cost", "terminal_price",
    "energy_reference", "temperature_reference",
)  # fmt: skip
_BY_LENGTH = ("per_gpu", "heat_rate", "money_scale")


def tensor(values: Array) -> Tensor:
    """The engine's array as a tensor on the processor, in double precision where it is real."""
    found = torch.as_tensor(values).cpu()
    return found.double() if found.is_floating_point() else found


def _heat_price(p: Problem, cop: Tensor) -> Tensor:
    """(N,J) USD per °C left above the reference, at the COP (N,J) of the last slot."""
    capacity = p.shape.slot_hours * tensor(p.mw_per_degree)
    return capacity / cop * tensor(p.terminal_price) * tensor(p.thermal)


def _recent(arrivals: Tensor, backlog: Tensor, deadline: Tensor, open_end: Tensor) -> Tensor:
    """(T,N,I,K) the jobs that may wait after each slot (``problem._recent``)."""
    depth = backlog.shape[-1]
    history = torch.cat([backlog.permute(3, 0, 1, 2).flip(0), arrivals])
    total = torch.cat([torch.zeros_like(history[:1]), history.cumsum(0)])
    last = torch.arange(depth + 1, len(history) + 1)
    begin = (last[:, None, None] - deadline).clamp(min=0)[:, :, None, :].expand_as(arrivals)
    newest = total[depth + 1 :] - total.gather(0, begin)
    newest[-1] *= open_end[:, None, None]
    return newest


def _ceiling(p: Problem) -> Tensor:
    """(T,N,J) °C that a room may have after each slot (:func:`schedule.windows.safe_temperature`)."""
    keep = 1 - p.heat_rate * p.leak
    cooling = torch.minimum(p.cooling_max, p.import_limit + p.renewable)
    drop = p.heat_rate * (p.cop * cooling - p.leak * p.outside)
    warmest = [p.max_c]
    for t in range(p.shape.n_slots - 1, 0, -1):
        held = torch.where(keep > 0, (warmest[-1] + drop[t]) / torch.where(keep > 0, keep, 1.0), torch.inf)
        warmest.append(torch.minimum(p.max_c, torch.maximum(held, p.min_c)))
    return torch.stack(warmest[::-1])
