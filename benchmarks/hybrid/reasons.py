"""The command ``python -m benchmarks.hybrid.reasons``: what a reason costs beside the decision it is of.

A reason is what ``run --why`` adds to a line: the best rejected alternative of every site and its regret.
"""

from __future__ import annotations

import time
from statistics import median

from stepwatt.data import scenario
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacking import stack
from stepwatt.formulation.plant.state import first_state
from stepwatt.solvers.planners.foresight.expected import expected_of
from stepwatt.solvers.planners.foresight.foresight import foreseen
from stepwatt.solvers.response import best_response
from stepwatt.solvers.response.rejected import rejected

ROUNDS = 30


def measure(size: int, rounds: int = ROUNDS) -> tuple[float, float]:
    """Milliseconds a decision, of the response and of its reasons: medians over the rounds."""
    days = [scenario("jemas", start="2018-06-12", n_slots=48, slot_minutes=30, seed=n) for n in range(size)]
    arrays = [day.arrays() for day in days]
    problem = stack(arrays, numpy_engine())
    ahead, state = foreseen(problem, expected_of(arrays)), first_state(problem)
    responses, reasons = [], []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        plan = best_response(problem, 0, state, ahead.prices(problem, 0, state))
        decided = time.perf_counter()
        rejected(problem, plan)
        responses.append(decided - begun)
        reasons.append(time.perf_counter() - decided)
    # the first round compiles
    return 1e3 * median(responses[1:]) / size, 1e3 * median(reasons[1:]) / size


def main() -> None:
    """Print both, alone and in a batch."""
    for size in (1, 256):
        response, reason = measure(size)
        print(f"{size:4d} side by side: response {response:.3f} ms a decision, reasons {reason:.3f} ms")


if __name__ == "__main__":
    main()
