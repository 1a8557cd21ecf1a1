"""The least of several linear potentials: cuts of the value to go, which is concave in what a state holds.

One linear potential extends the price that the optimum puts on a waiting job to any number of them. Days
with more jobs have dual prices, too, and bound what the day itself is worth (Kelley 1960; Pereira and Pinto
1991, stochastic dual dynamic programming).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import Array, Engine
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.interface.result import Result

from .solver_potential import Potential, potential_of


@dataclass(frozen=True)
class Cuts:
    """Φ = the least of its parts."""

    parts: tuple[Potential, ...]

    def value(self, e: Engine, t: int, state: PlantState) -> Array:
        """(B,) USD."""
        least, *others = (part.value(e, t, state) for part in self.parts)
        for other in others:
            least = e.minimum(least, other)
        return least

    def without_duals(self) -> Cuts:
        """The same where no state is worth more than another."""
        return Cuts(tuple(part.without_duals() for part in self.parts))

    def take(self, index: Array, engine: Engine) -> Cuts:
        """The chosen instances."""
        return Cuts(tuple(part.take(index, engine) for part in self.parts))

    def on(self, engine: Engine) -> Cuts:
        """The same numbers as the engine's arrays."""
        return Cuts(tuple(part.on(engine) for part in self.parts))


def with_jobs(inst: Instance, factor: float) -> Instance:
    """A fluid instance at which so many times the jobs arrive."""
    arrivals = {
        origin: {name: [factor * jobs for jobs in series] for name, series in by_class.items()}
        for origin, by_class in inst.arrivals.items()
    }
    return Instance.from_dict(inst.to_dict() | {"arrivals": arrivals})


def cut_of(results: Sequence[Result], instances: Sequence[Instance]) -> Potential:
    """What solved days with more jobs say of these: by duality, the difference is counted at their prices.

    A job that arrives in a slot enters the queue's balance there and may wait besides, so it is worth at
    least that balance's price: days with fewer jobs give no bound.
    """
    cut = potential_of(results)
    fewer = np.stack(
        [
            mine.arrays().arrivals - theirs.instance.arrays().arrivals
            for mine, theirs in zip(instances, results, strict=True)
        ]
    )
    owed = (cut.waiting_value[1:] * fewer.transpose(3, 0, 1, 2)).sum((2, 3))
    to_come = np.concatenate([owed[::-1].cumsum(0)[::-1], np.zeros((1, len(results)))])
    return replace(cut, still=cut.still + to_come)


def least_of(
    results: Sequence[Result],
    loads: Sequence[float],
    solved: Callable[[Sequence[Instance]], Sequence[Result]],
) -> Potential | Cuts:
    """The potential of solved days; with ``loads``, the least of it and those of days with more jobs."""
    own, instances = potential_of(results), [result.instance for result in results]
    if not loads:
        return own
    others = [cut_of(solved([with_jobs(inst, load) for inst in instances]), instances) for load in loads]
    return Cuts((own, *others))
