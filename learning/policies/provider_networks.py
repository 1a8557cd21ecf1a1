"""One network per provider, which says what the provider's own leavings are worth.

It sees its own site, its own forecast, and the prices at which jobs were traded a slot ago; no plan is made.
Networks learn from those who know the day: values of the joint plan with perfect information, of which each
is shown its own. That is hindsight, pooled after the fact; what is said while deciding is only what
docs/distributed.md lists.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.planners.foresight.foresight import TABLES, Foresight, expectations, foresee
from stepwatt.solvers.response import SlotPrices
from stepwatt.solvers.trading.exchange import ROUGH
from stepwatt.solvers.trading.play import play
from stepwatt.solvers.trading.private import own_place, own_rows, private

from ..codecs import PricedCodec
from ..model_guided.cloning import Demonstrations, clone
from ..networks.parallel_runs import generators
from ..networks.policy import Policy

Numbers = NDArray[Any]

#: Hours ahead at which blocks of the own forecast end.
BLOCKS = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0)
#: USD/MWh and °C that are seen as 1.
PRICE, WARMTH = 100.0, 30.0
HIDDEN = (128, 128)


@dataclass(frozen=True)
class Networks:
    """``policy`` with a run per provider, and ``belief``, the own problems (n·N) of the days as forecast."""

    policy: Policy
    belief: Problem

    def say(self, own: Problem, t: int, state: PlantState, asked: Numbers) -> tuple[SlotPrices, Numbers]:
        """What each says its leavings are worth (n·N), and the prices of jobs to begin with."""
        return said(own, t, state, _acted(self.policy, seen(own, self.belief, t, state, asked))), asked


@dataclass(frozen=True)
class Lesson:
    """A teacher (or, with ``policy``, a pupil) who plays while it is written down what is seen and taught."""

    belief: Problem
    taught: Foresight
    policy: Policy | None
    obs: list[Numbers] = field(default_factory=list)
    act: list[Numbers] = field(default_factory=list)

    def say(self, own: Problem, t: int, state: PlantState, asked: Numbers) -> tuple[SlotPrices, Numbers]:
        """As :meth:`Networks.say`."""
        obs = seen(own, self.belief, t, state, asked)
        codec = PricedCodec(own.shape)
        act = own_parts(codec, codec.encode(own, t, state, self.taught.prices(own, t, state)))
        self.obs.append(obs)
        self.act.append(act)
        if self.policy is not None:
            act = _acted(self.policy, obs)
        return said(own, t, state, act), asked


@torch.no_grad()
def _acted(policy: Policy, obs: Numbers) -> Numbers:
    """(n,N,A) of observations (n,N,O)."""
    action: Numbers = policy(torch.from_numpy(obs).float()).double().numpy()
    return action


def networks(
    policy: Policy,
    instances: Sequence[Instance],
    information: str,
    *,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
) -> Networks:
    """The networks with everybody's own forecast of these days; forecasts as :func:`foresee`."""
    return Networks(policy, _belief(instances, information, histories, seed))


def _belief(
    instances: Sequence[Instance],
    information: str,
    histories: Sequence[Instance | None] | None,
    seed: int,
) -> Problem:
    expected = expectations(instances, information, histories=histories, seed=seed)
    return private(stack(expected, numpy_engine()))


def teach(
    instances: Sequence[Instance],
    information: str,
    *,
    seed: int = 0,
    updates: int = 4_000,
    passes: int = 2,
) -> Policy:
    """A network for each provider of the instances.

    The days are played by trade ``passes`` times: first by the teacher, then by the pupils (DAgger). Provider
    i draws its weights and batches from ``seed + i``.
    """
    belief = _belief(instances, information, None, seed)
    n = belief.shape.sites
    taught = _private(foresee(instances, "perfect"), n)
    seeds = [seed + number for number in range(n)]
    policy: Policy | None = None
    obs: list[Numbers] = []
    act: list[Numbers] = []
    for number in range(passes):
        lesson = Lesson(belief, taught, policy)
        play(instances, lesson, gap=ROUGH)
        obs += lesson.obs
        act += lesson.act
        shown = Demonstrations(*(torch.from_numpy(np.concatenate(x, 1)).float() for x in (obs, act)))
        if policy is None:
            policy = Policy(shown.obs.shape[-1], shown.act.shape[-1], HIDDEN, generators(seeds))
        clone(policy, shown, seeds, updates=updates * (1 + number))
    if policy is None:
        raise InputError(field="passes", value=passes, expected="an integer ≥ 1")
    return policy


