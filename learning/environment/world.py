"""The batched scheduling environment: E instances side by side, one slot per step, on one engine.

All environments share the clock: an episode is one instance from its first to its last slot, and every
environment draws its next instance from the pool when the horizon ends (in the same step). The semantics are
model.md's with fluid jobs; with ``integral`` the plant moves whole jobs and GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.plant.engine import Array, Engine, torch_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import Outcome, PlantState, Request, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.solvers.planners.foresight.expected import expected_of
from stepwatt.solvers.planners.foresight.foresight import Foresight, expectations, foreseen
from stepwatt.solvers.planners.foresight.renewal import Beliefs, persistence_of

from ..codecs import CODECS, Codec, PricedCodec
from ..memory.transitions import Step
from .observation import INFORMATION, observation_size, observe, outlook
from .rewards import REWARDS, SPARSE_THRESHOLD, failed_share, reward
from .solver_potential import Potential


@dataclass(frozen=True)
class TaskSettings:
    """What is learned: how actions are coded, what is seen, how it is paid."""

    codec: str = "direct"
    """``direct``: say what to do; ``priced``: say what things are worth."""
    information: str = "day-ahead"
    """What the policy sees of the future: none, persistence, day-ahead, perfect."""
    reward: str = "sparse"
    """dense, sparse (a slot is paid only if its service goal is met) or episode (all at the end)."""
    threshold: float = SPARSE_THRESHOLD
    """Share of a site's jobs that may be missed or cut back in a slot for it to count as a success."""
    reward_scale: float = 1.0
    """Factor on the reward, whose unit is a slot's typical revenue."""
    foresight: bool = False
    """Priced only: actions are corrections of the prices that the forecast suggests, which are seen too."""
    renewal: int = 0
    """With foresight: slots after which the rest of the day is planned again; 0 plans once."""

    def __post_init__(self) -> None:
        for field, known in (("codec", CODECS), ("information", INFORMATION), ("reward", REWARDS)):
            if getattr(self, field) not in known:
                raise InputError(
                    field=field, value=getattr(self, field), expected=f"one of {', '.join(known)}"
                )
        if self.foresight and (self.codec != "priced" or self.information == "none"):
            raise InputError(field="foresight", value=True, expected="codec priced and a forecast")
        if self.renewal < 0 or (self.renewal and not self.foresight):
            raise InputError(
                field="renewal", value=self.renewal, expected="0, or slots of a task with foresight"
            )


@dataclass(frozen=True)
class Pool:
    """Instances to draw from, as the engine's arrays: the problem, the outlook (T,N,E), the potentials, what
    is foreseen, and what that is made of."""

    problem: Problem
    outlook: Array
    potential: Potential | None = None
    foresight: Foresight | None = None
    beliefs: Beliefs | None = None

    def __len__(self) -> int:
        return len(self.problem)

    def take(self, index: Array, engine: Engine) -> Pool:
        """The chosen instances, possibly repeated."""
        potential = None if self.potential is None else self.potential.take(index, engine)
        seen = engine.batch_inside(self.outlook[:, index], 1)
        ahead = None if self.foresight is None else self.foresight.take(index, engine)
        beliefs = None if self.beliefs is None else self.beliefs.take(torch.as_tensor(index))
        return Pool(self.problem.take(index, engine), seen, potential, ahead, beliefs)


def make_pool(
    instances: Sequence[Instance],
    information: str,
    engine: Engine,
    *,
    histories: Sequence[Instance | None] | None = None,
    potential: Potential | None = None,
    seed: int = 0,
    foresight: bool = False,
) -> Pool:
    """Instances of one shape, ready for an environment on the engine; ``foresight`` for tasks that want it.

    Raises:
        InputError: instances of different shapes, or an unknown information set.
    """
    problem = stack([inst.arrays() for inst in instances], engine)
    seen = engine.asarray(outlook(instances, information, histories, seed))
    pool = Pool(problem, seen, None if potential is None else potential.on(engine))
    if not foresight:
        return pool
    expected = expected_of(expectations(instances, information, histories=histories, seed=seed))
    beliefs = Beliefs(expected, persistence_of(information))
    return replace(pool, foresight=foreseen(problem, expected).on(engine), beliefs=beliefs)


