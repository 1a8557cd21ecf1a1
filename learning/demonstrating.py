"""Demonstrations from solved instances: what the ``direct`` codec would have had to say.

Observations come from the schedule's own trajectory through the plant. One option per site and class stands
for the schedule's mix, at its mean clock and mean place among the choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stepwatt.formulation import Schedule

from .codecs import CODECS
from .engines import Array, Engine
from .environment import Pool
from .observation import observe
from .plant import (
    Outcome,
    PlantState,
    Request,
    advance,
    battery_interval,
    cooling_interval,
    first_state,
    must_run,
)
from .problem import Problem
from .replayed import request_of


@dataclass(frozen=True)
class Trajectories:
    """Observations (N,T,O) of schedules played through the plant, and direct actions (N,T,A) behind them."""

    obs: Tensor
    act: Tensor


def demonstrate(pool: Pool, plans: Sequence[Schedule], engine: Engine) -> Trajectories:
    """Play the plan of every instance of the pool, and say it in direct actions."""
    problem, state = pool.problem, first_state(pool.problem)
    seen, said = [], []
    for t in range(problem.shape.n_slots):
        request = request_of(problem, plans, t, engine)
        seen.append(observe(engine, problem, t, state, pool.outlook[t]))
        after, outcome = advance(engine, problem, t, state, request, integral=False)
        said.append(direct_action(engine, problem, t, state, request, outcome))
        state = after
    return Trajectories(torch.stack(seen, 1).float(), torch.stack(said, 1).float())


def direct_action(
    e: Engine, problem: Problem, t: int, state: PlantState, request: Request, outcome: Outcome
) -> Array:
    """(B,A) the action whose decoding comes nearest to a request with a mix and absolute cooling."""
    shape = problem.shape
    batch = len(problem)
    shares = _routing(e, problem, t, state, request.transfers)
    clocks, choices = shape.clocks, shape.choices
    if request.mix is None:
        raise ValueError("a request with a mix is needed")
    mix = request.mix.reshape(batch, shape.sites, shape.classes, clocks, choices)
    level = (mix.sum(-1) * torch.arange(clocks)).sum(-1)
    place = (mix.sum(-2) * torch.arange(choices)).sum(-1)
    (count,) = e.look_up([problem.count], e.whole(e.floor(level + 0.5)))
    steps = 2 * place / (count - 1).clamp(min=1) - 1
    clock = 2 * level / max(clocks - 1, 1) - 1
    take, give = battery_interval(e, problem, state)
    battery = e.positive(request.battery) / take.clamp(min=1e-9)
    battery = battery - e.positive(-request.battery) / give.clamp(min=1e-9)
    low, high = cooling_interval(e, problem, t, state, outcome.it_mw)
    cooling = 2 * (outcome.cooling - low) / (high - low).clamp(min=1e-9) - 1
    parts = [shares, steps, clock, battery, cooling]
    if shape.has_generator:
        span = (problem.generator_max - problem.generator_min).clamp(min=1e-9)
        on = (request.generator - problem.generator_min) / span
        parts.append(torch.where(request.generator > 0, on.clamp(min=1e-3), -torch.ones_like(on)))
    action = torch.cat([part.reshape(batch, -1) for part in parts], dim=1).clamp(-1, 1)
    if action.shape[1] != CODECS["direct"](shape).size:
        raise ValueError(f"{action.shape[1]} numbers for the direct codec")
    return action


def _routing(e: Engine, problem: Problem, t: int, state: PlantState, transfers: Array) -> Array:
    """(B,I,K,J+1) shares of the sites and of holding: sparsemax leaves shares as they are."""
    at_hand, must = must_run(e, problem, t, state)
    sent = transfers.sum(-1)
    free = (at_hand - must).clamp(min=0)
    going = torch.where(free > 1e-9, ((sent - must) / free.clamp(min=1e-9)).clamp(0, 1), sent.sign())
    routes = torch.where(sent[..., None] > 1e-9, transfers / sent.clamp(min=1e-9)[..., None], problem.home)
    return torch.cat([routes * going[..., None], (1 - going)[..., None]], dim=-1)
