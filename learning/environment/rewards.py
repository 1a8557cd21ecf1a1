"""Learning signals; results always report utility (learning.md, "Reward signal")."""

from __future__ import annotations

from collections.abc import Callable

from stepwatt.formulation import InputError
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.state import Outcome

#: Share of a site's jobs in a slot that may be missed or cut back before the sparse reward pays nothing.
SPARSE_THRESHOLD = 0.02

#: (engine, problem, outcome) → (B,) reward of the slot, utility in units of ``problem.money_scale``.
Reward = Callable[[Engine, Problem, Outcome], Array]


def failed_share(e: Engine, outcome: Outcome) -> Array:
    """(B,) at the worst site: jobs lost at their origin or cut at their host, over those it dealt with."""
    failed = e.sum(outcome.lost) + outcome.cut_jobs
    dealt = e.sum(outcome.jobs) + failed
    return e.highest(failed / (dealt + 1e-9))


REWARDS = ("dense", "sparse", "episode")


def reward(
    e: Engine, problem: Problem, outcome: Outcome, success: Array, kind: str, last: bool, so_far: Array
) -> Array:
    """(B,) the slot's learning signal: ``dense``, ``sparse`` or ``episode`` (all of it at the end).

    ``so_far`` (B,) is the utility of the episode up to and with this slot (USD).

    Raises:
        InputError: an unknown kind.
    """
    scaled = outcome.utility / problem.money_scale
    if kind == "dense":
        return scaled
    if kind == "sparse":
        return scaled * e.real(success, scaled)
    if kind == "episode":
        return so_far / problem.money_scale if last else scaled * 0.0
    raise InputError(field="reward", value=kind, expected=f"one of {', '.join(REWARDS)}")
