"""Evolution strategies on corrections of prices, foreseen or a network's: a few numbers for all sites, tried
on whole days.

The correction is linear in what the policy sees, the same for every site, so it also serves other regions.
Antithetic perturbations are judged by utility on the same training days (common random numbers), and Adam
follows the estimated gradient (Salimans et al. 2017, arXiv 1703.03864). The numbers kept are those that did
best on validation days.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stepwatt.formulation.records import SettingsRecord
from stepwatt.solvers.response.slot_prices import ENERGY_SEGMENTS, WARMTH_SEGMENTS

from ..codecs.priced import PricedCodec
from ..environment.task import TaskSettings
from ..environment.torch_engine import torch_engine
from ..environment.world import Pool, World
from ..networks.parallel_runs import generators
from ..networks.policy import Policy
from ..options import Count, CountOrNone, Rate, Size


class EvolutionSettings(SettingsRecord):
    """How long and how boldly to search."""

    generations: CountOrNone = 60
    """Steps of the search."""
    directions: Size = 12
    """Perturbations per step, each tried both ways."""
    days: Size = 12
    """Training days each step is judged on."""
    sigma: Rate = 0.005
    """Standard deviation of perturbations; actions are in [-1,1]."""
    rate: Rate = 0.0015
    """Step of Adam."""
    validate_every: Count = 10
    """Steps between two looks at the validation days."""


@dataclass(frozen=True)
class Evolved:
    """The corrections (no hidden layer, S = 1) and utility per validation day (USD) at each look."""

    policy: Policy
    looks: list[tuple[int, float]]


class Corrected(nn.Module):
    """What a policy of one run says, with corrections of S runs that see it, too: after all else, where
    foresight would stand."""

    def __init__(self, start: Policy, correction: Policy):
        super().__init__()
        self.start, self.correction = start, correction

    @property
    def runs(self) -> int:
        """S."""
        return self.correction.runs

    def forward(self, obs: Tensor) -> Tensor:
        """(S,B,O) → (S,B,A); of a single run also (B,O) → (B,A)."""
        said = self.start(obs.flatten(0, -2)).unflatten(0, obs.shape[:-1])
        corrected: Tensor = said + self.correction(torch.cat([obs, said], -1))
        return corrected.clamp(-1, 1)


def correction_basis(world: World) -> Tensor:
    """(P,O+1,A) what each number adds to the weights (last row: the bias) of a linear correction, which sees
    the observation and the prices that it corrects."""
    shape, codec, task = world.drawn.problem.shape, world.codec, world.task
    if not isinstance(codec, PricedCodec):
        raise ValueError("corrections are for the priced codec")
    j, k, act = shape.sites, shape.classes, world.act_size
    obs = world.obs_size + act * (not task.foresight)
    bias, said = obs, obs - act
    outlook = int(world.drawn.outlook.shape[-1])
    # the layout of observation.py
    cost, sun, left, charged = 0, 2 * j, 8 * j + j * k + 4, outlook
    parts: list[Tensor] = []

    def add(entries: list[tuple[int, int]]) -> None:
        one = torch.zeros(obs + 1, act, dtype=torch.float64)
        for row, column in entries:
            one[row, column] = 1.0
        parts.append(one)

    energy = [[site * ENERGY_SEGMENTS + s for site in range(j)] for s in range(ENERGY_SEGMENTS)]
    for columns in energy:
        add([(bias, column) for column in columns])
    everywhere = [(site, columns[site]) for columns in energy for site in range(j)]
    for first in (cost, sun, charged):
        add([(first + site, column) for site, column in everywhere])
    add([(left, column) for _, column in everywhere])
    add([(said + column, column) for _, column in everywhere])
    start = j * ENERGY_SEGMENTS
    warmth = list(range(start, start + j * WARMTH_SEGMENTS))
    for s in range(WARMTH_SEGMENTS):
        add([(bias, column) for column in warmth[s::WARMTH_SEGMENTS]])
    add([(said + column, column) for column in warmth])
    start += j * WARMTH_SEGMENTS
    for c in range(k):
        waiting = list(range(start + c, start + j * k, k))
        add([(bias, column) for column in waiting])
        add([(left, column) for column in waiting])
        add([(said + column, column) for column in waiting])
    start += j * k
    for c in range(k):
        queue = list(range(start + c, start + j * k, k))
        add([(bias, column) for column in queue])
        add([(said + column, column) for column in queue])
    start += j * k
    while start < act:
        add([(bias, column) for column in range(start, start + j)])
        add([(said + column, column) for column in range(start, start + j)])
        start += j
    return torch.stack(parts)


def linear_policy(basis: Tensor, numbers: Tensor) -> Policy:
    """Policies without hidden layers of numbers (M,P), side by side (S = M)."""
    weights = torch.einsum("mp,poa->moa", numbers, basis)
    policy = Policy(basis.shape[1] - 1, basis.shape[2], (), generators(range(len(numbers)))).double()
    state = {"net.layers.0.weight": weights[:, :-1], "net.layers.0.bias": weights[:, -1:]}
    policy.load_state_dict(state)
    return policy.requires_grad_(False)


@torch.no_grad()
def utility(pool: Pool, task: TaskSettings, policy: Policy | Corrected) -> Tensor:
    """(S,N) USD that the policies of S runs earn on the pool's instances."""
    engine, runs, days = torch_engine(torch.float64), policy.runs, len(pool)
    world = World(pool.take(torch.arange(days).repeat(runs), engine), engine, task)
    while not world.over:
        seen = world.observation().reshape(runs, days, -1)
        world.step(policy(seen).flatten(0, 1))
    earned: Tensor = world.earned
    return earned.reshape(runs, days)


