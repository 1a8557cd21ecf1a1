"""What a policy says things are worth after a slot, and what the state after it is therefore worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import Outcome, PlantState

#: Segments of the value of stored energy, and of the cost of warmth.
ENERGY_SEGMENTS = 8
WARMTH_SEGMENTS = 6


@dataclass(frozen=True)
class SlotPrices:
    """What a slot's leavings are worth; concave, so that the best response is a linear program.

    ``energy`` (B,J,S) USD/MWh stored, nonnegative, falling from segment to segment; segments end at
    ``energy_ends`` (B,J,S−1) MWh and at the battery's largest content. ``warmth`` (B,J,W) USD/°C above the
    room's minimum, nonnegative, rising, with ``warmth_ends`` (B,J,W−1) °C. ``waiting`` (B,I,K,H) USD per job
    held, falling, with ``waiting_ends`` (B,I,K,H−1) jobs. ``peak`` (B,J) MW: import above the larger of this
    and the highest so far pays the demand charge. ``running`` (B,J) USD for a generator that is on, at most
    what starting it and its no-load hour cost.
    """

    energy: Tensor
    energy_ends: Tensor
    warmth: Tensor
    warmth_ends: Tensor
    waiting: Tensor
    waiting_ends: Tensor
    peak: Tensor
    running: Tensor

    def double(self) -> SlotPrices:
        """The same in double precision."""
        return SlotPrices(**{name: values.double() for name, values in self.__dict__.items()})


def uniform_ends(problem: Problem) -> tuple[Tensor, Tensor]:
    """Where segments of equal length end: energy (B,J,S−1) MWh, warmth (B,J,W−1) °C."""

    def between(low: Any, high: Any, parts: int) -> Tensor:
        ends = [low + (high - low) * n / parts for n in range(1, parts)]
        return torch.stack([torch.as_tensor(end) for end in ends], dim=-1)

    return (
        between(problem.energy_min, problem.energy_max, ENERGY_SEGMENTS),
        between(problem.min_c, problem.max_c, WARMTH_SEGMENTS),
    )


def at_the_end(problem: Problem, prices: SlotPrices, state: PlantState) -> SlotPrices:
    """The true values after the last slot (model.md "End of the horizon") in place of the policy's."""
    first = torch.zeros_like(prices.energy[..., 0])
    energy = torch.stack([problem.terminal_price, *[first] * (prices.energy.shape[-1] - 1)], dim=-1)
    warm = problem.terminal_heat_price
    warmth = torch.stack([first, *[warm] * (prices.warmth.shape[-1] - 1)], dim=-1)
    return replace(
        prices,
        energy=energy.to(prices.energy.dtype),
        energy_ends=problem.energy_reference[..., None].expand_as(prices.energy_ends),
        warmth=warmth.to(prices.warmth.dtype),
        warmth_ends=problem.temperature_reference[..., None].expand_as(prices.warmth_ends),
        waiting=torch.zeros_like(prices.waiting),
        peak=state.peak,
        running=first,
    )


def pieces(low: Tensor, high: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper ends (...,S) of the segments of [low, high] (...,)."""
    inner = torch.maximum(torch.minimum(ends, high[..., None]), low[..., None])
    return torch.cat([low[..., None], inner], dim=-1), torch.cat([inner, high[..., None]], dim=-1)


def worth(
    problem: Problem, prices: SlotPrices, before: PlantState, after: PlantState, outcome: Outcome
) -> Tensor:
    """(B,) USD that the prices give for what a slot leaves; with its utility, what the response maximises.

    Import between the highest so far and the predicted peak is paid by the slot and given back here. Only
    for slots before the last, where the utility itself has the true values.
    """
    low, high = pieces(problem.energy_min, problem.energy_max, prices.energy_ends)
    stored = (prices.energy * (torch.minimum(after.energy[..., None], high) - low).clamp(min=0)).sum(-1)
    cool, warm = pieces(problem.min_c, torch.full_like(problem.min_c, torch.inf), prices.warmth_ends)
    warmed = (prices.warmth * (torch.minimum(after.temperature[..., None], warm) - cool).clamp(min=0)).sum(-1)
    expected = (torch.minimum(after.peak, prices.peak) - before.peak).clamp(min=0)
    most = before.restart + problem.shape.slot_hours * problem.no_load_cost
    running = torch.minimum(prices.running, most) * (outcome.generator > 1e-9)
    sites = stored - warmed * problem.thermal + problem.demand_charge * expected + running
    some, more = pieces(torch.zeros_like(after.waiting), after.waiting, prices.waiting_ends)
    queued: Tensor = (prices.waiting * (more - some)).sum((-1, -2, -3))
    total: Tensor = sites.sum(-1) + queued
    return total
