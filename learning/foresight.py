"""What a forecast says that things will be worth: one plan of the forecast day, and values around it.

The day's plan (:mod:`.response.day`) says at which price each site's power balances, what a job is worth, how
many wait and how large loads are. Around it, dynamic programs say how the value of stored energy and of
warmth changes with what is held. It uses nothing but the forecast, so it may stand in a policy's information
set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stepwatt.formulation import InputError, Instance, InstanceArrays
from stepwatt.solvers.forecasts import make_forecast
from stepwatt.solvers.windows import SERIES

from .codecs.priced import PricedCodec, local_ends, queue_values
from .engines import Engine, torch_engine
from .plant import PlantState
from .problem import Problem, stack
from .response import SlotPrices
from .response.day import DayPlan, plan_day
from .response.prices import WARMTH_SEGMENTS

#: Levels of the tables over what a battery holds and over a room's warmth.
ENERGY_LEVELS = 41
WARMTH_LEVELS = 19
#: Shares of the battery's power that the program tries each way.
RATES = 8
#: Hours of a block of the plan; slots shorter than that share one.
BLOCK_HOURS = 0.5
#: How exact the plan is (:func:`.response.day.plan_day`). One that stops early is near the middle of all that
#: is nearly as good, which serves a day that comes differently no worse than a corner does.
TOLERANCE = 0.1
#: Days that are planned together: so many that numbers of one step still fit the processor's cache.
TOGETHER = 64


@dataclass(frozen=True)
class Foresight:
    """Values after each slot, by what is held: ``energy`` (T,N,J,G) and ``warmth`` (T,N,J,W) USD over evenly
    spaced contents, ``waiting`` (T,N,I,K) USD per job around ``queue`` (T,N,I,K) jobs, ``peak`` (T,N,J) MW of
    import to come at most."""

    energy: Tensor
    warmth: Tensor
    waiting: Tensor
    queue: Tensor
    peak: Tensor

    def take(self, index: Tensor, engine: Engine) -> Foresight:
        """The chosen instances."""
        return Foresight(
            **{f.name: engine.batch_inside(getattr(self, f.name)[:, index], 1) for f in fields(self)}
        )

    def prices(self, problem: Problem, t: int, state: PlantState) -> SlotPrices:
        """The slopes of the values after slot t around the state."""
        low, high = problem.energy_min, problem.energy_max
        ends = local_ends(problem, state)
        hours = problem.shape.slot_hours
        give = problem.battery_power * hours / problem.discharge_efficiency
        take = problem.battery_power * hours * problem.charge_efficiency
        first = torch.maximum(state.energy - give, low)[..., None]
        last = torch.minimum(state.energy + take, high)[..., None]
        energy = _slopes(self.energy[t], low, high, torch.cat([first, ends, last], -1))
        share = torch.linspace(0, 1, WARMTH_SEGMENTS + 1, dtype=low.dtype, device=low.device)
        points = problem.min_c[..., None] + (problem.max_c - problem.min_c)[..., None] * share
        warmth = -_slopes(self.warmth[t], problem.min_c, problem.max_c, points)
        waiting, waiting_ends = queue_values(problem, t, self.waiting[t], self.queue[t])
        return SlotPrices(
            energy=energy.clamp(min=0).cummin(-1).values,
            energy_ends=ends,
            warmth=warmth.clamp(min=0).cummax(-1).values * problem.thermal[..., None],
            warmth_ends=points[..., 1:-1],
            waiting=waiting,
            waiting_ends=waiting_ends,
            peak=torch.maximum(self.peak[t], state.peak),
            running=(state.restart + hours * problem.no_load_cost) / 2,
        )

    def action(self, codec: PricedCodec, problem: Problem, t: int, state: PlantState) -> Tensor:
        """(B,size) the codec's action that says so."""
        return codec.encode(problem, t, state, self.prices(problem, t, state))