def evolve(
    train: Pool,
    validation: Pool,
    task: TaskSettings,
    settings: EvolutionSettings,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
    start: Policy | None = None,
) -> Evolved:
    """Search corrections on training days, of foresight or of the policy ``start`` (S = 1;
    :class:`Corrected` plays what is found); both pools in double precision.

    Raises:
        ValueError: another codec than ``priced``, or not one thing to correct.
    """
    if task.foresight == (start is not None):
        raise ValueError("corrections are of foresight, or of a policy without it")
    engine, rng = torch_engine(torch.float64), torch.Generator().manual_seed(seed)
    basis = correction_basis(World(validation, engine, task))
    fixed = None if start is None else copy.deepcopy(start).double().requires_grad_(False)

    def earned_by(numbers: Tensor, pool: Pool) -> Tensor:
        correction = linear_policy(basis, numbers)
        return utility(pool, task, correction if fixed is None else Corrected(fixed, correction))

    numbers = torch.zeros(len(basis), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([numbers], settings.rate, betas=(0.8, 0.95))
    looks: list[tuple[int, float]] = []
    best, kept = -torch.inf, numbers.detach().clone()
    for generation in range(settings.generations + 1):
        if generation % settings.validate_every == 0 or generation == settings.generations:
            score = float(earned_by(numbers.detach()[None], validation).mean())
            looks.append((generation, score))
            if progress is not None:
                progress(generation, score)
            if score > best:
                best, kept = score, numbers.detach().clone()
        if generation == settings.generations:
            break
        noise = torch.randn(settings.directions, len(basis), generator=rng, dtype=torch.float64)
        tried = numbers.detach() + settings.sigma * torch.cat([noise, -noise])
        drawn = torch.randint(len(train), (settings.days,), generator=rng)
        days = train.take(drawn, engine)
        earned = earned_by(tried, days) / days.problem.money_scale
        up, down = earned.mean(1).chunk(2)
        difference = (up - down) / (up - down).square().mean().sqrt().clamp(min=1e-12)
        numbers.grad = -(difference[:, None] * noise).mean(0)
        optimizer.step()
    return Evolved(linear_policy(basis, kept[None]).float(), looks)
