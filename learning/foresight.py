"""What a forecast says that things will be worth: values by dynamic programming, loads by playing ahead.

For every site the value of stored energy and of warmth comes from a dynamic program over blocks of the
forecast, at the forecast's import cost and an expected load. That load comes from playing the forecast day
with best responses to the values found so far, which also gives what a job brings in every slot, hence what
waiting is worth. It uses nothing but the forecast, so it may stand in a policy's information set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stepwatt.formulation import InputError, Instance, InstanceArrays
from stepwatt.solvers.forecasts import make_forecast

from .codecs.priced import PricedCodec, local_ends
from .engines import Engine, torch_engine
from .plant import PlantState, advance, first_state
from .problem import Problem, stack
from .response import Plan, SlotPrices, best_response
from .response.prices import WARMTH_SEGMENTS

#: Levels of the tables over what a battery holds and over a room's warmth.
ENERGY_LEVELS = 41
WARMTH_LEVELS = 19
#: Shares of the battery's power that the program tries each way.
RATES = 8
#: Hours of a block of the program; slots shorter than that share one.
BLOCK_HOURS = 0.5
#: Times that the forecast day is played; expected loads go half the way to what was seen after the first.
ROUNDS = 5
#: What the first round takes for the load, as a share of the largest IT power, and for waiting, of revenue.
FIRST_LOAD, FIRST_WAITING = 0.4, 0.3
_NEVER = 1e9


@dataclass(frozen=True)
class Foresight:
    """Values after each slot, by what is held: ``energy`` (T,N,J,G) and ``warmth`` (T,N,J,W) USD over evenly
    spaced contents, ``waiting`` (T,N,I,K) USD per job, ``peak`` (T,N,J) MW of import to come at most."""

    energy: Tensor
    warmth: Tensor
    waiting: Tensor
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
        return SlotPrices(
            energy=energy.clamp(min=0).cummin(-1).values,
            energy_ends=ends,
            warmth=warmth.clamp(min=0).cummax(-1).values * problem.thermal[..., None],
            warmth_ends=points[..., 1:-1],
            waiting=self.waiting[t],
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
    rounds: int = ROUNDS,
) -> Foresight:
    """The foresight at the beginning of every instance; ``seed`` as in :func:`.observation.outlook`.

    Raises:
        InputError: no forecast in the information set.
    """
    if information == "none":
        raise InputError(field="foresight", value=True, expected="an information set with a forecast")
    past = [None] * len(instances) if histories is None else list(histories)
    expected = [
        _believed(inst.arrays(), information, None if before is None else before.arrays(), seed + number)
        for number, (inst, before) in enumerate(zip(instances, past, strict=True))
    ]
    return _foresee(expected, rounds, engine)


def _believed(
    a: InstanceArrays, information: str, before: InstanceArrays | None, seed: int
) -> InstanceArrays:
    """The instance as it is expected to be: slot 0 is known."""
    if a.n_slots == 1:
        return a
    belief = make_forecast(information, a, before, seed)(0, 1, a.n_slots)
    series: dict[str, Any] = {
        name: np.concatenate([getattr(a, name)[..., :1], values], axis=-1) for name, values in belief.items()
    }
    return replace(a, **series)


def _foresee(expected: Sequence[InstanceArrays], rounds: int, engine: Engine) -> Foresight:
    own = torch_engine(torch.float64)
    problem = stack(expected, own)
    deadline = torch.as_tensor(np.stack([a.deadline for a in expected]))
    slots = problem.shape.n_slots
    it = FIRST_LOAD * problem.site_power[None].repeat(slots, 1, 1)
    load = it * torch.where(problem.thermal > 0, 1 + 1 / problem.cop.clamp(min=1e-6), problem.pue)
    best = problem.revenue.amax((1, 3))[:, None].expand_as(problem.arrivals[0])
    waiting = FIRST_WAITING * best[None].repeat(slots, 1, 1, 1)
    peak = problem.site_power[None].repeat(slots, 1, 1)
    for number in range(rounds + 1):
        values = Foresight(energy_values(problem, load), warmth_values(problem, it), waiting, peak)
        if number == rounds:
            break
        seen = _play(problem, values)
        weight = 1.0 if number == 0 else 0.5
        it, load = torch.lerp(it, seen[0], weight), torch.lerp(load, seen[1], weight)
        waiting = torch.lerp(waiting, _best_within(seen[2], deadline), weight)
        peak = seen[3].amax(0)[None].expand_as(peak)
    return Foresight(**{f.name: engine.asarray(getattr(values, f.name).numpy()) for f in fields(values)})


def _play(problem: Problem, values: Foresight) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """IT power, load, what a job brings (T,N,I,K) USD, import, if the forecast comes true; MW (T,N,J)."""
    engine, state = torch_engine(torch.float64), first_state(problem)
    seen: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for t in range(problem.shape.n_slots):
        plan = best_response(problem, t, state, values.prices(problem, t, state))
        state, outcome = advance(engine, problem, t, state, plan.request, integral=False)
        load = outcome.it_mw * problem.pue[t] + outcome.cooling
        seen.append((outcome.it_mw, load, _job_value(problem, t, plan), outcome.imported))
    it, load, brought, imported = (torch.stack(part) for part in zip(*seen, strict=True))
    return it, load, brought, imported


def _job_value(problem: Problem, t: int, plan: Plan) -> Tensor:
    """(N,I,K) USD that a job brings in slot t at the best site, at the plan's power and GPU prices."""
    per_second = (problem.idle_mw / problem.per_gpu * problem.shape.slot_hours)[:, :, None, None]
    energy = problem.energy + per_second * problem.seconds
    overhead = torch.where(problem.thermal > 0, 1 + 1 / problem.cop[t].clamp(min=1e-6), problem.pue[t])
    power = (plan.power * overhead)[:, :, None, None]
    brings = problem.revenue - problem.seconds * plan.gpu_time[:, :, None, None] / 3600 - energy * power
    best = torch.where(problem.row >= 0, brings, -_NEVER).amax(-1)
    there = best.transpose(1, 2)[:, None] - problem.moving_cost
    value = torch.where(problem.open > 0, there, -_NEVER).amax(-1)
    return torch.maximum(value, -problem.miss_penalty)