@torch.no_grad()
def foresee(
    instances: Sequence[Instance],
    information: str,
    engine: Engine,
    *,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
) -> Foresight:
    """The foresight at the beginning of every instance; ``seed`` as in :func:`.observation.outlook`.

    Raises:
        InputError: no forecast in the information set.
    """
    if information == "none":
        raise InputError(field="foresight", value=True, expected="an information set with a forecast")
    past = [None] * len(instances) if histories is None else list(histories)
    expected = [
        believed(inst.arrays(), information, None if before is None else before.arrays(), seed + number)
        for number, (inst, before) in enumerate(zip(instances, past, strict=True))
    ]
    parts = [_foresee(expected[n : n + TOGETHER]) for n in range(0, len(expected), TOGETHER)]
    joined = {f.name: torch.cat([getattr(part, f.name) for part in parts], 1) for f in fields(Foresight)}
    return Foresight(**{name: engine.asarray(values.numpy()) for name, values in joined.items()})


def believed(a: InstanceArrays, information: str, before: InstanceArrays | None, seed: int) -> InstanceArrays:
    """The instance as it is expected to be: slot 0 is known."""
    if a.n_slots == 1:
        return a
    belief = make_forecast(information, a, before, seed)(0, 1, a.n_slots)
    series: dict[str, Any] = {
        name: np.concatenate([getattr(a, name)[..., :1], values], axis=-1) for name, values in belief.items()
    }
    return replace(a, **series)


def _foresee(expected: Sequence[InstanceArrays]) -> Foresight:
    slots, size = expected[0].n_slots, block_size(expected[0])
    problem = stack([coarser(a, size) for a in expected], torch_engine(torch.float64))
    return around(problem, plan_day(problem, TOLERANCE), slots, size)


