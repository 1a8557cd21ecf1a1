"""What a forecast says that things will be worth: one plan of the forecast day, and values around it.

The day's plan (:mod:`response.day`) says at which price each site's power balances, what a job is worth, how
many wait and how large loads are. Around it, dynamic programs (:mod:`.values`) say how the value of stored
energy and of warmth changes with what is held, and what a running generator is worth. It uses nothing but the
forecast, so it may stand in a policy's information set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import InputError, Instance, InstanceArrays
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState, first_state
from stepwatt.solvers.interface.errors import NoDecision, SolverError
from stepwatt.solvers.response import SlotPrices
from stepwatt.solvers.response.day import DayPlan, plan_day
from stepwatt.solvers.response.slot_prices import ENERGY_SEGMENTS, local_ends, queue_values, uniform_ends

from ..forecasts import make_forecast, terminal_price_at
from .expected import Expected, expected_of, planning_problem
from .values import COARSE_ENERGY_LEVELS, ENERGY_LEVELS, commit, energy_values, slopes, warmth_values

Numbers = NDArray[Any]

#: Hours of a block of the plan; slots shorter than that share one.
BLOCK_HOURS = 0.25
#: How exact the plan is (:func:`response.day.plan_day`). One that stops early is near the middle of all that
#: is nearly as good, which serves a day that comes differently no worse than a corner does; but a highest
#: import that is too high once stays so, plan after plan.
TOLERANCE, CHARGED_TOLERANCE = 0.05, 0.03
#: The same where a slot is a block by itself: on twenty days, which no page has, 0.05 lost up to 0.03 % more
#: of what can be captured.
FINE_TOLERANCE = 0.02
#: How much softer foresight says the values of waiting jobs there than policies do: on the same days that
#: gained 0.01 to 0.05 % with yesterday as the forecast, and nothing day-ahead.
SOFTNESS = 2.0
#: How long the blocks of a plan may be where shorter ones make it too much work: as much of it may be done as
#: :func:`work` counts, some fifteen seconds of a slow core.
LONGEST_BLOCK_HOURS, MOST_WORK = 3.0, 3e8
#: Days that are planned together: more make loops longer, and fall out of the caches.
TOGETHER = 256


class TooWide(SolverError):
    """A plan of so many sites and classes would take minutes or more."""


#: What foresight says of the leavings of slots.
TABLES = ("energy", "warmth", "waiting", "queue", "peak", "running")


@dataclass(frozen=True)
class Foresight:
    """Values after each slot, by what is held: ``energy`` (T,N,J,G) and ``warmth`` (T,N,J,W) USD over evenly
    spaced contents, ``waiting`` (T,N,I,K) USD per job around ``queue`` (T,N,I,K) jobs, ``peak`` (T,N,J) MW of
    import to come at most, ``running`` (T,N,J) USD of a generator that is on. They begin at slot ``begun``.
    ``multipliers`` (·,N,·) are those of the plan (:class:`response.day.DayPlan`)."""

    energy: Numbers
    warmth: Numbers
    waiting: Numbers
    queue: Numbers
    peak: Numbers
    running: Numbers
    multipliers: Numbers
    begun: int = 0

    def take(self, index: NDArray[np.int64]) -> Foresight:
        """The chosen instances, innermost in memory."""
        return self.changed(lambda values: np.moveaxis(np.moveaxis(values, 1, -1).take(index, -1), -1, 1))

    def since(self, t: int) -> Foresight:
        """The same from slot t on."""
        past = t - self.begun
        return replace(self.changed(lambda values: values[past:], TABLES), begun=t)

    def changed(
        self, change: Callable[[Numbers], Numbers], names: Sequence[str] = (*TABLES, "multipliers")
    ) -> Foresight:
        """The same with some of its tables changed."""
        tables: dict[str, Any] = {name: change(getattr(self, name)) for name in names}
        return replace(self, **tables)

    def stored(self, problem: Problem, t: int, state: PlantState, segments: int) -> tuple[Numbers, Numbers]:
        """Slopes (N,J,S) of the value of stored energy around the state, and where segments end (N,J,S−1)."""
        low, high = problem.energy_min, problem.energy_max
        ends = local_ends(problem, state, segments)
        hours = problem.shape.slot_hours
        give = problem.battery_power * hours / problem.discharge_efficiency
        take = problem.battery_power * hours * problem.charge_efficiency
        first = np.maximum(state.energy - give, low)[..., None]
        last = np.minimum(state.energy + take, high)[..., None]
        points = np.concatenate([first, ends, last], -1)
        found = slopes(self.energy[t - self.begun], low, high, points)
        return np.minimum.accumulate(np.maximum(found, 0.0), -1), ends

    def prices(self, problem: Problem, t: int, state: PlantState, *, finer: bool = False) -> SlotPrices:
        """The slopes of the values after slot t around the state, as policies say them, or finer and
        softer, as foresight itself does (:func:`segments`, :func:`softness`)."""
        at = t - self.begun
        energy, ends = self.stored(problem, t, state, segments(problem) if finer else ENERGY_SEGMENTS)
        _, warmth_ends = uniform_ends(problem)
        points = np.concatenate([problem.min_c[..., None], warmth_ends, problem.max_c[..., None]], -1)
        warmth = -slopes(self.warmth[at], problem.min_c, problem.max_c, points)
        queue = np.minimum(self.queue[at], problem.recent[t][..., 0])
        waiting, waiting_ends = queue_values(
            problem, t, self.waiting[at], queue, softness(problem) if finer else 1.0
        )
        return SlotPrices(
            energy=energy,
            energy_ends=ends,
            warmth=np.maximum.accumulate(np.maximum(warmth, 0.0), -1) * problem.thermal[..., None],
            warmth_ends=warmth_ends,
            waiting=waiting,
            waiting_ends=waiting_ends,
            peak=np.where(problem.demand_charge > 0, np.maximum(self.peak[at], state.peak), 0.0),
            running=self.running[at],
        )


def foresee(
    instances: Sequence[Instance],
    information: str,
    *,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
) -> Foresight:
    """The foresight at the beginning of every instance; ``seed`` as in :func:`observation.outlook`.

    Raises:
        InputError: no forecast in the information set.
    """
    problem = stack([inst.arrays() for inst in instances], numpy_engine())
    expected = expectations(instances, information, histories=histories, seed=seed)
    return foreseen(problem, expected_of(expected))


def expectations(
    instances: Sequence[Instance],
    information: str,
    *,
    histories: Sequence[Instance | None] | None = None,
    seed: int = 0,
) -> list[InstanceArrays]:
    """The instances as they are expected to be at their beginning (:func:`believed`).

    Raises:
        InputError: no forecast in the information set.
    """
    if information == "none":
        raise InputError(field="foresight", value=True, expected="an information set with a forecast")
    past = [None] * len(instances) if histories is None else list(histories)
    return [
        believed(inst.arrays(), information, None if before is None else before.arrays(), seed + number)
        for number, (inst, before) in enumerate(zip(instances, past, strict=True))
    ]


def foreseen(problem: Problem, expected: Expected) -> Foresight:
    """The foresight at the beginning of instances of which that is expected."""
    return foreseen_from(problem, expected, first_state(problem), 0)


def foreseen_from(
    problem: Problem, coming: Expected, state: PlantState, begun: int, before: Numbers | None = None
) -> Foresight:
    """The foresight of the slots from ``begun`` on, of which that is expected, from the state before them;
    ``before`` are the multipliers of an earlier plan of the same slots.

    Raises:
        TooWide: so many sites and classes cannot be planned in reasonable time.
        NoDecision: whatever is done, a room or the power of a site does not suffice.
    """
    slots = len(coming.arrivals)
    size = block_size(slots, problem.shape.slot_hours, width(coming))
    blocks, parts = planning_problem(problem, coming, state, size), []
    tolerance = CHARGED_TOLERANCE if problem.shape.has_demand_charge else TOLERANCE
    if alone(problem.shape.slot_hours):
        tolerance = FINE_TOLERANCE
    for first in range(0, len(problem), TOGETHER):
        some = slice(first, first + TOGETHER)
        chosen = blocks.part(some)
        plan = plan_day(chosen, tolerance, begun=None if before is None else before[:, some])
        if not (np.isfinite(plan.it).all() and np.isfinite(plan.power).all()):
            raise NoDecision(
                "the forecast has no plan: rooms too warm, or sites short of power, whatever is done"
            )
        parts.append(around(chosen, plan, slots, size))
    names = (*TABLES, "multipliers")
    joined = {name: np.concatenate([getattr(part, name) for part in parts], 1) for name in names}
    return replace(parts[0], **joined, begun=begun)


def believed(a: InstanceArrays, information: str, before: InstanceArrays | None, seed: int) -> InstanceArrays:
    """The instance as it is expected to be: slot 0 is known."""
    if a.n_slots == 1:
        return a
    believe = make_forecast(information, a, before, seed)
    series: dict[str, Any] = {
        name: np.concatenate([getattr(a, name)[..., :1], values], axis=-1)
        for name, values in believe(0, 1, a.n_slots).items()
    }
    return replace(a, terminal_price=terminal_price_at(a, believe, 0), **series)


def around(problem: Problem, plan: DayPlan, slots: int, size: int) -> Foresight:
    """The foresight of ``slots`` slots from a plan of a problem whose blocks have ``size`` of them each."""
    # after a slot: in the middle of a block what its own jobs are worth, at its end what the next one's are
    after = np.minimum(np.arange(1, slots + 1) // size, slots // size - 1)
    begun = problem.first_waiting[None]
    peak = np.maximum(plan.imported.max(0), problem.first_peak)
    generators = commit(problem, plan.load)
    levels = ENERGY_LEVELS if alone(problem.shape.slot_hours / size) else COARSE_ENERGY_LEVELS
    stored = energy_values(problem, plan.load - generators.generated, peak, levels)
    return Foresight(
        energy=_after_slots(stored, slots, size),
        warmth=_after_slots(warmth_values(problem, plan.it, plan.power), slots, size),
        waiting=plan.job[after],
        queue=_after_slots(np.concatenate([begun, plan.queue]), slots, size),
        peak=np.broadcast_to(peak, (slots, *peak.shape)),
        running=_after_slots(generators.running, slots, size),
        multipliers=plan.multipliers,
    )


def alone(hours: float) -> bool:
    """Whether a slot of so many hours is a block by itself wherever plans are no work."""
    return round(BLOCK_HOURS / hours) <= 1


def segments(problem: Problem) -> int:
    """In how many segments foresight says the value of stored energy.

    Twice those that policies say where a slot is a block: with these alone, large batteries lose a tenth of a
    percent of what can be captured.
    """
    return 2 * ENERGY_SEGMENTS if alone(problem.shape.slot_hours) else ENERGY_SEGMENTS


def softness(problem: Problem) -> float:
    """How much softer foresight says the values of waiting jobs than policies do."""
    return SOFTNESS if alone(problem.shape.slot_hours) else 1.0


def width(coming: Expected) -> int:
    """What a block of a plan has to balance: GPUs, power, heat and storage of each site, and its jobs of each
    class that may wait."""
    sites, waiting = coming.arrivals.shape[2], int((coming.deadline > 0).any(axis=0).sum())
    return int(sites * (4 + waiting))


def work(blocks: int, width: int) -> float:
    """What a plan of so many blocks takes: in each a matrix of that width is factored, step by step."""
    return float(blocks) * float(width) ** 3


def block_size(slots: int, hours: float, width: int = 0) -> int:
    """Slots of a block, of a horizon of so many slots of so many hours.

    Raises:
        TooWide: even with the longest blocks a plan is too much work.
    """
    size = min(slots, max(1, round(BLOCK_HOURS / hours)))
    longest = min(slots, round(LONGEST_BLOCK_HOURS / hours))
    while work(slots // size, width) > MOST_WORK and 2 * size <= longest:
        size *= 2
    while slots % size:
        size -= 1
    if work(slots // size, width) > MOST_WORK:
        raise TooWide("too many sites and classes for a plan of the horizon")
    return size


def _after_slots(tables: Numbers, slots: int, size: int) -> Numbers:
    """(T,...) after each slot, between the ends of blocks of ``size`` slots."""
    if size == 1:
        return tables[1:]
    at = np.arange(1, slots + 1) / size
    before = np.minimum(at.astype(np.int64), len(tables) - 2)
    weight = (at - before).reshape(-1, *[1] * (tables.ndim - 1))
    found: Numbers = tables[before] + weight * (tables[before + 1] - tables[before])
    return found