def _best_within(brought: Tensor, deadline: Tensor) -> Tensor:
    """(T,N,I,K) the best of the slots after each in which a job that came in it may still run."""
    slots = len(brought)
    later = torch.cat([brought[1:], torch.zeros_like(brought[:1])])
    found = torch.zeros_like(brought)
    for length in np.unique(deadline.numpy()).tolist():
        best = later.clone()
        for ahead in range(1, min(length, slots - 1)):
            best[:-ahead] = torch.maximum(best[:-ahead], later[ahead:])
        found = torch.where((deadline == length)[:, None], best, found)
    return found


def energy_values(problem: Problem, load: Tensor) -> Tensor:
    """(T,N,J,G) USD that stored energy still earns from the end of each slot on, at loads (T,N,J) MW."""
    p, (count, size) = problem, _blocks(problem)
    hours = p.shape.slot_hours * size
    low, high = p.energy_min, p.energy_max
    share = torch.linspace(0, 1, ENERGY_LEVELS, dtype=low.dtype)
    held = low[..., None] + (high - low)[..., None] * share
    value = -p.terminal_price[..., None] * (p.energy_reference[..., None] - held).clamp(min=0)
    cost, price, need = (_mean(x, count, size) for x in (p.import_cost, p.export_price, load - p.renewable))
    up, down = p.charge_efficiency[..., None, None], p.discharge_efficiency[..., None, None]
    power = p.battery_power[..., None, None]
    rates = power * torch.linspace(-1, 1, 2 * RATES + 1, dtype=low.dtype)
    most = (high[..., None] - held)[..., None] / (up * hours)
    least = -(held - low[..., None])[..., None] * down / hours
    wear = p.wear_cost[..., None, None]
    tables = [value]
    for n in reversed(range(count)):
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
    return _after_slots(torch.stack(tables[::-1]), p.shape.n_slots, size)


def warmth_values(problem: Problem, it: Tensor) -> Tensor:
    """(T,N,J,W) USD that is still to be paid for cooling (negative), by warmth, at IT powers (T,N,J) MW."""
    p, (count, size) = problem, _blocks(problem)
    hours = p.shape.slot_hours * size
    share = torch.linspace(0, 1, WARMTH_LEVELS, dtype=p.min_c.dtype)
    warm = p.min_c[..., None] + (p.max_c - p.min_c)[..., None] * share
    value = -p.terminal_heat_price[..., None] * (warm - p.temperature_reference[..., None]).clamp(min=0)
    value = value * p.thermal[..., None]
    cost, power, cop, outside = (_mean(x, count, size) for x in (p.import_cost, it, p.cop, p.outside))
    last = torch.arange(1, count + 1) * size - 1
    rate = (p.heat_rate * size).clamp(min=1e-12)[..., None, None]
    rise = (warm[:, :, None, :] - warm[..., None]) / rate
    tables = [value]
    for n in reversed(range(count)):
        loss = p.leak[..., None] * (warm - outside[n][..., None])
        needed = (power[n][..., None] - loss)[..., None] - rise
        needed = needed / cop[n][..., None, None].clamp(min=1e-6)
        closed = (needed > p.cooling_max[..., None, None] + 1e-9) | (
            warm[:, :, None, :] > p.ceiling[last[n]][..., None, None] + 1e-9
        )
        paid = hours * cost[n][..., None, None] * needed.clamp(min=0)
        # a forecast that cannot be kept cool pays dearly, so that it is avoided where it can be
        reached = value[..., None, :] - paid - closed * 10 * p.money_scale[:, None, None, None]
        value = reached.amax(-1) * p.thermal[..., None]
        tables.append(value)
    return _after_slots(torch.stack(tables[::-1]), p.shape.n_slots, size)


def _blocks(problem: Problem) -> tuple[int, int]:
    """Number of blocks and slots in each."""
    slots = problem.shape.n_slots
    size = max(1, round(BLOCK_HOURS / problem.shape.slot_hours))
    while slots % size:
        size -= 1
    return slots // size, size


def _mean(series: Tensor, count: int, size: int) -> Tensor:
    return series.reshape(count, size, *series.shape[1:]).mean(1)


def _after_slots(tables: Tensor, slots: int, size: int) -> Tensor:
    """(T,...) after each slot, between the ends of blocks (count+1,...)."""
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