def around(problem: Problem, plan: DayPlan, slots: int, size: int) -> Foresight:
    """The foresight of ``slots`` slots from a plan of a problem whose blocks have ``size`` of them each."""
    # after a slot: in the middle of a block what its own jobs are worth, at its end what the next one's are
    after = (torch.arange(1, slots + 1) // size).clamp(max=slots // size - 1)
    begun = problem.first_waiting[None]
    return Foresight(
        energy=_after_slots(energy_values(problem, plan.load), slots, size),
        warmth=_after_slots(warmth_values(problem, plan.it, plan.power), slots, size),
        waiting=plan.job[after],
        queue=_after_slots(torch.cat([begun, plan.queue]), slots, size),
        peak=plan.imported.amax(0)[None].expand(slots, -1, -1),
    )


def block_size(a: InstanceArrays) -> int:
    """Slots of a block."""
    size = min(a.n_slots, max(1, round(BLOCK_HOURS / a.slot_hours)))
    while a.n_slots % size:
        size -= 1
    return size


def coarser(a: InstanceArrays, size: int) -> InstanceArrays:
    """The instance with ``size`` slots as one: their means, and all their jobs."""
    if size == 1:
        return a

    def means(name: str) -> NDArray[np.float64]:
        values: NDArray[np.float64] = getattr(a, name)
        blocks: NDArray[np.float64] = values.reshape(*values.shape[:-1], -1, size).mean(-1)
        return blocks

    series: dict[str, Any] = {name: means(name) for name in SERIES}
    series["arrivals"] = series["arrivals"] * size
    waiting = a.state.backlog.sum(axis=2, keepdims=True)
    return replace(
        a,
        n_slots=a.n_slots // size,
        slot_hours=a.slot_hours * size,
        deadline=np.round(a.deadline / size).astype(np.int64),
        state=replace(a.state, backlog=waiting),
        **series,
    )


def energy_values(problem: Problem, load: Tensor) -> Tensor:
    """(T+1,N,J,G) USD that stored energy still earns from each slot's beginning on, at loads (T,N,J) MW."""
    p, hours = problem, problem.shape.slot_hours
    low, high = p.energy_min, p.energy_max
    share = torch.linspace(0, 1, ENERGY_LEVELS, dtype=low.dtype)
    held = low[..., None] + (high - low)[..., None] * share
    value = -p.terminal_price[..., None] * (p.energy_reference[..., None] - held).clamp(min=0)
    cost, price, need = p.import_cost, p.export_price, load - p.renewable
    up, down = p.charge_efficiency[..., None, None], p.discharge_efficiency[..., None, None]
    power = p.battery_power[..., None, None]
    rates = power * torch.linspace(-1, 1, 2 * RATES + 1, dtype=low.dtype)
    most = (high[..., None] - held)[..., None] / (up * hours)
    least = -(held - low[..., None])[..., None] * down / hours
    wear = p.wear_cost[..., None, None]
    tables = [value]
    for n in reversed(range(p.shape.n_slots)):
        net = need[n][..., None, None]
        # the kink where nothing is imported is a candidate of its own
        kink = torch.minimum(torch.maximum(-net, -power), power)
        tried = torch.cat([rates, kink], -1).expand(*held.shape, 2 * RATES + 2)
        tried = torch.minimum(torch.maximum(tried, least), most)
        after = held[..., None] + hours * torch.where(tried > 0, tried * up, tried / down)
        grid = net + tried
        sold = price[n][..., None, None].clamp(min=0)
        bill = torch.where(grid > 0, cost[n][..., None, None] * grid, sold * grid)
        bill = bill + wear * (-tried).clamp(min=0)
        value = (_read(value, low, high, after.flatten(2)).view_as(after) - hours * bill).amax(-1)
        tables.append(value)
    return torch.stack(tables[::-1])


def warmth_values(problem: Problem, it: Tensor, price: Tensor) -> Tensor:
    """(T+1,N,J,W) USD that is still to be paid for cooling (negative) from the beginning of each slot on, by
    warmth, at IT powers (T,N,J) MW and prices of power (T,N,J) USD/MWh."""
    p, hours = problem, problem.shape.slot_hours
    share = torch.linspace(0, 1, WARMTH_LEVELS, dtype=p.min_c.dtype)
    warm = p.min_c[..., None] + (p.max_c - p.min_c)[..., None] * share
    value = -p.terminal_heat_price[..., None] * (warm - p.temperature_reference[..., None]).clamp(min=0)
    value = value * p.thermal[..., None]
    rate = p.heat_rate.clamp(min=1e-12)[..., None, None]
    rise = (warm[:, :, None, :] - warm[..., None]) / rate
    tables = [value]
    for n in reversed(range(p.shape.n_slots)):
        loss = p.leak[..., None] * (warm - p.outside[n][..., None])
        needed = (it[n][..., None] - loss)[..., None] - rise
        needed = needed / p.cop[n][..., None, None].clamp(min=1e-6)
        closed = (needed > p.cooling_max[..., None, None] + 1e-9) | (
            warm[:, :, None, :] > p.ceiling[n][..., None, None] + 1e-9
        )
        paid = hours * price[n][..., None, None] * needed.clamp(min=0)
        # a forecast that cannot be kept cool pays dearly, so that it is avoided where it can be
        reached = value[..., None, :] - paid - closed * 10 * p.money_scale[:, None, None, None]
        value = reached.amax(-1) * p.thermal[..., None]
        tables.append(value)
    return torch.stack(tables[::-1])


def _after_slots(tables: Tensor, slots: int, size: int) -> Tensor:
    """(T,...) after each slot, between the ends of blocks of ``size`` slots."""
    at = torch.arange(1, slots + 1, dtype=tables.dtype) / size
    before = at.floor().long().clamp(max=len(tables) - 2)
    weight = (at - before).reshape(-1, *[1] * (tables.dim() - 1))
    return torch.lerp(tables[before], tables[before + 1], weight)


def _read(table: Tensor, low: Tensor, high: Tensor, at: Tensor) -> Tensor:
    """(N,J,M) values of tables (N,J,G) over [low, high] at points (N,J,M), linear in between."""
    levels = table.shape[-1]
    span = (high - low).clamp(min=1e-12)[..., None]
    place = ((at - low[..., None]) / span).clamp(0, 1) * (levels - 1)
    below = place.floor().long().clamp(max=levels - 2)
    return torch.lerp(table.gather(-1, below), table.gather(-1, below + 1), place - below)


def _slopes(table: Tensor, low: Tensor, high: Tensor, points: Tensor) -> Tensor:
    """(N,J,M) between rising points (N,J,M+1); an empty segment takes the slope of the one before it."""
    lengths = points.diff(dim=-1)
    full = lengths > 1e-3 * (high - low).clamp(min=1e-9)[..., None]
    slopes = _read(table, low, high, points).diff(dim=-1) / torch.where(full, lengths, 1.0)
    parts = list(slopes.unbind(-1))
    for n in reversed(range(len(parts) - 1)):
        parts[n] = torch.where(full[..., n], parts[n], parts[n + 1])
    for n in range(1, len(parts)):
        parts[n] = torch.where(full[..., n], parts[n], parts[n - 1])
    return torch.stack(parts, -1)
