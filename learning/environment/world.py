"""The scheduling environment: instances side by side, one slot per step, on one engine.

An episode is one instance from its first to its last slot. The semantics are model.md's with fluid jobs; with
``integral`` the plant moves whole jobs and GPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.plant.bridge import array, arrays_of
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import Outcome, PlantState, Request, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.solvers.planners.foresight.expected import expected_of
from stepwatt.solvers.planners.foresight.foresight import Foresight, expectations, foreseen
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy
from stepwatt.solvers.planners.foresight.renewal import Beliefs, beliefs_of

from ..codecs import CODECS, Codec, PricedCodec
from .observation import observation_size, observe, outlook
from .potential_cuts import Cuts
from .rewards import Slot, failed_share, owed, paid_later, reward
from .solver_potential import Potential
from .task import TaskSettings


def task_of(policy: ForesightPolicy, instance: Instance) -> TaskSettings:
    """Foresight as a task: how slots of the instance are decided where no price is corrected."""
    return TaskSettings(
        codec="priced",
        reward="dense",
        information=policy.information,
        foresight=True,
        renewal=policy.renewal(instance),
    )


@dataclass(frozen=True)
class Pool:
    """Instances to draw from, as the engine's arrays: the problem, the outlook (T,N,E), the potentials; as
    numpy arrays, what is foreseen, and what that is made of."""

    problem: Problem
    outlook: Array
    potential: Potential | Cuts | None = None
    foresight: Foresight | None = None
    beliefs: Beliefs | None = None

    def __len__(self) -> int:
        return len(self.problem)

    def take(self, index: Array, engine: Engine) -> Pool:
        """The chosen instances, possibly repeated."""
        potential = None if self.potential is None else self.potential.take(index, engine)
        seen = engine.batch_inside(self.outlook[:, index], 1)
        ahead = None if self.foresight is None else self.foresight.take(array(index))
        beliefs = None if self.beliefs is None else self.beliefs.take(array(index))
        return Pool(self.problem.take(index, engine), seen, potential, ahead, beliefs)


def make_pool(
    instances: Sequence[Instance],
    information: str,
    engine: Engine,
    *,
    histories: Sequence[Instance | None] | None = None,
    potential: Potential | Cuts | None = None,
    seed: int = 0,
    foresight: bool = False,
) -> Pool:
    """Instances of one shape, ready for an environment on the engine; ``foresight`` for tasks that want it.

    Raises:
        InputError: no instances, or of different shapes; not a history each; an unknown information set.
    """
    if not instances:
        raise InputError(field="instances", value=[], expected="at least one")
    if histories is not None and len(histories) != len(instances):
        told = f"{len(histories)} of them"
        raise InputError(field="histories", value=told, expected=f"{len(instances)}, one per instance")
    problem = stack([inst.arrays() for inst in instances], engine)
    seen = engine.asarray(outlook(instances, information, histories, seed))
    pool = Pool(problem, seen, None if potential is None else potential.on(engine))
    if not foresight:
        return pool
    expected = expected_of(expectations(instances, information, histories=histories, seed=seed))
    beliefs = beliefs_of(information, expected, problem.shape.slot_hours, histories)
    return replace(pool, foresight=foreseen(arrays_of(problem), expected), beliefs=beliefs)


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
        self.obs_size += self.act_size * task.foresight + 2 * paid_later(task.reward)
        if task.foresight and pool.foresight is None:
            raise ValueError("the task wants foresight, which the pool was made without")
        self.begin(pool)

    def begin(self, drawn: Pool) -> None:
        """Slot 0 of these instances."""
        self.drawn, self.t, self.planned = drawn, 0, 0
        self._said: tuple[Foresight, int, PlantState, Array] | None = None
        self.state = first_state(drawn.problem)
        self.earned = drawn.problem.money_scale * 0.0
        self.always = self.earned == 0.0

    @property
    def over(self) -> bool:
        """Whether the horizon has ended."""
        return self.t == self.drawn.problem.shape.n_slots

    def observation(self) -> Array:
        """(B,O) what the policy sees now."""
        slot = min(self.t, self.drawn.problem.shape.n_slots - 1)
        seen = observe(self.engine, self.drawn.problem, self.t, self.state, self.drawn.outlook[slot])
        if paid_later(self.task.reward):
            seen = self.engine.concat([seen, self._unpaid()])
        return self.engine.concat([seen, self.suggested()]) if self.task.foresight else seen

    def _unpaid(self) -> Array:
        """(B,2) what the episode has earned and not yet been paid, in days of revenue, and whether every slot
        so far met its goal: without them two states that are worth different sums would look alike."""
        problem = self.drawn.problem
        share = owed(self.task.reward, self.earned) / (problem.money_scale * problem.shape.n_slots)
        return self.engine.concat([share[:, None], self.engine.real(self.always, share)[:, None]])

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
            said = (ahead, slot, self.state, codec.said(self.engine, problem, slot, self.state, ahead))
            self._said = said
        return said[3]

    def plan_again(self) -> None:
        """Foresight from here on, given what has happened."""
        ahead, beliefs = self.drawn.foresight, self.drawn.beliefs
        if ahead is None or beliefs is None:
            raise ValueError("planning again needs foresight, and beliefs")
        problem, state = arrays_of(self.drawn.problem), arrays_of(self.state)
        found = beliefs.renewed(problem, ahead, self.t, state)
        self.drawn, self.planned = replace(self.drawn, foresight=found), self.t

    def request(self, action: Array) -> Request:
        """What an action (B,A) asks for now; numbers beyond the box [-1,1] are cut to it.

        With foresight, an action (B,1) corrects all prices alike.

        Raises:
            InputError: an action of another shape.
        """
        shapes = [(len(self.drawn.problem), self.act_size)]
        if self.task.foresight:
            shapes.append((shapes[0][0], 1))
        if tuple(action.shape) not in shapes:
            raise InputError(
                field="action", value=f"numbers of shape {tuple(action.shape)}", expected=f"shape {shapes[0]}"
            )
        action, codec = action.clip(-1, 1), self.codec
        now = (self.engine, self.drawn.problem, self.t, self.state)
        if not self.task.foresight:
            return codec.decode(*now, action)
        said, ahead = self.suggested(), self.drawn.foresight
        assert isinstance(codec, PricedCodec)
        assert ahead is not None
        return codec.corrected(*now, ahead, said, (said + action).clip(-1, 1))

    def potential(self) -> Array:
        """(B,) what the state is still worth, in reward units: what has been earned and not yet been paid,
        and the solver's potential where instances have one. 0 at the end."""
        if self.over:
            return self.earned * 0.0
        worth = owed(self.task.reward, self.earned)
        if self.drawn.potential is not None:
            worth = worth + self.drawn.potential.value(self.engine, self.t, self.state)
        return worth * (self.task.reward_scale / self.drawn.problem.money_scale)

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
        self.always = self.always & success
        slot = Slot(self.engine, problem, outcome, success, self.over, self.earned, self.always)
        paid = reward(self.task.reward, slot)
        return paid * self.task.reward_scale, success, outcome
