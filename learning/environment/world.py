"""The scheduling environment: instances side by side, one slot per step, on one engine.

An episode is one instance from its first to its last slot. The semantics are model.md's with fluid jobs; with
``integral`` the plant moves whole jobs and GPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepwatt.formulation import InputError, Instance
from stepwatt.formulation.arguments import flag, whole
from stepwatt.formulation.instance.given import the_histories, the_instances
from stepwatt.formulation.plant.bridge import array, arrays_of
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import Outcome, PlantState, Request, first_state
from stepwatt.formulation.plant.step import advance
from stepwatt.solvers.planners.forecasts import terminal_prices
from stepwatt.solvers.planners.foresight.foresight import Foresight, foreseen
from stepwatt.solvers.planners.foresight.planner import ForesightPolicy
from stepwatt.solvers.planners.foresight.renewal import Beliefs, beginning

from ..codecs import CODECS, Codec, PricedCodec
from .observation import observation_size, observe, outlook
from .rewards import Slot, failed_share, owed, paid_later, reward
from .site_rows import observe_rows, row_size, rows_outlook
from .solver_potential import Worth
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
    """Instances to draw from, as the engine's arrays: the problem, the outlook (T,N,E), the potentials, the
    ``terminal_price`` (T,N,J) that is believed in each slot (None: the problem's own is known); as numpy
    arrays, what is foreseen, and what that is made of."""

    problem: Problem
    outlook: Array
    potential: Worth | None = None
    foresight: Foresight | None = None
    beliefs: Beliefs | None = None
    terminal_price: Array | None = None

    def __len__(self) -> int:
        return len(self.problem)

    def take(self, index: Array, engine: Engine) -> Pool:
        """The chosen instances, possibly repeated."""
        potential = None if self.potential is None else self.potential.take(index, engine)
        seen = engine.batch_inside(self.outlook[:, index], 1)
        ahead = None if self.foresight is None else self.foresight.take(array(index))
        beliefs = None if self.beliefs is None else self.beliefs.take(array(index))
        price = self.terminal_price
        if price is not None:
            price = engine.batch_inside(price[:, index], 1)
        return Pool(self.problem.take(index, engine), seen, potential, ahead, beliefs, price)


def make_pool(
    instances: Sequence[Instance] | Instance,
    information: str,
    engine: Engine,
    *,
    histories: Sequence[Instance | None] | Instance | None = None,
    potential: Worth | None = None,
    seed: int = 0,
    foresight: bool = False,
    view: str = "flat",
    past_hours: Sequence[float] = (),
    slot: int | None = None,
) -> Pool:
    """Instances of one shape, ready for an environment on the engine; ``foresight`` for tasks that want it,
    ``view`` and ``past_hours`` as the task has them (:func:`pool_for` takes all from it); ``slot`` for who
    decides that one alone, and needs no other seen.

    Raises:
        InputError: no instances, or of different shapes; not a history each; an unknown information set; a
            seed that is none.
    """
    days = the_instances(instances)
    past = None if histories is None else the_histories(histories, len(days))
    seed = whole(seed, "forecast_seed")
    problem = stack([inst.arrays() for inst in days], engine)
    look = outlook if view == "flat" else rows_outlook
    seen = engine.asarray(look(days, information, past, seed, past_hours, slot))
    price = terminal_prices(days, information, past, seed)
    pool = Pool(problem, seen, None if potential is None else potential.on(engine))
    if price is not None:
        pool = replace(pool, terminal_price=engine.asarray(price))
    if not foresight:
        return pool
    expected, beliefs = beginning(days, information, past, seed)
    return replace(pool, foresight=foreseen(arrays_of(problem), expected), beliefs=beliefs)


def pool_for(
    task: TaskSettings,
    instances: Sequence[Instance] | Instance,
    engine: Engine,
    *,
    histories: Sequence[Instance | None] | Instance | None = None,
    potential: Worth | None = None,
    seed: int = 0,
) -> Pool:
    """Instances as the task wants them seen; otherwise as :func:`make_pool`."""
    return make_pool(
        instances,
        task.information,
        engine,
        histories=histories,
        potential=potential,
        seed=seed,
        foresight=task.foresight,
        view=task.view,
        past_hours=task.past_hours,
    )


class World:
    """The environment proper, on either engine: it knows instances, state and clock, and no learning.

    ``failed`` (B,) is the failed share of the slot before, at its worst site (``rewards.failed_share``).
    """

    def __init__(self, pool: Pool, engine: Engine, task: TaskSettings, *, integral: bool = False):
        self.engine, self.task, self.integral = engine, task, flag(integral, "integral")
        self.codec: Codec = CODECS[task.codec](pool.problem.shape)
        self.pool = pool
        self.act_size = self.codec.size
        #: Numbers of each part of an action that a site says, where one network is shared by the sites.
        self.parts: tuple[int, ...] = ()
        if task.view == "sites" and isinstance(self.codec, PricedCodec):
            self.parts = self.codec.parts
        outlook_size, sites = int(pool.outlook.shape[-1]), pool.problem.shape.sites
        if task.view == "flat":
            self.obs_size = observation_size(pool.problem, outlook_size)
            self.obs_size += self.act_size * task.foresight + 2 * paid_later(task.reward)
        else:
            self.obs_size = sites * (row_size(pool.problem, outlook_size) + 2 * paid_later(task.reward))
        if task.foresight and pool.foresight is None:
            raise ValueError("the task wants foresight, which the pool was made without")
        self.begin(pool)

    def begin(self, drawn: Pool) -> None:
        """Slot 0 of these instances."""
        self.drawn, self.t, self.planned = drawn, 0, 0
        self._said: tuple[Foresight, int, PlantState, Array] | None = None
        self._believed = drawn.problem
        self.state = first_state(drawn.problem)
        self.earned = drawn.problem.money_scale * 0.0
        self.always = self.earned == 0.0

    @property
    def over(self) -> bool:
        """Whether the horizon has ended."""
        return self.t == self.drawn.problem.shape.n_slots

    @property
    def believed(self) -> Problem:
        """The problem as who decides now knows it: energy missing at the end costs what it is believed to."""
        if self.drawn.terminal_price is not None:
            price = self.drawn.terminal_price[min(self.t, self.drawn.problem.shape.n_slots - 1)]
            if bool((price != self._believed.terminal_price).any()):
                self._believed = replace(self.drawn.problem, terminal_price=price)
        return self._believed

    def observation(self) -> Array:
        """(B,O) what the policy sees now."""
        problem = self.drawn.problem
        outlook = self.drawn.outlook[min(self.t, problem.shape.n_slots - 1)]
        if self.task.view == "sites":
            rows = observe_rows(self.engine, problem, self.t, self.state, outlook)
            if paid_later(self.task.reward):
                unpaid = self._unpaid()[:, None] + problem.gpus[..., None] * 0.0
                rows = self.engine.concat([rows, unpaid])
            return rows.reshape(len(problem), -1)
        seen = observe(self.engine, problem, self.t, self.state, outlook)
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
        codec, ahead, problem = self.codec, self.drawn.foresight, self.believed
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
        now = (self.engine, self.believed, self.t, self.state)
        if not self.task.foresight:
            return codec.decode(*now, action)
        said, ahead = self.suggested(), self.drawn.foresight
        assert isinstance(codec, PricedCodec)
        assert ahead is not None
        action = (said + action).clip(-1, 1)
        return codec.corrected(*now, ahead, said, action, integral=self.integral)

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
        outcome = self.carry_out(self.request(self.engine.batch_inside(action, 0)))
        success = self.failed <= self.task.threshold
        problem = self.drawn.problem
        slot = Slot(self.engine, problem, outcome, success, self.over, self.earned, self.always)
        paid = reward(self.task.reward, slot)
        return paid * self.task.reward_scale, success, outcome

    def carry_out(self, request: Request) -> Outcome:
        """What happens in this slot when that is asked for; state, clock and what is owed go on."""
        self.state, outcome = advance(
            self.engine, self.drawn.problem, self.t, self.state, request, integral=self.integral
        )
        self.t += 1
        self.earned = self.earned + outcome.utility
        self.failed = failed_share(self.engine, outcome)
        self.always = self.always & (self.failed <= self.task.threshold)
        return outcome