def seen(own: Problem, belief: Problem, t: int, state: PlantState, asked: Numbers) -> Numbers:
    """(n,N,O) what each provider sees in slot t: its own site and queues, its own forecast, the moment, and
    the prices ``asked`` (N,J,K) of jobs in the slot before."""
    n, slots, hours = own.shape.sites, own.shape.n_slots, own.shape.slot_hours
    unit = np.maximum(_mine(belief.arrivals.mean((0, 3)), n), 1e-9)[..., None]
    power = _mine(own.site_power, n)

    def jobs(values: Numbers) -> Numbers:
        found: Numbers = _mine(values, n) / unit
        return found

    def site(values: Numbers) -> Numbers:
        return _mine(values, n)[..., None]

    held = (state.energy - own.energy_min) * own.per_energy
    warm = (state.temperature - own.min_c) / np.maximum(own.max_c - own.min_c, 1e-9) * own.thermal
    parts = [
        site(own.import_cost[t]) / PRICE,
        site(own.export_price[t]) / PRICE,
        site(own.renewable[t]) / power[..., None],
        site(own.outside[t] * own.thermal) / WARMTH,
        site(held),
        site(warm),
        jobs(own.arrivals[t]),
        jobs(state.waiting),
        jobs(own.recent[t][..., 0]),
        site(state.peak) / power[..., None],
    ]
    if own.shape.has_generator:
        parts.append(site((state.restart <= 0).astype(held.dtype)))
    begin = t + 1
    for block in BLOCKS:
        end = min(slots, t + 1 + max(1, round(block / hours)))
        inside = slice(min(begin, slots - 1), max(end, min(begin, slots - 1) + 1))
        parts += [
            (site(belief.import_cost[inside].mean(0)) - site(own.import_cost[t])) / PRICE,
            site(belief.renewable[inside].mean(0)) / power[..., None],
            jobs(belief.arrivals[inside].mean(0)),
        ]
        begin = end
    angle = 2 * math.pi * t / slots
    moment = [math.sin(angle), math.cos(angle), 1 - t / slots]
    parts.append(np.broadcast_to(moment, (n, len(asked), 3)))
    best = np.maximum(_mine(np.where(own.row >= 0, own.revenue, 0.0).max(-1), n).max(-1), 1e-30)
    parts.append(asked.reshape(1, len(asked), -1) / best[..., None])
    return np.concatenate(parts, -1)


def said(own: Problem, t: int, state: PlantState, action: Numbers) -> SlotPrices:
    """The prices (n·N) that own actions (n,N,A) say; nothing is worth anything elsewhere."""
    n, batch = own.shape.sites, action.shape[1]
    at, codec = own_place(n, batch), PricedCodec(own.shape)
    ends = np.cumsum([size // n for size in codec.sizes])[:-1]
    parts = np.split(action.reshape(n * batch, -1), ends, axis=1)
    whole = [(at[..., None] * part[:, None]).reshape(n * batch, -1) for part in parts]
    return codec.prices(own, t, state, np.concatenate(whole, 1))


def own_parts(codec: PricedCodec, action: Numbers) -> Numbers:
    """(n,N,A) the own parts of actions (n·N,size)."""
    n = codec.shape.sites
    parts = np.split(action, np.cumsum(codec.sizes)[:-1], axis=1)
    return np.concatenate([_mine(part.reshape(len(part), n, part.shape[1] // n), n) for part in parts], -1)


def _mine(values: Numbers, n: int) -> Numbers:
    """(n,N,...) of values (n·N,n,...): what each provider's own place has."""
    return own_rows(values, n).swapaxes(0, 1)


def _private(ahead: Foresight, n: int) -> Foresight:
    """Of the foresight of N instances, what is each provider's own, n·N."""
    batch = ahead.energy.shape[1]
    at, index = own_place(n, batch), np.tile(np.arange(batch), n)

    def kept(values: Numbers) -> Numbers:
        shape = (1, n * batch, n, *[1] * (values.ndim - 3))
        return np.where(at.reshape(shape) > 0, values[:, index], 0.0)

    return ahead.changed(kept, TABLES)