class World:
    """The environment proper, on either engine: it knows instances, state and clock, and no learning.

    ``failed`` (B,) is the failed share of the slot before, at its worst site (``rewards.failed_share``).
    """

    def __init__(self, pool: Pool, engine: Engine, task: TaskSettings, *, integral: bool = False):
        self.engine, self.task, self.integral = engine, task, integral
        self.codec: Codec = CODECS[task.codec](pool.problem.shape)
        self.pool = pool
        self.act_size = self.codec.size
        self.obs_size = observation_size(pool.problem, int(pool.outlook.shape[-1]))
        self.obs_size += self.act_size * task.foresight
        if task.foresight and pool.foresight is None:
            raise ValueError("the task wants foresight, which the pool was made without")
        self.begin(pool)

    def begin(self, drawn: Pool) -> None:
        """Slot 0 of these instances."""
        self.drawn, self.t, self.planned = drawn, 0, 0
        self._said: tuple[Foresight, int, PlantState, Array] | None = None
        self.state = first_state(drawn.problem)
        self.earned = drawn.problem.money_scale * 0.0

    @property
    def over(self) -> bool:
        """Whether the horizon has ended."""
        return self.t == self.drawn.problem.shape.n_slots

    def observation(self) -> Array:
        """(B,O) what the policy sees now."""
        slot = min(self.t, self.drawn.problem.shape.n_slots - 1)
        seen = observe(self.engine, self.drawn.problem, self.t, self.state, self.drawn.outlook[slot])
        return self.engine.concat([seen, self.suggested()]) if self.task.foresight else seen

    def suggested(self) -> Array:
        """(B,A) the action that the forecast suggests now."""
        if self.task.renewal and not self.over and self.t - self.planned >= self.task.renewal:
            self.plan_again()
        codec, ahead, problem = self.codec, self.drawn.foresight, self.drawn.problem
        if not isinstance(codec, PricedCodec) or ahead is None:
            raise ValueError("a suggestion needs foresight")
        # seen and acted upon, it is one and the same
        said, slot = self._said, min(self.t, problem.shape.n_slots - 1)
        if said is None or said[0] is not ahead or said[1] != slot or said[2] is not self.state:
            said = (ahead, slot, self.state, ahead.action(codec, problem, slot, self.state))
            self._said = said
        return said[3]

    def plan_again(self) -> None:
        """Foresight from here on, given what has happened."""
        ahead, beliefs = self.drawn.foresight, self.drawn.beliefs
        if ahead is None or beliefs is None:
            raise ValueError("planning again needs foresight, and beliefs")
        found = beliefs.renewed(self.drawn.problem, ahead, self.t, self.state, self.engine)
        self.drawn, self.planned = replace(self.drawn, foresight=found), self.t

    def request(self, action: Array) -> Request:
        """What an action (B,A) asks for now."""
        if self.task.foresight:
            action = (self.suggested() + action).clamp(-1, 1)
        return self.codec.decode(self.engine, self.drawn.problem, self.t, self.state, action)

    def potential(self) -> Array:
        """(B,) the solver's potential of the state, in reward units; 0 at the end or without one."""
        if self.drawn.potential is None or self.over:
            return self.earned * 0.0
        scale = self.task.reward_scale / self.drawn.problem.money_scale
        return self.drawn.potential.value(self.engine, self.t, self.state) * scale

    def step(self, action: Array) -> tuple[Array, Array, Outcome]:
        """One slot: reward (B,), success (B,) and what happened."""
        problem = self.drawn.problem
        action = self.engine.batch_inside(action, 0)
        self.state, outcome = advance(
            self.engine, problem, self.t, self.state, self.request(action), integral=self.integral
        )
        self.t += 1
        self.earned = self.earned + outcome.utility
        self.failed = failed_share(self.engine, outcome)
        success = self.failed <= self.task.threshold
        paid = reward(self.engine, problem, outcome, success, self.task.reward, self.over, self.earned)
        return paid * self.task.reward_scale, success, outcome


class SchedulingEnv:
    """``World`` as agents want it: E environments that draw from a pool and begin anew by themselves.

    ``runs`` splits the environments run-major; each run draws its instances from its own generator.
    ``outcome`` is what happened in the last slot.
    """

    def __init__(
        self,
        pool: Pool,
        task: TaskSettings,
        *,
        runs: int,
        envs_per_run: int,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.device = torch.device(device)
        self.engine = torch_engine(dtype, device)
        self.envs = runs * envs_per_run
        self.runs, self.envs_per_run = runs, envs_per_run
        self._rngs = [torch.Generator(device="cpu").manual_seed(seed) for seed in seeds]
        self.pool = pool
        self.world = World(pool.take(self._draw(), self.engine), self.engine, task)
        self.obs_size, self.act_size = self.world.obs_size, self.world.act_size

    def reseed(self, seeds: Sequence[int]) -> None:
        """Draw instances as an environment made with these seeds would."""
        for rng, seed in zip(self._rngs, seeds, strict=True):
            rng.manual_seed(seed)

    def _draw(self) -> Tensor:
        """(E,) instances of the pool."""
        chosen = [torch.randint(len(self.pool), (self.envs_per_run,), generator=rng) for rng in self._rngs]
        self._index = torch.cat(chosen).to(self.device)
        return self._index

    @torch.no_grad()
    def reset(self) -> tuple[Tensor, Tensor]:
        """Fresh instances: observations (E,O) and the solver's potential (E,)."""
        self.world.begin(self.pool.take(self._draw(), self.engine))
        return self.world.observation(), self.world.potential()

    @torch.no_grad()
    def step(self, action: Tensor) -> Step:
        """One slot everywhere (see :class:`BatchedEnv`)."""
        reward, success, self.outcome = self.world.step(action)
        final_obs, potential = self.world.observation(), self.world.potential()
        over = self.world.over
        obs, next_potential = self.reset() if over else (final_obs, potential)
        ended = torch.full((self.envs,), over, device=self.device)
        return Step(
            obs=obs,
            final_obs=final_obs,
            reward=reward,
            terminated=ended,
            truncated=torch.zeros_like(ended),
            potential=potential,
            next_potential=next_potential,
            success=success,
        )

    def state_dict(self) -> dict[str, Any]:
        """Instances drawn, clock, plant state, generators; what is foreseen, once it was planned again."""
        ahead = self.world.drawn.foresight
        renewed = {} if ahead is None or not self.world.planned else dict(ahead.__dict__)
        return {
            "planned": self.world.planned,
            "foresight": renewed,
            "index": self._index,
            "t": self.world.t,
            "earned": self.world.earned,
            "state": dict(self.world.state.__dict__),
            "generators": [rng.get_state() for rng in self._rngs],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self._index = state["index"]
        self.world.begin(self.pool.take(self._index, self.engine))
        self.world.t, self.world.planned = int(state["t"]), int(state["planned"])
        if state["foresight"]:
            ahead = Foresight(**state["foresight"])
            self.world.drawn = replace(self.world.drawn, foresight=ahead)
        self.world.earned = state["earned"]
        self.world.state = PlantState(**state["state"])
        for rng, saved in zip(self._rngs, state["generators"], strict=True):
            rng.set_state(saved)
