"""A schedule and a bound from the horizon planned in few long slots (:mod:`.coarse_plan`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InstanceArrays, Schedule, evaluate

from ..interface.deadline import Deadline
from ..interface.errors import NoDecision
from ..interface.result import relative_gap
from ..interface.settings import Settings
from ..planners.slot_by_slot import slot_by_slot
from .coarse_plan import CoarsePlan, Guided, coarse_plan
from .pieces import Pieces
from .priced_blocks import PricedBlocks

Floats = NDArray[np.float64]

#: Columns of the plans that are made, one after the other, and the share of the time that is left for each.
_LADDER, _PLAN_SHARE = (100_000, 250_000, 500_000), 0.4
#: Share of the time that is left which the next plan may be expected to take, and how time grows with size.
_EXPECTED_SHARE, _GROWTH = 0.25, 1.5
#: Share of the time that is left after them for the schedule; the rest is for the bound.
_SCHEDULE_SHARE = 0.8


def in_coarse(
    a: InstanceArrays, columns_per_slot: float, settings: Settings, deadline: Deadline
) -> Pieces | None:
    """The schedule next to the finest plan that there is time for, and the bound at its prices; None without
    a plan, or where following it ends in a slot without a decision."""
    plan: CoarsePlan | None = None
    took = 0.0
    for columns in _LADDER:
        size = block_length(a.n_slots, columns / columns_per_slot)
        left = deadline.left()
        if plan is not None:
            if plan.size == size:
                continue
            expected = took * (plan.size / size) ** _GROWTH
            if left is not None and expected > _EXPECTED_SHARE * left:
                break
        settings.progress(0.0, f"plan in blocks of {size} slots")
        finer = coarse_plan(a, size, deadline.part(_PLAN_SHARE))
        if finer is None:
            break
        plan, after = finer, deadline.left()
        took = 0.0 if left is None or after is None else left - after
    if plan is None:
        return None
    try:
        schedule = _beside(a, plan, settings, deadline.part(_SCHEDULE_SHARE))
    except NoDecision:
        return None
    evaluation = evaluate(a, schedule)
    bound, prices = _bound(a, plan, schedule, evaluation.utility, settings, deadline)
    return Pieces(schedule, evaluation, bound, prices)


def block_length(n_slots: int, most_blocks: float) -> int:
    """The shortest length of blocks, of so many at most, that divides the horizon."""
    size = max(1, int(np.ceil(n_slots / max(1.0, most_blocks))))
    while n_slots % size:
        size += 1
    return size


def _beside(a: InstanceArrays, plan: CoarsePlan, settings: Settings, deadline: Deadline) -> Schedule:
    def told(done: float, what: str) -> None:
        settings.progress(0.1 + 0.6 * done, what)

    return slot_by_slot(a, Guided(a, plan).decide, told, deadline).schedule


def _bound(
    a: InstanceArrays,
    plan: CoarsePlan,
    schedule: Schedule,
    utility: float,
    settings: Settings,
    deadline: Deadline,
) -> tuple[float, dict[str, Floats]]:
    """The sum of the slots' bounds at the plan's prices: from its own duals, and from theirs as far as there
    is time."""
    slots = [(t, t + 1) for t in range(a.n_slots)]
    edges = plan.edges()
    blocks = PricedBlocks(a, slots, [[price] for price in edges], schedule)
    bounds = np.array([blocks.weak(t, edges, plan.duals) for t in range(a.n_slots)])
    for t in range(a.n_slots):
        if deadline.passed or relative_gap(float(bounds.sum()), utility) <= settings.gap:
            break
        settings.progress(0.7 + 0.3 * t / a.n_slots, f"bound of slot {t + 1} of {a.n_slots}")
        bounds[t] = min(bounds[t], blocks.strong(t, edges))
    return float(bounds.sum()), plan.prices()
