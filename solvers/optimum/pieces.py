"""What a long horizon solved in pieces has come to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stepwatt.formulation import Evaluation, Schedule

from ..interface.result import relative_gap

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pieces:
    """A schedule, its judgement, a bound and prices; None where there are none."""

    schedule: Schedule
    evaluation: Evaluation
    bound: float | None
    prices: dict[str, Floats] | None

    @property
    def gap(self) -> float:
        """Relative; infinite without a bound."""
        return np.inf if self.bound is None else relative_gap(self.bound, self.evaluation.utility)


def better(one: Pieces, other: Pieces) -> Pieces:
    """The better schedule of both, with the lower bound."""
    kept = max(one, other, key=lambda found: (found.evaluation.feasible, found.evaluation.utility))
    bounds = [found.bound for found in (one, other) if found.bound is not None]
    return replace(kept, bound=min(bounds, default=None), prices=other.prices or one.prices)
