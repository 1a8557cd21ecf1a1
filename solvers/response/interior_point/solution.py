"""What an interior-point method finds of a program, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]

#: Relative distance of primal and dual at which an instance is done, and of its rows from their right sides.
TOLERANCE = 1e-9
MOST_STEPS = 40
#: An instance whose distance is at least this small is also done when a step does not halve it.
GOOD = 1e-6
#: How far from their ends multipliers begin.
START = 0.1


@dataclass(frozen=True)
class Solution:
    """Shares ``box`` (columns,B) and ``options`` (n,K,O,B), ``multipliers`` (rows,B), in the program's units.

    ``value`` (B,) USD of the maximum found, ``bound`` (B,) USD that no decision exceeds; ``residual`` (B,)
    what its rows miss at most.
    """

    box: Numbers
    options: Numbers
    multipliers: Numbers
    value: NDArray[np.float64]
    bound: NDArray[np.float64]
    residual: Numbers
