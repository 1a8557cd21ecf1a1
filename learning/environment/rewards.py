"""Learning signals; results always report utility (docs/environment.md, "Rewards")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import Outcome
from stepwatt.formulation.registry import Registry

#: Share of a site's jobs in a slot that may be missed or cut back before the sparse reward pays nothing.
SPARSE_THRESHOLD = 0.02


def failed_share(e: Engine, outcome: Outcome) -> Array:
    """(B,) at the worst site: jobs lost at their origin or cut at their host, over those it dealt with."""
    failed = e.sum(outcome.lost) + outcome.cut_jobs
    dealt = e.sum(outcome.jobs) + failed
    return e.highest(failed / (dealt + 1e-9))


@dataclass(frozen=True)
class Slot:
    """What happened in a slot: ``success`` (B,) whether it met its goal, ``last`` whether the day is over.

    ``so_far`` (B,) is the utility of the episode up to and with this slot (USD), ``always`` (B,) whether
    every slot of the episode up to and with this one met its goal.
    """

    engine: Engine
    problem: Problem
    outcome: Outcome
    success: Array
    last: bool
    so_far: Array
    always: Array

    @property
    def earned(self) -> Array:
        """(B,) utility of the slot in units of ``problem.money_scale``, a slot's typical revenue."""
        return self.outcome.utility / self.problem.money_scale


@dataclass(frozen=True)
class PaidLater:
    """A reward that is paid some time after it was earned.

    ``pay`` is the reward; ``owed`` gives, of the utility of an episode so far (B,) in USD, what is not yet
    paid. Potentials count it: what is owed is still to come.
    """

    pay: Callable[[Slot], Array]
    owed: Callable[[Array], Array]

    def __call__(self, slot: Slot) -> Array:
        """(B,) what is paid for the slot."""
        return self.pay(slot)


#: What happened in a slot → (B,) what is paid for it, in units of ``problem.money_scale``.
Reward = Callable[[Slot], Array]


def dense(slot: Slot) -> Array:
    """What the slot earned."""
    return slot.earned


def sparse(slot: Slot) -> Array:
    """What the slot earned, if its service goal was met."""
    return slot.earned * slot.engine.real(slot.success, slot.earned)


def _at_the_end(slot: Slot) -> Array:
    return slot.so_far / slot.problem.money_scale if slot.last else slot.earned * 0.0


#: All that the day earned, at its end.
episode = PaidLater(_at_the_end, owed=lambda so_far: so_far)


def _if_all_went_well(slot: Slot) -> Array:
    return _at_the_end(slot) * slot.engine.real(slot.always, slot.earned)


#: All that the day earned, at its end, if every slot met its service goal. Potentials count what was earned
#: also after a failure: what is taken back at the end is then as much as was earned, not more.
joint = PaidLater(_if_all_went_well, owed=lambda so_far: so_far)

REWARDS: Registry[Reward] = Registry(
    "reward", {"dense": dense, "sparse": sparse, "episode": episode, "joint": joint}
)


def paid_later(kind: str) -> bool:
    """Whether a reward is paid some time after it was earned."""
    return isinstance(REWARDS[kind], PaidLater)


def owed(kind: str, so_far: Array) -> Array:
    """(B,) USD of an episode's utility so far that a reward has not yet paid."""
    named = REWARDS[kind]
    return named.owed(so_far) if isinstance(named, PaidLater) else so_far * 0.0


def reward(kind: str, slot: Slot) -> Array:
    """(B,) the slot's learning signal by the name of the reward.

    Raises:
        InputError: an unknown kind.
    """
    return REWARDS[kind](slot)
