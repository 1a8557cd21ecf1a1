"""The optimal value itself as potential: what no model of it, however it is learned, can be better than.

Whatever a state is still worth, with the day known, is solved anew wherever a learner comes: milliseconds a
state, for a control alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stepwatt.formulation import Instance
from stepwatt.formulation.plant.bridge import array, arrays_of
from stepwatt.formulation.plant.engine import Array, Engine, numpy_engine
from stepwatt.formulation.plant.stacked import Problem
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import PlantState
from stepwatt.solvers.planners.foresight.expected import Expected, expected_of, planning_problem
from stepwatt.solvers.planners.foresight.renewal import Beliefs
from stepwatt.solvers.response.day import plan_day

#: How near the plan's value is to its bound, in units of the largest cost of a slot.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ExactValue:
    """Φ(t, s) = the best that can still be earned from s on, USD, of N fluid days that are known."""

    problem: Problem
    expected: Expected

    def value(self, e: Engine, t: int, state: PlantState) -> Array:
        """(B,) USD, solved now."""
        known = arrays_of(state)
        coming = Beliefs(self.expected).coming(self.problem, t, known)
        return e.asarray(plan_day(planning_problem(self.problem, coming, known, 1), TOLERANCE).value)

    def take(self, index: Array, engine: Engine) -> ExactValue:
        """The chosen instances."""
        chosen = array(index)
        return ExactValue(self.problem.take(chosen, numpy_engine()), self.expected.take(chosen))

    def on(self, engine: Engine) -> ExactValue:
        """The same: plans are made in numpy whatever trains."""
        return self


def exact_value(instances: Sequence[Instance]) -> ExactValue:
    """The exact value of fluid instances of one shape."""
    arrays = [inst.arrays() for inst in instances]
    return ExactValue(stack(arrays, numpy_engine()), expected_of(arrays))
